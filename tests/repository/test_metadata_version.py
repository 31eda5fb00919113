"""What a group says of metadata.version: raised, held or named, and only to what its target serves."""

from datetime import timedelta
from pathlib import Path

import pytest

from controller.model.declaration import Finalize
from controller.repository.catalog import built_in_catalog
from controller.versions import MetadataVersion
from tests.builders_repository import FleetFiles

CATALOG_OF_A_VENDOR = """\
apiVersion: wavefleet.io/v1
kind: ReleaseCatalog
spec:
  releases: [{version: 4.3.1-acme1, like: 4.3.1}]
"""


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", Finalize.AUTO),
        ("  metadataVersion: auto\n", Finalize.AUTO),
        ("  metadataVersion: hold\n", Finalize.HOLD),
        ("  metadataVersion: 4.3-IV0\n", built_in_catalog().metadata_versions["4.3-IV0"]),
        ("  metadataVersion: 3.9-IV0\n", built_in_catalog().metadata_versions["3.9-IV0"]),
    ],
)
def test_metadata_versions_are_raised_held_or_named(
    files: FleetFiles, spec: str, expected: Finalize | MetadataVersion
) -> None:
    """
    Raised to the target's own where nothing is said; a level may be any that the target serves, its own included.
    """
    assert expected == files.group(spec).loaded().metadata_version


@pytest.mark.parametrize(
    ("version", "level", "told"),
    [
        (
            "4.1.2",
            "4.2-IV0",
            "which 4.1.2 does not serve, expected at most 4.1-IV1, the highest that it serves, or auto",
        ),
        ("2.8.0", "3.0-IV1", "expected auto or hold: 2.8.0 has no metadata.version"),
        (
            "4.3.1-acme1",
            "4.4-IV0",
            "which 4.3.1-acme1 does not serve, expected at most 4.3-IV0, the highest that it serves, or auto",
        ),
    ],
)
def test_a_level_above_what_the_target_serves_is_refused(
    files: FleetFiles, version: str, level: str, told: str
) -> None:
    """
    It could never be finalized, and no other level is taken for it. A vendor's build serves what its row says.
    """
    files.write("releases.yaml", CATALOG_OF_A_VENDOR)

    problems = files.group(f"  metadataVersion: {level}\n", version=version).told()

    assert 1 == len(problems)
    assert problems[0].startswith(f"groups/prod.yaml:7: spec.metadataVersion: found '{level}', ")
    assert problems[0].endswith(told)


def test_a_level_beside_an_unknown_target_is_not_judged(files: FleetFiles) -> None:
    """
    One mistake is told once: what an unknown release serves, nobody knows.
    """
    problems = files.group("  metadataVersion: 4.4-IV0\n", version="9.9.9").problems()

    assert ["spec.kafkaVersion"] == [problem.field for problem in problems]


def test_the_soak_before_finalization_is_the_groups_else_the_fleets(files: FleetFiles) -> None:
    """
    Like every default it is replaced as a whole: an empty ``finalize`` means the table again, not the fleet's.
    """
    files.fleet("  defaults: {finalize: {soak: 2d}}\n")
    files.group("  finalize: {soak: 14d}\n", name="own")
    files.group("  finalize: {}\n", name="empty")

    soaks = {group.name: group.finalize_soak for group in files.load().groups}
    assert {"prod": timedelta(days=2), "own": timedelta(days=14), "empty": timedelta(days=7)} == soaks
