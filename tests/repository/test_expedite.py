"""Expedited targets, of the fleet and in a group: whom they are for, and mistakes that would leave nobody urgent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.model.declaration import Expedite
from controller.model.places import Place
from controller.versions import KafkaVersion
from tests.builders_repository import FleetFiles

URGENT = "version: 4.3.2, reason: CVE-2026-111115, by: ana, until: 2026-12-01"
CATALOG = "apiVersion: wavefleet.io/v1\nkind: ReleaseCatalog\n"


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A valid repository."""
    return FleetFiles(tmp_path)


def test_expedited_targets_are_the_fleets_and_then_each_groups(files: FleetFiles) -> None:
    """
    A group's is for that group alone; the fleet's for the groups it names, for all of them where it names none.
    """
    files.fleet(
        "  expedite:\n"
        f"    - {{{URGENT}, groups: [p*, prod], soak: 10m, ignoreWindows: true, timezone: Europe/Berlin}}\n"
        f"    - {{{URGENT}}}\n"
    )
    files.group("  expedite:\n    - {version: 4.3.1, reason: b, by: bo, until: 2026-12-24T12:00}\n")
    files.group(f"  expedite: [{{{URGENT}, ignoreFreezes: true}}, {{{URGENT}}}]\n", name="a")

    urgent = Expedite(
        version=KafkaVersion(4, 3, 2),
        groups=("*",),
        reason="CVE-2026-111115",
        by="ana",
        until=datetime(2026, 12, 2, tzinfo=UTC),
        place=Place("fleet.yaml", 9),
    )
    early = replace(urgent, until=datetime(2026, 12, 1, 23, tzinfo=UTC), place=Place("fleet.yaml", 8))
    mine = replace(urgent, groups=("a",), place=Place("groups/a.yaml", 7))
    assert (
        replace(early, groups=("p*", "prod"), soak=timedelta(minutes=10), ignore_windows=True),
        urgent,
        replace(mine, ignore_freezes=True),
        mine,
        Expedite(
            version=KafkaVersion(4, 3, 1),
            groups=("prod",),
            reason="b",
            by="bo",
            until=datetime(2026, 12, 24, 12, tzinfo=UTC),
            place=Place("groups/prod.yaml", 8),
        ),
    ) == files.load().expedite


def test_an_expedited_target_is_a_release_of_the_catalog(files: FleetFiles) -> None:
    """
    A mistyped release would be urgent for nobody; a fleet's own release is known like a built-in one.
    """
    files.fleet("  expedite: [{version: 4.3.1-acme2, reason: CVE, by: ana, until: 2026-12-01}]\n")
    expected = "a release of the catalog such as 4.3.2, or a row for it in releases.yaml"

    assert [f"fleet.yaml:7: spec.expedite[0].version: found '4.3.1-acme2', expected {expected}"] == files.told()
    files.write("releases.yaml", f"{CATALOG}spec: {{releases: [{{version: 4.3.1-acme2, like: 4.3.1}}]}}\n")
    assert [] == files.told()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("prdo", "the group 'prod', which is the nearest"),
        ("prid-*", "the group 'prod', which is the nearest"),
        ("x*", "a pattern that a group matches"),
        ("*-prod", "the group 'prod', which is the nearest"),
    ],
)
def test_a_pattern_that_matches_no_group_expedites_nobody_and_is_refused(
    files: FleetFiles, pattern: str, expected: str
) -> None:
    """
    In an emergency a mistyped pattern must not wait for somebody to wonder why nothing hurries.
    """
    told = files.fleet(f"  expedite: [{{{URGENT}, groups: ['{pattern}', p*d]}}]\n").told()

    found = f"'{pattern}', which matches no group of this fleet"
    assert [f"fleet.yaml:7: spec.expedite[0].groups[0]: found {found}, expected {expected}"] == told


def test_a_pattern_is_not_missed_in_a_file_that_cannot_be_read(files: FleetFiles) -> None:
    """
    One mistake is told once: the group that it matches may well be in the broken file.
    """
    files.fleet(f"  expedite: [{{{URGENT}, groups: [other-*]}}]\n")

    assert ["groups/other.yaml:1: (file): found a tab, expected spaces"] == (
        files.write("groups/other.yaml", "kind:\tClusterGroup\n").told()
    )


def test_every_group_is_a_pattern_even_of_no_group(files: FleetFiles, tmp_path: Path) -> None:
    """
    ``*`` names nobody in particular, so a fleet whose last group goes stays valid.
    """
    (tmp_path / "groups/prod.yaml").unlink()

    assert [] == files.fleet(f"  expedite: [{{{URGENT}, groups: ['*']}}]\n").told()


def test_an_expired_expedite_is_valid(files: FleetFiles) -> None:
    """
    Time passes without a commit, and what has expired is asked for by nobody.
    """
    assert [] == files.fleet("  expedite: [{version: 4.3.2, reason: x, by: ana, until: 2020-01-01}]\n").told()


@pytest.mark.parametrize(
    ("spec", "line", "field", "found"),
    [
        ("  expedite: {}", 7, "spec.expedite", "no fields"),
        (f"  expedite: [{{{URGENT}, groups: []}}]", 7, "spec.expedite[0].groups", "an empty list"),
        (f"  expedite: [{{{URGENT}, groups: [Prod]}}]", 7, "spec.expedite[0].groups[0]", "'Prod'"),
        (f"  expedite: [{{{URGENT}, soak: 10}}]", 7, "spec.expedite[0].soak", "'10'"),
        ("  expedite: [{version: 4.3.2, by: ana, until: 2026-12-01}]", 7, "spec.expedite[0].reason", "nothing"),
        ("  expedite: [{version: 4.3.2, reason: x, until: 2026-12-01}]", 7, "spec.expedite[0].by", "nothing"),
        ("  expedite: [{version: 4.3.2, reason: x, by: ana}]", 7, "spec.expedite[0].until", "nothing"),
        ("  expedite: [{reason: x, by: ana, until: 2026-12-01}]", 7, "spec.expedite[0].version", "nothing"),
    ],
)
def test_a_mistake_is_told_where_it_stands(files: FleetFiles, spec: str, line: int, field: str, found: str) -> None:
    """
    One problem per mistake, at its line and field.
    """
    problems = files.fleet(f"{spec}\n").problems()

    assert [("fleet.yaml", line, field, found)] == [(it.file, it.line, it.field, it.found) for it in problems]
