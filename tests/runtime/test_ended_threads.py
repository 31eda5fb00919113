"""The first message of a rollout's thread at its end: edited to say so, once, whoever reports it and however late."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from controller.history.entries import Entry, RolloutEnded
from controller.history.records import Outcome, RolloutKind
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.outbox import Body, Message, StatusState, ThreadHead
from controller.runtime.report import Audience, Reporter
from tests.builders import MINUTE, NEW, NOON, SECOND, release
from tests.builders_core import a_declaration, a_group
from tests.reports.messages import REVISION, THREAD, a_head
from tests.runtime.worlds import Stage, two_waves

SLACK = Audience("slack", threads=True)
TERMINAL = Audience("terminal", statuses=True, threads=True)
NOTES = Audience("notes", statuses=True)
OTHER = "rollout-13"
TITLE = "prod-eu → 4.3.1"
ENDS = {
    Outcome.CONVERGED: (StatusState.SUCCESS, "done: prod-eu runs 4.3.1, the last wave has soaked (why)"),
    Outcome.FAILED: (StatusState.FAILURE, "ended without all clusters: why"),
    Outcome.SUPERSEDED: (StatusState.ERROR, "superseded: why"),
    Outcome.WITHDRAWN: (StatusState.ERROR, "withdrawn: why; what is in flight is followed to its end"),
}


@dataclass
class Room:
    """A reporter on a ledger; what it says is delivered at once."""

    ledger: OpenLedger
    audiences: Sequence[Audience] = (SLACK,)
    told: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with a process."""
        self.restart()

    def restart(self) -> None:
        """Forget everything but what is in the ledger."""
        self.reporter = Reporter(self.ledger, self.ledger.outbox, self.audiences)

    def heads(self, *bodies: Body, at: datetime = NOON) -> list[ThreadHead]:
        """Report ``bodies``; the first messages that were said or edited for it."""
        self.reporter.report(bodies, "acme", at)
        came = []
        for audience in self.audiences:
            while (delivery := self.ledger.outbox.due(audience.channel, at)) is not None:
                self.ledger.outbox.delivered(delivery, "told", at)
                came.append(delivery.message)
        self.told += came
        return [message.body for message in came if isinstance(message.body, ThreadHead)]

    def record(self, *entries: Entry) -> None:
        """Let something happen."""
        self.ledger.record(entries, NOON)


