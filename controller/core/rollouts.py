"""What each group sets out for: rollouts are planned, joined, left, superseded and withdrawn here.

A rollout is one group moving to one target. A cluster in flight belongs to the rollout that started it until it
has converged or failed, whatever is declared meanwhile.
"""

from collections.abc import Iterator
from datetime import datetime

from controller.core.barred import is_barred
from controller.core.draft import Draft
from controller.core.drift import runs
from controller.core.hops import Hop
from controller.core.questions import cluster_answers, holds_of
from controller.core.steps import (
    Step,
    can_return,
    has_failed,
    hop_of,
    late_comers,
    level_of,
    step_to_level,
    step_to_release,
    was_taken_to,
    why_not_in,
)
from controller.core.waves import order_of, split, waves_of
from controller.history.entries import (
    ClusterJoined,
    ClusterLeft,
    ClusterReplaced,
    RolloutEnded,
    RolloutPlanned,
    Stopped,
    TargetDeclared,
)
from controller.history.records import ClusterState, Outcome, RolloutKind, RolloutRecord, StopKind, Way
from controller.model.declaration import ClusterGroup
from controller.model.memory import Samples
from controller.model.names import source_of
from controller.model.observation import Reading
from controller.model.verdict import HoldReason
from controller.versions import KafkaVersion, MetadataVersion, Target

_REACHED = (ClusterState.CONVERGED, ClusterState.SOAKED)


def follow_declaration(draft: Draft) -> None:
    """Bring rollouts in line with what is declared and who is live."""
    _note_replaced(draft)
    for rollout in draft.followed():
        if rollout.is_running and rollout.group not in draft.groups:
            _end(draft, rollout, Outcome.WITHDRAWN, f"{rollout.group} is not declared any more")
    for group in draft.groups.values():
        _declare(draft, group)
        _supersede(draft, group)
        _follow(draft, group, finalizing=False)
        _follow(draft, group, finalizing=True)
    for rollout in draft.followed():
        if not rollout.is_running:
            _drop_gone(draft, rollout)


def _note_replaced(draft: Draft) -> None:
    """Forget clusters whose name another one has now, so that nothing is taken for proven that it never ran."""
    for name, kafka_id in tuple(draft.recall.ids.items()):
        reading = draft.reading(name)
        if isinstance(reading, Reading) and reading.kafka_id not in (None, kafka_id):
            assert reading.kafka_id is not None, (name, reading)
            draft.add(ClusterReplaced(name, reading.kafka_id))


def _declare(draft: Draft, group: ClusterGroup) -> None:
    declared = draft.recall.declared.get(group.name)
    level = str(group.metadata_version)
    if declared is not None and (declared.target, declared.metadata_version) == (group.target, level):
        return
    standing = draft.snapshot.standing
    revision = standing.declared_by.get(group.name, standing.in_force)
    draft.add(TargetDeclared(group.name, group.target, level, revision))


def _follow(draft: Draft, group: ClusterGroup, *, finalizing: bool) -> None:
    running = draft.running(group.name, finalizing=finalizing)
    if not finalizing:
        _note_changes_by_others(draft, group)
    if running is not None:
        _drop_gone(draft, running)
        _leave(draft, running, group)
        _join(draft, running, group)
        return
    step = step_to_level(draft, group) if finalizing else step_to_release(draft, group)
    if step is not None:
        _give_way(draft, group, step)
        _plan(draft, group, step)


def _supersede(draft: Draft, group: ClusterGroup) -> None:
    """End what the group does not declare any more, before anything is planned in its place."""
    for finalizing in (False, True):
        running = draft.running(group.name, finalizing=finalizing)
        why = None if running is None else _why_superseded(draft, group, running)
        if running is not None and why is not None:
            _end(draft, running, Outcome.SUPERSEDED, why)


def _why_superseded(draft: Draft, group: ClusterGroup, running: RolloutRecord) -> str | None:
    if running.group_target != group.target:
        return f"{group.name} now declares {group.target}"
    if running.way is Way.FINALIZE and running.target != level_of(draft, group):
        return f"{group.name} now declares metadataVersion: {group.metadata_version}"
    if running.way is Way.FORWARD and running.target == group.target:
        return _why_others_go_first(draft, group, running)
    return None


