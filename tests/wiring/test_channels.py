"""Channels as settings make them: what was set arrives where people read it."""

from collections.abc import Iterator

import pytest

from controller.ports import Channel
from controller.settings import load_settings
from controller.wiring.parts import channels_of
from tests.fakes.slack import TOKEN, UNLIMITED, FakeSlack
from tests.reports.messages import REVISION, a_delivery, a_head


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """Slack with one channel."""
    with FakeSlack(limits=UNLIMITED) as running:
        running.add_channel("fleet")
        yield running


def the_slack_channel(slack: FakeSlack, repository: str) -> Channel:
    """The channel that a daemon would have for ``repository``."""
    environment = {
        "HOME": "/home/ana",
        "WAVEFLEET_REPOSITORY": repository,
        "WAVEFLEET_SLACK_URL": slack.api_url,
        "WAVEFLEET_SLACK_TOKEN": TOKEN,
        "WAVEFLEET_SLACK_CHANNEL": "C00000001",
        "WAVEFLEET_STATUS_CHANNEL": "none",
    }
    ((channel, _),) = channels_of(load_settings({}, environment))
    return channel


def test_the_first_message_of_a_thread_links_to_the_commit_on_the_forge(slack: FakeSlack) -> None:
    """
    One click from Slack to the version bump that was merged.
    """
    the_slack_channel(slack, "git@github.com:acme/fleet.git").deliver(a_delivery(a_head()))

    (thread,) = slack.threads("fleet")
    assert f"<https://github.com/acme/fleet/commit/{REVISION}|" in thread.parent.shown


def test_without_a_forge_the_revision_is_shown_alone(slack: FakeSlack) -> None:
    """
    A link that leads nowhere would be worse.
    """
    the_slack_channel(slack, "/srv/git/fleet.git").deliver(a_delivery(a_head()))

    (thread,) = slack.threads("fleet")
    assert f"revision `{REVISION[:10]}`" in thread.parent.shown
    assert "http" not in thread.parent.shown
