"""Whole cycles of a group with external gates: what is asked when, and what starts."""

from dataclasses import dataclass, field, replace

from controller.history.records import RolloutKind
from controller.model.declaration import Declaration, ExternalGate
from controller.model.observation import GateReading
from controller.model.plan import Plan
from controller.model.verdict import HoldReason
from controller.ports import GateQuestion
from controller.runtime.cycle import Controller
from tests.builders import NEW, release
from tests.external.builders import a_query, a_webhook
from tests.runtime.worlds import Stage, two_waves

YES = GateReading(passed=True, detail="yes")
NO = GateReading(passed=False, detail="Prometheus answered 0.3, expected below 0.25")


@dataclass
class OneAnswer:
    """Answers every gate the same."""

    reading: GateReading = YES
    asked: list[GateQuestion] = field(default_factory=list)

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Answer."""
        del gate
        self.asked.append(question)
        return self.reading


def gated(*gates: ExternalGate) -> Declaration:
    """``prod`` with these gates, in two waves."""
    (group,) = two_waves().groups
    return replace(two_waves(), groups=(replace(group, gates=gates),))


def a_stage(gates: OneAnswer, *declared: ExternalGate) -> Stage:
    """A fleet below its target, whose gates are asked of ``gates``."""
    stage = Stage(declared=gated(*declared))
    stage.controller = Controller(replace(stage.world, gates=gates), stage.pace)
    return stage


def cycle(stage: Stage) -> Plan:
    """Run one cycle."""
    plan = stage.cycle()
    assert plan is not None
    return plan


def reasons(plan: Plan) -> set[HoldReason]:
    """Why ``prod`` does not move."""
    return {hold.reason for view in plan.groups for hold in view.holds}


def test_a_gate_is_asked_in_the_cycle_after_the_one_that_wants_to_start() -> None:
    """
    The first cycle holds unanswered, and the second starts with the answer that it got, about the rollout's target.
    """
    gates = OneAnswer()
    stage = a_stage(gates, a_webhook("https://hooks.example/"))

    first = cycle(stage)
    assert HoldReason.GATE_UNANSWERED in reasons(first)
    assert () == first.starts
    assert [] == gates.asked

    second = cycle(stage)
    assert 1 == len(second.starts)
    question = GateQuestion("acme", "prod", release(NEW), RolloutKind.SOFTWARE, stage.clock.now())
    assert [question] == gates.asked
    assert 1 == stage.metrics.calls["webhook", "ok"]


def test_a_gate_that_says_no_holds_until_it_says_yes_often_enough() -> None:
    """
    Safety: a number outside its bounds starts nothing, and one within them does so only in three cycles in a row.
    """
    gates = OneAnswer(NO)
    stage = a_stage(gates, a_query())
    cycle(stage)

    assert HoldReason.GATE_FAILED in reasons(cycle(stage))
    gates.reading = YES
    held = [cycle(stage), cycle(stage)]
    gates.reading = GateReading(passed=None, detail="Prometheus did not answer within 10 s")
    held.append(cycle(stage))
    gates.reading = YES
    held += [cycle(stage), cycle(stage)]

    assert [()] * 5 == [plan.starts for plan in held]
    assert [{HoldReason.GATE_UNANSWERED}] * 5 == [reasons(plan) for plan in held]
    assert 1 == len(cycle(stage).starts)


def test_a_group_that_has_come_to_its_end_asks_nobody_any_more() -> None:
    """
    Gates are questions about starts.
    """
    gates = OneAnswer()
    stage = a_stage(gates, a_webhook("https://hooks.example/"))
    for _ in range(40):
        plan = cycle(stage)
    asked = len(gates.asked)

    assert {} == plan.ask
    cycle(stage)
    assert asked == len(gates.asked)
    assert set() == reasons(plan)
