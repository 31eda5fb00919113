"""The cycle: observe, plan, record, apply, report.

The order is the safety contract. An intention is in the ledger BEFORE the fleet is touched, so a crash between the
two is found, and looked into, by the next cycle. Reports go out last, through an outbox, and never stop a cycle.
Between cycles only what may be lost is kept in memory; everything else is read back from the ledger.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from controller.core.plan import plan_cycle
from controller.errors import LedgerError, Problem
from controller.history.entries import Entry, Recorded, SoakCredited
from controller.history.recall import remember
from controller.history.records import History
from controller.model.declaration import Declaration
from controller.model.memory import Memory
from controller.model.names import source_of
from controller.model.observation import Observation
from controller.model.outbox import Body
from controller.model.plan import GateSubject, Plan
from controller.model.snapshot import Snapshot, Standing
from controller.ports import (
    BrokerHealth,
    Clock,
    ExternalGates,
    FleetSource,
    Ledger,
    Metrics,
    Outbox,
    Repository,
    Sources,
    ToldOfChanges,
)
from controller.runtime.announcing import config_status, statuses_of, threads_of
from controller.runtime.apply import Applier
from controller.runtime.asking import GRACE, Asker, NoGates
from controller.runtime.examining import Examiner, Rounds, no_brokers
from controller.runtime.fleet_word import fleet_words
from controller.runtime.looking import Lookout, Sighting
from controller.runtime.report import Audience, Reporter
from controller.runtime.turns import Turns
from controller.runtime.watching import Watcher

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """The times that a cycle works with."""

    poll_interval: timedelta = timedelta(seconds=60)
    stale_after: timedelta = timedelta(minutes=10)
    source_limit: timedelta = timedelta(seconds=30)
    """How long a source may take to answer; a write may still arrive so long after it was sent."""
    observe_only: bool = False
    gate_limit: timedelta = timedelta(seconds=10)
    """How long an external gate may take to answer."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that a cycle touches."""

    repository: Repository
    sources: Sources
    ledger: Ledger
    outbox: Outbox
    clock: Clock
    metrics: Metrics
    audiences: Sequence[Audience] = ()
    wake: Callable[[], None] = lambda: None
    """Called when something was put into the outbox."""
    gates: ExternalGates = field(default_factory=NoGates)
    brokers: Callable[[Declaration], BrokerHealth] = no_brokers
    """Makes, of a declaration, who asks the brokers of its clusters."""


