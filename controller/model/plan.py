"""The answer of one cycle: what to record, what to start, and what to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.history.entries import Entry
from controller.history.records import ClusterState, RolloutKind
from controller.model.memory import Memory
from controller.model.observation import Reading, Unknown
from controller.model.places import Place
from controller.model.verdict import Answer, Hold
from controller.model.view import GroupView
from controller.versions import KafkaVersion, MetadataVersion, Target


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
