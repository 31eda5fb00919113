"""What one simulated cluster shows at a moment: computed from its script, what was asked of it, and the clock.

Nothing runs in the background. A cluster's brokers move to the release asked for one after another, then it settles;
how far that is follows from when it was asked. So the same moment always shows the same, a process that was down sees
what happened meanwhile, and real and virtual time are one. It reads no clock and no file, and judges nothing. How its
metadata.version is raised stands in ``simulated_levels``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from controller.fleets.simulated_faults import Span, begin_of, concerns, later, span_of
from controller.fleets.simulated_levels import Finalization, finalization_of, level_at, level_left
from controller.fleets.simulated_rolls import FIRST_GENERATION, Roll, Script, Wish, brokers_after, first_wish, roll_of
from controller.model.inventory import Fault, FaultKind, SimulatedCluster
from controller.model.observation import Finding, Reading, Severity, Unknown
from controller.versions import KafkaVersion, MetadataVersion


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cluster shows, and for how long."""

    reading: Reading | Unknown
    until: datetime | None
    """From then on it may show something else; None = not before something is asked of it."""


def look(script: Script, recorded: Wish | None, now: datetime) -> Seen:
    """Return what the cluster shows at ``now``, given what was last asked of it by us."""
    if recorded is None and not script.faults:
        return Seen(_untouched(script.cluster), None)
    first = recorded or first_wish(script.cluster)
    wish = wish_at(script, first, now)
    roll = roll_of(script, wish)
    spans = [(fault, _span(script, fault, wish, roll)) for fault in script.faults]
    lasting = [(fault, span) for fault, span in spans if span is not None]
    hitting = [(fault, span) for fault, span in lasting if span.covers(now)]
    moments = [*_roll_moments(roll, now), *(change.at for change in _changes(script, first))]
    moments += [moment for _, span in lasting for moment in span.ends]
    finalization = finalization_of(script, wish)
    moments += finalization.moments if finalization is not None else ()
    until = min((moment for moment in moments if moment > now), default=None)
    for fault, span in hitting:
        if fault.kind is FaultKind.UNREACHABLE:
            return Seen(Unknown(f"no broker answers since {_utc(span.begin)} (simulated, {fault.place})"), until)
    reading = _finalizing(_rolling(_settled_on(script, wish, now), wish, roll, now), finalization, now)
    broken = tuple(_unhealthy(fault) for fault, _ in hitting if fault.kind is FaultKind.UNHEALTHY)
    return Seen(replace(reading, findings=(*broken, *reading.findings)) if broken else reading, until)


def wish_at(script: Script, first: Wish, now: datetime) -> Wish:
    """Return what the cluster's resource asks for at ``now``: ``first``, and what others changed since."""
    wish, undo = first, None
    for change in _changes(script, first):
        if change.at > now:
            break
        if change.ends:
            release = undo[1] if undo is not None and undo[0] is change.fault else wish.release
        elif concerns(change.fault, wish.release) and (wish is first or not change.of_upgrade):
            assert change.fault.kafka_version is not None, "an inventory says what others set"
            undo, release = (change.fault, wish.release), change.fault.kafka_version
        else:
            continue
        wish = _changed(script, wish, release, change.at)
    return wish


def asked(script: Script, wish: Wish, now: datetime) -> Wish:
    """Return ``wish`` as the starting point of another one: with its brokers and its level as they stand at ``now``."""
    roll = roll_of(script, wish)
    brokers = brokers_after(wish, roll.rolled(now)) if roll else wish.brokers
    return replace(wish, brokers=brokers, level=level_left(script, wish, now))


def _changed(script: Script, wish: Wish, release: KafkaVersion, moment: datetime) -> Wish:
    if release == wish.release:
        return wish
    before = asked(script, wish, moment)
    return replace(before, generation=wish.generation + 1, release=release, asked_at=moment, asked_with=None)


@dataclass(frozen=True, slots=True)
class _Change:
    """Others set a release, or put back what they found."""

    at: datetime
    fault: Fault
    ends: bool
    of_upgrade: bool
    """It comes with an upgrade of ours, and not at a time of its own."""


def _changes(script: Script, first: Wish) -> list[_Change]:
    """Return what others do after ``first`` was asked, in order."""
    changes = [
        change
        for fault in script.faults
        if fault.kind is FaultKind.CHANGED_BY_OTHERS
        for change in _changes_of(script, fault, first)
    ]
    return sorted(changes, key=lambda change: change.at) if changes else changes


