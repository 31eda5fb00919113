"""The cycle: the order of its effects, what it does on bad days, and what it forgets on purpose."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from controller.errors import LedgerError, ObservationError, RepositoryError
from controller.model.declaration import Declaration
from controller.model.entries import (
    ClusterConverged,
    ClusterStarted,
    Entry,
    RequestTaken,
    StartAccepted,
    StartWithdrawn,
    Stopped,
)
from controller.model.outbox import CommitStatus, Message, StatusState
from controller.model.plan import Start
from controller.model.requests import Command
from controller.ports import FleetSource
from controller.runtime.cycle import Controller, Pace, World
from tests.simulation.fleet import ModelSource, WriteFault
from tests.simulation.people import NONSENSE
from tests.simulation.play import POLL, SOURCES, STALE_AFTER, WRITE_LIMIT, Play
from tests.simulation.process import AUDIENCES, FixedSources, Handle, Incident, NoMetrics, Point, What
from tests.simulation.quiet import no_logs
from tests.simulation.small import a_small_group, a_small_play, go, go_on_until, said


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Leave logs out."""
    with no_logs():
        yield


def a_controller(play: Play, ledger: Handle, pace: Pace | None = None) -> Controller:
    """A controller over the play's world, on a ledger of the test's own."""
    sources = [ModelSource(name, play.fleet) for name in SOURCES]
    return controller_of(play, ledger, sources, pace)


def controller_of(play: Play, ledger: Handle, sources: Sequence[FleetSource], pace: Pace | None = None) -> Controller:
    """A controller over these sources."""
    pace = pace or Pace(POLL, STALE_AFTER, WRITE_LIMIT)
    world = World(play.repository, FixedSources(sources), ledger, ledger.outbox, play.clock, NoMetrics(), AUDIENCES)
    return Controller(world, pace)


