"""What became of the clusters that were started: converged, failed, withdrawn, or still on their way.

Only observations move a cluster. What could not be seen stays where it was, keeps its slot, and starts its run of
healthy samples anew.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from controller.core.draft import Draft
from controller.core.drift import asks_for, describe, is_sick, is_well, runs
from controller.core.stops import quarantine
from controller.history.entries import (
    ClusterConverged,
    ClusterFailed,
    ClusterReturned,
    Entry,
    SlotFreed,
    StartAccepted,
    StartWithdrawn,
)
from controller.history.records import ClusterRecord, ClusterState, RolloutRecord
from controller.model.declaration import ClusterGroup
from controller.model.durations import format_duration
from controller.model.memory import Samples
from controller.model.observation import Reading
from controller.model.verdict import Hold, HoldReason
from controller.versions import Target

_ORPHAN_SAMPLES = 3
_ORPHAN_DEADLINE = timedelta(hours=3)
"""For clusters in flight whose group is declared no more: the defaults of the declaration."""


def observe_progress(draft: Draft) -> None:
    """Move every cluster of a followed rollout as far as this cycle's observation allows."""
    for rollout in draft.followed():
        for name, record in tuple(rollout.clusters.items()):
            if record.state is ClusterState.PENDING:
                entry = _late_write(draft, rollout, name, record)
            else:
                entry = _judge(draft, rollout, name, record)
            if entry is not None:
                draft.add(entry)


def _late_write(draft: Draft, rollout: RolloutRecord, name: str, record: ClusterRecord) -> Entry | None:
    """See whether a write that was given up as untaken was taken after all."""
    if record.started_at is None or record.refusal or not rollout.is_running:
        return None
    reading, target = draft.reading(name), rollout.target
    if isinstance(reading, Reading) and asks_for(reading, target) and not runs(reading, target):
        return StartAccepted(rollout.id, name)
    return None


def _judge(draft: Draft, rollout: RolloutRecord, name: str, record: ClusterRecord) -> Entry | None:
    reading = draft.reading(name)
    if not isinstance(reading, Reading) or not reading.full:
        samples = draft.samples.get(name, draft.sampled(name))
        draft.samples[name] = replace(samples, healthy=0)
        return None
    match record.state:
        case ClusterState.STARTED | ClusterState.DOWNGRADING:
            return _judge_started(draft, rollout, name, reading)
        case ClusterState.CONVERGED | ClusterState.SOAKED if rollout.is_running:
            return _judge_converged(draft, rollout, name, reading)
        case ClusterState.FAILED | ClusterState.QUARANTINED if record.holds_slot and is_well(reading):
            return SlotFreed(rollout.id, name)
        case _:
            return None


def _judge_started(draft: Draft, rollout: RolloutRecord, name: str, reading: Reading) -> Entry | None:
    record = rollout.clusters[name]
    aim = rollout.target if record.aim is None else record.aim
    if not record.accepted and asks_for(reading, aim):
        draft.add(StartAccepted(rollout.id, name))
    elif not record.accepted:
        return _withdraw(draft, rollout, name, record)
    if reading.refused is not None:
        return ClusterFailed(rollout.id, rollout.group, name, f"its operator refused: {reading.refused}")
    if runs(reading, aim) and is_well(reading):
        healthy = draft.sampled(name).healthy + 1
        if healthy >= _samples(draft, rollout):
            return _arrived(draft, rollout, name, record)  # a next start, even in this cycle, counts anew
        draft.samples[name] = Samples(healthy=healthy)
        return None
    return _judge_deadline(draft, rollout, name, reading, aim)


def _arrived(draft: Draft, rollout: RolloutRecord, name: str, record: ClusterRecord) -> Entry | None:
    """Tell what a cluster is that reached what it was started for; one that failed and is back waits for a person."""
    if record.state is ClusterState.STARTED:
        return ClusterConverged(rollout.id, name)
    if not record.cause:
        return ClusterReturned(rollout.id, name)
    draft.add(SlotFreed(rollout.id, name))
    quarantine(draft, rollout, name)
    return None


def _withdraw(draft: Draft, rollout: RolloutRecord, name: str, record: ClusterRecord) -> Entry | None:
    """Give up a start that the live fleet does not show, once its write can no longer arrive."""
    assert record.expires_at is not None, (name, record)
    if draft.now < record.expires_at + draft.snapshot.write_limit:
        return None
    return StartWithdrawn(rollout.id, name)


def _judge_deadline(draft: Draft, rollout: RolloutRecord, name: str, reading: Reading, aim: Target) -> Entry | None:
    record = rollout.clusters[name]
    assert record.started_at is not None, (name, record)
    deadline = _deadline(draft, rollout)
    if draft.now < record.started_at + deadline:
        return None
    cause = f"not healthy on {aim} after {format_duration(deadline)}: {describe(reading)}"
    return ClusterFailed(rollout.id, rollout.group, name, cause)


def overdue(draft: Draft, group: ClusterGroup, rollout: RolloutRecord) -> Iterator[Hold]:
    """Yield which started clusters are past their deadline and cannot be seen, or not in full: each holds its wave."""
    for name, record in rollout.clusters.items():
        reading = draft.reading(name)
        if record.state is not ClusterState.STARTED or (isinstance(reading, Reading) and reading.full):
            continue
        assert record.started_at is not None, (name, record)
        if draft.now >= record.started_at + group.strategy.deadline:
            detail = "it is past its deadline and cannot be seen; it fails or converges once it is seen"
            yield Hold(HoldReason.UNKNOWN_PAST_DEADLINE, detail, cluster=name)


def _judge_converged(draft: Draft, rollout: RolloutRecord, name: str, reading: Reading) -> Entry | None:
    if not is_sick(reading):
        return None
    unhealthy = draft.sampled(name).unhealthy + 1
    draft.samples[name] = Samples(unhealthy=unhealthy)
    if unhealthy < _samples(draft, rollout):
        return None
    return ClusterFailed(
        rollout.id, rollout.group, name, f"unhealthy after it converged on {rollout.target}: {describe(reading)}"
    )


def _samples(draft: Draft, rollout: RolloutRecord) -> int:
    group = draft.groups.get(rollout.group)
    return _ORPHAN_SAMPLES if group is None else group.samples


def _deadline(draft: Draft, rollout: RolloutRecord) -> timedelta:
    group = draft.groups.get(rollout.group)
    return _ORPHAN_DEADLINE if group is None else group.strategy.deadline
