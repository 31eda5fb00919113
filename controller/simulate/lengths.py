"""How long rollouts took, beside how long they had to take, and how far a fault would have reached: the summary.

A rollout's length runs from the cycle that planned it to the cycle that ended it. Its **blast radius** for a delay is
how many clusters it had started by the time at which a fault is seen that shows itself so long after the upgrade of
its first cluster converged; a start in the very cycle that sees it does not count, since failures are judged first.
Where no cluster has converged, it is every cluster that was started.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from controller.history import entries as e
from controller.history.records import Outcome, RolloutKind, Way
from controller.model.declaration import ClusterGroup, Declaration, Expedite, Wave
from controller.model.inventory import SimulatedCluster
from controller.simulate.lower_bound import BoundRollout, Bounds, BoundWave, bounds
from controller.simulate.openings import Calendar, Openings
from controller.versions import KafkaVersion, Target

DELAYS: Mapping[str, timedelta] = {
    "10m": timedelta(minutes=10),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}
"""After how long a fault shows itself, by the name that the summary gives it."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long something took, and how long it had to take."""

    length: timedelta | None
    """None where it has not ended."""
    lower_bound: timedelta

    @property
    def ratio(self) -> float | None:
        """Length over lower bound; 1 where nothing was to do, None where it has not ended."""
        if self.length is None:
            return None
        return self.length / self.lower_bound if self.lower_bound else 1.0


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """One rollout."""

    group: str
    kind: RolloutKind
    target: Target
    outcome: Outcome | None
    clusters: int
    """How many were started."""
    planned_at: datetime
    ended_at: datetime | None
    took: Length
    blast_radius: Mapping[str, int]
    """By the names of ``DELAYS``."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All rollouts, in the order in which they were planned, and the whole."""

    rollouts: Sequence[RolloutSummary]
    took: Length


@dataclass(slots=True)
class _Note:
    planned: e.RolloutPlanned
    planned_at: datetime
    started: dict[str, datetime] = field(default_factory=dict)
    """By cluster: when it was first started."""
    converged: dict[str, datetime] = field(default_factory=dict)
    ended_at: datetime | None = None
    outcome: Outcome | None = None


class Tally:
    """Gathers the summary from the ledger's entries."""

    def __init__(self, declaration: Declaration, interval: timedelta) -> None:
        self._declaration = declaration
        self._interval = interval
        self._notes: dict[int, _Note] = {}

    def take(self, recorded: e.Recorded) -> None:
        """Note one entry."""
        entry, at = recorded.entry, recorded.at
        match entry:
            case e.RolloutPlanned():
                self._notes[entry.rollout] = _Note(entry, at)
            case e.ClusterStarted():
                self._notes[entry.rollout].started.setdefault(entry.cluster, at)
            case e.ClusterConverged():
                self._notes[entry.rollout].converged.setdefault(entry.cluster, at)
            case e.RolloutEnded():
                note = self._notes[entry.rollout]
                note.ended_at, note.outcome = at, entry.outcome

    def summary(self) -> Summary:
        """Return what was noted up to now."""
        yardstick = _Yardstick(self._declaration, self._interval, self._notes)
        bound = yardstick.bounds()
        rollouts = [_summary_of(note, bound.rollouts[number]) for number, note in self._notes.items()]
        return Summary(rollouts, Length(_length_of_all(self._notes), bound.fleet))


def _summary_of(note: _Note, bound: timedelta) -> RolloutSummary:
    planned = note.planned
    return RolloutSummary(
        group=planned.group,
        kind=planned.kind,
        target=planned.target,
        outcome=note.outcome,
        clusters=len(note.started),
        planned_at=note.planned_at,
        ended_at=note.ended_at,
        took=Length(None if note.ended_at is None else note.ended_at - note.planned_at, bound),
        blast_radius={name: _blast_radius(note, delay) for name, delay in DELAYS.items()},
    )


def _blast_radius(note: _Note, delay: timedelta) -> int:
    if not note.converged:
        return len(note.started)
    shows_at = min(note.converged.values()) + delay
    return sum(started_at < shows_at for started_at in note.started.values())


def _length_of_all(notes: Mapping[int, _Note]) -> timedelta | None:
    if not notes:
        return timedelta(0)
    ends = [note.ended_at for note in notes.values() if note.ended_at is not None]
    if len(ends) < len(notes):
        return None
    return max(ends) - min(note.planned_at for note in notes.values())


