"""The way of a cluster, against an exhaustive search over the catalog's own rows and the rules of the upgrade pages.

The search knows no shortcuts: it tries every move from everywhere it has come to, one move more each round. It has its
own reading of each rule, so that what the core forgets it does not forget as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from controller.core.hops import DeadEnd, Hop, Position, illegal_return, next_hop, whole_way
from controller.model.catalog import Catalog
from controller.versions import KafkaVersion, MetadataVersion, Target
from tests.builders import release
from tests.builders_core import catalog

KNOWN = catalog()
LEVELS = KNOWN.metadata_versions
FLOOR = LEVELS["3.3-IV3"]
OWN_BUILD = release("3.9.1-acme1")
WITH_OWN_BUILD = replace(
    KNOWN, releases={**KNOWN.releases, OWN_BUILD: replace(KNOWN.releases[release("3.9.1")], version=OWN_BUILD)}
)
NO_39 = replace(KNOWN, blocked={each: "breaks our plugin" for each in KNOWN.releases if each.line == (3, 9)})
ONLY_BAD_BETWEEN = replace(
    KNOWN,
    blocked={
        each: "breaks our plugin"
        for each, row in KNOWN.releases.items()
        if (3, 3) <= each.line <= (3, 9) and not row.broker_bugs
    },
)
NOTHING: frozenset[str] = frozenset()
CATALOGS: Mapping[str, tuple[Catalog, frozenset[str]]] = {
    "as it comes": (KNOWN, NOTHING),
    "a build of one's own": (WITH_OWN_BUILD, NOTHING),
    "3.9 blocked": (NO_39, NOTHING),
    "only known-bad ones between": (ONLY_BAD_BETWEEN, NOTHING),
    "known-bad ones accepted": (ONLY_BAD_BETWEEN, frozenset({"noexec-tmp", "KAFKA-16606"})),
}
TARGETS = ("3.2.3", "3.3.2", "3.5.0", "3.9.0", "3.9.2", "4.0.0", "4.2.2", "4.3.1", "4.4.0")
SOME_LEVELS = (None, "3.0-IV1", "3.2-IV0", "3.3-IV3", "3.4-IV0", "4.0-IV3", "4.2-IV1")


@dataclass(frozen=True)
class Spot:
    """Where the search has come to."""

    runs: KafkaVersion
    level: int
    """0 = unknown, or none."""
    zookeeper: bool


def may_go(spot: Spot, to: KafkaVersion, known: Catalog) -> bool:
    """Tell whether the upgrade pages allow this one move up, each rule on a line of its own."""
    row = known.releases[to]
    first_and_last = row.zookeeper_from if spot.zookeeper else row.kraft_from
    same_line = (spot.runs.major, spot.runs.minor) == (to.major, to.minor)
    listed = first_and_last is not None and first_and_last[0] <= (spot.runs.major, spot.runs.minor) <= first_and_last[1]
    highest_served = 99 if row.metadata_version is None else row.metadata_version.level
    if to <= spot.runs:
        return False
    if not same_line and not listed:
        return False
    if spot.zookeeper and to.major >= 4:
        return False
    if spot.level > highest_served:
        return False
    if not spot.zookeeper and not same_line and spot.level == 0:
        return False  # nobody knows what it has, so nobody can see to it that it stays
    return to.major < 4 or spot.level >= FLOOR.level


def stops_on_the_way(spot: Spot, to: KafkaVersion, known: Catalog, accepted: frozenset[str]) -> list[KafkaVersion]:
    """Return the releases to stop at: of each line in between the newest patch that nothing speaks against."""
    stops = []
    for line in sorted({(each.major, each.minor) for each in known.releases}):
        if (spot.runs.major, spot.runs.minor) < line < (to.major, to.minor):
            good = [
                each
                for each in known.releases
                if (each.major, each.minor) == line
                and each.build == ""
                and each not in known.blocked
                and not set(known.releases[each].broker_bugs) - accepted
            ]
            stops.extend(sorted(good)[-1:])
    return stops


def moves(spot: Spot, stops: list[KafkaVersion], known: Catalog, *, finalizing: bool) -> Iterator[Spot]:
    """Yield everywhere that one move leads."""
    for stop in stops:
        if may_go(spot, stop, known):
            yield Spot(stop, spot.level, spot.zookeeper)
    row = known.releases.get(spot.runs)
    serves = 0 if row is None or row.metadata_version is None else row.metadata_version.level
    if finalizing and 0 < spot.level < FLOOR.level <= serves:
        yield Spot(spot.runs, FLOOR.level, spot.zookeeper)


def fewest_moves(
    spot: Spot, to: KafkaVersion, known: Catalog, accepted: frozenset[str], *, finalizing: bool
) -> int | None:
    """Return how many moves the shortest way takes; None where there is none at all."""
    stops = stops_on_the_way(spot, to, known, accepted)
    everywhere, edge, count = {spot}, {spot}, 1
    while edge:
        if any(may_go(each, to, known) for each in edge):
            return count
        edge = {one for each in edge for one in moves(each, stops, known, finalizing=finalizing)} - everywhere
        everywhere |= edge
        count += 1
    return None


def spots(known: Catalog) -> Iterator[Spot]:
    """Yield every release of the catalog, and two that it does not have, at several levels and on ZooKeeper."""
    for runs in (*sorted(known.releases), release("3.2.9"), release("3.9.9")):
        row = known.releases.get(runs)
        highest = 99 if row is None or row.metadata_version is None else row.metadata_version.level
        for name in SOME_LEVELS:
            level = 0 if name is None else LEVELS[name].level
            if level <= highest:
                yield Spot(runs, level, zookeeper=False)
        yield Spot(runs, 0, zookeeper=True)


def position_of(spot: Spot) -> Position:
    """Return the core's word for where the search is."""
    level = next((each for each in LEVELS.values() if each.level == spot.level), None)
    return Position(spot.runs, level, spot.zookeeper)


