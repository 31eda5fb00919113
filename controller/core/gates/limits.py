"""The limits gate: never more clusters in flight than the fleet and the wave allow.

What was started counts until it was seen converged; what failed counts until it was seen healthy and settled, or a
person acknowledged it; what cannot be seen keeps its slot.
"""

from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def limits(*, fleet: int, fleet_max: int, group: int, wave_max: int) -> Verdict:
    """Hold while the fleet or the group has no free slot."""
    if fleet >= fleet_max:
        return Hold(
            HoldReason.LIMIT_REACHED, f"{fleet} clusters are in flight over the fleet, its limit is {fleet_max}"
        )
    if group >= wave_max:
        return Hold(
            HoldReason.LIMIT_REACHED, f"{group} clusters are in flight in the group, the wave's limit is {wave_max}"
        )
    return PASS


def free_slots(*, fleet: int, fleet_max: int, group: int, wave_max: int) -> int:
    """Return how many more may start; 0 where the gate holds."""
    return max(min(fleet_max - fleet, wave_max - group), 0)
