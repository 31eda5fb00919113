"""Git commands end in time with all that they started, read nobody's configuration, and fail in words."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from controller.gitcommand import GitCommand, GitCredentials, GitError, GitFault, GitRemote
from controller.lab.git_http import Credentials, LoopbackHttpServer
from tests.children import children
from tests.real.git_server import GitServer
from tests.real.repositories import FleetRepository
from tests.real.ssh_server import SshServer, free_port

SECRET = "s3cr3t-of-ours"
NAME = "fleet.git"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepository:
    """A repository with one commit, in ``served/fleet.git``."""
    repository = FleetRepository(tmp_path / "served")
    repository.publish({"fleet.yaml": "kind: Fleet\n"})
    return repository


@pytest.fixture
def server(fleet: FleetRepository) -> Iterator[GitServer]:
    """A server that asks nobody who they are."""
    with GitServer(fleet.bare.parent) as running:
        yield running


@pytest.fixture
def guarded(fleet: FleetRepository) -> Iterator[GitServer]:
    """A server that lets in only Ana."""
    with GitServer(fleet.bare.parent, credentials=Credentials("ana", SECRET)) as running:
        yield running


def heads(command: GitCommand) -> str:
    """Ask the remote for its branches."""
    return command.run("ls-remote", "--heads", "--", command.remote.url)


def fails(command: GitCommand) -> GitError:
    """Ask the remote for its branches, in vain; its error."""
    with pytest.raises(GitError) as failed:
        heads(command)
    assert SECRET not in str(failed.value)
    assert command.remote.url in str(failed.value)
    return failed.value


def processes_naming(text: str) -> list[str]:
    """The command lines of this machine's processes that contain ``text``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


def test_it_reads_files_and_http(fleet: FleetRepository, server: GitServer) -> None:
    """
    A folder of this machine and a server give the same answer, the server by one ls-remote.
    """
    expected = f"{fleet.pushed}\trefs/heads/main"

    assert expected == heads(GitCommand(GitRemote(fleet.url)))
    assert expected == heads(GitCommand(GitRemote(server.url(NAME))))
    assert ["ls-refs"] == server.commands


def test_credentials_open_a_guarded_server_in_one_go(fleet: FleetRepository, guarded: GitServer) -> None:
    """
    User name and password are shown from the first request on: no refused one goes before.
    """
    command = GitCommand(GitRemote(guarded.url(NAME), GitCredentials("ana", SECRET)))

    assert fleet.pushed in heads(command)
    assert [200, 200] == [request.status for request in guarded.requests]


def test_a_guarded_server_is_told_as_such(guarded: GitServer) -> None:
    """
    Without credentials and with wrong ones the sentence says 401, which of the two it is, and what to do.
    """
    none = fails(GitCommand(GitRemote(guarded.url(NAME))))
    wrong = fails(GitCommand(GitRemote(guarded.url(NAME), GitCredentials("ana", SECRET + "x"))))

    assert (GitFault.DENIED, GitFault.DENIED) == (none.fault, wrong.fault)
    assert "answered 401: it wants credentials and none are set" in str(none)
    assert "answered 401: it does not take our user name and token" in str(wrong)


@pytest.mark.parametrize(
    ("status", "fault", "words"),
    [
        (403, GitFault.DENIED, "answered 403"),
        (404, GitFault.NOT_FOUND, "found no repository there"),
        (429, GitFault.UNREACHABLE, "error: 429"),
        (500, GitFault.UNREACHABLE, "error: 500"),
        (503, GitFault.UNREACHABLE, "error: 503"),
    ],
)
def test_answers_of_a_bad_day_are_told_apart(server: GitServer, status: int, fault: GitFault, words: str) -> None:
    """
    What a server answers instead of its branches becomes a fault of its own and a sentence.
    """
    server.status(status)

    error = fails(GitCommand(GitRemote(server.url(NAME))))

    assert fault == error.fault
    assert words in str(error)


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    """
    A closed port, a name that does not resolve and a missing folder are told with the address.
    """
    closed = fails(GitCommand(GitRemote(f"http://127.0.0.1:{free_port()}/{NAME}")))
    nameless = fails(GitCommand(GitRemote(f"https://wavefleet.invalid/{NAME}")))
    missing = fails(GitCommand(GitRemote((tmp_path / "none.git").as_uri())))

    assert (GitFault.UNREACHABLE, GitFault.UNREACHABLE) == (closed.fault, nameless.fault)
    assert GitFault.NOT_FOUND == missing.fault


def test_a_hanging_server_ends_at_the_limit_with_all_processes(server: GitServer) -> None:
    """
    A server that never answers costs no more than the time limit, and neither Git nor its helper is left.
    """
    command = GitCommand(GitRemote(server.url(NAME)), limit_seconds=0.5)
    server.hang()
    began = time.monotonic()

    error = fails(command)

    assert time.monotonic() - began < 5
    assert GitFault.TIME_LIMIT == error.fault
    assert "time limit of 0.5 s" in str(error)
    assert [] == processes_naming(server.url(NAME))
    server.await_requests(1)