def _why_others_go_first(draft: Draft, group: ClusterGroup, running: RolloutRecord) -> str | None:
    """Tell who has to go elsewhere first, while all that is left in the rollout is held: that holds only itself."""
    first = next(_going_elsewhere(draft, group, running), None)
    if first is None or running.in_flight or any(wave.soaked_at is None for wave in running.waves):
        return None
    waiting = (name for name, record in running.clusters.items() if record.state is ClusterState.PENDING)
    if all(_is_kept(draft, group, running, name) for name in waiting):
        return f"all that is left in it is held, and {draft.short(first[0])} goes to {first[1]} first"
    return None


def _going_elsewhere(draft: Draft, group: ClusterGroup, running: RolloutRecord) -> Iterator[tuple[str, Target]]:
    """Yield who has to go down, or over what lies between, by a rollout of its own; with its next target."""
    drift, stopped = draft.drifts[group.name], draft.stopped()
    for name in (*drift.above, *drift.below):
        if name in running.clusters or name in stopped:
            continue
        hop = hop_of(draft, group, name)
        target = hop.target if isinstance(hop, Hop) else group.target
        goes = target != group.target or can_return(draft, group, name)
        if goes and not is_barred(draft, group, name, target):
            yield name, target


def _is_kept(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, name: str) -> bool:
    holds = holds_of(cluster_answers(draft, group, rollout, name))
    return any(hold.reason is not HoldReason.NOT_OBSERVED for hold in holds)


def _give_way(draft: Draft, group: ClusterGroup, step: Step) -> None:
    """End a finalization before somebody sets out for the release: the group has to be whole on it again first."""
    finalization = draft.running(group.name, finalizing=True)
    if finalization is not None and step.way is not Way.FINALIZE:
        who = ", ".join(draft.short(name) for name in step.members[:3])
        _end(draft, finalization, Outcome.SUPERSEDED, f"{who} must reach {step.target} first")


def _end(draft: Draft, rollout: RolloutRecord, outcome: Outcome, detail: str) -> None:
    draft.add(RolloutEnded(rollout.id, rollout.group, rollout.kind, rollout.target, rollout.revision, outcome, detail))


def _plan(draft: Draft, group: ClusterGroup, step: Step) -> None:
    members = order_of(step.target, step.members)
    first = 0
    if step.way is Way.DOWN:
        failed = tuple(name for name in members if has_failed(draft, group.name, name))
        first = len(failed)
        members = (*failed, *(name for name in members if name not in set(failed)))
    live = draft.drifts[group.name].of
    waves = split(members, waves_of(step.way, first, group), live, draft.terrain, first)
    draft.add(
        RolloutPlanned(
            rollout=draft.recall.next_rollout,
            group=group.name,
            kind=RolloutKind.METADATA if isinstance(step.target, MetadataVersion) else RolloutKind.SOFTWARE,
            target=step.target,
            revision=draft.recall.declared[group.name].revision,
            live=live,
            clusters=members,
            waves=tuple((wave.name, names) for wave, names in waves),
            group_target=group.target,
            way=step.way,
            first=first,
        )
    )


def _note_changes_by_others(draft: Draft, group: ClusterGroup) -> None:
    """Hold clusters that this ledger took higher than they run now, until a person has looked."""
    for name in draft.drifts[group.name].below:
        reading = draft.reading(name) if name in draft.recall.arrived else None
        if isinstance(reading, Reading) and reading.settled:
            _note_change(draft, group, name, reading)


def _note_change(draft: Draft, group: ClusterGroup, name: str, reading: Reading) -> None:
    reached, rollout, at = draft.recall.arrived.get(name, (None, 0, draft.now))
    if reached is None or reading.release >= reached or not was_taken_to(draft, name, reached):
        return
    if not _looked_at(draft, name, at):
        who = reading.changed_by or "somebody"
        detail = f"it reached {reached} and now runs {reading.release}: {who} changed it"
        number = draft.next_number(group.name)
        kind = StopKind.CHANGED_BY_OTHERS
        draft.add(Stopped(group.name, number, kind, detail, "observed", cluster=name, rollout=rollout))


def _looked_at(draft: Draft, name: str, since: datetime) -> bool:
    """Tell whether a stop was already made of this cluster's change ``since`` it converged."""
    stops = (stop for stop in draft.recall.stops.values() if stop.kind is StopKind.CHANGED_BY_OTHERS)
    return any(stop.cluster == name and stop.at >= since for stop in stops)


