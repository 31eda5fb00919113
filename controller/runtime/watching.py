"""Observe, second half: every source of live clusters is read at once, each with its own time limit.

A source that cannot be read, or takes too long, makes its own clusters unknown and no others.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime, timedelta

import structlog

from controller.errors import ObservationError
from controller.model.observation import Observation, ObservedCluster, SourceReading, Unknown
from controller.ports import FleetSource, Metrics

_log = structlog.get_logger(__name__)


class Watcher:
    """Reads all sources; a source still busy with an earlier cycle's reading is not asked again meanwhile."""

    def __init__(self, limit: timedelta, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._busy: dict[str, Future[SourceReading]] = {}

    def watch(
        self,
        sources: Sequence[FleetSource],
        known: Mapping[str, ObservedCluster],
        full: frozenset[str],
        now: datetime,
    ) -> Observation:
        """Return what every source shows now; ``known`` is what they showed when last read."""
        readings = self._read_all(sources, full, now)
        clusters: dict[str, ObservedCluster] = {}
        unreachable: dict[str, str] = {}
        for reading in readings:
            if reading.unreachable is None:
                clusters.update(reading.clusters)
            else:
                unreachable[reading.source] = reading.unreachable
                clusters.update(_unseen(reading.source, reading.unreachable, known))
        return Observation(clusters, unreachable)

    def _read_all(self, sources: Sequence[FleetSource], full: frozenset[str], now: datetime) -> Iterator[SourceReading]:
        deadline = time.monotonic() + self._limit.total_seconds()
        asked = {source.name for source in sources if self._is_free(source.name)}
        for source in sources:
            if source.name in asked:
                self._busy[source.name] = _in_background(source, full, now)
        for source in sources:
            if source.name in asked:
                yield self._collect(source.name, max(deadline - time.monotonic(), 0))
            else:
                why = f"source {source.name} has not answered an earlier cycle yet"
                self._metrics.observe_call("source", "failed", 0.0)
                _log.warning("source_unreachable", source=source.name, why=why)
                yield SourceReading(source.name, unreachable=why)

    def _is_free(self, name: str) -> bool:
        """Tell whether no earlier reading is under way; what came too late is thrown away, for it shows the past."""
        if name in self._busy and self._busy[name].done():
            del self._busy[name]
        return name not in self._busy

    def _collect(self, name: str, seconds: float) -> SourceReading:
        began = time.monotonic()
        try:
            reading = self._busy[name].result(timeout=seconds)
        except FutureTimeout:
            why = f"source {name} did not answer within {self._limit.total_seconds():g} s"
            self._metrics.observe_call("source", "failed", time.monotonic() - began)
            _log.warning("source_unreachable", source=name, why=why)
            return SourceReading(name, unreachable=why)
        except ObservationError as error:
            reading = SourceReading(name, unreachable=str(error))
        del self._busy[name]
        outcome = "ok" if reading.unreachable is None else "failed"
        self._metrics.observe_call("source", outcome, time.monotonic() - began)
        if reading.unreachable is not None:
            _log.warning("source_unreachable", source=name, why=reading.unreachable)
        return reading


def _in_background(source: FleetSource, full: frozenset[str], now: datetime) -> "Future[SourceReading]":
    """Read in a thread of its own: one that hangs must not keep a pool's place, nor, as a pool's would, the process."""
    future: Future[SourceReading] = Future()
    threading.Thread(target=_read, args=(future, source, full, now), name=f"read-{source.name}", daemon=True).start()
    return future


def _read(future: "Future[SourceReading]", source: FleetSource, full: frozenset[str], now: datetime) -> None:
    try:
        future.set_result(source.read(full, now))
    except BaseException as error:  # noqa: BLE001 - whoever waits for the reading gets it
        future.set_exception(error)


def _unseen(source: str, why: str, known: Mapping[str, ObservedCluster]) -> Iterator[tuple[str, ObservedCluster]]:
    unknown = Unknown(why)
    for name, cluster in known.items():
        if name.split("/", 1)[0] == source:
            yield name, ObservedCluster(name, cluster.labels, unknown)
