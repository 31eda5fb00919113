"""Starts controllers as processes, reads what they say, and kills them as ``kill -9`` does."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]


class ControllerProcess:
    """``controller_process`` on one ledger, ended with this context."""

    def __init__(self, ledger: Path, what: str) -> None:
        command = [sys.executable, "-m", "tests.ledger.controller_process", str(ledger), what]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def hear(self) -> str:
        """Return the next line that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process ended before it said what was expected"
        return line.rstrip("\n")

    def hear_rest(self) -> list[str]:
        """Return what it had said before it was killed."""
        assert self._process.stdout is not None
        return self._process.stdout.read().splitlines()

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait()
