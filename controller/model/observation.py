"""What was seen of the live fleet in one cycle. What could not be seen is a value too: ``Unknown``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.versions import KafkaVersion, MetadataVersion, Target


class Severity(StrEnum):
    """What a finding does to a start."""

    BLOCK = "block"
    WAIT = "wait"
    """Expected while a cluster rolls; blocks before a start and after a roll."""
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the health of a cluster shows."""

    id: str
    """Such as ``under_replicated``; the names of the health definitions."""
    severity: Severity
    detail: str
    """A sentence with its numbers, and at most ten examples."""
    count: int = 1
    """How many partitions, brokers, directories or groups it concerns."""
    examples: tuple[str, ...] = ()
    """At most ten of them, by name."""
    level: float | None = None
    """What a group's threshold is held against: a share of a disk, records of lag."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the brokers of a cluster are reached, and which there should be."""

    bootstrap: tuple[str, ...] = ()
    """``HOST:PORT`` of some or all; empty where the source knows none."""
    expected: frozenset[int] | None = None
    """Ids of the brokers that the cluster should have; None where nobody told."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The cluster could not be read; always holds."""

    why: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one cluster showed."""

    release: KafkaVersion
    """The lowest release that any of its nodes runs."""
    highest: KafkaVersion
    """The highest release that any of its nodes runs."""
    wanted: KafkaVersion
    """The release that its resource asks for now, whoever wrote it."""
    token: str
    """Names this state of its resource; a write that gives it is refused once the resource has changed."""
    settled: bool = True
    """Nothing is being changed: its operator has done all that the resource asks."""
    findings: tuple[Finding, ...] = ()
    metadata_version: MetadataVersion | None = None
    """Finalized level; None where there is none (ZooKeeper) or it could not be told."""
    wanted_metadata: MetadataVersion | None = None
    """The level that its resource asks for now; None where it asks for none."""
    zookeeper: bool = False
    full: bool = True
    """Health was read in this cycle, not remembered or left out."""
    by_brokers: bool = False
    """Its brokers themselves were asked in this cycle."""
    kafka_id: str | None = None
    """Kafka's own cluster id, where the source tells it."""
    held: str | None = None
    """Reason of the annotation ``wavefleet.io/hold``."""
    fleet: str | None = None
    """The mark ``wavefleet.io/fleet``: the fleet that wrote to it first."""
    owner: str | None = None
    """Another tool that owns its version, and what to change."""
    refused: str | None = None
    """Its operator's own sentence, where it took the wish and refuses it."""
    changed_by: str = ""
    """Who wrote its version last, where the source can tell."""
    progress: str = ""
    """Such as ``4 of 6 brokers``, while it rolls."""
    supported: tuple[KafkaVersion, ...] | None = None
    """Every release that its operator supports, lowest first, where that is known."""
    lag: Mapping[str, int] = field(default_factory=dict)
    """By consumer group that its group of clusters lists: the records that it is behind, over all partitions."""

    @property
    def healthy(self) -> bool:
        """No finding that blocks or waits."""
        return not self.findings or all(finding.severity is Severity.WARN for finding in self.findings)


@dataclass(frozen=True, slots=True)
class ObservedCluster:
    """One live cluster, as its source lists it."""

    name: str
    """Full name, ``source/namespace/name`` or ``source/name``."""
    labels: Mapping[str, str]
    reading: Reading | Unknown
    endpoints: Endpoints | None = None
    """None where there is no broker to ask, as for a simulated cluster: its source vouches for its health."""


@dataclass(frozen=True, slots=True)
class SourceReading:
    """One source in one cycle: its clusters, or why it could not be read."""

    source: str
    clusters: Mapping[str, ObservedCluster] = field(default_factory=dict)
    """By full name."""
    unreachable: str | None = None


@dataclass(frozen=True, slots=True)
class GateReading:
    """What an outside system answered to a group's gate in this cycle."""

    passed: bool | None
    """None where it gave no answer that can be used; that holds too."""
    detail: str
    """What it answered, with its number, or why that is no answer."""
    about: Target | None = None
    """The target that it was asked about; an answer serves for no other."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The whole fleet in one cycle."""

    clusters: Mapping[str, ObservedCluster]
    """Every cluster that is listed, or was listed before its source became unreachable."""
    unreachable: Mapping[str, str] = field(default_factory=dict)
    """Sources that could not be read, with why."""
    gates: Mapping[tuple[str, str], GateReading] = field(default_factory=dict)
    """By group and gate: the answers of those that were asked in this cycle."""
