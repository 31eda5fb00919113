"""One controller process on a ledger that others may take over, which dies or is robbed at a chosen moment.

Every effect of a cycle is crossed by ``Process.cross``, before and after: the record of the plan, each write to the
fleet, the record of what became of the writes, and the queueing of messages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.errors import LeaseLost, LedgerError
from controller.history.entries import ClusterStarted, Entry, Recorded
from controller.history.records import History
from controller.ledger.memory import MemoryLedger
from controller.ledger.memory_outbox import MemoryOutbox
from controller.model.declaration import Declaration
from controller.model.observation import SourceReading
from controller.model.outbox import Message
from controller.model.plan import Plan, Start
from controller.model.requests import Request
from controller.model.snapshot import Standing
from controller.ports import BrokerHealth, Clock, CycleEnd, ExternalGates, FleetSource, Repository
from controller.runtime.asking import NoGates
from controller.runtime.cycle import Controller, Pace, World
from controller.runtime.examining import NoBrokers
from controller.runtime.report import Audience
from tests.simulation.promises import PromiseBroken

AUDIENCES = (Audience("notes", statuses=True), Audience("slack", threads=True))


class Point(StrEnum):
    """A boundary of an effect of a cycle, in their order."""

    BEFORE_PLAN_RECORD = "before the plan is recorded"
    AFTER_PLAN_RECORD = "after the plan is recorded"
    BEFORE_WRITE = "before a write"
    AFTER_WRITE = "after a write"
    BEFORE_OUTCOME_RECORD = "before the outcomes are recorded"
    AFTER_OUTCOME_RECORD = "after the outcomes are recorded"
    BEFORE_QUEUE = "before messages are queued"
    AFTER_QUEUE = "after messages are queued"


_OF_STARTS = (Point.BEFORE_WRITE, Point.AFTER_WRITE, Point.BEFORE_OUTCOME_RECORD, Point.AFTER_OUTCOME_RECORD)


class What(StrEnum):
    """What happens at a boundary."""

    DIES = "dies"
    LEDGER_FAILS = "ledger fails"
    """The call raises LedgerError; behind an effect that means that it happened all the same."""
    TAKEN_OVER = "taken over"
    """Another process takes the lease, and runs a cycle of its own."""
    SLOW = "slow"
    """The call takes its time: what was decided may be too old afterwards."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens to a process in one cycle."""

    point: Point
    what: What
    place: int = 0
    """For writes: how many of the cycle's starts are dealt with before it happens."""

    @property
    def waits_for_starts(self) -> bool:
        """It happens in the next cycle that starts something, not just in the next one."""
        return self.what is What.TAKEN_OVER or self.point in _OF_STARTS


class ProcessDied(BaseException):
    """The process is gone; whoever ran the cycle starts another one."""


class SharedLedger:
    """One ledger, and who holds its newest term."""

    def __init__(self) -> None:
        self.memory = MemoryLedger()
        self.term = 0
        self.queued: list[Message] = []
        """Every message that was put into the outbox."""


