"""Started programs end whole: in time, with their children, whatever signals they ignore."""

import subprocess
import time
from pathlib import Path

import pytest

from controller.gitcommand.process import TooMuchOutput, collect


def start(script: str) -> subprocess.Popen[bytes]:
    """A shell that leads a process group of its own."""
    return subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def group_is_gone(leader: int) -> bool:
    """Whether every process of the group has ended; the kernel may take a moment to carry out the last one."""
    deadline = time.monotonic() + 2
    while alive := _is_alive(leader):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return not alive


def _is_alive(group: int) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group_of_it = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if state != "Z" and int(group_of_it) == group:
            return True
    return False


def test_what_was_printed_comes_back() -> None:
    """
    Output, errors and the exit code are those of the program.
    """
    process = start("echo out; echo err >&2; exit 3")

    assert (b"out\n", b"err\n") == collect(process, 10, 100)
    assert 3 == process.returncode


@pytest.mark.parametrize(
    "script",
    ["sleep 100", "sleep 100 & wait", "trap '' TERM; sleep 100 & while :; do wait; done", "sleep 100 >&- 2>&-"],
    ids=["alone", "with a child", "ignoring SIGTERM", "with closed pipes"],
)
def test_the_limit_ends_the_whole_group(script: str) -> None:
    """
    At the limit the program and its children are ended, also those that ignore the polite signal.
    """
    process = start(script)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        collect(process, 0.3, 100)

    assert time.monotonic() - began < 10
    assert process.returncode is not None
    assert group_is_gone(process.pid)


def test_a_child_that_outlives_the_program_ends_too() -> None:
    """
    A program that ends and leaves a child with its pipes open is not waited for beyond the limit, and the child ends.
    """
    process = start("sleep 100 & exit 0")
    with pytest.raises(TimeoutError):
        collect(process, 0.3, 100)

    assert group_is_gone(process.pid)


def test_a_polite_program_may_clean_up(tmp_path: Path) -> None:
    """
    At the limit a program has time to take its lock file along before anything is killed.
    """
    lock = tmp_path / "a.lock"
    process = start(f"trap 'rm {lock}; exit 1' TERM; echo > {lock}; echo ready; sleep 100 & wait")
    with pytest.raises(TimeoutError):
        collect(process, 1, 100)

    assert not lock.exists()


def test_endless_output_is_ended() -> None:
    """
    A program that prints without end is ended at the bound of its output, on stderr it only costs its time.
    """
    endless = start("yes")
    with pytest.raises(TooMuchOutput):
        collect(endless, 10, 1000)
    scolding = start("yes >&2")
    with pytest.raises(TimeoutError):
        collect(scolding, 0.3, 1000)

    assert group_is_gone(endless.pid)
    assert group_is_gone(scolding.pid)
