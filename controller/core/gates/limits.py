"""The limits gate: never more clusters in flight than the fleet, the wave and each failure domain allow.

What was started counts until it was seen converged; what failed counts until it was seen healthy and settled, or a
person acknowledged it; what cannot be seen keeps its slot.
"""

from collections.abc import Iterable, Sequence

from controller.model.durations import counted
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def limits(*, fleet: int, fleet_max: int, group: int, wave_max: int) -> Verdict:
    """Hold while the fleet or the group has no free slot."""
    if fleet >= fleet_max:
        return Hold(HoldReason.LIMIT_REACHED, f"{counted(fleet)} in flight over the fleet, its limit is {fleet_max}")
    if group >= wave_max:
        return Hold(
            HoldReason.LIMIT_REACHED, f"{counted(group)} in flight in the group, the wave's limit is {wave_max}"
        )
    return PASS


def free_slots(*, fleet: int, fleet_max: int, group: int, wave_max: int) -> int:
    """Return how many more may start; 0 where the gate holds."""
    return max(min(fleet_max - fleet, wave_max - group), 0)


def domains(counts: Iterable[tuple[str, str, int, int]], unplaced: Sequence[str] = ()) -> Verdict:
    """Hold where a domain of the cluster is full; ``counts``: label, value, clusters in flight, and their limit.

    ``unplaced`` are in flight or soaking and not listed now: each of them may share a domain, or never go together.
    """
    if unplaced:
        return Hold(
            HoldReason.NOT_OBSERVED,
            f"{unplaced[0]} is in flight or soaking and is not listed now, so nobody knows which labels both have",
        )
    for label, value, count, limit in counts:
        if count >= limit:
            return Hold(
                HoldReason.LIMIT_REACHED, f"{counted(count)} in flight in {label} {value}, its limit is {limit}"
            )
    return PASS