@pytest.fixture(params=["file", "memory"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """A room on a ledger whose lease this process holds."""
    opened = open_ledger(tmp_path / "ledger.db" if request.param == "file" else ":memory:")
    assert opened.acquire("this test", NOON)
    yield Room(opened)
    opened.close()


@pytest.fixture(params=["same process", "restarted"])
def again(request: pytest.FixtureRequest) -> Callable[[Room], None]:
    """Goes on in the middle of a test, as the same process or as another one."""
    return Room.restart if request.param == "restarted" else lambda _: None


Again = Callable[[Room], None]


def ended(outcome: Outcome, rollout: int = 12) -> RolloutEnded:
    """The end of a rollout."""
    return RolloutEnded(rollout, "prod-eu", RolloutKind.SOFTWARE, release(NEW), REVISION, outcome, "why")


@pytest.mark.parametrize("outcome", Outcome)
def test_a_rollout_of_which_the_plan_speaks_no_more_ends_in_its_first_message(
    room: Room, again: Again, outcome: Outcome
) -> None:
    """
    Its state, and the words of the reply that tells the end; the bar is full only where all converged.
    """
    room.heads(a_head("wave 1/2"))
    room.record(ended(outcome))
    again(room)

    (head,) = room.heads(a_head(thread=OTHER), at=NOON + SECOND)[1:]

    state, words = ENDS[outcome]
    assert (THREAD, state, f"{TITLE}: {words}") == (head.thread, head.state, head.sentence)
    assert (8 if outcome is Outcome.CONVERGED else 3, 8) == (head.done, head.of)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_end_is_said_once(room: Room, again: Again, outcome: Outcome) -> None:
    """
    Safety (twice-harmless): however often it is reported afterwards, and by whichever process.
    """
    room.heads(a_head("wave 1/2"))
    room.record(ended(outcome))
    room.heads(at=NOON + SECOND)

    for minutes in (0, 1, 60, 10_000):
        again(room)
        assert [] == room.heads(at=NOON + minutes * MINUTE)


@pytest.mark.parametrize("outcome", [Outcome.SUPERSEDED, Outcome.WITHDRAWN])
def test_a_rollout_that_was_given_up_has_had_its_last_word(room: Room, again: Again, outcome: Outcome) -> None:
    """
    Also where the plan still speaks of it, as of a group whose clusters are all gone.
    """
    room.heads(a_head("wave 1/2"))
    room.record(ended(outcome))
    again(room)

    (head,) = room.heads(a_head("selects no live cluster"), at=NOON + SECOND)
    again(room)

    assert StatusState.ERROR is head.state
    assert [] == room.heads(a_head("3 of 3 on target", state=StatusState.SUCCESS), at=NOON + MINUTE)


def test_an_end_that_the_plan_tells_itself_is_told_in_its_words(room: Room, again: Again) -> None:
    """
    At once, once, and for good: what happens to the group afterwards is no news of this rollout.
    """
    room.heads(a_head("wave 2/2"))
    room.record(ended(Outcome.CONVERGED))
    again(room)
    end = a_head("all 8 clusters converged and soaked", done=8, state=StatusState.SUCCESS)

    assert [end] == room.heads(end, at=NOON + SECOND)
    again(room)
    assert [] == room.heads(end, at=NOON + MINUTE)
    assert [] == room.heads(a_head("7 of 8 on target", done=7), at=NOON + 2 * MINUTE)


def test_a_failed_end_waits_for_no_time_of_words(room: Room) -> None:
    """
    The state was a failure before, so that only the words change: they are said at once all the same.
    """
    room.heads(a_head("halted as prod-eu-1", state=StatusState.FAILURE))
    room.record(ended(Outcome.FAILED))
    end = a_head("ended with 1 quarantined: orders-1", state=StatusState.FAILURE)

    assert [end] == room.heads(end, at=NOON + SECOND)


def test_an_end_whose_state_the_plan_does_not_show_is_told_first(room: Room) -> None:
    """
    It converged, and in the same cycle a cluster cannot be seen: the rollout is done nevertheless.
    """
    room.heads(a_head("wave 2/2"))
    room.record(ended(Outcome.CONVERGED))

    (head,) = room.heads(a_head("7 of 8 on target, 1 unknown", done=7), at=NOON + SECOND)

    assert (StatusState.SUCCESS, 8) == (head.state, head.done)


def test_several_rollouts_that_ended_since_are_all_told(room: Room) -> None:
    """
    Of each its own end, also where a process died before it could report.
    """
    room.heads(a_head("wave 1/2"), a_head("wave 1/2", thread=OTHER))
    room.record(ended(Outcome.SUPERSEDED), ended(Outcome.WITHDRAWN, rollout=13))
    room.restart()

    assert [THREAD, OTHER] == [head.thread for head in room.heads(at=NOON + SECOND)]


def test_a_thread_that_was_never_begun_is_not_begun_by_its_end(room: Room) -> None:
    """
    There is no first message to edit; the reply tells the end.
    """
    room.record(ended(Outcome.SUPERSEDED))

    assert [] == room.heads()
    assert 1 == len(room.told)


def test_every_channel_of_threads_is_told_and_no_other(room: Room) -> None:
    """
    A forge takes no first messages.
    """
    room.audiences = (SLACK, TERMINAL, NOTES)
    room.restart()
    room.heads(a_head("wave 1/2"))
    room.record(ended(Outcome.SUPERSEDED))
    room.told.clear()

    room.heads(at=NOON + SECOND)

    assert ["slack", "terminal"] == [each.channel for each in room.told if isinstance(each.body, ThreadHead)]


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_superseded_rollout_is_told_by_real_cycles(restarts: int) -> None:
    """
    A higher target is merged in the middle: the first thread ends in an error, the second in success.
    """
    stage = Stage()
    stage.cycles(2)
    stage.repository.commit(two_waves("4.3.2"))
    for _ in range(restarts):
        stage.restart()
    stage.cycles(20)

    last = {head.thread: head for head in stage.heads}
    assert [StatusState.ERROR, StatusState.SUCCESS] == [last[thread].state for thread in ("rollout-1", "rollout-2")]
    assert "prod → 4.3.1: superseded: prod now declares 4.3.2" == last["rollout-1"].sentence
    assert 1 == sum(head.state is StatusState.ERROR for head in stage.heads)


def test_a_withdrawn_rollout_is_told_by_real_cycles() -> None:
    """
    Its group is declared no more, and so no plan speaks of it.
    """
    stage = Stage()
    stage.cycles(2)
    stage.repository.commit(a_declaration(a_group("other")))
    stage.cycles(20)

    last = {head.thread: head for head in stage.heads}
    assert StatusState.ERROR is last["rollout-1"].state
    assert last["rollout-1"].sentence.startswith("prod → 4.3.1: withdrawn: prod is not declared any more")
    assert 1 == sum(head.state is StatusState.ERROR for head in stage.heads)
