"""The lab's commands as a user types them, each in a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.labfiles import OperatorState, cluster_folder, read_status, read_wanted
from tests.system.lab_fixtures import ROOT, wait_until

COMMAND = [sys.executable, "-m", "controller", "lab"]
READY_SECONDS = 240


def lab(*arguments: str, code: int = 0) -> str:
    """Run ``wavefleet lab ARGUMENTS``; what it printed, once its exit code is as expected."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=READY_SECONDS, check=False
    )
    assert code == done.returncode, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def lab_status(directory: Path, cluster: str) -> dict[str, Any]:
    """One cluster of ``lab status -o json``."""
    printed = json.loads(lab("status", "--dir", str(directory), "-o", "json"))
    found: dict[str, Any] = next(each for each in printed["clusters"] if each["name"] == cluster)
    return found


def reachable(directory: Path, cluster: str) -> list[bool]:
    """Which brokers of a cluster answer."""
    return [broker["reachable"] for broker in lab_status(directory, cluster)["brokers"]]


def message(directory: Path, cluster: str) -> str:
    """What the operator says of a cluster."""
    status = read_status(cluster_folder(directory, cluster))
    return status.message if status else ""


def await_ready(directory: Path, cluster: str) -> None:
    """Wait until the operator calls what is wanted of the cluster ready."""
    folder = cluster_folder(directory, cluster)

    def is_ready() -> bool:
        status = read_status(folder)
        return status is not None and (OperatorState.READY, read_wanted(folder).generation) == (
            status.state,
            status.observed_generation,
        )

    wait_until(is_ready, f"{cluster} was ready", seconds_max=READY_SECONDS)


class LabLoad:
    """``wavefleet lab load CLUSTER``, running."""

    def __init__(self, directory: Path, cluster: str, rate: int) -> None:
        self._arguments = [cluster, "--dir", str(directory)]
        self._acked = cluster_folder(directory, cluster) / "load" / "load.acked"
        argv = [*COMMAND, "load", *self._arguments, "--rate", str(rate), "-o", "json"]
        self._process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    @property
    def acknowledged(self) -> int:
        """Records acknowledged until now, over all loads of the cluster."""
        return self._acked.read_bytes().count(b"\n") if self._acked.exists() else 0

    def await_more(self) -> None:
        """Wait until another hundred records are acknowledged."""
        before = self.acknowledged
        wait_until(lambda: self.acknowledged >= before + 100, "more records were acknowledged", seconds_max=150)

    def stop(self) -> dict[str, int]:
        """End it in order, and what it says it did."""
        self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=150)
        printed: dict[str, int] = json.loads(output)
        return printed

    def verify(self) -> dict[str, int]:
        """Read everything back by ``wavefleet lab verify``; it must find nothing wrong."""
        printed: dict[str, int] = json.loads(lab("verify", *self._arguments, "-o", "json"))
        return printed

    def kill(self) -> None:
        """End it at once, if it still runs."""
        self._process.kill()
        self._process.communicate(timeout=30)


@contextmanager
def lab_load(directory: Path, cluster: str, *, rate: int = 100) -> Iterator[LabLoad]:
    """A load that is starting; it is ended with the block."""
    load = LabLoad(directory, cluster, rate)
    try:
        yield load
    finally:
        load.kill()