def _drop_gone(draft: Draft, rollout: RolloutRecord) -> None:
    """Let clusters go that their source, which could be read, did not list several times in a row."""
    needed = draft.groups[rollout.group].samples if rollout.group in draft.groups else 1
    unreachable = draft.snapshot.observation.unreachable
    for name in sorted(name for name in rollout.clusters if name not in draft.clusters):
        if source_of(name) in unreachable:
            continue  # after a restart nobody knows what an unreachable source listed
        absent = draft.sampled(name).absent + 1
        if absent >= needed:
            draft.add(ClusterLeft(rollout.id, name, f"gone: its source did not list it {absent} times in a row"))
        else:
            draft.samples[name] = Samples(absent=absent)


def _depends_on_people(rollout: RolloutRecord, group: ClusterGroup) -> bool:
    """Tell whether holds and stops, which come and go in time, decide who belongs in the rollout."""
    return rollout.way is Way.DOWN or (rollout.way is Way.FORWARD and rollout.target != group.target)


def _leave(draft: Draft, rollout: RolloutRecord, group: ClusterGroup) -> None:
    names = rollout.clusters if _depends_on_people(rollout, group) else draft.news.members(rollout)
    for name in tuple(names):
        why = _why_it_leaves(draft, group, rollout, name)
        if why is not None:
            draft.add(ClusterLeft(rollout.id, name, why))


def _why_it_leaves(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, name: str) -> str | None:
    record = rollout.clusters[name]
    if record.holds_slot or name not in draft.clusters:
        return None
    owner = draft.membership.owner.get(name)
    if owner != group.name:
        return f"moved: {owner} claims it" if owner is not None else "no longer claimed by this group alone"
    reading = draft.reading(name)
    if not isinstance(reading, Reading) or not reading.settled:
        return None
    if record.state in _REACHED:
        return _why_reached_is_over(draft, group, rollout, name, reading)
    if record.state is ClusterState.PENDING:
        return _why_pending_is_over(draft, group, rollout, name, reading)
    return None


def _why_reached_is_over(
    draft: Draft, group: ClusterGroup, rollout: RolloutRecord, name: str, reading: Reading
) -> str | None:
    """Tell why a cluster that had reached the target is no member any more: others changed it, or no wave soaks it."""
    if runs(reading, rollout.target):
        # What reached the target outside of any wave (set aside before its late write) is soaked by none.
        return "on target already" if rollout.clusters[name].wave is None else None
    if not isinstance(rollout.target, KafkaVersion):
        level = reading.metadata_version  # it is never lowered: this is another cluster by the same name
        return None if level is None else f"changed by others: its metadata.version is {level}"
    if reading.release < rollout.target:
        _note_change(draft, group, name, reading)
        return f"changed by others: it runs {reading.release}"
    return f"ahead of target: it runs {reading.highest}"


def _why_pending_is_over(
    draft: Draft, group: ClusterGroup, rollout: RolloutRecord, name: str, reading: Reading
) -> str | None:
    if runs(reading, rollout.target):
        return "on target already"
    if rollout.way is Way.FORWARD and isinstance(rollout.target, KafkaVersion) and reading.release >= rollout.target:
        return f"ahead of target: it runs {reading.highest}"
    return why_not_in(draft, group, rollout, name)


def _join(draft: Draft, rollout: RolloutRecord, group: ClusterGroup) -> None:
    if not _depends_on_people(rollout, group) and not draft.news.is_in(rollout):
        return
    for name in tuple(late_comers(draft, group, draft.recall.rollouts[rollout.id])):
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
            elif rollout.clusters or _is_on_target(draft, rollout):
                _end(draft, rollout, Outcome.CONVERGED, f"clusters: {len(rollout.clusters)}")
            else:
                _end(draft, rollout, Outcome.WITHDRAWN, "no cluster is left in it")


def _is_on_target(draft: Draft, rollout: RolloutRecord) -> bool:
    """Tell whether the group has clusters, and every one of them was seen on the rollout's target."""
    readings = [draft.reading(name) for name in draft.members(rollout.group)]
    return bool(readings) and all(isinstance(each, Reading) and runs(each, rollout.target) for each in readings)


def _is_at_rest(rollout: RolloutRecord) -> bool:
    resting = (ClusterState.SOAKED, ClusterState.QUARANTINED)
    return all(record.state in resting for record in rollout.clusters.values())
