"""What holds the whole fleet, for the ledger: so that ``status`` can tell also while every group is at rest.

A group's own word names what holds its next start; a group at rest has none, and yet people should see that the branch
has not been confirmed for an hour. It is recorded as the word of ``fleet``, which no group may be called, whenever the
reasons change; the details, which grow older by the minute, are those of the moment when they began.
"""

from collections.abc import Iterator

from controller.history.entries import GroupJudged
from controller.history.records import History, RolloutKind
from controller.model.plan import Plan
from controller.model.requests import FLEET


def fleet_words(plan: Plan, history: History) -> Iterator[GroupJudged]:
    """Yield the fleet's word where other reasons hold it than the last one said; else nothing."""
    holds = tuple((hold.reason.value, hold.detail, "") for hold in plan.holds)
    last = history.groups.get(FLEET)
    before = {reason for reason, _, _ in last.holds} if last is not None else set()
    if before == {reason for reason, _, _ in holds}:
        return
    ways = [view for view in plan.groups if view.kind is RolloutKind.SOFTWARE]
    told = "; ".join(f"held ({reason}): {detail}" for reason, detail, _ in holds)
    yield GroupJudged(
        group=FLEET,
        target="",
        sentence=f"{FLEET}: {told or 'nothing holds it as a whole any more'}",
        done=sum(view.done for view in ways),
        in_flight=sum(view.in_flight for view in plan.groups),
        of=sum(view.of for view in ways),
        holds=holds,
        begun=tuple(hold for hold in holds if hold[0] not in before),
    )
