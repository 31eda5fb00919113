"""Where a lab keeps its files, and what stands in each: the contract between its parts.

Whoever reads or writes a lab without this package (the live fleet does) needs only this module's text. All files
are JSON objects in UTF-8, keys in camelCase, at most 1 MiB, replaced whole (a temporary file beside it, ``fsync``,
``rename``) and never edited in place. A reader ignores keys it does not know.

``DIR/lab.json`` LabFile; ``DIR/clusters/NAME/cluster.json`` ClusterFile, ``wanted.json`` WantedFile,
``status.json`` StatusFile, ``broker-N/process.json`` BrokerFile. It reads no clock and starts nothing.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

FILE_BYTES_MAX = 1024 * 1024
"""A larger file was not written by a lab, and is refused instead of read."""


class LabFile(msgspec.Struct, frozen=True, rename="camel"):
    """``lab.json``: marks a folder as a lab and keeps the shape it was made with; written first, never changed."""

    clusters: tuple[str, ...]
    """Names of the clusters in the order they were made: ``lab-1``, ``lab-2`` and so on."""
    brokers: int
    """Brokers of each cluster."""
    release: str
    """The Apache Kafka release the clusters were formatted with."""


class BrokerPlace(msgspec.Struct, frozen=True, rename="camel"):
    """Where one broker listens, for as long as the lab exists. Each is also a KRaft controller (a combined node)."""

    id: int
    """``node.id``, from 1."""
    host: str
    """Always a loopback address."""
    port: int
    """The port clients use."""
    controller_port: int
    """``controllerPort``: where the nodes vote."""


class ClusterFile(msgspec.Struct, frozen=True, rename="camel"):
    """``cluster.json``: one cluster as it was made; never changed but for ``labels``, which people may edit."""

    name: str
    """The folder's name too."""
    cluster_id: str
    """``clusterId``: Kafka's own id, as ``describe_cluster`` reports it."""
    brokers: tuple[BrokerPlace, ...]
    labels: dict[str, str] = {}
    """Free labels, for selecting clusters; the lab itself sets ``lab`` to the name of its folder."""

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """``HOST:PORT`` of every broker, for clients."""
        return tuple(f"{broker.host}:{broker.port}" for broker in self.brokers)


class WantedFile(msgspec.Struct, frozen=True, rename="camel"):
    """``wanted.json``: what the operator is asked for.

    A writer (1) opens ``wanted.lock`` in the same folder, creating it if it is missing, and takes ``fcntl.flock``
    with ``LOCK_EX`` on it, (2) reads ``wanted.json`` and leaves it alone when ``generation`` is not the one it judged
    from, (3) replaces the file, with ``generation`` one higher and every annotation it does not know kept,
    (4) closes the lock file, which it never deletes. The operator only reads.
    """

    generation: int
    """From 1; one higher with every write, also one that changes annotations alone."""
    release: str
    """The Apache Kafka release every broker of the cluster shall run, such as ``4.3.1``."""
    annotations: dict[str, str] = {}
    """Notes for other programs, such as ``wavefleet.io/fleet``; the operator does not read them."""


class OperatorState(StrEnum):
    """What the operator says of a cluster, in ``status.json``."""

    READY = "ready"
    """Every broker runs the wanted release, all are registered, every replica is in sync."""
    ROLLING = "rolling"
    """The operator has work in hand (starting, rolling, waiting for replicas); ``message`` says which."""
    REFUSED = "refused"
    """The wanted release cannot be had or would break the cluster. No broker was touched for it. Looked at again
    every minute, since what was missing may appear."""
    FAILED = "failed"
    """Work in hand takes longer than its limit, or a broker does not start. The operator goes on trying and rolls no
    other broker meanwhile."""


class BrokerStatus(msgspec.Struct, frozen=True, rename="camel"):
    """One broker in ``status.json``."""

    id: int
    release: str
    """What its process runs; for a stopped broker, what it is started with next."""
    pid: int | None
    """None while no process runs."""


class StatusFile(msgspec.Struct, frozen=True, rename="camel"):
    """``status.json``: the operator's word on one cluster, rewritten at a change and at least every 5 seconds.

    It speaks of the wanted release only when ``observed_generation`` equals ``generation`` of ``wanted.json``; an old
    ``updated_at`` means that no operator runs, and that the rest is history.
    """

    observed_generation: int
    """``observedGeneration``: the generation of ``wanted.json`` this status answers; 0 when it cannot be read."""
    state: OperatorState
    release: str | None
    """The lowest release a running broker has, as in ``lowest``; None while no broker runs."""
    lowest: str | None
    highest: str | None
    brokers: tuple[BrokerStatus, ...]
    brokers_on_wanted: int
    """``brokersOnWanted``: brokers whose process runs the wanted release."""
    message: str
    """One sentence for people."""
    updated_at: str
    """``updatedAt``: RFC 3339 in UTC."""
    metadata_level: int | None = None
    """``metadataLevel``: the finalized ``metadata.version`` as it was last seen, as a feature level."""


class ProcessRecord(msgspec.Struct, frozen=True, rename="camel"):
    """Which process is meant, beyond doubt: a pid is used again, a pid with its start time and boot is not."""

    pid: int
    start_ticks: int
    """``startTicks``: clock ticks from boot to its start, field 22 of ``/proc/PID/stat``."""
    boot_id: str
    """``bootId``: ``/proc/sys/kernel/random/boot_id`` when it was started."""


class BrokerFile(msgspec.Struct, frozen=True, rename="camel"):
    """``process.json``: one broker as the operator left it; only the operator writes it while it runs.

    ``assigned`` is written before the running process is stopped, so an operator that died in between goes on.
    """

    assigned: str
    """The release this broker is to run; differs from ``release`` only in the middle of its own roll."""
    release: str | None = None
    """The release ``process`` was started with; None before the first start."""
    process: ProcessRecord | None = None


def lab_file(directory: Path) -> Path:
    """``lab.json`` of the lab in ``directory``."""
    return directory / "lab.json"


def operator_file(directory: Path) -> Path:
    """``operator.json``, a ProcessRecord: the process that keeps the lab in ``directory``, or kept it last."""
    return directory / "operator.json"


def cluster_folder(directory: Path, name: str) -> Path:
    """The folder of the cluster ``name``."""
    return directory / "clusters" / name


def broker_folder(cluster_dir: Path, broker_id: int) -> Path:
    """The folder of one broker: its configuration, ``process.json``, ``data/`` and ``logs/``."""
    return cluster_dir / f"broker-{broker_id}"
