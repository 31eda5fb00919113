"""A gate's two answers, and the public names of the reasons to hold.

A reason's name is never changed once released: people write alerts on it. Each is documented in
``docs/hold-reasons.md``.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class HoldReason(StrEnum):
    """Why something does not move; public names."""

    REVISION_STALE = "RevisionStale"
    REVISION_INVALID = "RevisionInvalid"
    HISTORY_REWRITTEN = "HistoryRewritten"
    NOT_OBSERVED = "NotObserved"
    FLEET_HALTED = "FleetHalted"
    GROUP_HALTED = "GroupHalted"
    RELEASE_SUSPECT = "ReleaseSuspect"
    FROZEN = "Frozen"
    OUTSIDE_WINDOW = "OutsideWindow"
    WINDOW_TOO_SHORT = "WindowTooShort"
    GROUP_ORDER = "GroupOrder"
    GROUP_NOT_ON_TARGET = "GroupNotOnTarget"
    WAVE_UNDER_WAY = "WaveUnderWay"
    SOAKING = "Soaking"
    APPROVAL_MISSING = "ApprovalMissing"
    GATE_FAILED = "GateFailed"
    GATE_UNANSWERED = "GateUnanswered"
    LIMIT_REACHED = "LimitReached"
    NEVER_TOGETHER = "NeverTogether"
    BREAKER_OPEN = "BreakerOpen"
    OTHER_WAVE_FIRST = "OtherWaveFirst"
    CLUSTER_UNSETTLED = "ClusterUnsettled"
    CLUSTER_HELD = "ClusterHeld"
    CLUSTER_UNHEALTHY = "ClusterUnhealthy"
    CLUSTER_MISSING = "ClusterMissing"
    CLUSTER_QUARANTINED = "ClusterQuarantined"
    CLAIMED_TWICE = "ClaimedTwice"
    SEEN_TWICE = "SeenTwice"
    OWNED_ELSEWHERE = "OwnedElsewhere"
    AHEAD_OF_TARGET = "AheadOfTarget"
    CHANGED_BY_OTHERS = "ChangedByOthers"
    UNKNOWN_PAST_DEADLINE = "UnknownPastDeadline"
    NO_LEGAL_HOP = "NoLegalHop"
    RELEASE_BLOCKED = "ReleaseBlocked"
    RISK_NOT_ACCEPTED = "RiskNotAccepted"
    OPERATOR_UNSUPPORTED = "OperatorUnsupported"
    WRITE_REFUSED = "WriteRefused"


STANDS_STILL = frozenset(
    {
        HoldReason.REVISION_INVALID,
        HoldReason.HISTORY_REWRITTEN,
        HoldReason.FLEET_HALTED,
        HoldReason.GROUP_HALTED,
        HoldReason.RELEASE_SUSPECT,
        HoldReason.APPROVAL_MISSING,
        HoldReason.RELEASE_BLOCKED,
        HoldReason.RISK_NOT_ACCEPTED,
    }
)
"""Where one of these holds a whole group, no time lifts it: a person must act first."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The gate has no objection."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The gate objects until the situation changes."""

    reason: HoldReason
    detail: str
    """One sentence for people, with every number and what to do next where a person must act."""
    recheck_at: datetime | None = None
    """The earliest moment the answer can differ by time alone; None when only an event can change it."""
    cluster: str | None = None
    """Full name, where the hold concerns one cluster alone."""

    @property
    def stands_still(self) -> bool:
        """It holds more than one cluster, and only a person lifts it."""
        return self.cluster is None and self.reason in STANDS_STILL

    def of(self, cluster: str) -> "Hold":
        """Return this hold as one of ``cluster`` alone."""
        return replace(self, cluster=cluster)


Verdict = Pass | Hold
PASS = Pass()


@dataclass(frozen=True, slots=True)
class Answer:
    """One gate's verdict with the gate's name, for ``explain``."""

    gate: str
    verdict: Verdict
