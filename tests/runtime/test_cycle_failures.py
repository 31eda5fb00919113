"""A cycle in which something fails: what is left undone, what the next makes up for, and what is never done twice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from controller.errors import LeaseLost, LedgerError, ObservationError, RepositoryError
from controller.history.entries import ClusterConverged, StartAccepted, StartWithdrawn
from controller.model.declaration import Declaration
from controller.ports import FleetSource, Sources
from controller.runtime.cycle import Controller
from tests.runtime.worlds import Stage, two_waves
from tests.simulation.fleet import WriteFault


def has_converged(stage: Stage) -> bool:
    """Tell whether a cluster's arrival is recorded."""
    return any(isinstance(entry, ClusterConverged) for entry in stage.entries)


@pytest.mark.parametrize("side", ["before", "after"])
def test_nothing_is_applied_where_the_plan_could_not_be_recorded(side: str) -> None:
    """
    Safety (record-first): a ledger that fails at the record, taken or not, stops the cycle; the next ones go on.
    """
    stage = Stage()
    stage.boundaries.fail(f"{side} record of the plan", LedgerError("disk full"))

    with pytest.raises(LedgerError, match="disk full"):
        stage.cycle()

    assert ([], []) == (stage.writes, stage.told)
    stage.cycles(3)
    assert 1 == len(stage.writes)
    assert [] == stage.broken


def test_samples_begin_anew_after_a_cycle_that_could_not_be_recorded() -> None:
    """
    Safety: what such a cycle saw is lost, here a sick cluster; observations on both sides of it are not consecutive.
    """
    stage = Stage(declared=two_waves(samples=2))
    stage.cycle()
    cluster = stage.fleet.clusters[stage.writes[0].cluster]
    while not cluster.settled:
        stage.cycle()
    assert not has_converged(stage), "one of two samples is taken"

    cluster.sick = True
    stage.boundaries.fail("before record of the plan", LedgerError("disk full"))
    with pytest.raises(LedgerError):
        stage.cycle()
    cluster.sick = False

    stage.cycle()
    assert not has_converged(stage)
    stage.cycle()
    assert has_converged(stage)


def test_what_a_source_listed_is_known_after_a_cycle_that_could_not_be_recorded() -> None:
    """
    Safety (unknown-holds): its clusters count as unknown once it goes silent, and not as never listed.
    """
    cautious = replace(two_waves(), limits=replace(two_waves().limits, unavailable_percent=5))
    stage = Stage(sources=("eu", "us"), declared=cautious)
    stage.boundaries.fail("before record of the plan", LedgerError("disk full"))
    with pytest.raises(LedgerError):
        stage.cycle()
    stage.fleet.unreachable.add("eu")
    plan = stage.cycle()

    assert plan is not None
    assert [4] == [view.of for view in plan.groups]
    assert [] == stage.writes, "half of the fleet is unknown"


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
    assert 1 == len(stage.starts_recorded())
    assert [stage.writes[0].cluster] == [each.cluster for each in stage.entries if isinstance(each, StartAccepted)]
    assert stage.in_flight() == {stage.writes[0].cluster}


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

    assert 1 == len(stage.starts_recorded())
    assert [] == stage.writes
    assert {1} == {cluster.generation for cluster in stage.fleet.clusters.values()}


@pytest.mark.parametrize("fault", [WriteFault.LATE, WriteFault.UNSEEN])
def test_a_write_without_an_answer_that_was_taken_is_never_made_again(fault: WriteFault) -> None:
    """
    Safety (twice-harmless): at once or half a minute later, it is found in the fleet, and is one write.
    """
    stage = Stage()
    faults = [fault]
    stage.fleet.write_fault = lambda _: faults.pop() if faults else None

    stage.cycles(4)

    first = stage.writes[0].cluster
    assert 2 == stage.fleet.clusters[first].generation
    assert 1 == [start.cluster for start in stage.writes].count(first)
    assert 1 == stage.starts_recorded().count(first)


@pytest.mark.parametrize("fault", [WriteFault.REFUSED, WriteFault.LOST])
def test_a_write_that_was_not_taken_is_planned_anew(fault: WriteFault) -> None:
    """
    A refusal is waited for, a lost write is looked for first; either way the start is withdrawn and made once more.
    """
    stage = Stage()
    faults = [fault]
    stage.fleet.write_fault = lambda _: faults.pop() if faults else None

    stage.cycles(30)

    first = stage.writes[0].cluster
    assert [first, first] == stage.starts_recorded()[:2]
    assert 1 == sum(isinstance(entry, StartWithdrawn) for entry in stage.entries)
    assert {2} == {cluster.generation for cluster in stage.fleet.clusters.values()}
    assert stage.is_on()
    assert [] == stage.broken


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


def test_a_remote_that_never_answered_is_an_error_of_the_cycle() -> None:
    """
    With no revision known there is nothing to hold; the error says why, and nothing is recorded.
    """
    stage = Stage()
    stage.repository.unreachable = "connection refused"

    with pytest.raises(RepositoryError, match="connection refused"):
        stage.cycle()

    assert [] == stage.entries


def test_a_source_out_of_reach_starts_none_of_its_own_and_holds_no_other() -> None:
    """
    Safety (unknown-holds): its clusters are unknown, counted still, and none is started; those of the other go on.
    """
    stage = Stage(sources=("eu", "us"))
    stage.cycle()
    mine = stage.writes[0].cluster.split("/")[0]

    stage.fleet.unreachable.update({"eu", "us"} - {mine})
    stage.cycles(12)
    plan = stage.cycle()

    assert plan is not None
    assert [4] == [view.of for view in plan.groups]
    started = stage.starts_recorded()
    assert 2 == len(started)
    assert {mine} == {name.split("/")[0] for name in started}


@dataclass
class OnceMissing:
    """Sources that cannot be set up the first time."""

    within: Sources
    why: str | None = "source eu: no such context"

    def open(self, declaration: Declaration) -> Sequence[FleetSource]:
        """Return those within, the next time."""
        why, self.why = self.why, None
        if why is not None:
            raise ObservationError(why)
        return self.within.open(declaration)


def test_sources_that_cannot_be_set_up_fail_the_cycle_and_nothing_is_lost() -> None:
    """
    The next cycle in which they can goes on.
    """
    stage = Stage()
    stage.controller = Controller(replace(stage.world, sources=OnceMissing(stage.world.sources)), stage.pace)

    with pytest.raises(ObservationError, match="no such context"):
        stage.cycle()
    assert [] == stage.entries
    stage.cycle()

    assert 1 == len(stage.writes)
