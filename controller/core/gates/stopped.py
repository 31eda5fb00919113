"""The stopped gate: a quarantined cluster, or one that somebody else changed, waits for a person."""

from collections.abc import Iterable

from controller.model.history import Stop, StopKind
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def stopped(stops: Iterable[Stop]) -> Verdict:
    """Hold while any of ``stops``, which all concern the cluster, is not acknowledged."""
    for stop in stops:
        if stop.acknowledged_at is None:
            quarantined = stop.kind is StopKind.QUARANTINE
            reason = HoldReason.CLUSTER_QUARANTINED if quarantined else HoldReason.CHANGED_BY_OTHERS
            return Hold(reason, f"{stop.detail}; to go on merge acknowledge: [{stop.id}]")
    return PASS
