"""One play: a model fleet, a repository, a ledger and controller processes, moved cycle by cycle and checked each time.

The play knows when trouble strikes (``trouble`` decides it) and shows every cycle to the checkers as a ``Scene``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from controller.errors import LeaseLost, LedgerError, RepositoryError
from controller.history.entries import (
    ClusterStarted,
    Entry,
    RevisionSeen,
    RolloutEnded,
    RolloutPlanned,
    StartWithdrawn,
    Stopped,
    WaveSoaked,
)
from controller.history.recall import remember
from controller.history.records import History, RolloutKind
from controller.model.declaration import Declaration
from controller.model.observation import ObservedCluster, Reading
from controller.model.outbox import Message, ThreadReply
from controller.model.plan import Plan, Start
from controller.model.requests import Command, Request
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Pace
from controller.versions import KafkaVersion
from tests.simulation.book import Book, way_of
from tests.simulation.fleet import Fleet, ModelBrokers, ModelSource
from tests.simulation.gates import GateAnswer, ModelGates
from tests.simulation.grades import as_worth, rules_for
from tests.simulation.process import Incident, Process, ProcessDied, SharedLedger
from tests.simulation.promises import Checkers, PromiseBroken
from tests.simulation.repository import MemoryRepository
from tests.simulation.scene import Scene

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
POLL = timedelta(minutes=1)
STALE_AFTER = timedelta(minutes=5)
WRITE_LIMIT = timedelta(seconds=30)
SOURCES = ("eu", "us")
FOLD_EVERY = 25
"""Cycles after which the whole ledger is folded and compared with what the process remembers."""


@dataclass(slots=True)
class Reached:
    """How often each thing was reached, for coverage."""

    holds: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    """Such as ``started ClusterFailed``."""
    outcomes: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    """By the way and the kind of the rollouts that were planned, such as ``forward metadata``."""
    stops: Counter[str] = field(default_factory=Counter)
    starts: Counter[str] = field(default_factory=Counter)
    """Such as ``back``, by what the checkers take a start for."""

    @classmethod
    def of(cls, counts: Mapping[str, Mapping[str, int]]) -> "Reached":
        """Return what ``counts`` say, by field."""
        return cls(**{name: Counter(each) for name, each in counts.items()})

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Return the counts by field, as ``of`` takes them."""
        return {each.name: dict(getattr(self, each.name)) for each in fields(self)}

    def add(self, other: "Reached") -> None:
        """Count what ``other`` reached as well."""
        for each in fields(self):
            getattr(self, each.name).update(getattr(other, each.name))


class Runner(Protocol):
    """What runs the cycles of a play."""

    incident: Incident | None
    """What will happen to it in its next cycle."""

    @property
    def history(self) -> History:
        """What it remembers."""
        ...

    def run_cycle(self) -> Plan | None:
        """Run one cycle; raises what a cycle raises."""
        ...


