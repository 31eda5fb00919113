"""A small world for the runtime's tests: real cycles over a model fleet, every effect of which can be cut short.

``Boundaries`` is crossed before and after each effect; a test may let the process crash there, or anything else
happen. What outlives a process (the ledger, the fleet, the branch, the outbox) outlives it here too.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from controller.ledger.memory import MemoryLedger
from controller.ledger.opened import OpenLedger
from controller.model.declaration import Declaration
from controller.model.entries import ClusterConverged, ClusterStarted, Entry, Recorded, StartWithdrawn
from controller.model.observation import SourceReading
from controller.model.outbox import CommitStatus, Message, ThreadHead, ThreadReply
from controller.model.plan import Plan, Start
from controller.model.requests import Request
from controller.ports import CycleEnd, FleetSource, Head
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Controller, Pace, World
from controller.runtime.report import Audience
from tests.builders import LEVEL_41, MINUTE, NEW, NOON, OLD, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave
from tests.simulation.fleet import Cluster, Fleet, ModelSource
from tests.simulation.process import FixedSources, NoMetrics
from tests.simulation.repository import MemoryRepository

WRITE_LIMIT = timedelta(seconds=30)
TURN_SECONDS = 20.0
"""How long a write waits for those before it at most."""
IN_FLIGHT_MAX = 2
MESSAGES_MAX = 1000
"""More than wait in any test."""
PACE = Pace(MINUTE, 10 * MINUTE, WRITE_LIMIT)
AUDIENCES = (Audience("notes", statuses=True), Audience("slack", threads=True))


class Crash(BaseException):
    """The process is gone."""


class Boundaries:
    """What one process crosses: every boundary by name, in order."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.crossed: list[str] = []
        self.at: dict[str, Callable[[], None]] = {}
        """What happens at a boundary, once."""
        self._crash_at = crash_at
        self._is_dead = False
        self._turn = threading.RLock()

    def cross(self, name: str) -> None:
        """Go on, or let happen what is to happen here; a dead process crosses nothing more."""
        with self._turn:
            if not self._is_dead:
                self.crossed.append(name)
                self._is_dead = len(self.crossed) == self._crash_at
            if self._is_dead:
                raise Crash(name)
            happen = self.at.pop(name, None)
        if happen is not None:
            happen()

    def fail(self, name: str, error: Exception) -> None:
        """Let ``error`` be raised when ``name`` is crossed next."""

        def raise_error() -> NoReturn:
            raise error

        self.at[name] = raise_error


class CountingMetrics(NoMetrics):
    """Keeps what the tests ask about."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.ends: list[CycleEnd] = []
        self.held: list[bool] = []

    def observe_call(self, system: str, outcome: str, seconds: float) -> None:
        """Count it."""
        del seconds
        self.calls[system, outcome] += 1

    def observe_cycle(self, end: CycleEnd) -> None:
        """Keep it."""
        self.ends.append(end)

    def observe_lease(self, *, held: bool) -> None:
        """Keep it."""
        self.held.append(held)


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
        self._within.record(entries, at)
        self._boundaries.cross(f"after {what}")

    def holds_lease(self) -> bool:
        """Tell whether the ledger within holds it."""
        return self._within.holds_lease()

    def requests(self) -> tuple[Request, ...]:
        """Return what people asked for."""
        return self._within.requests()

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Put messages into the outbox."""
        self._boundaries.cross("before queue")
        self._within.queue(messages, reported, at)
        self._boundaries.cross("after queue")

    def reported(self) -> int:
        """Return up to where people were told."""
        return self._within.reported()


