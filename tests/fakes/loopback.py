"""What every fake HTTP server shares: it listens on loopback, remembers its calls, and has bad days on demand.

A fake stands outside the package, at the HTTP boundary, so the real client library runs against it. What it answers on
a good day is its own matter (``answer``); how a good day goes wrong is the same for all: a status, an answer that is
not JSON, a delay, silence, a connection dropped before or, worst, after the call was taken.
"""

import json
import threading
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, ClassVar, Self

from controller.lab.git_http import LoopbackHttpServer

_BODY_BYTES_MAX = 1024 * 1024

Clock = Callable[[], float]
"""Seconds that never go back, such as ``time.monotonic`` or a ``ManualClock``."""


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when it is told to, so that no test waits for a rate limit."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        """The time it stands at."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request as the fake received it."""

    verb: str
    path: str
    """Without the query."""
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def fields(self) -> dict[str, Any]:
        """The arguments: those of the query, then those of a JSON or form body. ``ValueError`` when it is neither."""
        if not self.body:
            return dict(self.query)
        if "json" in self.headers.get("content-type", ""):
            content = json.loads(self.body)
            if not isinstance(content, dict):
                raise ValueError("the body is JSON, but no object")
            return {**self.query, **content}
        return {**self.query, **dict(urllib.parse.parse_qsl(self.body.decode()))}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """An answer whose body is ``content`` as JSON."""
        named = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        return cls(status, json.dumps(content).encode(), named)


NOT_JSON = Answer(200, b"<html><body>A proxy's page</body></html>", {"Content-Type": "text/html"})
"""What a proxy in between likes to answer."""


@dataclass(slots=True)
class Trouble:
    """One way in which calls go wrong; what it does not name goes as always."""

    times: int = 1
    """How many more calls it meets."""
    only: str = ""
    """A part of the path of the calls it meets, such as ``chat.update``; empty for every call."""
    answer: Answer | None = None
    """Answered in place of taking the call."""
    delay_seconds: float = 0.0
    """Waited before the call is taken."""
    is_silent: bool = False
    """The call is not taken, and never answered: until ``recover`` or ``stop`` cuts the connection."""
    drops_call: bool = False
    """The connection is dropped and the call not taken."""
    drops_answer: bool = False
    """The call is taken, and then the connection dropped: it succeeded unseen."""


class FakeServer(ABC):
    """An HTTP server on loopback, from ``start`` to ``stop`` or within ``with``."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        """Every call since the start, those that met trouble too."""
        self._troubles: list[Trouble] = []
        self._news = threading.Condition()
        self._taking = threading.Lock()
        self._recovered = threading.Event()
        self._stopped = threading.Event()
        self._http = LoopbackHttpServer(type("BoundHandler", (_Handler,), {"fake": self}))
        self.origin = self._http.origin
        """The address without a path."""

    @abstractmethod
    def answer(self, call: Call) -> Answer:
        """Take a call and answer it, on a good day. Calls are taken one at a time."""

    def start(self) -> Self:
        """Answer from now on."""
        self._http.start()
        return self

    def stop(self) -> None:
        """Cut every connection and free the port; what was recorded stays."""
        self._stopped.set()
        self._recovered.set()
        self._http.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def await_calls(self, count: int, *, seconds: float = 10) -> None:
        """Wait until ``count`` calls have arrived since the start; ``TimeoutError`` after ``seconds``."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.calls) >= count, seconds):
                raise TimeoutError(f"found {len(self.calls)} calls after {seconds} s, expected {count}")

    def suffer(self, trouble: Trouble) -> None:
        """Let the next calls that ``trouble`` names go wrong; several troubles come one after another."""
        self._troubles.append(trouble)

    def fail(self, status: int, *, times: int = 1, only: str = "") -> None:
        """Answer the next calls with a status and a page, as a broken server or a proxy does."""
        self.suffer(Trouble(times, only, Answer(status, b"<html>Trouble</html>", {"Content-Type": "text/html"})))

    def garble(self, *, times: int = 1, only: str = "") -> None:
        """Answer the next calls with 200 and a page that is no JSON, without taking them."""
        self.suffer(Trouble(times, only, NOT_JSON))

    def slow(self, seconds: float, *, times: int = 1, only: str = "") -> None:
        """Let the next calls wait so long before they are taken."""
        self.suffer(Trouble(times, only, delay_seconds=seconds))

    def hang(self, *, times: int = 1, only: str = "") -> None:
        """Never answer the next calls."""
        self.suffer(Trouble(times, only, is_silent=True))

    def drop(self, *, times: int = 1, only: str = "") -> None:
        """Drop the connection of the next calls without taking them."""
        self.suffer(Trouble(times, only, drops_call=True))

    def drop_after_taking(self, *, times: int = 1, only: str = "") -> None:
        """Take the next calls and drop the connection before the answer: they succeed unseen."""
        self.suffer(Trouble(times, only, drops_answer=True))

    def recover(self) -> None:
        """End every trouble; connections that hang are cut."""
        self._troubles.clear()
        self._recovered.set()
        self._recovered = threading.Event()

    def meet(self, call: Call) -> Answer | None:
        """Record a call and answer it, or None to drop its connection; for the handler alone."""
        with self._news:
            self.calls.append(call)
            trouble = self._next_trouble(call)
            recovered = self._recovered
            self._news.notify_all()
        if trouble.is_silent:
            recovered.wait()
        self._stopped.wait(trouble.delay_seconds)
        if trouble.is_silent or trouble.drops_call or self._stopped.is_set():
            return None
        if trouble.answer is not None:
            return trouble.answer
        with self._taking:
            answer = self.answer(call)
        return None if trouble.drops_answer else answer

    def _next_trouble(self, call: Call) -> Trouble:
        for trouble in self._troubles:
            if trouble.times > 0 and trouble.only in call.path:
                trouble.times -= 1
                return trouble
        return Trouble()


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[FakeServer]
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.take()

    def do_POST(self) -> None:
        self.take()

    def take(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_BYTES_MAX:
            self.send_error(413)
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): content for name, content in self.headers.items()}
        parsed = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        answer = self.fake.meet(Call(self.command, path, parsed, headers, self.rfile.read(length)))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, content in answer.headers.items():
            self.send_header(name, content)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is BaseHTTPRequestHandler's
        """Say nothing: the standard library would write every request to stderr."""
