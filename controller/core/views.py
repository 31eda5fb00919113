"""Every group as people see it: made once here, shown the same by every channel, command and page.

A group has one view of its way to its release, and one of its finalization while that is not done.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from controller.core.admission import Admission
from controller.core.draft import Draft
from controller.core.drift import drift_of
from controller.core.explain import Judgement, Subject, sentence_of
from controller.core.gates.health import health
from controller.core.gates.stopped import stopped
from controller.core.hops import is_older
from controller.core.progress import overdue
from controller.core.questions import (
    cluster_answers,
    fleet_answers,
    group_answers,
    halt_answer,
    holds_of,
    whole_answer,
)
from controller.core.soak import soak_of
from controller.core.steps import level_of, reached_at
from controller.core.urgency import expedited
from controller.core.waves import waves_to_come
from controller.core.ways import above_target
from controller.history.entries import GroupJudged
from controller.history.records import ClusterState, GroupState, Outcome, RolloutKind, RolloutRecord, StopKind, Way
from controller.model.declaration import ClusterGroup
from controller.model.drift import Drift
from controller.model.durations import format_moment
from controller.model.observation import Reading
from controller.model.outbox import StatusState
from controller.model.verdict import Hold, HoldReason
from controller.model.view import GroupView, WaveView
from controller.versions import KafkaVersion, MetadataVersion, Target

HOLDS_RECORDED_MAX = 100
"""Holds of one group that an entry lists; the plan itself has all of them."""

_REACHED = (ClusterState.CONVERGED, ClusterState.SOAKED)


def views_of(draft: Draft, admission: Admission) -> tuple[GroupView, ...]:
    """Return every declared group's views, in the order of their names."""
    rested = still_at_rest(draft)
    return tuple(
        view
        for group in draft.groups.values()
        for view in (
            (rested[group.name],)
            if group.name in rested
            else (_view(draft, subject, admission) for subject in _subjects(draft, group))
        )
    )


def still_at_rest(draft: Draft) -> Mapping[str, GroupView]:
    """Return the last cycle's words on groups at rest, where neither it nor this one decided or saw anything new."""
    snapshot = draft.snapshot
    is_quiet = draft.news.is_none and not draft.entries and not snapshot.requests
    return snapshot.memory.rested if is_quiet and not snapshot.observation.unreachable else {}


def at_rest(draft: Draft, views: Sequence[GroupView]) -> Mapping[str, GroupView]:
    """Return the views that the next cycle may say again if nothing is new: of groups that wait for nothing."""
    if draft.entries or draft.snapshot.observation.unreachable:
        return {}
    several = {view.name for view in views if view.kind is RolloutKind.METADATA}
    return {
        view.name: view
        for view in views
        if view.state is StatusState.SUCCESS and not view.holds and view.name not in several
    }


def _subjects(draft: Draft, group: ClusterGroup) -> Iterator[Subject]:
    rollout = draft.running(group.name) or _last_rollout(draft, group, group.target)
    yield Subject(group, RolloutKind.SOFTWARE, group.target, draft.drifts[group.name], rollout)
    level = level_of(draft, group)
    if level is None:
        return
    finalization = draft.running(group.name, finalizing=True) or _last_rollout(draft, group, level)
    lowest = draft.drifts[group.name].lowest
    moving = draft.running(group.name) is not None or draft.drifts[group.name].below
    arrived = not moving or reached_at(draft, group) is not None
    if finalization is not None or (arrived and lowest is not None and lowest < level):
        drift = drift_of(draft.members(group.name), draft.clusters, level)
        yield Subject(group, RolloutKind.METADATA, level, drift, finalization)


def _last_rollout(draft: Draft, group: ClusterGroup, target: Target) -> RolloutRecord | None:
    ended = [
        rollout
        for rollout in draft.recall.rollouts_of(group.name)
        if rollout.target == target and not rollout.is_running
        if isinstance(target, KafkaVersion) or rollout.way is Way.FINALIZE
    ]
    return max(ended, key=lambda rollout: rollout.id, default=None)


def _view(draft: Draft, subject: Subject, admission: Admission) -> GroupView:
    rollout, group = subject.rollout, subject.group
    waves = () if rollout is None else _waves(draft, rollout, group)
    holds = tuple(dict.fromkeys(_holds(draft, subject, admission)))
    state = _state(draft, subject)
    turn = admission.turn_of(rollout)
    return GroupView(
        name=group.name,
        kind=subject.kind,
        target=subject.target,
        rollout=None if rollout is None else rollout.id,
        state=state,
        sentence=sentence_of(draft, Judgement(subject, turn, waves, holds, state)),
        done=subject.drift.on_target,
        in_flight=_in_flight(draft, subject),
        of=subject.drift.of,
        waves=waves,
        holds=holds,
        revision=draft.recall.declared[group.name].revision,
        via=rollout.target if rollout is not None and rollout.target != subject.target else None,
        warnings=tuple(_warnings(draft, subject)) if subject.kind is RolloutKind.SOFTWARE else (),
    )


