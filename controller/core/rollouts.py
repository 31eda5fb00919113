"""What each group sets out for: rollouts are planned, joined, left, superseded and withdrawn here.

A rollout is one group moving to one target. A cluster in flight belongs to the rollout that started it until it
has converged or failed, whatever is declared meanwhile.
"""

from controller.core.draft import Draft
from controller.core.drift import runs
from controller.core.waves import order_of, split
from controller.model.declaration import ClusterGroup
from controller.model.entries import (
    ClusterJoined,
    ClusterLeft,
    RolloutEnded,
    RolloutPlanned,
    Stopped,
    TargetDeclared,
)
from controller.model.history import ClusterRecord, ClusterState, Outcome, RolloutKind, RolloutRecord, StopKind
from controller.model.memory import Samples
from controller.model.names import source_of
from controller.model.observation import Reading
from controller.model.versions import KafkaVersion

_REACHED = (ClusterState.CONVERGED, ClusterState.SOAKED)


def follow_declaration(draft: Draft) -> None:
    """Bring rollouts in line with what is declared and who is live."""
    for rollout in draft.followed():
        if rollout.is_running and rollout.group not in draft.groups:
            _end(draft, rollout, Outcome.WITHDRAWN, f"{rollout.group} is not declared any more")
    for group in draft.groups.values():
        _declare(draft, group)
        _follow(draft, group)
    for rollout in draft.followed():
        if not rollout.is_running:
            _drop_gone(draft, rollout)


def _declare(draft: Draft, group: ClusterGroup) -> None:
    declared = draft.recall.declared.get(group.name)
    level = str(group.metadata_version)
    if declared is not None and (declared.target, declared.metadata_version) == (group.target, level):
        return
    standing = draft.snapshot.standing
    revision = standing.declared_by.get(group.name, standing.in_force)
    draft.add(TargetDeclared(group.name, group.target, level, revision))


def _follow(draft: Draft, group: ClusterGroup) -> None:
    running = draft.running(group.name)
    if running is not None and running.target != group.target:
        _end(draft, running, Outcome.SUPERSEDED, f"{group.name} now declares {group.target}")
        running = None
    if running is None:
        _plan(draft, group)
    else:
        _drop_gone(draft, running)
        _leave(draft, running, group)
        _join(draft, running, group)


def _end(draft: Draft, rollout: RolloutRecord, outcome: Outcome, detail: str) -> None:
    draft.add(RolloutEnded(rollout.id, rollout.group, rollout.kind, rollout.target, rollout.revision, outcome, detail))


def _plan(draft: Draft, group: ClusterGroup) -> None:
    """Set out, if any cluster is below the target that no numbered stop holds."""
    drift = draft.drifts[group.name]
    if not drift.below:
        return
    _note_changes_by_others(draft, group)
    stopped = {stop.cluster for stop in draft.open_stops(group.name) if stop.cluster is not None}
    if not set(drift.below) - stopped:
        return
    members = order_of(group.target, (*drift.below, *drift.unknown))
    declared = draft.recall.declared[group.name]
    waves = split(members, group.strategy.waves, drift.of)
    draft.add(
        RolloutPlanned(
            rollout=draft.recall.next_rollout,
            group=group.name,
            kind=RolloutKind.SOFTWARE,
            target=group.target,
            revision=declared.revision,
            live=drift.of,
            clusters=members,
            waves=tuple((wave.name, names) for wave, names in waves),
        )
    )


def _note_changes_by_others(draft: Draft, group: ClusterGroup) -> None:
    """Hold clusters that this ledger took higher than they run now, until a person has looked."""
    for name in draft.drifts[group.name].below:
        reading = draft.reading(name)
        if isinstance(reading, Reading) and reading.settled:
            _note_change(draft, group, name, reading)


def _note_change(draft: Draft, group: ClusterGroup, name: str, reading: Reading) -> None:
    for rollout in tuple(draft.recall.rollouts.values()):
        record = rollout.clusters.get(name)
        if record is None or record.state not in _REACHED or rollout.kind is not RolloutKind.SOFTWARE:
            continue
        assert isinstance(rollout.target, KafkaVersion), rollout
        if reading.release < rollout.target and not _looked_at(draft, name, record):
            detail = f"it reached {rollout.target} and now runs {reading.release}: somebody changed it"
            draft.add(
                Stopped(
                    group.name,
                    draft.next_number(group.name),
                    StopKind.CHANGED_BY_OTHERS,
                    detail,
                    "observed",
                    cluster=name,
                    rollout=rollout.id,
                )
            )


