"""The fold from ledger entries to History: what is remembered is exactly what the entries say.

Used for the whole ledger at start, for each cycle's new entries afterwards, and inside ``plan_cycle`` while the
plan is in the making, so that a judgement sees what it has just decided. Copies a rollout once, when it is first
touched: linear in entries and touched clusters.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.core.transitions import after
from controller.model import entries as e
from controller.model.history import (
    ClusterRecord,
    ClusterState,
    DeclaredTarget,
    GroupState,
    History,
    Outcome,
    RolloutKind,
    RolloutRecord,
    Stop,
    StopKind,
    WaveRecord,
)
from controller.model.versions import KafkaVersion, Target

ENDED_KEPT = 2
"""Ended rollouts without clusters in flight that are remembered for each group and kind."""


def remember(history: History, recorded: Iterable[e.Recorded]) -> History:
    """Return ``history`` extended by what the ledger gave back. Raises IllegalTransition."""
    recall = Recall(history)
    for each in recorded:
        recall.take(each.entry, each.at)
    return recall.history()


class Recall:
    """History in the making. ``rollouts``, ``stops`` and the rest may be read at any time, never written outside."""

    def __init__(self, history: History) -> None:
        self.rollouts = dict(history.rollouts)
        self.stops = dict(history.stops)
        self.declared = dict(history.declared)
        self.groups = dict(history.groups)
        self.passed = dict(history.passed)
        self.highest_number = dict(history.highest_number)
        self.head = history.head
        self.in_force = history.in_force
        self.next_rollout = history.next_rollout
        self._own: dict[int, dict[str, ClusterRecord]] = {}

    def history(self) -> History:
        """Return what is remembered now; the next ``take`` does not change it."""
        self._own.clear()
        return History(
            rollouts=dict(self.rollouts),
            stops=dict(self.stops),
            declared=dict(self.declared),
            groups=dict(self.groups),
            passed=dict(self.passed),
            head=self.head,
            in_force=self.in_force,
            next_rollout=self.next_rollout,
            highest_number=dict(self.highest_number),
        )

    def take(self, entry: e.Entry, at: datetime) -> None:
        """Extend what is remembered by one entry. Raises IllegalTransition, and then nothing has changed."""
        _TAKE[type(entry)](self, entry, at)

    def clusters(self, rollout: int) -> dict[str, ClusterRecord]:
        """Return the rollout's clusters as a mapping of our own, copied when first touched."""
        if rollout not in self._own:
            record = self.rollouts[rollout]
            self._own[rollout] = dict(record.clusters)
            self.rollouts[rollout] = replace(record, clusters=self._own[rollout])
        return self._own[rollout]

    def knows(self, rollout: int, cluster: str | None = None) -> bool:
        """Tell whether the rollout (and the cluster in it) is still remembered."""
        return rollout in self.rollouts and (cluster is None or cluster in self.rollouts[rollout].clusters)


def _revision_seen(recall: Recall, entry: e.RevisionSeen, _: datetime) -> None:
    recall.head = entry.revision
    recall.in_force = entry.in_force


def _target_declared(recall: Recall, entry: e.TargetDeclared, _: datetime) -> None:
    recall.declared[entry.group] = DeclaredTarget(entry.target, entry.metadata_version, entry.revision)


def _request_taken(_: Recall, __: e.RequestTaken, ___: datetime) -> None:
    """Nothing to remember: the ledger itself knows which requests were taken."""


def _rollout_planned(recall: Recall, entry: e.RolloutPlanned, at: datetime) -> None:
    _forget_ended(recall, entry.group, entry.kind)
    clusters = {name: ClusterRecord() for name in entry.clusters}
    recall.rollouts[entry.rollout] = RolloutRecord(
        id=entry.rollout,
        group=entry.group,
        kind=entry.kind,
        target=entry.target,
        revision=entry.revision,
        planned_at=at,
        live=entry.live,
        clusters=clusters,
    )
    recall._own[entry.rollout] = clusters  # noqa: SLF001 - the fold is one piece: its functions and its class
    recall.next_rollout = max(recall.next_rollout, entry.rollout + 1)


def _forget_ended(recall: Recall, group: str, kind: RolloutKind) -> None:
    ended = [
        rollout.id
        for rollout in recall.rollouts.values()
        if rollout.group == group and rollout.kind is kind and not rollout.is_running and not rollout.in_flight
    ]
    for rollout_id in sorted(ended)[:-ENDED_KEPT]:
        del recall.rollouts[rollout_id]


