"""Which moves are legal for a cluster, and the shortest legal way to where it should be, by the release catalog.

Three things count: the release that runs, the finalized metadata.version, and whether ZooKeeper is still there. A 4.x
broker does not start below the metadata floor, and none starts below what is finalized (kafka.apache.org, upgrade
pages; MetadataVersion.java). Until a level is finalized, going back is just another roll.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from controller.history.records import RolloutKind
from controller.model.catalog import Catalog, Release
from controller.model.observation import Reading
from controller.versions import KafkaVersion, MetadataVersion, Minor, Target

OLD_CLIENTS_RISK = "KIP-896"
"""4.x brokers refuse clients older than 2.1, and the brokers cannot tell us whether there are any."""
STEPS_MAX = 8
"""No way in the catalog is nearly so long."""


@dataclass(frozen=True, slots=True)
class Position:
    """What decides which moves are legal."""

    release: KafkaVersion
    level: MetadataVersion | None
    zookeeper: bool

    @staticmethod
    def of(reading: Reading) -> "Position":
        """Return the position of the cluster that showed ``reading``."""
        return Position(reading.release, reading.metadata_version, reading.zookeeper)


@dataclass(frozen=True, slots=True)
class Hop:
    """One move: to a release, or to a metadata.version."""

    target: Target

    @property
    def kind(self) -> RolloutKind:
        """What the move changes."""
        return RolloutKind.SOFTWARE if isinstance(self.target, KafkaVersion) else RolloutKind.METADATA


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """There is no legal way; ``why`` says what a person must do."""

    why: str


def next_hop(
    position: Position, target: KafkaVersion, catalog: Catalog, accepted: frozenset[str], *, may_finalize: bool
) -> Hop | DeadEnd:
    """Return the first move of the shortest legal way to ``target``; of equally long ones that over the newest line.

    What lies between is the newest patch of its line that is neither blocked nor known-bad, but for bugs in
    ``accepted``. ``may_finalize``: the floor for 4.x may be finalized on the way, which cannot be undone.
    """
    why_not = illegal_hop(position, target, catalog)
    if why_not is None:
        return Hop(target)
    between = tuple(_between(position, target, catalog, accepted))
    ways: list[tuple[Hop, Position]] = [(Hop(position.release), position)]
    seen = {position}
    for step in range(STEPS_MAX):
        longer = []
        for first, at in ways:
            for hop, reached in _moves(at, between, catalog, may_finalize=may_finalize):
                if reached not in seen:
                    seen.add(reached)
                    begun = hop if step == 0 else first
                    if illegal_hop(reached, target, catalog) is None:
                        return begun
                    longer.append((begun, reached))
        ways = longer
    if position.zookeeper or target not in catalog.releases:
        return DeadEnd(why_not)
    if not may_finalize and isinstance(next_hop(position, target, catalog, accepted, may_finalize=True), Hop):
        floor = catalog.metadata_floor_for_4x
        return DeadEnd(f"{why_not}; on the way {floor} must be finalized, which the group's metadataVersion forbids")
    return DeadEnd(f"{why_not}; no legal way leads there")


def whole_way(
    position: Position, target: KafkaVersion, catalog: Catalog, accepted: frozenset[str], *, may_finalize: bool
) -> tuple[Hop, ...] | DeadEnd:
    """Return every move on the way to ``target``, in order."""
    way: list[Hop] = []
    while not way or way[-1].target != target:
        hop = next_hop(position, target, catalog, accepted, may_finalize=may_finalize)
        if isinstance(hop, DeadEnd):
            return hop
        way.append(hop)
        to = hop.target
        position = replace(position, release=to) if isinstance(to, KafkaVersion) else replace(position, level=to)
    return tuple(way)


def _between(
    position: Position, target: KafkaVersion, catalog: Catalog, accepted: frozenset[str]
) -> Iterator[KafkaVersion]:
    """Yield the releases that a way may lead over, newest line first."""
    newest: dict[Minor, KafkaVersion] = {}
    for version, row in catalog.releases.items():
        usable = not version.build and version not in catalog.blocked and accepted.issuperset(row.broker_bugs)
        if usable and position.release.line < version.line < target.line:
            newest[version.line] = max(version, newest.get(version.line, version))
    yield from sorted(newest.values(), reverse=True)


def _moves(
    at: Position, between: tuple[KafkaVersion, ...], catalog: Catalog, *, may_finalize: bool
) -> Iterator[tuple[Hop, Position]]:
    for version in between:
        if at.release < version and illegal_hop(at, version, catalog) is None:
            yield Hop(version), replace(at, release=version)
    floor = catalog.metadata_floor_for_4x
    if may_finalize and at.level is not None and at.level < floor and _serves(at.release, floor, catalog):
        yield Hop(floor), replace(at, level=floor)


def _serves(release: KafkaVersion, level: MetadataVersion, catalog: Catalog) -> bool:
    row = catalog.releases.get(release)
    return row is not None and row.metadata_version is not None and row.metadata_version >= level


def illegal_hop(position: Position, target: KafkaVersion, catalog: Catalog) -> str | None:
    """Return why a cluster may not go up to ``target`` directly, or None where it may."""
    release = catalog.releases.get(target)
    if release is None:
        return f"{target} is not in the release catalog; add it to releases.yaml"
    if position.release >= target:
        return f"it runs {position.release}, and {target} is not above that"
    if position.zookeeper and not release.zookeeper:
        return (
            f"it runs on ZooKeeper and {target} is KRaft only: a person must take it to 3.9 and migrate it to KRaft "
            "there, there is no other way"
        )
    return _illegal_line(position, release) or _illegal_level(position, release, catalog)


def _illegal_line(position: Position, release: Release) -> str | None:
    lines = release.zookeeper_from if position.zookeeper else release.kraft_from
    if position.release.line == release.version.line:
        return None
    if lines is None:
        return f"no release reaches {release.version} directly in its mode"
    lowest, highest = lines
    if lowest <= position.release.line <= highest:
        return None
    return (
        f"it runs {position.release}, and {release.version} is reached directly only from "
        f"{_line(lowest)} to {_line(highest)}"
    )


def _illegal_level(position: Position, release: Release, catalog: Catalog) -> str | None:
    target, floor = release.version, catalog.metadata_floor_for_4x
    too_high = _not_served(position, release)
    if too_high is not None or position.zookeeper:
        return too_high
    if target.major < 4:
        untold = position.level is None and position.release.line != target.line
        return (
            f"its metadata.version could not be read, so it cannot be kept while it goes to {target}"
            if untold
            else None
        )
    if position.level is None:
        return f"its metadata.version could not be read, and {target} needs at least {floor}"
    if position.level < floor:
        return f"its metadata.version is {position.level}, and {target} needs at least {floor} finalized first"
    return None


def _not_served(position: Position, release: Release) -> str | None:
    served = release.metadata_version
    if position.level is not None and served is not None and position.level > served:
        return f"its metadata.version is {position.level}, and {release.version} serves at most {served}"
    return None


def illegal_return(
    position: Position, target: KafkaVersion, catalog: Catalog, finalized: str = "before this ledger saw it"
) -> str | None:
    """Return why a cluster may not go down to ``target``, or None where it may; ``finalized`` says since when not.

    The way down is open where the way up is a documented one and nothing newer was finalized since (Kafka, upgrade
    pages: "downgrade is possible until metadata.version is raised"). A ZooKeeper cluster stays within its line,
    since nobody tells us its inter.broker.protocol.version.
    """
    here, release = catalog.releases.get(position.release), catalog.releases.get(target)
    if here is None or release is None:
        missing = position.release if here is None else target
        return f"{missing} is not in the release catalog; add it to releases.yaml"
    if position.release < target:
        return f"it runs {position.release}, below {target}, so others took it there"
    too_high = _not_served(position, release)
    if too_high is not None:
        return f"{too_high}; that level was finalized {finalized}, and is never lowered"
    if position.release.line == target.line:
        return None
    if position.level is None:
        lacking = (
            "it runs on ZooKeeper, and its inter.broker.protocol.version"
            if position.zookeeper
            else "its metadata.version"
        )
        return f"{lacking} could not be read, so nobody can tell whether {target} would start"
    tested = _illegal_line(replace(position, release=target), here) is None
    why = f"{position.release} is not reached from {target} directly, so there is no tested way back"
    return None if tested else why


def crosses_to_4x(release: KafkaVersion, target: KafkaVersion) -> bool:
    """Tell whether this hop cuts old clients off (KIP-896)."""
    return release.major < 4 <= target.major


def is_older(target: KafkaVersion, release: KafkaVersion, catalog: Catalog) -> bool:
    """Tell whether ``target`` came out before ``release``, so that it may lack fixes that run today."""
    rows = catalog.releases
    dates = [rows[each].released if each in rows else "" for each in (target, release)]
    length = min(len(date) for date in dates)  # a day where it is confirmed, else a month
    return length > 0 and dates[0][:length] < dates[1][:length]


def _line(line: Minor) -> str:
    return f"{line[0]}.{line[1]}"
