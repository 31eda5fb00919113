"""What happened, one line per event, told from the ledger's entries and from nothing else.

An entry is a decision or an observation; an event is what a person would tell of it. Bookkeeping (soak credit, slots,
targets seen) is no event. The order is the ledger's, hence causal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from controller.history import entries as e
from controller.history.records import Outcome, RolloutKind, StopKind
from controller.model.requests import FLEET
from controller.versions import KafkaVersion, Target


class EventKind(StrEnum):
    """What happened; public names, never reworded."""

    ROLLOUT_PLANNED = "rollout-planned"
    WAVE_ADMITTED = "wave-admitted"
    START = "start"
    CONVERGED = "converged"
    FAILED = "failed"
    DOWNGRADE = "downgrade"
    """A start downwards."""
    FINALIZE = "finalize"
    """A start of a metadata rollout."""
    WAVE_SOAKED = "wave-soaked"
    ROLLOUT_CONVERGED = "rollout-converged"
    ROLLOUT_FAILED = "rollout-failed"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    """A rollout whose group is gone or, with a cluster, a start that the live fleet did not take."""
    QUARANTINED = "quarantined"
    HALTED = "halted"
    RESUMED = "resumed"
    HELD = "held"
    """A hold began."""
    JOINED = "joined"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; what does not apply is None."""

    at: datetime
    cycle: int
    """Counted from 1, cycles that were passed over included."""
    kind: EventKind
    group: str | None = None
    """None where it concerns the whole fleet."""
    rollout: RolloutKind | None = None
    wave: int | None = None
    cluster: str | None = None
    """By its short name, where that names one."""
    from_: str | None = None
    """A release or, in a metadata rollout, a metadata.version."""
    to: str | None = None
    reason: str | None = None
    """A hold's public name, or a sentence."""
    detail: str = ""
    """A hold's own sentence, for people."""


@dataclass(slots=True)
class _Rollout:
    group: str
    kind: RolloutKind
    target: Target
    waves: dict[str, int] = field(default_factory=dict)
    """By cluster."""
    from_: dict[str, Target] = field(default_factory=dict)
    """By cluster: what it was started from last."""
    to: dict[str, Target] = field(default_factory=dict)


_ENDINGS = {
    Outcome.CONVERGED: EventKind.ROLLOUT_CONVERGED,
    Outcome.FAILED: EventKind.ROLLOUT_FAILED,
    Outcome.SUPERSEDED: EventKind.SUPERSEDED,
    Outcome.WITHDRAWN: EventKind.WITHDRAWN,
}

_ClusterEntry = (
    e.ClusterConverged
    | e.ClusterReturned
    | e.ClusterFailed
    | e.ClusterQuarantined
    | e.StartWithdrawn
    | e.ClusterJoined
    | e.ClusterLeft
)


