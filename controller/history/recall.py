"""The fold from ledger entries to History: what is remembered is exactly what the entries say.

Used for the whole ledger at start, for each cycle's new entries afterwards, and inside ``plan_cycle`` while the
plan is in the making, so that a judgement sees what it has just decided. Copies a rollout once, when it is first
touched: linear in entries and touched clusters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from controller.history import entries as e
from controller.history.records import (
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
    Way,
)
from controller.history.transitions import after
from controller.versions import KafkaVersion, Target

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
        self.reached = dict(history.reached)
        self.taken = dict(history.taken)
        self.arrived = dict(history.arrived)
        self.ids = dict(history.ids)
        self.highest_number = dict(history.highest_number)
        self.head = history.head
        self.in_force = history.in_force
        self.next_rollout = history.next_rollout
        self._own: dict[int, dict[str, ClusterRecord]] = {}
        self._numbers: dict[str, list[int]] = {}
        """By group: its rollouts, some of them perhaps forgotten since."""
        for rollout in self.rollouts.values():
            self._numbers.setdefault(rollout.group, []).append(rollout.id)

    def history(self) -> History:
        """Return what is remembered now; the next ``take`` does not change it."""
        self._own.clear()
        return History(
            rollouts=dict(self.rollouts),
            stops=dict(self.stops),
            declared=dict(self.declared),
            groups=dict(self.groups),
            passed=dict(self.passed),
            reached=dict(self.reached),
            taken=dict(self.taken),
            arrived=dict(self.arrived),
            ids=dict(self.ids),
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

    def change(self, rollout: int, **changes: Any) -> None:  # noqa: ANN401 - fields of RolloutRecord
        """Change fields of a rollout, where it is still remembered."""
        if rollout in self.rollouts:
            self.rollouts[rollout] = replace(self.rollouts[rollout], **changes)

    def running(self, group: str, *, finalizing: bool = False) -> RolloutRecord | None:
        """Return the group's running rollout to its release, or its running finalization; None without one."""
        for number in self._numbers.get(group, ()):
            rollout = self.rollouts.get(number)
            if rollout is not None and rollout.outcome is None and (rollout.way is Way.FINALIZE) is finalizing:
                return rollout
        return None

    def rollouts_of(self, group: str) -> Iterator[RolloutRecord]:
        """Yield the group's rollouts, in the order in which they were planned."""
        return (self.rollouts[number] for number in self._numbers.get(group, ()) if number in self.rollouts)

    def add(self, rollout: RolloutRecord) -> None:
        """Remember one more rollout, which runs."""
        self.rollouts[rollout.id] = rollout
        self._numbers.setdefault(rollout.group, []).append(rollout.id)

    def knows(self, rollout: int, cluster: str) -> bool:
        """Tell whether the cluster is still remembered in the rollout."""
        return rollout in self.rollouts and cluster in self.rollouts[rollout].clusters


def _nothing(_: Recall, __: e.Entry, ___: datetime) -> None:
    """Nothing to remember: the ledger itself knows which requests were taken."""


def _revision_seen(recall: Recall, entry: e.RevisionSeen, _: datetime) -> None:
    recall.head = entry.revision
    recall.in_force = entry.in_force


def _target_declared(recall: Recall, entry: e.TargetDeclared, _: datetime) -> None:
    if entry.group in recall.reached and recall.reached[entry.group][0] != entry.target:
        del recall.reached[entry.group]
    recall.declared[entry.group] = DeclaredTarget(entry.target, entry.metadata_version, entry.revision)


def _rollout_planned(recall: Recall, entry: e.RolloutPlanned, at: datetime) -> None:
    _forget_ended(recall, entry.group, entry.kind)
    if entry.way is not Way.FINALIZE:
        recall.reached.pop(entry.group, None)
    rollout = RolloutRecord(
        id=entry.rollout,
        group=entry.group,
        kind=entry.kind,
        target=entry.target,
        revision=entry.revision,
        planned_at=at,
        live=entry.live,
        group_target=entry.group_target or (entry.target if isinstance(entry.target, KafkaVersion) else None),
        way=entry.way,
        first=entry.first,
        clusters={name: ClusterRecord() for name in entry.clusters},
    )
    recall.add(rollout)
    recall.next_rollout = max(recall.next_rollout, entry.rollout + 1)


