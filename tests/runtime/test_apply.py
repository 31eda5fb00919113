"""Writing intentions: what becomes of each, who is asked first, and that none waits for another."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from controller.errors import ApplyInDoubt, ApplyRefused, LeaseLost
from controller.history.entries import Entry, StartAccepted, StartWithdrawn
from controller.ledger.memory import MemoryLedger
from controller.model.observation import SourceReading
from controller.model.plan import Start
from controller.runtime.apply import WRITERS_MAX, Applier
from controller.runtime.clock import VirtualClock
from tests.builders import DAY, MOMENT, NOON, a_start
from tests.runtime.worlds import LIMIT_SECONDS, CountingMetrics, await_true


@dataclass
class ScriptedSource:
    """Takes what it is given, but for the clusters that its script has something else for."""

    name: str = "sim"
    script: dict[str, Callable[[], None]] = field(default_factory=dict)
    taken: list[tuple[Start, datetime]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Nobody reads here."""
        raise NotImplementedError

    def start(self, start: Start, now: datetime) -> None:
        """Do as the script says, then take it."""
        self.asked.append(start.cluster)
        self.script.get(start.cluster, lambda: None)()
        self.taken.append((start, now))


@dataclass
class Desk:
    """An applier and all that it works with."""

    source: ScriptedSource = field(default_factory=ScriptedSource)
    other: ScriptedSource = field(default_factory=lambda: ScriptedSource("other"))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOON))
    metrics: CountingMetrics = field(default_factory=CountingMetrics)

    def apply(self, *starts: Start) -> tuple[Entry, ...]:
        """Apply ``starts``."""
        sources = {source.name: source for source in (self.source, self.other)}
        return Applier(self.ledger, self.clock, self.metrics).apply(starts, sources)

    def fail(self, cluster: str, error: Exception) -> None:
        """Let a cluster's write fail."""

        def raise_error() -> None:
            raise error

        self.source.script[cluster] = raise_error


def some_starts(count: int) -> list[Start]:
    """Starts of so many clusters."""
    return [a_start(f"sim/a-{number}") for number in range(1, count + 1)]


def test_a_taken_write_is_accepted() -> None:
    """
    The source gets the start as it was planned, and the time.
    """
    desk = Desk()

    assert (StartAccepted(1, "sim/a-1"),) == desk.apply(a_start())
    assert [(a_start(), NOON)] == desk.source.taken
    assert {("source", "ok"): 1} == dict(desk.metrics.calls)


def test_each_start_is_written_to_its_own_source() -> None:
    """
    The one whose name stands before the cluster's, and no other.
    """
    desk = Desk()

    desk.apply(a_start("other/a-1"), a_start("sim/a-2"))

    assert (["sim/a-2"], ["other/a-1"]) == (desk.source.asked, desk.other.asked)


def test_a_refused_write_is_withdrawn_with_the_other_side_s_sentence() -> None:
    """
    Refused means not started, and says why.
    """
    desk = Desk()
    desk.fail("sim/a-1", ApplyRefused("sim/a-1: 409 conflict"))

    assert (StartWithdrawn(1, "sim/a-1", "sim/a-1: 409 conflict"),) == desk.apply(a_start())
    assert {("source", "refused"): 1} == dict(desk.metrics.calls)


def test_a_write_in_doubt_has_no_outcome() -> None:
    """
    Safety: nobody knows, so nothing is recorded, and the write is not tried a second time; observation tells.
    """
    desk = Desk()
    desk.fail("sim/a-1", ApplyInDoubt("sim/a-1: no answer"))

    assert () == desk.apply(a_start())
    assert ["sim/a-1"] == desk.source.asked
    assert {("source", "failed"): 1} == dict(desk.metrics.calls)


@pytest.mark.parametrize("left", [MOMENT, 0 * MOMENT, -MOMENT, -DAY])
def test_an_intention_expires_exactly_at_its_time(left: timedelta) -> None:
    """
    Safety: written up to one microsecond before it expires; at that time it is given up, without a refusal.
    """
    desk = Desk()
    is_good = left > 0 * MOMENT

    (outcome,) = desk.apply(a_start(expires_at=NOON + left))

    assert (StartAccepted(1, "sim/a-1") if is_good else StartWithdrawn(1, "sim/a-1")) == outcome
    assert ["sim/a-1"] * is_good == desk.source.asked


