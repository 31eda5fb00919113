"""Asks many outside things at once, all within one time limit, on a bounded number of threads.

What gives no answer in time costs neither the others nor the cycle more than the limit. One that still hangs is not
asked again meanwhile; where too many hang, those that could not be asked come first the next time.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Missed(Enum):
    """Why there is no answer."""

    BUSY = auto()
    """It has not answered an earlier question yet."""
    LATE = auto()
    """It did not answer within the limit."""
    LEFT_OUT = auto()
    """It was not asked, since too many others took their time."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[V]):
    """An answer."""

    value: V
    seconds: float
    """How long it took."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[K, V]):
    key: K
    ask: Callable[[], V]
    future: "Future[Answered[V]]"


class AtOnce(Generic[K, V]):
    """Asks; from one thread."""

    def __init__(self, name: str, most: int, limit_seconds: float) -> None:
        self._name = name
        """Of its threads."""
        self._most = most
        """So many are asked at once, those of earlier times that still hang included."""
        self._limit_seconds = limit_seconds
        self._busy: dict[K, Future[Answered[V]]] = {}
        self._left_out: set[K] = set()
        """Could not be asked the last time."""

    def ask_all(self, questions: Mapping[K, Callable[[], V]]) -> Iterator[tuple[K, Answered[V] | Missed]]:
        """Yield what each answers; a question that raises is a bug, and raises here."""
        # What came too late is thrown away, for it answers an old question.
        self._busy = {key: future for key, future in self._busy.items() if not future.done()}
        waiting = sorted((key for key in questions if key not in self._busy), key=self._is_not_urgent)
        for key in questions.keys() & self._busy.keys():
            yield key, Missed.BUSY
        self._left_out = set()
        calls: list[_Call[K, V]] = [_Call(key, questions[key], Future()) for key in waiting]
        began = time.monotonic()
        threads = min(len(calls), self._most - len(self._busy))
        self._work(calls, threads)
        deadline = began + (self._limit_seconds if threads else 0)
        for call in calls:
            yield call.key, self._collect(call, max(deadline - time.monotonic(), 0))

    def _is_not_urgent(self, key: K) -> bool:
        return key not in self._left_out

    def _work(self, calls: Sequence[_Call[K, V]], threads: int) -> None:
        queue: SimpleQueue[_Call[K, V]] = SimpleQueue()
        for call in calls:
            queue.put(call)
        for _ in range(threads):
            threading.Thread(target=_ask_in_turn, args=(queue,), name=self._name, daemon=True).start()

    def _collect(self, call: _Call[K, V], seconds: float) -> Answered[V] | Missed:
        try:
            return call.future.result(timeout=seconds)
        except FutureTimeout:
            if call.future.cancel():
                self._left_out.add(call.key)
                return Missed.LEFT_OUT
            self._busy[call.key] = call.future
            return Missed.LATE


def _ask_in_turn(queue: "SimpleQueue[_Call[K, V]]") -> None:
    while True:
        try:
            call = queue.get_nowait()
        except Empty:
            return
        if not call.future.set_running_or_notify_cancel():
            continue
        began = time.monotonic()
        try:
            value = call.ask()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it
            call.future.set_exception(error)
        else:
            call.future.set_result(Answered(value, time.monotonic() - began))
