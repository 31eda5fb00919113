"""Slack and GitHub on bad days, while the daemon rolls a fleet: cycles go on, all arrives once and in order.

Calls that may have been taken unseen are left out: channels wait half a minute before they look, and their own tests
have them.
"""

from itertools import pairwise
from pathlib import Path

from controller.history.entries import RolloutEnded
from tests.fakes.github import TOKEN as GITHUB_TOKEN
from tests.fakes.github import FakeGitHub
from tests.fakes.slack import TOKEN as SLACK_TOKEN
from tests.fakes.slack import FakeSlack
from tests.processes.worlds import CLUSTERS, NEW, Daemon, World

NAME = "acme/fleet"
REPLIES = (
    "wave 1 canary admitted, 1 cluster: ",
    "wave 1 has soaked",
    "wave 2 rest admitted, 2 clusters: ",
    "wave 2 has soaked",
    "done: web runs 4.3.1",
)


def a_world(folder: Path, slack: FakeSlack, github: FakeGitHub) -> World:
    """A world whose threads go to Slack, and whose statuses go to GitHub."""
    github.add_repository(NAME)
    return World(
        folder,
        slack_url=slack.api_url,
        slack_token=SLACK_TOKEN,
        slack_channel=slack.add_channel("kafka-fleet"),
        github_url=github.api_url,
        github_token=GITHUB_TOKEN,
        forge_repository=NAME,
        source_timeout="30s",
    )


def give_slack_a_bad_day(slack: FakeSlack) -> None:
    """Limit it, answer 200 with an error, break it, and be slow."""
    slack.rate_limit(1, only="chat.postMessage")
    slack.deny("service_unavailable", only="chat.postMessage")
    slack.fail(500, only="chat.update")
    slack.slow(1, only="chat.postMessage")


def give_github_a_bad_day(github: FakeGitHub) -> None:
    """Limit it, break it, answer 200 with a page, and be slow."""
    github.rate_limit(1, status=429)
    github.fail(500)
    github.garble()
    github.slow(1)


def test_what_channels_suffer_slows_no_cycle_and_loses_no_word(tmp_path: Path) -> None:
    """
    While one fails and the other hangs, the fleet is upgraded all the same. Then each limits us, fails, is slow and
    answers 200 with an error; in the end there is one thread with each reply once, in order, and each status once.
    """
    with FakeSlack() as slack, FakeGitHub() as github:
        world = a_world(tmp_path, slack, github)
        slack.fail(500, times=1000)
        github.hang()
        with world.daemon() as daemon:
            daemon.await_for(daemon.is_ready, "the first cycle")
            github.await_calls(1)
            merged = world.bump()
            daemon.await_for(world.has_entry(RolloutEnded), "the end of the rollout")
            assert [] == slack.messages
            assert daemon.metric("wavefleet_outbox_messages", channel="slack") > 0
            slack.recover()
            github.recover()
            give_slack_a_bad_day(slack)
            give_github_a_bad_day(github)

            daemon.await_for(lambda: reply_count(slack) >= len(REPLIES), "every reply")
            daemon.await_for(lambda: waiting(daemon) == 0, "an empty outbox")
            assert 0 == daemon.stop()

    assert sorted(CLUSTERS) == sorted(world.started())
    check_thread(slack)
    check_statuses(github, merged)


def waiting(daemon: Daemon) -> float:
    """Return how many messages wait for both channels."""
    return sum(daemon.metric("wavefleet_outbox_messages", channel=channel) for channel in ("slack", "github"))


def reply_count(slack: FakeSlack) -> int:
    """Return how many replies stand in all threads."""
    return sum(len(thread.replies) for thread in slack.threads())


def check_thread(slack: FakeSlack) -> None:
    """One thread, whose head says the end, and each reply once, in order."""
    (thread,) = slack.threads()
    assert f"web → {NEW}: all 3 clusters converged and soaked" in thread.parent.shown
    replies = [reply.text for reply in thread.replies]
    assert [True] * len(REPLIES) == [text.startswith(begin) for text, begin in zip(replies, REPLIES, strict=True)], (
        replies
    )


def check_statuses(github: FakeGitHub, merged: str) -> None:
    """Each context ends in success, and says no words twice in a row."""
    contexts = {row.context for row in github.statuses(NAME, merged)}
    assert {"wavefleet/config", "wavefleet/fleet", "wavefleet/web"} == contexts
    for context in contexts:
        rows = [(row.state, row.description) for row in reversed(github.statuses(NAME, merged, context))]
        assert "success" == rows[-1][0], rows
        assert all(before != after for before, after in pairwise(rows)), rows


def test_a_channel_that_hangs_keeps_no_daemon_from_leaving(tmp_path: Path) -> None:
    """
    It leaves within its limit for messages in hand, and what was not said is said after the next start, once.
    """
    with FakeSlack() as slack, FakeGitHub() as github:
        world = a_world(tmp_path, slack, github)
        github.hang(times=100)
        daemon = world.daemon()
        with daemon:
            daemon.await_for(daemon.is_ready, "the first cycle")
            github.await_calls(1)
            assert 0 == daemon.stop()
        github.recover()

        with daemon:
            daemon.await_for(lambda: bool(github.statuses(NAME, world.first, "wavefleet/fleet")), "the statuses")
            assert 0 == daemon.stop()

    rows = github.statuses(NAME, world.first)
    assert len(rows) == len({row.context for row in rows}), rows
