"""What people are told, and what they are not told twice: statuses, threads and replies, over restarts and channels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest

from controller.errors import LedgerError
from controller.history.entries import Entry, RolloutEnded, SoakCredited, Stopped, WaveAdmitted, WaveSoaked
from controller.history.records import Outcome, RolloutKind, StopKind
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.outbox import Body, CommitStatus, Message, StatusState, ThreadHead, ThreadReply
from controller.runtime.report import HEAD_EVERY, WORDS_EVERY, Audience, Reporter
from tests.builders import MINUTE, MOMENT, NEW, NOON, SECOND, release
from tests.reports.messages import OTHER_REVISION, REVISION, a_head, a_status
from tests.runtime.crossed import Boundaries, CrossedLedger

NOTES = Audience("notes", statuses=True)
GITEA = Audience("gitea", statuses=True)
SLACK = Audience("slack", threads=True)
TERMINAL = Audience("terminal", statuses=True, threads=True)

WAVE = WaveAdmitted(1, "prod", 1, "canary", tail=False, clusters=("sim/a-1",))
SOAKED = WaveSoaked(1, "prod", 1)


@dataclass
class Newsroom:
    """A reporter on a ledger, and everything that came out of its outbox."""

    ledger: OpenLedger
    audiences: Sequence[Audience] = (NOTES, SLACK)
    told: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with a process."""
        self.restart()

    def restart(self) -> None:
        """Forget everything but what is in the ledger."""
        self.boundaries = Boundaries()
        crossed = CrossedLedger(self.ledger, self.boundaries)
        self.reporter = Reporter(crossed, self.ledger.outbox, self.audiences)

    def record(self, *entries: Entry) -> None:
        """Let something happen."""
        self.ledger.record(entries, NOON)

    def report(self, *bodies: Body, at: datetime = NOON) -> list[Message]:
        """Report ``bodies`` as they stand now; what came out of the outbox for it."""
        said = self.reporter.report(bodies, "acme", at)
        came = self.deliver(at)
        assert said == bool(came), "the reporter tells whether there was anything"
        return came

    def deliver(self, at: datetime) -> list[Message]:
        """Let every channel take what waits for it."""
        came = []
        for audience in self.audiences:
            while (delivery := self.ledger.outbox.due(audience.channel, at)) is not None:
                self.ledger.outbox.delivered(delivery, "told", at)
                came.append(delivery.message)
        self.told += came
        return came


