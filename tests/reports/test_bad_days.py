"""Bad days, end to end: outbox, courier and channel against servers that misbehave at every call in turn.

Whatever happens once or several times in a row, in the end everything was said, in order, and nothing twice.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from controller.ledger.opened import OpenLedger
from controller.ledger.opening import IN_MEMORY, open_ledger
from controller.model.outbox import Body, Delivery, StatusState
from controller.ports import Channel
from controller.reports.github import GitHub
from controller.reports.slack import SlackChannel
from controller.reports.statuses import StatusChannel
from controller.runtime.delivery import Courier, Desk
from tests.fakes import github as fake_github
from tests.fakes import slack as fake_slack
from tests.fakes.github import FakeGitHub
from tests.fakes.loopback import Answer, FakeServer, Trouble
from tests.fakes.slack import FakeSlack
from tests.reports.messages import REVISION, SteppedClock, a_head, a_message, a_reply, a_status

STEPS_MAX = 60
LIMIT_SECONDS = 1.0
SLOW_SECONDS = 1.3
AWAITED_SECONDS_MAX = 20.0


class Killed(BaseException):
    """The process was killed at this instruction."""


@dataclass
class Story:
    """What is to be said to one server, and how it looks there when all was said."""

    server: FakeServer
    make: Callable[[], Channel]
    chapters: Sequence[Sequence[Body]]
    """Bodies that are queued at once; the next chapter comes when this one was delivered."""
    said: Callable[[], list[str]]
    expected: list[str]
    calls: int
    """How many calls it takes on a good day."""
    clock: SteppedClock
    ledger_at: str = IN_MEMORY
    ledger: OpenLedger = field(init=False)
    outcomes: list[str] = field(default_factory=list)
    killed_after_call: int | None = None

    def __post_init__(self) -> None:
        """Open the ledger."""
        self.keep_ledger_at(self.ledger_at)

    def keep_ledger_at(self, place: str) -> None:
        """Open the ledger at a place and take its lease."""
        self.ledger_at = place
        self.ledger = open_ledger(place)
        assert self.ledger.acquire("test", self.clock.now())

    def restart(self) -> Courier:
        """What a new process has: the same ledger, opened anew where it is on disk, and a new channel."""
        if self.ledger_at != IN_MEMORY:
            self.ledger.close()
            self.keep_ledger_at(self.ledger_at)
        return self.courier()

    def courier(self, channel: Channel | None = None) -> Courier:
        """A courier as a new process has it."""
        desk = Desk(self.ledger.outbox, self.clock, observe=self.observe, chance=Random(3))
        return Courier(channel or self.make(), desk)

    def observe(self, _system: str, outcome: str, _seconds: float) -> None:
        """Count a call; or be killed, after it was answered and before that is noted."""
        self.outcomes.append(outcome)
        if self.killed_after_call == len(self.outcomes):
            raise Killed

    def queue(self, chapter: int) -> None:
        """Queue a chapter."""
        channel = self.make().name
        messages = [
            a_message(body, f"fleet/{chapter}.{number}", channel) for number, body in enumerate(self.chapters[chapter])
        ]
        self.ledger.queue(messages, 0, self.clock.now())

    def tell(self, step: Callable[[], float | None]) -> None:
        """Queue and deliver every chapter, letting time pass as ``step`` asks."""
        for chapter in range(len(self.chapters)):
            self.queue(chapter)
            for _ in range(STEPS_MAX):
                wait = step()
                if wait is None:
                    break
                self.clock.manual.advance(wait)
            else:
                raise AssertionError(f"still delivering after {STEPS_MAX} steps: {self.outcomes}")


def slack_story(slack: FakeSlack, clock: SteppedClock) -> Story:
    """A rollout's thread: the first message, replies, an edit, the last reply."""
    channel_id = slack.add_channel("fleet")

    def said() -> list[str]:
        return [
            line
            for thread in slack.threads("fleet")
            for line in (thread.parent.text, *(f"↳ {reply.text}" for reply in thread.replies))
        ] + ["unasked"] * (len(slack.messages) - sum(1 + len(thread.replies) for thread in slack.threads("fleet")))

    return Story(
        slack,
        lambda: SlackChannel(fake_slack.TOKEN, channel_id, base_url=slack.api_url, limit_seconds=LIMIT_SECONDS),
        [
            [a_head("wave 1/2"), a_reply("wave 1 started")],
            [a_head("wave 2/2", done=8, state=StatusState.SUCCESS), a_reply("done")],
        ],
        said,
        ["✅ prod-eu → 4.3.1: wave 2/2", "↳ wave 1 started", "↳ done"],
        4,
        clock,
    )


def github_story(github: FakeGitHub, clock: SteppedClock) -> Story:
    """A commit's statuses: two contexts, one of which comes to its end."""
    github.add_repository("acme/fleet")
    other = "wavefleet/prod-us"

    def said() -> list[str]:
        return [f"{row.context} {row.state}" for row in reversed(github.statuses("acme/fleet", REVISION))]

    return Story(
        github,
        lambda: StatusChannel(GitHub(github.api_url, "acme/fleet", fake_github.TOKEN, limit_seconds=LIMIT_SECONDS)),
        [[a_status(), a_status(context=other)], [a_status("all soaked", state=StatusState.SUCCESS)]],
        said,
        ["wavefleet/prod-eu pending", "wavefleet/prod-us pending", "wavefleet/prod-eu success"],
        5,
        clock,
    )


