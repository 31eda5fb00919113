"""One courier: order, doubt, waiting and dropping, with a channel that does as it is told."""

from datetime import timedelta
from random import Random

import pytest

from controller.errors import LedgerError, ReportDelayed, ReportRefused
from controller.model.outbox import Delivery
from controller.runtime.delivery import (
    BACKOFF_SECONDS,
    BACKOFF_SECONDS_MAX,
    RETRY_AFTER_JITTER_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    Courier,
    seconds_before_retry,
)
from tests.builders import NOON
from tests.reports.messages import a_head, a_reply, carry_all
from tests.runtime.scripted import JoiningScript, PacedScript, Post, ScriptedChannel


@pytest.fixture
def post() -> Post:
    """An empty outbox at noon."""
    return Post()


def test_messages_go_out_oldest_first_and_are_kept_by_reference(post: Post) -> None:
    """
    Each message is delivered once, in the order of queueing, and the channel's name for it is remembered.
    """
    channel = ScriptedChannel()
    post.queue("a", "b", "c")
    carry_all(Courier(channel, post.desk), post.clock)

    assert ["a", "b", "c"] == channel.taken
    assert "reference-of-b" == post.ledger.outbox.reference("slack", "b")
    assert [("slack", "delivered")] * 3 == post.counted


def test_a_thread_s_reply_knows_the_head_delivered_before_it(post: Post) -> None:
    """
    The head's reference is recorded before the reply is handed over.
    """
    channel = ScriptedChannel()
    post.queue("head", body=a_head())
    post.queue("reply", body=a_reply())
    carry_all(Courier(channel, post.desk), post.clock)

    assert [None, "reference-of-head"] == [delivery.thread_reference for delivery in channel.offered]


def test_later_messages_wait_behind_the_oldest(post: Post) -> None:
    """
    A delay of the oldest holds up the others, so that nothing overtakes.
    """
    channel = ScriptedChannel(script=[ReportDelayed("down"), ReportDelayed("down")])
    post.queue("a", "b")
    courier = Courier(channel, post.desk)
    first = courier.step()

    assert first is not None
    assert 0 < first <= BACKOFF_SECONDS
    assert first == courier.step(), "it waits, and does not go on to the next message"
    carry_all(courier, post.clock)
    assert ["a", "b"] == channel.taken
    assert ["a", "a", "a", "b"] == [delivery.message.key for delivery in channel.offered]


def test_a_try_is_remembered_before_it_is_made(post: Post) -> None:
    """
    At the moment of the call the outbox already holds the message in doubt: a crash inside the call is found later.
    """
    seen: list[bool] = []

    class Looking(ScriptedChannel):
        def deliver(self, delivery: Delivery) -> str:
            again = post.ledger.outbox.due("slack", post.clock.now())
            seen.append(again is not None and again.in_doubt and again.attempts == 1)
            return super().deliver(delivery)

    post.queue("a")
    Courier(Looking(), post.desk).step()

    assert [True] == seen


@pytest.mark.parametrize("in_doubt", [False, True])
def test_only_a_failure_in_doubt_leaves_doubt(post: Post, *, in_doubt: bool) -> None:
    """
    A call that was certainly not taken is made again without a look; one that may have been taken is not.
    """
    channel = ScriptedChannel(script=[ReportDelayed("lost", in_doubt=in_doubt)])
    post.queue("a")
    carry_all(Courier(channel, post.desk), post.clock)

    assert [False, in_doubt] == [delivery.in_doubt for delivery in channel.offered]
    assert [0, 1] == [delivery.attempts for delivery in channel.offered]


def test_a_refused_message_is_dropped_with_its_reason_and_the_next_goes_out(post: Post) -> None:
    """
    What a channel will never take must not hold up the rest.
    """
    channel = ScriptedChannel(script=[ReportRefused("too long")])
    post.queue("a", "b")
    carry_all(Courier(channel, post.desk), post.clock)

    assert ["b"] == channel.taken
    assert [("a", "too long")] == post.dropped()
    assert [("slack", "refused"), ("slack", "delivered")] == post.counted


def test_retry_after_is_honoured(post: Post) -> None:
    """
    A channel that names a time is left alone until then, by this courier and by one after a restart.
    """
    channel = ScriptedChannel(script=[ReportDelayed("limit", retry_after_seconds=30)])
    post.queue("a")
    wait = Courier(channel, post.desk).step()

    assert wait is not None
    assert 30 <= wait <= 30 + RETRY_AFTER_JITTER_SECONDS
    post.clock.manual.advance(29.9)
    assert Courier(channel, post.desk).step() is None
    assert 1 == len(channel.offered)
    post.clock.manual.advance(wait - 29.9)
    Courier(channel, post.desk).step()
    assert ["a"] == channel.taken


