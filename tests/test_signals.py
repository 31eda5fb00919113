"""Being told to leave: heard whatever the main thread is doing, and never a reason to hang."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

LIMIT_SECONDS = 30.0
ROUNDS = 100

SPIN_ON_THE_EVENT = """
import threading
from controller.signals import on_leave

leave = threading.Event()
on_leave(leave.set)
for _ in range({rounds}):
    leave.clear()
    print("waiting", flush=True)
    while not leave.wait(0):  # the event's own lock is held most of the time
        pass
print("left", flush=True)
"""

WAIT_WITHOUT_LIMIT = """
import threading
from controller.signals import on_leave

leave = threading.Event()
on_leave(leave.set)
print("waiting", flush=True)
leave.wait()
print("left", flush=True)
"""

INSIST = """
import threading
from controller.signals import on_leave

def give_up():
    raise KeyboardInterrupt

first = threading.Event()
on_leave(first.set, insisted=give_up)
print("waiting", flush=True)
first.wait()
try:
    print("leaving in order", flush=True)
    threading.Event().wait()
except KeyboardInterrupt:
    print("left", flush=True)
"""


class Child:
    """A program of a few lines, and what it says."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdout is not None
        self._said = process.stdout

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def next_line(self) -> str:
        """Return what it says next; it has to within the limit."""
        readable, _, _ = select.select([self._said], [], [], LIMIT_SECONDS)
        assert readable, f"it said nothing within {LIMIT_SECONDS:g} s"
        return self._said.readline().strip()

    def exit_code(self) -> int:
        """Return how it ended."""
        return self._process.wait(LIMIT_SECONDS)


@contextmanager
def child(program: str) -> Iterator[Child]:
    """Run a program beside the block; it is ended with it."""
    argv = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_waits_for_it_hears_it_at_any_moment(number: signal.Signals) -> None:
    """
    A main thread that goes into the event and out of it all the time does not stop there for ever.
    """
    with child(SPIN_ON_THE_EVENT.format(rounds=ROUNDS)) as process:
        for _ in range(ROUNDS):
            assert "waiting" == process.next_line()
            process.tell(number)

        assert "left" == process.next_line()
        assert 0 == process.exit_code()


def test_a_wait_without_limit_ends() -> None:
    """
    The event is set by another thread, so that a main thread that waits for it wakes up.
    """
    with child(WAIT_WITHOUT_LIMIT) as process:
        assert "waiting" == process.next_line()
        process.tell(signal.SIGTERM)

        assert "left" == process.next_line()
        assert 0 == process.exit_code()


def test_the_second_one_is_told_apart() -> None:
    """
    The first asks to leave in order; the next one may end at once what takes too long.
    """
    with child(INSIST) as process:
        assert "waiting" == process.next_line()
        process.tell(signal.SIGINT)
        assert "leaving in order" == process.next_line()
        process.tell(signal.SIGINT)

        assert "left" == process.next_line()
        assert 0 == process.exit_code()