def follow(
    position: Position, to: KafkaVersion, known: Catalog, accepted: frozenset[str], *, finalizing: bool
) -> tuple[Target, ...] | None:
    """Ask for the next hop and go there, until the target is reached; None where a dead end comes first."""
    way: list[Target] = []
    while position.release != to:
        hop = next_hop(position, to, known, accepted, may_finalize=finalizing)
        if isinstance(hop, DeadEnd):
            assert not way, f"a dead end {hop.why} after {way}"
            return None
        spot = Spot(position.release, 0 if position.level is None else position.level.level, position.zookeeper)
        if isinstance(hop.target, MetadataVersion):
            assert finalizing, hop
            assert Spot(spot.runs, hop.target.level, spot.zookeeper) in moves(spot, [], known, finalizing=True), hop
            position = replace(position, level=hop.target)
        else:
            assert may_go(spot, hop.target, known), (spot, hop)
            position = replace(position, release=hop.target)
        way.append(hop.target)
    return tuple(way)


@pytest.mark.parametrize("finalizing", [True, False], ids=["may finalize", "may not finalize"])
@pytest.mark.parametrize("which", CATALOGS)
def test_every_way_is_legal_step_by_step_and_as_short_as_any(which: str, *, finalizing: bool) -> None:
    """
    Safety: a way is found exactly where a search finds one; each of its steps is legal, and there is none with fewer.
    """
    known, accepted = CATALOGS[which]
    found = 0
    for to in map(release, TARGETS):
        for spot in spots(known):
            if spot.runs >= to:
                continue
            fewest = fewest_moves(spot, to, known, accepted, finalizing=finalizing)
            way = follow(position_of(spot), to, known, accepted, finalizing=finalizing)
            assert fewest == (None if way is None else len(way)), (spot, to, way)
            found += way is not None and len(way) > 1
            if spot.runs.patch == 2:  # told whole before anything starts: the same way
                whole = whole_way(position_of(spot), to, known, accepted, may_finalize=finalizing)
                assert way == (None if isinstance(whole, DeadEnd) else tuple(hop.target for hop in whole)), spot

    assert found > 0 or not finalizing, "no case with anything between: the search proves nothing"