def _forget_ended(recall: Recall, group: str, kind: RolloutKind) -> None:
    ended = [
        rollout.id
        for rollout in recall.rollouts_of(group)
        if rollout.kind is kind and not rollout.is_running and not rollout.in_flight
    ]
    for rollout_id in sorted(ended)[:-ENDED_KEPT]:
        del recall.rollouts[rollout_id]


def _rollout_ended(recall: Recall, entry: e.RolloutEnded, at: datetime) -> None:
    recall.change(entry.rollout, outcome=entry.outcome, ended_at=at)
    rollout = recall.rollouts.get(entry.rollout)
    if entry.outcome is Outcome.CONVERGED and (rollout is None or _brings_the_whole_group(rollout)):
        _pass(recall, entry.group, entry.target)


def _brings_the_whole_group(rollout: RolloutRecord) -> bool:
    """Tell whether it goes where the group should be; the way down and what lies between concern some of it alone."""
    return rollout.way is Way.FINALIZE or (rollout.way is Way.FORWARD and rollout.target == rollout.group_target)


def _order_passed(recall: Recall, entry: e.OrderPassed, _: datetime) -> None:
    _pass(recall, entry.group, entry.target)


def _pass(recall: Recall, group: str, target: Target) -> None:
    key = (group, RolloutKind.SOFTWARE if isinstance(target, KafkaVersion) else RolloutKind.METADATA)
    earlier = recall.passed.get(key)
    recall.passed[key] = max(earlier, target) if earlier is not None else target


def _target_reached(recall: Recall, entry: e.TargetReached, at: datetime) -> None:
    recall.reached[entry.group] = (entry.target, at)


def _cluster_joined(recall: Recall, entry: e.ClusterJoined, _: datetime) -> None:
    recall.clusters(entry.rollout)[entry.cluster] = ClusterRecord(tail=True)


def _cluster_left(recall: Recall, entry: e.ClusterLeft, _: datetime) -> None:
    if recall.knows(entry.rollout, entry.cluster):
        del recall.clusters(entry.rollout)[entry.cluster]


def _cluster_replaced(recall: Recall, entry: e.ClusterReplaced, _: datetime) -> None:
    for rollout in [number for number, each in recall.rollouts.items() if entry.cluster in each.clusters]:
        del recall.clusters(rollout)[entry.cluster]
    recall.taken.pop(entry.cluster, None)
    recall.arrived.pop(entry.cluster, None)
    recall.ids.pop(entry.cluster, None)


def _wave_admitted(recall: Recall, entry: e.WaveAdmitted, at: datetime) -> None:
    if recall.rollouts[entry.rollout].way is not Way.FINALIZE:
        recall.reached.pop(entry.group, None)  # who comes later has to prove the release as long as the others
    wave = WaveRecord(entry.wave, entry.name, entry.tail, admitted_at=at)
    recall.change(entry.rollout, waves=(*recall.rollouts[entry.rollout].waves, wave))
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


def _change_wave(recall: Recall, rollout: int, number: int, **changes: Any) -> None:  # noqa: ANN401 - as above
    if rollout in recall.rollouts:
        waves = recall.rollouts[rollout].waves
        changed = tuple(replace(wave, **changes) if wave.number == number else wave for wave in waves)
        recall.change(rollout, waves=changed)


def _moved(recall: Recall, entry: Any, at: datetime) -> None:  # noqa: ANN401 - any entry of _CHANGES
    """Take an entry that moves one cluster. An entry about one that has left since is passed over."""
    if not recall.knows(entry.rollout, entry.cluster) and isinstance(entry, e.StartAccepted | e.StartWithdrawn):
        return
    clusters = recall.clusters(entry.rollout)
    record = clusters[entry.cluster]
    state = after(record.state, entry, entry.cluster)
    clusters[entry.cluster] = replace(record, state=state, **_CHANGES[type(entry)](record, entry, at))
    _note(recall, clusters[entry.cluster], entry, at)


