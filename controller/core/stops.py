"""Halts, quarantines and what lifts them: failures spend a budget, people halt and resume.

A halt stops every start of its group until a person has looked at it; so does a quarantine for one cluster. Both
are numbered under their group, and the number is what a person acknowledges, in Git or by command.
"""

from controller.core.draft import Draft
from controller.history.entries import (
    ClusterQuarantined,
    ClusterReleased,
    RequestTaken,
    SlotFreed,
    StopAcknowledged,
    Stopped,
)
from controller.history.records import ClusterState, RolloutRecord, Stop, StopKind
from controller.model.declaration import ClusterGroup, Size
from controller.model.durations import counted
from controller.model.requests import FLEET, Command, Request

_NO_BUDGET = Size(count=0)


def take_requests(draft: Draft) -> None:
    """Take in people's commands, oldest first."""
    for request in draft.snapshot.requests:
        draft.add(RequestTaken(request.id, _take(draft, request)))


def _take(draft: Draft, request: Request) -> str:
    if request.revision is not None:
        head = draft.snapshot.standing.head
        if head.startswith(request.revision):
            return f"revision {request.revision} is accepted"
        return f"nothing changed: the head is {head}, not {request.revision}"
    is_known = request.scope == FLEET or request.scope in draft.groups
    if not is_known and (request.command is Command.HALT or not any(draft.open_stops(request.scope))):
        return f"nothing changed: no group is called {request.scope}"
    if request.command is Command.HALT:
        number = draft.next_number(request.scope)
        draft.add(Stopped(request.scope, number, StopKind.HALT, request.reason, request.by))
        return f"{request.scope} is halted as {request.scope}-{number}"
    return _resume(draft, request)


def _resume(draft: Draft, request: Request) -> str:
    stops = [
        stop
        for stop in draft.open_stops(request.scope)
        if (stop.kind is StopKind.HALT if request.number is None else stop.number == request.number)
    ]
    for stop in stops:
        _acknowledge(draft, stop, f"{request.by}: {request.reason}")
    if not stops:
        wanted = request.scope if request.number is None else f"{request.scope}-{request.number}"
        return f"nothing changed: {wanted} is not halted"
    return f"resumed {', '.join(stop.id for stop in stops)}"


def take_acknowledgements(draft: Draft) -> None:
    """Lift what groups acknowledge in Git; a number that was never recorded is remembered as used."""
    for group in draft.groups.values():
        for number in sorted(group.acknowledge):
            stop = draft.recall.stops.get((group.name, number))
            if stop is None:
                if number > draft.recall.highest_number.get(group.name, 0):
                    draft.add(StopAcknowledged(group.name, number, by="Git"))
            elif stop.acknowledged_at is None:
                _acknowledge(draft, stop, "Git")


def _acknowledge(draft: Draft, stop: Stop, by: str) -> None:
    draft.add(StopAcknowledged(stop.scope, stop.number, by, stop.rollout))
    if stop.kind is StopKind.HALT:
        _take_apart(draft, stop.scope)
    elif stop.kind is StopKind.QUARANTINE and stop.cluster is not None:
        _let_go(draft, stop.cluster)


def _let_go(draft: Draft, cluster: str) -> None:
    """Give a quarantined cluster another try, or where its rollout is over its slot to others."""
    for rollout in draft.recall.rollouts.copy().values():
        record = rollout.clusters.get(cluster)
        if record is None or record.state is not ClusterState.QUARANTINED:
            continue
        if rollout.is_running:
            draft.add(ClusterReleased(rollout.id, cluster))
        elif record.holds_slot:
            draft.add(SlotFreed(rollout.id, cluster))


def _take_apart(draft: Draft, group: str) -> None:
    """Quarantine what failed before the group was halted, before a newer target can make anybody forget it."""
    if _is_halted_by_failures(draft, group):
        return
    for rollout in tuple(draft.recall.rollouts_of(group)):
        for name, record in rollout.clusters.items():
            if record.has_failed and record.state is ClusterState.FAILED:
                quarantine(draft, rollout, name)
            elif record.state is ClusterState.FAILED:
                draft.add(ClusterReleased(rollout.id, name))


def _is_halted_by_failures(draft: Draft, group: str) -> bool:
    return any(stop.suspect for stop in draft.open_stops(group, StopKind.HALT))


def judge_failures(draft: Draft) -> None:
    """Quarantine failed clusters within budget; halt the group past it, or for any failure of the first wave."""
    for rollout in draft.followed():
        failing = [name for name, record in rollout.clusters.items() if record.state is ClusterState.FAILED]
        if (failing or _is_spent(draft, rollout)) and not _is_halted_by_failures(draft, rollout.group):
            _judge(draft, rollout, failing)


def _is_spent(draft: Draft, rollout: RolloutRecord) -> bool:
    """Tell whether more has failed than is allowed, as when the budget was lowered since."""
    allowed = budget_of(draft.groups.get(rollout.group), rollout)
    return rollout.is_running and len(rollout.failed) > allowed


def _judge(draft: Draft, rollout: RolloutRecord, failing: list[str]) -> None:
    group = draft.groups.get(rollout.group)
    allowed = budget_of(group, rollout)
    in_first_wave = any(name in rollout.failed and rollout.clusters[name].wave == 1 for name in failing)
    if in_first_wave or len(rollout.failed) > allowed:
        _halt(draft, rollout, failing, allowed)
        return
    for name in failing:
        quarantine(draft, rollout, name)


def quarantine(draft: Draft, rollout: RolloutRecord, name: str) -> None:
    """Set a cluster that failed apart until a person has looked, under a number of its own."""
    number = draft.next_number(rollout.group)
    cause = rollout.clusters[name].cause
    kind = StopKind.QUARANTINE
    draft.add(Stopped(rollout.group, number, kind, cause, "wavefleet", cluster=name, rollout=rollout.id))
    draft.add(ClusterQuarantined(rollout.id, rollout.group, name, number))


def budget_of(group: ClusterGroup | None, rollout: RolloutRecord) -> int:
    """Return how many distinct clusters may fail in ``rollout`` before it halts; a group that is gone has none."""
    budget = _NO_BUDGET if group is None else group.strategy.failure_budget
    return budget.of(rollout.live)


def _halt(draft: Draft, rollout: RolloutRecord, failing: list[str], allowed: int) -> None:
    failing = failing or [name for name in rollout.clusters if name in rollout.failed]
    causes = "; ".join(f"{draft.short(name)}: {rollout.clusters[name].cause}" for name in failing[:3])
    more = f" (+{len(failing) - 3} more)" if len(failing) > 3 else ""
    wave = max((number for name in failing if (number := rollout.clusters[name].wave) is not None), default=None)
    first = any(rollout.clusters[name].wave == 1 for name in failing)
    rule = "any failure in the first wave halts" if first else f"the budget is {allowed}"
    detail = f"{len(rollout.failed)} of {counted(len(rollout.clusters))} failed, {rule}: {causes}{more}"
    number = draft.next_number(rollout.group)
    draft.add(
        Stopped(
            rollout.group,
            number,
            StopKind.HALT,
            detail,
            "failure budget",
            suspect=rollout.target,
            rollout=rollout.id,
            wave=wave,
        )
    )