def _rollout_ended(recall: Recall, entry: e.RolloutEnded, at: datetime) -> None:
    if not recall.knows(entry.rollout):
        return
    recall.rollouts[entry.rollout] = replace(recall.rollouts[entry.rollout], outcome=entry.outcome, ended_at=at)
    if entry.outcome is Outcome.CONVERGED and isinstance(entry.target, KafkaVersion):
        _pass(recall, entry.group, entry.target)


def _order_passed(recall: Recall, entry: e.OrderPassed, _: datetime) -> None:
    _pass(recall, entry.group, entry.target)


def _pass(recall: Recall, group: str, target: Target) -> None:
    earlier = recall.passed.get(group)
    recall.passed[group] = max(earlier, target) if earlier is not None else target


def _cluster_joined(recall: Recall, entry: e.ClusterJoined, _: datetime) -> None:
    recall.clusters(entry.rollout)[entry.cluster] = ClusterRecord(tail=True)


def _cluster_left(recall: Recall, entry: e.ClusterLeft, _: datetime) -> None:
    if recall.knows(entry.rollout, entry.cluster):
        del recall.clusters(entry.rollout)[entry.cluster]


def _cluster_set_aside(recall: Recall, entry: e.ClusterSetAside, _: datetime) -> None:
    _move(recall, entry, tail=True, wave=None)


def _wave_admitted(recall: Recall, entry: e.WaveAdmitted, at: datetime) -> None:
    rollout = recall.rollouts[entry.rollout]
    wave = WaveRecord(entry.wave, entry.name, entry.tail, admitted_at=at)
    recall.rollouts[entry.rollout] = replace(rollout, waves=(*rollout.waves, wave))
    _put_in_wave(recall, entry.rollout, entry.wave, entry.clusters)


def _wave_filled(recall: Recall, entry: e.WaveFilled, _: datetime) -> None:
    _change_wave(recall, entry.rollout, entry.wave, soaked=timedelta(0))
    _put_in_wave(recall, entry.rollout, entry.wave, entry.clusters)


def _put_in_wave(recall: Recall, rollout: int, wave: int, names: tuple[str, ...]) -> None:
    clusters = recall.clusters(rollout)
    for name in names:
        clusters[name] = replace(clusters[name], wave=wave)


def _soak_credited(recall: Recall, entry: e.SoakCredited, _: datetime) -> None:
    _change_wave(recall, entry.rollout, entry.wave, soaked=entry.soaked)


def _wave_soaked(recall: Recall, entry: e.WaveSoaked, at: datetime) -> None:
    _change_wave(recall, entry.rollout, entry.wave, soaked_at=at)
    clusters = recall.clusters(entry.rollout)
    for name, record in clusters.items():
        if record.wave == entry.wave and record.state is ClusterState.CONVERGED:
            clusters[name] = replace(record, state=after(record.state, entry, name))


def _change_wave(
    recall: Recall, rollout: int, number: int, *, soaked: timedelta | None = None, soaked_at: datetime | None = None
) -> None:
    if not recall.knows(rollout):
        return
    record = recall.rollouts[rollout]
    waves = tuple(
        replace(
            wave,
            soaked=wave.soaked if soaked is None else soaked,
            soaked_at=wave.soaked_at if soaked_at is None else soaked_at,
        )
        if wave.number == number
        else wave
        for wave in record.waves
    )
    recall.rollouts[rollout] = replace(record, waves=waves)


def _cluster_started(recall: Recall, entry: e.ClusterStarted, at: datetime) -> None:
    _move(
        recall,
        entry,
        release_from=entry.release_from,
        token=entry.token,
        started_at=at,
        expires_at=entry.expires_at,
        accepted=False,
        holds_slot=True,
        refusal="",
    )


def _start_accepted(recall: Recall, entry: e.StartAccepted, _: datetime) -> None:
    if recall.knows(entry.rollout, entry.cluster):
        _move(recall, entry, accepted=True, holds_slot=True)


def _start_withdrawn(recall: Recall, entry: e.StartWithdrawn, _: datetime) -> None:
    if recall.knows(entry.rollout, entry.cluster):
        _move(recall, entry, accepted=False, holds_slot=False, refusal=entry.refusal)


def _cluster_converged(recall: Recall, entry: e.ClusterConverged, at: datetime) -> None:
    _move(recall, entry, converged_at=at, holds_slot=False)


