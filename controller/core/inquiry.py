"""Answers one question of a person: why does this cluster not move?

Asks the gates as the cycle does, every one of them, and for the wave that the cluster is in or would go in.
"""

from collections.abc import Iterator

from controller.core.admission import admit
from controller.core.draft import Draft, may_finalize
from controller.core.drift import describe, runs
from controller.core.gates.health import health
from controller.core.gates.limits import limits
from controller.core.gates.observation import observation
from controller.core.hops import DeadEnd, Position, whole_way
from controller.core.plan import judge
from controller.core.questions import (
    cluster_answers,
    domain_answer,
    fleet_answers,
    group_answers,
    refill_answer,
    wave_answers,
    whole_answer,
)
from controller.core.steps import level_of
from controller.core.views import views_of
from controller.core.waves import definition_of, waves_to_come
from controller.history.records import ClusterRecord, RolloutKind, RolloutRecord, Way
from controller.model.declaration import ClusterGroup, Wave
from controller.model.durations import format_moment
from controller.model.names import last_part
from controller.model.observation import Reading
from controller.model.plan import Explanation, Passage
from controller.model.snapshot import Snapshot
from controller.model.verdict import Answer, Hold, HoldReason
from controller.versions import MetadataVersion, Target

_NEED_TARGET = ("hop", "operator")


def matching(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    """Return the full names of the clusters that ``name``, short or full, may mean."""
    known = {*snapshot.observation.clusters, *(c for r in snapshot.history.rollouts.values() for c in r.clusters)}
    return (name,) if name in known else tuple(sorted(each for each in known if last_part(each) == name))


def explain_cluster(snapshot: Snapshot, cluster: str) -> Explanation:
    """Return every gate's answer for ``cluster``, a full name."""
    draft = judge(snapshot)
    claimed_by = draft.membership.claimed_twice.get(cluster, ())
    if claimed_by:
        return _claimed_twice(draft, cluster, claimed_by)
    group = draft.groups.get(draft.membership.owner.get(cluster, ""))
    if group is None:
        return _unclaimed(draft, cluster)
    rollout = _rollout_of(draft, group, cluster)
    reading = draft.reading(cluster)
    target: Target = group.target if rollout is None else rollout.target
    record = None if rollout is None else rollout.clusters.get(cluster)
    if isinstance(reading, Reading) and runs(reading, target):
        return _on_target(draft, group, cluster, record)
    if rollout is not None and record is not None and record.is_moving:
        return _under_way(draft, group, rollout, cluster)
    kind = RolloutKind.METADATA if isinstance(target, MetadataVersion) else RolloutKind.SOFTWARE
    views = views_of(draft, admit(draft))
    return Explanation(
        cluster=cluster,
        group=group.name,
        target=target,
        place=group.target_place,
        state=None if record is None else record.state,
        wave=_wave_name(draft, group, rollout, cluster),
        reading=reading,
        answers=tuple(_answers(draft, group, rollout, cluster)),
        sentence=next(view.sentence for view in views if view.name == group.name and view.kind is kind),
    )


def _rollout_of(draft: Draft, group: ClusterGroup, cluster: str) -> RolloutRecord | None:
    """Return the rollout that the cluster is in: its finalization once it runs its release."""
    reading, finalization = draft.reading(cluster), draft.running(group.name, finalizing=True)
    arrived = isinstance(reading, Reading) and runs(reading, group.target)
    if arrived and finalization is not None and cluster in finalization.clusters:
        return finalization
    running = draft.running(group.name)
    return running if running is not None and cluster in running.clusters else None


def _answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None, cluster: str) -> Iterator[Answer]:
    yield from fleet_answers(draft, downwards=rollout is not None and rollout.way is Way.DOWN)
    running = draft.running(group.name)
    nowhere = rollout is None and cluster in draft.drifts[group.name].above
    yield from group_answers(draft, group, running if nowhere else rollout)
    wave = None if rollout is None else _wave_of(draft, rollout, group, cluster)
    if rollout is not None and wave is not None:
        if rollout.clusters[cluster].wave is not None:
            yield refill_answer(draft, group, rollout, wave[1])
        else:
            yield from wave_answers(draft, group, rollout, wave[1])
        yield from _limit_answers(draft, group, wave[1], cluster)
    if rollout is None and running is not None and cluster in draft.drifts[group.name].below:
        detail = f"the group's rollout to {running.target} has to end before the one that takes it along"
        yield Answer("rollout", Hold(HoldReason.WAVE_UNDER_WAY, detail))
    yield from cluster_answers(draft, group, rollout, cluster)


def _limit_answers(draft: Draft, group: ClusterGroup, wave: Wave, cluster: str) -> Iterator[Answer]:
    fleet_max, of_group = draft.snapshot.declaration.limits.clusters_in_flight, draft.in_flight_count(group.name)
    in_flight = draft.in_flight_count()
    verdict = limits(fleet=in_flight, fleet_max=fleet_max, group=of_group, wave_max=wave.max_in_flight)
    yield Answer("limits", verdict)
    yield Answer("domains", domain_answer(draft, cluster))


