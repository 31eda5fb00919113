"""Runs one Git command, by GitPython's command object, within a time limit that really ends it.

GitPython starts the program and nothing more: its ``Repo`` keeps children for as long as it lives, and its own
``kill_after_timeout`` (3.2.1) costs a thread per command, finds children by asking ``pgrep``, and bounds no output. So
each command leads a process group, which is ended whole, SIGTERM first: Git then takes its lock files along. No
configuration but ours is read, nothing is asked on a terminal, no hook runs.
"""

import contextlib
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from controller.errors import SettingsError
from controller.gitcommand.faults import GitError, GitFault, fault_of, said
from controller.gitcommand.process import TooMuchOutput, collect
from controller.gitcommand.remote import GitRemote

LIMIT_SECONDS = 60.0
"""The default time limit of one command; Flux waits as long."""
OUTPUT_BYTES_MAX = 16 * 1024 * 1024
"""The default bound of what a command may print."""

_REMOTE_COMMANDS = frozenset({"fetch", "ls-remote", "push"})
_KEPT_VARIABLES = frozenset({"GIT_EXEC_PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"})
_NOWHERE = "/dev/null"

_shared_deadline: ContextVar[float | None] = ContextVar("_shared_deadline", default=None)

_CONFIGURATION = {
    "core.hooksPath": _NOWHERE,
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",  # who owns a repository decides when it is tidied
    "gc.autoDetach": "false",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "user.name": "Wavefleet",
    "user.email": "wavefleet@localhost",
}

_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ASKPASS": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": _NOWHERE,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": _NOWHERE,
    "XDG_CONFIG_HOME": _NOWHERE,
}


class GitCommand:
    """Runs Git for one remote. Threads may share it; it keeps no process and no file open between commands."""

    def __init__(self, remote: GitRemote, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        assert limit_seconds > 0, limit_seconds
        self.remote = remote
        self.limit_seconds = limit_seconds
        # A Git whose Wavefleet was killed ends by itself once the server has been silent for that long.
        silent = {"http.lowSpeedLimit": "1", "http.lowSpeedTime": str(math.ceil(limit_seconds))}
        self._local = _ENVIRONMENT | _as_environment(_CONFIGURATION)
        self._talking = (
            _ENVIRONMENT
            | dict(remote.environment())
            | _as_environment({**_CONFIGURATION, **silent, **remote.configuration()})
        )

    @contextlib.contextmanager
    def sharing_limit(self) -> Iterator[None]:
        """Let all commands that this thread runs in the block share one time limit, in the place of one each.

        A block within a block has no more than what the outer one has left.
        """
        token = _shared_deadline.set(time.monotonic() + self.seconds_left)
        try:
            yield
        finally:
            _shared_deadline.reset(token)

    @property
    def seconds_left(self) -> float:
        """How long the next command may take."""
        deadline = _shared_deadline.get()
        shared = self.limit_seconds if deadline is None else max(0.0, deadline - time.monotonic())
        return min(self.limit_seconds, shared)

    def run(self, *arguments: str, git_dir: Path | None = None, stdin: bytes = b"") -> str:
        """Run ``git ARGUMENTS`` and return what it printed, as text without the last line end. See ``run_bytes``."""
        return self.run_bytes(*arguments, git_dir=git_dir, stdin=stdin).decode(errors="replace").removesuffix("\n")

    def run_bytes(
        self,
        *arguments: str,
        git_dir: Path | None = None,
        stdin: bytes = b"",
        output_bytes_max: int = OUTPUT_BYTES_MAX,
    ) -> bytes:
        """Run ``git ARGUMENTS`` and return what it printed.

        ``arguments`` begin with the command; options are constants of the caller, everything else was checked or
        follows ``--``. ``git_dir`` is the repository to work in (none for ``ls-remote``; it is never searched for).
        Credentials and network are given to ``fetch``, ``ls-remote`` and ``push`` alone. Raises GitError where Git
        fails or takes longer than the time limit, SettingsError where this machine has no Git.
        """
        environment = self._talking if arguments[0] in _REMOTE_COMMANDS else self._local
        if not self.seconds_left:
            raise self._too_slow(arguments[0])
        with _input(stdin) as given:
            process = _start(arguments, {**environment, "GIT_DIR": str(git_dir or _NOWHERE)}, given)
        try:
            output, words = collect(process, self.seconds_left, output_bytes_max)
        except TimeoutError:
            raise self._too_slow(arguments[0]) from None
        except TooMuchOutput:
            sentence = (
                f"git {arguments[0]} printed more than {output_bytes_max} bytes, more than a fleet repository has"
            )
            raise GitError(GitFault.TOO_LARGE, f"{self.remote.url}: {sentence}") from None
        if process.returncode:
            raise self._failed(arguments[0], output, words)
        return output

    def _too_slow(self, command: str) -> GitError:
        sentence = f"git {command} did not end within the time limit of {self.limit_seconds:g} s"
        where = "network and server" if command in _REMOTE_COMMANDS else "the disk of the cache directory"
        return GitError(GitFault.TIME_LIMIT, f"{self.remote.url}: {sentence}; look at {where}, or raise the limit")

    def _failed(self, command: str, output: bytes, words: bytes) -> GitError:
        if command in _REMOTE_COMMANDS:
            # A push tells on stdout which refs were rejected, where it is asked to.
            is_push = command == "push"
            told = (words + output if is_push else words).decode(errors="replace")
            return fault_of(told, self.remote, is_push=is_push)
        told_here = said(words.decode(errors="replace"), self.remote)
        return GitError(GitFault.LOCAL, f"git {command} failed in our own copy of {self.remote.url}: {told_here}")


def _start(
    arguments: tuple[str, ...], environment: Mapping[str, str], stdin: BinaryIO | None
) -> subprocess.Popen[bytes]:
    try:
        import git
    except ImportError as error:
        raise SettingsError(
            "found no program git, expected Git 2.30 or newer; install it and put it on PATH"
        ) from error
    # GitPython hands on our own environment; a hook or a CI job may have left variables in it that move Git.
    strays = {name for name in os.environ if name.startswith("GIT_")} - environment.keys() - _KEPT_VARIABLES
    clearing = ["env", *(part for name in sorted(strays) for part in ("-u", name))] if strays else []
    try:
        # A group and no session: on a busy machine Linux makes a new session wait for its turn (autogroup).
        # "/" because the repository is told by GIT_DIR and never searched for around a working directory.
        started = git.Git("/").execute(
            [*clearing, "git", *arguments], stdin, as_process=True, env=environment, process_group=0
        )
    except (OSError, git.GitError) as error:
        raise GitError(GitFault.LOCAL, f"git {arguments[0]} cannot be started: {error}") from error
    process, started.proc = started.proc, None  # else GitPython would end it when ``started`` is forgotten
    assert process is not None, "it has been started"
    return process


@contextlib.contextmanager
def _input(content: bytes) -> Iterator[BinaryIO | None]:
    """Hand over ``content`` as a file: written before the start, it needs nobody to feed it while we read."""
    if not content:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def _as_environment(configuration: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that give Git this configuration, in the place of ``-c`` (source: ``git help config``)."""
    environment = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (key, setting) in enumerate(configuration.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": setting}
    return environment
