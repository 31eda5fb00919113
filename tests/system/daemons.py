"""The daemon as a process of its own, and the command line, as a user would run them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LEAVE_SECONDS = 60.0


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Return this process's environment with exactly these settings of Wavefleet."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WAVEFLEET_")}
    return plain | {f"WAVEFLEET_{name.upper()}": str(value) for name, value in settings.items()}


class DaemonProcess:
    """``wavefleet run``; may be killed and started again with the same settings."""

    def __init__(self, settings: Mapping[str, object], log: Path) -> None:
        self._environment = environment(settings)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def leaving_bytecode_alone(self) -> Self:
        """Let it keep no compiled modules: cut short as its other files, they break whoever shares them."""
        self._environment = {**self._environment, "PYTHONDONTWRITEBYTECODE": "1"}
        return self

    def start(self) -> None:
        """Start the process; its lines are appended to the log."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "controller", "run"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it as a power failure would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to leave, wait until it has, and return its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(LEAVE_SECONDS)
        return self._process.returncode

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def text(self) -> str:
        """Return everything it has logged."""
        return self._log.read_text(errors="replace")

    def await_until(self, is_reached: Callable[[], bool], what: str, seconds: float = 300) -> None:
        """Wait until ``is_reached``; fails with the daemon's last lines where it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while not is_reached():
            assert self._process is not None
            dead = self._process.poll()
            tail = "\n".join(self.text().splitlines()[-40:])
            assert dead is None, f"the daemon ended with {dead} while waiting for {what}\n{tail}"
            assert time.monotonic() < deadline, f"{what} did not come within {seconds} s\n{tail}"
            time.sleep(0.25)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()


def run_cli(settings: Mapping[str, object], *arguments: str, code: int = 0, seconds: float = 120) -> str:
    """Run ``wavefleet ARGUMENTS`` and return what it printed; its exit code must be ``code``."""
    command = [sys.executable, "-m", "controller", *arguments]
    env = environment(settings)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds, check=False)
    assert code == done.returncode, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def read_json(settings: Mapping[str, object], *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
    """Return what ``wavefleet ARGUMENTS -o json`` prints."""
    return json.loads(run_cli(settings, *arguments, "-o", "json"))