class Handle:
    """One process's way to the shared ledger; keeps the promises of ``ports.Ledger``."""

    def __init__(self, shared: SharedLedger, cross: Callable[[Point], None]) -> None:
        shared.term += 1
        self._term = shared.term
        self._shared = shared
        self._cross = cross
        self._records = 0
        self.starts: tuple[str, ...] = ()
        """Clusters whose start this cycle recorded, in the plan's order."""

    @property
    def outbox(self) -> MemoryOutbox:
        """The shared outbox."""
        return self._shared.memory.outbox

    def new_cycle(self) -> None:
        """Count records anew: a cycle's first is its plan, its second what became of the writes."""
        self._records = 0
        self.starts = ()

    def holds_lease(self) -> bool:
        """Tell whether no other process took over."""
        return self._term == self._shared.term

    def bind(self, fleet: str) -> None:
        """Belong to ``fleet``."""
        self._shared.memory.bind(fleet)

    def read(self, after: int = 0) -> Iterable[Recorded]:
        """Yield what is recorded."""
        return self._shared.memory.read(after)

    def record(self, entries: Sequence[Entry], at: datetime) -> None:
        """Append ``entries``, unless another process took over."""
        self._records += 1
        if self._records == 1:
            self.starts = tuple(entry.cluster for entry in entries if isinstance(entry, ClusterStarted))
        before, after = (
            (Point.BEFORE_PLAN_RECORD, Point.AFTER_PLAN_RECORD)
            if self._records == 1
            else (Point.BEFORE_OUTCOME_RECORD, Point.AFTER_OUTCOME_RECORD)
        )
        self._cross(before)
        self._require()
        self._shared.memory.record(entries, at)
        self._cross(after)

    def requests(self) -> tuple[Request, ...]:
        """Return what people asked for."""
        return self._shared.memory.requests()

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Put messages into the outbox, unless another process took over."""
        self._cross(Point.BEFORE_QUEUE)
        self._require()
        self._shared.memory.queue(messages, reported, at)
        self._shared.queued.extend(messages)
        self._cross(Point.AFTER_QUEUE)

    def reported(self) -> int:
        """Return up to where people were told."""
        return self._shared.memory.reported()

    def _require(self) -> None:
        if not self.holds_lease():
            raise LeaseLost(f"term {self._term} is over, the newest is {self._shared.term}")


class CrossedSource:
    """A source whose writes are crossed."""

    def __init__(self, source: FleetSource, cross: Callable[[Point, str], None]) -> None:
        self._source = source
        self._cross = cross

    @property
    def name(self) -> str:
        """The source's name."""
        return self._source.name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Read the source within."""
        return self._source.read(full, now)

    def start(self, start: Start, now: datetime) -> None:
        """Write to the source within."""
        self._cross(Point.BEFORE_WRITE, start.cluster)
        self._source.start(start, now)
        self._cross(Point.AFTER_WRITE, start.cluster)


class FixedSources:
    """The same sources, whatever is declared."""

    def __init__(self, sources: Sequence[FleetSource]) -> None:
        self._sources = sources

    def open(self, declaration: Declaration) -> Sequence[FleetSource]:
        """Return them."""
        del declaration
        return self._sources


class NoMetrics:
    """Counts nothing."""

    def observe_cycle_start(self, at: datetime) -> None:
        """Pass over it."""

    def observe_cycle(self, end: CycleEnd) -> None:
        """Pass over it."""

    def observe_standing(self, standing: Standing) -> None:
        """Pass over it."""

    def observe_plan(self, plan: Plan, history: History) -> None:
        """Pass over it."""

    def observe_call(self, system: str, outcome: str, seconds: float) -> None:
        """Pass over it."""

    def observe_outbox(self, waiting: Mapping[str, int]) -> None:
        """Pass over it."""

    def observe_lease(self, *, held: bool) -> None:
        """Pass over it."""


class Process:
    """A controller in a process of its own."""

    def __init__(
        self,
        ledger: SharedLedger,
        repository: Repository,
        sources: Sequence[FleetSource],
        clock: Clock,
        pace: Pace,
        *,
        gates: ExternalGates | None = None,
        brokers: BrokerHealth | None = None,
    ) -> None:
        self.incident: Incident | None = None
        """What will happen to it in its next cycle."""
        self.on_takeover: Callable[[], None] = lambda: None
        self.on_slow: Callable[[], None] = lambda: None
        self._handle = Handle(ledger, self.cross)
        crossed = [CrossedSource(source, self._cross_write) for source in sources]
        self.controller = Controller(
            World(
                repository,
                FixedSources(crossed),
                self._handle,
                self._handle.outbox,
                clock,
                NoMetrics(),
                AUDIENCES,
                gates=gates or NoGates(),
                brokers=lambda _: brokers or NoBrokers(),
            ),
            pace,
        )

    @property
    def history(self) -> History:
        """What it remembers."""
        return self.controller.history

    def run_cycle(self) -> Plan | None:
        """Run one cycle; raises ProcessDied, and what a cycle raises."""
        self._handle.new_cycle()
        return self.controller.run_cycle()

    def cross(self, point: Point) -> None:
        """Let happen what is to happen at ``point``."""
        incident = self.incident
        if incident is None or incident.point is not point:
            return
        if incident.what is not What.TAKEN_OVER or self._handle.starts:
            self._happen(incident)

    def _cross_write(self, point: Point, cluster: str) -> None:
        """A process that died before some write makes none after it: writes are made side by side."""
        if point is Point.BEFORE_WRITE and not self._handle.holds_lease():
            raise PromiseBroken(f"one-writer: {cluster} is written by a process that another one took over from")
        incident = self.incident
        if incident is None or incident.point not in (Point.BEFORE_WRITE, Point.AFTER_WRITE):
            return
        place = self._handle.starts.index(cluster)
        if place > incident.place or (place == incident.place and point is incident.point):
            raise ProcessDied(f"{incident.point} {cluster}")

    def _happen(self, incident: Incident) -> None:
        self.incident = None
        match incident.what:
            case What.DIES:
                raise ProcessDied(incident.point)
            case What.LEDGER_FAILS:
                raise LedgerError(f"disk full {incident.point}")
            case What.SLOW:
                self.on_slow()
            case What.TAKEN_OVER:
                self.on_takeover()
