"""Every group as people see it: made once here, shown the same by every channel, command and page."""

from collections.abc import Iterable, Iterator, Mapping

from controller.core.admission import Admission, Turn
from controller.core.draft import Draft
from controller.core.explain import Judgement, sentence_of
from controller.core.gates.health import health
from controller.core.questions import ahead_of_target, fleet_answers, group_answers, halt_answer, holds_of
from controller.core.waves import definition_of, waves_to_come
from controller.model.declaration import ClusterGroup
from controller.model.entries import GroupJudged
from controller.model.history import ClusterState, GroupState, Outcome, RolloutKind, RolloutRecord, StopKind
from controller.model.observation import Reading
from controller.model.outbox import StatusState
from controller.model.plan import GroupView, WaveView
from controller.model.verdict import Hold, HoldReason

HOLDS_RECORDED_MAX = 100
"""Holds of one group that an entry lists; the plan itself has all of them."""

_REACHED = (ClusterState.CONVERGED, ClusterState.SOAKED)


def views_of(draft: Draft, admission: Admission) -> tuple[GroupView, ...]:
    """Return every declared group's view, in the order of their names."""
    fleet = holds_of(fleet_answers(draft))
    return tuple(_view(draft, group, admission.turns.get(group.name), fleet) for group in draft.groups.values())


def _view(draft: Draft, group: ClusterGroup, turn: Turn | None, fleet: tuple[Hold, ...]) -> GroupView:
    rollout = draft.running(group.name) or _last_rollout(draft, group)
    drift = draft.drifts[group.name]
    waves = () if rollout is None else tuple(_waves(rollout, group))
    holds = tuple(_holds(draft, group, turn, rollout, fleet))
    state = _state(draft, group, rollout)
    in_flight = draft.in_flight_count(group.name)
    return GroupView(
        name=group.name,
        target=group.target,
        rollout=None if rollout is None else rollout.id,
        kind=None if rollout is None else RolloutKind.SOFTWARE,
        state=state,
        sentence=sentence_of(draft, Judgement(group, rollout, turn, waves, holds, state)),
        done=drift.on_target,
        in_flight=in_flight,
        of=drift.of,
        waves=waves,
        holds=holds,
        revision=draft.recall.declared[group.name].revision,
    )


def _last_rollout(draft: Draft, group: ClusterGroup) -> RolloutRecord | None:
    ended = [
        rollout
        for rollout in draft.recall.rollouts.values()
        if rollout.group == group.name and rollout.target == group.target and not rollout.is_running
    ]
    return max(ended, key=lambda rollout: rollout.id, default=None)


def _waves(rollout: RolloutRecord, group: ClusterGroup) -> Iterator[WaveView]:
    for wave in rollout.waves:
        members = list(rollout.members(wave.number))
        yield WaveView(
            number=wave.number,
            name=wave.name,
            clusters=tuple(name for name, _ in members),
            soak=definition_of(wave, group).soak,
            admitted=True,
            done=sum(record.state in _REACHED for _, record in members),
            has_soaked=wave.soaked_at is not None,
        )
    if rollout.is_running:
        coming = enumerate(waves_to_come(rollout, group), start=len(rollout.waves) + 1)
        for number, (name, definition, clusters) in coming:
            yield WaveView(number, name, clusters, definition.soak, admitted=False, done=0, has_soaked=False)


def _state(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None) -> StatusState:
    halted = group.halted or any(draft.open_stops(group.name, StopKind.HALT))
    if halted and (rollout is None or rollout.is_running):
        return StatusState.FAILURE
    if rollout is not None and rollout.is_running:
        return StatusState.PENDING
    if rollout is not None and rollout.outcome is Outcome.FAILED and any(draft.open_stops(group.name)):
        return StatusState.FAILURE
    drift = draft.drifts[group.name]
    missing = draft.unlisted or draft.membership.missing.get(group.name)
    if drift.on_target and drift.on_target == drift.of and not missing:
        return StatusState.SUCCESS
    return StatusState.PENDING


