"""The answer of one cycle: what to record, what to start, and what to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.model.entries import Entry
from controller.model.history import ClusterState, RolloutKind
from controller.model.memory import Memory
from controller.model.observation import Reading, Unknown
from controller.model.outbox import CommitStatus, StatusState, ThreadHead
from controller.model.places import Place
from controller.model.verdict import Answer, Hold
from controller.model.versions import KafkaVersion, MetadataVersion, Target


@dataclass(frozen=True, slots=True)
class Start:
    """One cluster to be asked for one target, under a precondition."""

    rollout: int
    group: str
    cluster: str
    """Full name."""
    kind: RolloutKind
    release_from: Target
    target: Target
    token: str
    """The state of its resource that was judged; the write is refused once that has changed."""
    expires_at: datetime
    """After this nothing is written any more."""
    fleet: str
    """The fleet's name, which marks the live resource."""
    pinned: MetadataVersion | None = None
    """The finalized level that the same write pins, so that no operator raises it with the release."""


@dataclass(frozen=True, slots=True)
class GateSubject:
    """What external gates are asked about."""

    kind: RolloutKind
    target: Target


@dataclass(frozen=True, slots=True)
class WaveView:
    """One wave as people see it: admitted, or as it would be admitted now."""

    number: int
    name: str
    clusters: tuple[str, ...]
    """Full names."""
    soak: timedelta
    admitted: bool
    done: int
    """Converged or soaked."""
    has_soaked: bool


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group as people see it, everywhere the same."""

    name: str
    kind: RolloutKind
    """What this speaks of: the group's software, or its finalization, which has a view of its own."""
    target: Target
    rollout: int | None
    """Id of the rollout this speaks of: the running one, else the last one to this target."""
    state: StatusState
    sentence: str
    done: int
    in_flight: int
    of: int
    waves: tuple[WaveView, ...] = ()
    holds: tuple[Hold, ...] = ()
    revision: str = ""
    """The revision that declared the target."""
    warnings: tuple[str, ...] = ()
    """What holds nothing, and people should know."""
    via: Target | None = None
    """Where the rollout goes, where that lies on the way to the target."""

    @property
    def context(self) -> str:
        """What people call it: the group's name, or ``GROUP/metadata`` for its finalization."""
        return self.name if self.kind is RolloutKind.SOFTWARE else f"{self.name}/metadata"


@dataclass(frozen=True, slots=True)
class Passage:
    """The way of clusters that stand at the same point to their group's release."""

    group: str
    release: KafkaVersion
    level: MetadataVersion | None
    """Their finalized metadata.version; None where there is none, or it could not be told."""
    clusters: tuple[str, ...]
    """Full names."""
    way: tuple[Target, ...]
    """Releases, and levels to be finalized between, in order; empty where there is no legal way."""
    why_not: str = ""
    """What a person must do where there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The output of ``plan_cycle``. Effects happen in this order: entries are recorded, then starts are applied."""

    entries: tuple[Entry, ...]
    starts: tuple[Start, ...]
    groups: tuple[GroupView, ...]
    statuses: tuple[CommitStatus, ...]
    threads: tuple[ThreadHead, ...]
    memory: Memory
    holds: tuple[Hold, ...] = ()
    """What holds the whole fleet."""
    unclaimed: tuple[str, ...] = ()
    """Live clusters that no group claims; full names."""
    watch: frozenset[str] = frozenset()
    """Clusters to be read in full in the next cycle."""
    ask: Mapping[str, GateSubject] = field(default_factory=dict)
    """By group: what the next cycle asks its external gates about."""
    short: Mapping[str, str] = field(default_factory=dict)
    """Full name to short name, of every cluster."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one cluster does or does not move, with every gate's answer."""

    cluster: str
    """Full name."""
    group: str | None
    """The one group that claims it; None where none does, or more than one."""
    target: Target | None
    place: Place | None
    """The line that declares the target."""
    state: ClusterState | None
    """Where it stands in its group's rollout; None outside one."""
    wave: str
    """Name of the wave it is in, or would go in; empty outside a rollout."""
    reading: Reading | Unknown | None
    answers: tuple[Answer, ...]
    """Of every gate that was asked, in order: fleet, group, wave, cluster."""
    sentence: str

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The answers that hold."""
        return tuple(answer.verdict for answer in self.answers if isinstance(answer.verdict, Hold))
