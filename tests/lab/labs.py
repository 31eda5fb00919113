"""Builders for the lab's tests: its files, the moments of a cluster, and a Java and a Maven that are small scripts.

The scripts are real programs that the lab starts, watches and stops as it would the real ones; what they do not do is
run Kafka. A release 4.9.9 is one whose broker ends at once, 4.8.8 one that ignores SIGTERM.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.lab.cluster_view import ClusterView
from controller.lab.ports import choose_ports
from controller.lab.processes import Program, send, start, wait_until_ended
from controller.lab.records import ProcessRecord, broker_folder, read_broker
from controller.lab.releases import ReleaseCache
from controller.lab.rolling import Node
from controller.labfiles import (
    BrokerPlace,
    ClusterFile,
    LabFile,
    cluster_folder,
    lab_file,
    read_clusters,
    replace_file,
    write_wanted,
)

OLD = "4.1.2"
NEW = "4.3.1"
BROKEN = "4.9.9"
STUBBORN = "4.8.8"
LEVEL_OF_OLD = 27
LEVEL_OF_NEW = 30
WAIT_SECONDS_MAX = 20.0

_JAVA = """\
#!/bin/sh
case "$*" in
  -version) echo 'openjdk version "{version}.0.1" 2026-01-20' >&2; exit 0 ;;
  */4.9.9/*) echo 'ERROR the disk is on fire'; exit 1 ;;
  */4.8.8/*) trap '' TERM; echo ready ;;
esac
while :; do sleep 0.2; done
"""
_MAVEN = """\
#!/bin/sh
echo run >> "{runs}"
{work}
"""
FETCH = """\
mkdir -p complete/libs
sleep 0.3
release=$(sed -n 's:.*kafka_2.13</artifactId><version>\\([0-9.]*\\)<.*:\\1:p' pom.xml)
touch "complete/libs/kafka_2.13-$release.jar"
"""


@dataclass(frozen=True, slots=True)
class FakeTools:
    """A folder with a ``java`` and, if asked for, an ``mvn``."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """An environment that has these tools, what their scripts call, and nothing else."""
        return {"PATH": str(self.folder / "bin"), "HOME": str(self.folder)}

    @property
    def maven_runs(self) -> int:
        """How often Maven was run."""
        runs = self.folder / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0


def fake_tools(folder: Path, *, java: int = 17, maven: str | None = FETCH) -> FakeTools:
    """Write the scripts; ``maven`` is what ``mvn`` does after it counted its run, None for no ``mvn`` at all."""
    (folder / "bin").mkdir(parents=True)
    for name in ("mkdir", "sed", "sleep", "touch"):
        (folder / "bin" / name).symlink_to(str(shutil.which(name)))
    _write_program(folder / "bin" / "java", _JAVA.format(version=java))
    if maven is not None:
        _write_program(folder / "bin" / "mvn", _MAVEN.format(runs=folder / "runs", work=maven))
    return FakeTools(folder)


def a_cache(folder: Path, *releases: str, environ: dict[str, str]) -> ReleaseCache:
    """A cache that holds ``releases``, empty as they are."""
    for release in releases:
        (folder / release / "libs").mkdir(parents=True)
    return ReleaseCache(folder, environ)


def a_lab(directory: Path, *, clusters: int = 1, brokers: int = 1, release: str = OLD) -> Path:
    """The files of a lab nobody started yet; the folder of its first cluster."""
    directory.mkdir(parents=True, exist_ok=True)
    names = tuple(f"lab-{number}" for number in range(1, clusters + 1))
    replace_file(lab_file(directory), LabFile(names, brokers, release))
    for name in names:
        folder = cluster_folder(directory, name)
        for number in range(1, brokers + 1):
            broker_folder(folder, number).mkdir(parents=True)
        replace_file(folder / "cluster.json", a_cluster(name, brokers=brokers))
        write_wanted(folder, release=release, expected_generation=0)
    return cluster_folder(directory, names[0])


def a_cluster(name: str = "lab-1", *, brokers: int = 3) -> ClusterFile:
    """A cluster whose ports nobody listens on."""
    ports = choose_ports(2 * brokers)
    places = tuple(BrokerPlace(at + 1, "127.0.0.1", ports[2 * at], ports[2 * at + 1]) for at in range(brokers))
    return ClusterFile(name, "MkU3OEVBNTcwNTJENDM2Qk", places, {"lab": "test"})


def a_node(number: int, running: str | None = OLD, *, assigned: str | None = None, stopping: bool = False) -> Node:
    """A broker that runs what it is assigned, unless said otherwise."""
    return Node(number, assigned or running or OLD, running, stopping)


def a_view(
    *there: int,
    absent: tuple[int, ...] = (),
    silent: tuple[int, ...] = (),
    behind: tuple[int, ...] = (),
    controller: int = 1,
) -> ClusterView:
    """A cluster that sees the brokers ``there``; of them some are out of sync, silent, or behind as voters."""
    return ClusterView(
        answering=frozenset(there) - {*silent},
        registered=frozenset(there),
        absent=frozenset(absent),
        leaderless=0,
        lagging_voters=frozenset(behind),
        controller=controller,
        metadata_level=LEVEL_OF_OLD,
    )


def a_program(folder: Path, script: str) -> Program:
    """A shell script as a program."""
    return Program(("/bin/sh", "-c", script), folder, folder / "output.log", dict(os.environ))


@contextmanager
def started(program: Program) -> Iterator[ProcessRecord]:
    """The running program; it is killed at the end, whatever happened."""
    process = start(program, lambda _: None)
    try:
        yield process
    finally:
        kill(process)


@contextmanager
def brokers_killed(directory: Path) -> Iterator[None]:
    """Kill every broker process that the lab's files name, at the end of a test."""
    try:
        yield
    finally:
        for cluster in read_clusters(directory):
            for place in cluster.brokers:
                file = read_broker(cluster_folder(directory, cluster.name), place.id)
                if file is not None and file.process is not None:
                    kill(file.process)


def kill(process: ProcessRecord) -> None:
    """End exactly this process at once, and wait until it is gone."""
    send(process, signal.SIGKILL)
    assert () == wait_until_ended([process], seconds_max=WAIT_SECONDS_MAX)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until ``condition`` holds; the test fails when it does not in time."""
    limit = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < limit, f"waited in vain until {what}"
        time.sleep(0.05)


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
