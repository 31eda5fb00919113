"""A Git server over HTTP for this machine alone: Git's own ``git http-backend`` behind a small HTTP server.

The lab gives its user a bare repository to push to, over the protocol a forge speaks, and no container, web server or
account is needed for it. All of Git's protocol (push, gzip, version 2) is Git's own program; this module turns an HTTP
request into the environment that program expects (``git help http-backend``) and its answer into an HTTP answer.
It listens on loopback only, bounds bodies and times, and is no server for other machines: it has no TLS.
"""

import base64
import binascii
import contextlib
import hmac
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar, Self

from controller.errors import LabError

BODY_BYTES_MAX = 64 * 1024 * 1024
"""The largest push or fetch request taken; a fleet repository is a few hundred kilobytes."""
BACKEND_SECONDS_MAX = 120
"""How long Git may work on one request before it is ended."""
IDLE_SECONDS_MAX = 60
"""How long an open connection may stay silent."""

_GRACE_SECONDS = 10
_CHUNK_BYTES = 64 * 1024
_HEADER_LINES_MAX = 100
_LINE_BYTES_MAX = 8 * 1024
_GIT_PROTOCOL = re.compile(r"[A-Za-z0-9=:._-]{1,200}")
_LOOPBACK = "127.0.0.1"

_Request = socket.socket | tuple[bytes, socket.socket]
"""What ``socketserver`` calls a request: the connection of a stream server."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client must present by HTTP basic authentication."""

    user: str
    password: str = field(repr=False)

    def are_in(self, header: str | None) -> bool:
        """Whether an ``Authorization`` header carries exactly these; any malformed header does not."""
        scheme, _, encoded = (header or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            presented = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(presented, f"{self.user}:{self.password}".encode())


@dataclass(frozen=True, slots=True)
class Export:
    """What is served, and to whom."""

    root: Path
    """The folder whose repositories are served; every repository in it is."""
    credentials: Credentials | None = None
    """None serves everybody who can reach loopback."""
    may_push: bool = True


class LoopbackHttpServer(ThreadingHTTPServer):
    """A threaded HTTP server on 127.0.0.1 that can be stopped at once, whatever its connections are doing."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, answering: type[BaseHTTPRequestHandler], *, port: int = 0) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((_LOOPBACK, port), answering)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="loopback-http", daemon=True)

    @property
    def origin(self) -> str:
        """The address without a path, such as ``http://127.0.0.1:4711``."""
        return f"http://{_LOOPBACK}:{self.server_port}"

    def start(self) -> None:
        """Answer requests on a thread of its own from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Cut every open connection, wait for its thread, and free the port."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: _Request, client_address: Any) -> None:  # noqa: ANN401 - socketserver's type
        """Remember the connection, so that ``stop`` can cut it."""
        assert isinstance(request, socket.socket), "the server is a stream server"
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Request) -> None:
        """Forget a connection that has ended."""
        assert isinstance(request, socket.socket), "the server is a stream server"
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: _Request, client_address: Any) -> None:  # noqa: ANN401 - socketserver's type
        """Say nothing of a client that went away in the middle; anything else is a bug, and is printed."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class GitHttpServer:
    """Serves the Git repositories of one folder over HTTP on loopback, from ``start`` to ``stop`` or within ``with``.

    Raises ``LabError`` when this machine's Git has no HTTP backend, or the port is taken.
    """

    answering: ClassVar[type["GitRequestHandler"]]

    def __init__(self, export: Export, *, port: int = 0) -> None:
        """Bind ``port`` of loopback, or any free one for 0; requests wait until ``start``."""
        self.export = export
        self.backend = find_backend()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        bound = type("BoundHandler", (self.answering,), {"git": self})
        try:
            self._http = LoopbackHttpServer(bound, port=port)
        except OSError as error:
            message = f"Git server: port {port} of {_LOOPBACK} cannot be used ({error.strerror}); choose a free one"
            raise LabError(message) from error

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._http.server_port

    def url(self, repository: str) -> str:
        """The address to clone a repository by, given its path below the served folder."""
        return f"{self._http.origin}/{urllib.parse.quote(repository)}"

    def start(self) -> Self:
        """Answer requests from now on."""
        self._http.start()
        return self

    def stop(self) -> None:
        """End what Git is still doing, cut every connection, free the port."""
        with self._lock:
            for process in self._running:
                _end(process)
        self._http.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @contextlib.contextmanager
    def running(self, environment: dict[str, str], body: IO[bytes]) -> Iterator[BufferedReader]:
        """Git's backend at work on one request: its output. It is gone after the block, however the block ends."""
        process = subprocess.Popen(  # noqa: S603 - Git's own program, without arguments
            [self.backend],
            stdin=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        with self._lock:
            self._running.add(process)
        timer = threading.Timer(BACKEND_SECONDS_MAX, _end, [process])
        timer.start()
        assert isinstance(process.stdout, BufferedReader), "the pipe was asked for"
        try:
            yield process.stdout
        finally:
            timer.cancel()
            process.stdout.close()  # a Git that is still writing to a client that has gone ends by this
            _await_end(process)
            with self._lock:
                self._running.discard(process)


class GitRequestHandler(BaseHTTPRequestHandler):
    """Turns one HTTP request into one run of ``git http-backend``."""

    git: ClassVar[GitHttpServer]
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS_MAX
    wbufsize = _CHUNK_BYTES
    disable_nagle_algorithm = True  # small answers in several packets cost 40 ms each time with it

    def do_GET(self) -> None:
        """Refs, and files of the old protocol."""
        self.answer()

    def do_POST(self) -> None:
        """Fetches and pushes."""
        self.answer()

    def handle_expect_100(self) -> bool:
        """Tell a client that asks first to send its body; it waits, so this must not stay in the buffer."""
        may_go_on = super().handle_expect_100()
        self.wfile.flush()
        return may_go_on

    def answer(self) -> None:
        """Answer one request, whatever its verb."""
        credentials = self.git.export.credentials
        if credentials is not None and not credentials.are_in(self.headers["Authorization"]):
            self.refuse(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="git"'})
            return
        with tempfile.TemporaryFile() as body:
            if self.take_body(body):
                with self.git.running(self._environment(os.fstat(body.fileno()).st_size), body) as output:
                    self._relay(output)

    def take_body(self, body: IO[bytes]) -> bool:
        """Write the request's body to ``body`` and rewind it; refuse and return False when it cannot be taken."""
        try:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                _copy_chunks(self.rfile, body)
            else:
                _copy(self.rfile, body, _content_length(self.headers["Content-Length"]))
        except _TooLargeError:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return False
        except ValueError:
            self.refuse(HTTPStatus.BAD_REQUEST)
            return False
        body.seek(0)
        return True

    def refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        """Answer with a status and a line of text, and close: the body may still stand in the way."""
        text = f"{status.value} {status.phrase}\n".encode()
        self.send_response(status)
        for name, content in (headers or {}).items():
            self.send_header(name, content)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def _environment(self, body_bytes: int) -> dict[str, str]:
        """The CGI variables ``git http-backend`` reads; nothing else of ours reaches it, nor any Git configuration."""
        path, _, query = self.path.partition("?")
        export = self.git.export
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.receivepack",
            "GIT_CONFIG_VALUE_0": "true" if export.may_push else "false",
            "GIT_PROJECT_ROOT": str(export.root.resolve()),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": urllib.parse.unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(body_bytes),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": _LOOPBACK,
        }
        if export.credentials is not None:
            environment["REMOTE_USER"] = export.credentials.user
        if _GIT_PROTOCOL.fullmatch(protocol := self.headers.get("Git-Protocol", "")):
            environment["GIT_PROTOCOL"] = protocol
        return environment

    def _relay(self, output: BufferedReader) -> None:
        """Pass on what Git answers, as it comes."""
        headers = _read_headers(output)
        if headers is None:
            self.refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self.send_response(int(headers.pop("status", "200").split()[0]))
        for name, content in headers.items():
            self.send_header(name.title(), content)
        chunked = "content-length" not in headers and self.request_version == "HTTP/1.1"
        self.close_connection = self.close_connection or not (chunked or "content-length" in headers)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while block := output.read1(_CHUNK_BYTES):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is BaseHTTPRequestHandler's
        """Say nothing: the standard library would write every request to stderr."""


GitHttpServer.answering = GitRequestHandler


def find_backend() -> str:
    """The path of this machine's ``git http-backend``; ``LabError`` when there is none."""
    git = shutil.which("git")
    if git is None:
        raise LabError("Git server: found no `git` on PATH, expected Git 2.30 or newer; install it")
    ask = [git, "--exec-path"]
    asked = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - constants
    backend = Path(asked.stdout.strip()) / "git-http-backend"
    if not backend.is_file():
        raise LabError(
            f"Git server: found no {backend}, expected Git with its HTTP backend; install Git's full package"
        )
    return str(backend)


class _TooLargeError(Exception):
    """A body is larger than ``BODY_BYTES_MAX``."""


def _content_length(header: str | None) -> int:
    length = int(header or "0")
    if length < 0:
        raise ValueError(header)
    return length


def _copy(source: BufferedIOBase, target: IO[bytes], length: int) -> None:
    if target.tell() + length > BODY_BYTES_MAX:
        raise _TooLargeError
    while length:
        block = source.read(min(length, _CHUNK_BYTES))
        if not block:
            raise ValueError("the body ended early")
        target.write(block)
        length -= len(block)


def _copy_chunks(source: BufferedIOBase, target: IO[bytes]) -> None:
    """Undo chunked transfer coding (RFC 9112, 7.1); chunk extensions and trailers are read over."""
    while length := int(source.readline(_LINE_BYTES_MAX).split(b";")[0], 16):
        _copy(source, target, length)
        source.readline(_LINE_BYTES_MAX)
    for _ in range(_HEADER_LINES_MAX):
        if source.readline(_LINE_BYTES_MAX) in (b"\r\n", b"\n", b""):
            return
    raise ValueError("too many trailers")


def _read_headers(output: IO[bytes]) -> dict[str, str] | None:
    """The CGI headers, names in lower case; None when Git said nothing usable."""
    headers: dict[str, str] = {}
    for _ in range(_HEADER_LINES_MAX):
        line = output.readline(_LINE_BYTES_MAX)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, content = line.decode("latin-1").partition(":")
        if not colon:
            return None
        headers[name.strip().lower()] = content.strip()
    return None


def _end(process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM) -> None:
    """Ask Git, and the programs it started in its process group, to end; SIGTERM lets it take its lock files along."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, by)


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process, signal.SIGKILL)
        process.wait()
