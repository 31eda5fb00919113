"""What every channel promises (``ports.Channel``): once, in order, refused or delayed, and within its time.

The same suite runs on Slack and GitHub (stand-ins that enforce the documented rules), on a real Gitea, on Git notes
over disk and HTTP, and on a terminal.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ReportDelayed, ReportError, ReportRefused
from controller.model.outbox import Delivery
from tests.fakes.github import FakeGitHub
from tests.fakes.slack import UNLIMITED, FakeSlack
from tests.real.git_server import GitServer
from tests.real.gitea import Gitea
from tests.reports.messages import a_delivery
from tests.reports.worlds import (
    CALL_SECONDS_MAX,
    GiteaWorld,
    GitHubWorld,
    HttpNotesWorld,
    NotesWorld,
    SlackHeadWorld,
    SlackWorld,
    TerminalWorld,
    World,
)

SLACK_WORDS = {"slack head": "⏳ prod-eu → 4.3.1: {}"}
"""How a message's words are found again where the channel says more than them."""


@pytest.fixture(scope="module")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """One forge for this file; each test makes a repository of its own."""
    with Gitea(tmp_path_factory.mktemp("gitea")) as forge:
        yield forge


SERVED = ["slack", "slack head", "github", pytest.param("gitea", marks=pytest.mark.system), "notes over http"]
"""Worlds with a server."""
CHOOSY = [*SERVED, "notes"]
"""Worlds that do not take everything."""


@pytest.fixture(params=[*CHOOSY, "terminal"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Each world in turn."""
    with ExitStack() as stack:

        def slack() -> FakeSlack:
            return stack.enter_context(FakeSlack(limits=UNLIMITED))

        makers: dict[str, Callable[[], World]] = {
            "slack": lambda: SlackWorld(slack()),
            "slack head": lambda: SlackHeadWorld(slack()),
            "github": lambda: GitHubWorld(stack.enter_context(FakeGitHub())),
            "gitea": lambda: GiteaWorld(request.getfixturevalue("gitea"), tmp_path),
            "notes": lambda: NotesWorld(tmp_path),
            "notes over http": lambda: HttpNotesWorld(stack.enter_context(GitServer(tmp_path / "remote")), tmp_path),
            "terminal": TerminalWorld,
        }
        yield makers[request.param]()


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> Callable[[list[str]], list[str]]:
    """Turns words into what is to be read for them."""
    form = SLACK_WORDS.get(request.node.callspec.params["world"], "{}")
    return lambda words: [form.format(each) for each in words]


Expected = Callable[[list[str]], list[str]]


def delivery(world: World, words: str, **parts: Any) -> Delivery:  # noqa: ANN401 - passed on to the builder
    """A delivery of something this world's channel is for, with the words as its key."""
    return a_delivery(world.body(words), key=f"key of {words}", **parts)


def test_messages_are_said_in_order(world: World, expected: Expected) -> None:
    """
    What was delivered first is read first, and each delivery is told by a reference.
    """
    references = [world.channel.deliver(delivery(world, words)) for words in ("one", "two", "three")]

    assert expected(["one", "two", "three"]) == world.said()
    assert all(references)


def test_a_message_in_doubt_that_was_taken_is_not_said_again(world: World, expected: Expected) -> None:
    """
    A process that died after the call and before its note of it: the next one looks, and says nothing.
    """
    world.channel.deliver(delivery(world, "one"))
    world.restarted().deliver(delivery(world, "one", in_doubt=True, attempts=1))
    world.restarted().deliver(delivery(world, "one", in_doubt=True, attempts=2))

    assert expected(["one"]) == world.said()


def test_a_message_in_doubt_that_was_not_taken_is_said(world: World, expected: Expected) -> None:
    """
    A process that died before the call: the next one looks, finds nothing, and says it.
    """
    world.channel.deliver(delivery(world, "one"))
    world.restarted().deliver(delivery(world, "two", in_doubt=True, attempts=1))

    assert expected(["one", "two"]) == world.said()


def test_a_message_in_doubt_is_found_behind_later_ones_of_others(world: World, expected: Expected) -> None:
    """
    Looking finds what was taken, also when something else came after it.
    """
    world.channel.deliver(delivery(world, "one"))
    if world.channel.name in {"slack", "terminal"}:  # a forge takes the newest row alone as said
        world.channel.deliver(delivery(world, "two"))
    again = world.restarted().deliver(delivery(world, "one", in_doubt=True))

    assert again
    assert 1 == world.said().count(*expected(["one"]))


def test_an_outage_delays_and_loses_nothing(world: World, expected: Expected) -> None:
    """
    While the other side is down a message is delayed, with a sentence; afterwards it is said, once.
    """
    world.channel.deliver(delivery(world, "one"))
    world.fall_silent()
    with pytest.raises(ReportDelayed) as caught:
        world.channel.deliver(delivery(world, "two"))
    world.come_back()
    world.channel.deliver(delivery(world, "two", in_doubt=caught.value.in_doubt, attempts=1))

    assert expected(["one", "two"]) == world.said()
    assert len(str(caught.value)) > 10


def test_doubt_outlives_an_outage(world: World) -> None:
    """
    A message in doubt whose look fails stays in doubt, or needs no look.
    """
    world.channel.deliver(delivery(world, "one"))
    world.fall_silent()
    try:
        with pytest.raises(ReportDelayed) as caught:
            world.restarted().deliver(delivery(world, "two", in_doubt=True, attempts=1))
    finally:
        world.come_back()

    assert caught.value.in_doubt or world.channel.name in {"notes", "terminal"}


@pytest.mark.parametrize("world", CHOOSY, indirect=True)
def test_an_impossible_message_is_refused_and_the_next_is_taken(world: World, expected: Expected) -> None:
    """
    What a channel is not for is refused for good; that harms nothing else.
    """
    with pytest.raises(ReportRefused):
        world.channel.deliver(a_delivery(world.impossible()))
    world.channel.deliver(delivery(world, "one"))

    assert expected(["one"]) == world.said()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("world", SERVED, indirect=True)
def test_a_server_that_says_nothing_costs_no_more_than_the_limit(
    world: World, silent_port: int, *, in_doubt: bool
) -> None:
    """
    Every call ends within its time limit, as a delay.
    """
    caught = failure_at(world, silent_port, in_doubt=in_doubt)
    assert in_doubt <= (caught.in_doubt or world.channel.name == "notes")


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("world", SERVED, indirect=True)
def test_a_server_that_is_not_there_is_a_delay(world: World, closed_port: int, *, in_doubt: bool) -> None:
    """
    A refused connection brings no doubt where nothing can have arrived, and takes none away.
    """
    caught = failure_at(world, closed_port, in_doubt=in_doubt)
    assert caught.in_doubt == (in_doubt and world.channel.name != "notes")


@pytest.mark.parametrize("world", SERVED, indirect=True)
def test_no_error_shows_a_token(world: World, closed_port: int, silent_port: int) -> None:
    """
    Errors go to logs and the ledger, so no secret may be in them.
    """
    for port in (closed_port, silent_port):
        assert world.secret not in str(failure_at(world, port, in_doubt=False))


def failure_at(world: World, port: int, *, in_doubt: bool) -> ReportDelayed:
    """The delay that the channel meets when it is aimed at a port."""
    channel = world.aimed_at(port)
    began = time.monotonic()
    with pytest.raises(ReportError) as caught:
        channel.deliver(delivery(world, "one", in_doubt=in_doubt))
    assert time.monotonic() - began < 3 * CALL_SECONDS_MAX + 3
    assert isinstance(caught.value, ReportDelayed)
    return caught.value