def _wave_name(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None, cluster: str) -> str:
    wave = None if rollout is None else _wave_of(draft, rollout, group, cluster)
    return "" if wave is None else wave[0]


def _on_target(draft: Draft, group: ClusterGroup, cluster: str, record: ClusterRecord | None) -> Explanation:
    """Answer for a cluster that has nowhere to go: it is asked whether it is healthy, and may finalize its level."""
    reading, level = draft.reading(cluster), level_of(draft, group)
    assert isinstance(reading, Reading), (cluster, reading)
    answers = [Answer("observation", observation(reading)), Answer("health", health(reading))]
    sentence = f"it runs its target, {group.target}"
    if level is not None and runs(reading, group.target) and not runs(reading, level):
        answers.append(whole_answer(draft, group))
        sentence += f", and has still to finalize {level}"
    returns = admit(draft).returns.get(group.name, ())
    answers.extend(Answer("way back", hold) for hold in returns if hold.cluster == cluster)
    return Explanation(
        cluster=cluster,
        group=group.name,
        target=group.target,
        place=group.target_place,
        state=None if record is None else record.state,
        wave="",
        reading=reading,
        answers=tuple(answers),
        sentence=sentence,
    )


def _under_way(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, cluster: str) -> Explanation:
    """Answer for a cluster that was started: no gate is asked of it any more, but whether it can be seen."""
    record = rollout.clusters[cluster]
    assert record.started_at is not None, (cluster, record)
    reading = draft.reading(cluster)
    began = format_moment(record.started_at, draft.now)
    ends = format_moment(record.started_at + group.strategy.deadline, draft.now)
    seen = f": {describe(reading)}" if isinstance(reading, Reading) else ""
    wave = next((wave.name for wave in rollout.waves if wave.number == record.wave), "")
    return Explanation(
        cluster=cluster,
        group=group.name,
        target=group.target,
        place=group.target_place,
        state=record.state,
        wave=wave,
        reading=reading,
        answers=(Answer("observation", observation(reading)),),
        sentence=f"it was started {began} and has until {ends} to be healthy on {record.aim or rollout.target}{seen}",
    )


def _unclaimed(draft: Draft, cluster: str) -> Explanation:
    answers: tuple[Answer, ...] = fleet_answers(draft)
    reading = draft.reading(cluster)
    sentence = "no group claims it: it is reported, and never touched"
    if cluster not in draft.clusters:
        answers = (*answers, Answer("observation", observation(reading)))
        unread = "whose it is shows once its source is read"
        sentence = "no source lists it any more" if reading is None else unread
    return Explanation(cluster, None, None, None, None, "", reading, answers, sentence)


def _claimed_twice(draft: Draft, cluster: str, groups: tuple[str, ...]) -> Explanation:
    """Answer for a cluster that more than one group claims: it has no target, so nothing is asked that needs one."""
    asked = cluster_answers(draft, draft.groups[groups[0]], None, cluster)
    answers = (*fleet_answers(draft), *(answer for answer in asked if answer.gate not in _NEED_TARGET))
    sentence = f"groups {' and '.join(groups)} claim it: neither moves it"
    return Explanation(cluster, None, None, None, None, "", draft.reading(cluster), answers, sentence)


def _wave_of(draft: Draft, rollout: RolloutRecord, group: ClusterGroup, cluster: str) -> tuple[str, Wave] | None:
    """Return name and rules of the wave that the cluster is in, or would go in now."""
    record = rollout.clusters[cluster]
    for wave in rollout.waves:
        if wave.number == record.wave:
            return wave.name, definition_of(wave, rollout, group)
    coming = waves_to_come(rollout, group, draft.terrain)
    return next(((name, definition) for name, definition, names in coming if cluster in names), None)


def passages_of(snapshot: Snapshot) -> tuple[Passage, ...]:
    """Return how every cluster below its target gets there, for each group those at the same point together."""
    draft = Draft(snapshot)
    return tuple(passage for group in draft.groups.values() for passage in _passages(draft, group))


def _passages(draft: Draft, group: ClusterGroup) -> Iterator[Passage]:
    points: dict[Position, list[str]] = {}
    for name in draft.drifts[group.name].below:
        reading = draft.reading(name)
        assert isinstance(reading, Reading), (name, reading)
        points.setdefault(Position.of(reading), []).append(name)
    for at, names in sorted(points.items(), key=lambda point: (point[0].release, str(point[0].level))):
        may = may_finalize(group, draft.catalog)
        way = whole_way(at, group.target, draft.catalog, group.accept_risks, may_finalize=may)
        shut = way.why if isinstance(way, DeadEnd) else ""
        steps = () if isinstance(way, DeadEnd) else tuple(hop.target for hop in way)
        yield Passage(group.name, at.release, at.level, tuple(names), steps, shut)
