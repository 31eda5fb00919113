"""The settled gate: a cluster that is being changed, by whomever, is left alone until that is done."""

from controller.model.observation import Reading
from controller.model.verdict import PASS, Hold, HoldReason, Verdict
from controller.versions import Target


def arrived(bound_for: Target | None) -> Verdict:
    """Hold while the cluster is on its way anywhere; all that is asked of one that failed and goes down."""
    if bound_for is None:
        return PASS
    return Hold(HoldReason.CLUSTER_UNSETTLED, f"it was started for {bound_for}, which is not done yet")


def settled(reading: Reading, *, in_flight: bool) -> Verdict:
    """Hold while the cluster is in flight for another rollout, or its operator still works on it."""
    if in_flight:
        return Hold(HoldReason.CLUSTER_UNSETTLED, "it is in flight for an earlier rollout")
    if not reading.settled:
        progress = f", {reading.progress}" if reading.progress else ""
        return Hold(
            HoldReason.CLUSTER_UNSETTLED, f"its operator is not done with it{progress} (asked for {reading.wanted})"
        )
    if reading.highest != reading.release:
        return Hold(
            HoldReason.CLUSTER_UNSETTLED,
            f"its brokers run {reading.release} to {reading.highest}, and nobody is rolling them; bring them together",
        )
    if reading.wanted != reading.release:
        return Hold(
            HoldReason.CLUSTER_UNSETTLED, f"it runs {reading.release} and its resource asks for {reading.wanted}"
        )
    return PASS
