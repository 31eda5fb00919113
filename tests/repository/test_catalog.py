"""The built-in catalog keeps its own facts straight, and a fleet adds to it without changing it."""

import itertools
from pathlib import Path

import pytest

from controller.repository.catalog import built_in_catalog
from controller.versions import KafkaVersion, MetadataVersion
from tests.builders_repository import FleetFiles

CATALOG = "apiVersion: wavefleet.io/v1\nkind: ReleaseCatalog\nspec:\n"
NO_LEVEL = MetadataVersion(0, "")


def a_row(metadata_version: str, more: str = "metadata_level: null", *, kraft: str = "never") -> str:
    """A full row for 4.3.9, in line 5."""
    ways = f"upgrade_from_minor: {{kraft: {kraft}, zk: never}}"
    return f"  releases:\n    - {{version: 4.3.9, metadata_version: {metadata_version}, {more}, {ways}}}"


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_rows_are_in_order_and_fit_together() -> None:
    """
    Releases ascend, patches of a line share their metadata.version and ways, and levels ascend with names.
    """
    catalog = built_in_catalog()
    releases = list(catalog.releases.values())

    assert sorted(catalog.releases) == list(catalog.releases)
    assert KafkaVersion(2, 8, 0) == releases[0].version
    assert KafkaVersion(4, 4, 0) == releases[-1].version
    for earlier, later in itertools.pairwise(releases):
        if earlier.version.line == later.version.line:
            assert (earlier.metadata_version, earlier.kraft_from, earlier.zookeeper_from) == (
                later.metadata_version,
                later.kraft_from,
                later.zookeeper_from,
            )
        else:
            assert (earlier.metadata_version or NO_LEVEL) < (later.metadata_version or NO_LEVEL)
    levels = [level.level for level in catalog.metadata_versions.values()]
    assert list(range(1, len(levels) + 1)) == levels


def test_four_means_kraft_and_java_17() -> None:
    """
    The watershed of Kafka 4, as its upgrade notes have it.
    """
    catalog = built_in_catalog()

    assert "3.3-IV3" == str(catalog.metadata_floor_for_4x)
    for release in catalog.releases.values():
        four = release.version.major == 4
        assert (four, four) == (release.min_java_broker == 17, not release.zookeeper)
        assert (release.zookeeper_from is None) == four
        assert (release.kraft_from is None) == (release.version.line < (3, 3))
        assert not four or ((3, 3), (release.version.major, release.version.minor)) > (release.kraft_from or ())


def test_known_bad_releases_name_their_bugs() -> None:
    """
    What a group must accept by name is what the row has; CVEs and client bugs do not make a release known-bad.
    """
    releases = built_in_catalog().releases

    assert ("KAFKA-20322", "KAFKA-20505") == releases[KafkaVersion(4, 2, 0)].broker_bugs
    assert () == releases[KafkaVersion(4, 3, 0)].broker_bugs
    assert releases[KafkaVersion(4, 3, 0)].client_bugs
    assert releases[KafkaVersion(4, 3, 1)].broker_cves


def test_the_catalog_names_its_source_and_date() -> None:
    """
    Facts age; whoever reads them sees from when they are.
    """
    assert "as of 2026-11-22" in built_in_catalog().source


def test_a_fleet_adds_a_release_like_another(files: FleetFiles) -> None:
    """
    A vendor's build shares the row of what it was built from, and can be targeted.
    """
    files.write("releases.yaml", f"{CATALOG}  releases: [{{version: 4.3.1-acme1, like: 4.3.1}}]\n")

    declaration = files.group(version="4.3.1-acme1").load()

    row = declaration.catalog.releases[KafkaVersion(4, 3, 1, "acme1")]
    assert built_in_catalog().releases[KafkaVersion(4, 3, 1)].kraft_from == row.kraft_from
    assert KafkaVersion(4, 3, 1, "acme1") not in built_in_catalog().releases


