"""A small world for the runtime's tests: real cycles over a model fleet, every effect of which can be cut short.

What a process crosses is in ``crossed.py``. What outlives a process (the ledger, the fleet, the branch, the outbox)
outlives it here too.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from controller.history.entries import ClusterConverged, ClusterStarted, Entry, StartWithdrawn
from controller.ledger.memory import MemoryLedger
from controller.ledger.opened import OpenLedger
from controller.model.declaration import Declaration
from controller.model.outbox import CommitStatus, Message, ThreadHead, ThreadReply
from controller.model.plan import Plan, Start
from controller.ports import CycleEnd
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Controller, Pace, World
from controller.runtime.report import Audience
from tests.builders import LEVEL_41, MINUTE, NEW, NOON, OLD, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave
from tests.runtime.crossed import Boundaries, CrossedLedger, CrossedRepository, CrossedSource, WriteOrder
from tests.simulation.fleet import Cluster, Fleet, ModelSource
from tests.simulation.process import FixedSources, NoMetrics
from tests.simulation.repository import MemoryRepository

WRITE_LIMIT = timedelta(seconds=30)
LIMIT_SECONDS = 20.0
"""How long a test waits for another thread at most."""
IN_FLIGHT_MAX = 2
MESSAGES_MAX = 1000
"""More than wait in any test."""
PACE = Pace(MINUTE, 10 * MINUTE, WRITE_LIMIT)
AUDIENCES = (Audience("notes", statuses=True), Audience("slack", threads=True))


def await_true(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail after the limit."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


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


def two_waves(target: str = NEW, samples: int = 1) -> Declaration:
    """Group ``prod``: one cluster first, the rest two at a time, short soaks."""
    waves = (a_wave("canary", "1", MINUTE), a_wave("broad", "rest", MINUTE, most=IN_FLIGHT_MAX))
    return a_declaration(a_group("prod", target, strategy=a_strategy(waves=waves), samples=samples))


def one_wave() -> Declaration:
    """Group ``prod``: all clusters in one wave, two at a time."""
    return a_declaration(a_group("prod", strategy=a_strategy(waves=(a_wave("all", "rest", MINUTE, most=2),))))


def a_model(name: str, runs: str = OLD, source: str = "sim") -> Cluster:
    """A cluster of two brokers, each of which takes a minute."""
    return Cluster(f"{source}/{name}", {"group": "prod"}, [release(runs)] * 2, release(runs), LEVEL_41)


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
    sources: Sequence[str] = ("sim",)
    """Clusters are dealt to them in turn."""
    delivers: bool = True
    """Channels take what waits after each cycle; else ``deliver`` is called once, in the end."""

    def __post_init__(self) -> None:
        """Let a fleet be there, a revision that declares it, and one process."""
        self.fleet = Fleet(NOON, always_full=True, write_limit=WRITE_LIMIT, witness=self._witness)
        for number in range(self.clusters):
            self.fleet.add(a_model(f"prod-{number + 1}", source=self.sources[number % len(self.sources)]))
        self.repository.commit(self.declared)
        self.ledger: OpenLedger = self.reopen(None)
        self.new_process()

    def restart(self) -> None:
        """Let the process be gone, and start another."""
        self.ledger = self.reopen(self.ledger)
        self.new_process()

    def new_process(self) -> None:
        """Start a controller on what is there."""
        self.boundaries = boundaries = Boundaries()
        self.crossed_ledger = CrossedLedger(self.ledger, boundaries)
        self.order = WriteOrder(self.crossed_ledger)
        sources = [ModelSource(name, self.fleet) for name in self.sources]
        crossed = FixedSources([CrossedSource(source, self.order, boundaries) for source in sources])
        self.world = World(
            CrossedRepository(self.repository, boundaries),
            crossed,
            self.crossed_ledger,
            self.ledger.outbox,
            self.clock,
            self.metrics,
            self.audiences,
        )
        self.controller = Controller(self.world, self.pace)

    def take_over(self) -> None:
        """Let another process take the lease, and run a cycle of its own, whatever the one before is at."""
        self.crossed_ledger.is_taken_over = True
        self.new_process()
        self.run_cycle()

    def pass_time(self, by: timedelta = MINUTE) -> None:
        """Let time pass, by default to the next cycle."""
        self.fleet.pass_time(by)
        self.clock.advance(by)

    def cycle(self) -> Plan | None:
        """Let a minute pass and run a cycle; what it queued goes out, whatever becomes of the cycle."""
        self.pass_time()
        return self.run_cycle()

    def run_cycle(self) -> Plan | None:
        """Run a cycle now."""
        self.crossed_ledger.new_cycle()
        self.order.new_cycle()
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

    def kinds_crossed(self) -> list[str]:
        """What the process crossed, without the clusters' names."""
        return [name.rsplit(" ", 1)[0] if "/" in name else name for name in self.boundaries.crossed]

    def is_on(self, target: str = NEW) -> bool:
        """Tell whether every cluster runs ``target``."""
        return all(cluster.runs(release(target)) for cluster in self.fleet.clusters.values())

    def starts_recorded(self) -> list[str]:
        """Clusters whose start is recorded, in order."""
        return [entry.cluster for entry in self.entries if isinstance(entry, ClusterStarted)]

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
