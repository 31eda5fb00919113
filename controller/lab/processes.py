"""Starts, recognises and stops processes that outlive their starter, without ever touching a stranger's.

A process is known by its pid, the clock tick it started at and the machine's boot: a pid alone is used again. Its
record is written *before* the program begins (a small shell waits for our word), so a starter that dies at any moment
leaves either a recorded process or none. Linux only, since it reads ``/proc``. It knows nothing of Kafka.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import LabError
from controller.lab.records import ProcessRecord

LOOK_SECONDS = 0.1
"""Between two looks at a process that is to end."""

_GATE = 'read -r go && cd "$1" && shift && exec "$@" </dev/null'
"""The shell that waits: without our word (its starter died) the read fails and nothing is started."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start, and where."""

    argv: tuple[str, ...]
    """The program's absolute path and its arguments."""
    folder: Path
    """Its working folder."""
    output: Path
    """Standard output and error go here; emptied at the start, so that restarts do not let it grow."""
    environ: Mapping[str, str]


def require_proc() -> None:
    """Raise LabError on a system whose processes cannot be told apart by start time."""
    if start_ticks(os.getpid()) is None:
        raise LabError(
            "the lab needs Linux with /proc mounted: it tells its own processes from others by /proc/PID/stat"
        )


def start(program: Program, record: Callable[[ProcessRecord], None]) -> ProcessRecord:
    """Start ``program`` in a session of its own, after ``record`` has kept which process it will be.

    When ``record`` raises, the program is not started. Raises LabError when the system cannot start a process.
    """
    gate_end, word_end = os.pipe()
    try:
        pid = _spawn_gate(program, gate_end)
    except OSError as error:
        os.close(word_end)
        raise LabError(f"{program.argv[0]}: cannot be started: {error.strerror}") from error
    finally:
        os.close(gate_end)
    try:
        seen = _look_at(pid)
        assert seen is not None, f"a child that nobody collected has a stat file, also when it is dead: {pid}"
        process = ProcessRecord(pid, seen.ticks, boot_id())
        record(process)
        with contextlib.suppress(BrokenPipeError):  # somebody ended the shell: the caller will find no process
            os.write(word_end, b"go\n")
        return process
    finally:
        os.close(word_end)


def _spawn_gate(program: Program, gate_end: int) -> int:
    output_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.posix_spawn(
        "/bin/sh",
        ("sh", "-c", _GATE, "gate", str(program.folder), *program.argv),
        dict(program.environ),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, gate_end, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(program.output), output_flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
    )


def is_running(process: ProcessRecord | None) -> bool:
    """Whether exactly this process lives; a dead one that its parent has not collected does not."""
    if process is None or process.boot_id != boot_id():
        return False
    seen = _look_at(process.pid)
    if seen is None or seen.ticks != process.start_ticks:
        return False
    if seen.dead:
        with contextlib.suppress(ChildProcessError):  # a child of ours leaves the process table when it is collected
            os.waitpid(process.pid, os.WNOHANG)
    return not seen.dead


def is_frozen(process: ProcessRecord | None) -> bool:
    """Whether exactly this process lives and is stopped, as by SIGSTOP."""
    if process is None or not is_running(process):
        return False
    seen = _look_at(process.pid)
    return seen is not None and seen.ticks == process.start_ticks and seen.frozen


def send(process: ProcessRecord, signal_number: signal.Signals) -> None:
    """Signal exactly this process, if it lives.

    The pid cannot pass to another program between the look and the signal: the descriptor of ``pidfd_open`` names
    the process that was looked at. Raises LabError when the process belongs to another user.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError as error:
        if error.errno == errno.ESRCH:
            return
        raise LabError(f"process {process.pid}: cannot be signalled: {error.strerror}") from error
    try:
        if is_running(process):
            signal.pidfd_send_signal(descriptor, signal_number)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise LabError(f"process {process.pid}: belongs to another user; stop the lab as that user") from error
    finally:
        os.close(descriptor)


def wait_until_ended(processes: Sequence[ProcessRecord], *, seconds_max: float) -> tuple[ProcessRecord, ...]:
    """Wait until all have ended or the time is over; the ones that still run."""
    limit = time.monotonic() + seconds_max
    left = tuple(process for process in processes if is_running(process))
    while left and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
        left = tuple(process for process in left if is_running(process))
    return left


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when there is none or it is dead."""
    seen = _look_at(pid)
    return seen.ticks if seen and not seen.dead else None


@dataclass(frozen=True, slots=True)
class _Look:
    ticks: int
    dead: bool
    frozen: bool


def _look_at(pid: int) -> _Look | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets and may contain anything, also brackets and blanks.
    fields = text.rpartition(")")[2].split()
    return _Look(ticks=int(fields[19]), dead=fields[0] in {"Z", "X"}, frozen=fields[0] == "T")


def boot_id() -> str:
    """What tells one boot of this machine from another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
