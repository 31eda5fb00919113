"""The liveness promise ``ends``: once trouble stops, every group converges or waits for a person, and then for nothing.

Two halves. First nobody does anything: the world must come to rest, and each group must be done or name a reason that
only a person can lift. Then people lift everything: each cluster must end up on its target, but for those that cannot.
"""

from datetime import timedelta

from controller.history.records import StopKind
from controller.model.outbox import StatusState
from controller.model.plan import Plan
from controller.model.verdict import HoldReason
from controller.model.view import GroupView
from tests.simulation.play import Play
from tests.simulation.promises import PromiseBroken
from tests.simulation.rules_ways import level_of
from tests.simulation.trouble import Trouble

CYCLES_TO_REST_MAX = 260
CYCLES_TO_END_MAX = 420
NAP_MAX = timedelta(hours=30)

FOR_A_PERSON = frozenset(
    {
        HoldReason.HISTORY_REWRITTEN,
        HoldReason.FLEET_HALTED,
        HoldReason.GROUP_HALTED,
        HoldReason.RELEASE_SUSPECT,
        HoldReason.APPROVAL_MISSING,
        HoldReason.CLUSTER_HELD,
        HoldReason.CLUSTER_MISSING,
        HoldReason.CLUSTER_QUARANTINED,
        HoldReason.CLAIMED_TWICE,
        HoldReason.SEEN_TWICE,
        HoldReason.OWNED_ELSEWHERE,
        HoldReason.AHEAD_OF_TARGET,
        HoldReason.CHANGED_BY_OTHERS,
        HoldReason.NO_LEGAL_HOP,
        HoldReason.RELEASE_BLOCKED,
        HoldReason.RISK_NOT_ACCEPTED,
        HoldReason.OPERATOR_UNSUPPORTED,
    }
)
"""Reasons that time alone does not lift."""
FOR_OTHERS = frozenset({HoldReason.GROUP_ORDER, HoldReason.NEVER_TOGETHER})
"""Reasons of a group that waits for another one, and so with that one for a person."""
FOR_GOOD = frozenset(
    {HoldReason.AHEAD_OF_TARGET, HoldReason.NO_LEGAL_HOP, HoldReason.CLAIMED_TWICE, HoldReason.CLUSTER_MISSING}
)
"""Reasons that stay when people have lifted what they can lift without another plan."""


def rests(plan: Plan | None) -> bool:
    """Tell whether nothing moves, and nothing that moves by itself is waited for."""
    if plan is None or plan.starts or plan.ask or any(view.in_flight for view in plan.groups):
        return False
    holds = [hold for view in plan.groups for hold in view.holds]
    waits = (HoldReason.SOAKING, HoldReason.NOT_OBSERVED, HoldReason.OTHER_WAVE_FIRST, HoldReason.WRITE_REFUSED)
    return not any(hold.reason in waits for hold in holds) and not _next_time(plan)


def _next_time(plan: Plan) -> bool:
    """Tell whether some hold ends by time alone."""
    return any(hold.recheck_at is not None for view in plan.groups for hold in view.holds)


def nap(play: Play) -> None:
    """Sleep until the first window opens or freeze ends, where nothing else is waited for."""
    plan = play.plan
    if plan is None or any(view.in_flight for view in plan.groups):
        return
    holds = [hold for view in plan.groups for hold in view.holds]
    if any(hold.reason in (HoldReason.SOAKING, HoldReason.NOT_OBSERVED) for hold in holds):
        return
    times = [hold.recheck_at for hold in holds if hold.recheck_at is not None]
    if times:
        play.pass_time(min(max(min(times) - play.clock.now(), timedelta(0)), NAP_MAX))


