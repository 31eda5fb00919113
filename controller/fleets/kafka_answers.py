"""What the brokers of one cluster said at one moment, as values; no client's types stand in here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controller.versions import Minor


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as the brokers see it."""

    topic: str
    number: int
    has_leader: bool
    replicas: int
    in_sync: int
    away: int = 0
    """Replicas whose broker or log directory is offline."""
    min_in_sync: int = 1
    """The effective ``min.insync.replicas`` of its topic."""

    @property
    def name(self) -> str:
        """``TOPIC-NUMBER``."""
        return f"{self.topic}-{self.number}"

    def needing(self, min_in_sync: int) -> "Partition":
        """Return the same with its topic's ``min.insync.replicas``."""
        if self.min_in_sync == min_in_sync:
            return self
        # Not replace(), which takes many times as long, and there may be very many of them.
        return Partition(self.topic, self.number, self.has_leader, self.replicas, self.in_sync, self.away, min_in_sync)


@dataclass(frozen=True, slots=True)
class Directory:
    """One log directory of one broker."""

    path: str
    error: str = ""
    """Kafka's name of what is wrong with it; empty where nothing is."""
    total: int = -1
    """Bytes of its disk; -1 where the broker does not tell."""
    usable: int = -1


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker that the cluster names."""

    id: int
    address: str
    """Where it is told to listen for clients."""
    fenced: bool = False
    """It is registered, and not let in; known from Kafka 4.0 on. Before, such a one is not named at all."""
    line: Minor | None = None
    """The release line that it answers like; None where it was not asked, or did not answer."""
    directories: tuple[Directory, ...] = ()
    silent: str = ""
    """Why it gave no answer of its own; empty where it did, or was not asked."""


@dataclass(frozen=True, slots=True)
class Voter:
    """One voter of the metadata quorum."""

    id: int
    caught_up_at: int
    """Milliseconds on the leader's clock at which it had all that there was; -1 where the leader does not know yet."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """The controllers that vote on the cluster's metadata."""

    leader: int
    """Its id; negative where there is none."""
    voters: tuple[Voter, ...] = ()
    why: str = ""
    """Why there is no leader, as far as that could be told."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the brokers of one cluster said at one moment."""

    kafka_id: str
    metadata_level: int
    """Finalized level of ``metadata.version``."""
    brokers: tuple[Broker, ...]
    partitions: tuple[Partition, ...]
    quorum: Quorum
    reassigned: tuple[str, ...] = ()
    """Partitions that are being moved."""
    lag: Mapping[str, int] = field(default_factory=dict)
    """By consumer group that was asked about and could be read: records that it is behind."""


def seen_twice(first: Sequence[Partition], second: Sequence[Partition]) -> Sequence[Partition]:
    """Return one topic's partitions as a second look shows them, but only who was without a leader twice is so.

    A topic that is being created has none for a moment, and one that is gone in the second look has no partition.
    """
    before = {partition.number for partition in first if not partition.has_leader}
    return [it if it.has_leader or it.number in before else replace(it, has_leader=True) for it in second]
