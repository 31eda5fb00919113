"""How a simulated cluster's brokers go over to the release asked for: one after another, then the cluster settles.

A roll is arithmetic on moments: nothing runs, nothing is remembered between two looks. What holds it up (an operator
that refuses, a broker that does not come back) stands in the inventory's faults.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.fleets.simulated_faults import begin_of, concerns, later, span_of
from controller.model.inventory import Fault, FaultKind, SimulatedCluster
from controller.versions import KafkaVersion, MetadataVersion

Brokers = tuple[tuple[KafkaVersion, int], ...]
"""How many brokers run which release, those that roll first in front."""

FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True)
class LevelWish:
    """The metadata.version that a cluster's resource asks for, and which one was finalized when that was asked."""

    level: MetadataVersion
    before: MetadataVersion
    """The finalized level then; where it is ``level`` already, nothing is left to do."""
    asked_at: datetime
    asked_with: str
    """The token that the asker gave."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a cluster's resource asks for, and how its brokers stood when that was asked."""

    generation: int
    """One higher with every change of the release or of the level."""
    release: KafkaVersion
    brokers: Brokers
    asked_at: datetime | None = None
    """None where nobody ever asked: the cluster is as its inventory declares it."""
    asked_with: str | None = None
    """The token that the asker gave; None where others asked, who give none."""
    mark: str | None = None
    """The fleet that wrote to it first."""
    level: LevelWish | None = None
    """None where nobody ever asked for one."""

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


def first_wish(cluster: SimulatedCluster) -> Wish:
    """Return what a cluster asks for of which nobody asked anything: what it runs."""
    return Wish(FIRST_GENERATION, cluster.release, ((cluster.release, cluster.brokers),))


def roll_of(script: Script, wish: Wish) -> Roll | None:
    """Return the roll that ``wish`` brings about, with what holds it up; None where nobody ever asked."""
    if wish.asked_at is None:
        return None
    brokers = sum(count for release, count in wish.brokers if release != wish.release)
    roll = Roll(script.cluster, wish.asked_at, brokers)
    if not wish.is_upgrade:
        return roll
    for fault in script.faults:
        if concerns(fault, wish.release) and fault.kind is FaultKind.REFUSED:
            roll = _refused(script, fault, roll, wish.asked_at)
    for fault in script.faults:
        if concerns(fault, wish.release) and fault.kind is FaultKind.STUCK:
            roll = _stuck(script, fault, roll, wish.asked_at)
    return roll


def brokers_after(wish: Wish, rolled: int) -> Brokers:
    """Return the brokers of ``wish`` after ``rolled`` of them went over to its release, the frontmost first."""
    counts: Counter[KafkaVersion] = Counter()
    for release, count in wish.brokers:
        moved = min(rolled, count) if release != wish.release else 0
        rolled -= moved
        counts[release] += count - moved
        counts[wish.release] += moved
    return tuple((release, count) for release, count in counts.items() if count)


def _refused(script: Script, fault: Fault, roll: Roll, asked_at: datetime) -> Roll:
    """Let the operator refuse until the fault ends; one that happens at a time refuses what is asked in that time."""
    if fault.at is None:
        return replace(roll, begins_at=later(asked_at, fault.lasts))
    span = span_of(fault, begin_of(fault, script.started_at))
    return roll if span is None or not span.covers(asked_at) else replace(roll, begins_at=span.end)


def _stuck(script: Script, fault: Fault, roll: Roll, asked_at: datetime) -> Roll:
    """Let the roll be stuck half way; by a fault that happens at a time also where it stands at that time."""
    half = roll.brokers // 2
    if fault.at is None:
        return replace(roll, stuck_after=half, stuck_for=fault.lasts)
    span = span_of(fault, begin_of(fault, script.started_at))
    if span is None or roll.begins_at is None or (roll.ready_at is not None and roll.ready_at <= span.begin):
        return roll
    steps = half if span.begin <= asked_at else roll.rolled(span.begin)
    since = roll.moment(steps)
    if since is None or span.end is None:
        return replace(roll, stuck_after=steps, stuck_for=None)
    held_up = span.end - max(since, span.begin)
    return roll if held_up <= timedelta(0) else replace(roll, stuck_after=steps, stuck_for=held_up)
