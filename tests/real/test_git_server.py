"""The HTTP server speaks all of Git's protocol, and its bad days are bad."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.git_http import Credentials
from tests.real.git_server import GitServer
from tests.real.repositories import FleetRepository, run_git


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepository:
    """A small fleet in ``served/fleet.git``."""
    repository = FleetRepository(tmp_path / "served")
    repository.publish({"fleet.yaml": "kind: Fleet\n", "groups/payments.yaml": "kind: ClusterGroup\n"})
    return repository


@pytest.fixture
def server(fleet: FleetRepository) -> Iterator[GitServer]:
    """A server of the small fleet."""
    with GitServer(fleet.bare.parent) as running:
        yield running


def test_one_ls_remote_is_one_command(server: GitServer, fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A look at one branch is recorded as exactly one ``ls-refs`` of protocol version 2, and names the revision.
    """
    seen = run_git(tmp_path, "ls-remote", "--heads", server.url("fleet.git"), "main")

    assert f"{fleet.pushed}\trefs/heads/main" == seen
    assert ["ls-refs"] == server.commands
    assert [200, 200] == [request.status for request in server.requests]
    assert {"version=2"} == {request.protocol for request in server.requests}


def test_a_clone_and_a_push_go_through(server: GitServer, fleet: FleetRepository, tmp_path: Path) -> None:
    """
    What was pushed over HTTP is what a clone over HTTP receives.
    """
    fleet.git("remote", "set-url", "origin", server.url("fleet.git"))
    fleet.write({"big.bin": bytes(range(256)) * 8192})  # past http.postBuffer, so that Git sends it in chunks
    revision = fleet.commit("Add two megabytes")
    fleet.push()
    run_git(tmp_path, "clone", "--quiet", "--depth=2", server.url("fleet.git"), "clone")

    assert revision == run_git(tmp_path / "clone", "rev-parse", "HEAD")
    assert ["push", "ls-refs", "fetch"] == list(dict.fromkeys(server.commands))


def test_a_packed_request_is_understood(server: GitServer, fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Git packs a long list of wishes with gzip; the server hands it on and still knows what was asked.
    """
    for number in range(30):
        fleet.branch(f"branch-{number}")
        fleet.commit(f"Commit {number}")
    fleet.git("push", "--quiet", "--all", "origin")
    trace = tmp_path / "trace"
    run_git(tmp_path, "clone", "--quiet", server.url("fleet.git"), "clone", environment={"GIT_TRACE_CURL": str(trace)})

    assert "content-encoding: gzip" in trace.read_text(errors="replace").lower()
    assert ["ls-refs", "fetch"] == server.commands
    assert fleet.head == run_git(tmp_path / "clone", "rev-parse", "origin/branch-29")


def test_a_stranger_is_told_401(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    With credentials set, nobody reads without them, a wrong password is as good as none, and the right one opens.
    """
    with GitServer(fleet.bare.parent, credentials=Credentials("ana", "open sesame")) as server:
        address = server.url("fleet.git").removeprefix("http://")
        for login in ("", "ana:wrong@"):
            with pytest.raises(RuntimeError, match=r"could not read Username|Authentication failed"):
                run_git(tmp_path, "ls-remote", f"http://{login}{address}")
        assert {401} == {request.status for request in server.requests}

        assert fleet.pushed in run_git(tmp_path, "ls-remote", f"http://ana:open%20sesame@{address}")


def test_a_read_only_server_refuses_a_push(fleet: FleetRepository) -> None:
    """
    Where pushing is not allowed, a push fails and the branch stays.
    """
    before = fleet.pushed
    with GitServer(fleet.bare.parent, may_push=False) as server:
        fleet.git("remote", "set-url", "origin", server.url("fleet.git"))
        fleet.commit("Try")
        with pytest.raises(RuntimeError, match="403"):
            fleet.push()

    assert before == fleet.pushed


@pytest.mark.parametrize("path", ["/../secret/HEAD", "/fleet.git/../../secret/HEAD", "/%2e%2e/secret/HEAD"])
def test_nothing_outside_the_root_is_served(fleet: FleetRepository, path: str) -> None:
    """
    Safety: a path that climbs out of the served folder is answered with an error.
    """
    FleetRepository(fleet.bare.parent.parent, name="secret")
    with GitServer(fleet.bare.parent) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()

    assert status >= 400


@pytest.mark.parametrize("length", ["-1", "many", str(10**12)])
def test_an_impossible_length_is_refused(server: GitServer, length: str) -> None:
    """
    A length that is no number, negative, or larger than the bound is refused before anything is read.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/fleet.git/git-upload-pack", headers={"Content-Length": length})
    status = connection.getresponse().status
    connection.close()

    assert status in {400, 413}


def test_a_body_in_broken_chunks_is_refused(server: GitServer) -> None:
    """
    Chunks that are none are a bad request, and Git never hears of them.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"POST /fleet.git/git-upload-pack HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n")
        answer = client.recv(100)

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server: GitServer) -> None:
    """
    ``Expect: 100-continue`` is answered at once, before the body has come.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"POST /fleet.git/git-upload-pack HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        answer = client.recv(100)

    assert answer.startswith(b"HTTP/1.1 100 ")


def test_a_port_that_is_taken_is_named(server: GitServer, tmp_path: Path) -> None:
    """
    A second server on one port is refused with a sentence that names the port.
    """
    with pytest.raises(LabError, match=f"port {server.port} "):
        GitServer(tmp_path, port=server.port)


def test_a_broken_server_answers_500(server: GitServer, tmp_path: Path) -> None:
    """
    On a bad day every request gets the chosen status; the day after, the server works again.
    """
    server.status(500)
    with pytest.raises(RuntimeError, match="500"):
        run_git(tmp_path, "ls-remote", server.url("fleet.git"))
    server.behave()

    assert "refs/heads/main" in run_git(tmp_path, "ls-remote", server.url("fleet.git"))


def test_a_hanging_server_answers_when_it_is_let_go(server: GitServer, tmp_path: Path) -> None:
    """
    A hanging server takes the request and says nothing until it is released.
    """
    seen: list[str] = []
    server.hang()
    client = threading.Thread(target=lambda: seen.append(run_git(tmp_path, "ls-remote", server.url("fleet.git"))))
    client.start()
    server.await_requests(1)
    assert [] == seen
    assert [None] == [request.status for request in server.requests]
    server.behave()
    client.join(timeout=10)

    assert "refs/heads/main" in seen[0]


def test_a_hanging_server_can_be_stopped(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Stopping cuts a connection that hangs, so the client fails instead of waiting for ever.
    """
    failures: list[str] = []

    def look(address: str) -> None:
        try:
            run_git(tmp_path, "ls-remote", address)
        except RuntimeError as error:
            failures.append(str(error))

    with GitServer(fleet.bare.parent) as hanging:
        hanging.hang()
        client = threading.Thread(target=look, args=[hanging.url("fleet.git")])
        client.start()
        hanging.await_requests(1)
    client.join(timeout=10)

    assert 1 == len(failures)
