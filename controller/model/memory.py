"""What one cycle hands to the next without recording it. All of it may be lost: it then begins again.

Samples begin anew after a restart, and a soak goes on from its last recorded credit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.history.records import RolloutRecord
from controller.model.declaration import Declaration
from controller.model.drift import Drift
from controller.model.membership import Membership
from controller.model.observation import ObservedCluster
from controller.model.view import GroupView, WaveView
from controller.versions import Target


@dataclass(frozen=True, slots=True)
class Samples:
    """Consecutive observations of one cluster that say the same."""

    healthy: int = 0
    """On target, settled and healthy."""
    unhealthy: int = 0
    absent: int = 0
    """Not listed by a source that could be read."""


@dataclass(frozen=True, slots=True)
class Soak:
    """How far one wave's soak has come."""

    soaked: timedelta
    at: datetime
    """The last cycle that was judged."""
    healthy: bool
    """Every converged cluster of the wave was healthy in that cycle."""
    credited_at: datetime
    """When the ledger was last told."""
    behind: str = ""
    """Why the time does not count though all are healthy: a consumer group that fell behind."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Handed from cycle to cycle."""

    samples: Mapping[str, Samples] = field(default_factory=dict)
    """By cluster; only clusters in a rollout that has something to count."""
    soaks: Mapping[tuple[int, int], Soak] = field(default_factory=dict)
    """By rollout and wave number."""
    known: Mapping[str, ObservedCluster] = field(default_factory=dict)
    """The last list of each source, so that clusters of an unreachable one keep their labels and groups."""
    gates: Mapping[tuple[str, str, Target | None], int] = field(default_factory=dict)
    """By group, external gate and the target asked about: in how many consecutive cycles it passed."""
    membership: Membership | None = None
    """Whose each of ``known`` is by ``declaration``."""
    drifts: Mapping[str, Drift] = field(default_factory=dict)
    """By group."""
    declaration: Declaration | None = None
    rollouts: Mapping[int, RolloutRecord] = field(default_factory=dict)
    """As they were recorded when that cycle began."""
    waves: Mapping[int, tuple[WaveView, ...]] = field(default_factory=dict)
    """By rollout: how its waves were shown."""
    rested: Mapping[str, GroupView] = field(default_factory=dict)
    """By group: what was said of those at rest on target, where that cycle decided nothing at all."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """By cluster: Kafka's cluster id as it was last seen, so that one seen twice is held while its twin is unknown."""
