"""The observation gate: unknown holds. A start needs a full reading of its cluster from this very cycle."""

from controller.model.observation import Reading, Unknown
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def observation(reading: Reading | Unknown | None) -> Verdict:
    """Hold for a cluster that is not listed, could not be read, or was not read in full."""
    if reading is None:
        return Hold(HoldReason.CLUSTER_MISSING, "no source lists it")
    if isinstance(reading, Unknown):
        return Hold(HoldReason.NOT_OBSERVED, f"it could not be read: {reading.why}")
    if not reading.full:
        return Hold(HoldReason.NOT_OBSERVED, "its health was not read in this cycle; it is in the next one")
    return PASS
