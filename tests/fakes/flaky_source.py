"""Sources of live clusters that fail on purpose, around one that works: for crash tests and the simulation.

``FlakySource`` draws its faults from a Random, so a seed gives the same bad day again. ``HangingSource`` does not
answer until it is let go. Both keep the promises of ``ports.FleetSource``, which allows all of this.
"""

import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from controller.errors import ApplyInDoubt, ApplyRefused, ObservationError
from controller.model.observation import ObservedCluster, Reading, SourceReading, Unknown
from controller.model.plan import Start
from controller.ports import FleetSource


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often what goes wrong, each a chance from 0 to 1."""

    unreadable: float = 0.0
    """Of a read: the source raises ObservationError."""
    stale: float = 0.0
    """Of a read: it shows what it showed the last time."""
    unknown: float = 0.0
    """Of each cluster in a read."""
    refused: float = 0.0
    """Of a start: it raises ApplyRefused, and nothing began."""
    lost: float = 0.0
    """Of a start: it raises ApplyInDoubt, and nothing began."""
    unseen: float = 0.0
    """Of a start: it raises ApplyInDoubt after the wish was taken."""


CALM = Trouble()
"""Nothing goes wrong."""


class FlakySource:
    """A FleetSource around ``source`` that fails as ``trouble`` says, and reads in full only what it is asked to."""

    def __init__(self, source: FleetSource, random: Random, trouble: Trouble) -> None:
        self.trouble = trouble
        """May be changed at any time; ``CALM`` ends all faults."""
        self.faults: Counter[str] = Counter()
        """How often each fault happened, by its name in Trouble."""
        self._source = source
        self._random = random
        self._last: SourceReading | None = None

    @property
    def name(self) -> str:
        """The name of the source within."""
        return self._source.name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return what the source within shows, or fail."""
        if self._happens("unreadable"):
            raise ObservationError(f"source {self.name}: connection reset (injected)")
        if self._last is not None and self._happens("stale"):
            return self._last
        within = self._source.read(full, now)
        clusters = {name: self._shown(cluster, full) for name, cluster in within.clusters.items()}
        self._last = replace(within, clusters=clusters)
        return self._last

    def start(self, start: Start, now: datetime) -> None:
        """Hand the wish on, or fail before or after that."""
        if self._happens("refused"):
            raise ApplyRefused(f"{start.cluster}: admission webhook says no (injected)")
        if self._happens("lost"):
            raise ApplyInDoubt(f"{start.cluster}: no answer, and the wish was lost (injected)")
        self._source.start(start, now)
        if self._happens("unseen"):
            raise ApplyInDoubt(f"{start.cluster}: no answer, and the wish was taken (injected)")

    def _shown(self, cluster: ObservedCluster, full: frozenset[str]) -> ObservedCluster:
        if self._happens("unknown"):
            return replace(cluster, reading=Unknown("no broker answers (injected)"))
        if isinstance(cluster.reading, Reading) and cluster.name not in full:
            return replace(cluster, reading=replace(cluster.reading, full=False, findings=()))
        return cluster

    def _happens(self, fault: str) -> bool:
        chance: float = getattr(self.trouble, fault)
        if chance <= 0 or self._random.random() >= chance:
            return False
        self.faults[fault] += 1
        return True


class HangingSource:
    """A FleetSource around ``source`` whose answers do not come until ``let_go``, or fail at its limit."""

    def __init__(self, source: FleetSource, limit_seconds: float = 30.0) -> None:
        self.entered = threading.Event()
        """Somebody waits for an answer."""
        self._source = source
        self._limit_seconds = limit_seconds
        self._free = threading.Event()

    @property
    def name(self) -> str:
        """The name of the source within."""
        return self._source.name

    def let_go(self) -> None:
        """Answer from now on, also those who wait."""
        self._free.set()

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return what the source within shows, once it is let go."""
        self.entered.set()
        if not self._free.wait(self._limit_seconds):
            raise ObservationError(f"source {self.name}: no answer within {self._limit_seconds:g} seconds (injected)")
        return self._source.read(full, now)

    def start(self, start: Start, now: datetime) -> None:
        """Hand the wish on, once it is let go."""
        self.entered.set()
        if not self._free.wait(self._limit_seconds):
            raise ApplyInDoubt(f"{start.cluster}: no answer within {self._limit_seconds:g} seconds (injected)")
        self._source.start(start, now)
