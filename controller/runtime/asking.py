"""Observe, third part: external gates are asked all at once, each with its own time limit.

Asked are the groups that the last plan named, of what that plan was about. A gate that gives no answer in time is
unanswered, and costs neither the others nor the cycle more than the limit. Threads are bounded: where too many gates
hang, those that could not be asked say so, and come first the next time.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

import structlog

from controller.model.declaration import Declaration, ExternalGate, PrometheusGate
from controller.model.observation import GateReading
from controller.model.plan import GateSubject
from controller.ports import ExternalGates, GateQuestion, Metrics

AT_ONCE_MAX = 32
"""So many gates are asked at once, those of earlier cycles that still hang included."""
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


@dataclass(frozen=True, slots=True)
class _Answered:
    reading: GateReading
    seconds: float


_Waiting = tuple[_Call, "Future[_Answered]"]


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
        self._busy: dict[_Key, Future[_Answered]] = {}
        self._left_out: set[_Key] = set()
        """Could not be asked in the last cycle."""

    def ask(
        self, declaration: Declaration, subjects: Mapping[str, GateSubject], now: datetime
    ) -> Mapping[_Key, GateReading]:
        """Return what each gate of the groups in ``subjects`` answers now; a group gone meanwhile has none."""
        # What came too late is thrown away, for it answers an old question.
        self._busy = {key: future for key, future in self._busy.items() if not future.done()}
        calls = tuple(_calls(declaration, subjects, now))
        readings = {
            call.key: self._unanswered(call, "it has not answered the question of an earlier cycle yet", 0.0)
            for call in calls
            if call.key in self._busy
        }
        waiting = sorted((call for call in calls if call.key not in readings), key=self._is_not_urgent)
        readings.update(self._ask_all(waiting))
        return {key: replace(reading, about=subjects[key[0]].target) for key, reading in readings.items()}

    def _is_not_urgent(self, call: _Call) -> bool:
        return call.key not in self._left_out

    def _ask_all(self, calls: Sequence[_Call]) -> Iterator[tuple[_Key, GateReading]]:
        self._left_out = set()
        began = time.monotonic()
        asked: list[_Waiting] = [(call, Future()) for call in calls]
        threads = min(len(asked), AT_ONCE_MAX - len(self._busy))
        self._work(asked, threads)
        deadline = began + (self._limit_seconds if threads else 0)
        for call, future in asked:
            yield call.key, self._collect(call, future, max(deadline - time.monotonic(), 0))

    def _work(self, asked: Sequence[_Waiting], threads: int) -> None:
        queue: SimpleQueue[_Waiting] = SimpleQueue()
        for waiting in asked:
            queue.put(waiting)
        for _ in range(threads):
            threading.Thread(target=_ask_in_turn, args=(self._gates, queue), name="ask-gates", daemon=True).start()

    def _collect(self, call: _Call, future: "Future[_Answered]", seconds: float) -> GateReading:
        began = time.monotonic()
        try:
            answered = future.result(timeout=seconds)
        except FutureTimeout:
            return self._give_up(call, future, time.monotonic() - began)
        if answered.reading.passed is None:
            return self._unanswered(call, answered.reading.detail, answered.seconds)
        self._metrics.observe_call(call.system, "ok", answered.seconds)
        return answered.reading

    def _give_up(self, call: _Call, future: "Future[_Answered]", seconds: float) -> GateReading:
        if future.cancel():
            self._left_out.add(call.key)
            why = f"it was not asked, since {AT_ONCE_MAX} other gates did not answer in time"
            return self._unanswered(call, why, 0.0)
        self._busy[call.key] = future
        return self._unanswered(call, f"it did not answer within {self._limit_seconds:g} s", seconds)

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


def _ask_in_turn(gates: ExternalGates, queue: "SimpleQueue[_Waiting]") -> None:
    while True:
        try:
            call, future = queue.get_nowait()
        except Empty:
            return
        if not future.set_running_or_notify_cancel():
            continue
        began = time.monotonic()
        try:
            reading = gates.ask(call.gate, call.question)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the reading gets it
            future.set_exception(error)
        else:
            future.set_result(_Answered(reading, time.monotonic() - began))
