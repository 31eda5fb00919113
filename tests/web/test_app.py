"""The web side, asked over loopback as a probe or a scraper would ask it."""

import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from controller.errors import SettingsError
from controller.web.app import create_app
from controller.web.server import WebServer

SECONDS_MAX = 10


@dataclass
class StillPulse:
    """A daemon that is as a test says."""

    alive: str | None = None
    ready: str | None = None
    broken: bool = False

    def why_not_alive(self) -> str | None:
        """Return what the test said."""
        return self.alive

    def why_not_ready(self) -> str | None:
        """Return what the test said."""
        return self.ready

    def metrics(self) -> bytes:
        """Return one series, or fail."""
        if self.broken:
            raise RuntimeError("a detail that is nobody's business")
        return b"wavefleet_leader 1.0\n"


@pytest.fixture
def pulse() -> StillPulse:
    """A daemon that is well."""
    return StillPulse()


@pytest.fixture
def server(pulse: StillPulse) -> Iterator[WebServer]:
    """A real server of that daemon, on a free port of loopback."""
    with WebServer(create_app(pulse), "127.0.0.1", 0) as running:
        yield running


def ask(server: WebServer, path: str, method: str = "GET", body: bytes | None = None) -> requests.Response:
    """Send one request."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of this machine has no business on loopback
        return session.request(method, f"http://127.0.0.1:{server.port}{path}", data=body, timeout=SECONDS_MAX)


def test_a_daemon_that_is_well_is_alive_and_ready(server: WebServer) -> None:
    """
    Both probes answer 200, in JSON.
    """
    assert (200, {"alive": True}) == (ask(server, "/healthz").status_code, ask(server, "/healthz").json())
    assert (200, {"ready": True}) == (ask(server, "/readyz").status_code, ask(server, "/readyz").json())


def test_a_stuck_daemon_is_not_alive_and_says_why(server: WebServer, pulse: StillPulse) -> None:
    """
    A probe gets 503, a person reads the reason.
    """
    pulse.alive = "the last cycle ended 12m ago, expected at most 10m"
    answer = ask(server, "/healthz")

    assert 503 == answer.status_code
    assert {"alive": False, "reason": pulse.alive} == answer.json()


def test_a_waiting_daemon_is_alive_and_not_ready(server: WebServer, pulse: StillPulse) -> None:
    """
    A second replica that waits for the lease must not be started anew for it.
    """
    pulse.ready = "another controller holds the ledger"
    answer = ask(server, "/readyz")

    assert 200 == ask(server, "/healthz").status_code
    assert 503 == answer.status_code
    assert {"ready": False, "reason": pulse.ready} == answer.json()


def test_metrics_are_served_as_prometheus_expects(server: WebServer) -> None:
    """
    The bytes as they were rendered, under the content type of the text format.
    """
    answer = ask(server, "/metrics")

    assert b"wavefleet_leader 1.0\n" == answer.content
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]


def test_head_answers_without_a_body(server: WebServer) -> None:
    """
    Some probes ask with HEAD.
    """
    answer = ask(server, "/healthz", "HEAD")

    assert (200, b"") == (answer.status_code, answer.content)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_allowed(server: WebServer, method: str) -> None:
    """
    Every other method is refused with the ones that are allowed.
    """
    answer = ask(server, "/healthz", method)

    assert 405 == answer.status_code
    assert {"GET", "HEAD"} == set(answer.headers["allow"].split(", "))
    assert "expected" in answer.json()


def test_a_body_is_refused_unread(server: WebServer) -> None:
    """
    No request has a reason to bring one; the connection is closed with the answer.
    """
    answer = ask(server, "/metrics", body=b"x" * 100_000)

    assert 413 == answer.status_code
    assert "close" == answer.headers["connection"]


def test_a_body_of_unknown_length_is_refused_too(server: WebServer) -> None:
    """
    Chunked bodies have no length to look at.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS_MAX)
    connection.putrequest("GET", "/healthz")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()

    assert 413 == status


@pytest.mark.parametrize("path", ["/", "/healthz/", "/metrics/x", "/../etc/passwd", "/api/v1/groups"])
def test_an_unknown_path_is_told_the_known_ones(server: WebServer, path: str) -> None:
    """
    A 404 in JSON that says what there is; no redirects.
    """
    answer = ask(server, path)

    assert 404 == answer.status_code
    assert {"error": "Not Found", "expected": "GET /healthz, /readyz or /metrics"} == answer.json()


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/nowhere"])
def test_every_answer_has_sane_headers(server: WebServer, path: str) -> None:
    """
    Nothing is stored, guessed or framed, and the server does not say what it is.
    """
    headers = ask(server, path).headers

    assert "no-store" == headers["cache-control"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "default-src 'none'; frame-ancestors 'none'" == headers["content-security-policy"]
    assert "server" not in headers


def test_a_bug_is_answered_without_its_text(server: WebServer, pulse: StillPulse) -> None:
    """
    The answer to a failure has the same headers, says where to look, and gives nothing away; the server goes on.
    """
    pulse.broken = True
    answer = ask(server, "/metrics")

    assert 500 == answer.status_code
    assert {"error": "the request failed; see the log"} == answer.json()
    assert "no-store" == answer.headers["cache-control"]
    assert 200 == ask(server, "/healthz").status_code


def test_a_port_in_use_is_a_setting_to_mend(server: WebServer, pulse: StillPulse) -> None:
    """
    The second daemon of a machine says at once which setting is wrong and what to do.
    """
    second = WebServer(create_app(pulse), "127.0.0.1", server.port)

    with pytest.raises(SettingsError, match=r"WAVEFLEET_LISTEN: found .*, an address that another process listens on"):
        second.start()
    second.stop()


@pytest.mark.parametrize(
    ("host", "why"), [("no.such.host.invalid", "has no address"), ("192.0.2.1", "not one of this machine")]
)
def test_a_host_that_is_not_ours_is_a_setting_to_mend(pulse: StillPulse, host: str, why: str) -> None:
    """
    A name without an address and an address of another machine are told apart.
    """
    with pytest.raises(SettingsError, match=why):
        WebServer(create_app(pulse), host, 0).start()


def test_a_stopped_server_gives_its_port_back(pulse: StillPulse) -> None:
    """
    After ``stop`` nobody answers, and the next server can have the port.
    """
    first = WebServer(create_app(pulse), "127.0.0.1", 0)
    first.start()
    port = first.port
    assert 200 == ask(first, "/healthz").status_code
    first.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX)
    with WebServer(create_app(pulse), "127.0.0.1", port) as second:
        assert 200 == ask(second, "/healthz").status_code


def test_stopping_does_not_wait_for_idle_connections(pulse: StillPulse) -> None:
    """
    A scraper that keeps its connection open does not keep the daemon from leaving.
    """
    server = WebServer(create_app(pulse), "127.0.0.1", 0)
    server.start()
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"http://127.0.0.1:{server.port}/healthz", timeout=SECONDS_MAX).ok
        server.stop()

    assert "web" not in {thread.name for thread in threading.enumerate()}


def test_a_server_that_never_started_stops_quietly(pulse: StillPulse) -> None:
    """
    A daemon that fails early can stop everything it has without asking what had begun.
    """
    WebServer(create_app(pulse), "127.0.0.1", 0).stop()
