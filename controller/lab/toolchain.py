"""Finds the programs a lab needs, Java and Maven, and runs them within a time limit.

A missing or old program is told in one sentence that says what to install; nothing is installed here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import LabError

Stop = Callable[[], bool]
"""Asked while a program runs; true ends it."""

JAVA_ANSWER_SECONDS_MAX = 20.0
LOOK_SECONDS = 0.1
OUTPUT_BYTES_MAX = 64 * 1024
"""Of a program's output only the end is kept: that is where it says what went wrong."""

_JAVA_VERSION = re.compile(r'version "(?:1\.)?([0-9]+)')


class Stopped(LabError):
    """A wait was ended because this program is to leave; it says nothing about what was waited for."""


def never() -> bool:
    """A Stop that lets a program run to its end."""
    return False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    output: str
    """The end of what it wrote, errors included."""


def find_java(environ: Mapping[str, str], *, oldest: int, purpose: str) -> Path:
    """The ``java`` of JAVA_HOME, else of PATH; LabError when there is none or it is older than ``oldest``."""
    java = _program("java", environ, home="JAVA_HOME")
    if java is None:
        raise LabError(
            f"{purpose} needs Java {oldest} or newer: found no java in JAVA_HOME or PATH;"
            f" install a JDK (on Debian: apt-get install openjdk-{max(oldest, 17)}-jre-headless)"
        )
    found = java_major(java, environ)
    if found < oldest:
        raise LabError(
            f"{purpose} needs Java {oldest} or newer: found Java {found} at {java};"
            f" install a JDK {max(oldest, 17)} and set JAVA_HOME to it"
        )
    return java


def find_maven(environ: Mapping[str, str]) -> Path:
    """The ``mvn`` of MAVEN_HOME, else of PATH; LabError when there is none."""
    maven = _program("mvn", environ, home="MAVEN_HOME")
    if maven is None:
        raise LabError(
            "Apache Kafka is fetched by Maven: found no mvn in MAVEN_HOME or PATH;"
            " install Maven 3.6.3 or newer (on Debian: apt-get install maven)"
        )
    return maven


def java_major(java: Path, environ: Mapping[str, str]) -> int:
    """The major version of a Java; LabError when it does not say."""
    ended = run_bounded((str(java), "-version"), environ=environ, folder=Path("/"), seconds_max=JAVA_ANSWER_SECONDS_MAX)
    match = _JAVA_VERSION.search(ended.output)
    if ended.code != 0 or match is None:
        first = next(iter(ended.output.splitlines()), "no word")
        raise LabError(f"{java} -version: found {first!r}, expected a version; install a working JDK 17")
    return int(match.group(1))


def run_bounded(
    argv: Sequence[str], *, environ: Mapping[str, str], folder: Path, seconds_max: float, stop: Stop = never
) -> Ended:
    """Run a program to its end; LabError when it takes longer, Stopped when ``stop`` says so; it was ended then.

    It gets a process group of its own, since ``mvn`` is a shell script whose Java would outlive it.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - programs of this machine with arguments of ours
                argv,
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise LabError(f"{argv[0]}: cannot be started: {error.strerror}") from error
        with process:
            try:
                _wait(process, Path(argv[0]).name, time.monotonic() + seconds_max, stop)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        return Ended(process.returncode, _end_of(output.fileno()))


def _wait(process: subprocess.Popen[bytes], name: str, limit: float, stop: Stop) -> None:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LOOK_SECONDS)
            return
        if stop():
            raise Stopped(f"{name}: stopped before it ended")
        if time.monotonic() > limit:
            raise LabError(f"{name}: found no end of it in time; look at the network and try again")


def _end_of(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - OUTPUT_BYTES_MAX)
    return os.pread(descriptor, OUTPUT_BYTES_MAX, start).decode(errors="replace")


def _program(name: str, environ: Mapping[str, str], *, home: str) -> Path | None:
    in_home = Path(environ[home]) / "bin" / name if environ.get(home) else None
    if in_home is not None and os.access(in_home, os.X_OK):
        return in_home
    found = shutil.which(name, path=environ.get("PATH", ""))
    return Path(found) if found else None
