"""The daemon: cycles at the poll interval, one at a time, until it is told to leave or must not go on."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Event

import pytest

from controller.errors import IllegalTransition, LeaseLost, LedgerError, RepositoryError
from controller.ports import Clock, CycleEnd
from controller.runtime.clock import SystemClock, VirtualClock
from controller.runtime.daemon import STUCK_INTERVALS, STUCK_MIN, Daemon, Rhythm
from tests.builders import MOMENT, NOON
from tests.simulation.process import NoMetrics
from tests.simulation.quiet import no_logs

PATIENCE_SECONDS = 20.0
QUICK = Rhythm(timedelta(seconds=0.02), timedelta(0))


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Leave logs out, also the scheduler's."""
    with no_logs():
        yield


class OpenLease:
    """A lease that nobody else wants."""

    def __init__(self) -> None:
        self.released = False

    def wait_for_lease(self, owner: str, clock: Clock, stop: Event, on_wait: Callable[[str], None]) -> bool:
        """Take it."""
        del owner, clock, on_wait
        return not stop.is_set()

    def release(self) -> None:
        """Give it back."""
        self.released = True


class TakenLease(OpenLease):
    """A lease that somebody else holds until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Event()
        self.free = Event()

    def wait_for_lease(self, owner: str, clock: Clock, stop: Event, on_wait: Callable[[str], None]) -> bool:
        """Say who holds it, and wait."""
        on_wait("standing by: host-2 holds the lease")
        self.asked.set()
        while not self.free.wait(0.01):
            if stop.is_set():
                return False
        return super().wait_for_lease(owner, clock, stop, on_wait)


class Counts(NoMetrics):
    """Keeps the ends of cycles, and whether the lease is held."""

    def __init__(self) -> None:
        self.ends: list[CycleEnd] = []
        self.held: list[bool] = []

    def observe_cycle(self, end: CycleEnd) -> None:
        """Keep it."""
        self.ends.append(end)

    def observe_lease(self, *, held: bool) -> None:
        """Keep it."""
        self.held.append(held)


class Running:
    """A daemon in a thread of its own."""

    def __init__(self, run_cycle: Callable[[], object], lease: OpenLease | None = None) -> None:
        self.metrics = Counts()
        self.lease = lease or OpenLease()
        self.daemon = Daemon(run_cycle, QUICK, SystemClock(), self.metrics)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.daemon.run(self.lease, "host-1")
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error

    def left(self) -> "Running":
        """Wait until it has left."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the daemon did not leave"
        return self


def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def test_cycles_run_one_after_another_until_the_daemon_is_told_to_leave() -> None:
    """
    Never two at once, also where one takes longer than the interval.
    """
    cycles: list[int] = []
    turn = threading.Lock()

    def slow() -> None:
        assert turn.acquire(blocking=False), "two cycles at once"
        cycles.append(1)
        Event().wait(3 * QUICK.interval.total_seconds())
        turn.release()

    running = Running(slow)
    until(lambda: len(cycles) >= 4)
    running.daemon.stop()
    running.left()

    assert running.error is None
    assert running.lease.released
    assert {"ok"} == {end.result for end in running.metrics.ends}
    assert [True, False] == running.metrics.held


def test_the_cycle_in_hand_is_finished_before_the_daemon_leaves() -> None:
    """
    Told to leave in the middle of a cycle, it ends that one and begins no other.
    """
    entered, may_end, ended = Event(), Event(), Event()
    begun: list[int] = []

    def held() -> None:
        begun.append(1)
        entered.set()
        assert may_end.wait(PATIENCE_SECONDS)
        ended.set()

    running = Running(held)
    assert entered.wait(PATIENCE_SECONDS)
    running.daemon.stop()
    assert not running.lease.released
    may_end.set()
    running.left()

    assert ended.is_set()
    assert [1] == begun


def test_a_cycle_that_fails_is_followed_by_the_next() -> None:
    """
    A remote or a ledger that fails concerns one cycle; probes say why until one succeeds.
    """
    errors: list[Exception] = [RepositoryError("connection refused"), LedgerError("disk full")]
    done = Event()
    said: list[str | None] = []

    def sometimes() -> None:
        said.append(running.daemon.why_not_ready())
        if errors:
            raise errors.pop(0)
        done.set()

    ready = Event()

    def cycle() -> None:
        assert ready.wait(PATIENCE_SECONDS)
        sometimes()

    running = Running(cycle)
    ready.set()
    assert done.wait(PATIENCE_SECONDS)
    until(lambda: running.daemon.why_not_ready() is None)
    running.daemon.stop()
    running.left()

    assert ["the first cycle has not ended yet", "connection refused", "disk full"] == said[:3]
    assert ["failed", "failed", "ok"] == [end.result for end in running.metrics.ends[:3]]


