"""The daemon: one cycle at a time, left after the one in hand, survives a bad cycle, and leaves at a bug."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import IllegalTransition, LeaseLost, LedgerError, ObservationError, RepositoryError
from controller.ledger.memory import MemoryLedger
from controller.ledger.opening import open_ledger
from controller.ports import Clock, Lease
from controller.runtime.clock import SystemClock, VirtualClock
from controller.runtime.daemon import STUCK_INTERVALS, STUCK_MIN, Daemon, Rhythm
from tests.builders import HOUR, MINUTE, MOMENT, NOON, SECOND
from tests.runtime.worlds import LIMIT_SECONDS, CountingMetrics, await_true

SHORT = timedelta(milliseconds=10)
SOON_SECONDS = 0.2
"""How long a test looks whether something happens that must not."""


def a_daemon(
    run_cycle: Callable[[], object], clock: Clock | None = None, interval: timedelta = SHORT
) -> tuple[Daemon, CountingMetrics]:
    """A daemon that polls quickly, and what it counts."""
    metrics = CountingMetrics()
    return Daemon(run_cycle, Rhythm(interval, timedelta(0)), clock or SystemClock(), metrics), metrics


@contextmanager
def running(daemon: Daemon, lease: Lease) -> Iterator[Future[None]]:
    """Run a daemon in a thread; the future has what ``run`` returns or raises. It is stopped in the end."""
    ended: Future[None] = Future()

    def run() -> None:
        try:
            daemon.run(lease, "this test")
        except BaseException as error:  # noqa: BLE001 - whoever waits for the end gets it
            ended.set_exception(error)
        else:
            ended.set_result(None)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        daemon.stop()
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive(), "the daemon does not leave"


class Cycles:
    """Cycles that do as their script says, one entry a cycle, and then nothing."""

    def __init__(self, *script: BaseException | None) -> None:
        self.script = list(script)
        self.begun = 0
        self.ended = 0

    def __call__(self) -> None:
        """Run one."""
        self.begun += 1
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        self.ended += 1


class HeldCycle:
    """A cycle that does not end until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.ended = 0

    def __call__(self) -> None:
        """Run one."""
        self.entered.set()
        assert self.let_go.wait(LIMIT_SECONDS), "nobody let it go"
        self.ended += 1


def test_cycles_follow_one_another_until_it_is_told_to_stop() -> None:
    """
    The first one begins at once; told to stop, it leaves without an error, and lets the lease go.
    """
    cycles, lease = Cycles(), MemoryLedger()
    daemon, metrics = a_daemon(cycles)

    with running(daemon, lease) as ended:
        await_true(lambda: cycles.ended >= 3)
        assert lease.holds_lease()
        daemon.stop()
        ended.result(LIMIT_SECONDS)

    assert not lease.holds_lease()
    assert [True, False] == metrics.held
    assert {"ok"} == {end.result for end in metrics.ends}
    assert cycles.ended == len(metrics.ends)


def test_the_first_cycle_does_not_wait_for_the_interval() -> None:
    """
    A daemon that polls once an hour looks at once when it is started.
    """
    cycles = Cycles()
    daemon, _ = a_daemon(cycles, interval=HOUR)

    with running(daemon, MemoryLedger()):
        await_true(lambda: cycles.ended == 1)


def test_never_are_two_cycles_run_at_once() -> None:
    """
    Safety: cycles that take several intervals follow one another, and none overlaps.
    """
    turn = threading.Lock()
    overlaps: list[int] = []
    finished: list[int] = []

    def cycle() -> None:
        if not turn.acquire(blocking=False):
            overlaps.append(1)
            return
        threading.Event().wait(5 * SHORT.total_seconds())  # the work of a slow cycle
        turn.release()
        finished.append(1)

    daemon, _ = a_daemon(cycle)
    with running(daemon, MemoryLedger()):
        await_true(lambda: len(finished) >= 5)

    assert [] == overlaps


def test_told_to_stop_it_finishes_the_cycle_in_hand() -> None:
    """
    It keeps the lease until that cycle has ended, and begins no other.
    """
    cycle, lease = HeldCycle(), MemoryLedger()
    daemon, _ = a_daemon(cycle)

    with running(daemon, lease) as ended:
        assert cycle.entered.wait(LIMIT_SECONDS)
        daemon.stop()
        with pytest.raises(TimeoutError):
            ended.result(SOON_SECONDS)
        assert lease.holds_lease()
        cycle.let_go.set()
        ended.result(LIMIT_SECONDS)

    assert 1 == cycle.ended
    assert not lease.holds_lease()


def test_told_to_stop_before_it_ran_it_runs_nothing() -> None:
    """
    Neither a cycle of its own nor one that is asked for.
    """
    cycles = Cycles()
    daemon, _ = a_daemon(cycles)
    daemon.stop()

    daemon.run(MemoryLedger(), "this test")
    daemon.run_once()

    assert 0 == cycles.begun
    assert daemon.stopping.is_set()


@pytest.mark.parametrize(
    "error", [RepositoryError("remote gone"), LedgerError("disk full"), ObservationError("no such source")]
)
def test_a_cycle_that_fails_for_outside_reasons_is_survived(error: Exception) -> None:
    """
    The next cycle is run, and what went wrong is told until one succeeds.
    """
    cycles = Cycles(error)
    daemon, metrics = a_daemon(cycles)

    with running(daemon, MemoryLedger()) as ended:
        await_true(lambda: cycles.ended >= 2)
        await_true(lambda: daemon.why_not_ready() is None)
        assert not ended.done()

    assert ["failed", "ok"] == [end.result for end in metrics.ends[:2]]


