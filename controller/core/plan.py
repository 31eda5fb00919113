"""Choose what this cycle may change: the one decision this program makes.

    declared + observed + recorded  ->  plan_cycle  ->  Plan

What people said is taken in first, then what was declared, then what was seen; failures stop things before anything
starts, so that a halt and a suspect release bind in the very cycle in which the failure is seen. At most one new
wave is admitted, over the whole fleet. Same snapshot, same plan; linear in clusters.
"""

from collections.abc import Mapping

from controller.core.admission import Admission, Turn, admit
from controller.core.draft import Draft
from controller.core.progress import observe_progress
from controller.core.questions import fleet_answers, holds_of, note_order
from controller.core.rollouts import end_rollouts, follow_declaration
from controller.core.soak import credit_soaks
from controller.core.steps import note_reached
from controller.core.stops import judge_failures, take_acknowledgements, take_requests
from controller.core.views import at_rest, judged, still_at_rest, views_of
from controller.history.entries import ClusterStarted, WaveAdmitted
from controller.history.records import ClusterState, Way
from controller.model.memory import Memory
from controller.model.plan import GateSubject, Plan
from controller.model.snapshot import Snapshot
from controller.model.verdict import Hold, HoldReason

_READ_IN_FULL = frozenset(ClusterState) - {ClusterState.PENDING, ClusterState.QUARANTINED}


_ASKED_MEANWHILE = (
    HoldReason.GATE_FAILED,
    HoldReason.GATE_UNANSWERED,
    HoldReason.LIMIT_REACHED,
    HoldReason.OTHER_WAVE_FIRST,
)
"""What else may hold a group whose external gates are asked: it may be over in the next cycle."""


def plan_cycle(snapshot: Snapshot) -> Plan:
    """Return the next safe step of every cluster group, and why the rest does not move."""
    draft = judge(snapshot)
    admission = admit(draft)
    return _finish(draft, admission)


def judge(snapshot: Snapshot) -> Draft:
    """Judge everything that comes before a start: what was said, declared and seen, and what failed."""
    draft = Draft(snapshot)
    take_requests(draft)
    take_acknowledgements(draft)
    follow_declaration(draft)
    observe_progress(draft)
    judge_failures(draft)
    credit_soaks(draft)
    end_rollouts(draft)
    draft.count_slots()
    note_reached(draft)
    note_order(draft)
    return draft


def _finish(draft: Draft, admission: Admission) -> Plan:
    snapshot = draft.snapshot
    fleet = holds_of(fleet_answers(draft))
    rested = still_at_rest(draft)
    views = views_of(draft, admission)
    for view in views:
        entry = judged(view, draft) if view is not rested.get(view.name) else None
        if entry is not None:
            draft.add(entry)
    plan = Plan(
        entries=tuple(draft.entries),
        starts=admission.starts,
        groups=views,
        memory=Memory(
            samples=draft.samples,
            soaks=draft.soaks,
            known=snapshot.observation.clusters,
            gates=draft.passed_gates,
            membership=draft.membership,
            declaration=snapshot.declaration,
            drifts=draft.drifts,
            rollouts=snapshot.history.rollouts,
            waves={view.rollout: view.waves for view in views if view.rollout is not None},
            rested=at_rest(draft, views),
            ids=draft.membership.ids,
        ),
        holds=fleet,
        unclaimed=draft.membership.unclaimed,
        watch=_watch(draft, admission),
        ask=_ask(draft, admission),
        short=draft.membership.short,
    )
    _check(draft, plan)
    return plan


def _ask(draft: Draft, admission: Admission) -> Mapping[str, GateSubject]:
    """Return what each group's gates are asked about next: its way to its release before its finalization.

    Who has nothing to start, or waits for something else that is not about to end, asks nobody.
    """
    waiting = [
        turn
        for turn in admission.turns.values()
        if turn.group.gates and turn.candidates.able and turn.rollout.way is not Way.DOWN
        if all(hold.reason in _ASKED_MEANWHILE or _is_about_to_end(draft, turn, hold) for hold in turn.holds)
    ]
    return {turn.group.name: GateSubject(turn.rollout.kind, turn.rollout.target) for turn in reversed(waiting)}


def _is_about_to_end(draft: Draft, turn: Turn, hold: Hold) -> bool:
    """Tell whether the hold may be over once the gates have answered as often as they must."""
    cycles = max(gate.samples for gate in turn.group.gates)
    soon = draft.now + cycles * draft.snapshot.poll_interval
    return hold.recheck_at is not None and hold.recheck_at <= soon


def _watch(draft: Draft, admission: Admission) -> frozenset[str]:
    """Return the clusters that the next cycle must read in full: in flight, soaking, or next to start."""
    moving = {
        name
        for rollout in draft.followed()
        for name, record in rollout.clusters.items()
        if record.holds_slot or record.state in _READ_IN_FULL
    }
    return admission.watch | moving


def _check(draft: Draft, plan: Plan) -> None:
    """Assert what must hold of every plan; the simulation's checkers say it again in other words."""
    admitted = [entry for entry in plan.entries if isinstance(entry, WaveAdmitted)]
    started = [entry for entry in plan.entries if isinstance(entry, ClusterStarted)]
    assert len(admitted) <= 1, admitted
    assert [entry.cluster for entry in started] == [start.cluster for start in plan.starts], plan.starts
    assert len({start.cluster for start in plan.starts}) == len(plan.starts), plan.starts
    stopping = [hold for hold in plan.holds if hold.reason is not HoldReason.BREAKER_OPEN]
    assert not (plan.starts and stopping), (plan.starts, plan.holds)
    assert not (plan.starts and draft.snapshot.observe_only), plan.starts
    limit = draft.snapshot.declaration.limits.clusters_in_flight
    assert len(draft.in_flight) <= max(limit, draft.slots_before), (draft.in_flight, limit, draft.slots_before)