def _looked_at(draft: Draft, name: str, record: ClusterRecord) -> bool:
    """Tell whether a stop was already made of this cluster's change since it converged."""
    return any(
        stop.cluster == name
        and stop.kind is StopKind.CHANGED_BY_OTHERS
        and (record.converged_at is None or stop.at >= record.converged_at)
        for stop in draft.recall.stops.values()
    )


def _drop_gone(draft: Draft, rollout: RolloutRecord) -> None:
    """Let clusters go that their source, which could be read, did not list several times in a row."""
    needed = draft.groups[rollout.group].samples if rollout.group in draft.groups else 1
    unreachable = draft.snapshot.observation.unreachable
    for name in sorted(rollout.clusters.keys() - draft.clusters.keys()):
        if source_of(name) in unreachable:
            continue  # after a restart nobody knows what an unreachable source listed
        absent = draft.sampled(name).absent + 1
        if absent >= needed:
            draft.add(ClusterLeft(rollout.id, name, f"gone: its source did not list it {absent} times in a row"))
        else:
            draft.samples[name] = Samples(absent=absent)


def _leave(draft: Draft, rollout: RolloutRecord, group: ClusterGroup) -> None:
    for name, record in tuple(rollout.clusters.items()):
        why = _why_it_leaves(draft, group, name, record)
        if why is not None:
            draft.add(ClusterLeft(rollout.id, name, why))


def _why_it_leaves(draft: Draft, group: ClusterGroup, name: str, record: ClusterRecord) -> str | None:
    if record.holds_slot or name not in draft.clusters:
        return None
    owner = draft.membership.owner.get(name)
    if owner != group.name:
        return f"moved: {owner} claims it" if owner is not None else "no longer claimed by this group alone"
    reading = draft.reading(name)
    return _why_it_is_over(draft, group, name, record, reading) if isinstance(reading, Reading) else None


def _why_it_is_over(
    draft: Draft, group: ClusterGroup, name: str, record: ClusterRecord, reading: Reading
) -> str | None:
    if not reading.settled:
        return None
    reached = record.state in _REACHED
    if reached and reading.release < group.target:
        _note_change(draft, group, name, reading)
        return f"changed by others: it runs {reading.release}"
    if not reached and (record.state is not ClusterState.PENDING or reading.release < group.target):
        return None
    if not runs(reading, group.target):
        return f"ahead of target: it runs {reading.highest}"
    # What reached the target outside of any wave (set aside before its late write) is soaked by none.
    return "on target already" if record.wave is None or not reached else None


def _join(draft: Draft, rollout: RolloutRecord, group: ClusterGroup) -> None:
    members = draft.recall.rollouts[rollout.id].clusters
    for name in draft.drifts[group.name].below:
        if name not in members:
            draft.add(ClusterJoined(rollout.id, name))


def end_rollouts(draft: Draft) -> None:
    """End each running rollout whose clusters have all come to rest, the last wave soaked."""
    for rollout in draft.followed():
        if rollout.is_running and _is_at_rest(rollout) and not draft.unlisted:
            quarantined = [
                draft.short(name)
                for name, record in rollout.clusters.items()
                if record.state is ClusterState.QUARANTINED
            ]
            if quarantined:
                _end(draft, rollout, Outcome.FAILED, f"{len(quarantined)} quarantined: {', '.join(quarantined[:10])}")
            elif rollout.clusters or _is_on_target(draft, rollout.group):
                _end(draft, rollout, Outcome.CONVERGED, f"clusters: {len(rollout.clusters)}")
            else:
                _end(draft, rollout, Outcome.WITHDRAWN, "no cluster is left in it")


def _is_on_target(draft: Draft, group: str) -> bool:
    """Tell whether the group has clusters, and every one of them was seen on target."""
    drift = draft.drifts[group]
    return 0 < drift.of == drift.on_target


def _is_at_rest(rollout: RolloutRecord) -> bool:
    resting = (ClusterState.SOAKED, ClusterState.QUARANTINED)
    return all(record.state in resting for record in rollout.clusters.values())