@pytest.mark.parametrize(
    "error",
    [LeaseLost("host-2 took over"), IllegalTransition("a-1"), AssertionError("one wave"), KeyError("a bug")],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_lease_and_a_bug_end_the_daemon(error: Exception) -> None:
    """
    Going on could do harm: it leaves, gives the lease back, and its caller learns why.
    """
    cycles: list[int] = []

    def wrong() -> None:
        cycles.append(1)
        raise error

    running = Running(wrong).left()

    assert error is running.error
    assert [1] == cycles
    assert running.lease.released


def test_a_second_daemon_stands_by_and_says_so() -> None:
    """
    It judges nothing until the lease is free, and its probe names the holder.
    """
    cycles: list[int] = []
    lease = TakenLease()
    running = Running(lambda: cycles.append(1), lease)
    assert lease.asked.wait(PATIENCE_SECONDS)
    assert "standing by: host-2 holds the lease" == running.daemon.why_not_ready()
    assert [] == cycles

    lease.free.set()
    until(lambda: bool(cycles))
    until(lambda: running.daemon.why_not_ready() is None)
    running.daemon.stop()
    running.left()
    assert [False, True, False] == running.metrics.held


def test_a_daemon_that_stands_by_can_be_told_to_leave() -> None:
    """
    It never held the lease, and gives none back.
    """
    lease = TakenLease()
    running = Running(lambda: None, lease)
    assert lease.asked.wait(PATIENCE_SECONDS)
    running.daemon.stop()
    running.left()

    assert not lease.released
    assert running.daemon.stopping.is_set()


class Probed:
    """A daemon on a clock that a test moves; its cycle waits until it is let go."""

    def __init__(self, interval: timedelta) -> None:
        self.clock = VirtualClock(NOON)
        self.entered, self.free = Event(), Event()
        self.daemon = Daemon(self.cycle, Rhythm(interval, timedelta(0)), self.clock, Counts())

    def cycle(self) -> None:
        """Wait."""
        self.entered.set()
        assert self.free.wait(PATIENCE_SECONDS)

    def why_not_alive_after(self, by: timedelta) -> str | None:
        """Ask the probe when so much time has passed since noon."""
        self.clock.advance(NOON + by - self.clock.now())
        return self.daemon.why_not_alive()


@pytest.mark.parametrize(
    ("interval", "limit"),
    [(timedelta(minutes=1), STUCK_INTERVALS * timedelta(minutes=1)), (timedelta(seconds=1), STUCK_MIN)],
)
def test_a_cycle_that_never_ends_makes_the_process_not_alive(interval: timedelta, limit: timedelta) -> None:
    """
    Alive up to the limit, which is never below some minutes, and not beyond it.
    """
    probed = Probed(interval)
    thread = threading.Thread(target=probed.daemon.run_once)
    thread.start()
    assert probed.entered.wait(PATIENCE_SECONDS)

    assert probed.why_not_alive_after(limit) is None
    assert "has not ended within" in (probed.why_not_alive_after(limit + MOMENT) or "")
    probed.free.set()
    thread.join(PATIENCE_SECONDS)


def test_cycles_that_stopped_coming_make_the_process_not_alive() -> None:
    """
    A scheduler that died without a word is noticed as well.
    """
    probed = Probed(timedelta(minutes=1))
    probed.free.set()
    assert probed.daemon.why_not_alive() is None
    probed.daemon.run_once()
    limit = STUCK_INTERVALS * timedelta(minutes=1)

    assert probed.why_not_alive_after(limit) is None
    assert "no cycle has begun since" in (probed.why_not_alive_after(limit + MOMENT) or "")


def test_no_cycle_begins_once_the_daemon_is_to_leave() -> None:
    """
    A poll that was due already does nothing.
    """
    probed = Probed(timedelta(minutes=1))
    probed.daemon.stop()
    probed.daemon.run_once()

    assert not probed.entered.is_set()
    assert "the first cycle has not ended yet" == probed.daemon.why_not_ready()


def ends_of(metrics: Counts) -> list[datetime]:
    """Return when cycles ended."""
    return [end.ended_at for end in metrics.ends]


def test_the_length_of_a_cycle_is_measured() -> None:
    """
    Each end is told with its time by the clock.
    """
    metrics = Counts()
    clock = VirtualClock(NOON)
    daemon = Daemon(lambda: clock.advance(timedelta(seconds=3)), QUICK, clock, metrics)
    daemon.run_once()

    assert [NOON + timedelta(seconds=3)] == ends_of(metrics)
