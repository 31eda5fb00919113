"""Live fleets in which a test can make things happen, one kind per source, for the contract of ``ports.FleetSource``.

The lab here consists of its files alone: the test speaks as its operator. Real brokers are asked in ``tests/system``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from controller.fleets.lab import LabSource
from controller.fleets.simulated import SimulatedSource
from controller.labfiles import (
    BrokerPlace,
    BrokerStatus,
    ClusterFile,
    LabFile,
    OperatorState,
    StatusFile,
    cluster_folder,
    lab_file,
    read_wanted,
    replace_file,
    write_wanted,
)
from controller.model.inventory import Fault, FaultKind, SimulatedCluster
from controller.ports import FleetSource
from controller.versions import KafkaVersion
from tests.builders import HOUR, LEVEL_41, LEVEL_43, NOON, OLD, a_fault, a_simulated_cluster, an_inventory

LABELS = {"env": "prod"}


class FleetWorld(Protocol):
    """Two clusters on ``OLD``, and what can happen to them. ``NOON`` is when they are first read."""

    @property
    def source(self) -> FleetSource:
        """The source in hand."""
        ...

    @property
    def clusters(self) -> tuple[str, str]:
        """Full names."""
        ...

    def reopened(self) -> FleetSource:
        """The source as the next process opens it."""
        ...

    def changed_by_others(self, cluster: str, release: KafkaVersion, now: datetime) -> None:
        """Somebody else asks for ``release``."""
        ...

    def finish(self, now: datetime) -> datetime:
        """Let all that is asked be done, and return when it is."""
        ...

    def lose(self, cluster: str, now: datetime) -> None:
        """Let ``cluster`` answer no more."""
        ...

    def remove(self, cluster: str) -> None:
        """Let ``cluster`` be no more."""
        ...

    def break_down(self) -> None:
        """Let the whole source be unreadable."""
        ...


class SimulatedWorld:
    """A simulated fleet on a state file."""

    def __init__(self, directory: Path) -> None:
        self._state_file = directory / "simulated.json"
        self._clusters = [a_simulated_cluster(name, labels=LABELS) for name in ("a-1", "a-2")]
        self._faults: list[Fault] = []
        self.source: SimulatedSource = self.reopened()
        self.clusters = ("sim/a-1", "sim/a-2")

    def reopened(self) -> SimulatedSource:
        """Another source on the same state file."""
        return SimulatedSource("sim", an_inventory(*self._clusters, faults=self._faults), self._state_file)

    def changed_by_others(self, cluster: str, release: KafkaVersion, now: datetime) -> None:
        """A fault of the inventory."""
        self._happens(a_fault(FaultKind.CHANGED_BY_OTHERS, _own(cluster), at=now - NOON, kafka_version=release))

    def finish(self, now: datetime) -> datetime:
        """Wait: everything follows from the clock."""
        return now + HOUR

    def lose(self, cluster: str, now: datetime) -> None:
        """A fault of the inventory."""
        self._happens(a_fault(FaultKind.UNREACHABLE, _own(cluster), at=now - NOON))

    def remove(self, cluster: str) -> None:
        """Another revision of the inventory."""
        self._clusters = [it for it in self._clusters if it.name != _own(cluster)]
        self._take_in(self._clusters)

    def break_down(self) -> None:
        """A torn state file."""
        self._state_file.write_bytes(b'{"format": 1, "sou')

    def _happens(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._take_in(self._clusters)

    def _take_in(self, clusters: Sequence[SimulatedCluster]) -> None:
        self.source.replace_inventory(an_inventory(*clusters, faults=self._faults))


class LabWorld:
    """A lab of files, in which the test is the operator."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = ["lab-1", "lab-2"]
        self._write_lab()
        for number, name in enumerate(self._names):
            make_cluster(directory, name, first_port=9000 + 10 * number)
        self.source: LabSource = self.reopened()
        self.clusters = ("lab/lab-1", "lab/lab-2")

    def reopened(self) -> LabSource:
        """Another source on the same files."""
        return LabSource("lab", self._directory, {it.level: it for it in (LEVEL_41, LEVEL_43)})

    def changed_by_others(self, cluster: str, release: KafkaVersion, now: datetime) -> None:
        """Somebody writes the file by hand."""
        del now
        folder = cluster_folder(self._directory, _own(cluster))
        write_wanted(folder, release=str(release), expected_generation=read_wanted(folder).generation)

    def finish(self, now: datetime) -> datetime:
        """Report, as the operator would, that all is done."""
        for name in self._names:
            folder = cluster_folder(self._directory, name)
            speak(folder, at=now + HOUR, level=read_wanted(folder).metadata_level or LEVEL_41.level)
        return now + HOUR

    def lose(self, cluster: str, now: datetime) -> None:
        """Its operator's word is gone."""
        del now
        (cluster_folder(self._directory, _own(cluster)) / "status.json").unlink()

    def remove(self, cluster: str) -> None:
        """It is no longer listed."""
        self._names.remove(_own(cluster))
        self._write_lab()

    def break_down(self) -> None:
        """There is no lab any more."""
        lab_file(self._directory).unlink()

    def _write_lab(self) -> None:
        replace_file(lab_file(self._directory), LabFile(tuple(self._names), brokers=3, release=OLD))


def make_cluster(directory: Path, name: str, *, first_port: int = 9000) -> Path:
    """A lab's cluster of three brokers on ``OLD``, and its operator's first word; returns its folder."""
    folder = cluster_folder(directory, name)
    folder.mkdir(parents=True)
    places = tuple(BrokerPlace(n, "127.0.0.1", first_port + n, first_port + 5 + n) for n in (1, 2, 3))
    replace_file(folder / "cluster.json", ClusterFile(name, f"id-of-{name}", places, dict(LABELS)))
    write_wanted(folder, release=OLD, expected_generation=0)
    speak(folder)
    return folder


def speak(
    folder: Path,
    *,
    state: OperatorState = OperatorState.READY,
    releases: Sequence[str] | None = None,
    message: str = "every broker runs the wanted release",
    at: datetime = NOON,
    level: int = LEVEL_41.level,
) -> None:
    """Say as the operator that the brokers run ``releases``, by default all of them what is wanted, at ``level``."""
    wanted = read_wanted(folder)
    running = releases or [wanted.release] * 3
    status = StatusFile(
        observed_generation=wanted.generation,
        state=state,
        release=min(running),
        lowest=min(running),
        highest=max(running),
        brokers=tuple(BrokerStatus(number, release, 1000 + number) for number, release in enumerate(running, start=1)),
        brokers_on_wanted=sum(release == wanted.release for release in running),
        message=message,
        updated_at=at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        metadata_level=level,
    )
    replace_file(folder / "status.json", status)


def _own(full_name: str) -> str:
    return full_name.rsplit("/", 1)[-1]