class Trace(Handle):
    """A ledger that notes in which order a cycle's effects happen."""

    def __init__(self, play: Play) -> None:
        super().__init__(play.ledger, lambda _: None)
        self.effects: list[str] = []
        self.times: set[datetime] = set()
        play.fleet.witness = self.note_write

    def record(self, entries: Sequence[Entry], at: datetime) -> None:
        """Note a record by what is in it."""
        kinds = {type(entry) for entry in entries}
        self.effects.append("record outcomes" if kinds <= {StartAccepted, StartWithdrawn} else "record plan")
        self.times.add(at)
        super().record(entries, at)

    def note_write(self, start: Start) -> None:
        """Note a write."""
        self.effects.append(f"write {start.cluster}")

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Note that messages are queued."""
        self.effects.append("queue")
        super().queue(messages, reported, at)


def test_the_plan_is_recorded_before_anything_is_written_and_told_last() -> None:
    """
    Observe, plan, record, apply, report: the order is the safety contract.
    """
    play = a_small_play()
    trace = Trace(play)

    plan = a_controller(play, trace).run_cycle()

    assert plan is not None
    (start,) = plan.starts
    assert ["record plan", f"write {start.cluster}", "record outcomes", "queue"] == trace.effects
    assert {play.clock.now()} == trace.times


def test_nothing_is_written_where_nothing_could_be_recorded() -> None:
    """
    Ledger unwritable: nothing is applied, the cycle says so, and the next one goes on from what the ledger says.
    """
    play = a_small_play()
    handle = Handle(play.ledger, Fails(Point.BEFORE_PLAN_RECORD))
    controller = a_controller(play, handle)

    with pytest.raises(LedgerError, match="disk full"):
        controller.run_cycle()

    assert {1} == {cluster.generation for cluster in play.fleet.clusters.values()}
    assert [] == list(play.ledger.memory.read())


class Fails:
    """Fails at one point of a cycle."""

    def __init__(self, point: Point) -> None:
        self.point = point

    def __call__(self, point: Point) -> None:
        """Raise LedgerError at the point."""
        if point is self.point:
            raise LedgerError("disk full")


def test_samples_begin_anew_after_a_cycle_that_could_not_be_recorded() -> None:
    """
    What such a cycle saw is lost: observations on both sides of it are not consecutive.
    """
    play = a_small_play(a_small_group(samples=2))
    go_on_until(play, StartAccepted)
    go(play, 2)
    assert not said(play, ClusterConverged)
    for cluster in play.fleet.clusters.values():
        cluster.sick = True
    play.process.incident = Incident(Point.BEFORE_PLAN_RECORD, What.LEDGER_FAILS)
    go(play)
    for cluster in play.fleet.clusters.values():
        cluster.sick = False
    go(play)

    assert not said(play, ClusterConverged)


def test_a_branch_that_was_never_valid_is_told_and_nothing_is_judged() -> None:
    """
    Before the first valid revision there is no plan, and the head's status says what is wrong with it.
    """
    play = Play()
    play.repository.commit(NONSENSE)
    go(play)

    assert play.plan is None
    (status,) = [message.body for message in play.ledger.queued if isinstance(message.body, CommitStatus)]
    assert ("wavefleet/config", StatusState.ERROR) == (status.context, status.state)
    assert "groups/prod.yaml:3: spec.kafkaVersion" in status.description


def test_a_repository_that_was_never_read_fails_the_cycle() -> None:
    """
    With no revision known there is nothing to track.
    """
    play = a_small_play()
    play.repository.unreachable = "connection refused"

    with pytest.raises(RepositoryError, match="connection refused"):
        a_controller(play, Handle(play.ledger, lambda _: None)).run_cycle()


def test_another_fleets_ledger_is_refused_before_anything_happens() -> None:
    """
    A ledger belongs to one fleet name.
    """
    play = a_small_play()
    play.ledger.memory.bind("another")

    with pytest.raises(LedgerError, match="another"):
        a_controller(play, Handle(play.ledger, lambda _: None)).run_cycle()
    assert [] == list(play.ledger.memory.read())


def test_a_source_that_is_down_fails_no_other() -> None:
    """
    Its own clusters are unknown and keep their slots; the others go on.
    """
    play = a_small_play()
    play.fleet.unreachable.add("us")
    go_on_until(play, ClusterStarted)
    assert play.plan is not None
    assert play.plan.starts or play.plan.groups[0].in_flight
    go_on_until(play, ClusterConverged)
    go(play, 10)

    started = {each.entry.cluster for each in play.ledger.memory.read() if isinstance(each.entry, ClusterStarted)}
    assert {"eu/prod-1", "eu/prod-2"} == started


def test_observe_mode_judges_reports_and_touches_nothing() -> None:
    """
    How people come to trust it first: every status says so.
    """
    play = a_small_play()
    handle = Handle(play.ledger, lambda _: None)
    pace = Pace(POLL, STALE_AFTER, WRITE_LIMIT, observe_only=True)

    plan = a_controller(play, handle, pace).run_cycle()

    assert plan is not None
    assert () == plan.starts
    assert {1} == {cluster.generation for cluster in play.fleet.clusters.values()}
    statuses = [message.body for message in play.ledger.queued if isinstance(message.body, CommitStatus)]
    assert all(each.description.startswith("observe mode: ") for each in statuses if "config" not in each.context)


def test_a_command_is_taken_in_once() -> None:
    """
    A request that a cycle took in is answered, and is not there for the next one.
    """
    play = a_small_play()
    play.ask(Command.HALT, "prod")
    go(play, 3)

    assert (1, 1) == (said(play, RequestTaken), said(play, Stopped))
    assert "prod is halted as prod-1" == play.ledger.memory.answer(1)
    assert not said(play, ClusterStarted)


def test_a_controller_that_lost_the_lease_writes_nothing_more() -> None:
    """
    Another process that takes over between record and apply finds the start, and the first one writes none.
    """
    play = a_small_play()
    play.process.incident = Incident(Point.AFTER_PLAN_RECORD, What.TAKEN_OVER)
    go(play)

    assert 1 == said(play, ClusterStarted)
    assert {1} == {cluster.generation for cluster in play.fleet.clusters.values()}


@pytest.mark.parametrize("fault", [WriteFault.REFUSED, WriteFault.LOST])
def test_a_write_that_was_not_taken_is_made_again_in_time(fault: WriteFault) -> None:
    """
    A refusal is seen and waited for; a lost write is looked for, withdrawn, and planned anew.
    """
    play = a_small_play()
    play.fleet.write_fault = lambda _: fault
    go(play)
    play.fleet.write_fault = lambda _: None
    go_on_until(play, ClusterStarted, 2)

    entries = [each.entry for each in play.ledger.memory.read()]
    starts = [entry.cluster for entry in entries if isinstance(entry, ClusterStarted)]
    assert (1, 1) == (said(play, StartWithdrawn), len(set(starts)))
    assert 2 == play.fleet.clusters[starts[0]].generation


class OnceOpen(FixedSources):
    """Sources that can be opened as often as a test says."""

    def __init__(self, sources: Sequence[FleetSource], times: int) -> None:
        super().__init__(sources)
        self.times = times

    def open(self, declaration: Declaration) -> Sequence[FleetSource]:
        """Return them, or raise ObservationError."""
        self.times -= 1
        if self.times < 0:
            raise ObservationError("source eu: no such context")
        return super().open(declaration)


def test_sources_that_cannot_be_set_up_fail_the_cycle_and_nothing_is_lost() -> None:
    """
    The next cycle in which they can goes on.
    """
    play = a_small_play()
    ledger = Handle(play.ledger, lambda _: None)
    sources = OnceOpen([ModelSource(name, play.fleet) for name in SOURCES], 0)
    world = World(play.repository, sources, ledger, ledger.outbox, play.clock, NoMetrics())
    controller = Controller(world, Pace(POLL, STALE_AFTER, WRITE_LIMIT))

    with pytest.raises(ObservationError, match="no such context"):
        controller.run_cycle()
    sources.times = 2
    assert controller.run_cycle() is not None