class Scribe:
    """Tells events from entries; remembers of each rollout what later entries leave out."""

    def __init__(self) -> None:
        self._rollouts: dict[int, _Rollout] = {}
        self._stops: dict[tuple[str, int], e.Stopped] = {}
        self._at = datetime.min.replace(tzinfo=UTC)
        self._cycle = 0
        self._short: Mapping[str, str] = {}

    def begin_cycle(self, cycle: int, at: datetime, short: Mapping[str, str]) -> None:
        """Tell that the entries to come are of this cycle; ``short`` gives each cluster's name for people."""
        self._cycle, self._at, self._short = cycle, at, short

    def events(self, entry: e.Entry) -> Iterator[Event]:
        """Yield what happened by ``entry``."""
        match entry:
            case e.RolloutPlanned():
                yield self._planned(entry)
            case e.WaveAdmitted() | e.WaveFilled():
                yield from self._wave_taken(entry)
            case e.WaveSoaked():
                yield self._of_rollout(EventKind.WAVE_SOAKED, entry.rollout, wave=entry.wave)
            case e.ClusterStarted():
                yield self._started(entry)
            case e.RolloutEnded():
                yield self._of_rollout(_ENDINGS[entry.outcome], entry.rollout, reason=entry.detail or None)
            case e.Stopped() | e.StopAcknowledged():
                yield from self._stop(entry)
            case e.GroupJudged():
                yield from self._holds(entry)
            case _:
                yield from self._of_known_cluster(entry)

    def _planned(self, entry: e.RolloutPlanned) -> Event:
        self._rollouts[entry.rollout] = _Rollout(entry.group, entry.kind, entry.target)
        clusters, waves = len(entry.clusters), len(entry.waves)
        reason = f"{clusters} cluster{'' if clusters == 1 else 's'} in {waves} wave{'' if waves == 1 else 's'}"
        return self._of_rollout(EventKind.ROLLOUT_PLANNED, entry.rollout, to=str(entry.target), reason=reason)

    def _wave_taken(self, entry: e.WaveAdmitted | e.WaveFilled) -> Iterator[Event]:
        rollout = self._rollouts[entry.rollout]
        rollout.waves.update(dict.fromkeys(entry.clusters, entry.wave))
        if isinstance(entry, e.WaveAdmitted):
            reason = f"{entry.name}: {len(entry.clusters)}"
            yield self._of_rollout(
                EventKind.WAVE_ADMITTED, entry.rollout, wave=entry.wave, to=str(rollout.target), reason=reason
            )

    def _started(self, entry: e.ClusterStarted) -> Event:
        rollout = self._rollouts[entry.rollout]
        rollout.from_[entry.cluster], rollout.to[entry.cluster] = entry.release_from, entry.target
        kind = EventKind.START
        if rollout.kind is RolloutKind.METADATA:
            kind = EventKind.FINALIZE
        elif _is_lower(entry.target, entry.release_from):
            kind = EventKind.DOWNGRADE
        return self._of_cluster(kind, entry.rollout, entry.cluster)

    def _of_known_cluster(self, entry: e.Entry) -> Iterator[Event]:
        kinds: Mapping[type, EventKind] = {
            e.ClusterConverged: EventKind.CONVERGED,
            e.ClusterReturned: EventKind.CONVERGED,
            e.ClusterFailed: EventKind.FAILED,
            e.ClusterQuarantined: EventKind.QUARANTINED,
            e.StartWithdrawn: EventKind.WITHDRAWN,
            e.ClusterJoined: EventKind.JOINED,
            e.ClusterLeft: EventKind.LEFT,
        }
        if isinstance(entry, _ClusterEntry):
            yield self._of_cluster(kinds[type(entry)], entry.rollout, entry.cluster, self._why(entry))

    def _why(self, entry: _ClusterEntry) -> str | None:
        match entry:
            case e.ClusterFailed():
                return entry.cause
            case e.ClusterLeft():
                return entry.why
            case e.StartWithdrawn():
                return entry.refusal or "the live fleet did not take it"
            case e.ClusterQuarantined():
                return f"{entry.group}-{entry.number}"
            case _:
                return None

    def _stop(self, entry: e.Stopped | e.StopAcknowledged) -> Iterator[Event]:
        """Yield a halt, and what lifts a stop; a quarantine has an entry of its own, and the others begin as holds."""
        group = None if entry.scope == FLEET else entry.scope
        place = (entry.scope, entry.number)
        rollout = None if entry.rollout is None else self._rollouts.get(entry.rollout)
        kind = None if rollout is None else rollout.kind
        if isinstance(entry, e.Stopped):
            self._stops[place] = entry
            if entry.kind is StopKind.HALT:
                reason = f"{entry.scope}-{entry.number}: {entry.detail}"
                yield Event(self._at, self._cycle, EventKind.HALTED, group, kind, reason=reason)
        elif place in self._stops:  # else the number of a stop that this ledger never saw
            cluster = self._stops.pop(place).cluster
            short = None if cluster is None else self._short.get(cluster, cluster)
            reason = f"{entry.scope}-{entry.number}: {entry.by}"
            yield Event(self._at, self._cycle, EventKind.RESUMED, group, kind, cluster=short, reason=reason)

    def _holds(self, entry: e.GroupJudged) -> Iterator[Event]:
        rollout = None if entry.rollout is None else self._rollouts.get(entry.rollout)
        for reason, detail, cluster in entry.begun:
            yield Event(
                self._at,
                self._cycle,
                EventKind.HELD,
                None if entry.group == FLEET else entry.group,
                None if rollout is None else rollout.kind,
                wave=None if rollout is None else rollout.waves.get(cluster),
                cluster=self._short.get(cluster, cluster) or None,
                reason=reason,
                detail=detail,
            )

    def _of_cluster(self, kind: EventKind, number: int, cluster: str, reason: str | None = None) -> Event:
        rollout = self._rollouts[number]
        source, target = rollout.from_.get(cluster), rollout.to.get(cluster)
        return Event(
            self._at,
            self._cycle,
            kind,
            rollout.group,
            rollout.kind,
            rollout.waves.get(cluster),
            self._short.get(cluster, cluster),
            None if source is None else str(source),
            str(rollout.target if target is None else target),
            reason,
        )

    def _of_rollout(
        self, kind: EventKind, number: int, *, wave: int | None = None, to: str | None = None, reason: str | None = None
    ) -> Event:
        rollout = self._rollouts[number]
        return Event(
            self._at, self._cycle, kind, rollout.group, rollout.kind, wave, to=to or str(rollout.target), reason=reason
        )


def _is_lower(target: Target, source: Target) -> bool:
    return isinstance(target, KafkaVersion) and isinstance(source, KafkaVersion) and target < source
