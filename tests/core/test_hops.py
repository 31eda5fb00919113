"""Which hops are legal, against a slow oracle that reads the catalog's own rows and Kafka's documented rules."""

from dataclasses import replace

import pytest

from controller.core.hops import Position, crosses_to_4x, illegal_hop
from controller.model.observation import Reading
from controller.versions import KafkaVersion, MetadataVersion, Minor
from tests.builders import LEVEL_41, a_reading, release
from tests.builders_core import catalog

RELEASES = sorted(catalog().releases)
LEVELS = sorted(catalog().metadata_versions.values())


def lines() -> list[Minor]:
    """Every release line that the catalog knows, in order."""
    return sorted({each.line for each in RELEASES})


def may_hop(reading: Reading, target: KafkaVersion) -> bool:
    """Tell whether the upgrade pages allow this hop: every rule alone has to."""
    row = catalog().releases[target]
    ways = row.zookeeper_from if reading.zookeeper else row.kraft_from
    reached = [] if ways is None else [line for line in lines() if ways[0] <= line <= ways[1]]
    level = -1 if reading.metadata_version is None else reading.metadata_version.level
    served = 1000 if row.metadata_version is None else row.metadata_version.level
    floor = catalog().metadata_versions["3.3-IV3"].level
    return all(
        (
            reading.release < target,
            row.zookeeper or not reading.zookeeper,
            reading.release.line in (*reached, target.line),
            level <= served,
            target.major < 4 or reading.zookeeper or level >= floor,
            reading.zookeeper or level >= 0 or reading.release.line == target.line,
        )
    )


@pytest.mark.parametrize("target", RELEASES, ids=str)
def test_every_hop_of_the_catalog_is_judged_as_its_rows_say(target: KafkaVersion) -> None:
    """
    Safety: from every release, in both modes and at every level, a hop is legal exactly where the rows allow it.
    """
    levels: list[MetadataVersion | None] = [None, *LEVELS]
    for before in RELEASES:
        readings = [a_reading(str(before), metadata_version=level) for level in levels]
        readings.append(a_reading(str(before), zookeeper=True, metadata_version=None))
        for reading in readings:
            why = illegal_hop(Position.of(reading), target, catalog())
            assert may_hop(reading, target) == (why is None), (reading, why)


def test_a_release_that_nobody_knows_is_no_target() -> None:
    """
    A release without a row is refused with what to do.
    """
    why = illegal_hop(Position.of(a_reading()), release("9.9.9"), catalog())

    assert why is not None
    assert "add it to releases.yaml" in why


def test_a_fleets_own_row_below_what_is_finalized_is_refused() -> None:
    """
    No broker starts below the finalized metadata.version, so a row that serves less is no way.
    """
    own = release("4.3.9-acme1")
    row = replace(catalog().releases[release("4.3.1")], version=own, metadata_version=LEVEL_41)
    known = replace(catalog(), releases={**catalog().releases, own: row})
    higher = catalog().metadata_versions["4.2-IV1"]

    assert illegal_hop(Position.of(a_reading("4.2.1", metadata_version=LEVEL_41)), own, known) is None
    why = illegal_hop(Position.of(a_reading("4.2.1", metadata_version=higher)), own, known)
    assert why is not None
    assert "serves at most 4.1-IV1" in why


@pytest.mark.parametrize(
    ("before", "target", "crosses"),
    [("3.9.2", "4.0.0", True), ("3.9.1", "3.9.2", False), ("4.0.0", "4.1.0", False)],
)
def test_only_the_step_from_3_to_4_cuts_off_old_clients(before: str, target: str, *, crosses: bool) -> None:
    """
    KIP-896 is asked for exactly there.
    """
    assert crosses == crosses_to_4x(release(before), release(target))


@pytest.mark.parametrize(
    ("before", "target", "words"),
    [
        ("4.3.1", "4.2.1", "is not above that"),
        ("3.2.3", "4.3.1", "is reached directly only from 3.3 to 4.2"),
    ],
)
def test_an_illegal_hop_says_why(before: str, target: str, words: str) -> None:
    """
    The sentence names what was found, and what to do.
    """
    why = illegal_hop(Position.of(a_reading(before)), release(target), catalog())

    assert why is not None
    assert words in why
