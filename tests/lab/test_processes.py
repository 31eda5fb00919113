"""The lab's processes: recognised beyond doubt, recorded before they begin, and never mistaken for a stranger's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.processes import Program, boot_id, is_running, send, start, start_ticks, wait_until_ended
from controller.lab.records import ProcessRecord, read_process
from tests.lab.labs import WAIT_SECONDS_MAX, a_program, kill, started, wait_until

FOREVER = "while :; do sleep 0.2; done"
STARTER = """
import os, sys
from pathlib import Path
from controller.lab.processes import Program, start
from controller.labfiles import replace_file

folder = Path(sys.argv[1])
program = Program(("/bin/sh", "-c", sys.argv[3]), folder, folder / "output.log", dict(os.environ))

def record(process):
    replace_file(folder / "process.json", process)
    if sys.argv[2] == "dies":
        os._exit(9)

start(program, record)
"""


def test_a_process_is_recognised_while_it_lives_and_no_longer(tmp_path: Path) -> None:
    """
    A started process is running; once it is killed it is not, although nobody has collected it yet.
    """
    with started(a_program(tmp_path, FOREVER)) as process:
        assert is_running(process)
        os.kill(process.pid, signal.SIGKILL)

        assert () == wait_until_ended([process], seconds_max=WAIT_SECONDS_MAX)
        assert not is_running(process)


def test_nothing_recorded_is_nothing_running() -> None:
    """
    A broker that was never started has no process.
    """
    assert not is_running(None)


@pytest.mark.parametrize("stranger", ["another start time", "another boot"])
def test_a_pid_that_was_used_again_is_never_touched(tmp_path: Path, stranger: str) -> None:
    """
    Safety: a living process whose pid stands in a record, but with another start or boot, gets no signal.
    """
    with started(a_program(tmp_path, FOREVER)) as process:
        record = (
            ProcessRecord(process.pid, process.start_ticks - 1, process.boot_id)
            if stranger == "another start time"
            else ProcessRecord(process.pid, process.start_ticks, "00000000-0000-0000-0000-000000000000")
        )

        assert not is_running(record)
        send(record, signal.SIGKILL)
        assert is_running(process)


def test_a_signal_to_a_process_that_is_gone_goes_nowhere(tmp_path: Path) -> None:
    """
    Stopping what has ended already is no error.
    """
    with started(a_program(tmp_path, "exit 0")) as process:
        wait_until_ended([process], seconds_max=WAIT_SECONDS_MAX)

        send(process, signal.SIGTERM)


def test_a_process_lives_in_a_session_of_its_own_in_its_folder(tmp_path: Path) -> None:
    """
    A terminal that closes, or Ctrl-C in it, does not reach a broker.
    """
    with started(a_program(tmp_path, "pwd; echo trouble >&2; read -r line || echo no input; " + FOREVER)) as process:
        output = tmp_path / "output.log"
        wait_until(lambda: "no input" in output.read_text(), "the program wrote")

        assert f"{tmp_path}\ntrouble\nno input\n" == output.read_text()
        assert process.pid == os.getsid(process.pid)


def test_the_output_of_an_earlier_start_does_not_pile_up(tmp_path: Path) -> None:
    """
    A broker that is restarted a thousand times keeps the output of its last start only.
    """
    for word in ("first", "second"):
        with started(a_program(tmp_path, f"echo {word}")) as process:
            wait_until_ended([process], seconds_max=WAIT_SECONDS_MAX)

    assert "second\n" == (tmp_path / "output.log").read_text()


def test_a_process_outlives_its_starter(tmp_path: Path) -> None:
    """
    ``lab up`` ends, its brokers stay, and the record tells which they are.
    """
    _run_starter(tmp_path, "ends", FOREVER)
    process = _recorded(tmp_path)
    try:
        assert is_running(process)
    finally:
        kill(process)


def test_a_starter_that_dies_between_record_and_start_leaves_no_process(tmp_path: Path) -> None:
    """
    Safety: there is never a broker that no record names; the program is let go only after the record is on disk.
    """
    _run_starter(tmp_path, "dies", f"echo ran > witness; {FOREVER}")
    process = _recorded(tmp_path)

    assert () == wait_until_ended([process], seconds_max=WAIT_SECONDS_MAX)
    assert not (tmp_path / "witness").exists()


def test_a_record_that_cannot_be_kept_keeps_the_program_from_starting(tmp_path: Path) -> None:
    """
    A full disk at the record means no broker, not a broker that nobody knows.
    """
    seen: list[ProcessRecord] = []

    def refuse(process: ProcessRecord) -> None:
        seen.append(process)
        raise LabError("the disk is full")

    with pytest.raises(LabError, match="the disk is full"):
        start(a_program(tmp_path, "echo ran > witness"), refuse)

    assert () == wait_until_ended(seen, seconds_max=WAIT_SECONDS_MAX)
    assert not (tmp_path / "witness").exists()


def test_an_output_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """
    A start that the system refuses is one sentence, not a traceback.
    """
    program = Program(("/bin/true",), tmp_path, tmp_path / "missing" / "output.log", dict(os.environ))

    with pytest.raises(LabError, match="/bin/true: cannot be started"):
        start(program, lambda _: None)


def test_the_wait_for_an_end_is_bounded(tmp_path: Path) -> None:
    """
    A process that does not end is named after the time given, and left alone.
    """
    with started(a_program(tmp_path, FOREVER)) as process:
        assert (process,) == wait_until_ended([process], seconds_max=0.2)
        assert is_running(process)


def test_a_program_name_with_brackets_and_blanks_does_not_confuse_the_start_time(tmp_path: Path) -> None:
    """
    The name in ``/proc/PID/stat`` is free text; the fields behind it are still found.
    """
    odd = tmp_path / "a) R 1 (b"
    odd.write_text(f"#!/bin/sh\n{FOREVER}\n")
    odd.chmod(0o755)
    with started(Program((str(odd),), tmp_path, tmp_path / "output.log", dict(os.environ))) as process:
        assert process.start_ticks == start_ticks(process.pid)
        assert boot_id() == process.boot_id


def _run_starter(folder: Path, how: str, script: str) -> None:
    subprocess.run([sys.executable, "-c", STARTER, str(folder), how, script], check=False, timeout=30)


def _recorded(folder: Path) -> ProcessRecord:
    process = read_process(folder / "process.json")
    assert process is not None
    return process