def test_a_start_of_a_source_that_is_not_declared_any_more_is_withdrawn() -> None:
    """
    Nothing can be written there; the refusal says so.
    """
    desk = Desk()

    assert (StartWithdrawn(1, "old/a-1", "its source is not declared any more"),) == desk.apply(a_start("old/a-1"))
    assert [] == desk.source.asked


def test_a_process_without_the_lease_writes_nothing() -> None:
    """
    Safety (one-writer): the lease is asked before each write, for one start and for many.
    """
    desk = Desk()
    desk.ledger.release()

    for starts in ([a_start()], some_starts(20)):
        with pytest.raises(LeaseLost, match=r"sim/a-\d+ was not started"):
            desk.apply(*starts)

    assert [] == desk.source.asked


def test_a_lease_lost_among_writes_stops_those_that_did_not_begin() -> None:
    """
    Safety (one-writer): once the first writes have cost the lease, no write begins that had not begun before.
    """
    desk = Desk()
    all_in = threading.Barrier(WRITERS_MAX, action=desk.ledger.release)
    starts = some_starts(3 * WRITERS_MAX)
    desk.source.script = {start.cluster: lambda: void(all_in.wait(LIMIT_SECONDS)) for start in starts}

    with pytest.raises(LeaseLost):
        desk.apply(*starts)

    assert {start.cluster for start in starts[:WRITERS_MAX]} == set(desk.source.asked)


def void(_: object) -> None:
    """Return nothing."""


def test_many_are_written_at_once_and_told_in_order() -> None:
    """
    As many as there are writers are under way together (each waits for all), and outcomes stand in the plan's order.
    """
    desk = Desk()
    together = threading.Barrier(WRITERS_MAX)
    starts = some_starts(WRITERS_MAX)
    desk.source.script = {start.cluster: lambda: void(together.wait(LIMIT_SECONDS)) for start in starts}

    outcomes = desk.apply(*starts)

    assert [StartAccepted(1, start.cluster) for start in starts] == list(outcomes)


def test_no_more_are_under_way_than_there_are_writers() -> None:
    """
    Forty starts are all written, never more than the bound at a time.
    """
    desk = Desk()
    starts = some_starts(5 * WRITERS_MAX)
    count = _Most()
    desk.source.script = {start.cluster: count.pass_through for start in starts}

    outcomes = desk.apply(*starts)

    assert [StartAccepted(1, start.cluster) for start in starts] == list(outcomes)
    assert count.most <= WRITERS_MAX


@dataclass
class _Most:
    """Counts how many are inside together."""

    inside: int = 0
    most: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def pass_through(self) -> None:
        """Go in and out."""
        with self.turn:
            self.inside += 1
            self.most = max(self.most, self.inside)
        with self.turn:
            self.inside -= 1


def test_a_write_that_hangs_keeps_no_other_waiting() -> None:
    """
    All others are written while it hangs; what becomes of it is told with them in the end.
    """
    desk = Desk()
    let_go = threading.Event()
    desk.source.script["sim/a-1"] = lambda: void(let_go.wait(LIMIT_SECONDS))
    starts = some_starts(3 * WRITERS_MAX)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(desk.apply, *starts)
        await_true(lambda: len(desk.source.taken) == len(starts) - 1)
        assert not future.done()
        let_go.set()
        outcomes = future.result(LIMIT_SECONDS)

    assert [StartAccepted(1, start.cluster) for start in starts] == list(outcomes)


def test_each_outcome_is_its_own() -> None:
    """
    Taken, refused, in doubt and expired side by side: each cluster gets what is its own, in order.
    """
    desk = Desk()
    desk.fail("sim/a-2", ApplyRefused("no"))
    desk.fail("sim/a-3", ApplyInDoubt("no answer"))
    first, second, third, fourth = some_starts(4)

    outcomes = desk.apply(first, second, third, replace(fourth, expires_at=NOON))

    assert (
        StartAccepted(1, "sim/a-1"),
        StartWithdrawn(1, "sim/a-2", "no"),
        StartWithdrawn(1, "sim/a-4"),
    ) == outcomes


def test_nothing_to_start_asks_nobody() -> None:
    """
    A quiet cycle costs no question to the ledger, whose lease is gone here.
    """
    desk = Desk()
    desk.ledger.release()

    assert () == desk.apply()


def test_a_bug_in_a_source_is_not_hidden() -> None:
    """
    Anything but a refusal or doubt ends the cycle.
    """
    desk = Desk()
    desk.fail("sim/a-1", ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        desk.apply(a_start())
