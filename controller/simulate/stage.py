"""The world that a simulation plays in: a folder's declaration, its simulated fleets, a ledger in memory, no channels.

Everything that a cycle asks of the outside is here and costs next to nothing. Chance is in one place only: which
clusters a fault with a ``share`` hits, and that follows from the seed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.fleets.simulated import SimulatedSource
from controller.history.records import History
from controller.ledger.memory import MemoryLedger
from controller.model.declaration import Declaration, ExternalGate
from controller.model.inventory import Fault, Inventory
from controller.model.observation import GateReading
from controller.model.plan import Plan
from controller.model.snapshot import Standing
from controller.ports import CycleEnd, FleetSource, GateQuestion, Head
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import World

REVISION = "folder"
"""Stands for the revision where a folder is declared."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played."""

    declaration: Declaration
    """Every source has its inventory."""
    start: datetime
    """The moment of the first cycle, in UTC."""
    until: datetime
    """No cycle begins at or after it."""
    interval: timedelta = timedelta(seconds=60)
    """From cycle to cycle."""
    seed: int = 0
    """0 lets faults with a ``share`` hit the clusters that they hit under the daemon."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts that the simulation itself has to reach."""

    world: World
    clock: VirtualClock
    ledger: MemoryLedger
    sources: tuple[SimulatedSource, ...]


def set_stage(scenario: Scenario) -> Stage:
    """Return the world of ``scenario`` before its first cycle."""
    declaration = scenario.declaration
    sources = tuple(
        SimulatedSource(source.name, with_chance(declaration.inventories[source.name], scenario.seed), None)
        for source in declaration.sources
    )
    clock, ledger = VirtualClock(scenario.start), MemoryLedger()
    world = World(
        repository=_Folder(declaration),
        sources=_Sources(sources),
        ledger=ledger,
        outbox=ledger.outbox,
        clock=clock,
        metrics=_NoMetrics(),
        gates=_OpenGates(),
    )
    return Stage(world, clock, ledger, sources)


def with_chance(inventory: Inventory, seed: int) -> Inventory:
    """Return ``inventory`` with the faults that hit a share of their clusters decided by ``seed``."""
    if seed == 0:
        return inventory
    faults = tuple(_drawn(fault, position, seed) for position, fault in enumerate(inventory.faults))
    return replace(inventory, faults=faults)


def _drawn(fault: Fault, position: int, seed: int) -> Fault:
    if fault.share >= 100:
        return fault
    count = max(1, len(fault.clusters) * fault.share // 100)
    drawn = set(sorted(fault.clusters, key=lambda name: _lot(seed, position, name))[:count])
    return replace(fault, clusters=tuple(name for name in fault.clusters if name in drawn), share=100)


def _lot(seed: int, position: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {position} {name}".encode()).digest()


class _Folder:
    """A repository whose one revision never changes."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration

    def fetch(self, since: str | None) -> Head:
        del since
        return Head(REVISION, descends=True)

    def load(self, revision: str) -> Declaration:
        del revision
        return self._declaration

    def declared_by(self, since: str, head: str) -> Mapping[str, str]:
        del since, head
        return {}


class _Sources:
    """The simulated fleets, whatever is declared."""

    def __init__(self, sources: tuple[SimulatedSource, ...]) -> None:
        self._sources = sources

    def open(self, declaration: Declaration) -> Sequence[FleetSource]:
        del declaration
        return self._sources


class _OpenGates:
    """External gates, which nobody asks: they pass, so that what the rest would do can be seen."""

    def ask(self, gate: ExternalGate, question: GateQuestion) -> GateReading:
        del gate, question
        return GateReading(passed=True, detail="not asked in a simulation")


class _NoMetrics:
    """Counts nothing."""

    def observe_cycle_start(self, at: datetime) -> None:
        pass

    def observe_cycle(self, end: CycleEnd) -> None:
        pass

    def observe_standing(self, standing: Standing) -> None:
        pass

    def observe_plan(self, plan: Plan, history: History) -> None:
        pass

    def observe_call(self, system: str, outcome: str, seconds: float) -> None:
        pass

    def observe_outbox(self, waiting: Mapping[str, int]) -> None:
        pass

    def observe_lease(self, *, held: bool) -> None:
        pass