class CrossedSource:
    """A source whose writes are crossed, and made in the order of the plan, so that the n-th is always the same."""

    def __init__(self, within: FleetSource, ledger: CrossedLedger, boundaries: Boundaries) -> None:
        self._within = within
        self._ledger = ledger
        self._boundaries = boundaries
        self._turn = threading.Condition()
        self._done = 0

    @property
    def name(self) -> str:
        """The source's name."""
        return self._within.name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Read the source within."""
        self._boundaries.cross("read")
        self._done = 0
        return self._within.read(full, now)

    def start(self, start: Start, now: datetime) -> None:
        """Write to the source within, when its turn has come."""
        place = self._ledger.starts.index(start.cluster)
        with self._turn:
            assert self._turn.wait_for(lambda: self._done >= place, TURN_SECONDS), "its turn never came"
            try:
                self._boundaries.cross(f"before start {start.cluster}")
                self._within.start(start, now)
                self._boundaries.cross(f"after start {start.cluster}")
            finally:
                self._done += 1
                self._turn.notify_all()


def two_waves(target: str = NEW) -> Declaration:
    """Group ``prod``: one cluster first, the rest two at a time, short soaks."""
    waves = (a_wave("canary", "1", MINUTE), a_wave("broad", "rest", MINUTE, most=IN_FLIGHT_MAX))
    return a_declaration(a_group("prod", target, strategy=a_strategy(waves=waves)))


def one_wave() -> Declaration:
    """Group ``prod``: all clusters in one wave, two at a time."""
    return a_declaration(a_group("prod", strategy=a_strategy(waves=(a_wave("all", "rest", MINUTE, most=2),))))


def a_model(name: str, runs: str = OLD, group: str = "prod") -> Cluster:
    """A cluster of two brokers, each of which takes a minute."""
    return Cluster(f"sim/{name}", {"group": group}, [release(runs)] * 2, release(runs), LEVEL_41)


@dataclass
class Stage:
    """All that outlives a process, and the process that runs now."""

    reopen: Callable[[OpenLedger | None], OpenLedger] = lambda before: before or MemoryLedger()
    """Gives the ledger to a new process, from the hands of the one before."""
    pace: Pace = PACE
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOON))
    repository: MemoryRepository = field(default_factory=MemoryRepository)
    told: list[Message] = field(default_factory=list)
    """Every message that came out of the outbox, in order."""
    broken: list[str] = field(default_factory=list)
    """Promises that a write broke."""
    writes: list[Start] = field(default_factory=list)
    metrics: CountingMetrics = field(default_factory=CountingMetrics)
    audiences: Sequence[Audience] = AUDIENCES
    declared: Declaration = field(default_factory=two_waves)
    clusters: int = 4
    delivers: bool = True
    """Channels take what waits after each cycle; else ``deliver`` is called once, in the end."""

    def __post_init__(self) -> None:
        """Let a fleet be there, a revision that declares it, and one process."""
        self.fleet = Fleet(NOON, always_full=True, write_limit=WRITE_LIMIT, witness=self._witness)
        for number in range(1, self.clusters + 1):
            self.fleet.add(a_model(f"prod-{number}"))
        self.repository.commit(self.declared)
        self.ledger: OpenLedger = self.reopen(None)
        self.first_crossed: list[str] = []
        """What the first process crossed, once it is gone."""
        self.new_process()

    def restart(self, crash_at: int | None = None) -> None:
        """Let the process be gone, and start another."""
        self.first_crossed = self.first_crossed or self.boundaries.crossed
        self.ledger = self.reopen(self.ledger)
        self.new_process(crash_at)

    def new_process(self, crash_at: int | None = None) -> None:
        """Start a controller on what is there."""
        self.boundaries = Boundaries(crash_at)
        self.crossed_ledger = CrossedLedger(self.ledger, self.boundaries)
        source = CrossedSource(ModelSource("sim", self.fleet), self.crossed_ledger, self.boundaries)
        self.controller = Controller(
            World(
                CrossedRepository(self.repository, self.boundaries),
                FixedSources([source]),
                self.crossed_ledger,
                self.ledger.outbox,
                self.clock,
                self.metrics,
                self.audiences,
            ),
            self.pace,
        )

    def pass_time(self, by: timedelta = MINUTE) -> None:
        """Let time pass, by default to the next cycle."""
        self.fleet.pass_time(by)
        self.clock.advance(by)

    def cycle(self) -> Plan | None:
        """Let a minute pass and run a cycle; what it queued goes out, whatever becomes of the cycle."""
        self.pass_time()
        self.crossed_ledger.new_cycle()
        try:
            return self.controller.run_cycle()
        finally:
            if self.delivers:
                self.deliver()

    def cycles(self, count: int) -> None:
        """Run some cycles."""
        for _ in range(count):
            self.cycle()

    def deliver(self) -> None:
        """Let every channel take what waits for it; where that comes once in the end, the ledger is not told."""
        outbox, now = self.ledger.outbox, self.clock.now()
        for audience in self.audiences if self.ledger.holds_lease() else ():
            for delivery in outbox.due_together(audience.channel, now, MESSAGES_MAX):
                self.told.append(delivery.message)
                if self.delivers:
                    outbox.delivered(delivery, "told", now)

    @property
    def entries(self) -> list[Entry]:
        """Everything that is recorded."""
        return [each.entry for each in self.ledger.read()]

    @property
    def replies(self) -> Counter[tuple[str, str]]:
        """How often each reply came out, by channel and text."""
        return Counter((each.channel, each.body.text) for each in self.told if isinstance(each.body, ThreadReply))

    @property
    def statuses(self) -> list[CommitStatus]:
        """The commit statuses that came out, in order."""
        return [each.body for each in self.told if isinstance(each.body, CommitStatus)]

    @property
    def heads(self) -> list[ThreadHead]:
        """The threads' first messages that came out, in order."""
        return [each.body for each in self.told if isinstance(each.body, ThreadHead)]

    def is_on(self, target: str = NEW) -> bool:
        """Tell whether every cluster runs ``target``."""
        return all(cluster.runs(release(target)) for cluster in self.fleet.clusters.values())

    def in_flight(self) -> set[str]:
        """Clusters that the ledger holds for started and not for arrived."""
        started: set[str] = set()
        for entry in self.entries:
            if isinstance(entry, ClusterStarted):
                started.add(entry.cluster)
            if isinstance(entry, ClusterConverged | StartWithdrawn):
                started.discard(entry.cluster)
        return started

    def _witness(self, start: Start) -> None:
        """See that a write was recorded before, is still meant, and is within the limits."""
        self.writes.append(start)
        last: ClusterStarted | StartWithdrawn | None = None
        for entry in self.entries:
            if isinstance(entry, ClusterStarted | StartWithdrawn) and entry.cluster == start.cluster:
                last = entry
        if not isinstance(last, ClusterStarted) or (last.target, last.token) != (start.target, start.token):
            self.broken.append(f"record-first: {start.cluster} is written, recorded is {last}")
        rolling = {name for name, cluster in self.fleet.clusters.items() if not cluster.settled}
        if len(rolling | {start.cluster}) > IN_FLIGHT_MAX or len(self.in_flight()) > IN_FLIGHT_MAX:
            self.broken.append(f"in-bounds: {sorted(rolling)} roll, {sorted(self.in_flight())} are recorded")
