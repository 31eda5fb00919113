"""One cycle, whole: its verbs in their order, what it takes in, what it leaves alone, and what people read of it."""

from dataclasses import replace

import pytest

from controller.errors import LedgerError, Problem
from controller.history.entries import RequestTaken, RevisionSeen, Stopped
from controller.model.outbox import StatusState
from controller.model.requests import Command
from tests.builders import MINUTE, NOON
from tests.builders_core import a_request
from tests.runtime.worlds import PACE, Stage, two_waves

VERBS = [
    "fetch",
    "read",
    "before record of the plan",
    "after record of the plan",
    "before start",
    "after start",
    "before record of outcomes",
    "after record of outcomes",
    "before queue",
    "after queue",
]


def a_problem() -> tuple[Problem, ...]:
    """Why a head is refused."""
    return (Problem("groups/prod.yaml", 7, "spec.kafkaVersion", "'4.10'", "a release such as 4.1.0"),)


def test_a_cycle_does_its_five_verbs_in_order() -> None:
    """
    Observe, (plan,) record, apply, record what came of it, report: each once, in this order.
    """
    stage = Stage()

    plan = stage.cycle()

    assert VERBS == stage.kinds_crossed()
    assert plan is not None
    assert [start.cluster for start in plan.starts] == [start.cluster for start in stage.writes]


def test_a_plan_is_recorded_at_the_time_its_cycle_began() -> None:
    """
    Everything that a plan records bears the time at which its cycle began.
    """
    stage = Stage()

    stage.cycle()

    assert {NOON + MINUTE} == {each.at for each in stage.ledger.read()}


def test_a_fleet_whose_ledger_is_another_one_s_is_left_alone() -> None:
    """
    A ledger belongs to one fleet: nothing is recorded, nothing is written.
    """
    stage = Stage()
    stage.ledger.bind("another")

    with pytest.raises(LedgerError, match="another"):
        stage.cycle()

    assert [] == stage.entries
    assert [] == stage.writes


def test_a_first_head_that_is_invalid_starts_nothing_and_says_so() -> None:
    """
    Nothing valid was ever declared: no plan, one error status on the head, the problems at hand, nothing twice.
    """
    stage = Stage()
    problems = a_problem()
    head = stage.repository.rewrite(problems)

    assert stage.cycle() is None
    assert stage.cycle() is None

    assert problems == stage.controller.problems
    assert [(head, "wavefleet/config", StatusState.ERROR)] == [
        (each.revision, each.context, each.state) for each in stage.statuses
    ]
    assert "groups/prod.yaml:7: spec.kafkaVersion" in stage.statuses[0].description
    assert [RevisionSeen(head, "", tuple(map(str, problems)))] == stage.entries


def test_an_unreachable_remote_is_told_and_forgotten_when_it_answers() -> None:
    """
    The controller says why the head could not be read in the last cycle, and only of the last one.
    """
    stage = Stage()
    stage.cycle()

    stage.repository.unreachable = "connection refused"
    stage.cycle()
    assert "connection refused" == stage.controller.unreachable
    stage.repository.unreachable = None
    stage.cycle()

    assert stage.controller.unreachable is None


def test_a_person_s_halt_binds_the_cycle_that_takes_it_in() -> None:
    """
    Safety (halt-sticks): the request is taken in once and answered, and what the cycle would have started is not.
    """
    stage = Stage()
    number = stage.ledger.ask(a_request(Command.HALT))

    stage.cycles(3)

    assert [] == stage.writes
    assert [number] == [entry.request for entry in stage.entries if isinstance(entry, RequestTaken)]
    assert 1 == sum(isinstance(entry, Stopped) for entry in stage.entries)
    assert "prod is halted as prod-1" == stage.ledger.answer(number)


def test_observing_writes_nothing_anywhere() -> None:
    """
    What people's commands show comes from observing alone: no entry, no write, no message.
    """
    stage = Stage()

    sighting, snapshot = stage.controller.observe(stage.clock.now())

    assert snapshot is not None
    assert sighting.declaration == two_waves()
    assert ([], [], []) == (stage.entries, stage.writes, stage.told)


def test_in_observe_mode_nothing_is_started() -> None:
    """
    The fleet is judged and nothing written to it, nor recorded as about to be.
    """
    stage = Stage(pace=replace(PACE, observe_only=True))

    stage.cycles(3)

    assert [] == stage.writes
    assert [] == stage.starts_recorded()


def test_calls_are_counted_by_their_system() -> None:
    """
    Each outside call of a cycle is counted once, with how it went.
    """
    stage = Stage()

    stage.cycle()

    assert {("git", "ok"): 1, ("source", "ok"): 2, ("ledger", "ok"): 2} == dict(stage.metrics.calls)


def test_observe_mode_says_so_on_every_channel() -> None:
    """
    Nobody may take a judgement that starts nothing for one that does.
    """
    stage = Stage(pace=replace(PACE, observe_only=True))

    stage.cycle()

    groups = [each for each in stage.statuses if each.context != "wavefleet/config"]
    assert groups
    assert all(each.description.startswith("observe mode: ") for each in groups)
    assert all(head.observe_only for head in stage.heads)


@pytest.mark.parametrize("restarts", [0, 1])
def test_heads_that_were_merged_on_the_way_are_closed_with_their_group(restarts: int) -> None:
    """
    Unrelated commits in the middle of a rollout are told of it, and get their success with the group.
    """
    stage = Stage()
    heads = [stage.repository.head]
    for _ in range(2):
        stage.cycles(2)
        heads.append(stage.repository.commit(two_waves()))
    stage.cycle()
    for _ in range(restarts):
        stage.restart()
    stage.cycles(12)

    last = {(each.revision, each.context): each.state for each in stage.statuses}
    assert {StatusState.SUCCESS} == set(last.values())
    assert {(head, "wavefleet/prod") for head in heads} <= set(last)


def test_a_superseded_revision_ends_in_error_and_the_next_in_success() -> None:
    """
    A higher target is merged in the middle of a rollout: the first revision ends in error, the second in success.
    """
    stage = Stage()
    first = stage.repository.head
    stage.cycles(2)
    second = stage.repository.commit(two_waves("4.3.2"))
    stage.cycles(20)

    last = {each.revision: each.state for each in stage.statuses if each.context == "wavefleet/prod"}
    assert {first: StatusState.ERROR, second: StatusState.SUCCESS} == last
    assert stage.is_on("4.3.2")