def test_the_wait_doubles_up_to_a_ceiling() -> None:
    """
    Without a word from the server the wait lies between half and the whole of 1, 2, 4, … seconds, at most 300.
    """
    chance = Random(1)
    for attempts, longest in ((0, 1), (1, 2), (2, 4), (8, 256), (9, 300), (1000, BACKOFF_SECONDS_MAX)):
        waits = [seconds_before_retry(attempts, None, chance) for _ in range(200)]
        assert longest / 2 <= min(waits) <= max(waits) <= longest
        assert max(waits) > min(waits), "chance spreads them"


def test_a_server_cannot_silence_a_channel_for_ever() -> None:
    """
    However long a server asks for, it is asked again after an hour; and never sooner than failures in a row call for.
    """
    assert RETRY_AFTER_SECONDS_MAX <= seconds_before_retry(0, 1e9, Random(1)) <= RETRY_AFTER_SECONDS_MAX + 1
    assert seconds_before_retry(20, 1.0, Random(1)) >= BACKOFF_SECONDS_MAX / 2
    assert seconds_before_retry(0, -5.0, Random(1)) >= 0


def test_a_paced_channel_rests_between_messages(post: Post) -> None:
    """
    Two messages are at least the channel's pause apart, and the last one leaves nothing to wait for.
    """
    channel = PacedScript()
    post.queue("a", "b")
    courier = Courier(channel, post.desk)

    assert 2.0 == courier.step()
    assert 2.0 == courier.step()
    assert ["a"] == channel.taken
    post.clock.manual.advance(2.0)
    courier.step()
    assert ["a", "b"] == channel.taken
    assert courier.step() is None


def test_a_clock_that_steps_back_does_not_stop_a_channel(post: Post) -> None:
    """
    A rest begun in what is now the future is over.
    """
    channel = PacedScript()
    post.queue("a", "b")
    courier = Courier(channel, post.desk)
    courier.step()
    post.clock.manual.advance(-timedelta(days=1).total_seconds())
    courier.step()

    assert ["a", "b"] == channel.taken


def test_messages_of_a_joining_channel_travel_together(post: Post) -> None:
    """
    What is due at once goes in one call, oldest first, as many as the channel takes.
    """
    channel = JoiningScript(name="notes")
    post.queue("a", "b", "c", "d", channel="notes")
    carry_all(Courier(channel, post.desk), post.clock)

    assert [("a", "b", "c"), ("d",)] == channel.batches
    assert "together" == post.ledger.outbox.reference("notes", "c")


def test_one_refused_message_does_not_take_others_down(post: Post) -> None:
    """
    Where a joint call is refused each message is tried alone, and only the one to blame is dropped.
    """
    channel = JoiningScript(name="notes", refused=frozenset({"b"}))
    post.queue("a", "b", "c", channel="notes")
    carry_all(Courier(channel, post.desk), post.clock)

    assert ["a", "c"] == channel.taken
    assert [("b", "one of them is impossible")] == post.dropped()


def test_a_delayed_joint_call_is_repeated_whole(post: Post) -> None:
    """
    After a delay all of them are due again, in their order.
    """
    channel = JoiningScript(name="notes", script=[ReportDelayed("down", in_doubt=True)])
    post.queue("a", "b", channel="notes")
    carry_all(Courier(channel, post.desk), post.clock)

    assert [("a", "b"), ("a", "b")] == channel.batches
    assert ["a", "b"] == channel.taken


def test_a_channel_that_breaks_its_contract_is_tried_again(post: Post) -> None:
    """
    An error that no channel may raise loses no message and is counted; the message is then in doubt.
    """
    channel = ScriptedChannel(script=[KeyError("a bug")])
    post.queue("a")
    carry_all(Courier(channel, post.desk), post.clock)

    assert ["a"] == channel.taken
    assert channel.offered[1].in_doubt
    assert [("slack", "failed"), ("slack", "delivered")] == post.counted


def test_nothing_is_delivered_without_the_lease(post: Post) -> None:
    """
    A second daemon that waits for the ledger says nothing; once it holds the lease it does.
    """
    channel = ScriptedChannel()
    post.queue("a")
    post.may_deliver = False
    courier = Courier(channel, post.desk)

    assert courier.step() is None
    assert [] == channel.offered
    post.may_deliver = True
    courier.step()
    assert ["a"] == channel.taken


def test_a_ledger_that_fails_after_the_call_leaves_the_message_in_doubt(post: Post) -> None:
    """
    The channel took it and the ledger could not say so: the next try looks first.
    """

    class LosesLease(ScriptedChannel):
        def deliver(self, delivery: Delivery) -> str:
            post.ledger.release()
            return super().deliver(delivery)

    post.queue("a")
    with pytest.raises(LedgerError):
        Courier(LosesLease(), post.desk).step()
    post.ledger.acquire("the same", NOON)
    again = ScriptedChannel()
    Courier(again, post.desk).step()

    assert [True] == [delivery.in_doubt for delivery in again.offered]
