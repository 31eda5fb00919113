"""A lab as one value, for people: what runs, what is wanted, what the operator says of it.

It reads the lab's files and the process table. Brokers are asked only by ``with_answers``, and only whether they
answer: what they say is the operator's work, and the daemon's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from controller.lab.faults import FaultKind, FaultsFile, read_faults
from controller.lab.probe import answering
from controller.lab.processes import is_running
from controller.lab.records import operator_file, read_broker, read_process
from controller.labfiles import (
    ClusterFile,
    OperatorState,
    cluster_folder,
    read_clusters,
    read_lab,
    read_status,
    read_wanted,
)


@dataclass(frozen=True, slots=True)
class BrokerState:
    """One broker of the lab."""

    id: int
    address: str
    """``HOST:PORT`` for clients."""
    release: str
    """What it runs, or is started with next."""
    pid: int | None
    """None while it does not run."""
    faults: tuple[FaultKind, ...] = ()
    """How it is broken on purpose."""
    reachable: bool | None = None
    """Whether it answers; None where it was not asked."""

    @property
    def port(self) -> int:
        """The port clients use."""
        return int(self.address.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class ClusterState:
    """One cluster of the lab."""

    name: str
    bootstrap: str
    """What a client takes as ``bootstrap.servers``."""
    wanted: str
    """The release the operator is asked for."""
    generation: int
    """Of the wish; see WantedFile."""
    operator_says: OperatorState | None
    """None when the operator has not yet answered this generation."""
    message: str
    """The operator's last sentence; empty before its first."""
    brokers: tuple[BrokerState, ...]
    wanted_level: int | None = None
    """The level that metadata.version is to be finalized at; None where nobody asked for one."""
    level: int | None = None
    """The finalized level as the operator saw it last; None before it did."""
    secure: bool = False
    """Whether clients need TLS and a password."""

    @property
    def faults(self) -> tuple[tuple[int, FaultKind], ...]:
        """Everything that is broken on purpose, by broker."""
        return tuple((broker.id, kind) for broker in self.brokers for kind in broker.faults)

    @property
    def is_ready(self) -> bool:
        """Whether the operator calls this generation ready and every broker has a process."""
        return self.operator_says is OperatorState.READY and all(broker.pid is not None for broker in self.brokers)

    @property
    def is_refused(self) -> bool:
        """Whether every broker has a process and the operator refuses the wish; ``message`` says why."""
        return self.operator_says is OperatorState.REFUSED and all(broker.pid is not None for broker in self.brokers)


@dataclass(frozen=True, slots=True)
class LabState:
    """The whole lab at one moment."""

    directory: Path
    operator_pid: int | None
    """None while no operator runs: then nothing is rolled, nothing is restarted, and the messages are old."""
    clusters: tuple[ClusterState, ...]

    @property
    def is_running(self) -> bool:
        """Whether the operator and every broker run; ready is more."""
        brokers = [broker for cluster in self.clusters for broker in cluster.brokers]
        return self.operator_pid is not None and bool(brokers) and all(broker.pid is not None for broker in brokers)

    @property
    def is_ready(self) -> bool:
        """Whether the operator runs and every cluster is ready."""
        return self.operator_pid is not None and bool(self.clusters) and all(it.is_ready for it in self.clusters)


def lab_status(directory: Path) -> LabState:
    """Look at the lab in ``directory``; LabError when there is none or a file of it cannot be read."""
    directory = directory.resolve()
    read_lab(directory)
    operator = read_process(operator_file(directory))
    return LabState(
        directory=directory,
        operator_pid=operator.pid if operator is not None and is_running(operator) else None,
        clusters=tuple(_cluster(directory, cluster) for cluster in read_clusters(directory)),
    )


def with_answers(state: LabState) -> LabState:
    """Return ``state`` with what its brokers answer now; it takes some seconds where many do not."""
    answers = answering(state.directory)
    return replace(state, clusters=tuple(_with_answers(cluster, answers) for cluster in state.clusters))


def _with_answers(cluster: ClusterState, answers: Mapping[str, frozenset[int]]) -> ClusterState:
    there = answers.get(cluster.name, frozenset())
    return replace(cluster, brokers=tuple(replace(it, reachable=it.id in there) for it in cluster.brokers))


def _cluster(directory: Path, cluster: ClusterFile) -> ClusterState:
    folder = cluster_folder(directory, cluster.name)
    wanted, status, faults = read_wanted(folder), read_status(folder), read_faults(folder)
    return ClusterState(
        name=cluster.name,
        bootstrap=",".join(cluster.bootstrap),
        wanted=wanted.release,
        generation=wanted.generation,
        operator_says=status.state if status and status.observed_generation == wanted.generation else None,
        message=status.message if status else "",
        brokers=tuple(
            _broker(folder, (place.id, address), wanted.release, faults)
            for place, address in zip(cluster.brokers, cluster.bootstrap, strict=True)
        ),
        wanted_level=wanted.metadata_level,
        level=status.metadata_level if status else None,
        secure=cluster.secure,
    )


def _broker(folder: Path, place: tuple[int, str], wanted: str, faults: FaultsFile) -> BrokerState:
    broker_id, address = place
    file, broken = read_broker(folder, broker_id), faults.of(broker_id)
    if file is None:
        return BrokerState(broker_id, address, wanted, None, broken)
    if file.process is None or file.release is None or not is_running(file.process):
        return BrokerState(broker_id, address, file.assigned, None, broken)
    return BrokerState(broker_id, address, file.release, file.process.pid, broken)
