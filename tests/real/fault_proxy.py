"""An HTTPS proxy in front of a real API server, in which a test lets things go wrong between both.

It shows the server's own certificate, so that whoever talks to it notices nothing, takes one request per connection,
and passes answers on as they come, those of a watch too. What goes wrong is laid out before: the next requests of a
method whose path and query have a pattern (a regular expression) in them, and what becomes of each.
"""

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.real.kubernetes import ApiServer

SECONDS_MAX = 60.0
"""Longer than any test lets something last."""
_READ_BYTES = 65536
_HEAD_END = b"\r\n\r\n"
_TRICKLE_SECONDS = 0.05


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    """Path and query."""
    content: bytes
    """All of its bytes, the connection being its own."""

    def matches(self, method: str, pattern: str) -> bool:
        """Tell whether it is of this method, with this pattern in its path and query."""
        return self.method == method and re.search(pattern, self.target) is not None


@dataclass(eq=False)
class _Fault:
    method: str
    pattern: str
    times: int
    work: Callable[[Request, ssl.SSLSocket], None]


class FaultProxy:
    """``with FaultProxy(server) as proxy``: listens; at the end every connection is closed, and every thread ended."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        certificates = server.certificate.parent
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server.certificate, certificates / "apiserver.key")
        self._upstream = ssl.create_default_context(cafile=str(server.certificate))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._faults: list[_Fault] = []
        self._streams: dict[ssl.SSLSocket, Request] = {}
        """Answers that are being passed on, by the server's side of them."""
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        _shut(self._listener)
        with self._changed:
            for each in self._sockets:
                _shut(each)
        for thread in self._threads:
            thread.join(SECONDS_MAX)
            assert not thread.is_alive(), thread
        self._listener.close()

    def kubeconfig(self, user: str = "admin") -> Path:
        """Write a kubeconfig file whose context ``fleet`` leads here, and return its path."""
        content = yaml.safe_load(self._server.kubeconfig(user).read_text())
        content["clusters"][0]["cluster"]["server"] = self.url
        file = self._server.folder / f"kubeconfig-{user}-through-{self.port}"
        file.write_text(yaml.safe_dump(content))
        file.chmod(0o600)
        return file

    def asked(self, method: str, pattern: str) -> list[str]:
        """Return the targets of all requests that came, oldest first."""
        with self._changed:
            return [each.target for each in self._requests if each.matches(method, pattern)]

    def await_asked(self, method: str, pattern: str, times: int = 1) -> None:
        """Wait until so many such requests came."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: sum(each.matches(method, pattern) for each in self._requests) >= times, SECONDS_MAX
            )
        assert came, f"{method} {pattern} came {len(self.asked(method, pattern))} times, not {times}"

    def await_running(self, pattern: str) -> None:
        """Wait until an answer is being passed on, such as a watch's."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._running(pattern), SECONDS_MAX), f"nobody asks for {pattern}"

    def cut(self, pattern: str) -> None:
        """Cut the connections on which an answer is being passed on, once there is one."""
        self.await_running(pattern)
        with self._changed:
            for upstream in self._running(pattern):
                del self._streams[upstream]
                _shut(upstream)

    def refuse(
        self, method: str, pattern: str, status: int, headers: Mapping[str, str] | None = None, *, times: int = 1
    ) -> None:
        """Answer the next such requests with a status, in words as the server's own; none of them arrives."""
        body = {"kind": "Status", "status": "Failure", "message": "the proxy says so", "code": status}
        self.answer(method, pattern, status, json.dumps(body).encode(), headers, times=times)

    def answer(
        self,
        method: str,
        pattern: str,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
    ) -> None:
        """Answer the next such requests with a body; none of them arrives."""
        lines = {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
        head = "\r\n".join([f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in lines.items())])
        self._lay(method, pattern, times, lambda _, client: client.sendall(head.encode() + _HEAD_END + body))

    def end_watch(self, pattern: str, *events: object, times: int = 1) -> None:
        """Answer the next such watches with some events, and end them; none of them arrives."""
        lines = [json.dumps(event).encode() + b"\n" for event in events]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close" + _HEAD_END
        self._lay("GET", pattern, times, lambda _, client: client.sendall(head + chunks + b"0\r\n\r\n"))

    def say_gone(self, pattern: str) -> None:
        """Let the next watch be told, in its stream, that it fell too far behind."""
        status = {"kind": "Status", "status": "Failure", "message": "too old resource version", "code": 410}
        self.end_watch(pattern, {"type": "ERROR", "object": status})

    def hang_up(self, method: str, pattern: str, *, times: int = 1) -> None:
        """Close the connection of the next such requests; none of them arrives."""
        self._lay(method, pattern, times, lambda *_: None)

    def stall(self, method: str, pattern: str, *, times: int = 1) -> None:
        """Take the next such requests and say nothing; none of them arrives."""
        self._lay(method, pattern, times, self._hold)

    def stall_within(self, method: str, pattern: str, *, times: int = 1) -> None:
        """Pass half of the answer on, and nothing more."""

        def work(request: Request, client: ssl.SSLSocket) -> None:
            head, _, body = self._whole_answer(request).partition(_HEAD_END)
            client.sendall(head + _HEAD_END + body[: len(body) // 2])
            self._hold(request, client)

        self._lay(method, pattern, times, work)

    def trickle(self, method: str, pattern: str, *, times: int = 1) -> None:
        """Pass the head of the answer on, and then one byte of its body after the other, very slowly."""

        def work(request: Request, client: ssl.SSLSocket) -> None:
            head, _, body = self._whole_answer(request).partition(_HEAD_END)
            client.sendall(head + _HEAD_END)
            for byte in body:
                client.sendall(bytes([byte]))
                if self._closing.wait(_TRICKLE_SECONDS):
                    return

        self._lay(method, pattern, times, work)

    def drop_answer(self, method: str, pattern: str, *, times: int = 1) -> None:
        """Let the next such requests through, and close the connection instead of answering."""
        self._lay(method, pattern, times, lambda request, _: bytes(self._whole_answer(request)))

    def stall_answer(self, method: str, pattern: str, *, times: int = 1) -> None:
        """Let the next such requests through, and say nothing."""

        def work(request: Request, client: ssl.SSLSocket) -> None:
            self._whole_answer(request)
            self._hold(request, client)

        self._lay(method, pattern, times, work)

    def replace_answer(self, method: str, pattern: str, content: bytes, *, times: int = 1) -> None:
        """Let the next such requests through, and answer with ``content`` instead, outside of TLS where it is none."""

        def work(request: Request, client: ssl.SSLSocket) -> None:
            self._whole_answer(request)
            if content.startswith(b"HTTP/"):
                client.sendall(content)
            else:
                socket.socket.send(client, content)

        self._lay(method, pattern, times, work)

    def before(self, method: str, pattern: str, act: Callable[[], object], *, times: int = 1) -> None:
        """Let something happen when the next such requests come, and pass them on then."""

        def work(request: Request, client: ssl.SSLSocket) -> None:
            act()
            self._pass_on(request, client)

        self._lay(method, pattern, times, work)

    def _running(self, pattern: str) -> list[ssl.SSLSocket]:
        return [upstream for upstream, request in self._streams.items() if request.matches("GET", pattern)]

    def _lay(self, method: str, pattern: str, times: int, work: Callable[[Request, ssl.SSLSocket], Any]) -> None:
        with self._changed:
            self._faults.append(_Fault(method, pattern, times, work))

    def _hold(self, request: Request, client: ssl.SSLSocket) -> None:
        """Say nothing until the other side goes away."""
        del request
        with suppress(OSError):
            client.recv(1)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._begin(self._serve, plain)

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="fault-proxy", daemon=True)
        with self._changed:
            self._threads.append(thread)
        thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(SECONDS_MAX)
        with suppress(OSError):
            client = self._context.wrap_socket(plain, server_side=True)
            with client:
                if self._keep(client):
                    self._answer(client)
                with self._changed:
                    self._sockets.discard(client)
        plain.close()

    def _keep(self, each: socket.socket) -> bool:
        """Remember a socket that is to be closed at the end; false where that has come."""
        with self._changed:
            self._sockets.add(each)
            return not self._closing.is_set()

    def _answer(self, client: ssl.SSLSocket) -> None:
        request = _read_request(client)
        if request is None:
            return
        with self._changed:
            self._requests.append(request)
            fault = next((each for each in self._faults if request.matches(each.method, each.pattern)), None)
            if fault is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            self._changed.notify_all()
        with suppress(OSError):
            (self._pass_on if fault is None else fault.work)(request, client)
            client.shutdown(socket.SHUT_WR)

    def _pass_on(self, request: Request, client: ssl.SSLSocket) -> None:
        """Pass the answer on as it comes, until its end or until the client has gone."""
        with self._asked(request) as upstream:
            content = upstream.recv(_READ_BYTES)
            with self._changed:
                self._streams[upstream] = request
                self._changed.notify_all()
            try:
                while content:
                    client.sendall(content)
                    content = upstream.recv(_READ_BYTES)
            finally:
                with self._changed:
                    self._streams.pop(upstream, None)
                    self._sockets.discard(upstream)

    def _whole_answer(self, request: Request) -> bytes:
        with self._asked(request) as upstream:
            pieces = []
            while content := upstream.recv(_READ_BYTES):
                pieces.append(content)
            with self._changed:
                self._sockets.discard(upstream)
        return b"".join(pieces)

    def _asked(self, request: Request) -> ssl.SSLSocket:
        """Send a request on, on a connection that ends with its answer."""
        plain = socket.create_connection(("127.0.0.1", self._server.port), SECONDS_MAX)
        upstream = self._upstream.wrap_socket(plain, server_hostname="127.0.0.1")
        if not self._keep(upstream):
            upstream.close()
        head, end, body = request.content.partition(_HEAD_END)
        upstream.sendall(head + b"\r\nConnection: close" + end + body)
        return upstream


def _read_request(client: ssl.SSLSocket) -> Request | None:
    """Read a request to its end; None where the other side went away before."""
    content = b""
    while _HEAD_END not in content:
        piece = client.recv(_READ_BYTES)
        if not piece:
            return None
        content += piece
    head, _, body = content.partition(_HEAD_END)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    missing = int(headers.get("content-length", "0")) - len(body)
    while missing > 0:
        piece = client.recv(_READ_BYTES)
        if not piece:
            return None
        content, missing = content + piece, missing - len(piece)
    method, target, _ = first.split(" ")
    return Request(method, target, content)


def _shut(each: socket.socket) -> None:
    """End both directions, so that whoever reads there goes on."""
    with suppress(OSError):
        socket.socket.shutdown(each, socket.SHUT_RDWR)
