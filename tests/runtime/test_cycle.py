"""One cycle, whole: its verbs in their order, and what is left undone where one of them fails."""

from dataclasses import replace

import pytest

from controller.errors import LeaseLost, LedgerError, Problem, RepositoryError
from controller.model.entries import ClusterStarted, RequestTaken, RevisionSeen, StartAccepted, StartWithdrawn
from controller.model.outbox import StatusState
from controller.model.requests import Command
from tests.builders import MINUTE, NOON
from tests.builders_core import a_request
from tests.runtime.worlds import PACE, Stage, two_waves
from tests.simulation.fleet import WriteFault

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


def crossed(stage: Stage) -> list[str]:
    """What the process crossed, with no cluster's name."""
    return [name.split(" sim/")[0] for name in stage.boundaries.crossed]


def recorded_starts(stage: Stage) -> list[str]:
    """Clusters whose start is recorded, in order."""
    return [entry.cluster for entry in stage.entries if isinstance(entry, ClusterStarted)]


def a_problem() -> tuple[Problem, ...]:
    """Why a head is refused."""
    return (Problem("groups/prod.yaml", 7, "spec.kafkaVersion", "'4.10'", "a release such as 4.1.0"),)


def test_a_cycle_does_its_five_verbs_in_order() -> None:
    """
    Observe, (plan,) record, apply, record what came of it, report: each once, in this order.
    """
    stage = Stage()

    plan = stage.cycle()

    assert VERBS == crossed(stage)
    assert plan is not None
    assert [start.cluster for start in plan.starts] == [start.cluster for start in stage.writes]


def test_the_clock_is_read_once_for_a_plan() -> None:
    """
    Everything that a plan records bears the time at which its cycle began.
    """
    stage = Stage()

    stage.cycle()

    assert {NOON + MINUTE} == {each.at for each in stage.ledger.read()}


def test_nothing_is_applied_where_the_plan_could_not_be_recorded() -> None:
    """
    Safety (record-first): a ledger that fails at the record stops the cycle; the next one goes on.
    """
    stage = Stage()
    stage.boundaries.fail("before record of the plan", LedgerError("disk full"))

    with pytest.raises(LedgerError, match="disk full"):
        stage.cycle()

    assert [] == stage.writes
    assert [] == stage.told
    stage.cycle()
    assert 1 == len(stage.writes)
    assert [] == stage.broken


def test_a_record_that_failed_behind_the_fact_is_read_back() -> None:
    """
    Safety: where the ledger took the plan and failed to say so, the next cycle finds its start there, unwritten, and
    plans it anew once it has seen the cluster untouched.
    """
    stage = Stage()
    stage.boundaries.fail("after record of the plan", LedgerError("no answer"))

    with pytest.raises(LedgerError):
        stage.cycle()
    assert [] == stage.writes
    stage.cycles(3)

    first, second = recorded_starts(stage)[:2]
    assert first == second, "the same cluster is started anew"
    assert 1 == sum(isinstance(entry, StartWithdrawn) for entry in stage.entries)
    assert 2 == stage.fleet.clusters[first].generation
    assert [] == stage.broken


@pytest.mark.parametrize("boundary", ["before record of outcomes", "after record of outcomes"])
def test_a_write_whose_outcome_was_not_recorded_is_observed(boundary: str) -> None:
    """
    Safety (twice-harmless): the write was made and the ledger failed after it; the next cycle sees it in the fleet.
    """
    stage = Stage()
    stage.boundaries.fail(boundary, LedgerError("disk full"))

    with pytest.raises(LedgerError):
        stage.cycle()
    stage.cycle()

    assert 1 == len(stage.writes)
    assert 1 == len(recorded_starts(stage))
    assert [stage.writes[0].cluster] == [each.cluster for each in stage.entries if isinstance(each, StartAccepted)]
    assert stage.in_flight() == {stage.writes[0].cluster}


@pytest.mark.parametrize("boundary", ["before queue", "after queue"])
def test_a_report_that_failed_is_made_up_for_once(boundary: str) -> None:
    """
    Nothing is lost and nothing said twice, whether the ledger took the messages before it failed or not.
    """
    calm, stage = Stage(), Stage()
    stage.boundaries.fail(boundary, LedgerError("disk full"))

    with pytest.raises(LedgerError):
        stage.cycle()
    stage.cycles(9)
    calm.cycles(10)

    assert calm.replies == stage.replies
    assert {1} == set(stage.replies.values())
    assert calm.statuses[-1] == stage.statuses[-1]


