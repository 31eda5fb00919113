"""Gitea, a real one: what it knows, what it hides, and what it answers where it does not know a commit."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import ReportDelayed, ReportError, ReportRefused
from controller.model.outbox import StatusState
from controller.reports.gitea import Gitea as GiteaForge
from controller.reports.statuses import StatusChannel
from tests.fakes.loopback import Answer, Call, FakeServer, Trouble
from tests.real.gitea import Gitea
from tests.reports.messages import OTHER_REVISION, a_delivery, a_status
from tests.reports.worlds import GiteaWorld


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """One forge for this file."""
    with Gitea(tmp_path_factory.mktemp("gitea")) as running:
        yield running


@pytest.fixture
def world(forge: Gitea, tmp_path: Path) -> GiteaWorld:
    """A repository with one commit."""
    return GiteaWorld(forge, tmp_path)


def a_channel(world: GiteaWorld, repository: str = "", token: str = "") -> StatusChannel:
    """A channel with a wrong name or token."""
    return StatusChannel(GiteaForge(world.forge.url, repository or f"ana/{world.name}", token or world.forge.token))


def refusal(channel: StatusChannel, revision: str) -> ReportError:
    """The error that posting meets."""
    with pytest.raises(ReportError) as caught:
        channel.deliver(a_delivery(a_status(revision=revision)))
    return caught.value


@pytest.mark.system
def test_the_newest_status_of_a_context_counts_on_the_forge(world: GiteaWorld) -> None:
    """
    The forge's own API gives the last state said, under the group's context.
    """
    for state in (StatusState.PENDING, StatusState.SUCCESS):
        status = a_status("all soaked", revision=world.revision, state=state)
        world.channel.deliver(a_delivery(status))

    assert "success" == world.forge.state(world.name, world.revision, "wavefleet/prod-eu")


@pytest.mark.system
def test_a_row_is_found_on_a_later_page(world: GiteaWorld) -> None:
    """
    The forge pages contexts by fifty; ours is found on whichever page, and not posted twice.
    """
    forge = GiteaForge(world.forge.url, f"ana/{world.name}", world.forge.token)
    contexts = [f"wavefleet/group-{number}" for number in range(52)]
    for context in contexts:
        forge.post(a_status(revision=world.revision, context=context))
    again = a_channel(world)
    for context in contexts:
        again.deliver(a_delivery(a_status(revision=world.revision, context=context), in_doubt=True))

    assert 52 == len(world.said())


@pytest.mark.system
def test_an_unknown_commit_is_refused_and_an_unknown_repository_waits(world: GiteaWorld) -> None:
    """
    Gitea answers 404 for both; only the repository may yet appear, or be shown to a better token.
    """
    unknown_commit = refusal(a_channel(world), OTHER_REVISION)
    unknown_repository = refusal(a_channel(world, "ana/nowhere"), world.revision)

    assert isinstance(unknown_commit, ReportRefused)
    assert f"has no commit {OTHER_REVISION}" in str(unknown_commit)
    assert isinstance(unknown_repository, ReportDelayed)
    assert "no such repository" in str(unknown_repository)
    with pytest.raises(ReportRefused, match="has no commit"):
        GiteaForge(world.forge.url, f"ana/{world.name}", world.forge.token).post(a_status(revision=OTHER_REVISION))


@pytest.mark.system
def test_a_token_without_the_right_waits_for_a_person(world: GiteaWorld) -> None:
    """
    A wrong token and one that may only read: each says what to mend and shows no secret.
    """
    reader = world.forge.create_token(f"reader of {world.name}", ["read:repository"])
    for token, words in (("0123456789abcdef", "does not know the token"), (reader, "right to write commit statuses")):
        error = refusal(a_channel(world, token=token), world.revision)
        assert isinstance(error, ReportDelayed)
        assert (300, False) == (error.retry_after_seconds, error.in_doubt)
        assert words in str(error)
        assert token not in str(error)


@pytest.mark.system
def test_a_repository_that_moved_says_so(world: GiteaWorld) -> None:
    """
    A redirect is not followed with our token; a person gives the new name, and nothing is lost.
    """
    world.forge.call("PATCH", f"/repos/ana/{world.name}", {"name": f"{world.name}-2"})
    error = refusal(world.restarted(), world.revision)

    assert isinstance(error, ReportDelayed)
    assert "moved" in str(error)


@pytest.mark.system
def test_check_tells_whether_the_repository_is_there(world: GiteaWorld) -> None:
    """
    It asks for the repository and posts nothing.
    """
    assert "is there" in a_channel(world).check()
    with pytest.raises(ReportDelayed, match="no such repository"):
        a_channel(world, "ana/nowhere").check()
    assert [] == world.said()


class SomeServer(FakeServer):
    """Answers every call with an empty combined status; the troubles are what counts."""

    def answer(self, call: Call) -> Answer:
        """No status yet, or a row that says what was posted."""
        if call.verb == "POST":
            return Answer.json({"id": 1, "status": call.fields()["state"]}, 201)
        return Answer.json({"statuses": None})


@pytest.fixture
def server() -> Iterator[SomeServer]:
    """A server that is no Gitea, for answers that a real one does not give on demand."""
    with SomeServer() as running:
        yield running


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>a proxy's page</html>"),
        Answer.json({"message": "Server Error"}, 201),
        Answer.json({"id": 1, "status": "error"}, 201),
        Answer.json(["a list"], 201),
        Answer(201, b"{" * 100_000),
        Answer(201, b"x" * (5 * 1024 * 1024)),
        Answer(500, b"boom"),
    ],
    ids=["page", "error body", "another state", "list", "nested", "too large", "500"],
)
def test_an_answer_that_makes_no_sense_leaves_doubt(server: SomeServer, answer: Answer) -> None:
    """
    Whether a status was taken is not known, so the next try looks first.
    """
    channel = StatusChannel(GiteaForge(server.origin, "ana/fleet", "token"))
    server.suffer(Trouble(only="/statuses/", answer=answer))
    with pytest.raises(ReportDelayed) as caught:
        channel.deliver(a_delivery(a_status()))

    assert caught.value.in_doubt
    assert len(str(caught.value)) < 600
    assert "1" == channel.deliver(a_delivery(a_status(), in_doubt=True))
    assert ["GET", "POST", "GET", "POST"] == [call.verb for call in server.calls]


def test_a_netrc_never_takes_our_token_s_place(server: SomeServer, tmp_path: Path) -> None:
    """
    Left alone, requests sends what a machine's .netrc holds; the token that was set is what goes out.
    """
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password elsewhere\n")
    program = (
        "import sys; from controller.reports.gitea import Gitea\n"
        "Gitea(sys.argv[1], 'ana/fleet', 'the-token').newest('a' * 40, 'wavefleet/config')"
    )
    command = [sys.executable, "-c", program, server.origin]
    subprocess.run(command, env=os.environ | {"NETRC": str(netrc)}, check=False, capture_output=True, timeout=60)

    assert {"token the-token"} == {call.headers["authorization"] for call in server.calls}
