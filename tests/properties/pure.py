"""Plays of the pure core: ``plan_cycle`` and the fold alone between a model fleet and what people do, drawn by chance.

The same worlds, troubles and checkers as the simulation's, without a process around the judgement: fast enough for
hypothesis, which shrinks a play that breaks a promise by drawing simpler choices.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random

from controller.core.plan import plan_cycle
from controller.errors import ApplyInDoubt, ApplyRefused, ObservationError
from controller.history.entries import Entry, Recorded, StartAccepted, StartWithdrawn
from controller.history.recall import remember
from controller.history.records import History
from controller.model.declaration import ClusterGroup, Declaration, ExternalGate
from controller.model.memory import Memory
from controller.model.observation import GateReading, Observation, ObservedCluster
from controller.model.plan import GateSubject, Plan
from controller.model.snapshot import Snapshot
from controller.ports import GateQuestion
from controller.runtime.looking import Lookout, Sighting
from tests.simulation.fleet import unseen
from tests.simulation.play import SOURCES, STALE_AFTER, WRITE_LIMIT, Play
from tests.simulation.process import Incident, NoMetrics
from tests.simulation.trouble import Trouble
from tests.simulation.world import begin

Seen = Callable[[Snapshot, Plan], None]


class PureProcess:
    """Judges and folds; nothing of it can die half-way."""

    def __init__(self, play: "PurePlay") -> None:
        self.incident: Incident | None = None
        self.history = remember(History(), play.ledger.memory.read())
        self._play = play
        self._lookout = Lookout(play.repository, NoMetrics())
        self._memory = Memory()
        self._watch: frozenset[str] = frozenset()
        self._ask: Mapping[str, GateSubject] = {}

    def run_cycle(self) -> Plan | None:
        """Judge one cycle, fold it, and write what it starts."""
        play, now = self._play, self._play.clock.now()
        sighting = self._lookout.look(self.history, play.ledger.memory.requests(), now)
        if sighting.declaration is None:
            self._record(() if sighting.seen is None else (sighting.seen,), now)
            return None
        snapshot = self._snapshot(sighting, now)
        plan = plan_cycle(snapshot)
        play.seen(snapshot, plan)
        self._record((*(() if sighting.seen is None else (sighting.seen,)), *plan.entries), now)
        self._memory, self._watch, self._ask = plan.memory, plan.watch, plan.ask
        self._record(tuple(self._write(plan)), now)
        return plan

    def _snapshot(self, sighting: Sighting, now: datetime) -> Snapshot:
        assert sighting.declaration is not None, sighting
        return Snapshot(
            now,
            sighting.standing,
            sighting.declaration,
            replace(self._look(), gates=self._ask_gates(sighting.declaration, now)),
            self.history,
            self._memory,
            self._play.ledger.memory.requests(),
            self._play.poll,
            STALE_AFTER,
            WRITE_LIMIT,
        )

    def _look(self) -> Observation:
        clusters: dict[str, ObservedCluster] = {}
        unreachable: dict[str, str] = {}
        for source in SOURCES:
            try:
                clusters.update(self._play.fleet.show(source, self._watch).clusters)
            except ObservationError as error:
                unreachable[source] = str(error)
                known = [each for each in self._memory.known.values() if each.name.startswith(f"{source}/")]
                clusters.update({each.name: unseen(each, str(error)) for each in known})
        return Observation(clusters, unreachable)

    def _ask_gates(self, declaration: Declaration, now: datetime) -> Mapping[tuple[str, str], GateReading]:
        """Ask the gates of the groups that the last plan named, of what it was about."""
        return {
            (group.name, gate.name): self._ask_gate(declaration, group, gate, now)
            for group in declaration.groups
            if group.name in self._ask
            for gate in group.gates
        }

    def _ask_gate(
        self, declaration: Declaration, group: ClusterGroup, gate: ExternalGate, now: datetime
    ) -> GateReading:
        subject = self._ask[group.name]
        question = GateQuestion(declaration.fleet, group.name, subject.target, subject.kind, now)
        return replace(self._play.gates.ask(gate, question), about=subject.target)

    def _write(self, plan: Plan) -> Iterator[Entry]:
        for start in plan.starts:
            try:
                self._play.fleet.write(start)
            except ApplyRefused as error:
                yield StartWithdrawn(start.rollout, start.cluster, str(error))
            except ApplyInDoubt:
                continue
            else:
                yield StartAccepted(start.rollout, start.cluster)

    def _record(self, entries: tuple[Entry, ...], at: datetime) -> None:
        self._play.ledger.memory.record(entries, at)
        self.history = remember(self.history, (Recorded(0, at, entry) for entry in entries))


class PurePlay(Play):
    """A play whose controller is a ``PureProcess``."""

    def __init__(self, promises: frozenset[str] = frozenset(), seen: Seen = lambda _, __: None) -> None:
        self.seen = seen
        """Called with each snapshot and its plan."""
        super().__init__(promises=promises)

    def new_process(self) -> PureProcess:
        """Return a judge that remembers only what is recorded."""
        return PureProcess(self)


def play_at_random(
    random: Random, cycles: int, promises: frozenset[str] = frozenset(), seen: Seen | None = None
) -> PurePlay:
    """Play ``cycles`` troubled cycles; raises PromiseBroken for one of ``promises``, which are all where empty."""
    play = PurePlay(promises, seen or (lambda _, __: None))
    trouble = Trouble(random, play, begin(random, play), seed=random.randrange(1000))
    for _ in range(cycles):
        trouble.strike()
        play.pass_time()
        play.cycle()
    return play


def decisions(seed: int, cycles: int) -> str:
    """Return everything that the plays of one seed decided, as text; another Python must return the same."""
    told: list[str] = []
    play_at_random(Random(seed), cycles, seen=lambda _, plan: told.extend((*map(str, plan.entries), str(plan.groups))))
    return "\n".join(told)
