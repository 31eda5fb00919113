"""What only a process of its own shows: closed pipes, Ctrl-C, odd terminals, and names that would rewrite a screen."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders_repository import FleetFiles, group_text
from tests.cli.worlds import AT, OLD, Desk
from tests.system.daemons import environment

ROOT = Path(__file__).parents[2]
SECONDS = 60


def command(*arguments: str) -> list[str]:
    """Return the command line of ``wavefleet ARGUMENTS``."""
    return [sys.executable, "-m", "controller", *arguments]


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    """
    ``| head`` ends a long list without a trace, and the exit code stays the command's own.
    """
    files = FleetFiles(tmp_path)
    for number in range(300):
        files.write(f"groups/g{number:03}.yaml", group_text(f"g{number:03}", version="4.10"))
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        command("validate", str(tmp_path)), cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=SECONDS, check=False
    )
    os.close(write)

    assert (1, b"") == (done.returncode, done.stderr)


def test_help_into_a_closed_pipe_leaves_no_trace() -> None:
    """
    Also what the library prints, and not we.
    """
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        command("run", "--help"), cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=SECONDS, check=False
    )
    os.close(write)

    assert b"" == done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_our_signs_gets_question_marks(encoding: str) -> None:
    """
    No encoding ends a command half way.
    """
    done = subprocess.run(
        command("plan", "--path", "fleet-example", "--at", AT),
        cwd=ROOT,
        env={**environment({}), "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert (0, b"") == (done.returncode, done.stderr)
    assert b"? prod-eu ? 4.1.2: all 12 clusters on target\n" in done.stdout


def test_names_cannot_rewrite_the_screen(tmp_path: Path) -> None:
    """
    A control character that a file smuggles into a message arrives as a question mark, or escaped.
    """
    FleetFiles(tmp_path).group('  holds: [{cluster: "a\\u001b[2Jb", reason: "x\\u009b2J", until: never}]\n')

    done = subprocess.run(
        command("validate", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert 1 == done.returncode
    assert not {"\x1b", "\x9b"} & set(done.stdout)


def test_ctrl_c_ends_a_command_without_a_trace(desk: Desk) -> None:
    """
    As when somebody is tired of waiting for a daemon that does not run; the request stays recorded.
    """
    desk.run("cycle")
    process = subprocess.Popen(
        command("halt", "--reason", "INC-4711", "--wait", "600"),
        cwd=ROOT,
        env=environment(desk.settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "recorded as request 1; waiting" in process.stderr.readline()

    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=SECONDS)

    assert (130, "") == (process.returncode, rest)
    assert "halted as fleet-1" in desk.run("cycle").out


def test_status_on_a_terminal_is_a_table(desk: Desk) -> None:
    """
    The same words as in a pipe, in columns and colours.
    """
    desk.run("cycle")

    text = on_a_terminal(command("status"), environment(desk.settings) | {"TERM": "xterm-256color", "COLUMNS": "120"})

    assert "how it stands" in text
    assert "all 4 clusters on target" in text
    assert f"prod → {OLD}:" not in text, "the columns say it already"
    assert "\x1b[32m" in text, "green: at rest"


def on_a_terminal(arguments: list[str], env: dict[str, str]) -> str:
    """Run a program on a terminal of its own and return everything that it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    deadline = time.monotonic() + SECONDS
    written = b""
    while time.monotonic() < deadline:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux's word for "the other end was closed"
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    assert 0 == process.wait(SECONDS), written.decode(errors="replace")
    return written.decode(errors="replace")


def test_started_without_assertions_it_refuses() -> None:
    """
    Assertions are safety here.
    """
    done = subprocess.run(
        [sys.executable, "-O", "-m", "controller", "status"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert 2 == done.returncode
    assert "assertions are safety here" in done.stderr
