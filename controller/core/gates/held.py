"""The held gate: a cluster that a person holds, in Git or by annotation, is not started."""

from collections.abc import Iterable
from datetime import datetime

from controller.model.declaration import ClusterHold
from controller.model.durations import format_moment
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def held(holds: Iterable[ClusterHold], annotation: str | None, now: datetime) -> Verdict:
    """Hold while any of ``holds``, which all name the cluster, is in force, or its annotation is set."""
    for hold in holds:
        if hold.until is None or now < hold.until:
            until = "" if hold.until is None else f" until {format_moment(hold.until, now)}"
            return Hold(
                HoldReason.CLUSTER_HELD, f"held in Git ({hold.place}){until}: {hold.reason}", recheck_at=hold.until
            )
    if annotation is not None:
        return Hold(HoldReason.CLUSTER_HELD, f"held by its annotation wavefleet.io/hold: {annotation}")
    return PASS
