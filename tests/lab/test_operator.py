"""The operator as a process: it starts, leaves at SIGTERM, survives its death, and its brokers survive it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.lab.processes import is_running
from controller.lab.records import BrokerFile, ProcessRecord, operator_file, read_broker, read_process
from controller.labfiles import BrokerStatus, OperatorState, StatusFile, lab_file, read_status, replace_file
from tests.lab.labs import NEW, OLD, FakeTools, a_cache, a_lab, brokers_killed, fake_tools, kill, wait_until

CLUSTERS = ("lab-1", "lab-2")


def a_ready_status() -> StatusFile:
    """What an operator wrote before it died; its broker's pid is of no account."""
    brokers = (BrokerStatus(1, OLD, 1),)
    return StatusFile(1, OperatorState.READY, OLD, OLD, OLD, brokers, 1, "well", "2026-03-02T12:00:00Z")


def _waits(folder: Path) -> bool:
    status = read_status(folder)
    return status is not None and "waiting for the cluster to answer" == status.message


class Stage:
    """A lab of two clusters of one broker each, with a Java that is a script."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "lab"
        self.tools: FakeTools = fake_tools(root / "tools", maven=None)
        first = a_lab(self.directory, clusters=len(CLUSTERS))
        self.folders = [first.parent / name for name in CLUSTERS]
        a_cache(root / "cache" / "wavefleet" / "kafka", OLD, NEW, environ=self.tools.environ)
        self.environ = {
            **self.tools.environ,
            "XDG_CACHE_HOME": str(root / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    @contextmanager
    def operator(self) -> Iterator["subprocess.Popen[bytes]"]:
        """A running operator; it is killed at the end."""
        argv = [sys.executable, "-m", "controller.lab.operator", "--directory", str(self.directory)]
        with subprocess.Popen(argv, env=self.environ) as operator:
            try:
                yield operator
            finally:
                operator.kill()

    @contextmanager
    def up(self) -> Iterator["subprocess.Popen[bytes]"]:
        """``lab up`` on this lab; it and the operator it started are killed at the end."""
        script = "import sys; from pathlib import Path; from controller.lab.up import lab_up\n"
        script += f"lab_up(Path(sys.argv[1]), clusters=2, brokers=1, release={OLD!r}, progress=str)"
        with subprocess.Popen([sys.executable, "-c", script, str(self.directory)], env=self.environ) as up:
            try:
                yield up
            finally:
                up.kill()
                operator = read_process(operator_file(self.directory))
                if operator is not None:
                    kill(operator)

    def wait_for_brokers(self) -> list[ProcessRecord]:
        """Wait until every broker runs and the status says so; their processes."""
        wait_until(lambda: all(self._told(folder) for folder in self.folders), "the operator told of all brokers")
        return self.processes()

    def processes(self) -> list[ProcessRecord]:
        """The running brokers."""
        found = [self._broker(folder).process for folder in self.folders]
        return [process for process in found if process is not None and is_running(process)]

    def _told(self, folder: Path) -> bool:
        status = read_status(folder)
        file = read_broker(folder, 1)
        pid = file.process.pid if file and file.process and is_running(file.process) else 0
        return status is not None and [pid] == [broker.pid for broker in status.brokers]

    def _broker(self, folder: Path) -> BrokerFile:
        file = read_broker(folder, 1)
        assert file is not None
        return file


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A lab nobody started yet, whose brokers are ended after the test."""
    stage = Stage(tmp_path)
    with brokers_killed(stage.directory):
        yield stage


def test_an_operator_that_leaves_leaves_its_brokers_running(stage: Stage) -> None:
    """
    SIGTERM ends the operator in order, with code 0; every cluster's brokers go on.
    """
    with stage.operator() as operator:
        before = stage.wait_for_brokers()
        operator.send_signal(signal.SIGTERM)

        assert 0 == operator.wait(timeout=30)

    assert 2 == len(before)
    assert before == stage.processes()
    assert "leaving; the brokers go on" in (stage.directory / "operator.log").read_text()


def test_a_killed_operator_is_followed_by_one_that_adopts(stage: Stage) -> None:
    """
    After kill -9 the next operator takes the lock at once, adopts what runs and restarts what died meanwhile.
    """
    with stage.operator() as operator:
        before = stage.wait_for_brokers()
        operator.kill()
    os.kill(before[0].pid, signal.SIGKILL)
    wait_until(lambda: before[1:] == stage.processes(), "one broker was dead")

    with stage.operator():
        after = stage.wait_for_brokers()

    assert before[1] == after[1]
    assert before[0] != after[0]


def test_up_does_not_take_a_dead_operators_word_for_the_new_ones(stage: Stage) -> None:
    """
    A status that says ready, left by an operator that was killed, does not make ``lab up`` say that the lab is ready.
    """
    with stage.operator() as operator:
        stage.wait_for_brokers()
        operator.kill()
    for folder in stage.folders:
        replace_file(folder / "status.json", a_ready_status())

    with stage.up() as up:
        wait_until(lambda: all(map(_waits, stage.folders)), "the new operator spoke")

        assert up.poll() is None


def test_an_operator_leaves_a_lab_that_was_deleted(stage: Stage) -> None:
    """
    Without ``lab.json`` there is nothing to keep: the operator ends by itself.
    """
    with stage.operator() as operator:
        stage.wait_for_brokers()
        text = lab_file(stage.directory).read_bytes()
        lab_file(stage.directory).unlink()

        assert 0 == operator.wait(timeout=30)

    lab_file(stage.directory).write_bytes(text)


def test_one_spoiled_cluster_does_not_stop_the_others(stage: Stage) -> None:
    """
    A cluster whose files cannot be read is told; the next one is kept all the same.
    """
    (stage.folders[0] / "wanted.json").write_text("{")
    with stage.operator():
        wait_until(lambda: read_broker(stage.folders[1], 1) is not None, "the second cluster's broker was started")
        wait_until(lambda: read_status(stage.folders[0]) is not None, "the first cluster's trouble was told")

    status = read_status(stage.folders[0])
    assert status is not None
    assert (0, "failed") == (status.observed_generation, status.state)