def may_return(spot: Spot, to: KafkaVersion, known: Catalog) -> bool:
    """Tell whether the upgrade pages allow going down: what was a documented way up, with nothing newer finalized."""
    here, row = known.releases.get(spot.runs), known.releases.get(to)
    if here is None or row is None:
        return False
    served = 99 if row.metadata_version is None else row.metadata_version.level
    if spot.level > served:
        return False
    if (spot.runs.major, spot.runs.minor) == (to.major, to.minor):
        return True
    if spot.zookeeper or spot.level == 0:
        return False
    up = here.kraft_from
    return up is not None and up[0] <= (to.major, to.minor) <= up[1]


@pytest.mark.parametrize("to", [*TARGETS, "2.8.2", "3.0.2", "3.8.1", "4.1.2", "9.9.9"])
def test_every_way_down_is_judged_as_the_rows_say(to: str) -> None:
    """
    Safety: a way down is open exactly where nothing newer is finalized, what runs now is reached directly from there,
    and nobody has to guess what a ZooKeeper cluster, or one that does not tell its level, could still read.
    """
    target = release(to)
    for spot in spots(WITH_OWN_BUILD):
        if spot.runs > target or to == "9.9.9":
            why = illegal_return(position_of(spot), target, WITH_OWN_BUILD)
            assert may_return(spot, target, WITH_OWN_BUILD) == (why is None), (spot, why)


@pytest.mark.parametrize(
    ("lower", "finalized", "is_open"),
    [
        ("4.0.2", "4.0-IV3", True),
        ("4.1.2", "4.0-IV3", True),
        ("4.1.2", "4.1-IV1", True),
        ("4.1.2", "4.2-IV0", False),
        ("4.2.2", "4.2-IV1", True),
        ("4.2.2", "4.3-IV0", False),
        ("3.9.2", "3.9-IV0", True),
        ("3.9.2", "4.0-IV0", False),
        ("3.3.2", "3.3-IV3", True),
        ("3.2.3", "3.2-IV0", False),
    ],
)
def test_the_way_down_from_4_3_shuts_with_the_first_level_that_is_newer(
    lower: str, finalized: str, *, is_open: bool
) -> None:
    """
    Documented boundaries: the level that the older release serves is still open, the next one is not.
    """
    why = illegal_return(Position(release("4.3.1"), LEVELS[finalized], zookeeper=False), release(lower), KNOWN)

    assert is_open == (why is None), why


def test_a_fleets_own_build_that_serves_less_is_no_way_down_within_its_line() -> None:
    """
    No broker starts below the finalized metadata.version, whatever its number says.
    """
    own = release("4.3.1-acme1")
    row = replace(KNOWN.releases[release("4.3.1")], version=own, metadata_version=LEVELS["4.2-IV1"])
    known = replace(KNOWN, releases={**KNOWN.releases, own: row})
    finalized = Position(release("4.3.2"), LEVELS["4.3-IV0"], zookeeper=False)

    why = illegal_return(finalized, own, known, "Mon 2026-03-02 12:00 UTC")

    assert (
        "its metadata.version is 4.3-IV0, and 4.3.1-acme1 serves at most 4.2-IV1; that level was finalized "
        "Mon 2026-03-02 12:00 UTC, and is never lowered" == why
    )
    assert None is illegal_return(replace(finalized, level=LEVELS["4.2-IV1"]), own, known)


def test_of_ways_of_one_length_that_over_the_newest_line_is_taken() -> None:
    """
    And on it the newest patch that nothing speaks against.
    """
    old = Position(release("3.2.3"), LEVELS["3.2-IV0"], zookeeper=False)

    first = next_hop(old, release("4.3.1"), KNOWN, NOTHING, may_finalize=True)
    blocked = next_hop(old, release("4.3.1"), NO_39, NOTHING, may_finalize=True)
    second = next_hop(replace(old, release=release("3.9.2")), release("4.3.1"), KNOWN, NOTHING, may_finalize=True)

    assert Hop(release("3.9.2")) == first
    assert Hop(release("3.8.1")) == blocked
    assert Hop(FLOOR) == second
    assert ("software", "metadata") == (Hop(release("3.9.2")).kind.value, Hop(FLOOR).kind.value)