@pytest.fixture(params=["slack", "github"])
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    """Each story in turn, on a server that enforces its limits by the same clock as the courier's."""
    clock = SteppedClock()
    if request.param == "slack":
        with FakeSlack(clock=clock.manual) as slack:
            story = slack_story(slack, clock)
            yield story
    else:
        with FakeGitHub(mutation_interval_seconds=1.0, clock=clock.manual) as github:
            story = github_story(github, clock)
            yield story
    story.ledger.close()


def too_many(server: FakeServer, times: int) -> None:
    """Answer 429, to come back in 30 seconds."""
    server.suffer(Trouble(times, answer=Answer.json({"message": "slow down"}, 429, {"Retry-After": "30"})))


TROUBLES: dict[str, Callable[[FakeServer, int], None]] = {
    "429": too_many,
    "500": lambda server, times: server.fail(500, times=times),
    "503": lambda server, times: server.fail(503, times=times),
    "200 with a page": lambda server, times: server.garble(times=times),
    "200 with an error": lambda server, times: server.suffer(
        Trouble(times, answer=Answer.json({"ok": False, "error": "fatal_error", "message": "Server Error"}))
    ),
    "dropped before it was taken": lambda server, times: server.drop(times=times),
    "dropped after it was taken": lambda server, times: server.drop_after_taking(times=times),
}
CALLS = range(5)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_at_any_call_loses_and_repeats_nothing(story: Story, trouble: str, call: int, times: int) -> None:
    """
    At whatever call it begins, and however often it comes, the end is as on a good day.
    """
    courier = story.courier()
    began = False

    def step() -> float | None:
        nonlocal began
        if not began and len(story.server.calls) >= call:
            began = True
            TROUBLES[trouble](story.server, times)
        return courier.step()

    story.tell(step)

    assert story.expected == story.said()
    assert "refused" not in story.outcomes


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_while_looking_keeps_the_doubt(story: Story, trouble: str, call: int) -> None:
    """
    Taken unseen, and then the look goes wrong too: the next try still looks before it says anything.
    """
    courier = story.courier()
    began = False

    def step() -> float | None:
        nonlocal began
        if not began and len(story.server.calls) >= call:
            began = True
            story.server.drop_after_taking()
            TROUBLES[trouble](story.server, 1)
        return courier.step()

    story.tell(step)

    assert story.expected == story.said()


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_comes_too_late_is_not_asked_for_again(story: Story, call: int) -> None:
    """
    A call that outlives its time limit and is taken after it: looked for later, found, and not made again.
    """
    courier = story.courier()
    began = False

    def step() -> float | None:
        nonlocal began
        before, writes = story.said(), len(story.server.calls) >= call and not began
        if writes:
            began = True
            story.server.slow(SLOW_SECONDS)
        wait = courier.step()
        if writes and story.outcomes[-1:] == ["delayed"] and story.server.calls[-1].verb == "POST":
            await_change(story, before)
        return wait

    story.tell(step)

    assert story.expected == story.said()


def await_change(story: Story, before: list[str]) -> None:
    """Wait until the late call was taken after all: in life the pause after a time-out is there for that."""
    deadline = time.monotonic() + AWAITED_SECONDS_MAX
    while story.said() == before:
        assert time.monotonic() < deadline, "the late call was never taken"
        time.sleep(0.01)


def test_a_good_day_meets_no_limit(story: Story) -> None:
    """
    The pauses between messages keep the documented rates, so that nothing is ever answered 429.
    """
    courier = story.courier()
    story.tell(courier.step)

    assert ["delivered"] * len([body for chapter in story.chapters for body in chapter]) == story.outcomes
    assert story.calls == len(story.server.calls)
    assert story.expected == story.said()


@pytest.mark.parametrize("message", range(1, 5))
@pytest.mark.parametrize("ledger_at", [IN_MEMORY, "ledger"])
def test_a_process_killed_after_a_call_says_nothing_twice(
    story: Story, message: int, ledger_at: str, tmp_path: Path
) -> None:
    """
    Taken outside and not yet noted in the ledger: the next process looks, and finds it.
    """
    story.keep_ledger_at(ledger_at if ledger_at == IN_MEMORY else str(tmp_path / ledger_at))
    story.killed_after_call = message
    couriers = [story.courier()]

    def step() -> float | None:
        try:
            return couriers[-1].step()
        except Killed:
            couriers.append(story.restart())
            return 0.0

    story.tell(step)

    assert story.expected == story.said()
    assert (2 if message <= len(story.expected) else 1) <= len(couriers) <= 2


@pytest.mark.parametrize("message", range(1, 5))
def test_a_process_killed_before_a_call_loses_nothing(story: Story, message: int) -> None:
    """
    Noted as tried and never sent: the next process looks, finds nothing, and sends it.
    """

    @dataclass
    class Dying:
        channel: Channel
        left: int
        name: str

        def check(self) -> str:
            return self.channel.check()

        def deliver(self, delivery: Delivery) -> str:
            self.left -= 1
            if self.left == 0:
                raise Killed
            return self.channel.deliver(delivery)

    alive = story.make()
    couriers = [story.courier(Dying(alive, message, alive.name))]

    def step() -> float | None:
        try:
            wait = couriers[-1].step()
        except Killed:
            couriers.append(story.restart())
            return 2.0  # a restart takes longer than the pause between two messages
        return None if wait is None else max(wait, 2.0)

    story.tell(step)

    assert story.expected == story.said()
