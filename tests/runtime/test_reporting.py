"""Reporting: what changed goes into the outbox, for every channel, once, whenever the process died."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.errors import LedgerError
from controller.ledger.memory import MemoryLedger
from controller.model.entries import Entry, RolloutEnded, Stopped, WaveSoaked
from controller.model.history import Outcome, RolloutKind, StopKind
from controller.model.outbox import Body, CommitStatus, Message, StatusState, ThreadHead
from controller.runtime.report import HEAD_EVERY, WORDS_EVERY, Audience, Reporter
from tests.builders import HOUR, MINUTE, MOMENT, NOON, release
from tests.builders_core import FLEET_NAME, REVISION

NOTES = Audience("notes", statuses=True)
SLACK = Audience("slack", threads=True)


def a_status(words: str = "wave 1", state: StatusState = StatusState.PENDING, revision: str = REVISION) -> CommitStatus:
    """A status of ``prod``."""
    return CommitStatus(revision, "wavefleet/prod", state, words)


def a_head(words: str = "wave 1", done: int = 0) -> ThreadHead:
    """The head of the first rollout's thread."""
    return ThreadHead("rollout-1", "prod → 4.3.1", words, done, 3, StatusState.PENDING, REVISION)


def soaked(wave: int = 1) -> WaveSoaked:
    """An entry that a thread is told of."""
    return WaveSoaked(1, "prod", wave)


class Torn(MemoryLedger):
    """A ledger whose outbox fails after it took the messages, when a test says so."""

    torn = False

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Queue, and then perhaps fail."""
        super().queue(messages, reported, at)
        if self.torn:
            raise LedgerError("disk full")


class Desk:
    """A reporter for notes and Slack, on a ledger in memory."""

    def __init__(self) -> None:
        self.ledger = Torn(FLEET_NAME)
        self.reporter = Reporter(self.ledger, self.ledger.outbox, (NOTES, SLACK))

    def restart(self) -> None:
        """Begin with what the ledger says."""
        self.reporter = Reporter(self.ledger, self.ledger.outbox, (NOTES, SLACK))

    def report(self, *bodies: Body, now: datetime = NOON) -> bool:
        """Report ``bodies`` as they should read now."""
        return self.reporter.report(bodies, FLEET_NAME, now)

    def record(self, *entries: Entry) -> None:
        """Record what a cycle decided."""
        self.ledger.record(entries, NOON)

    def read(self, channel: str) -> list[Body]:
        """Return what a channel is to be told, and take it from the outbox."""
        told = []
        while (delivery := self.ledger.outbox.due(channel, NOON)) is not None:
            told.append(delivery.message.body)
            self.ledger.outbox.delivered(delivery, "there", NOON)
        return told


def test_each_channel_is_told_what_it_is_for() -> None:
    """
    Statuses go to forges, threads to chats.
    """
    desk = Desk()
    desk.record(soaked())

    assert desk.report(a_status(), a_head())
    assert [a_status()] == desk.read("notes")
    head, reply = desk.read("slack")
    assert a_head() == head
    assert "wave 1 has soaked" == getattr(reply, "text", "")


@pytest.mark.parametrize("restarts", [False, True])
def test_the_same_words_are_said_once(*, restarts: bool) -> None:
    """
    However often they are reported, also by a process that came after.
    """
    desk = Desk()
    desk.record(soaked())
    desk.report(a_status(), a_head())
    if restarts:
        desk.restart()

    assert not desk.report(a_status(), a_head(), now=NOON + HOUR)
    assert (1, 2) == (len(desk.read("notes")), len(desk.read("slack")))


@pytest.mark.parametrize(("body", "other", "every"), [
    (a_status(), a_status("wave 2"), WORDS_EVERY),
    (a_head(), a_head("wave 2"), HEAD_EVERY),
])  # fmt: skip
def test_other_words_alone_wait_for_their_time(body: Body, other: Body, every: timedelta) -> None:
    """
    Not said one microsecond before it, said at it.
    """
    desk = Desk()
    desk.report(body)

    assert not desk.report(other, now=NOON + every - MOMENT)
    assert desk.report(other, now=NOON + every)


@pytest.mark.parametrize(("body", "other"), [
    (a_status(), a_status(state=StatusState.FAILURE)),
    (a_head(), a_head(done=1)),
])  # fmt: skip
def test_more_than_words_is_said_at_once(body: Body, other: Body) -> None:
    """
    A change of state, or of the clusters done.
    """
    desk = Desk()
    desk.report(body)

    assert desk.report(other, now=NOON + MOMENT)


def test_a_clock_that_steps_back_silences_nobody() -> None:
    """
    What was last said in the future is no reason to wait for that; and a time that comes twice makes no key twice.
    """
    desk = Desk()
    desk.report(a_status(), now=NOON)
    desk.report(a_status("wave 2"), now=NOON + HOUR)
    desk.record(soaked())
    assert desk.report(a_status("wave 3"), now=NOON)

    assert "wave 3" == getattr(desk.read("notes")[-1], "description", "")


def test_replies_follow_from_the_ledger_and_are_never_skipped() -> None:
    """
    A process that died before it reported left its entries for the next one.
    """
    desk = Desk()
    desk.record(soaked(1))
    desk.restart()
    desk.record(soaked(2))
    desk.report()

    assert ["wave 1 has soaked", "wave 2 has soaked"] == [getattr(body, "text", "") for body in desk.read("slack")]
    desk.restart()
    assert not desk.report()


def test_what_the_ledger_took_before_it_failed_is_not_said_again() -> None:
    """
    Whether messages were taken is for the ledger to say, in this process too.
    """
    desk = Desk()
    desk.record(soaked())
    desk.ledger.torn = True
    with pytest.raises(LedgerError, match="disk full"):
        desk.report(a_status(), a_head())
    desk.ledger.torn = False

    assert not desk.report(a_status(), a_head(), now=NOON + HOUR)
    assert (1, 2) == (len(desk.read("notes")), len(desk.read("slack")))


def test_a_superseded_rollout_closes_the_status_of_its_revision() -> None:
    """
    The commit that declared the old target is told that it is over.
    """
    desk = Desk()
    ended = RolloutEnded(
        1, "prod", RolloutKind.SOFTWARE, release("4.3.1"), "b" * 40, Outcome.SUPERSEDED, "prod now declares 4.3.2"
    )
    desk.record(ended)
    desk.report()

    (status,) = desk.read("notes")
    assert isinstance(status, CommitStatus)
    assert ("b" * 40, StatusState.ERROR) == (status.revision, status.state)


def test_a_status_of_an_earlier_head_comes_to_its_end_with_its_group() -> None:
    """
    A head that was left pending is told once its group has converged, and not before.
    """
    desk = Desk()
    desk.report(a_status())
    desk.restart()
    later = a_status(revision="b" * 40)
    desk.report(later, now=NOON + MINUTE)
    assert [a_status(), later] == desk.read("notes")
    done = replace(later, state=StatusState.SUCCESS, description="all 3 clusters on target")
    desk.report(done, now=NOON + HOUR)

    assert {done, replace(done, revision=REVISION)} == set(desk.read("notes"))


def test_a_halt_needs_a_person_in_its_thread() -> None:
    """
    Channels may show that somebody must act.
    """
    desk = Desk()
    desk.record(Stopped("prod", 1, StopKind.HALT, "1 of 3 clusters failed", "failure budget", rollout=1))
    desk.report()

    (reply,) = desk.read("slack")
    assert getattr(reply, "needs_person", False)
    assert "acknowledge: [prod-1]" in getattr(reply, "text", "")
