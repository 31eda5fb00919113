"""Fetches Apache Kafka releases by Maven into a cache that all labs of a user share.

Maven is the ordinary way to the project's own artifacts; no archive site, mirror or container is needed. A release
is complete or absent: it is built in a temporary folder and renamed, under a lock, so two programs may ask at once.
Nothing is ever changed in a fetched release, and nothing is deleted but what an interrupted fetch left behind.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import LabError
from controller.lab.records import locked
from controller.lab.toolchain import Stop, find_java, find_maven, never, run_bounded

FETCH_SECONDS_MAX = 300.0
"""Seconds as seen: 5 to 10. The limit leaves room for a slow mirror."""
RELEASE_OLDEST = (3, 3)
"""KRaft is production-ready from 3.3 on; the lab runs no ZooKeeper."""

_RELEASE = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_JAVA_BY_MAJOR = {3: 8, 4: 17}
"""Oldest Java that runs a broker, by major release (upgrade notes of Apache Kafka 4.0)."""
_JAVA_NEWEST_KNOWN = 17
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
"""Pinned, so that a newer plugin that wants a newer Maven cannot break the lab."""
_MAVEN_BOILERPLATE = (
    "[Help",
    "To see the full stack trace",
    "Re-run Maven",
    "For more information",
    "After correcting",
)
_LEFTOVER = ".fetch-"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE_CHARACTERS_MAX = 400

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wavefleet.lab</groupId>
  <artifactId>kafka</artifactId>
  <version>{release}</version>
  <packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """One Apache Kafka release, such as ``4.3.1``, compared as numbers."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Release:
        """Read ``text``; LabError when it is no release or one too old for the lab."""
        match = _RELEASE.fullmatch(text)
        if match is None:
            raise LabError(f"release: found {text!r}, expected an Apache Kafka release such as 4.3.1")
        release = cls(*(int(number) for number in match.groups()))
        if release.line < RELEASE_OLDEST:
            raise LabError(f"release: found {text}, expected 3.3.0 or newer: the lab runs KRaft clusters only")
        return release

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor: what decides about features and direct upgrades."""
        return (self.major, self.minor)

    @property
    def java_oldest(self) -> int:
        """The oldest Java that runs a broker of this release."""
        return _JAVA_BY_MAJOR.get(self.major, _JAVA_NEWEST_KNOWN)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True)
class Installation:
    """A fetched release and the Java that runs it."""

    release: Release
    libs: Path
    """The folder with its jars."""
    java: Path
    environ: Mapping[str, str]
    """What its programs are started with."""

    def command(self, *options: str, main: str) -> tuple[str, ...]:
        """The command line that runs the class ``main`` of this release."""
        return (str(self.java), *options, "-cp", str(self.libs / "*"), main)


@dataclass(frozen=True, slots=True)
class ReleaseCache:
    """The fetched releases of one user, and the means to fetch another."""

    folder: Path
    environ: Mapping[str, str]
    """Where Java and Maven are looked for: JAVA_HOME, MAVEN_HOME, PATH."""

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> ReleaseCache:
        """The cache in ``$XDG_CACHE_HOME``, else ``~/.cache``, ``/wavefleet/kafka``."""
        base = environ.get("XDG_CACHE_HOME", "")
        # The XDG base directory specification says that a relative path is to be ignored.
        root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        return cls(root / "wavefleet" / "kafka", environ)

    def provide(self, release: Release, *, progress: Callable[[str], None], stop: Stop = never) -> Installation:
        """The release, fetched if it is not in the cache, with a Java that can run it.

        Raises LabError when Java or Maven is missing, Java is too old, or Maven cannot fetch the release.
        """
        if os.pathsep in str(self.folder):
            raise LabError(f"{self.folder}: found {os.pathsep!r}, which Java cannot read; set XDG_CACHE_HOME elsewhere")
        java = find_java(self.environ, oldest=release.java_oldest, purpose=f"Apache Kafka {release}")
        place = self.folder / str(release)
        if not place.is_dir():
            self._fetch(release, place, progress, stop)
        return Installation(release, place / "libs", java, self.environ)

    def _fetch(self, release: Release, place: Path, progress: Callable[[str], None], stop: Stop) -> None:
        maven = find_maven(self.environ)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"{self.folder}: cannot be made: {error.strerror}; set XDG_CACHE_HOME elsewhere") from error
        # One fetch at a time, of any release: two Mavens may not write one local repository at once.
        with locked(self.folder / "fetch.lock", wait_seconds=FETCH_SECONDS_MAX, stop=stop):
            if place.is_dir():
                return
            self._remove_leftovers()
            progress(f"fetching Apache Kafka {release} by Maven")
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=_LEFTOVER, ignore_cleanup_errors=True) as work:
                self._run_maven(maven, release, Path(work), stop)
                (Path(work) / "complete").rename(place)

    def _run_maven(self, maven: Path, release: Release, work: Path, stop: Stop) -> None:
        (work / "pom.xml").write_text(_pom(release), encoding="utf-8")
        # -U: Maven would else remember for a day that a release was missing.
        argv = (str(maven), "-B", "-q", "-U", _COPY_GOAL, "-DoutputDirectory=complete/libs", "-DincludeScope=runtime")
        ended = run_bounded(argv, environ=self.environ, folder=work, seconds_max=FETCH_SECONDS_MAX, stop=stop)
        if ended.code != 0:
            raise LabError(f"Apache Kafka {release}: Maven cannot fetch it: {last_maven_line(ended.output)}")
        jar = f"kafka_2.13-{release}.jar"
        if not (work / "complete" / "libs" / jar).is_file():
            raise LabError(f"Apache Kafka {release}: Maven fetched no {jar}; look at its settings.xml")

    def _remove_leftovers(self) -> None:
        """Under the lock no fetch is at work, so every temporary folder belongs to one that died."""
        for leftover in self.folder.glob(f"{_LEFTOVER}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _pom(release: Release) -> str:
    parts = [("org.apache.kafka", "kafka_2.13", str(release)), *_logging_backend(release)]
    return _POM.format(release=release, dependencies="\n".join(_DEPENDENCY.format(*part) for part in parts))


def _logging_backend(release: Release) -> list[tuple[str, str, str]]:
    """Kafka brings no logging back end: log4j 1 (reload4j) up to 3.9, log4j 2 from 4.0 on."""
    if release.major < 4:
        return [("org.slf4j", "slf4j-reload4j", "1.7.36")]
    log4j = "org.apache.logging.log4j"
    return [(log4j, name, "2.25.1") for name in ("log4j-core", "log4j-slf4j-impl", "log4j-1.2-api")]


def last_maven_line(output: str) -> str:
    """The last line of Maven's output that says what is wrong, shortened and without passwords of mirrors."""
    lines = [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
    errors = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    telling = [line for line in errors if line and not line.startswith(_MAVEN_BOILERPLATE)]
    line = (telling or lines or ["it said nothing"])[-1]
    plain = re.sub(r"://[^/@\s]+@", "://", line).replace(" -> [Help 1]", "")
    return plain if len(plain) <= _LINE_CHARACTERS_MAX else plain[:_LINE_CHARACTERS_MAX] + "…"