def test_commands_may_share_one_limit(server: GitServer) -> None:
    """
    Within a block all commands together have one time limit; after it each has its own again.
    """
    command = GitCommand(GitRemote(server.url(NAME)), limit_seconds=1)
    server.hang()
    began = time.monotonic()
    with command.sharing_limit(), command.sharing_limit():
        fails(command)
        assert GitFault.TIME_LIMIT == fails(command).fault
    server.behave()

    assert time.monotonic() - began < 2
    assert heads(command)


def test_no_process_shows_a_secret(guarded: GitServer) -> None:
    """
    While Git runs, the command lines of its processes, which everybody on the machine may read, hold no secret.
    """
    credentials = GitCredentials("ana", SECRET)
    command = GitCommand(GitRemote(guarded.url(NAME), credentials), limit_seconds=30)
    guarded.hang()
    asking = threading.Thread(target=heads, args=(command,))
    asking.start()
    guarded.await_requests(1)
    lines = processes_naming(guarded.url(NAME))
    guarded.behave()
    asking.join()

    assert len(lines) >= 2, "git and its helper run"
    assert [] == [line for line in lines for secret in credentials.secrets if secret in line]


def test_nothing_is_left_open(server: GitServer) -> None:
    """
    Good and bad commands leave no file descriptor and no child behind.
    """
    good = GitCommand(GitRemote(server.url(NAME)))
    bad = GitCommand(GitRemote(server.url("none.git")))
    heads(good)
    before, others = len(list(Path("/proc/self/fd").iterdir())), children()
    for _ in range(5):
        heads(good)
        fails(bad)

    # The server lives in this process too, and lets go of its last connection a moment after it has answered.
    deadline = time.monotonic() + 10
    while len(list(Path("/proc/self/fd").iterdir())) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert before >= len(list(Path("/proc/self/fd").iterdir()))
    assert children() <= others, "servers of other tests may be there"


def test_too_much_output_is_refused(fleet: FleetRepository) -> None:
    """
    A command that prints more than its caller takes is ended and told.
    """
    blob = fleet.git("rev-parse", "HEAD:fleet.yaml")
    command = GitCommand(GitRemote(fleet.url))
    with pytest.raises(GitError, match="printed more than 4 bytes") as failed:
        command.run_bytes("cat-file", "blob", blob, git_dir=fleet.bare, output_bytes_max=4)

    assert GitFault.TOO_LARGE == failed.value.fault
    assert b"kind: Fleet\n" == command.run_bytes("cat-file", "blob", blob, git_dir=fleet.bare)


def test_more_input_than_a_pipe_holds_goes_in(fleet: FleetRepository) -> None:
    """
    Input is taken whole while output is read, however large both are.
    """
    asked = f"{fleet.pushed}\n" * 20_000
    told = GitCommand(GitRemote(fleet.url)).run("cat-file", "--batch-check", git_dir=fleet.bare, stdin=asked.encode())

    assert 20_000 == len(told.splitlines())


def test_local_commands_reach_no_network(fleet: FleetRepository) -> None:
    """
    Commands on our own copy get neither credentials nor a protocol.
    """
    command = GitCommand(GitRemote(fleet.url, GitCredentials(password=SECRET)))
    told = command.run("config", "--list", git_dir=fleet.bare)

    assert SECRET not in told
    with pytest.raises(GitError, match="not allowed"):
        command.run("remote", "show", fleet.url, git_dir=fleet.bare)


def test_only_the_protocol_of_the_address_is_spoken(fleet: FleetRepository, server: GitServer) -> None:
    """
    A command for a server cannot be led to another protocol, such as files of this machine.
    """
    with pytest.raises(GitError, match="transport 'file' not allowed"):
        GitCommand(GitRemote(server.url(NAME))).run("ls-remote", "--", fleet.url)


