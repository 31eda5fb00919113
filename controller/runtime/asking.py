"""Observe, third part: external gates are asked all at once, each with its own time limit.

Asked are the groups that the last plan named, of what that plan was about. A gate that gives no answer in time is
unanswered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from controller.model.declaration import Declaration, ExternalGate, PrometheusGate
from controller.model.observation import GateReading
from controller.model.plan import GateSubject
from controller.ports import ExternalGates, GateQuestion, Metrics
from controller.runtime.at_once import Answered, AtOnce, Missed

AT_ONCE_MAX = 32
"""So many gates are asked at once."""
GRACE = timedelta(seconds=1)
"""A gate keeps its limit itself, with a better sentence; only what it cannot see is cut off here, so much later."""

_log = structlog.get_logger(__name__)
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Call:
    """One gate to be asked."""

    gate: ExternalGate
    question: GateQuestion

    @property
    def key(self) -> _Key:
        return self.question.group, self.gate.name

    @property
    def system(self) -> str:
        return "prometheus" if isinstance(self.gate, PrometheusGate) else "webhook"


class NoGates:
    """Stands where nothing outside may be asked."""

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        """Say so."""
        del gate, question
        return GateReading(passed=None, detail="external gates are not asked here")


class Asker:
    """Asks gates; one still busy with an earlier cycle's question is not asked again meanwhile."""

    def __init__(self, gates: ExternalGates, limit: timedelta, metrics: Metrics) -> None:
        self._gates = gates
        self._limit_seconds = limit.total_seconds()
        self._metrics = metrics
        self._at_once = AtOnce[_Key, GateReading]("ask-gates", AT_ONCE_MAX, self._limit_seconds)

    def ask(
        self, declaration: Declaration, subjects: Mapping[str, GateSubject], now: datetime
    ) -> Mapping[_Key, GateReading]:
        """Return what each gate of the groups in ``subjects`` answers now; a group gone meanwhile has none."""
        calls = {call.key: call for call in _calls(declaration, subjects, now)}
        questions = {key: partial(self._gates.ask, call.gate, call.question) for key, call in calls.items()}
        answers = self._at_once.ask_all(questions)
        readings = {key: self._reading(calls[key], answer) for key, answer in answers}
        return {key: replace(reading, about=subjects[key[0]].target) for key, reading in readings.items()}

    def _reading(self, call: _Call, answer: Answered[GateReading] | Missed) -> GateReading:
        if isinstance(answer, Missed):
            late = answer is Missed.LATE
            return self._unanswered(call, self._why(answer), self._limit_seconds if late else 0.0)
        if answer.value.passed is None:
            return self._unanswered(call, answer.value.detail, answer.seconds)
        self._metrics.observe_call(call.system, "ok", answer.seconds)
        return answer.value

    def _why(self, missed: Missed) -> str:
        match missed:
            case Missed.BUSY:
                return "it has not answered the question of an earlier cycle yet"
            case Missed.LATE:
                return f"it did not answer within {self._limit_seconds:g} s"
            case Missed.LEFT_OUT:
                return f"it was not asked, since {AT_ONCE_MAX} other gates did not answer in time"

    def _unanswered(self, call: _Call, why: str, seconds: float) -> GateReading:
        self._metrics.observe_call(call.system, "failed", seconds)
        _log.warning("gate_unanswered", group=call.question.group, gate=call.gate.name, why=why)
        return GateReading(passed=None, detail=why)


def _calls(declaration: Declaration, subjects: Mapping[str, GateSubject], now: datetime) -> Iterator[_Call]:
    for name, subject in subjects.items():
        group = declaration.group(name)
        if group is None:
            continue
        question = GateQuestion(declaration.fleet, name, subject.target, subject.kind, now)
        for gate in group.gates:
            yield _Call(gate, question)
