"""Builders of model values for tests: a usable whole by default, and the one thing a test is about by name.

Releases are written as people write them (``"4.3.1"``). Each builder returns a model's own frozen value, nothing else.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from controller.history.records import RolloutKind
from controller.model.inventory import Fault, FaultKind, Inventory, SimulatedCluster
from controller.model.observation import Finding, ObservedCluster, Reading, Severity, Unknown
from controller.model.places import Place
from controller.model.plan import Start
from controller.versions import KafkaVersion, MetadataVersion, Target

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)

OLD = "4.1.2"
NEW = "4.3.1"
LEVEL_41 = MetadataVersion(27, "4.1-IV1")
LEVEL_43 = MetadataVersion(30, "4.3-IV0", changes_metadata=True)


def release(text: str) -> KafkaVersion:
    """A release, as people write it."""
    return KafkaVersion.parse(text)


def place(line: int = 1, file: str = "groups/prod.yaml") -> Place:
    """A line of the fleet repository."""
    return Place(file, line)


class ReadingParts(TypedDict, total=False):
    """What a test may say of a reading beside its release."""

    highest: KafkaVersion
    wanted: KafkaVersion
    token: str
    settled: bool
    findings: tuple[Finding, ...]
    metadata_version: MetadataVersion | None
    wanted_metadata: MetadataVersion | None
    zookeeper: bool
    full: bool
    by_brokers: bool
    kafka_id: str | None
    held: str | None
    fleet: str | None
    owner: str | None
    refused: str | None
    changed_by: str
    progress: str
    supported: tuple[KafkaVersion, ...] | None
    lag: Mapping[str, int]


def a_reading(runs: str = OLD, **parts: Unpack[ReadingParts]) -> Reading:
    """A healthy, settled, full reading of a cluster that runs ``runs`` and is asked for nothing else."""
    running = release(runs)
    filled: ReadingParts = {
        "highest": running,
        "wanted": running,
        "token": "1",
        "metadata_version": LEVEL_41,
        **parts,
    }
    return Reading(running, **filled)


def a_finding(severity: Severity = Severity.BLOCK, id: str = "offline_partitions") -> Finding:  # noqa: A002 - its name
    """Something that a cluster's health shows."""
    return Finding(id, severity, f"1 partition: {id}")


def a_cluster(
    name: str = "sim/a-1", reading: Reading | Unknown | None = None, labels: Mapping[str, str] | None = None
) -> ObservedCluster:
    """An observed cluster by its full name."""
    return ObservedCluster(name, labels or {}, a_reading() if reading is None else reading)


def by_name(clusters: Iterable[ObservedCluster]) -> Mapping[str, ObservedCluster]:
    """Observed clusters as an observation holds them."""
    return {cluster.name: cluster for cluster in clusters}


class SimulatedParts(TypedDict, total=False):
    """What a test may say of a simulated cluster beside its name and release."""

    labels: Mapping[str, str]
    metadata_version: MetadataVersion | None
    brokers: int
    per_broker: timedelta
    settle: timedelta


def a_simulated_cluster(name: str = "a-1", runs: str = OLD, **parts: Unpack[SimulatedParts]) -> SimulatedCluster:
    """A cluster of an inventory: three brokers, four minutes for each of them, two minutes to settle."""
    filled: SimulatedParts = {
        "labels": {},
        "metadata_version": LEVEL_41,
        "brokers": 3,
        "per_broker": 4 * MINUTE,
        "settle": 2 * MINUTE,
        **parts,
    }
    return SimulatedCluster(name, release=release(runs), **filled)


class FaultParts(TypedDict, total=False):
    """What a test may say of a fault beside its kind and clusters."""

    during_upgrade: bool
    release: KafkaVersion | None
    at: timedelta | None
    after: timedelta | None
    lasts: timedelta | None
    share: int
    kafka_version: KafkaVersion | None


def a_fault(kind: FaultKind, *clusters: str, **parts: Unpack[FaultParts]) -> Fault:
    """A fault that hits ``clusters``, by default ``a-1``."""
    return Fault(kind, clusters or ("a-1",), place(file="simulation/clusters.yaml"), **parts)


def an_inventory(*clusters: SimulatedCluster, faults: Iterable[Fault] = ()) -> Inventory:
    """An inventory of ``clusters``, by default of ``a-1`` alone."""
    return Inventory(clusters or (a_simulated_cluster(),), tuple(faults))


class StartParts(TypedDict, total=False):
    """What a test may say of a start beside its cluster and target."""

    rollout: int
    group: str
    kind: RolloutKind
    release_from: Target
    token: str
    expires_at: datetime
    fleet: str
    pinned: MetadataVersion


def a_start(cluster: str = "sim/a-1", target: Target | None = None, **parts: Unpack[StartParts]) -> Start:
    """One cluster to be asked for ``target``, by default for ``NEW``, judged in its first state."""
    filled: StartParts = {
        "rollout": 1,
        "group": "prod",
        "kind": RolloutKind.SOFTWARE,
        "release_from": release(OLD),
        "token": "1",
        "expires_at": NOON + DAY,
        "fleet": "acme",
        **parts,
    }
    return Start(cluster=cluster, target=target or release(NEW), **filled)
