"""A simulated fleet as declared: which clusters it has, how long their upgrades take, and what goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from controller.model.places import Place
from controller.versions import KafkaVersion, MetadataVersion


@dataclass(frozen=True, slots=True)
class SimulatedCluster:
    """One cluster of the simulation, as it stands at the start."""

    name: str
    labels: Mapping[str, str]
    release: KafkaVersion
    metadata_version: MetadataVersion | None
    """The release's own where the inventory names none; None for ZooKeeper."""
    brokers: int
    per_broker: timedelta
    """How long one broker's roll takes."""
    settle: timedelta
    """How long the cluster takes to become ready after its last broker."""


class FaultKind(StrEnum):
    """What goes wrong."""

    STUCK = "stuck"
    """The upgrade never ends."""
    UNHEALTHY = "unhealthy"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """The operator takes the wish and refuses it."""
    CHANGED_BY_OTHERS = "changedByOthers"
    """Somebody else sets another release."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with the clusters it names."""

    kind: FaultKind
    clusters: tuple[str, ...]
    """The clusters that its pattern matches, in the inventory's order; never empty."""
    place: Place
    during_upgrade: bool = False
    """It concerns upgrades, whenever they happen; else it happens at a time."""
    release: KafkaVersion | None = None
    """Only upgrades to this release; None = any."""
    at: timedelta | None = None
    """Counted from the start of the simulation."""
    after: timedelta | None = None
    """Counted from the end of the cluster's upgrade."""
    lasts: timedelta | None = None
    """None = it stays."""
    share: int = 100
    """Percent of the named clusters that are hit; which ones is decided by a hash of their names."""
    kafka_version: KafkaVersion | None = None
    """What others set, for ``changedByOthers``."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that the simulated source needs."""

    clusters: tuple[SimulatedCluster, ...]
    faults: tuple[Fault, ...] = ()