def test_nobodys_settings_move_it(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Variables and files that a hook, a CI job or a user left behind change nothing.
    """
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere/"]\n\tinsteadOf = file:///\n')
    program = (
        "from controller.gitcommand import GitCommand, GitRemote\n"
        f"command = GitCommand(GitRemote({fleet.url!r}))\n"
        "print(command.run('ls-remote', '--heads', '--', command.remote.url))\n"
    )
    traps = {
        "HOME": str(home),
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_CONFIG_PARAMETERS": "'url.file:///nowhere/.insteadof=file:///'",
        "GIT_TRACE": "1",
        "GIT_OBJECT_DIRECTORY": str(tmp_path),
    }
    ran = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **traps}, capture_output=True, text=True, check=False
    )

    assert ("", f"{fleet.pushed}\trefs/heads/main\n") == (ran.stderr, ran.stdout)


def test_a_machine_without_git_is_told_at_once(tmp_path: Path) -> None:
    """
    Where there is no ``git`` the sentence says what to install.
    """
    program = (
        "from controller.gitcommand import GitCommand, GitRemote\n"
        "from controller.errors import SettingsError\n"
        "try:\n    GitCommand(GitRemote('file:///x')).run('version')\n"
        "except SettingsError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    assert "found no program git, expected Git 2.30 or newer" in ran.stdout


class _Elsewhere(BaseHTTPRequestHandler):
    """Redirects to, or is, another server, and remembers what it was shown."""

    target: ClassVar[str] = ""
    shown: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.shown.append(self.headers["Authorization"])
        self.send_response(302 if self.target else 404)
        if self.target:
            self.send_header("Location", self.target + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def test_a_redirect_does_not_take_credentials_elsewhere() -> None:
    """
    A server that sends us to another one does not get our credentials shown there; the sentence says where it stands.
    """
    other = LoopbackHttpServer(type("Other", (_Elsewhere,), {"shown": []}))
    first = LoopbackHttpServer(type("First", (_Elsewhere,), {"target": other.origin, "shown": []}))
    other.start()
    first.start()
    try:
        error = fails(GitCommand(GitRemote(f"{first.origin}/{NAME}", GitCredentials("ana", SECRET))))
    finally:
        first.stop()
        other.stop()

    assert [] == other.RequestHandlerClass.shown  # type: ignore[attr-defined]
    assert "use the new address" in str(error)


def test_it_reads_over_ssh(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A key and a known host open a real SSH server.
    """
    with SshServer(fleet.bare.parent, tmp_path / "ssh") as server:
        credentials = GitCredentials(ssh_key=server.key_file, known_hosts=server.known_hosts_file)

        assert fleet.pushed in heads(GitCommand(GitRemote(server.url(NAME), credentials)))


def test_ssh_says_what_is_missing(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A key that the server does not know, a host that we do not know, a key file that is none, and a repository that is
    not there are told apart.
    """
    with SshServer(fleet.bare.parent, tmp_path / "ssh") as server:
        good = GitCredentials(ssh_key=server.key_file, known_hosts=server.known_hosts_file)
        stranger = GitCredentials(ssh_key=server.new_key("stranger"), known_hosts=server.known_hosts_file)
        unknown = tmp_path / "nobody"
        unknown.touch()
        no_key = tmp_path / "no-key"
        no_key.write_text("not a key\n")
        no_key.chmod(0o600)
        errors = [
            fails(GitCommand(GitRemote(server.url(NAME), stranger))),
            fails(
                GitCommand(GitRemote(server.url(NAME), GitCredentials(ssh_key=server.key_file, known_hosts=unknown)))
            ),
            fails(GitCommand(GitRemote(server.url(NAME), GitCredentials(ssh_key=no_key, known_hosts=unknown)))),
            fails(GitCommand(GitRemote(server.url("none.git"), good))),
        ]
        address = server.url(NAME)
    errors.append(fails(GitCommand(GitRemote(address, good), limit_seconds=10)))

    told = [(error.fault, str(error)) for error in errors]
    assert GitFault.DENIED == told[0][0]
    assert "does not know our SSH key" in told[0][1]
    assert GitFault.DENIED == told[1][0]
    assert "host key is not the one in known_hosts" in told[1][1]
    assert GitFault.DENIED == told[2][0]
    assert (GitFault.NOT_FOUND, GitFault.UNREACHABLE) == (told[3][0], told[4][0])


def test_a_push_that_loses_is_a_conflict_and_a_refused_one_is_not(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A push against a branch that moved on is a conflict, to be tried again; a rule of the remote refuses.
    """
    command = GitCommand(GitRemote(fleet.url))
    ours = tmp_path / "ours.git"
    command.run("init", "--quiet", "--bare", git_dir=ours)
    command.run("fetch", "--quiet", "--", fleet.url, "+refs/heads/main:refs/heads/main", git_dir=ours)
    fleet.publish({"fleet.yaml": "kind: Fleet # moved on\n"})
    tree = command.run("rev-parse", "refs/heads/main^{tree}", git_dir=ours)
    commit = command.run("commit-tree", "-p", "refs/heads/main", tree, git_dir=ours, stdin=b"Ours\n")
    with pytest.raises(GitError) as lost:
        command.run("push", "--quiet", "--", fleet.url, f"{commit}:refs/heads/main", git_dir=ours)
    hook = fleet.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no pushes on Fridays >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match="no pushes on Fridays") as refused:
        command.run("push", "--quiet", "--", fleet.url, f"{commit}:refs/heads/other", git_dir=ours)

    assert GitFault.CONFLICT == lost.value.fault
    assert GitFault.REFUSED == refused.value.fault
