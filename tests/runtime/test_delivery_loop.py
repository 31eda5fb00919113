"""The loop around the couriers: threads that wake, do not wait for each other, and end in time."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from controller.errors import ReportDelayed
from controller.runtime.delivery import IDLE_SECONDS, DeliveryLoop
from tests.builders import NOON
from tests.reports.messages import OTHER_REVISION, a_status
from tests.runtime.scripted import HangingChannel, Post, ScriptedChannel
from tests.runtime.worlds import LIMIT_SECONDS, await_true


@pytest.fixture
def post() -> Post:
    """An empty outbox at noon."""
    return Post()


def test_drain_delivers_what_is_due_and_says_whether_something_waits(post: Post) -> None:
    """
    A program that ends after one cycle sends what it can, channel by channel, and learns what it could not.
    """
    good, down = ScriptedChannel("good"), ScriptedChannel("down", [ReportDelayed("down", retry_after_seconds=60)])
    post.queue("a", "b", channel="good")
    post.queue("c", channel="down")

    assert not DeliveryLoop([down, good], post.desk).drain(5.0)
    assert ["a", "b"] == good.taken
    post.clock.manual.advance(120)
    assert DeliveryLoop([down, good], post.desk).drain(5.0)
    assert ["c"] == down.taken


def test_drain_does_not_wait_for_a_clock_that_stands(post: Post) -> None:
    """
    Under a clock that its caller moves, a short pause cannot pass while we wait; the message stays queued.
    """
    channel = ScriptedChannel(script=[ReportDelayed("down", retry_after_seconds=0.01)] * 100)
    post.queue("a")
    loop = DeliveryLoop([channel], post.desk)

    assert not loop.drain(LIMIT_SECONDS)
    assert 1 == len(channel.offered)


@pytest.fixture
def running() -> Iterator[Callable[[DeliveryLoop], DeliveryLoop]]:
    """Starts loops and stops them at the end."""
    started: list[DeliveryLoop] = []

    def start(loop: DeliveryLoop) -> DeliveryLoop:
        loop.start()
        started.append(loop)
        return loop

    yield start
    for loop in started:
        loop.stop(LIMIT_SECONDS)


Starter = Callable[[DeliveryLoop], DeliveryLoop]


def test_a_thread_wakes_up_when_something_was_queued(post: Post, running: Starter) -> None:
    """
    Queued and woken, a message goes out at once, long before the idle look.
    """
    channel = ScriptedChannel()
    loop = running(DeliveryLoop([channel], post.desk))
    began = time.monotonic()
    post.queue("a")
    loop.wake()
    await_true(lambda: channel.taken == ["a"])

    assert time.monotonic() - began < IDLE_SECONDS


def test_a_channel_that_hangs_does_not_hold_up_the_others(post: Post, running: Starter) -> None:
    """
    Each channel has its own thread.
    """
    hanging, other = HangingChannel(), ScriptedChannel()
    post.queue("a", channel="hanging")
    post.queue("b")
    loop = running(DeliveryLoop([hanging, other], post.desk))
    assert hanging.entered.wait(LIMIT_SECONDS)
    await_true(lambda: other.taken == ["b"])

    hanging.let_go.set()
    assert loop.stop(LIMIT_SECONDS)


def test_stop_lets_the_call_in_hand_end(post: Post, running: Starter) -> None:
    """
    A message in hand is delivered and recorded; the next one stays queued for the next start.
    """
    channel = HangingChannel()
    post.queue("a", "b", channel="hanging")
    loop = running(DeliveryLoop([channel], post.desk))
    assert channel.entered.wait(LIMIT_SECONDS)
    threading.Timer(0.05, channel.let_go.set).start()

    assert loop.stop(LIMIT_SECONDS)
    assert "a" == post.ledger.outbox.reference("hanging", "a")
    waiting = post.ledger.outbox.due("hanging", post.clock.now())
    assert waiting is not None
    assert ("b", False) == (waiting.message.key, waiting.in_doubt)


def test_stop_does_not_wait_longer_than_its_limit(post: Post, running: Starter) -> None:
    """
    A call that does not end is left behind, and said so; its message is in doubt.
    """
    channel = HangingChannel()
    post.queue("a", channel="hanging")
    loop = running(DeliveryLoop([channel], post.desk))
    assert channel.entered.wait(LIMIT_SECONDS)
    began = time.monotonic()

    assert not loop.stop(0.05)
    assert time.monotonic() - began < LIMIT_SECONDS / 2
    waiting = post.ledger.outbox.due("hanging", post.clock.now())
    assert waiting is not None
    assert waiting.in_doubt
    channel.let_go.set()


def test_a_failing_ledger_does_not_end_the_thread(post: Post, running: Starter) -> None:
    """
    A lease lost in between is waited out; when it is there again, delivery goes on.
    """
    channel = ScriptedChannel()
    post.queue("a", body=a_status(revision=OTHER_REVISION))
    post.ledger.release()
    loop = running(DeliveryLoop([channel], post.desk))
    post.ledger.acquire("the same", NOON)

    def woken_and_taken() -> bool:
        loop.wake()
        return channel.taken == ["a"]

    await_true(woken_and_taken)
