"""Two writers of a wanted release, and the locks of a lab: one wins, nobody's write is lost, nobody waits for ever."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.records import (
    BrokerFile,
    ProcessRecord,
    broker_folder,
    locked,
    read_broker,
    take_lock,
    write_broker,
)
from controller.lab.toolchain import Stopped
from controller.labfiles import GenerationConflict, read_wanted, write_wanted
from tests.lab.labs import NEW, OLD, a_lab, wait_until

WRITES = 25
WRITER = f"""
import sys
from pathlib import Path
from controller.labfiles import GenerationConflict, read_wanted, write_wanted

folder, written = Path(sys.argv[1]), 0
while written < {WRITES}:
    try:
        write_wanted(folder, release="4.3.1", expected_generation=read_wanted(folder).generation)
        written += 1
    except GenerationConflict:
        pass
"""


def test_of_many_writers_who_judged_from_one_generation_one_wins(tmp_path: Path) -> None:
    """
    Safety: the rest get a typed conflict with both numbers, and change nothing.
    """
    folder = a_lab(tmp_path)
    conflicts: list[tuple[int, int]] = []

    def write(number: int) -> int | None:
        try:
            return write_wanted(folder, release=f"4.3.{number}", expected_generation=1)
        except GenerationConflict as conflict:
            conflicts.append((conflict.found, conflict.expected))
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(8)))

    assert [(2, 1)] * 7 == conflicts
    assert [2] == [answer for answer in answers if answer is not None]
    assert (2, f"4.3.{answers.index(2)}") == (read_wanted(folder).generation, read_wanted(folder).release)


def test_no_write_of_two_programs_is_lost(tmp_path: Path) -> None:
    """
    Two programs that write as fast as they can end at the sum of their writes.
    """
    folder = a_lab(tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], env=environ) for _ in range(2)]

    assert [0, 0] == [writer.wait(timeout=60) for writer in writers]
    assert 1 + 2 * WRITES == read_wanted(folder).generation


def test_annotations_are_merged_and_kept(tmp_path: Path) -> None:
    """
    Who writes a release keeps the notes of others; an empty text takes one's own away.
    """
    folder = a_lab(tmp_path)
    write_wanted(folder, release=OLD, expected_generation=1, annotations={"wavefleet.io/fleet": "acme", "by": "ana"})
    write_wanted(folder, release=NEW, expected_generation=2, annotations={"by": "", "wavefleet.io/hold": "Freeze"})

    assert {"wavefleet.io/fleet": "acme", "wavefleet.io/hold": "Freeze"} == read_wanted(folder).annotations


def test_a_brokers_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """
    What the next operator adopts is what the last one knew.
    """
    folder = a_lab(tmp_path)
    file = BrokerFile(NEW, OLD, ProcessRecord(4711, 99, "boot"))

    assert read_broker(folder, 1) is None
    write_broker(folder, 1, file)

    assert file == read_broker(folder, 1)
    text = (broker_folder(folder, 1) / "process.json").read_text()
    assert all(f'"{key}"' in text for key in ("assigned", "release", "startTicks", "bootId"))


def test_a_spoiled_brokers_file_is_told_with_its_path(tmp_path: Path) -> None:
    """
    A record that cannot be read is no record of nothing: who meets it must not start a second broker.
    """
    folder = a_lab(tmp_path)
    (broker_folder(folder, 1) / "process.json").write_text('{"assigned": 4}')

    with pytest.raises(LabError, match=r"process\.json: found .*expected a BrokerFile as the lab writes it"):
        read_broker(folder, 1)


def test_a_lock_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    """
    Another program's lock is told after the time given, with the file's path.
    """
    with (
        locked(tmp_path / "lab.lock", wait_seconds=1),
        pytest.raises(LabError, match=r"lab\.lock: another program holds this lock"),
        locked(tmp_path / "lab.lock", wait_seconds=0.1),
    ):
        pytest.fail("two held one lock")


def test_waiting_for_a_lock_ends_when_the_program_is_to_leave(tmp_path: Path) -> None:
    """
    An operator that is stopped does not wait for another one's fetch.
    """
    with (
        locked(tmp_path / "fetch.lock", wait_seconds=1),
        pytest.raises(Stopped),
        locked(tmp_path / "fetch.lock", wait_seconds=60, stop=lambda: True),
    ):
        pytest.fail("two held one lock")


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """
    A program that was killed leaves no lock behind.
    """
    script = "import sys; from pathlib import Path; from controller.atomic import take_lock; import time\n"
    script += "take_lock(Path(sys.argv[1]), wait_seconds=1); print('held', flush=True); time.sleep(60)"
    path = tmp_path / "operator.lock"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", script, str(path)], env=environ, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert b"held\n" == holder.stdout.readline()
        assert take_lock(path, wait_seconds=0) is None
        holder.kill()

    wait_until(lambda: _can_lock(path), "the lock was free")


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """
    A folder that is missing is a sentence, not a traceback.
    """
    with pytest.raises(LabError, match="cannot be locked: No such file or directory"):
        take_lock(tmp_path / "missing" / "lab.lock", wait_seconds=0)


def _can_lock(path: Path) -> bool:
    descriptor = take_lock(path, wait_seconds=0)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None
