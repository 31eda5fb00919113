"""What one simulated cluster shows at a moment: computed from its script, what was asked of it, and the clock.

Nothing runs in the background. A cluster's brokers move to the release asked for one after another, then it settles;
how far that is follows from when it was asked. So the same moment always shows the same, a process that was down sees
what happened meanwhile, and real and virtual time are one. It reads no clock and no file, and judges nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from controller.fleets.simulated_faults import Span, begin_of, later, span_of
from controller.model.inventory import Fault, FaultKind, SimulatedCluster
from controller.model.observation import Finding, Reading, Severity, Unknown
from controller.model.versions import KafkaVersion, MetadataVersion

Brokers = tuple[tuple[KafkaVersion, int], ...]
"""How many brokers run which release, those that roll first in front."""

FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What a cluster's resource asks for, and how its brokers stood when that was asked."""

    generation: int
    """One higher with every change of the release."""
    release: KafkaVersion
    brokers: Brokers
    asked_at: datetime | None = None
    """None where nobody ever asked: the cluster is as its inventory declares it."""
    asked_with: str | None = None
    """The token that the asker gave; None where others asked, who give none."""
    mark: str | None = None
    """The fleet that wrote to it first."""

    @property
    def is_upgrade(self) -> bool:
        """It raises a broker; faults ``during: upgrade`` leave downgrades alone."""
        return any(self.release > release for release, _ in self.brokers)


@dataclass(frozen=True, slots=True)
class Script:
    """What is declared of one cluster, and when the simulation began."""

    cluster: SimulatedCluster
    faults: tuple[Fault, ...]
    """Those that hit it."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cluster shows, and for how long."""

    reading: Reading | Unknown
    until: datetime | None
    """From then on it may show something else; None = not before something is asked of it."""


