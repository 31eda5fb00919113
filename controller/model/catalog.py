"""The release catalog: which Kafka releases exist, what may reach them directly, and what is known against them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.versions import KafkaVersion, MetadataVersion, Minor


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the catalog."""

    version: KafkaVersion
    released: str
    """Date, or month where the day is not confirmed; empty where a fleet's own row leaves it out."""
    metadata_version: MetadataVersion | None
    """The level that a cluster formatted by this release has, and the highest it serves; None before 3.0."""
    kraft_from: tuple[Minor, Minor] | None
    """Lowest and highest line with a documented direct rolling upgrade of a KRaft cluster; None = no path."""
    zookeeper_from: tuple[Minor, Minor] | None
    """The same for a ZooKeeper cluster."""
    zookeeper: bool = False
    """A broker of this release can run in ZooKeeper mode."""
    min_java_broker: int = 17
    branch_supported: bool = True
    broker_bugs: tuple[str, ...] = ()
    """Known bugs of brokers or controllers; a release that has one is known-bad."""
    client_bugs: tuple[str, ...] = ()
    broker_cves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """The built-in catalog with what a fleet's ``releases.yaml`` adds."""

    releases: Mapping[KafkaVersion, Release]
    metadata_versions: Mapping[str, MetadataVersion]
    """By name, such as ``4.3-IV0``."""
    metadata_floor_for_4x: MetadataVersion
    """The lowest finalized level that a 4.x broker starts with (MetadataVersion.MINIMUM_VERSION of 4.x)."""
    blocked: Mapping[KafkaVersion, str] = field(default_factory=dict)
    """Releases that this fleet refuses, with the reason."""
    source: str = ""
    """Where the built-in rows come from, with their date."""
