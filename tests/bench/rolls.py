"""Measure of a roll: what a cluster's operator takes over its brokers, beside what the brokers themselves take."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient

from controller.brokers.access import Reach
from controller.fleets.kafka_health import KafkaHealth
from controller.lab.records import operator_file, read_process
from controller.lab.up import lab_up
from controller.labfiles import OperatorState, cluster_folder, read_clusters, read_status, read_wanted, write_wanted
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading
from tests.bench.measures import Figure
from tests.builders import NEW, OLD, a_reading
from tests.real.kafka import wait_until
from tests.system.lab_fixtures import lab_folder

NAME = "lab-1"
BROKERS = 3
SECONDS_MAX = 300.0


@dataclass(frozen=True)
class Process:
    """A broker as it was started."""

    pid: int
    argv: tuple[bytes, ...]
    folder: str
    environment: dict[bytes, bytes]

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Return how a running process was started."""
        here = Path(f"/proc/{pid}")
        variables = (each.partition(b"=") for each in (here / "environ").read_bytes().split(b"\0") if each)
        return cls(
            pid,
            tuple((here / "cmdline").read_bytes().split(b"\0")[:-1]),
            str((here / "cwd").readlink()),
            {name: value for name, _, value in variables},
        )


def rolls() -> Iterator[Figure]:
    """Measure a roll of three brokers by the lab's operator, and then each broker stopped and started by hand."""
    with tempfile.TemporaryDirectory() as name, lab_folder(Path(name) / "lab") as directory:
        lab_up(directory, clusters=1, brokers=BROKERS, release=OLD, progress=lambda _: None)
        _make_topic(directory)
        rolled = _roll(directory)
        by_hand = _by_hand(directory)
    yield Figure(
        f"a roll of {BROKERS} real brokers, against the sum of their own stop, start and catch-up",
        rolled / by_hand,
        1.25,
        f"{rolled:.1f} s against {by_hand:.1f} s",
    )


def _make_topic(directory: Path) -> None:
    (cluster,) = read_clusters(directory)
    with KafkaAdminClient(bootstrap_servers=list(cluster.bootstrap)) as admin:
        admin.create_topics({"orders": {"num_partitions": 30, "replication_factor": BROKERS}})
    wait_until(lambda: _is_well(directory), "the topic is there", seconds_max=SECONDS_MAX)


def _roll(directory: Path) -> float:
    folder = cluster_folder(directory, NAME)

    def is_done() -> bool:
        status, wanted = read_status(folder), read_wanted(folder)
        assert status is not None
        return (status.state, status.observed_generation) == (OperatorState.READY, wanted.generation)

    began = time.monotonic()
    write_wanted(folder, release=NEW, expected_generation=read_wanted(folder).generation)
    wait_until(is_done, "the roll is over", seconds_max=SECONDS_MAX)
    return time.monotonic() - began


def _by_hand(directory: Path) -> float:
    """Restart each broker as it was started, one after another, each once the one before is in sync again."""
    status, operator = read_status(cluster_folder(directory, NAME)), read_process(operator_file(directory))
    assert status is not None
    assert operator is not None
    os.kill(operator.pid, signal.SIGKILL)
    started: list[subprocess.Popen[bytes]] = []
    took = 0.0
    try:
        for broker in status.brokers:
            assert broker.pid is not None
            process = Process.of(broker.pid)
            began = time.monotonic()
            os.kill(process.pid, signal.SIGTERM)
            wait_until(lambda pid=process.pid: _has_ended(pid), "a broker stops", seconds_max=SECONDS_MAX)
            started.append(
                subprocess.Popen(
                    process.argv,
                    cwd=process.folder,
                    env=process.environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            wait_until(lambda: _is_well(directory), "it is in sync again", seconds_max=SECONDS_MAX)
            took += time.monotonic() - began
    finally:
        for each in started:
            each.kill()
            each.wait()
    return took


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _is_well(directory: Path) -> bool:
    """Tell whether every broker answers, and every replica is in sync."""
    (cluster,) = read_clusters(directory)
    health = KafkaHealth(lambda _: Reach(cluster.bootstrap), {}, 5.0)
    running = read_status(cluster_folder(directory, NAME))
    assert running is not None
    shown = ObservedCluster("lab/a", {}, a_reading(running.lowest, highest=a_reading(running.highest).release))
    reading = health.examine(shown, Health())
    return isinstance(reading, Reading) and reading.healthy
