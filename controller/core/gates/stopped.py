"""The stopped gate: a quarantined cluster, or one that somebody else changed, waits for a person."""

from collections.abc import Collection, Iterable

from controller.history.records import Stop, StopKind
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def stopped(stops: Iterable[Stop], group: str, declared: Collection[str]) -> Verdict:
    """Hold while any of ``stops``, which all concern one cluster of ``group``, is not acknowledged.

    A cluster that moved may be stopped under the number of another group, which may not be declared any more.
    """
    for stop in stops:
        if stop.acknowledged_at is None:
            quarantined = stop.kind is StopKind.QUARANTINE
            reason = HoldReason.CLUSTER_QUARANTINED if quarantined else HoldReason.CHANGED_BY_OTHERS
            return Hold(reason, f"{stop.detail}; to go on {_what_lifts(stop, group, declared)}")
    return PASS


def _what_lifts(stop: Stop, group: str, declared: Collection[str]) -> str:
    if stop.scope not in declared:
        return f"run: wavefleet resume {stop.scope} --number {stop.number} ({stop.scope} is not declared any more)"
    where = "" if stop.scope == group else f" in group {stop.scope}"
    return f"merge acknowledge: [{stop.id}]{where}"