def _note(recall: Recall, record: ClusterRecord, entry: Any, at: datetime) -> None:  # noqa: ANN401 - as above
    """Remember beside the cluster's record what its entry says of its rollout and of the live fleet."""
    if isinstance(entry, e.ClusterFailed):
        recall.change(entry.rollout, failed=recall.rollouts[entry.rollout].failed | {entry.cluster})
        recall.arrived.pop(entry.cluster, None)
    elif isinstance(entry, e.ClusterConverged):
        target = recall.rollouts[entry.rollout].target
        if isinstance(target, KafkaVersion):
            recall.arrived[entry.cluster] = (target, entry.rollout, at)
    elif isinstance(entry, e.ClusterStarted) and entry.kafka_id is not None:
        recall.ids[entry.cluster] = entry.kafka_id
    elif isinstance(entry, e.StartAccepted):
        aim = recall.rollouts[entry.rollout].target if record.aim is None else record.aim
        if isinstance(aim, KafkaVersion):
            recall.taken[entry.cluster] = (aim, recall.rollouts[entry.rollout].group)


def _started(record: ClusterRecord, entry: e.ClusterStarted, at: datetime) -> Mapping[str, Any]:
    changes: dict[str, Any] = {
        "aim": entry.target,
        "token": entry.token,
        "started_at": at,
        "expires_at": entry.expires_at,
        "accepted": False,
        "holds_slot": True,
        "refusal": "",
    }
    if record.state is ClusterState.PENDING:
        return {**changes, "release_from": entry.release_from, "lag": entry.lag}
    return {**changes, "sent_back": True, "converged_at": None}


def _accepted(record: ClusterRecord, _: e.StartAccepted, at: datetime) -> Mapping[str, Any]:
    """A write that was given up as untaken, and was taken after all, has its whole time from now on."""
    taken = {"accepted": True, "holds_slot": True}
    return {**taken, "started_at": at} if record.state is ClusterState.PENDING else taken


_AFRESH = {
    "tail": True,
    "wave": None,
    "holds_slot": False,
    "sent_back": False,
    "number": None,
    "cause": "",
    "converged_at": None,
    "started_at": None,
    "refusal": "",
}
"""What is forgotten of a cluster that begins anew."""

_CHANGES: Mapping[type, Callable[..., Mapping[str, Any]]] = {
    e.ClusterSetAside: lambda *_: {"tail": True, "wave": None},
    e.ClusterStarted: _started,
    e.StartAccepted: _accepted,
    e.StartWithdrawn: lambda record, entry, _: {
        "accepted": False,
        "holds_slot": record.state is ClusterState.DOWNGRADING,
        "sent_back": False,
        "refusal": entry.refusal,
    },
    e.ClusterConverged: lambda _, __, at: {"converged_at": at, "holds_slot": False},
    e.ClusterReturned: lambda *_: _AFRESH,
    e.ClusterFailed: lambda _, entry, __: {"cause": entry.cause, "holds_slot": True},
    e.SlotFreed: lambda *_: {"holds_slot": False},
    e.ClusterQuarantined: lambda _, entry, __: {"number": entry.number},
    e.ClusterReleased: lambda *_: _AFRESH,
}
"""What each entry changes in the record of its cluster, beside its state."""


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
        wave=entry.wave,
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
        recall.change(rollout_id, failed=frozenset())


def _count(recall: Recall, scope: str, number: int) -> None:
    recall.highest_number[scope] = max(number, recall.highest_number.get(scope, 0))


def _group_judged(recall: Recall, entry: e.GroupJudged, at: datetime) -> None:
    key = entry.group if entry.kind is RolloutKind.SOFTWARE else f"{entry.group}/metadata"
    recall.groups[key] = GroupState(
        entry.sentence, entry.target, entry.done, entry.in_flight, entry.of, entry.holds, at
    )


_TAKE: Mapping[type, Callable[..., None]] = {
    e.RevisionSeen: _revision_seen,
    e.TargetDeclared: _target_declared,
    e.RequestTaken: _nothing,
    e.RolloutPlanned: _rollout_planned,
    e.RolloutEnded: _rollout_ended,
    e.OrderPassed: _order_passed,
    e.TargetReached: _target_reached,
    e.ClusterJoined: _cluster_joined,
    e.ClusterLeft: _cluster_left,
    e.ClusterReplaced: _cluster_replaced,
    e.WaveAdmitted: _wave_admitted,
    e.WaveFilled: _wave_filled,
    e.SoakCredited: _soak_credited,
    e.WaveSoaked: _wave_soaked,
    e.Stopped: _stopped,
    e.StopAcknowledged: _stop_acknowledged,
    e.GroupJudged: _group_judged,
    **dict.fromkeys(_CHANGES, _moved),
}