def _in_flight(draft: Draft, subject: Subject) -> int:
    """Count what is in flight for this subject: for its finalization, or for anything else."""
    finalizing = draft.running(subject.group.name, finalizing=True)
    own = 0 if finalizing is None else len(finalizing.in_flight)
    return own if subject.kind is RolloutKind.METADATA else draft.in_flight_count(subject.group.name) - own


def _waves(draft: Draft, rollout: RolloutRecord, group: ClusterGroup) -> tuple[WaveView, ...]:
    """Return the rollout's waves, as they were shown last where nothing was decided of it since."""
    shown = draft.snapshot.memory.waves.get(rollout.id)
    if shown is not None and draft.news.is_as_before(rollout) and not draft.snapshot.declaration.expedite:
        return shown
    return tuple(_waves_anew(draft, rollout, group))


def _waves_anew(draft: Draft, rollout: RolloutRecord, group: ClusterGroup) -> Iterator[WaveView]:
    for wave in rollout.waves:
        members = list(rollout.members(wave.number))
        yield WaveView(
            number=wave.number,
            name=wave.name,
            clusters=tuple(name for name, _ in members),
            soak=soak_of(draft, group, rollout, wave),
            admitted=True,
            done=sum(record.state in _REACHED for _, record in members),
            has_soaked=wave.soaked_at is not None,
        )
    if rollout.is_running:
        coming = enumerate(waves_to_come(rollout, group, draft.terrain), start=len(rollout.waves) + 1)
        for number, (name, definition, clusters) in coming:
            yield WaveView(number, name, clusters, definition.soak, admitted=False, done=0, has_soaked=False)


def _state(draft: Draft, subject: Subject) -> StatusState:
    group, rollout, drift = subject.group, subject.rollout, subject.drift
    halted = group.halted or any(draft.open_stops(group.name, StopKind.HALT))
    if halted and (rollout is None or rollout.is_running):
        return StatusState.FAILURE
    if rollout is not None and rollout.is_running:
        return StatusState.PENDING
    if rollout is not None and rollout.outcome is Outcome.FAILED and any(draft.open_stops(group.name)):
        return StatusState.FAILURE
    missing = draft.unlisted or draft.membership.missing.get(group.name)
    if drift.on_target and drift.on_target == drift.of and not missing:
        return StatusState.SUCCESS
    return StatusState.PENDING


def _holds(draft: Draft, subject: Subject, admission: Admission) -> Iterator[Hold]:
    turn = admission.turn_of(subject.rollout)
    if turn is not None:
        yield from turn.all_holds
    elif subject.kind is RolloutKind.METADATA:
        if subject.drift.below:
            yield from holds_of((whole_answer(draft, subject.group),))
    elif subject.drift.below:
        yield from (*holds_of(fleet_answers(draft)), *holds_of(group_answers(draft, subject.group, None)))
    else:
        yield from holds_of((halt_answer(draft, subject.group),))
    if subject.kind is RolloutKind.SOFTWARE:
        yield from admission.returns.get(subject.group.name, ())
        asked = {hold.cluster for hold in turn.candidates.holds} if turn is not None else set()
        yield from _holds_of_clusters(draft, subject, asked)
    else:
        members = {} if turn is None else turn.rollout.clusters
        rolled = set(subject.drift.below) - set(draft.drifts[subject.group.name].below)
        yield from _outside(draft, subject.group, sorted(rolled - members.keys()))
    if subject.rollout is not None:
        told = () if turn is None else turn.holds
        yield from (hold for hold in overdue(draft, subject.group, subject.rollout) if hold not in told)


def _holds_of_clusters(draft: Draft, subject: Subject, asked: set[str | None]) -> Iterator[Hold]:
    """Yield what holds clusters that no wave asked about."""
    group, drift, membership = subject.group, subject.drift, draft.membership
    for name in membership.missing.get(group.name, ()):
        detail = f"{group.name} names it, and no one live cluster has that name"
        yield Hold(HoldReason.CLUSTER_MISSING, detail, cluster=name)
    for name, groups in membership.claimed_twice.items():
        if group.name in groups:
            detail = f"groups {' and '.join(groups)} claim it; leave it to one of them"
            yield Hold(HoldReason.CLAIMED_TWICE, detail, cluster=name)
    members = subject.rollout.clusters if subject.rollout is not None and subject.rollout.is_running else {}
    for name in drift.above:
        if name not in members:
            yield above_target(draft, group, name, group.target).of(name)
    outside = (name for name in drift.below if name not in members and name not in asked)
    yield from _outside(draft, group, outside)
    yield from _unhealthy(draft, drift, asked)
    for stop in draft.cluster_stops:
        verdict = stopped((stop,), group.name, draft.groups)
        ours = group.name in (stop.scope, membership.owner.get(stop.cluster or ""))
        if ours and stop.cluster not in asked and isinstance(verdict, Hold):
            yield verdict.of(stop.cluster or "")