def _holds(
    draft: Draft, group: ClusterGroup, turn: Turn | None, rollout: RolloutRecord | None, fleet: tuple[Hold, ...]
) -> Iterator[Hold]:
    drift, membership = draft.drifts[group.name], draft.membership
    if turn is not None:
        yield from turn.all_holds
    elif drift.below:
        yield from (*fleet, *holds_of(group_answers(draft, group)))
    else:
        yield from holds_of((halt_answer(draft, group),))
    for name in membership.missing.get(group.name, ()):
        yield Hold(
            HoldReason.CLUSTER_MISSING, f"{group.name} names it, and no one live cluster has that name", cluster=name
        )
    for name, groups in membership.claimed_twice.items():
        if group.name in groups:
            detail = f"groups {' and '.join(groups)} claim it; leave it to one of them"
            yield Hold(HoldReason.CLAIMED_TWICE, detail, cluster=name)
    for name in drift.above:
        reading = draft.reading(name)
        assert isinstance(reading, Reading), (name, reading)
        yield ahead_of_target(reading, group.target).of(name)
    yield from _unhealthy(draft, drift.sick)
    asked = {hold.cluster for hold in turn.candidates.holds} if turn is not None else set()
    for stop in draft.cluster_stops:
        if stop.scope == group.name and stop.cluster not in asked:
            quarantined = stop.kind is StopKind.QUARANTINE
            reason = HoldReason.CLUSTER_QUARANTINED if quarantined else HoldReason.CHANGED_BY_OTHERS
            detail = f"{stop.detail}; to go on merge acknowledge: [{stop.id}]"
            yield Hold(reason, detail, cluster=stop.cluster)
    if rollout is not None:
        yield from _past_deadline(draft, group, rollout)


def _unhealthy(draft: Draft, names: Iterable[str]) -> Iterator[Hold]:
    """Yield what is wrong with clusters on target: it holds no start, and people should know."""
    for name in names:
        reading = draft.reading(name)
        assert isinstance(reading, Reading), (name, reading)
        verdict = health(reading)
        assert isinstance(verdict, Hold), (name, verdict)
        yield verdict.of(name)


def _past_deadline(draft: Draft, group: ClusterGroup, rollout: RolloutRecord) -> Iterator[Hold]:
    for name, record in rollout.clusters.items():
        if record.state is not ClusterState.STARTED or isinstance(draft.reading(name), Reading):
            continue
        assert record.started_at is not None, (name, record)
        if draft.now >= record.started_at + group.strategy.deadline:
            detail = "it is past its deadline and cannot be seen; it fails or converges once it is seen"
            yield Hold(HoldReason.UNKNOWN_PAST_DEADLINE, detail, cluster=name)


def judged(view: GroupView, draft: Draft) -> GroupJudged | None:
    """Return what to record of ``view``; None where the last word still stands (details and times aside)."""
    holds = tuple((hold.reason.value, hold.detail, hold.cluster or "") for hold in view.holds[:HOLDS_RECORDED_MAX])
    last = draft.recall.groups.get(view.name)
    before: Mapping[tuple[str, str], str] = {} if last is None else {(r, c): d for r, d, c in last.holds}
    begun = tuple(hold for hold in holds if (hold[0], hold[2]) not in before)
    counts = (str(view.target), view.done, view.in_flight, view.of, view.sentence)
    same_holds = not begun and len(before) == len({(reason, cluster) for reason, _, cluster in holds})
    if last is not None and same_holds and counts == _counts(last):
        return None
    return GroupJudged(
        group=view.name,
        target=str(view.target),
        sentence=view.sentence,
        done=view.done,
        in_flight=view.in_flight,
        of=view.of,
        holds=holds,
        begun=begun,
        rollout=view.rollout,
    )


def _counts(last: GroupState) -> tuple[str, int, int, int, str]:
    return (last.target, last.done, last.in_flight, last.of, last.sentence)