@pytest.fixture(params=["file", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """A ledger whose lease this process holds."""
    opened = open_ledger(tmp_path / "ledger.db" if request.param == "file" else ":memory:")
    assert opened.acquire("this test", NOON)
    yield opened
    opened.close()


Again = Callable[[Newsroom], None]


@pytest.fixture(params=["same process", "restarted"])
def again(request: pytest.FixtureRequest) -> Again:
    """Goes on in the middle of a test, as the same process or as another one."""
    return Newsroom.restart if request.param == "restarted" else lambda _: None


def said(messages: Sequence[Message]) -> list[tuple[str, Body]]:
    """Channels and bodies."""
    return [(message.channel, message.body) for message in messages]


def statuses(messages: Sequence[Message]) -> list[CommitStatus]:
    """The commit statuses among them."""
    return [message.body for message in messages if isinstance(message.body, CommitStatus)]


def texts(messages: Sequence[Message]) -> list[str]:
    """The words of the replies among them."""
    return [message.body.text for message in messages if isinstance(message.body, ThreadReply)]


def ended(outcome: Outcome, detail: str = "4.4.0 was declared") -> RolloutEnded:
    """The end of the rollout."""
    return RolloutEnded(1, "prod", RolloutKind.SOFTWARE, release(NEW), REVISION, outcome, detail)


def test_the_same_words_are_not_said_twice(ledger: OpenLedger, again: Again) -> None:
    """
    Safety (twice-harmless): however often, however late, and by whichever process they are reported.
    """
    room = Newsroom(ledger)
    assert [("notes", a_status()), ("slack", a_head())] == said(room.report(a_status(), a_head()))

    for minutes in (0, 1, 60, 10_000):
        again(room)
        assert [] == room.report(a_status(), a_head(), at=NOON + minutes * MINUTE)


def test_a_change_of_state_is_said_at_once(ledger: OpenLedger, again: Again) -> None:
    """
    A second after the last word, though words alone would have to wait.
    """
    room = Newsroom(ledger)
    room.report(a_status())
    again(room)

    halted = a_status("halted as prod-1", state=StatusState.FAILURE)

    assert [("notes", halted)] == said(room.report(halted, at=NOON + SECOND))


def test_a_change_of_words_waits_a_quarter_of_an_hour(ledger: OpenLedger, again: Again) -> None:
    """
    Held one moment before its time is over, said at its end; the time is counted from the last word that was said.
    """
    room = Newsroom(ledger)
    room.report(a_status("1 of 8"))
    again(room)

    assert 15 * MINUTE == WORDS_EVERY
    assert [] == room.report(a_status("2 of 8"), at=NOON + WORDS_EVERY - MOMENT)
    assert [("notes", a_status("3 of 8"))] == said(room.report(a_status("3 of 8"), at=NOON + WORDS_EVERY))
    again(room)
    assert [] == room.report(a_status("4 of 8"), at=NOON + 2 * WORDS_EVERY - MOMENT)


def test_words_of_one_topic_do_not_hold_those_of_another(ledger: OpenLedger) -> None:
    """
    Each revision and context has a time of its own.
    """
    room = Newsroom(ledger)
    room.report(a_status("1 of 8"))

    other = a_status("2 of 8", revision=OTHER_REVISION)
    third = a_status("2 of 8", context="wavefleet/other")

    assert [("notes", other), ("notes", third)] == said(room.report(a_status("2 of 8"), other, third))


def test_a_thread_head_is_edited_for_words_only_so_often(ledger: OpenLedger, again: Again) -> None:
    """
    Its sentence waits; what is done, and its state, do not.
    """
    room = Newsroom(ledger)
    room.report(a_head("one"))
    again(room)

    assert [] == room.report(a_head("two"), at=NOON + HEAD_EVERY - MOMENT)
    assert [("slack", a_head("two"))] == said(room.report(a_head("two"), at=NOON + HEAD_EVERY))
    more = a_head("three", done=4)
    assert [("slack", more)] == said(room.report(more, at=NOON + HEAD_EVERY + MOMENT))
    over = a_head("three", done=4, state=StatusState.FAILURE)
    assert [("slack", over)] == said(room.report(over, at=NOON + HEAD_EVERY + 2 * MOMENT))


def test_a_last_word_from_the_future_holds_no_words_back(ledger: OpenLedger) -> None:
    """
    A clock that stepped back silences nobody.
    """
    room = Newsroom(ledger)
    room.report(a_status("1 of 8"), at=NOON + 100 * MINUTE)

    assert [("notes", a_status("2 of 8"))] == said(room.report(a_status("2 of 8"), at=NOON))


def test_a_time_shown_twice_makes_no_message_the_same_as_another(ledger: OpenLedger) -> None:
    """
    The clock stepped back to the very moment of an earlier word: what happened meanwhile tells the two apart.
    """
    room = Newsroom(ledger)
    room.report(a_status())
    room.record(WAVE)
    room.report(a_status(state=StatusState.FAILURE))
    room.record(SOAKED)

    assert ("notes", a_status()) in said(room.report(a_status()))


def test_each_channel_is_told_what_it_takes(ledger: OpenLedger) -> None:
    """
    Two forges get the status, one each; a thread's channel the head and the reply; the terminal all of it.
    """
    room = Newsroom(ledger, (NOTES, GITEA, SLACK, TERMINAL))
    room.record(WAVE)

    told = said(room.report(a_status(), a_head()))

    assert ["gitea", "notes", "terminal"] == sorted(name for name, body in told if isinstance(body, CommitStatus))
    assert ["slack", "terminal"] == sorted(name for name, body in told if isinstance(body, ThreadHead))
    assert ["slack", "terminal"] == sorted(name for name, body in told if isinstance(body, ThreadReply))


def test_a_reply_is_said_once_on_each_channel(ledger: OpenLedger, again: Again) -> None:
    """
    The cursor in the ledger goes with the messages: the next process says only what was recorded since.
    """
    room = Newsroom(ledger, (SLACK, TERMINAL))
    room.record(WAVE)
    first = room.report()
    again(room)

    assert ["slack", "terminal"] == [message.channel for message in first]
    assert [] == room.report(at=NOON + MINUTE)
    room.record(SOAKED)
    assert ["wave 1 has soaked"] * 2 == texts(room.report())


def test_replies_of_a_process_that_died_are_said_by_the_next_one(ledger: OpenLedger) -> None:
    """
    Recorded and never reported: the next process finds all of them behind the cursor, in order.
    """
    room = Newsroom(ledger)
    room.record(WAVE)
    room.record(SOAKED)
    room.restart()

    assert ["wave 1 canary admitted, 1 cluster: a-1", "wave 1 has soaked"] == texts(room.report())


def test_entries_that_are_no_news_move_the_cursor_alone(ledger: OpenLedger) -> None:
    """
    Nothing is queued for them, and they are not looked at again.
    """
    room = Newsroom(ledger)
    room.record(SoakCredited(1, 1, MINUTE))

    assert [] == room.report()
    assert [ledger.reported()] == [each.sequence for each in ledger.read()]


@pytest.mark.parametrize("boundary", ["before queue", "after queue"])
def test_a_queue_that_failed_is_asked_anew(ledger: OpenLedger, boundary: str) -> None:
    """
    Safety (twice-harmless): whether the ledger took the messages or not, the same process says each of them once.
    """
    room = Newsroom(ledger)
    room.report(a_status("0 of 8"))
    room.record(WAVE)
    bodies: tuple[Body, ...] = (a_status("halted", state=StatusState.FAILURE), a_head())
    room.boundaries.fail(boundary, LedgerError("disk full"))

    with pytest.raises(LedgerError):
        room.report(*bodies, at=NOON + MINUTE)
    room.reporter.report(bodies, "acme", NOON + 2 * MINUTE)
    told = room.deliver(NOON + 2 * MINUTE)

    assert [("notes", bodies[0]), ("slack", bodies[1])] == [each for each in said(told) if each[1] in bodies]
    assert 1 == len(texts(told))


@pytest.mark.parametrize("outcome", [Outcome.SUPERSEDED, Outcome.WITHDRAWN])
def test_a_rollout_that_is_given_up_closes_its_revision_with_an_error(
    ledger: OpenLedger, again: Again, outcome: Outcome
) -> None:
    """
    Once per forge, on the revision that declared it; and the thread is told as well.
    """
    room = Newsroom(ledger, (NOTES, GITEA, SLACK))
    room.report(a_status(context="wavefleet/prod"))
    room.record(ended(outcome))
    again(room)

    told = room.report()

    assert ["notes", "gitea", "slack"] == sorted((each.channel for each in told), key=["notes", "gitea", "slack"].index)
    assert [(REVISION, "wavefleet/prod", StatusState.ERROR)] * 2 == [
        (each.revision, each.context, each.state) for each in statuses(told)
    ]
    assert outcome.value in statuses(told)[0].description
    assert 1 == len(texts(told))
    again(room)
    assert [] == room.report(at=NOON + MINUTE)
    assert [] == list(ledger.outbox.unfinished("notes"))


def test_two_rollouts_that_end_in_the_same_words_close_their_revision_once(ledger: OpenLedger, again: Again) -> None:
    """
    Safety (twice-harmless): planned anew and withdrawn anew, in one report or in two.
    """
    room = Newsroom(ledger, audiences=(NOTES, GITEA))
    room.record(ended(Outcome.WITHDRAWN), replace(ended(Outcome.WITHDRAWN), rollout=2))
    assert ["notes", "gitea"] == [message.channel for message in room.report()]

    again(room)
    room.record(replace(ended(Outcome.WITHDRAWN), rollout=3))
    assert [] == room.report()


@pytest.mark.parametrize("outcome", [Outcome.CONVERGED, Outcome.FAILED])
def test_a_rollout_that_came_to_its_end_is_closed_by_its_own_status(ledger: OpenLedger, outcome: Outcome) -> None:
    """
    Nothing but the reply follows from the entry: the plan's status says how the group stands.
    """
    room = Newsroom(ledger)
    room.record(ended(outcome))

    assert ["slack"] == [message.channel for message in room.report()]


@pytest.mark.parametrize("state", [StatusState.SUCCESS, StatusState.ERROR])
def test_an_earlier_head_s_status_ends_with_its_group(ledger: OpenLedger, again: Again, state: StatusState) -> None:
    """
    A head that was left pending gets its group's end, after a restart too; once, and never before the end.
    """
    room = Newsroom(ledger, (NOTES, GITEA))
    room.report(a_status(revision=OTHER_REVISION))
    again(room)

    assert {REVISION} == {each.revision for each in statuses(room.report(a_status()))}
    again(room)
    end = a_status("all 8 clusters", state=state)
    told = said(room.report(end, at=NOON + MINUTE))
    again(room)

    closed = replace(end, revision=OTHER_REVISION)
    assert [(channel, body) for channel in ("notes", "gitea") for body in (end, closed)] == told
    assert [] == room.report(end, at=NOON + 2 * MINUTE)


def test_an_earlier_head_s_status_fails_with_its_group_and_still_ends_with_it(ledger: OpenLedger, again: Again) -> None:
    """
    A failure is told there once, pending again is not, and success closes it.
    """
    room = Newsroom(ledger, (NOTES,))
    room.report(a_status(revision=OTHER_REVISION))
    states = (StatusState.FAILURE, StatusState.FAILURE, StatusState.PENDING, StatusState.SUCCESS, StatusState.SUCCESS)
    for minutes, state in enumerate(states, 1):
        again(room)
        room.report(a_status(state=state), at=NOON + minutes * MINUTE)

    assert [StatusState.PENDING, StatusState.FAILURE, StatusState.SUCCESS] == [
        each.state for each in statuses(room.told) if each.revision == OTHER_REVISION
    ]


def test_an_earlier_head_s_status_of_another_context_is_left_alone(ledger: OpenLedger) -> None:
    """
    A status ends with its own group only.
    """
    room = Newsroom(ledger, (NOTES,))
    room.report(a_status(revision=OTHER_REVISION, context="wavefleet/other"))

    end = a_status(state=StatusState.SUCCESS)

    assert [("notes", end)] == said(room.report(end, at=NOON + MINUTE))


def test_a_channel_that_takes_no_statuses_has_none_to_end(ledger: OpenLedger) -> None:
    """
    A thread's channel is never given a commit status.
    """
    room = Newsroom(ledger, (SLACK,))
    room.report(a_status(revision=OTHER_REVISION))

    assert [] == room.report(a_status(state=StatusState.SUCCESS))


def test_a_halt_is_told_as_something_that_needs_a_person(ledger: OpenLedger) -> None:
    """
    So that a channel may show it so; the words say what to merge.
    """
    room = Newsroom(ledger)
    room.record(Stopped("prod", 1, StopKind.HALT, "1 of 3 clusters failed", "failure budget", rollout=1))

    ((_, reply),) = said(room.report())

    assert isinstance(reply, ThreadReply)
    assert reply.needs_person
    assert "acknowledge: [prod-1]" in reply.text