class Play:
    """The world and its controller."""

    def __init__(self, begin: datetime = BEGIN, poll: timedelta = POLL, promises: frozenset[str] = frozenset()) -> None:
        self.poll = poll
        self._checkers = Checkers(promises, self._count)
        self.clock = VirtualClock(begin)
        self.fleet = Fleet(begin, write_limit=WRITE_LIMIT, witness=self._witness)
        self.repository = MemoryRepository()
        self.ledger = SharedLedger()
        self.book = Book()
        self.confirmed_at: datetime | None = None
        """When the process last saw the head."""
        self.rewritten = False
        """The head that was seen last does not descend from the one before, and nobody accepted that."""
        self.cycles = 0
        self.broken_cycles = 0
        """Those that did not come to their end."""
        self.plan: Plan | None = None
        """Of the last cycle that came to its end."""
        self.reached = Reached()
        self.gates = ModelGates(cycle=lambda: self.cycles)
        self.known: set[str] = set()
        """Sources that could be read since the process began."""
        self._is_newborn = False
        """The process has run no cycle yet: what was read in this scene was read by the one before it."""
        self._said_yes: dict[tuple[str, str], int] = {}
        self.process = self.new_process()
        self._upto = 0
        self.told: list[Message] = []
        """Everything that was said to people."""
        self._said: dict[tuple[str, str], Message] = {}
        """The last message about each topic of each channel."""
        self._keys: set[tuple[str, str]] = set()
        self._scene: tuple[datetime, Declaration | None, bool] | None = None
        self.slowness = timedelta(0)
        """How long a slow call takes."""

    def restart(self) -> None:
        """Let the process be gone, and start another."""
        self.confirmed_at = None
        self.known.clear()
        self._is_newborn = True
        self.process = self.new_process()

    def new_process(self) -> Runner:
        """Return a controller that remembers only what is recorded."""
        sources = [ModelSource(name, self.fleet) for name in SOURCES]
        pace = Pace(self.poll, STALE_AFTER, WRITE_LIMIT)
        brokers = ModelBrokers(self.fleet)
        process = Process(self.ledger, self.repository, sources, self.clock, pace, gates=self.gates, brokers=brokers)
        process.on_takeover = self._take_over
        process.on_slow = lambda: self.pass_time(self.slowness)
        return process

    def ask(self, command: Command, scope: str, number: int | None = None, revision: str | None = None) -> None:
        """Append a person's command."""
        request = Request(0, command, scope, "ana", "looks odd", self.clock.now(), number, revision)
        self.ledger.memory.ask(request)

    def pass_time(self, by: timedelta | None = None) -> None:
        """Let time pass, by default to the next cycle."""
        self.fleet.pass_time(by or self.poll)
        self.clock.advance(by or self.poll)

    def cycle(self) -> None:
        """Run one cycle and check it; a process that dies is followed by another one."""
        self.cycles += 1
        process = self.process
        self._open_scene()
        plan: Plan | None = None
        try:
            plan = process.run_cycle()
        except (ProcessDied, LeaseLost):
            self.broken_cycles += 1
            if self.process is process:
                self.restart()
        except (LedgerError, RepositoryError):
            self.broken_cycles += 1
        self._close_scene(plan)
        if process.incident is not None and not process.incident.waits_for_starts:
            process.incident = None
        if plan is not None:
            self.plan = plan
            if self.cycles % FOLD_EVERY == 0:
                self.check_fold()

    @property
    def declaration(self) -> Declaration:
        """What is in force."""
        return self.repository.load(self.book.in_force)

    def check_fold(self) -> None:
        """Compare what the process remembers with a fold of the whole ledger."""
        folded = remember(History(), self.ledger.memory.read())
        if folded != self.process.history:
            raise PromiseBroken("record-first: what is remembered is not what was recorded")

    def _take_over(self) -> None:
        """Another process takes the lease in the middle of a cycle, and runs one of its own."""
        self._close_scene(None)
        self.restart()
        self.cycle()

    def _open_scene(self) -> None:
        self._is_newborn = False
        self.fleet.read_now.clear()
        self.fleet.said.clear()
        self.gates.answered.clear()
        now = self.clock.now()
        self._scene = (now, *self._judge_revision(now))

    def _judge_revision(self, now: datetime) -> tuple[Declaration | None, bool]:
        """Return what is in force, and whether the head is to be trusted."""
        repository, book = self.repository, self.book
        if repository.unreachable is not None or repository.head is None:
            fresh = self.confirmed_at is not None and now - self.confirmed_at < STALE_AFTER
            return self._declared(book.in_force), fresh and book.head == book.in_force and not self.rewritten
        self.confirmed_at = now
        head = repository.head
        descends = not book.head or any(commit.revision == book.head for commit in repository.line(head))
        asked = [request.revision for request in self.ledger.memory.requests()]
        self.rewritten = not descends and not any(revision and head.startswith(revision) for revision in asked)
        if self.rewritten:
            return self._declared(book.in_force), False
        content = repository.commits[head].content
        return (content, True) if isinstance(content, Declaration) else (self._declared(book.in_force), False)

    def _declared(self, revision: str) -> Declaration | None:
        return self.repository.load(revision) if revision else None

    def _close_scene(self, plan: Plan | None) -> None:
        """Show what was recorded since the scene was opened to the checkers."""
        assert self._scene is not None, "a scene is closed once"
        now, declaration, trusted = self._scene
        recorded = list(self.ledger.memory.read(self._upto))
        self._upto = recorded[-1].sequence if recorded else self._upto
        entries = tuple(each.entry for each in recorded)
        if declaration is None:
            for entry in entries:
                assert isinstance(entry, RevisionSeen), entry
                self.book.take(entry, now)
            return
        if not self._is_newborn:
            self.known |= self.fleet.read_now.keys()
        self._said_yes = {
            key: self._said_yes.get(key, 0) + 1 for key, each in self.gates.answered.items() if each is GateAnswer.YES
        }
        scene = Scene(
            now=now,
            declaration=declaration,
            trusted=trusted,
            seen=self._seen(declaration),
            unreachable=frozenset(SOURCES) - self.fleet.read_now.keys(),
            entries=entries,
            poll=self.poll,
            plan=plan,
            truth=self.fleet.clusters,
            known=frozenset(self.known),
            gates=self._said_yes,
        )
        self._checkers.check(self.book, scene)
        if plan is not None:
            held = [hold for view in plan.groups for hold in view.holds] + list(plan.holds)
            self.reached.holds.update(hold.reason.value for hold in held)
        self._check_words()
        self._scene = (now, declaration, trusted)

    def _check_words(self) -> None:
        """See that nothing is said twice: neither under one key, nor in the same words as the last time."""
        for message in self.ledger.queued:
            topic = (message.channel, message.topic)
            last = self._said.get(topic)
            same = last is not None and not isinstance(message.body, ThreadReply) and last.body == message.body
            if same or (message.channel, message.key) in self._keys:
                raise PromiseBroken(f"twice-harmless: said twice: {message}")
            self._said[topic] = message
            self._keys.add((message.channel, message.key))
            self.told.append(message)
        self.ledger.queued.clear()

    def _seen(self, declaration: Declaration) -> Mapping[str, ObservedCluster]:
        shown = (each for reading in self.fleet.read_now.values() for each in reading.clusters.values())
        return {each.name: self._with_its_brokers(each, declaration) for each in shown}

    def _with_its_brokers(self, cluster: ObservedCluster, declaration: Declaration) -> ObservedCluster:
        """Return the cluster as its source and its brokers show it to its group; unasked, nobody saw it in full."""
        reading = self.fleet.said.get(cluster.name, cluster.reading)
        if not isinstance(reading, Reading):
            return replace(cluster, reading=reading)
        rules = rules_for(cluster, declaration.groups)
        if cluster.endpoints is not None and cluster.name not in self.fleet.said:
            wanted = rules is not None and rules.asks_brokers
            reading = replace(reading, full=reading.full and not wanted)
        return replace(cluster, reading=as_worth(cluster, reading, rules))

    def _witness(self, start: Start) -> None:
        """See that a write was recorded first, and not given up since."""
        said = [
            each.entry
            for each in self.ledger.memory.history(cluster=start.cluster, limit=20)
            if isinstance(each.entry, ClusterStarted | StartWithdrawn)
        ]
        last = said[-1] if said else None
        if not isinstance(last, ClusterStarted) or (last.target, last.token) != (start.target, start.token):
            raise PromiseBroken(f"record-first: {start.cluster} is written, recorded is {last}")
        cluster = self.fleet.clusters.get(start.cluster)
        unpinned = cluster is not None and not cluster.zookeeper and cluster.wanted_level is None
        if cluster is not None and isinstance(start.target, KafkaVersion):
            # A patch of the line that runs raises nothing that was not raised before, so that it may go unread.
            unpinned = unpinned and any(each.line != start.target.line for each in cluster.brokers)
        if unpinned and start.pinned is None and start.kind is RolloutKind.SOFTWARE:
            raise PromiseBroken(f"finalize-last: {start.cluster} is sent to {start.target} without pinning its level")

    def _count(self, book: Book, entry: Entry) -> None:
        self.reached.entries[type(entry).__name__] += 1
        if isinstance(entry, RolloutPlanned):
            self.reached.ways[f"{entry.way} {entry.kind}"] += 1
        if isinstance(entry, Stopped):
            self.reached.stops[entry.kind] += 1
        if isinstance(entry, ClusterStarted):
            self.reached.starts[way_of(book, entry)] += 1
        self.reached.transitions.update(_moves(book, entry))
        if isinstance(entry, RolloutEnded):
            self.reached.outcomes[entry.outcome] += 1


def _moves(book: Book, entry: Entry) -> Iterator[str]:
    """Yield the state in which the entry finds each cluster that it moves, with the entry's kind."""
    rollout = book.rollouts.get(getattr(entry, "rollout", None) or 0)
    if rollout is None:
        return
    names = [getattr(entry, "cluster", None)]
    if isinstance(entry, WaveSoaked):
        names = [name for name, note in rollout.members(entry.wave).items() if note.state == "converged"]
    for name in names:
        if name in rollout.clusters:
            yield f"{rollout.clusters[name].state} {type(entry).__name__}"
