"""What every outbox promises the threads that deliver: in order, replaced while it waits, in doubt, never twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.outbox import CommitStatus, Delivery, Message, Posted, StatusState
from tests.ledger.builders import GIT, HOUR, MINUTE, MOMENT, NOON, SLACK, a_head, a_reply, a_status


@pytest.fixture(params=["file", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """A ledger whose lease this process holds."""
    opened = open_ledger(tmp_path / "ledger.db" if request.param == "file" else ":memory:")
    assert opened.acquire("this test", NOON)
    yield opened
    opened.close()


def due(ledger: OpenLedger, channel: str = SLACK) -> Delivery:
    """What is due on ``channel``, which has to be something."""
    delivery = ledger.outbox.due(channel, NOON)
    assert delivery is not None
    return delivery


def deliver(ledger: OpenLedger, channel: str = SLACK, reference: str = "ts-1") -> str:
    """Deliver what is due and return its key."""
    delivery = due(ledger, channel)
    ledger.outbox.attempt(delivery, NOON)
    ledger.outbox.delivered(delivery, reference, NOON)
    return delivery.message.key


def test_messages_of_a_channel_are_due_in_the_order_in_which_they_were_queued(ledger: OpenLedger) -> None:
    """
    Only the oldest is due; each channel has an order of its own, and ends when nothing waits.
    """
    ledger.queue([a_head("h1"), a_status("s1"), a_reply("r1")], 3, NOON)
    ledger.queue([a_reply("r2")], 4, NOON)

    assert ["h1", "r1", "r2"] == [deliver(ledger) for _ in range(3)]
    assert ledger.outbox.due(SLACK, NOON) is None
    assert "s1" == due(ledger, GIT).message.key


def test_a_message_is_due_as_it_was_queued(ledger: OpenLedger) -> None:
    """
    Nothing of it is lost on the way, and no try was made yet.
    """
    ledger.queue([a_head("h1")], 1, NOON)

    delivery = due(ledger)

    assert a_head("h1") == delivery.message
    assert (0, False, None) == (delivery.attempts, delivery.in_doubt, delivery.thread_reference)


def test_several_messages_may_be_due_together_in_their_order(ledger: OpenLedger) -> None:
    """
    At most as many as asked for, and none behind one that has to wait.
    """
    topics = [f"4f2a wavefleet/{number}" for number in range(4)]
    ledger.queue([a_status(topic, topic=topic) for topic in topics], 4, NOON)
    together = ledger.outbox.due_together(GIT, NOON, 3)
    assert topics[:3] == [delivery.message.key for delivery in together]

    ledger.outbox.postponed(together[1], NOON + HOUR, "503")

    assert topics[:1] == [delivery.message.key for delivery in ledger.outbox.due_together(GIT, NOON, 3)]
    assert topics == [delivery.message.key for delivery in ledger.outbox.due_together(GIT, NOON + HOUR, 9)]
    assert () == ledger.outbox.due_together(SLACK, NOON, 9)


def test_a_key_is_said_once_for_ever(ledger: OpenLedger) -> None:
    """
    Twice harmless: a key that waits, was replaced, was delivered or was dropped is passed over.
    """
    ledger.queue([a_status("s1", "one"), a_status("s2", "two"), a_status("s2", "two again")], 1, NOON)
    ledger.queue([a_status("s1", "one again")], 1, NOON)
    assert "two" == words(due(ledger, GIT).message)
    assert "s2" == deliver(ledger, GIT)

    ledger.queue([a_status("s1"), a_status("s2"), a_status("s3")], 1, NOON)
    ledger.outbox.dropped(due(ledger, GIT), "422", NOON)
    ledger.queue([a_status("s3")], 1, NOON)

    assert ledger.outbox.due(GIT, NOON) is None


def test_the_same_key_on_another_channel_is_another_message(ledger: OpenLedger) -> None:
    """
    Each channel hears of it.
    """
    ledger.queue([a_status("s1"), a_status("s1", channel="github")], 1, NOON)

    assert "s1" == deliver(ledger, GIT)
    assert "s1" == deliver(ledger, "github")


def words(message: Message) -> str:
    """What a commit status says."""
    assert isinstance(message.body, CommitStatus)
    return message.body.description


def test_a_newer_status_takes_the_place_of_one_that_nobody_has_yet(ledger: OpenLedger) -> None:
    """
    People hear the newest word, in the old one's place; another topic is not touched.
    """
    other = "4f2a wavefleet/fleet"
    ledger.queue([a_status("s1", "wave 1"), a_status("f1", "fleet", topic=other)], 1, NOON)
    ledger.queue([a_status("s2", "wave 2")], 2, NOON)

    assert a_status("s2", "wave 2") == due(ledger, GIT).message
    assert ["s2", "f1"] == [deliver(ledger, GIT), deliver(ledger, GIT)]
    assert ledger.outbox.due(GIT, NOON) is None


def test_a_thread_keeps_its_head_before_its_replies(ledger: OpenLedger) -> None:
    """
    A newer head replaces the waiting one where that stood; replies are never replaced, also of one topic.
    """
    ledger.queue([a_head("h1", "wave 1/3"), a_reply("r1")], 1, NOON)
    same_topic = Message(SLACK, "r2", a_reply("r1").topic, a_reply("r2").body)
    ledger.queue([same_topic, a_head("h2", "wave 2/3")], 2, NOON)

    assert a_head("h2", "wave 2/3") == due(ledger).message
    assert ["h2", "r1", "r2"] == [deliver(ledger) for _ in range(3)]


def test_what_a_channel_was_given_is_not_replaced(ledger: OpenLedger) -> None:
    """
    The channel may be sending it: the newer word comes after it, and is itself replaced while it waits.
    """
    ledger.queue([a_status("s1", "wave 1")], 1, NOON)
    given = due(ledger, GIT)
    ledger.queue([a_status("s2", "wave 2")], 2, NOON)
    ledger.queue([a_status("s3", "wave 3")], 3, NOON)
    ledger.outbox.attempt(given, NOON)
    ledger.outbox.delivered(given, "note", NOON)

    assert "wave 1" == words(given.message)
    assert "s3" == deliver(ledger, GIT)
    assert ledger.outbox.due(GIT, NOON) is None


def test_a_try_that_never_told_its_end_is_in_doubt(ledger: OpenLedger) -> None:
    """
    It is remembered before it is made; the next one knows that it has to look first.
    """
    ledger.queue([a_reply("r1")], 1, NOON)
    ledger.outbox.attempt(due(ledger), NOON)

    again = due(ledger)

    assert (1, True) == (again.attempts, again.in_doubt)
    ledger.outbox.attempt(again, NOON)
    assert (2, True) == (due(ledger).attempts, due(ledger).in_doubt)


@pytest.mark.parametrize("in_doubt", [True, False])
def test_a_postponed_message_waits_and_the_later_ones_behind_it(ledger: OpenLedger, *, in_doubt: bool) -> None:
    """
    It is due at its moment and not before; whether its last try may have been taken is what the channel said.
    """
    ledger.queue([a_reply("r1"), a_reply("r2")], 1, NOON)
    first = due(ledger)
    ledger.outbox.attempt(first, NOON)
    ledger.outbox.postponed(first, NOON + HOUR, "429", in_doubt=in_doubt)

    assert ledger.outbox.due(SLACK, NOON + HOUR - MOMENT) is None
    again = ledger.outbox.due(SLACK, NOON + HOUR)
    assert again is not None
    assert ("r1", 1, in_doubt) == (again.message.key, again.attempts, again.in_doubt)


def test_a_dropped_message_makes_way(ledger: OpenLedger) -> None:
    """
    It is never tried again and has no reference; the next one is due.
    """
    ledger.queue([a_reply("r1"), a_reply("r2")], 1, NOON)
    ledger.outbox.dropped(due(ledger), "msg_too_long", NOON)

    assert "r2" == due(ledger).message.key
    assert ledger.outbox.reference(SLACK, "r1") is None


def test_an_end_that_is_told_twice_changes_nothing(ledger: OpenLedger) -> None:
    """
    Twice harmless: what was delivered is neither delivered anew, postponed, dropped nor put in doubt.
    """
    ledger.queue([a_reply("r1"), a_reply("r2")], 1, NOON)
    first = due(ledger)
    ledger.outbox.delivered(first, "ts-1", NOON)

    ledger.outbox.delivered(first, "ts-2", NOON)
    ledger.outbox.attempt(first, NOON)
    ledger.outbox.postponed(first, NOON + HOUR, "429")
    ledger.outbox.dropped(first, "gone", NOON)

    assert "ts-1" == ledger.outbox.reference(SLACK, "r1")
    assert "r2" == due(ledger).message.key


def test_replies_and_newer_heads_know_the_delivered_head_of_their_thread(ledger: OpenLedger) -> None:
    """
    The reference is that of the thread on this channel, also after an edit of the head; a status has none.
    """
    ledger.queue([a_head("h1"), a_head("other", thread="rollout-2"), a_reply("r1"), a_status("s1")], 1, NOON)
    ledger.queue([a_reply("r2", thread="rollout-3")], 1, NOON)
    deliver(ledger, reference="ts-1")
    deliver(ledger, reference="ts-2")

    assert "ts-1" == due(ledger).thread_reference
    assert due(ledger, GIT).thread_reference is None
    deliver(ledger, reference="ts-3")
    assert due(ledger).thread_reference is None
    deliver(ledger)

    ledger.queue([a_head("h2", "wave 2/3"), a_reply("r3")], 2, NOON)
    assert "ts-1" == due(ledger).thread_reference
    deliver(ledger, reference="ts-1")
    assert "ts-1" == due(ledger).thread_reference


def test_a_delivered_message_keeps_its_reference(ledger: OpenLedger) -> None:
    """
    It is found by channel and key; a message that waits or is unknown has none.
    """
    ledger.queue([a_head("h1"), a_reply("r1")], 1, NOON)
    deliver(ledger, reference="ts-1")

    assert "ts-1" == ledger.outbox.reference(SLACK, "h1")
    assert ledger.outbox.reference(SLACK, "r1") is None
    assert ledger.outbox.reference(GIT, "h1") is None


def test_what_was_queued_last_about_a_topic_is_known_whatever_became_of_it(ledger: OpenLedger) -> None:
    """
    Waiting, replaced, delivered or dropped: the last word and its time stay, for each channel.
    """
    topic = a_status("s1").topic
    assert ledger.outbox.posted(GIT, topic) is None
    ledger.queue([a_status("s1", "wave 1")], 1, NOON)
    assert Posted(a_status("s1", "wave 1").body, NOON) == ledger.outbox.posted(GIT, topic)

    ledger.queue([a_status("s2", "wave 2")], 2, NOON + MINUTE)
    newest = Posted(a_status("s2", "wave 2").body, NOON + MINUTE)
    assert newest == ledger.outbox.posted(GIT, topic)
    deliver(ledger, GIT)
    assert newest == ledger.outbox.posted(GIT, topic)

    ledger.queue([a_status("s3", "wave 3")], 3, NOON + HOUR)
    ledger.outbox.dropped(due(ledger, GIT), "422", NOON + HOUR)
    assert Posted(a_status("s3", "wave 3").body, NOON + HOUR) == ledger.outbox.posted(GIT, topic)
    assert ledger.outbox.posted(SLACK, topic) is None


def test_what_was_reported_never_goes_back(ledger: OpenLedger) -> None:
    """
    Twice harmless: a cursor that was passed stays passed; one may move it without a message.
    """
    ledger.queue([], 5, NOON)
    ledger.queue([a_reply("r1")], 3, NOON)

    assert 5 == ledger.reported()
    assert "r1" == due(ledger).message.key


def test_it_is_known_how_many_messages_wait_for_each_channel(ledger: OpenLedger) -> None:
    """
    What is postponed or in hand still waits; what came to its end does not.
    """
    assert 0 == sum(ledger.outbox.waiting().values())
    ledger.queue([a_head("h1"), a_reply("r1"), a_reply("r2"), a_status("s1")], 1, NOON)
    deliver(ledger)
    ledger.outbox.postponed(due(ledger), NOON + HOUR, "429")
    assert {SLACK: 2, GIT: 1} == ledger.outbox.waiting()

    ledger.outbox.dropped(due(ledger, GIT), "422", NOON)

    assert 2 == sum(ledger.outbox.waiting().values())


def test_a_status_is_unfinished_until_the_last_word_on_its_topic_is_final(ledger: OpenLedger) -> None:
    """
    Only the last word on each topic counts, delivered or not, and only of this channel; heads are no statuses.
    """
    fleet = "4f2a wavefleet/fleet"
    ledger.queue([a_head("h1"), a_status("s1"), a_status("f1", topic=fleet), a_status("g1", channel="github")], 1, NOON)
    deliver(ledger, GIT)
    ledger.queue([final("s2", a_status("s1"))], 2, NOON)

    assert [a_status("f1", topic=fleet).body] == list(ledger.outbox.unfinished(GIT))
    assert [a_status("g1").body] == list(ledger.outbox.unfinished("github"))
    assert [] == list(ledger.outbox.unfinished(SLACK))


def final(key: str, status: Message) -> Message:
    """The same status as its last word."""
    assert isinstance(status.body, CommitStatus)
    return replace(status, key=key, body=replace(status.body, state=StatusState.SUCCESS))
