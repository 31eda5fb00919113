"""The outside worlds of the channels, each with the same few handles: what is seen there, an outage, a restart.

A world answers for itself (a fake's memory, a forge's API, a clone's notes, a stream), never by asking the channel.
"""

import io
from abc import ABC, abstractmethod
from pathlib import Path

from controller.gitcommand import GitCommand, GitRemote
from controller.model.outbox import Body, StatusState
from controller.ports import Channel
from controller.reports.gitea import Gitea as GiteaForge
from controller.reports.github import GitHub
from controller.reports.notes import REF, NotesChannel
from controller.reports.slack import SlackChannel
from controller.reports.statuses import StatusChannel
from controller.reports.terminal import TerminalChannel
from tests.fakes import github as fake_github
from tests.fakes import slack as fake_slack
from tests.fakes.github import FakeGitHub
from tests.fakes.loopback import FakeServer
from tests.fakes.slack import FakeSlack
from tests.real.git_server import GitServer
from tests.real.gitea import Gitea
from tests.real.repositories import FleetRepository, run_git
from tests.reports.messages import GROUP_CONTEXT, REVISION, a_head, a_reply, a_status

CALL_SECONDS_MAX = 1.0
"""The limit of calls that are expected to run into it."""


class World(ABC):
    """One channel and what stands behind it."""

    secret = "a token that this world has not"
    """What must never be in an error."""
    revision = REVISION

    def __init__(self) -> None:
        self.channel = self.restarted()

    @abstractmethod
    def restarted(self) -> Channel:
        """The channel as a new process makes it."""

    def aimed_at(self, port: int) -> Channel:
        """The channel, aimed at another server of this machine."""
        raise NotImplementedError(f"this world has no server, not at {port} either")

    @abstractmethod
    def said(self) -> list[str]:
        """What is to be read out there, oldest first."""

    @abstractmethod
    def fall_silent(self) -> None:
        """Begin an outage."""

    @abstractmethod
    def come_back(self) -> None:
        """End the outage."""

    def body(self, words: str) -> Body:
        """Something that this channel is for."""
        return a_status(words, revision=self.revision, state=StatusState.PENDING)

    def impossible(self) -> Body:
        """Something that this channel will never take."""
        return a_reply()


class FakedWorld(World):
    """Behind a fake server, whose outage is a 503 for every call."""

    server: FakeServer

    def fall_silent(self) -> None:
        """Answer nothing but 503."""
        self.server.fail(503, times=1_000_000)

    def come_back(self) -> None:
        """Answer as always."""
        self.server.recover()


class SlackWorld(FakedWorld):
    """Slack, with a channel that knows no limits."""

    secret = fake_slack.TOKEN

    def __init__(self, server: FakeSlack) -> None:
        self.server = self.slack = server
        self.channel_id = server.add_channel("fleet")
        super().__init__()

    def restarted(self) -> SlackChannel:
        """A channel by the id."""
        return SlackChannel(fake_slack.TOKEN, self.channel_id, base_url=self.slack.api_url)

    def aimed_at(self, port: int) -> SlackChannel:
        """A channel at another server."""
        address = f"http://127.0.0.1:{port}/api/"
        return SlackChannel(fake_slack.TOKEN, self.channel_id, base_url=address, limit_seconds=CALL_SECONDS_MAX)

    def said(self) -> list[str]:
        """Every message's text."""
        return [message.text for message in self.slack.messages]

    def body(self, words: str) -> Body:
        """A reply; without a head it stands in the channel itself."""
        return a_reply(words)

    def impossible(self) -> Body:
        """A commit status."""
        return a_status()


class SlackHeadWorld(SlackWorld):
    """The same, for first messages of threads."""

    def body(self, words: str) -> Body:
        """A head whose thread is told by its words."""
        return a_head(words, thread=words)


class GitHubWorld(FakedWorld):
    """GitHub, with one repository that knows every commit."""

    secret = fake_github.TOKEN

    def __init__(self, server: FakeGitHub) -> None:
        self.server = self.github = server
        server.add_repository("acme/fleet")
        super().__init__()

    def restarted(self) -> StatusChannel:
        """A channel for that repository."""
        return StatusChannel(GitHub(self.github.api_url, "acme/fleet", fake_github.TOKEN))

    def aimed_at(self, port: int) -> StatusChannel:
        """A channel at another server."""
        api_url = f"http://127.0.0.1:{port}/api/v3"
        return StatusChannel(GitHub(api_url, "acme/fleet", fake_github.TOKEN, limit_seconds=CALL_SECONDS_MAX))

    def said(self) -> list[str]:
        """The descriptions of the rows."""
        rows = self.github.statuses("acme/fleet", self.revision, GROUP_CONTEXT)
        return [str(row.description) for row in reversed(rows)]