def test_a_lost_lease_at_the_record_is_raised_and_nothing_is_written() -> None:
    """
    Safety (one-writer): the ledger refuses the record of who holds it no more, and the cycle says so.
    """
    stage = Stage()
    stage.boundaries.at["before record of the plan"] = stage.ledger.release

    with pytest.raises(LeaseLost):
        stage.cycle()

    assert [] == stage.writes
    assert [] == stage.entries


def test_a_lease_lost_after_the_record_stops_every_write() -> None:
    """
    Safety (one-writer): the lease is asked again between the record and the write.
    """
    stage = Stage()
    stage.boundaries.at["after record of the plan"] = stage.ledger.release

    with pytest.raises(LeaseLost, match="was not started"):
        stage.cycle()

    assert 1 == len(recorded_starts(stage))
    assert [] == stage.writes
    assert {1} == {cluster.generation for cluster in stage.fleet.clusters.values()}


def test_a_process_that_took_over_goes_on_with_what_was_recorded() -> None:
    """
    Safety: the start that the one before recorded and never wrote is withdrawn and planned anew, once.
    """
    stage = Stage()
    stage.boundaries.at["after record of the plan"] = stage.ledger.release
    with pytest.raises(LeaseLost):
        stage.cycle()

    stage.ledger.acquire("the other", stage.clock.now())
    stage.new_process()
    stage.cycles(3)

    assert 1 == len(stage.writes)
    assert 1 == sum(isinstance(entry, StartWithdrawn) for entry in stage.entries)
    assert [] == stage.broken


def test_a_late_write_is_found_and_never_made_again() -> None:
    """
    Safety (twice-harmless): a write without an answer that arrives half a minute later is one write.
    """
    stage = Stage()
    faults = {"first": WriteFault.LATE}
    stage.fleet.write_fault = lambda _: faults.pop("first", None)

    stage.cycles(4)

    assert {1, 2} == {cluster.generation for cluster in stage.fleet.clusters.values()}
    assert 1 == recorded_starts(stage).count(stage.writes[0].cluster)


def test_a_refused_write_is_recorded_as_not_started() -> None:
    """
    A refusal withdraws the start with the other side's own sentence; it is a hold and no failure.
    """
    stage = Stage()
    stage.fleet.write_fault = lambda _: WriteFault.REFUSED

    stage.cycle()

    (withdrawn,) = [entry for entry in stage.entries if isinstance(entry, StartWithdrawn)]
    assert "the admission webhook says no" in withdrawn.refusal
    assert set() == stage.in_flight()


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
    assert [RevisionSeen(head, "", tuple(map(str, problems)))] == stage.entries


def test_a_remote_that_never_answered_is_an_error_of_the_cycle() -> None:
    """
    With no revision known there is nothing to hold; the error says why, and nothing is recorded.
    """
    stage = Stage()
    stage.repository.unreachable = "connection refused"

    with pytest.raises(RepositoryError, match="connection refused"):
        stage.cycle()

    assert [] == stage.entries


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
    Safety (halt-sticks): the request is taken in, and what the cycle would have started is not.
    """
    stage = Stage()
    number = stage.ledger.ask(a_request(Command.HALT))

    stage.cycles(3)

    assert [] == stage.writes
    assert [number] == [entry.request for entry in stage.entries if isinstance(entry, RequestTaken)]
    assert stage.ledger.answer(number) is not None


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
    assert [] == recorded_starts(stage)


def test_a_source_out_of_reach_keeps_its_clusters_and_starts_none() -> None:
    """
    Safety (unknown-holds): its clusters are unknown, counted still, and none is started.
    """
    stage = Stage()
    stage.cycle()
    written = len(stage.writes)

    stage.fleet.unreachable.add("sim")
    stage.pass_time()
    plan = stage.cycle()

    assert plan is not None
    assert [4] == [view.of for view in plan.groups]
    assert written == len(stage.writes)


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