@pytest.mark.parametrize(
    "error",
    [
        LeaseLost("another took over"),
        AssertionError("in flight 3 of 2"),
        IllegalTransition("soaked to started"),
        ZeroDivisionError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_lease_or_a_bug_ends_it(error: Exception) -> None:
    """
    Safety: going on could do harm. No cycle follows, the lease is let go, and ``run`` raises what happened.
    """
    cycles, lease = Cycles(None, error), MemoryLedger()
    daemon, metrics = a_daemon(cycles)

    with running(daemon, lease) as ended, pytest.raises(type(error)) as raised:
        ended.result(LIMIT_SECONDS)

    assert raised.value is error
    assert 2 == cycles.begun
    assert not lease.holds_lease()
    assert not metrics.held[-1]
    assert str(error) in (daemon.why_not_ready() or "")


def test_a_second_daemon_stands_by_and_says_who_runs(tmp_path: Path) -> None:
    """
    Safety (one-writer): no cycle while another process holds the lease; it runs as soon as that one leaves.
    """
    first, second = open_ledger(tmp_path / "ledger.db"), open_ledger(tmp_path / "ledger.db")
    assert first.acquire("the first daemon", NOON)
    cycles = Cycles()
    daemon, metrics = a_daemon(cycles)

    with running(daemon, second):
        await_true(lambda: "the first daemon" in (daemon.why_not_ready() or ""))
        assert 0 == cycles.begun
        assert daemon.why_not_alive() is None
        first.release()
        await_true(lambda: cycles.ended > 0)
        await_true(lambda: daemon.why_not_ready() is None)

    assert [False, True, False] == metrics.held
    first.close()
    second.close()


def test_standing_by_it_can_be_told_to_stop(tmp_path: Path) -> None:
    """
    It leaves without having run anything, and without touching the other's lease.
    """
    first, second = open_ledger(tmp_path / "ledger.db"), open_ledger(tmp_path / "ledger.db")
    assert first.acquire("the first daemon", NOON)
    cycles = Cycles()
    daemon, _ = a_daemon(cycles)

    with running(daemon, second) as ended:
        await_true(lambda: daemon.why_not_ready() != "the first cycle has not ended yet")
        daemon.stop()
        ended.result(LIMIT_SECONDS)

    assert 0 == cycles.begun
    assert first.holds_lease()
    first.close()
    second.close()


def test_it_is_not_ready_before_its_first_cycle_has_ended() -> None:
    """
    Also not while that one is in hand.
    """
    cycle = HeldCycle()
    daemon, _ = a_daemon(cycle)
    assert "the first cycle has not ended yet" == daemon.why_not_ready()

    with running(daemon, MemoryLedger()):
        assert cycle.entered.wait(LIMIT_SECONDS)
        assert "the first cycle has not ended yet" == daemon.why_not_ready()
        cycle.let_go.set()
        await_true(lambda: daemon.why_not_ready() is None)


def test_it_is_not_ready_while_cycles_fail() -> None:
    """
    The reason is the last error's own sentence, until a cycle succeeds.
    """
    daemon, _ = a_daemon(Cycles(RepositoryError("remote gone"), LedgerError("disk full")))

    daemon.run_once()
    assert "remote gone" == daemon.why_not_ready()
    daemon.run_once()
    assert "disk full" == daemon.why_not_ready()
    daemon.run_once()

    assert daemon.why_not_ready() is None


def test_a_cycle_s_end_is_told_with_its_time() -> None:
    """
    By the clock when it has ended, however long it took.
    """
    clock = VirtualClock(NOON)
    daemon, metrics = a_daemon(lambda: clock.advance(MINUTE), clock)

    daemon.run_once()

    assert [NOON + MINUTE] == [end.ended_at for end in metrics.ends]


@pytest.mark.parametrize("interval", [MINUTE, SECOND])
def test_a_cycle_that_does_not_end_makes_it_not_alive(interval: timedelta) -> None:
    """
    Alive up to ten intervals, at least five minutes; past that, the sentence says since when.
    """
    clock, cycle = VirtualClock(NOON), HeldCycle()
    daemon, _ = a_daemon(cycle, clock, interval)
    limit = max(STUCK_INTERVALS * interval, STUCK_MIN)
    thread = threading.Thread(target=daemon.run_once)
    thread.start()
    assert cycle.entered.wait(LIMIT_SECONDS)

    clock.advance(limit)
    assert daemon.why_not_alive() is None
    clock.advance(MOMENT)
    why = daemon.why_not_alive() or ""
    cycle.let_go.set()
    thread.join(LIMIT_SECONDS)

    assert f"the cycle that began {NOON.isoformat()} has not ended" in why
    assert daemon.why_not_alive() is None


def test_no_cycle_for_too_long_makes_it_not_alive() -> None:
    """
    A scheduler that stopped is found out, a failed cycle counted as one that was run.
    """
    clock = VirtualClock(NOON)
    daemon, _ = a_daemon(Cycles(RepositoryError("remote gone")), clock, MINUTE)
    assert daemon.why_not_alive() is None

    daemon.run_once()
    clock.advance(STUCK_INTERVALS * MINUTE)
    assert daemon.why_not_alive() is None
    clock.advance(MOMENT)

    assert f"no cycle has begun since {NOON.isoformat()}" == daemon.why_not_alive()