def test_a_fleet_adds_a_release_with_a_row_of_its_own(files: FleetFiles) -> None:
    """
    A level that the built-in catalog does not know is taken to change metadata records: no safe way back crosses it.
    """
    files.write(
        "releases.yaml",
        f"{CATALOG}  releases:\n    - version: 4.5.0\n      metadata_version: 4.5-IV1\n      metadata_level: 35\n"
        '      upgrade_from_minor: {kraft: ["3.3", "4.4"], zk: never}\n      broker_bugs: [KAFKA-1]\n',
    )

    catalog = files.group(version="4.5.0").load().catalog

    row = catalog.releases[KafkaVersion(4, 5, 0)]
    assert (((3, 3), (4, 4)), None, ("KAFKA-1",), 17) == (
        row.kraft_from,
        row.zookeeper_from,
        row.broker_bugs,
        row.min_java_broker,
    )
    assert MetadataVersion(35, "4.5-IV1") == row.metadata_version
    assert catalog.metadata_versions["4.5-IV1"].changes_metadata


def test_a_fleet_blocks_releases_with_a_reason(files: FleetFiles) -> None:
    """
    The reason is what the group's hold will say.
    """
    files.write("releases.yaml", f"{CATALOG}  blocked: [{{version: 4.2.0, reason: breaks our quota plugin}}]\n")

    assert {KafkaVersion(4, 2, 0): "breaks our quota plugin"} == files.load().catalog.blocked


@pytest.mark.parametrize("content", ["", "# nothing yet\n", f"{CATALOG.rstrip()} {{}}\n"])
def test_a_catalog_without_content_adds_nothing(files: FleetFiles, content: str) -> None:
    """
    A file of comments is no mistake.
    """
    assert built_in_catalog() == files.write("releases.yaml", content).load().catalog


@pytest.mark.parametrize(
    ("spec", "line", "field", "found"),
    [
        ("  blocked: [{version: 4.2.9, reason: x}]", 4, "spec.blocked[0].version", "'4.2.9'"),
        ("  blocked: [{version: 4.2.0}]", 4, "spec.blocked[0].reason", "nothing"),
        (
            "  blocked: [{version: 4.2.0, reason: x}, {version: 4.2.0, reason: x}]",
            4,
            "spec.blocked[1].version",
            "a second '4.2.0'",
        ),
        (
            "  releases: [{version: 4.3.1, like: 4.3.0}]",
            4,
            "spec.releases[0].version",
            "'4.3.1', which is in the catalog already",
        ),
        ("  releases: [{version: 4.3.9, like: 4.3.8}]", 4, "spec.releases[0].like", "'4.3.8'"),
        ("  releases: [{version: 4.3.9}]", 4, "spec.releases[0]", "neither like nor upgrade_from_minor"),
        ("  releases: [{version: 4.3.9, like: 4.3.1, kraft: preview}]", 4, "spec.releases[0].kraft", "'preview'"),
        (a_row("4.3-IV0", "metadata_level: 9"), 5, "spec.releases[0].metadata_level", "'9'"),
        (a_row("4.9-IV0"), 5, "spec.releases[0].metadata_level", "nothing"),
        (
            a_row("4.9-IV0", "metadata_level: 30"),
            5,
            "spec.releases[0].metadata_level",
            "'30', the feature level of 4.3-IV0",
        ),
        (
            a_row("null", kraft='["4.2", "3.3"]'),
            5,
            "spec.releases[0].upgrade_from_minor.kraft",
            "a lowest line above the highest",
        ),
    ],
)
def test_a_mistake_is_told_where_it_stands(files: FleetFiles, spec: str, line: int, field: str, found: str) -> None:
    """
    One problem per mistake; releases that the broken file may have added are not called unknown.
    """
    problems = files.write("releases.yaml", f"{CATALOG}{spec}\n").group(version="4.3.9").problems()

    assert [("releases.yaml", line, field, found)] == [(it.file, it.line, it.field, it.found) for it in problems]