def _changes_of(script: Script, fault: Fault, first: Wish) -> Iterator[_Change]:
    of_upgrade = fault.at is None and (fault.during_upgrade or fault.after is not None)
    begin = _in_upgrade(script, fault, first) if of_upgrade else begin_of(fault, script.started_at)
    for moment, ends in ((begin, False), (later(begin, fault.lasts), True)):
        if moment is not None and (first.asked_at is None or moment > first.asked_at):
            yield _Change(moment, fault, ends, of_upgrade)


def _in_upgrade(script: Script, fault: Fault, wish: Wish) -> datetime | None:
    """Return when others cut into the upgrade of ``wish``, half way or after its end."""
    roll = roll_of(script, wish)
    if roll is None or not wish.is_upgrade:
        return None
    return later(roll.ready_at, fault.after) if fault.after is not None else roll.moment(max(1, roll.brokers // 2))


def _span(script: Script, fault: Fault, wish: Wish, roll: Roll | None) -> Span | None:
    """Return when a fault that shows in a reading does; None where it never does."""
    if fault.kind not in (FaultKind.UNHEALTHY, FaultKind.UNREACHABLE) or not concerns(fault, wish.release):
        return None
    if not fault.during_upgrade and fault.after is None:
        return span_of(fault, begin_of(fault, script.started_at))
    if roll is None or not wish.is_upgrade:
        return None
    if fault.after is not None:
        return span_of(fault, later(roll.ready_at, fault.after))
    begin = begin_of(fault, script.started_at) if fault.at is not None else wish.asked_at
    if begin is None or wish.asked_at is None or (roll.ready_at is not None and roll.ready_at <= begin):
        return None
    return span_of(fault, max(begin, wish.asked_at))


def _roll_moments(roll: Roll | None, now: datetime) -> Iterator[datetime]:
    """Yield the moments at which a roll shows something new, as far as they matter after ``now``."""
    if roll is not None:
        for moment in (roll.begins_at, roll.moment(roll.rolled(now) + 1)):
            if moment is not None:
                yield moment


def _untouched(cluster: SimulatedCluster) -> Reading:
    return _settled(cluster.release, FIRST_GENERATION, None, cluster.metadata_version, None)


def _settled_on(script: Script, wish: Wish, now: datetime) -> Reading:
    """Return what the cluster shows once all is done, but for its level, which is that of ``now``."""
    wanted = wish.level.level if wish.level is not None else None
    return _settled(wish.release, wish.generation, wish.mark, level_at(script, wish, now), wanted)


@lru_cache(maxsize=4096)
def _settled(
    release: KafkaVersion,
    generation: int,
    mark: str | None,
    level: MetadataVersion | None,
    wanted_level: MetadataVersion | None,
) -> Reading:
    """Return what a cluster in good order shows; one value serves the many clusters that show the same."""
    return Reading(
        release,
        release,
        release,
        str(generation),
        metadata_version=level,
        wanted_metadata=wanted_level,
        zookeeper=level is None,
        fleet=mark,
    )


def _rolling(settled: Reading, wish: Wish, roll: Roll | None, now: datetime) -> Reading:
    ready_at = roll.ready_at if roll is not None else None
    if roll is None or (ready_at is not None and ready_at <= now):
        return settled
    brokers = brokers_after(wish, roll.rolled(now))
    releases = [release for release, _ in brokers]
    reading = replace(settled, release=min(releases), highest=max(releases), settled=False)
    if roll.begins_at != wish.asked_at and (roll.begins_at is None or now < roll.begins_at):
        return replace(reading, refused=f"operator refuses {wish.release} (simulated)")
    on_wish = sum(count for release, count in brokers if release == wish.release)
    total = sum(count for _, count in brokers)
    return replace(reading, progress=f"{on_wish} of {total} brokers", findings=(_catching_up(on_wish, total),))


def _finalizing(reading: Reading, finalization: Finalization | None, now: datetime) -> Reading:
    if finalization is None or not reading.settled or finalization.is_done(now):
        return reading
    if finalization.is_refused(now):
        return replace(reading, settled=False, refused=f"operator refuses {finalization.level} (simulated)")
    return replace(reading, settled=False, progress=f"finalizing {finalization.level}")


def _catching_up(on_wish: int, total: int) -> Finding:
    doing = "one broker is being rolled" if on_wish < total else "the last broker is catching up"
    return Finding("under_replicated", Severity.WAIT, f"{on_wish} of {total} brokers have rolled and {doing}")


def _unhealthy(fault: Fault) -> Finding:
    detail = f"1 partition has no leader (simulated, {fault.place})"
    return Finding("offline_partitions", Severity.BLOCK, detail)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
