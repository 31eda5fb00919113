"""Answers one question of a person: why does this cluster not move?

Asks the gates as the cycle does, every one of them, and for the wave that the cluster is in or would go in.
"""

from controller.core.admission import admit
from controller.core.draft import Draft
from controller.core.drift import runs
from controller.core.gates.health import health
from controller.core.gates.observation import observation
from controller.core.plan import judge
from controller.core.progress import describe
from controller.core.questions import cluster_answers, fleet_answers, group_answers, refill_answer, wave_answers
from controller.core.views import views_of
from controller.core.waves import definition_of, waves_to_come
from controller.model.declaration import ClusterGroup, Wave
from controller.model.durations import format_moment
from controller.model.history import ClusterRecord, ClusterState, RolloutRecord
from controller.model.names import last_part
from controller.model.observation import Reading
from controller.model.plan import Explanation
from controller.model.snapshot import Snapshot
from controller.model.verdict import Answer

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
    rollout = draft.running(group.name)
    record = None if rollout is None else rollout.clusters.get(cluster)
    wave = None if rollout is None else _wave_of(rollout, group, cluster)
    answers = [*fleet_answers(draft), *group_answers(draft, group)]
    reading = draft.reading(cluster)
    if isinstance(reading, Reading) and runs(reading, group.target):
        return _on_target(draft, group, cluster, record)
    if rollout is not None and record is not None and record.state is ClusterState.STARTED:
        return _under_way(draft, group, rollout, cluster)
    if rollout is not None and wave is not None:
        admitted = record is not None and record.wave is not None
        ask = (
            (refill_answer(draft, group, rollout, wave[1]),)
            if admitted
            else wave_answers(draft, group, rollout, wave[1])
        )
        answers.extend(ask)
    answers.extend(cluster_answers(draft, group, rollout, cluster))
    sentence = next(view.sentence for view in views_of(draft, admit(draft)) if view.name == group.name)
    return Explanation(
        cluster=cluster,
        group=group.name,
        target=group.target,
        place=group.target_place,
        state=None if record is None else record.state,
        wave="" if wave is None else wave[0],
        reading=reading,
        answers=tuple(answers),
        sentence=sentence,
    )


def _on_target(draft: Draft, group: ClusterGroup, cluster: str, record: ClusterRecord | None) -> Explanation:
    """Answer for a cluster that has nowhere to go: no gate is asked of it, but whether it is seen and healthy."""
    reading = draft.reading(cluster)
    assert isinstance(reading, Reading), (cluster, reading)
    return Explanation(
        cluster=cluster,
        group=group.name,
        target=group.target,
        place=group.target_place,
        state=None if record is None else record.state,
        wave="",
        reading=reading,
        answers=(Answer("observation", observation(reading)), Answer("health", health(reading))),
        sentence=f"it runs its target, {group.target}",
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
        sentence=f"it was started {began} and has until {ends} to be healthy on {group.target}{seen}",
    )


def _unclaimed(draft: Draft, cluster: str) -> Explanation:
    answers: tuple[Answer, ...] = fleet_answers(draft)
    reading = draft.reading(cluster)
    sentence = "no group claims it: it is reported, and never touched"
    if reading is None:
        answers = (*answers, Answer("observation", observation(reading)))
        sentence = "no source lists it any more"
    return Explanation(cluster, None, None, None, None, "", reading, answers, sentence)


def _claimed_twice(draft: Draft, cluster: str, groups: tuple[str, ...]) -> Explanation:
    """Answer for a cluster that more than one group claims: it has no target, so nothing is asked that needs one."""
    asked = cluster_answers(draft, draft.groups[groups[0]], None, cluster)
    answers = (*fleet_answers(draft), *(answer for answer in asked if answer.gate not in _NEED_TARGET))
    sentence = f"groups {' and '.join(groups)} claim it: neither moves it"
    return Explanation(cluster, None, None, None, None, "", draft.reading(cluster), answers, sentence)


def _wave_of(rollout: RolloutRecord, group: ClusterGroup, cluster: str) -> tuple[str, Wave] | None:
    """Return name and rules of the wave that the cluster is in, or would go in now."""
    record = rollout.clusters.get(cluster)
    if record is None:
        return None
    for wave in rollout.waves:
        if wave.number == record.wave:
            return wave.name, definition_of(wave, group)
    coming = waves_to_come(rollout, group)
    return next(((name, definition) for name, definition, names in coming if cluster in names), None)
