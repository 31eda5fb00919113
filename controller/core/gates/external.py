"""The external gates: what another system is asked before a wave or a cluster starts. No answer holds too."""

from controller.model.declaration import ExternalGate
from controller.model.observation import GateReading
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def external(gate: ExternalGate, reading: GateReading | None, passed: int) -> Verdict:
    """Hold until the gate passed in enough consecutive cycles; ``passed`` counts them, this one included."""
    if reading is None:
        return Hold(
            HoldReason.GATE_UNANSWERED, f"{gate.name} was not asked about this target yet; it is before anything starts"
        )
    if reading.passed is None:
        return Hold(HoldReason.GATE_UNANSWERED, f"{gate.name} gave no answer: {reading.detail}")
    if not reading.passed:
        return Hold(HoldReason.GATE_FAILED, f"{gate.name} says no: {reading.detail}")
    if passed < gate.samples:
        return Hold(
            HoldReason.GATE_UNANSWERED,
            f"{gate.name} passed {passed} of {gate.samples} times in a row: {reading.detail}",
        )
    return PASS
