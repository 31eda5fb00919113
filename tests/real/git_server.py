"""A real Git server over HTTP with a memory and bad days.

It is the server of the lab (``controller.lab.git_http``), so clients meet Git's own program; what is added is a record
of what was asked, by which a test proves "one ls-remote when nothing changed", and the ways a remote misbehaves: it
hangs, it answers with a status, it is slow. It does not imitate any part of Git's protocol.
"""

import re
import threading
import urllib.parse
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, ClassVar

from controller.lab.git_http import Credentials, Export, GitHttpServer, GitRequestHandler

_PEEK_BYTES = 4096
_GZIP_WINDOW = 31
_FIRST_LINE = re.compile(rb"[0-9a-f]{4}command=(ls-refs|fetch)")


@dataclass(slots=True)
class GitRequest:
    """One HTTP request as it arrived; what is known later is filled in."""

    verb: str
    path: str
    service: str
    """``git-upload-pack`` (reading) or ``git-receive-pack`` (pushing)."""
    protocol: str
    """The ``Git-Protocol`` header; ``version=2`` from any Git of our days."""
    command: str = ""
    """``ls-refs``, ``fetch`` or ``push``; empty for the request that opens a conversation."""
    status: int | None = None
    """What was answered; None while, or because, there was no answer."""


class GitServer(GitHttpServer):
    """Serves the repositories below ``root``: ``with GitServer(root) as server: server.url("fleet.git")``."""

    def __init__(
        self, root: Path, *, credentials: Credentials | None = None, may_push: bool = True, port: int = 0
    ) -> None:
        super().__init__(Export(root, credentials, may_push), port=port)
        self.requests: list[GitRequest] = []
        """Every request since the start, in the order they arrived."""
        self._news = threading.Condition()
        self._released = threading.Event()
        self._released.set()
        self._stopped = threading.Event()
        self._delay_seconds = 0.0
        self._status: HTTPStatus | None = None

    @property
    def commands(self) -> list[str]:
        """What Git was asked to do, in order: ``["ls-refs"]`` for one ls-remote, then ``"fetch"``, ``"push"``.

        A large push knocks twice, and is listed twice.
        """
        return [request.command for request in self.requests if request.command]

    def forget(self) -> None:
        """Start the record anew."""
        self.requests.clear()

    def await_requests(self, count: int, *, seconds: float = 10) -> None:
        """Wait until ``count`` requests have arrived since the start; ``TimeoutError`` after ``seconds``."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.requests) >= count, seconds):
                raise TimeoutError(f"found {len(self.requests)} requests after {seconds} s, expected {count}")

    def hang(self) -> None:
        """From now on accept every request and answer none, until ``behave``; those waiting are answered then."""
        self._released.clear()

    def status(self, code: int) -> None:
        """From now on answer every request with this status, until ``behave``."""
        self._status = HTTPStatus(code)

    def slow(self, seconds: float) -> None:
        """From now on let every request wait so long, until ``behave``."""
        self._delay_seconds = seconds

    def behave(self) -> None:
        """End every bad day."""
        self._delay_seconds = 0.0
        self._status = None
        self._released.set()

    def stop(self) -> None:
        """Stop as the lab's server does; requests that wait are cut, not answered."""
        self._stopped.set()
        self._released.set()
        super().stop()

    def suffer(self) -> HTTPStatus | None:
        """Live through the bad day, if it is one; the status to answer with, or None to answer properly."""
        if self._delay_seconds:
            self._stopped.wait(self._delay_seconds)
        self._released.wait()
        if self._stopped.is_set():
            raise ConnectionAbortedError("the server was stopped before it answered")
        return self._status

    def note(self, request: GitRequest) -> None:
        """Remember a request that has arrived."""
        with self._news:
            self.requests.append(request)
            self._news.notify_all()


class _WatchedHandler(GitRequestHandler):
    git: ClassVar[GitServer]

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        asked = urllib.parse.parse_qs(query).get("service", [path.rpartition("/")[2]])[0]
        self._request = GitRequest(self.command, path, asked, self.headers.get("Git-Protocol", ""))
        self.git.note(self._request)
        status = self.git.suffer()
        if status is None:
            super().answer()
        else:
            self.refuse(status)

    def take_body(self, body: IO[bytes]) -> bool:
        taken = super().take_body(body)
        if taken and self.command == "POST":
            self._request.command = _command(self._request.service, body.read(_PEEK_BYTES))
            body.seek(0)
        return taken

    def send_response(self, code: int, message: str | None = None) -> None:
        self._request.status = int(code)
        super().send_response(code, message)


GitServer.answering = _WatchedHandler


def _command(service: str, opening: bytes) -> str:
    """What a request asks Git to do, read from the first bytes of its body.

    A body is a row of lines, each behind its length in four hexadecimal digits (``git help protocol-common``).
    """
    if service == "git-receive-pack":
        return "push"
    if opening[:2] == b"\x1f\x8b":
        opening = zlib.decompressobj(_GZIP_WINDOW).decompress(opening, _PEEK_BYTES)
    command = _FIRST_LINE.match(opening)
    return command[1].decode() if command else "fetch"