class _Yardstick:
    """Puts what was planned, and what is declared of it, into the terms of the lower bound."""

    def __init__(self, declaration: Declaration, interval: timedelta, notes: Mapping[int, _Note]) -> None:
        self._declaration = declaration
        self._interval = interval
        self._notes = notes
        self._clusters = {
            f"{source}/{cluster.name}": cluster
            for source, inventory in declaration.inventories.items()
            for cluster in inventory.clusters
        }

    def bounds(self) -> Bounds:
        rollouts = {number: self._rollout(number, note) for number, note in self._notes.items()}
        return bounds(rollouts, self._declaration.limits.clusters_in_flight)

    def _rollout(self, number: int, note: _Note) -> BoundRollout:
        group = self._declaration.group(note.planned.group)
        assert group is not None, "the declaration of a simulation never changes"
        follows, pause = self._followed(number, note, group)
        return BoundRollout(
            begin=note.planned_at,
            waves=tuple(self._waves(note, group)),
            openings=Openings((self._calendar(note, group),)),
            after=tuple(self._before(note, group)),
            follows=follows,
            pause=pause,
        )

    def _calendar(self, note: _Note, group: ClusterGroup) -> Calendar:
        urgent = self._urgent(note)
        freezes = tuple(it for it in self._declaration.freezes if _concerns(it.groups, group.name))
        return Calendar(
            windows=() if any(it.ignore_windows for it in urgent) else group.windows,
            freezes=() if any(it.ignore_freezes for it in urgent) else freezes,
        )

    def _urgent(self, note: _Note) -> Sequence[Expedite]:
        """Return what may expedite the rollout, however long it does."""
        planned = note.planned
        return [
            each
            for each in self._declaration.expedite
            if planned.target == each.version and _concerns(each.groups, planned.group)
        ]

    def _waves(self, note: _Note, group: ClusterGroup) -> Sequence[BoundWave]:
        """Return the planned waves; of a rollout that has ended, with those clusters that came through alone."""
        waves = []
        for name, clusters in note.planned.waves:
            through = [each for each in clusters if note.ended_at is None or each in note.converged]
            if through:
                declared = _declared(name, group)
                slots = min(declared.max_in_flight, self._declaration.limits.clusters_in_flight)
                upgrades = tuple(self._upgrade(each, note, group.samples) for each in through)
                waves.append(BoundWave(upgrades, slots, self._soak(declared, note)))
        return waves

    def _soak(self, wave: Wave, note: _Note) -> timedelta:
        """Return how long the wave has to soak at least; on the way down none has to."""
        if note.planned.way is Way.DOWN:
            return timedelta(0)
        return min([wave.soak, *(each.soak for each in self._urgent(note) if each.soak is not None)])

    def _upgrade(self, cluster: str, note: _Note, samples: int) -> timedelta:
        """Return how long an upgrade keeps its slot: it is seen in the next cycle at the earliest, then sampled."""
        takes = timedelta(0)
        if note.planned.kind is RolloutKind.SOFTWARE and cluster in self._clusters:
            takes = _roll(self._clusters[cluster])
        return max(takes, self._interval) + (samples - 1) * self._interval

    def _before(self, note: _Note, group: ClusterGroup) -> Sequence[int]:
        """Return the rollouts that groups named under ``after`` have to end first."""
        return [
            number
            for number, other in self._notes.items()
            if other.planned.group in group.after and _was_waited_for(other, note, group)
        ]

    def _followed(self, number: int, note: _Note, group: ClusterGroup) -> tuple[int | None, timedelta]:
        """Return the rollout of the same group after whose end this one was planned, and how long after it had to be.

        A finalization comes after ``finalize.soak``; the end is noted, or the group seen whole, up to a cycle later.
        """
        for other_number, other in self._notes.items():
            if other_number >= number or other.planned.group != note.planned.group or other.ended_at is None:
                continue
            for pause in (timedelta(0), group.finalize_soak):
                if timedelta(0) <= note.planned_at - other.ended_at - pause <= 2 * self._interval:
                    return other_number, pause
        return None, timedelta(0)


def _concerns(patterns: Sequence[str], group: str) -> bool:
    return any(fnmatchcase(group, pattern) for pattern in patterns)


def _was_waited_for(other: _Note, note: _Note, group: ClusterGroup) -> bool:
    """Tell whether ``note``, a rollout of ``group``, could not start before ``other`` had ended."""
    if other.planned.kind is not note.planned.kind:
        return False
    if isinstance(other.planned.target, KafkaVersion) and other.planned.target < group.target:
        return False  # it leads to a release between
    if not note.started:
        return True
    return other.ended_at is not None and other.ended_at <= min(note.started.values())


def _declared(name: str, group: ClusterGroup) -> Wave:
    waves = group.strategy.waves
    return next((wave for wave in waves if wave.name == name), waves[-1])


def _roll(cluster: SimulatedCluster) -> timedelta:
    return cluster.brokers * cluster.per_broker + cluster.settle
