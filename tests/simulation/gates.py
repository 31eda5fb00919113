"""Outside systems that groups ask before a start, in memory: they say yes or no, or give no answer.

Asked from threads, so each answer follows from a hash of the seed, the cycle and the gate; what was answered is kept
for the checkers, who count on their own how often in a row a gate said yes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from controller.model.declaration import ExternalGate
from controller.model.observation import GateReading
from controller.ports import GateQuestion

Key = tuple[str, str]
"""Group and gate."""


class GateAnswer(StrEnum):
    """What a gate does with a question."""

    YES = "yes"
    NO = "no"
    NONE = "none"
    """An answer that cannot be used, such as NaN, no data or a time limit that ran out."""


@dataclass(slots=True)
class ModelGates:
    """Keeps the promises of ``ports.ExternalGates``."""

    seed: int = 0
    cycle: Callable[[], int] = lambda: 0
    weights: tuple[int, int, int] = (1, 0, 0)
    """How often each answer is given, in their order."""
    answered: dict[Key, GateAnswer] = field(default_factory=dict)
    """What was answered since somebody cleared this."""

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Answer ``question``."""
        lot = Random(f"{self.seed} {self.cycle()} {question.group} {gate.name}")
        answer = lot.choices(list(GateAnswer), self.weights)[0]
        self.answered[question.group, gate.name] = answer
        match answer:
            case GateAnswer.YES:
                return GateReading(passed=True, detail="0.1 is below 0.25")
            case GateAnswer.NO:
                return GateReading(passed=False, detail="0.3 is not below 0.25")
            case GateAnswer.NONE:
                return GateReading(passed=None, detail="no data")
