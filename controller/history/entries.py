"""Ledger entries: what was decided and seen, in past participles, one small value each.

The ledger stores them as they are and never looks inside; ``history.recall`` folds them into ``History``. A field
may be added with a default; none is renamed or removed, since old ledgers must stay readable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.history.records import Outcome, RolloutKind, StopKind, Way
from controller.versions import KafkaVersion, Target


@dataclass(frozen=True, slots=True)
class RevisionSeen:
    """The branch's head changed, or came into force."""

    revision: str
    in_force: str
    """The newest valid revision; empty before the first."""
    problems: tuple[str, ...] = ()
    accepted_rewrite: bool = False
    """A person accepted that the branch's history was rewritten."""


@dataclass(frozen=True, slots=True)
class TargetDeclared:
    """A group's target was seen to be declared by a revision."""

    group: str
    target: Target
    metadata_version: str
    revision: str


@dataclass(frozen=True, slots=True)
class RequestTaken:
    """A person's command was taken in."""

    request: int
    outcome: str
    """What came of it, as a sentence."""


@dataclass(frozen=True, slots=True)
class RolloutPlanned:
    """A group sets out for a target."""

    rollout: int
    group: str
    kind: RolloutKind
    target: Target
    revision: str
    live: int
    clusters: tuple[str, ...]
    """Full names, in the order in which waves take them."""
    waves: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Name and clusters of each wave as planned; what is admitted may differ, and is recorded then."""
    group_target: KafkaVersion | None = None
    """The release that the group declares; None in entries from before there were targets between."""
    way: Way = Way.FORWARD
    first: int = 0
    """On the way down: how many clusters its first wave has."""


@dataclass(frozen=True, slots=True)
class RolloutEnded:
    """A rollout is over; what is still in flight is followed to its end."""

    rollout: int
    group: str
    kind: RolloutKind
    target: Target
    revision: str
    """The revision that declared the target; its commit status is closed."""
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OrderPassed:
    """A group has converged on its target, but for clusters held in Git: groups that wait for it may follow."""

    group: str
    target: Target


@dataclass(frozen=True, slots=True)
class TargetReached:
    """The whole group was observed healthy on its release, its waves soaked: ``finalize.soak`` begins."""

    group: str
    target: KafkaVersion


@dataclass(frozen=True, slots=True)
class ClusterJoined:
    """A cluster came late; it goes to the tail wave."""

    rollout: int
    cluster: str


@dataclass(frozen=True, slots=True)
class ClusterLeft:
    """A cluster is no member any more: gone, moved, or on target by other hands."""

    rollout: int
    cluster: str
    why: str


@dataclass(frozen=True, slots=True)
class ClusterReplaced:
    """Another cluster has the name now, as Kafka's own id shows: what is remembered of the old one is forgotten."""

    cluster: str
    kafka_id: str
    """Of the new one."""


@dataclass(frozen=True, slots=True)
class ClusterSetAside:
    """A pending cluster goes to the tail wave."""

    rollout: int
    cluster: str
    why: str


@dataclass(frozen=True, slots=True)
class WaveAdmitted:
    """A wave's first cluster may start; its members are fixed."""

    rollout: int
    group: str
    wave: int
    name: str
    tail: bool
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaveFilled:
    """An admitted wave that had lost all its clusters took the next pending ones."""

    rollout: int
    wave: int
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SoakCredited:
    """A wave has soaked for so long; zero begins it anew."""

    rollout: int
    wave: int
    soaked: timedelta


@dataclass(frozen=True, slots=True)
class WaveSoaked:
    """A wave's soak is full."""

    rollout: int
    group: str
    wave: int


@dataclass(frozen=True, slots=True)
class ClusterStarted:
    """An intention: the live fleet is about to be asked for this, until ``expires_at``."""

    rollout: int
    cluster: str
    release_from: Target
    target: Target
    token: str
    expires_at: datetime
    kafka_id: str | None = None
    """Kafka's own id of the cluster that was started, where its source tells it."""
    lag: Mapping[str, int] = field(default_factory=dict)
    """By consumer group: the records that it was behind."""


@dataclass(frozen=True, slots=True)
class StartAccepted:
    """The live fleet took the write, or was seen to have taken it."""

    rollout: int
    cluster: str


@dataclass(frozen=True, slots=True)
class StartWithdrawn:
    """A recorded start was not taken; the cluster is planned anew. ``refusal`` where the live fleet said no."""

    rollout: int
    cluster: str
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class ClusterConverged:
    """A cluster was observed on target, settled and healthy in enough consecutive observations."""

    rollout: int
    cluster: str


@dataclass(frozen=True, slots=True)
class ClusterReturned:
    """A cluster that had not failed itself is back on the release it came from; it goes to the tail wave."""

    rollout: int
    cluster: str


@dataclass(frozen=True, slots=True)
class ClusterFailed:
    """A cluster failed in this rollout."""

    rollout: int
    group: str
    cluster: str
    cause: str


@dataclass(frozen=True, slots=True)
class SlotFreed:
    """A failed cluster was observed healthy and settled, or acknowledged: it no longer counts as in flight."""

    rollout: int
    cluster: str


@dataclass(frozen=True, slots=True)
class ClusterQuarantined:
    """A failed cluster is set apart until a person acknowledges the number."""

    rollout: int
    group: str
    cluster: str
    number: int


@dataclass(frozen=True, slots=True)
class ClusterReleased:
    """A quarantined cluster was acknowledged; it goes to the tail wave."""

    rollout: int
    cluster: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A numbered stop: a halt of a group or the fleet, or of one cluster (quarantine, changed by others)."""

    scope: str
    number: int
    kind: StopKind
    detail: str
    by: str
    cluster: str | None = None
    suspect: Target | None = None
    """The release that a halt's failures speak against."""
    rollout: int | None = None
    wave: int | None = None
    """The wave whose failures caused a halt."""


@dataclass(frozen=True, slots=True)
class StopAcknowledged:
    """A person lifted a numbered stop; a halt's failures are forgiven."""

    scope: str
    number: int
    by: str
    rollout: int | None = None


@dataclass(frozen=True, slots=True)
class GroupJudged:
    """What a cycle said of a group, where it differs from the last word."""

    group: str
    target: str
    sentence: str
    done: int
    in_flight: int
    of: int
    holds: tuple[tuple[str, str, str], ...] = ()
    """Reason, detail, cluster (empty where it concerns the group)."""
    begun: tuple[tuple[str, str, str], ...] = ()
    """Those of ``holds`` that were not among the last word's."""
    rollout: int | None = None
    kind: RolloutKind = RolloutKind.SOFTWARE


Entry = (
    RevisionSeen
    | TargetDeclared
    | RequestTaken
    | RolloutPlanned
    | RolloutEnded
    | OrderPassed
    | TargetReached
    | ClusterJoined
    | ClusterLeft
    | ClusterReplaced
    | ClusterSetAside
    | WaveAdmitted
    | WaveFilled
    | SoakCredited
    | WaveSoaked
    | ClusterStarted
    | StartAccepted
    | StartWithdrawn
    | ClusterConverged
    | ClusterReturned
    | ClusterFailed
    | SlotFreed
    | ClusterQuarantined
    | ClusterReleased
    | Stopped
    | StopAcknowledged
    | GroupJudged
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as the ledger gives it back."""

    sequence: int
    """Grows by at least 1 from entry to entry."""
    at: datetime
    entry: Entry
