"""What the ledger remembers, folded from its entries by ``history.recall``.

The mappings are never changed once a History is handed on; the fold copies what it touches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from controller.versions import KafkaVersion, Target


class RolloutKind(StrEnum):
    """What a rollout moves."""

    SOFTWARE = "software"
    METADATA = "metadata"


class Way(StrEnum):
    """Which way a rollout takes its group."""

    FORWARD = "forward"
    """To the declared release, or to what lies between."""
    DOWN = "down"
    """Back to a lower release that was declared since."""
    FINALIZE = "finalize"
    """To the metadata.version of the release that the whole group runs."""


class Outcome(StrEnum):
    """How a rollout ended."""

    CONVERGED = "converged"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class ClusterState(StrEnum):
    """Where one cluster stands in one rollout; the legal moves are in ``history.transitions``."""

    PENDING = "pending"
    STARTED = "started"
    CONVERGED = "converged"
    SOAKED = "soaked"
    FAILED = "failed"
    DOWNGRADING = "downgrading"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """What is recorded of one cluster in one rollout."""

    state: ClusterState = ClusterState.PENDING
    wave: int | None = None
    """Number of the admitted wave it belongs to; None while it waits for one."""
    tail: bool = False
    """It goes to the tail wave."""
    release_from: Target | None = None
    """What it ran when it was started for the rollout's target."""
    aim: Target | None = None
    """What it was started for last: the rollout's target, or ``release_from`` where it was sent back."""
    sent_back: bool = False
    """Its downgrade was tried in this rollout; it is tried once."""
    token: str = ""
    """The state of its resource that the last start was written against."""
    started_at: datetime | None = None
    expires_at: datetime | None = None
    """After this the recorded start is no longer written."""
    accepted: bool = False
    """The live fleet has taken the write."""
    lag: Mapping[str, int] = field(default_factory=dict)
    """By consumer group: the records that it was behind when the cluster was started for the rollout's target."""
    converged_at: datetime | None = None
    holds_slot: bool = False
    """It counts as in flight: started, or failed and not yet seen healthy and settled, or acknowledged."""
    cause: str = ""
    """Why it failed."""
    number: int | None = None
    """Number of its quarantine."""
    refusal: str = ""
    """The live fleet's sentence, where the last write was refused."""

    @property
    def is_moving(self) -> bool:
        """True from a start, up or back down, until the cluster arrives or fails."""
        return self.state in (ClusterState.STARTED, ClusterState.DOWNGRADING)

    @property
    def has_failed(self) -> bool:
        """True where it failed itself; one that had converged and whose way back was refused only waits."""
        return self.state in (ClusterState.FAILED, ClusterState.QUARANTINED) and bool(self.cause)


@dataclass(frozen=True, slots=True)
class WaveRecord:
    """An admitted wave."""

    number: int
    name: str
    tail: bool
    admitted_at: datetime
    soaked: timedelta = timedelta(0)
    """Soak credit that is recorded."""
    soaked_at: datetime | None = None
    """When the soak was full."""


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """One group on its way to one target."""

    id: int
    group: str
    kind: RolloutKind
    target: Target
    revision: str
    """The revision that declared the target."""
    planned_at: datetime
    live: int
    """The group's live clusters at rollout start; percentages are of these."""
    waves: tuple[WaveRecord, ...] = ()
    clusters: Mapping[str, ClusterRecord] = field(default_factory=dict)
    """By full name, in the order in which waves take them."""
    failed: frozenset[str] = frozenset()
    """Distinct clusters that failed and are not forgiven."""
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    group_target: KafkaVersion | None = None
    """The release that the group declared at rollout start; ``target`` may lie between."""
    way: Way = Way.FORWARD
    first: int = 0
    """On the way down: how many clusters its first wave has, those that failed; 0 where none had."""

    @property
    def is_running(self) -> bool:
        """True until it ends."""
        return self.outcome is None

    @property
    def wave(self) -> WaveRecord | None:
        """The wave admitted last."""
        return self.waves[-1] if self.waves else None

    def members(self, wave: int) -> Iterator[tuple[str, ClusterRecord]]:
        """Yield the clusters of an admitted wave with their records."""
        return ((name, record) for name, record in self.clusters.items() if record.wave == wave)

    @property
    def in_flight(self) -> tuple[str, ...]:
        """Clusters that hold a slot."""
        return tuple(name for name, record in self.clusters.items() if record.holds_slot)


class StopKind(StrEnum):
    """What a numbered stop stops."""

    HALT = "halt"
    QUARANTINE = "quarantine"
    CHANGED_BY_OTHERS = "changed-by-others"


@dataclass(frozen=True, slots=True)
class Stop:
    """A numbered stop of a group or of one of its clusters; only a person lifts it."""

    scope: str
    """The group's name, or ``fleet``."""
    number: int
    kind: StopKind
    detail: str
    by: str
    """Who or what caused it."""
    at: datetime
    cluster: str | None = None
    suspect: Target | None = None
    """The release that its failures speak against."""
    rollout: int | None = None
    wave: int | None = None
    """The wave whose failures caused it."""
    acknowledged_at: datetime | None = None

    @property
    def id(self) -> str:
        """Such as ``prod-eu-7``: what people write under ``acknowledge``."""
        return f"{self.scope}-{self.number}"


@dataclass(frozen=True, slots=True)
class DeclaredTarget:
    """Which revision declared a group's present target."""

    target: Target
    metadata_version: str
    revision: str


@dataclass(frozen=True, slots=True)
class GroupState:
    """The last recorded judgement of one group, for ``status``."""

    sentence: str
    target: str
    done: int
    in_flight: int
    of: int
    holds: tuple[tuple[str, str, str], ...]
    """Reason, detail, cluster (empty where it concerns the group)."""
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """All that is remembered of one fleet."""

    rollouts: Mapping[int, RolloutRecord] = field(default_factory=dict)
    """Running ones, those with clusters in flight, and the last ended one of each group and kind."""
    stops: Mapping[tuple[str, int], Stop] = field(default_factory=dict)
    """By scope and number."""
    declared: Mapping[str, DeclaredTarget] = field(default_factory=dict)
    """By group."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """By cluster: Kafka's own id of the one that this ledger started last."""
    groups: Mapping[str, GroupState] = field(default_factory=dict)
    """By what people call it: the group's name, and ``GROUP/metadata`` for its finalization."""
    passed: Mapping[tuple[str, RolloutKind], Target] = field(default_factory=dict)
    """By group: the highest release, and level, on which it has converged, so that groups may follow it."""
    reached: Mapping[str, tuple[Target, datetime]] = field(default_factory=dict)
    """By group: since when the whole of it was observed healthy on a release, its waves soaked."""
    taken: Mapping[str, tuple[KafkaVersion, str]] = field(default_factory=dict)
    """By cluster: the release for which this ledger started it last, and that the live fleet took; and for whom."""
    arrived: Mapping[str, tuple[KafkaVersion, int, datetime]] = field(default_factory=dict)
    """By cluster: the release that it converged on last and did not fail on since, in which rollout, and when."""
    head: str = ""
    """The newest revision seen, valid or not; empty before the first."""
    in_force: str = ""
    """The newest valid revision; empty before the first."""
    next_rollout: int = 1
    highest_number: Mapping[str, int] = field(default_factory=dict)
    """By scope: the highest number recorded or acknowledged."""