class Controller:
    """Runs cycles over one world, one after another."""

    def __init__(self, world: World, pace: Pace) -> None:
        self._world = world
        self._pace = pace
        self._lookout = Lookout(world.repository, world.metrics)
        self._watcher = Watcher(pace.source_limit, world.metrics)
        self._examiner = Examiner(pace.source_limit, world.metrics)
        self._turns = Turns(pace.poll_interval)
        self._asker = Asker(world.gates, pace.gate_limit + GRACE, world.metrics)
        self._applier = Applier(world.ledger, world.clock, world.metrics)
        self._reporter = Reporter(world.ledger, world.outbox, world.audiences)
        self._history: History | None = None
        self._memory = Memory()
        self._watch: frozenset[str] = frozenset()
        self._subjects: Mapping[str, GateSubject] = {}
        self._problems: tuple[Problem, ...] = ()
        self._unreachable: str | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the head seen in the last cycle is refused; empty where it is in force."""
        return self._problems

    @property
    def unreachable(self) -> str | None:
        """Why the remote could not be read in the last cycle; None where it could."""
        return self._unreachable

    @property
    def history(self) -> History:
        """What is remembered, after the last cycle."""
        return self._history or History()

    def run_cycle(self) -> Plan | None:
        """One pass; None where nothing valid was ever declared.

        Raises RepositoryError where no revision is known, LedgerError where nothing could be recorded, LeaseLost
        where another controller took over. After any error the next cycle reads everything back from the ledger.
        """
        try:
            return self._run_cycle(self._world.clock.now())
        except LedgerError:
            # What this cycle saw may not be recorded: samples begin anew, and soaks go on from what the ledger says.
            # Only who is live stays known, so that a source that goes silent now makes its clusters unknown.
            self._history, self._memory = None, Memory(known=self._memory.known, ids=self._memory.ids)
            raise

    def _run_cycle(self, now: datetime) -> Plan | None:
        sighting, snapshot = self.observe(now)
        if snapshot is None:
            self._record(() if sighting.seen is None else (sighting.seen,), now)
            self._report((config_status(sighting.standing, 0),), "", now)
            return None
        plan = plan_cycle(snapshot)
        self._memory, self._watch, self._subjects = plan.memory, plan.watch, plan.ask
        seen = () if sighting.seen is None else (sighting.seen,)
        self._record((*seen, *plan.entries, *fleet_words(plan, snapshot.history)), now)
        outcomes = self._applier.apply(plan.starts, self._sources_by_name(snapshot.declaration))
        self._record(outcomes, self._world.clock.now())
        self._report(self._words(sighting.standing, plan), snapshot.declaration.fleet, now)
        self._world.metrics.observe_plan(plan, self.history)
        self._say(sighting.standing, plan)
        return plan

    def observe(self, now: datetime) -> tuple[Sighting, Snapshot | None]:
        """Look at the repository, the live fleet and the ledger; writes nothing.

        The snapshot is None where nothing valid was ever declared. Raises RepositoryError, LedgerError.
        """
        world, pace = self._world, self._pace
        history = self._recall()
        requests = world.ledger.requests()
        sighting = self._lookout.look(history, requests, now)
        self._problems, self._unreachable = sighting.standing.problems, sighting.standing.unreachable
        world.metrics.observe_standing(sighting.standing)
        declaration = sighting.declaration
        if declaration is None:
            return sighting, None
        world.ledger.bind(declaration.fleet)
        sources = world.sources.open(declaration)
        observation = self._see(sources, declaration, now)
        observation = replace(observation, gates=self._asker.ask(declaration, self._subjects, now))
        snapshot = Snapshot(
            now=now,
            standing=sighting.standing,
            declaration=declaration,
            observation=observation,
            history=history,
            memory=self._memory,
            requests=requests,
            poll_interval=pace.poll_interval,
            stale_after=pace.stale_after,
            write_limit=pace.source_limit,
            observe_only=pace.observe_only,
        )
        return sighting, snapshot

    def _see(self, sources: Sequence[FleetSource], declaration: Declaration, now: datetime) -> Observation:
        """Return what the live fleet shows: in full whom the last plan named, and those whose turn it is."""
        known, rounds = self._memory.known, Rounds(self._memory.membership, declaration)
        told = {each.name for each in sources if isinstance(each, ToldOfChanges) and each.is_told_of_changes}
        by_source = frozenset(name for name in known if source_of(name) not in told or self._turns.are_ill(name))
        turn = self._turns.due(by_source | rounds.of(known, known).keys(), now)
        full = self._watch | (turn & by_source)
        observation = self._watcher.watch(sources, known, full, now)
        rules, brokers = rounds.of(observation.clusters, full | turn), self._world.brokers(declaration)
        observation, examined = self._examiner.examine(observation, rules, brokers)
        return self._turns.take(rounds.not_full(observation), full, now, examined)

    def _recall(self) -> History:
        if self._history is None:
            self._history = remember(History(), self._world.ledger.read())
        return self._history

    def _record(self, entries: Sequence[Entry], at: datetime) -> None:
        if entries:
            began = time.monotonic()
            outcome = "failed"
            try:
                self._world.ledger.record(entries, at)
                outcome = "ok"
            finally:
                self._world.metrics.observe_call("ledger", outcome, time.monotonic() - began)
            self._history = remember(self.history, (Recorded(0, at, entry) for entry in entries))

    def _sources_by_name(self, declaration: Declaration) -> dict[str, FleetSource]:
        return {source.name: source for source in self._world.sources.open(declaration)}

    def _report(self, bodies: Sequence[Body], fleet: str, now: datetime) -> None:
        if self._reporter.report(bodies, fleet, now):
            self._world.wake()
        self._world.metrics.observe_outbox(self._world.outbox.waiting())

    def _words(self, standing: Standing, plan: Plan) -> tuple[Body, ...]:
        if not self._world.audiences:
            return ()
        observe_only = self._pace.observe_only
        statuses = statuses_of(standing, plan.groups, plan.holds, observe_only=observe_only)
        return (*statuses, *threads_of(plan.groups, observe_only=observe_only))

    def _say(self, standing: Standing, plan: Plan) -> None:
        log = _log.bind(revision=standing.in_force[:10])
        for entry in plan.entries:
            # Soak credit comes every minute, for hours: kept in the ledger, told only to those who look closely.
            say = log.debug if isinstance(entry, SoakCredited) else log.info
            say("decided", entry=type(entry).__name__, **_fields(entry))
        log.debug("cycle_done", starts=len(plan.starts), holds=len(plan.holds), entries=len(plan.entries))


def _fields(entry: Entry) -> dict[str, str]:
    """Return an entry's plain fields for the log, long lists as their length."""
    fields = {}
    for name in type(entry).__dataclass_fields__:
        value = getattr(entry, name)
        fields[name] = str(len(value)) if isinstance(value, tuple) else str(value)
    return fields