_ONLY_PEOPLE = (
    HoldReason.CLUSTER_HELD,
    HoldReason.SEEN_TWICE,
    HoldReason.OWNED_ELSEWHERE,
    HoldReason.OPERATOR_UNSUPPORTED,
)
"""Why a cluster waits outside of any rollout until a person lets it go on (``core.barred``)."""


def _outside(draft: Draft, group: ClusterGroup, names: Iterable[str]) -> Iterator[Hold]:
    """Yield who of the clusters below the target that wait outside of any running rollout is held, and why."""
    for name in names:
        for hold in holds_of(cluster_answers(draft, group, None, name)):
            if hold.reason in _ONLY_PEOPLE:
                yield hold.of(name)


def _unhealthy(draft: Draft, drift: Drift, asked: set[str | None]) -> Iterator[Hold]:
    """Yield what is wrong with clusters on target: it holds no start, and people should know."""
    for name in drift.sick:
        reading = draft.reading(name)
        assert isinstance(reading, Reading), (name, reading)
        verdict = health(reading)
        if name not in asked and name not in drift.below and reading.settled and isinstance(verdict, Hold):
            yield verdict.of(name)


def _warnings(draft: Draft, subject: Subject) -> Iterator[str]:
    """Yield what speaks against the target and holds nothing, while anybody still has to go there."""
    group, drift = subject.group, subject.drift
    yield from _never_lowered(draft, group)
    row = draft.catalog.releases.get(group.target)
    if not drift.below or row is None:
        return
    if row.broker_cves:
        yield f"{group.target} has known CVEs: {', '.join(row.broker_cves)}"
    if row.client_bugs:
        yield f"{group.target} ships clients with known bugs: {', '.join(row.client_bugs)}"
    newer = sorted(release for release in drift.releases if is_older(group.target, release, draft.catalog))
    for each in expedited(draft, group, subject.rollout):
        until = format_moment(each.until, draft.now)
        yield f"{group.target} is expedited by {each.by} until {until}: {each.reason}"
    if newer:
        yield f"{group.target} came out before {newer[-1]}, which runs now, and may lack fixes that it has"
    unfinished = [
        str(rollout.target)
        for rollout in draft.recall.rollouts_of(group.name)
        if rollout.way is Way.FINALIZE and rollout.outcome is Outcome.SUPERSEDED
        if isinstance(rollout.target, MetadataVersion) and _lacks(draft, group, rollout.target)
    ]
    if unfinished:
        yield f"the finalization of {unfinished[-1]} was not finished"


def _never_lowered(draft: Draft, group: ClusterGroup) -> Iterator[str]:
    declared = group.metadata_version
    if isinstance(declared, MetadataVersion):
        readings = (draft.reading(name) for name in draft.members(group.name))
        levels = [each.metadata_version for each in readings if isinstance(each, Reading) and each.metadata_version]
        higher = [level for level in levels if level > declared]
        if higher:
            yield f"metadataVersion {declared} changes nothing where {max(higher)} is finalized: it is never lowered"


def _lacks(draft: Draft, group: ClusterGroup, level: MetadataVersion) -> bool:
    return bool(drift_of(draft.members(group.name), draft.clusters, level).below)


def judged(view: GroupView, draft: Draft) -> GroupJudged | None:
    """Return what to record of ``view``; None where the last word still stands (details and times aside)."""
    holds = tuple((hold.reason.value, hold.detail, hold.cluster or "") for hold in _recorded(view.holds))
    last = draft.recall.groups.get(view.context)
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
        kind=view.kind,
    )


def _recorded(holds: Sequence[Hold]) -> Sequence[Hold]:
    """Return what is worth recording: while only a person can lift one, windows that open and close are no news."""
    if any(hold.stands_still for hold in holds):
        holds = [hold for hold in holds if hold.recheck_at is None or hold.cluster is not None]
    return holds[:HOLDS_RECORDED_MAX]


def _counts(last: GroupState) -> tuple[str, int, int, int, str]:
    return (last.target, last.done, last.in_flight, last.of, last.sentence)