@pytest.mark.parametrize(
    ("position", "target", "finalizing", "words"),
    [
        (
            Position(release("3.8.1"), None, zookeeper=True),
            "4.3.1",
            True,
            (
                "it runs on ZooKeeper and 4.3.1 is KRaft only: a person must take it to 3.9 and migrate it to KRaft "
                "there, there is no other way"
            ),
        ),
        (
            Position(release("3.2.3"), LEVELS["3.2-IV0"], zookeeper=False),
            "4.3.1",
            False,
            (
                "it runs 3.2.3, and 4.3.1 is reached directly only from 3.3 to 4.2; on the way 3.3-IV3 must be "
                "finalized, which the group's metadataVersion forbids"
            ),
        ),
        (
            Position(release("3.9.2"), LEVELS["3.2-IV0"], zookeeper=False),
            "4.3.1",
            False,
            (
                "its metadata.version is 3.2-IV0, and 4.3.1 needs at least 3.3-IV3 finalized first; on the way 3.3-IV3 "
                "must be finalized, which the group's metadataVersion forbids"
            ),
        ),
        (
            Position(release("2.8.2"), None, zookeeper=False),
            "3.9.2",
            True,
            "it runs 2.8.2, and 3.9.2 is reached directly only from 3.0 to 3.8; no legal way leads there",
        ),
        (
            Position(release("3.9.2"), None, zookeeper=False),
            "4.3.1",
            True,
            "its metadata.version could not be read, and 4.3.1 needs at least 3.3-IV3; no legal way leads there",
        ),
        (
            Position(release("3.9.2"), FLOOR, zookeeper=False),
            "9.9.9",
            True,
            "9.9.9 is not in the release catalog; add it to releases.yaml",
        ),
    ],
)
def test_a_dead_end_says_what_a_person_must_do(
    position: Position, target: str, words: str, *, finalizing: bool
) -> None:
    """
    The sentence names what was found, and the one thing that opens a way, where there is any.
    """
    assert DeadEnd(words) == next_hop(position, release(target), KNOWN, NOTHING, may_finalize=finalizing)


@pytest.mark.parametrize(
    ("position", "target", "words"),
    [
        (
            Position(release("4.3.1"), None, zookeeper=False),
            "4.2.2",
            "its metadata.version could not be read, so nobody can tell whether 4.2.2 would start",
        ),
        (
            Position(release("3.9.2"), None, zookeeper=True),
            "3.8.1",
            (
                "it runs on ZooKeeper, and its inter.broker.protocol.version could not be read, so nobody can tell "
                "whether 3.8.1 would start"
            ),
        ),
        (
            Position(release("4.3.1"), LEVELS["4.3-IV0"], zookeeper=False),
            "4.2.2",
            (
                "its metadata.version is 4.3-IV0, and 4.2.2 serves at most 4.2-IV1; that level was finalized before "
                "this ledger saw it, and is never lowered"
            ),
        ),
        (
            Position(release("4.3.1"), LEVELS["3.2-IV0"], zookeeper=False),
            "3.2.3",
            "4.3.1 is not reached from 3.2.3 directly, so there is no tested way back",
        ),
        (
            Position(release("9.9.9"), FLOOR, zookeeper=False),
            "4.2.2",
            "9.9.9 is not in the release catalog; add it to releases.yaml",
        ),
        (
            Position(release("4.3.1"), FLOOR, zookeeper=False),
            "4.2.9",
            "4.2.9 is not in the release catalog; add it to releases.yaml",
        ),
    ],
)
def test_a_shut_way_down_says_why(position: Position, target: str, words: str) -> None:
    """
    Each sentence names what was found, and since when, where that is known.
    """
    assert words == illegal_return(position, release(target), KNOWN)