def _cluster_failed(recall: Recall, entry: e.ClusterFailed, _: datetime) -> None:
    _move(recall, entry, cause=entry.cause, holds_slot=True)
    rollout = recall.rollouts[entry.rollout]
    recall.rollouts[entry.rollout] = replace(rollout, failed=rollout.failed | {entry.cluster})


def _slot_freed(recall: Recall, entry: e.SlotFreed, _: datetime) -> None:
    _move(recall, entry, holds_slot=False)


def _cluster_quarantined(recall: Recall, entry: e.ClusterQuarantined, _: datetime) -> None:
    _move(recall, entry, number=entry.number)


def _cluster_released(recall: Recall, entry: e.ClusterReleased, _: datetime) -> None:
    _move(recall, entry, tail=True, wave=None, holds_slot=False, number=None, converged_at=None, started_at=None)


_ClusterEntry = (
    e.ClusterSetAside
    | e.ClusterStarted
    | e.StartAccepted
    | e.StartWithdrawn
    | e.ClusterConverged
    | e.ClusterFailed
    | e.SlotFreed
    | e.ClusterQuarantined
    | e.ClusterReleased
)


def _move(recall: Recall, entry: _ClusterEntry, **changes: object) -> None:
    clusters = recall.clusters(entry.rollout)
    record = clusters[entry.cluster]
    state = after(record.state, entry, entry.cluster)
    clusters[entry.cluster] = replace(record, state=state, **changes)  # type: ignore[arg-type]


def _stopped(recall: Recall, entry: e.Stopped, at: datetime) -> None:
    recall.stops[entry.scope, entry.number] = Stop(
        scope=entry.scope,
        number=entry.number,
        kind=entry.kind,
        detail=entry.detail,
        by=entry.by,
        at=at,
        cluster=entry.cluster,
        suspect=entry.suspect,
        rollout=entry.rollout,
    )
    _count(recall, entry.scope, entry.number)


def _stop_acknowledged(recall: Recall, entry: e.StopAcknowledged, at: datetime) -> None:
    _count(recall, entry.scope, entry.number)
    stop = recall.stops.get((entry.scope, entry.number))
    if stop is None:
        return
    recall.stops[entry.scope, entry.number] = replace(stop, acknowledged_at=at)
    if stop.kind is StopKind.HALT:
        _forgive(recall, entry.scope)


def _forgive(recall: Recall, group: str) -> None:
    for rollout_id, rollout in list(recall.rollouts.items()):
        if rollout.group != group or not rollout.failed:
            continue
        clusters = recall.clusters(rollout_id)
        for name in rollout.failed & clusters.keys():
            if clusters[name].state in (ClusterState.FAILED, ClusterState.QUARANTINED):
                clusters[name] = replace(clusters[name], holds_slot=False)
        recall.rollouts[rollout_id] = replace(recall.rollouts[rollout_id], failed=frozenset())


def _count(recall: Recall, scope: str, number: int) -> None:
    recall.highest_number[scope] = max(number, recall.highest_number.get(scope, 0))


def _group_judged(recall: Recall, entry: e.GroupJudged, at: datetime) -> None:
    recall.groups[entry.group] = GroupState(
        entry.sentence, entry.target, entry.done, entry.in_flight, entry.of, entry.holds, at
    )


_TAKE: dict[type, Callable[..., None]] = {
    e.RevisionSeen: _revision_seen,
    e.TargetDeclared: _target_declared,
    e.RequestTaken: _request_taken,
    e.RolloutPlanned: _rollout_planned,
    e.RolloutEnded: _rollout_ended,
    e.OrderPassed: _order_passed,
    e.ClusterJoined: _cluster_joined,
    e.ClusterLeft: _cluster_left,
    e.ClusterSetAside: _cluster_set_aside,
    e.WaveAdmitted: _wave_admitted,
    e.WaveFilled: _wave_filled,
    e.SoakCredited: _soak_credited,
    e.WaveSoaked: _wave_soaked,
    e.ClusterStarted: _cluster_started,
    e.StartAccepted: _start_accepted,
    e.StartWithdrawn: _start_withdrawn,
    e.ClusterConverged: _cluster_converged,
    e.ClusterFailed: _cluster_failed,
    e.SlotFreed: _slot_freed,
    e.ClusterQuarantined: _cluster_quarantined,
    e.ClusterReleased: _cluster_released,
    e.Stopped: _stopped,
    e.StopAcknowledged: _stop_acknowledged,
    e.GroupJudged: _group_judged,
}