class GiteaWorld(World):
    """A real forge, with a repository of this world's own."""

    def __init__(self, forge: Gitea, folder: Path) -> None:
        self.forge = forge
        self.secret = forge.token
        self.name = f"fleet-{folder.name.lower().replace('_', '-')[:60]}"
        forge.create_repository(self.name)
        fleet = FleetRepository(folder)
        fleet.git("remote", "set-url", "origin", forge.push_url(self.name))
        self.revision = fleet.publish({"fleet.yaml": "kind: Fleet\n"})
        super().__init__()

    def restarted(self) -> StatusChannel:
        """A channel for that repository."""
        return StatusChannel(GiteaForge(self.forge.url, f"ana/{self.name}", self.forge.token))

    def aimed_at(self, port: int) -> StatusChannel:
        """A channel at another server."""
        url = f"http://127.0.0.1:{port}"
        return StatusChannel(GiteaForge(url, f"ana/{self.name}", self.forge.token, limit_seconds=CALL_SECONDS_MAX))

    def said(self) -> list[str]:
        """The descriptions of the rows."""
        return [row["description"] for row in reversed(self.forge.statuses(self.name, self.revision))]

    def fall_silent(self) -> None:
        """Stop the forge."""
        self.forge.stop()

    def come_back(self) -> None:
        """Start it again."""
        self.forge.start()


class NotesWorld(World):
    """A bare repository on disk; what is said is every line that a note ever had, by the history of the notes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = FleetRepository(folder / "remote")
        self.revision = self.fleet.publish({"fleet.yaml": "kind: Fleet\n"})
        super().__init__()

    @property
    def url(self) -> str:
        """Where the notes are pushed to."""
        return self.fleet.url

    def restarted(self) -> NotesChannel:
        """A channel with the folder that an earlier one left."""
        return NotesChannel(GitCommand(GitRemote(self.url)), self.folder / "cache")

    def said(self) -> list[str]:
        """The added lines of each commit of the notes, without state and context."""
        if not run_git(self.fleet.bare, "for-each-ref", REF):
            return []
        shown = run_git(self.fleet.bare, "log", "--reverse", "--patch", "--unified=0", "--format=", REF)
        lines = [line[1:] for line in shown.splitlines() if line.startswith("+") and not line.startswith("+++")]
        return [line.split(": ", 1)[1] for line in lines]

    def fall_silent(self) -> None:
        """Take the repository away."""
        self.fleet.bare.rename(self.fleet.bare.with_suffix(".away"))

    def come_back(self) -> None:
        """Put it back."""
        self.fleet.bare.with_suffix(".away").rename(self.fleet.bare)


class HttpNotesWorld(NotesWorld):
    """The same behind a real Git server over HTTP."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self.server = server
        super().__init__(folder)

    @property
    def url(self) -> str:
        """Where the notes are pushed to."""
        return self.server.url("fleet.git")

    def aimed_at(self, port: int) -> NotesChannel:
        """A channel at another server."""
        remote = GitRemote(f"http://127.0.0.1:{port}/fleet.git")
        return NotesChannel(GitCommand(remote, limit_seconds=CALL_SECONDS_MAX), self.folder / "cache-of-another")

    def fall_silent(self) -> None:
        """Answer nothing but 503."""
        self.server.status(503)

    def come_back(self) -> None:
        """Answer as always."""
        self.server.behave()


class _Paper(io.StringIO):
    """A stream that can fail."""

    is_torn = False

    def write(self, text: str) -> int:
        """Write, unless torn."""
        if self.is_torn:
            raise OSError("no space left")
        return super().write(text)


class TerminalWorld(World):
    """A stream. A new process has a new terminal, so a restart is none here."""

    def __init__(self) -> None:
        self.paper = _Paper()
        self._only = TerminalChannel(self.paper)
        super().__init__()

    def restarted(self) -> TerminalChannel:
        """The same channel."""
        return self._only

    def said(self) -> list[str]:
        """The replies' texts."""
        return [line.removeprefix("  ↳ ") for line in self.paper.getvalue().splitlines()]

    def fall_silent(self) -> None:
        """Let every write fail."""
        self.paper.is_torn = True

    def come_back(self) -> None:
        """Let writes succeed."""
        self.paper.is_torn = False

    def body(self, words: str) -> Body:
        """A reply."""
        return a_reply(words)