@dataclass(frozen=True, slots=True)
class Roll:
    """The way of a cluster's brokers to the release asked for. Steps are one per broker, and a last one to settle."""

    cluster: SimulatedCluster
    begins_at: datetime | None
    """None = the operator refuses for good."""
    brokers: int
    """Those that have to roll."""
    stuck_after: int | None = None
    """After so many steps it is stuck; None = never."""
    stuck_for: timedelta | None = None
    """None = for good."""

    @property
    def ready_at(self) -> datetime | None:
        """The moment of its last step; None = never."""
        return self.moment(self.brokers + 1)

    def moment(self, step: int) -> datetime | None:
        """Return when ``step``, counted from 1, is over; None = never."""
        moment = later(self.begins_at, self.cluster.per_broker, min(step, self.brokers))
        if step > self.brokers:
            moment = later(moment, self.cluster.settle)
        if self.stuck_after is None or step <= self.stuck_after:
            return moment
        return None if self.stuck_for is None else later(moment, self.stuck_for)

    def rolled(self, now: datetime) -> int:
        """Return how many brokers have rolled at ``now``."""
        if self.begins_at is None or now < self.begins_at:
            return 0
        steps = self._steps(now - self.begins_at)
        if self.stuck_after is None or steps <= self.stuck_after:
            return steps
        if self.stuck_for is None:
            return self.stuck_after
        return max(self.stuck_after, self._steps(now - self.begins_at - self.stuck_for))

    def _steps(self, elapsed: timedelta) -> int:
        if elapsed < timedelta(0):
            return 0
        per_broker = self.cluster.per_broker
        return min(self.brokers, elapsed // per_broker) if per_broker else self.brokers


def look(script: Script, recorded: Wish | None, now: datetime) -> Seen:
    """Return what the cluster shows at ``now``, given what was last asked of it by us."""
    if recorded is None and not script.faults:
        return Seen(_untouched(script.cluster), None)
    wish = wish_at(script, recorded, now)
    roll = _roll(script, wish)
    spans = [(fault, _span(script, fault, wish, roll)) for fault in script.faults]
    lasting = [(fault, span) for fault, span in spans if span is not None]
    hitting = [(fault, span) for fault, span in lasting if span.covers(now)]
    moments = [*_roll_moments(roll, now), *(moment for moment, _, _ in _changes(script))]
    moments += [moment for _, span in lasting for moment in span.ends]
    until = min((moment for moment in moments if moment > now), default=None)
    return Seen(_shown(script, wish, roll, hitting, now), until)


def wish_at(script: Script, recorded: Wish | None, now: datetime) -> Wish:
    """Return what the cluster's resource asks for at ``now``: our last word, and what others changed since."""
    wish = recorded or _first_wish(script.cluster)
    told_at = wish.asked_at
    undo: tuple[Fault, KafkaVersion] | None = None
    for moment, fault, is_end in _changes(script):
        if moment > now or (told_at is not None and moment <= told_at):
            continue
        if not is_end:
            assert fault.kafka_version is not None, "an inventory says what others set"
            undo = (fault, wish.release)
            wish = _changed(script, wish, fault.kafka_version, moment)
        elif undo is not None and undo[0] is fault:
            wish = _changed(script, wish, undo[1], moment)
    return wish


def asked(script: Script, wish: Wish, now: datetime) -> Wish:
    """Return ``wish`` as the starting point of another one: with its brokers as they stand at ``now``."""
    roll = _roll(script, wish)
    return replace(wish, brokers=_brokers(wish, roll.rolled(now)) if roll else wish.brokers)


def _first_wish(cluster: SimulatedCluster) -> Wish:
    return Wish(FIRST_GENERATION, cluster.release, ((cluster.release, cluster.brokers),))


def _changed(script: Script, wish: Wish, release: KafkaVersion, moment: datetime) -> Wish:
    if release == wish.release:
        return wish
    brokers = asked(script, wish, moment).brokers
    return Wish(wish.generation + 1, release, brokers, asked_at=moment, mark=wish.mark)


def _changes(script: Script) -> list[tuple[datetime, Fault, bool]]:
    """Return when others set a release, and when they put it back (True), in order."""
    changes: list[tuple[datetime, Fault, bool]] = []
    for fault in script.faults:
        if fault.kind is FaultKind.CHANGED_BY_OTHERS:
            begin = begin_of(fault, script.started_at)
            end = later(begin, fault.lasts)
            changes += [(moment, fault, moment is end) for moment in (begin, end) if moment is not None]
    return sorted(changes, key=lambda change: change[0])


def _roll(script: Script, wish: Wish) -> Roll | None:
    if wish.asked_at is None:
        return None
    brokers = sum(count for release, count in wish.brokers if release != wish.release)
    roll = Roll(script.cluster, wish.asked_at, brokers)
    if not wish.is_upgrade:
        return roll
    for fault in script.faults:
        if fault.release not in (None, wish.release):
            continue
        if fault.kind is FaultKind.REFUSED:
            begins_at = None if fault.lasts is None else later(wish.asked_at, fault.lasts)
            roll = replace(roll, begins_at=begins_at)
        if fault.kind is FaultKind.STUCK:
            roll = replace(roll, stuck_after=brokers // 2, stuck_for=fault.lasts)
    return roll


def _span(script: Script, fault: Fault, wish: Wish, roll: Roll | None) -> Span | None:
    if fault.kind not in (FaultKind.UNHEALTHY, FaultKind.UNREACHABLE) or fault.release not in (None, wish.release):
        return None
    if not fault.during_upgrade and fault.after is None:
        return span_of(fault, begin_of(fault, script.started_at))
    if roll is None or not wish.is_upgrade:
        return None
    return span_of(fault, wish.asked_at if fault.during_upgrade else later(roll.ready_at, fault.after))


def _roll_moments(roll: Roll | None, now: datetime) -> Iterator[datetime]:
    """Yield the moments at which a roll shows something new, as far as they matter after ``now``."""
    if roll is not None:
        for moment in (roll.begins_at, roll.moment(roll.rolled(now) + 1)):
            if moment is not None:
                yield moment


def _shown(
    script: Script, wish: Wish, roll: Roll | None, hitting: list[tuple[Fault, Span]], now: datetime
) -> Reading | Unknown:
    for fault, span in hitting:
        if fault.kind is FaultKind.UNREACHABLE:
            return Unknown(f"no broker answers since {_utc(span.begin)} (simulated, {fault.place})")
    settled = _settled(wish.release, wish.generation, wish.mark, script.cluster.metadata_version)
    reading = _rolling(settled, wish, roll, now) if roll else settled
    broken = tuple(_unhealthy(fault) for fault, _ in hitting if fault.kind is FaultKind.UNHEALTHY)
    return replace(reading, findings=(*broken, *reading.findings)) if broken else reading


def _untouched(cluster: SimulatedCluster) -> Reading:
    return _settled(cluster.release, FIRST_GENERATION, None, cluster.metadata_version)


@lru_cache(maxsize=4096)
def _settled(release: KafkaVersion, generation: int, mark: str | None, level: MetadataVersion | None) -> Reading:
    """Return what a cluster in good order shows; one value serves the many clusters that show the same."""
    token = str(generation)
    return Reading(release, release, release, token, metadata_version=level, zookeeper=level is None, fleet=mark)


def _rolling(settled: Reading, wish: Wish, roll: Roll, now: datetime) -> Reading:
    ready_at = roll.ready_at
    if ready_at is not None and ready_at <= now:
        return settled
    brokers = _brokers(wish, roll.rolled(now))
    releases = [release for release, _ in brokers]
    reading = replace(settled, release=min(releases), highest=max(releases), settled=False)
    if roll.begins_at != wish.asked_at and (roll.begins_at is None or now < roll.begins_at):
        return replace(reading, refused=f"operator refuses {wish.release} (simulated)")
    on_wish = sum(count for release, count in brokers if release == wish.release)
    total = sum(count for _, count in brokers)
    return replace(reading, progress=f"{on_wish} of {total} brokers", findings=(_catching_up(on_wish, total),))


def _brokers(wish: Wish, rolled: int) -> Brokers:
    """Return the brokers of ``wish`` after ``rolled`` of them went over to its release, the frontmost first."""
    counts: Counter[KafkaVersion] = Counter()
    for release, count in wish.brokers:
        moved = min(rolled, count) if release != wish.release else 0
        rolled -= moved
        counts[release] += count - moved
        counts[wish.release] += moved
    return tuple((release, count) for release, count in counts.items() if count)


def _catching_up(on_wish: int, total: int) -> Finding:
    doing = "one broker is being rolled" if on_wish < total else "the last broker is catching up"
    return Finding("under_replicated", Severity.WAIT, f"{on_wish} of {total} brokers have rolled and {doing}")


def _unhealthy(fault: Fault) -> Finding:
    detail = f"1 partition has no leader (simulated, {fault.place})"
    return Finding("offline_partitions", Severity.BLOCK, detail)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
