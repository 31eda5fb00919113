"""Real Kafka for system tests: a lab in a folder of the test, and the load that must lose nothing.

A lab is always taken down at the end, also after a failure, and a machine without Java or Maven skips (CI fails).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.lab.acknowledged import LoadReport
from controller.lab.down import lab_down
from controller.lab.load import LoadSummary, verify
from controller.labfiles import lab_file
from tests.real_parts import require

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 0.3


def require_lab() -> None:
    """Skip (under CI fail) where no broker can be fetched or run."""
    require(shutil.which("java"), "real brokers need Java 17: install openjdk-17-jre-headless")
    require(shutil.which("mvn"), "real brokers are fetched by Maven: install maven")


@contextmanager
def lab_folder(directory: Path) -> Iterator[Path]:
    """A folder for one lab, which is stopped at the end, whatever happened."""
    require_lab()
    try:
        yield directory
    finally:
        if lab_file(directory).exists():
            lab_down(directory)


class RunningLoad:
    """The producer as a user starts it, in a process of its own."""

    def __init__(self, bootstrap: str, topic: str, acked: Path, *, rate: int = 100) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.acked = acked
        self.rate = rate
        argv = [sys.executable, "-m", "controller.lab.load", "--bootstrap", bootstrap, "--topic", topic]
        argv += ["--rate", str(rate), "--acked", str(acked)]
        self._process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    @property
    def acknowledged(self) -> int:
        """Records acknowledged until now."""
        return self.acked.read_bytes().count(b"\n") if self.acked.exists() else 0

    def await_under_way(self) -> None:
        """Wait until some records are acknowledged."""
        wait_until(lambda: self.acknowledged > self.rate, "the load was under way", seconds_max=60)

    def stop(self) -> LoadSummary:
        """End it in order, and what it says it did."""
        self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=120)
        return LoadSummary(**json.loads(output))

    def verify(self) -> LoadReport:
        """Read the topic back."""
        return verify(self.bootstrap, self.topic, self.acked)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        self._process.kill()
        self._process.communicate(timeout=30)


@contextmanager
def running_load(bootstrap: str, topic: str, acked: Path, *, rate: int = 100) -> Iterator[RunningLoad]:
    """A producer that is starting; it is ended with the block."""
    load = RunningLoad(bootstrap, topic, acked, rate=rate)
    try:
        yield load
    finally:
        load.kill()


def wait_until(condition: Callable[[], object], what: str, *, seconds_max: float) -> None:
    """Wait until ``condition`` holds; the test fails when it does not in time."""
    limit = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds_max:g} seconds in vain until {what}"
        time.sleep(LOOK_SECONDS)


def processes_of(directory: Path) -> list[int]:
    """The pids of all processes whose command line names the lab's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(directory) in command:
                found.append(int(entry.name))
    return found
