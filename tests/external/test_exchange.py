"""One POST: bounded in time and size, nothing travels on, and every bad day has words of its own."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.external.exchange import ANSWER_BYTES_MAX, NoReply, Post, Reply, exchange
from tests.external.builders import HASTY_SECONDS, PATIENT_SECONDS
from tests.fakes.gate_servers import FakePrometheus
from tests.fakes.loopback import Answer
from tests.real.ssh_server import free_port
from tests.real_parts import require

_SELF_SIGNED = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=hooks.example", "-days", "1")
SLACK_SECONDS = 5.0
"""How much later than its limit a question may end on a busy machine."""


def a_post(url: str, *, seconds: float = PATIENT_SECONDS) -> Post:
    """A small question."""
    return Post(url, b"{}", {"Content-Type": "application/json"}, seconds)


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    """A server that answers what the test says."""
    with FakePrometheus() as running:
        yield running


@contextmanager
def raw_server(first: bytes, then: bytes = b"", *, every_seconds: float = 0.0) -> Iterator[str]:
    """A server that writes ``first`` to whoever connects, and then ``then`` again and again, until the test ends."""
    ended = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(first)
                while then and not ended.wait(every_seconds):
                    connection.sendall(then)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        ended.set()
        thread.join(PATIENT_SECONDS)
        listening.close()


def test_a_whole_answer_is_returned_whatever_its_status(server: FakePrometheus) -> None:
    """
    What an answer means is another's to say.
    """
    for status in (200, 404, 500):
        server.reply = Answer(status, b"words")
        assert Reply(status, b"words") == exchange(a_post(f"{server.origin}/api/v1/query"))


def test_an_answer_of_exactly_the_bound_is_taken_and_one_byte_more_is_not(server: FakePrometheus) -> None:
    """
    A page of any size costs no more memory than the bound.
    """
    url = f"{server.origin}/api/v1/query"
    server.reply = Answer(200, b"x" * ANSWER_BYTES_MAX)
    assert Reply(200, b"x" * ANSWER_BYTES_MAX) == exchange(a_post(url))

    server.reply = Answer(200, b"x" * (ANSWER_BYTES_MAX + 1))
    assert NoReply("answered with more than 256 KiB, expected a short answer") == exchange(a_post(url))


def test_an_answer_without_end_is_left(tmp_path: Path) -> None:
    """
    A stream that never ends is left at the bound, not at the time limit.
    """
    del tmp_path
    with raw_server(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536) as url:
        began = time.monotonic()
        found = exchange(a_post(url))

    assert NoReply("answered with more than 256 KiB, expected a short answer") == found
    assert time.monotonic() - began < PATIENT_SECONDS


def test_a_server_that_trickles_runs_into_the_whole_limit() -> None:
    """
    A byte now and then keeps each single read alive; the limit is one of the whole answer.
    """
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with raw_server(head, b"x", every_seconds=0.05) as url:
        began = time.monotonic()
        found = exchange(a_post(url, seconds=HASTY_SECONDS))

    assert NoReply("did not answer within 0.5 s") == found
    assert time.monotonic() - began < HASTY_SECONDS + SLACK_SECONDS


def test_a_server_that_answers_in_chunks_is_read_whole() -> None:
    """
    The chunks' frames are no part of the answer.
    """
    with raw_server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") as url:
        assert Reply(200, b"abcde") == exchange(a_post(url))


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_half_an_answer_is_none(first: bytes) -> None:
    """
    A connection that is cut, or that speaks something else, is told as broken.
    """
    with raw_server(first) as url:
        found = exchange(a_post(url))

    assert isinstance(found, NoReply)
    assert found.why.startswith("broke the connection (")


def test_silence_runs_into_the_limit(server: FakePrometheus) -> None:
    """
    A server that takes the question and says nothing.
    """
    server.hang()

    assert NoReply("did not answer within 0.5 s") == exchange(a_post(server.origin, seconds=HASTY_SECONDS))


def test_nobody_there_is_told_from_no_such_name() -> None:
    """
    Two mistakes in a URL, two sentences.
    """
    refused = exchange(a_post(f"http://127.0.0.1:{free_port()}/"))
    unknown = exchange(a_post("http://no-such-host.invalid/"))

    assert NoReply("refused the connection; see that it runs and listens there") == refused
    assert NoReply("has a name that cannot be resolved; see the URL, and this machine's DNS") == unknown


@pytest.mark.parametrize(
    "url", ["http://", "gopher://hooks.example/", "http://host:notaport/", "http://a..b/", "nothing"]
)
def test_a_url_that_is_none_raises_nothing(url: str) -> None:
    """
    Each is told in words, without a look at the network.
    """
    found = exchange(a_post(url, seconds=HASTY_SECONDS))

    assert isinstance(found, NoReply)
    assert "Traceback" not in found.why


def test_a_certificate_of_nobody_we_know_is_refused_with_the_reason(tmp_path: Path) -> None:
    """
    A self-signed one is not trusted, and the sentence says how to name those that are.
    """
    with tls_server(tmp_path) as port:
        found = exchange(a_post(f"https://127.0.0.1:{port}/"))

    assert isinstance(found, NoReply)
    assert found.why.startswith("has no certificate that is trusted here (self-signed certificate")
    assert found.why.endswith("); see REQUESTS_CA_BUNDLE")


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """OpenSSL's own server, with a certificate that it signed itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = subprocess.run(
        [*_SELF_SIGNED, "-keyout", str(key), "-out", str(certificate)],
        capture_output=True,
        check=False,
        timeout=PATIENT_SECONDS,
    )
    require(made.returncode == 0, "found no usable openssl; install Debian's package openssl")
    port = free_port()
    command = [
        "openssl",
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-key",
        str(key),
        "-cert",
        str(certificate),
        "-www",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving:
        try:
            await_port(port)
            yield port
        finally:
            serving.kill()


def await_port(port: int) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + PATIENT_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on {port}"
            time.sleep(0.02)


def test_nothing_of_one_question_is_in_the_next(server: FakePrometheus) -> None:
    """
    A cookie that one answer sets is not sent with another question, nor are credentials that nobody named.
    """
    server.reply = Answer(200, b"{}", {"Set-Cookie": "session=abc"})
    for _ in range(2):
        exchange(a_post(f"{server.origin}/api/v1/query"))

    assert all("cookie" not in call.headers and "authorization" not in call.headers for call in server.calls)
    assert {"identity"} == {call.headers["accept-encoding"] for call in server.calls}