def come_to_rest(play: Play) -> None:
    """Run cycles until the world rests; each group is then done, or waits for a person. Raises PromiseBroken."""
    quiet = 0
    for _ in range(CYCLES_TO_REST_MAX):
        play.pass_time()
        play.cycle()
        if not play.book.in_force and play.rewritten:
            return  # nothing valid was ever seen of a branch that was written over: a person accepts the new one first
        quiet = quiet + 1 if rests(play.plan) else 0
        if quiet > 4:
            break
        nap(play)
    else:
        raise PromiseBroken(f"ends: no rest after {CYCLES_TO_REST_MAX} calm cycles: {_told(play)}")
    assert play.plan is not None, "a play that rests has a plan"
    views = play.plan.groups
    waiting = {view.context for view in views if not is_done(view)}
    held = {view.context for view in views if waits_for_person(play.plan, view)}
    ordered = {view.context for view in views if _reasons(view) & FOR_OTHERS}
    held |= {view.context for view in views if view.context in ordered and _waits_in_vain(play, play.plan, view)}
    held |= {view.context for view in views if view.name in held | (ordered if held else set())}
    if waiting - held - ordered or (ordered & waiting and not held):
        raise PromiseBroken(f"ends: {sorted(waiting - held)} wait for nobody: {_told(play)}")


def _waits_in_vain(play: Play, plan: Plan, view: GroupView) -> bool:
    """Tell whether a group goes after one that is halted, has no clusters, or declares less: for a person to change."""
    group = play.declaration.group(view.name)
    assert group is not None, view
    catalog = play.declaration.catalog
    views = {each.name: each for each in plan.groups}
    for other in play.declaration.groups:
        if other.name not in group.after:
            continue
        levels = level_of(catalog, other), level_of(catalog, group)
        less = other.target < group.target or (None not in levels and levels[0] < levels[1])  # type: ignore[operator]
        halted = other.halted or play.book.open_stops(other.name, StopKind.HALT)
        if views[other.name].of == 0 or less or halted:
            return True
    return False


def is_done(view: GroupView) -> bool:
    """Tell whether a group is where it should be, or has nobody to move."""
    return view.state is StatusState.SUCCESS or view.of == 0


def waits_for_person(plan: Plan, view: GroupView) -> bool:
    """Tell whether a group names a reason that only a person can lift."""
    reasons = _reasons(view) | {hold.reason for hold in plan.holds}
    return bool(reasons & FOR_A_PERSON)


def _reasons(view: GroupView) -> set[HoldReason]:
    return {hold.reason for hold in view.holds}


def end(play: Play, trouble: Trouble) -> None:
    """Let people lift everything; each group must then converge. Raises PromiseBroken."""
    trouble.lift_everything()
    quiet = 0
    for number in range(CYCLES_TO_END_MAX):
        if number % 10 == 9:
            trouble.lift_everything()
        play.pass_time()
        play.cycle()
        plan = play.plan
        quiet = quiet + 1 if plan is not None and all(_is_over(view, plan) for view in plan.groups) else 0
        if quiet > 2:
            return
    raise PromiseBroken(f"ends: no end after {CYCLES_TO_END_MAX} cycles without any hold: {_told(play)}")


def _is_over(view: GroupView, plan: Plan) -> bool:
    """Tell whether a group is done, but for clusters that cannot move, and groups that wait for such."""
    if HoldReason.GROUP_ORDER in _reasons(view):
        return any(_reasons(other) & FOR_GOOD for other in plan.groups)
    if HoldReason.GROUP_NOT_ON_TARGET in _reasons(view):
        software = [other for other in plan.groups if other.name == view.name and other is not view]
        return any(_reasons(other) & (FOR_GOOD | {HoldReason.GROUP_ORDER}) for other in software)
    stuck = {hold.cluster for hold in view.holds if hold.reason in FOR_GOOD}
    return is_done(view) or (view.in_flight == 0 and view.done + len(stuck) >= view.of)


def _told(play: Play) -> str:
    plan = play.plan
    if plan is None:
        return "no plan"
    return "\n  ".join(
        ["", *(f"{view.done}+{view.in_flight} of {view.of}: {view.sentence}" for view in plan.groups)]
        + [f"{view.name}: {hold.reason} {hold.cluster}: {hold.detail}" for view in plan.groups for hold in view.holds]
    )
