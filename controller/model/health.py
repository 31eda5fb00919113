"""What counts as healthy: the checks that brokers are put to, and what a group makes of each.

Definitions: ``docs/health.md``. Whoever asks the brokers says what each check found; what that does to a start is
judged by the group's own settings, in the core.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.observation import Severity

CHECKS: Mapping[str, Severity] = {
    "offline_partitions": Severity.BLOCK,
    "under_min_isr": Severity.BLOCK,
    "under_replicated": Severity.WAIT,
    "at_min_isr": Severity.WAIT,
    "rf1_topics": Severity.WARN,
    "no_headroom": Severity.WARN,
    "offline_replicas": Severity.BLOCK,
    "brokers_missing": Severity.WAIT,
    "broker_fenced": Severity.WAIT,
    "quorum_no_leader": Severity.BLOCK,
    "quorum_lagging": Severity.WAIT,
    "quorum_size": Severity.WARN,
    "reassignment": Severity.BLOCK,
    "disk_usage": Severity.BLOCK,
    "disk_error": Severity.BLOCK,
    "consumer_lag": Severity.WARN,
}
"""By check: what it does where a group says nothing else."""

NEEDS_A_SECOND_BROKER = frozenset({"at_min_isr", "no_headroom", "rf1_topics"})
"""On a cluster of one broker these can never be met, and warn whatever a group says.

Not those of the quorum: its voters may be controllers of their own, as many as are wanted.
"""


@dataclass(frozen=True, slots=True)
class Health:
    """What a group's clusters are asked, and what the answers do."""

    asks_brokers: bool = True
    """False = what the resource shows is all that is asked."""
    severities: Mapping[str, Severity | None] = field(default_factory=dict)
    """By check, where it differs from ``CHECKS``; None = not held against anybody."""
    disk_warn: float = 0.80
    """Share of the fullest log directory's disk from which on ``disk_usage`` warns."""
    disk_block: float = 0.85
    """Share from which on it does what its severity says."""
    ignored_topics: tuple[str, ...] = ()
    """Patterns of topics that ``rf1_topics`` and ``no_headroom`` pass over."""
    consumer_groups: tuple[str, ...] = ()
    """Whose lag is read."""
    lag_above: int = 10_000
    """Records: less lag than this is nobody's concern."""
