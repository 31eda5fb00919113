"""What one controller process crosses: the outside world's effects, each with a boundary before and after it.

At a boundary a test may let the process crash, its ledger fail, another process take over, or anything else happen.
What is crossed keeps its promise; only the process that crosses it may be gone.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

from controller.errors import LeaseLost
from controller.history.entries import ClusterStarted, Entry, Recorded
from controller.ledger.opened import OpenLedger
from controller.model.declaration import Declaration
from controller.model.observation import SourceReading
from controller.model.outbox import Message
from controller.model.plan import Start
from controller.model.requests import Request
from controller.ports import FleetSource, Head
from tests.simulation.repository import MemoryRepository

TURN_SECONDS = 20.0
"""How long a write waits for those before it at most."""


class Crash(BaseException):
    """The process is gone."""


def crash() -> NoReturn:
    """Let the process be gone."""
    raise Crash


class Boundaries:
    """What one process crosses: every boundary by name, in order."""

    def __init__(self) -> None:
        self.crossed: list[str] = []
        self.at: dict[str | int, Callable[[], None]] = {}
        """What happens at a boundary, once; by its name, or by how many are crossed with it."""
        self._is_dead = False
        self._turn = threading.Lock()

    def cross(self, name: str) -> None:
        """Go on, or let happen what is to happen here; a dead process crosses nothing more."""
        if self._is_dead:
            raise Crash
        with self._turn:  # sources are read side by side
            self.crossed.append(name)
            happen = self.at.pop(name, None) or self.at.pop(len(self.crossed), None)
        try:
            if happen is not None:
                happen()
        except Crash:
            self._is_dead = True
            raise

    def fail(self, name: str, error: Exception) -> None:
        """Let ``error`` be raised when ``name`` is crossed next."""

        def raise_error() -> NoReturn:
            raise error

        self.at[name] = raise_error


class CrossedRepository:
    """A repository whose calls are crossed."""

    def __init__(self, within: MemoryRepository, boundaries: Boundaries) -> None:
        self._within = within
        self._boundaries = boundaries

    def fetch(self, since: str | None) -> Head:
        """Ask for the head."""
        self._boundaries.cross("fetch")
        return self._within.fetch(since)

    def load(self, revision: str) -> Declaration:
        """Return what is declared."""
        return self._within.load(revision)

    def declared_by(self, since: str, head: str) -> Mapping[str, str]:
        """Return who declared what."""
        return self._within.declared_by(since, head)


class CrossedLedger:
    """A ledger whose effects are crossed; a cycle's first record is its plan, its second what became of the writes."""

    def __init__(self, within: OpenLedger, boundaries: Boundaries) -> None:
        self._within = within
        self._boundaries = boundaries
        self._records = 0
        self.starts: list[str] = []
        """Clusters whose start this cycle recorded, in order."""
        self.is_taken_over = False
        """Another process has the lease by now, though the ledger within is the same."""

    def new_cycle(self) -> None:
        """Count records anew."""
        self._records, self.starts = 0, []

    def bind(self, fleet: str) -> None:
        """Belong to ``fleet``."""
        self._within.bind(fleet)

    def read(self, after: int = 0) -> Iterable[Recorded]:
        """Yield what is recorded."""
        return self._within.read(after)

    def record(self, entries: Sequence[Entry], at: datetime) -> None:
        """Append ``entries``."""
        self._records += 1
        what = "record of the plan" if self._records == 1 else "record of outcomes"
        self.starts += [entry.cluster for entry in entries if isinstance(entry, ClusterStarted)]
        self._boundaries.cross(f"before {what}")
        self._require()
        self._within.record(entries, at)
        self._boundaries.cross(f"after {what}")

    def holds_lease(self) -> bool:
        """Tell whether the ledger within holds it, for this process."""
        return not self.is_taken_over and self._within.holds_lease()

    def requests(self) -> tuple[Request, ...]:
        """Return what people asked for."""
        return self._within.requests()

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Put messages into the outbox."""
        self._boundaries.cross("before queue")
        self._require()
        self._within.queue(messages, reported, at)
        self._boundaries.cross("after queue")

    def reported(self) -> int:
        """Return up to where people were told."""
        return self._within.reported()

    def _require(self) -> None:
        if self.is_taken_over:
            raise LeaseLost("another process took over")


class WriteOrder:
    """Lets the writes of a cycle, which are made side by side, go one by one in the order of the plan."""

    def __init__(self, ledger: CrossedLedger) -> None:
        self._ledger = ledger
        self._turn = threading.Condition()
        self._done = 0

    def new_cycle(self) -> None:
        """Begin with the first one."""
        self._done = 0

    @contextmanager
    def turn_of(self, cluster: str) -> Iterator[None]:
        """Wait for those before it, and let the next one go in the end."""
        assert self._ledger.holds_lease(), f"one-writer: {cluster} is written by a process without the lease"
        place = self._ledger.starts.index(cluster)
        with self._turn:
            assert self._turn.wait_for(lambda: self._done >= place, TURN_SECONDS), "its turn never came"
            try:
                yield
            finally:
                self._done += 1
                self._turn.notify_all()


class CrossedSource:
    """A source whose writes are crossed, and made in their turn, so that the n-th is always the same."""

    def __init__(self, within: FleetSource, order: WriteOrder, boundaries: Boundaries) -> None:
        self._within = within
        self._order = order
        self._boundaries = boundaries

    @property
    def name(self) -> str:
        """The source's name."""
        return self._within.name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Read the source within."""
        self._boundaries.cross("read")
        return self._within.read(full, now)

    def start(self, start: Start, now: datetime) -> None:
        """Write to the source within, when its turn has come."""
        with self._order.turn_of(start.cluster):
            self._boundaries.cross(f"before start {start.cluster}")
            self._within.start(start, now)
            self._boundaries.cross(f"after start {start.cluster}")
