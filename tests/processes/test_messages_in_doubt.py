"""Messages that a server took and never answered: looked for before they are said again, also by the next process.

That this holds at every call is shown in ``tests/reports``, in a time that is moved by hand. Here the daemon's own
threads, its ledger on disk and its restart are what is tried.
"""

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes import github as fake_github
from tests.fakes import slack as fake_slack
from tests.fakes.github import FakeGitHub
from tests.fakes.loopback import Answer, Call
from tests.fakes.slack import FakeSlack
from tests.processes.worlds import GROUP, NEW, World, group

FORGE_NAME = "acme/fleet"
CONTEXTS = ("wavefleet/config", "wavefleet/web", "wavefleet/fleet")
REPLIES = ("wave 1 rest admitted", "wave 1 has soaked", f"done: web runs {NEW}")
"""How the replies of a rollout of one wave begin, in their order."""


class TakingSlack(FakeSlack):
    """Slack whose answers can be kept back after the call was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def answer(self, call: Call) -> Answer:
        """Take the call; answer when that is allowed."""
        answer = super().answer(call)
        self.may_answer.wait(60)
        return answer


@pytest.fixture
def slack() -> Iterator[TakingSlack]:
    """Slack on a good day."""
    with TakingSlack() as fake:
        yield fake
        fake.may_answer.set()


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """GitHub on a good day."""
    with FakeGitHub() as fake:
        fake.add_repository(FORGE_NAME)
        yield fake


def world_of(folder: Path, slack: FakeSlack, github: FakeGitHub) -> World:
    """Return a fleet that reports to both."""
    return World(
        folder,
        github_url=github.api_url,
        github_token=fake_github.TOKEN,
        forge_repository=FORGE_NAME,
        slack_url=slack.api_url,
        slack_token=fake_slack.TOKEN,
        slack_channel=slack.add_channel("kafka-fleet"),
    )


def bump(world: World) -> str:
    """Merge the new release, to be rolled out in one wave; the revision."""
    text = group(NEW).replace("      - {name: canary, size: 1, soak: 600ms}\n", "")
    return world.repository.publish({GROUP: text}, f"Upgrade to {NEW}")


def replies(slack: FakeSlack) -> list[str]:
    """Return the replies of the only thread that may be there."""
    threads = slack.threads()
    assert len(threads) <= 1, threads
    return [reply.text for thread in threads for reply in thread.replies]


def is_all_said(slack: FakeSlack, github: FakeGitHub, merged: str) -> bool:
    """Tell whether the last word has arrived everywhere."""
    is_on_github = all(github.state(FORGE_NAME, merged, context) == "success" for context in CONTEXTS)
    return is_on_github and len(replies(slack)) >= len(REPLIES) and "all 3 clusters" in slack.threads()[0].parent.text


def check_said_once(slack: FakeSlack, github: FakeGitHub, merged: str) -> None:
    """Fail where something was said twice, out of order, or beside the thread."""
    said = replies(slack)
    assert [True] * len(REPLIES) == [text.startswith(begin) for text, begin in zip(said, REPLIES, strict=True)], said
    keys = [message.metadata["event_payload"]["key"] for message in slack.messages]
    assert sorted(set(keys)) == sorted(keys)
    for context in CONTEXTS:
        told = [(row.state, row.description) for row in reversed(github.statuses(FORGE_NAME, merged, context))]
        assert ["success"] == [state for state, _ in told if state != "pending"], told
        assert all(before != after for before, after in pairwise(told)), told


def test_killed_after_slack_took_a_message_it_does_not_say_it_again(
    tmp_path: Path, slack: TakingSlack, github: FakeGitHub
) -> None:
    """
    Nobody told the ledger that the message had arrived, so the channel is searched for it first.
    """
    world = world_of(tmp_path, slack, github)
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        slack.may_answer.clear()
        merged = bump(world)
        daemon.await_for(lambda: bool(slack.messages), "a message that is taken and not answered")
        daemon.kill()
        slack.may_answer.set()
        daemon.start()
        daemon.await_for(lambda: is_all_said(slack, github, merged), "every message")
        assert 0 == daemon.stop()

    check_said_once(slack, github, merged)


def test_a_connection_dropped_after_taking_says_nothing_twice(
    tmp_path: Path, slack: TakingSlack, github: FakeGitHub
) -> None:
    """
    What was taken unseen is looked for before it is said again, half a minute later, when it must have settled.
    """
    world = world_of(tmp_path, slack, github)
    with world.daemon() as daemon:
        daemon.await_for(lambda: github.state(FORGE_NAME, world.first, "wavefleet/fleet") == "success", "the forge")
        slack.drop_after_taking(only="chat.postMessage")
        github.drop_after_taking(only="/statuses/")
        merged = bump(world)
        daemon.await_for(lambda: is_all_said(slack, github, merged), "every message")
        assert 0 == daemon.stop()

    check_said_once(slack, github, merged)


def test_told_to_leave_with_a_message_in_hand_it_records_that_it_arrived(
    tmp_path: Path, slack: TakingSlack, github: FakeGitHub
) -> None:
    """
    The lease is given back last, so that the next process is in no doubt about a message and need not search for it.
    """
    world = world_of(tmp_path, slack, github)
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        slack.may_answer.clear()
        merged = bump(world)
        daemon.await_for(lambda: bool(slack.messages), "a message that is taken and not answered")
        daemon.ask_to_leave()
        daemon.await_for(lambda: bool(daemon.lines("daemon_stopping")), "the daemon to hear of it")
        slack.may_answer.set()
        assert 0 == daemon.stop()
        assert [] == daemon.lines("outbox_failed")

        daemon.start()
        daemon.await_for(lambda: is_all_said(slack, github, merged), "every message")
        assert 0 == daemon.stop()

    assert [] == [call.path for call in slack.calls if "conversations" in call.path]
    check_said_once(slack, github, merged)
