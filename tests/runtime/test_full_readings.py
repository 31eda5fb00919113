"""Who is read in full: also clusters at rest, each at least every ten minutes, and never all of a fleet at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from controller.ledger.memory import MemoryLedger
from controller.model.observation import ObservedCluster, Reading, SourceReading, Unknown
from controller.model.plan import Plan, Start
from controller.model.verdict import HoldReason
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Controller, Pace, World
from tests.builders import HOUR, MINUTE, NEW, NOON, SECOND, a_finding, a_reading
from tests.builders_core import a_declaration, a_group
from tests.simulation.process import FixedSources, NoMetrics
from tests.simulation.repository import MemoryRepository

PROMISED = timedelta(minutes=10)
LABELS = {"group": "prod"}


@dataclass
class RestingFleet:
    """A source whose clusters are all on target; health is shown to whoever asks for it in full, and noted."""

    clusters: list[str]
    name: str = "sim"
    ill: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    read_at: dict[str, list[datetime]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    """How many were asked for in full, cycle by cycle."""
    is_told_of_changes: bool = False

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Show every cluster, in full where that is asked for."""
        self.asked.append(len(full))
        for cluster in full & set(self.clusters):
            self.read_at.setdefault(cluster, []).append(now)
        observed = {each: ObservedCluster(each, LABELS, self._reading(each, full)) for each in self.clusters}
        return SourceReading(self.name, observed)

    def _reading(self, cluster: str, full: frozenset[str]) -> Reading | Unknown:
        if cluster in self.unseen:
            return Unknown("no broker answers")
        findings = (a_finding(),) if cluster in self.ill and cluster in full else ()
        return a_reading(NEW, full=cluster in full, findings=findings)

    def start(self, start: Start, now: datetime) -> None:
        """Nothing is to be started here."""
        raise AssertionError((start, now))


@dataclass
class Rest:
    """Real cycles over a fleet at rest."""

    fleet: RestingFleet
    interval: timedelta = MINUTE
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOON))

    def __post_init__(self) -> None:
        """Start a process."""
        repository, ledger = MemoryRepository(), MemoryLedger()
        repository.commit(a_declaration(a_group("prod")))
        assert ledger.acquire("this test", NOON)
        world = World(repository, FixedSources([self.fleet]), ledger, ledger.outbox, self.clock, NoMetrics())
        self.controller = Controller(world, Pace(self.interval, stale_after=HOUR))

    def cycle(self, by: timedelta | None = None) -> Plan:
        """Let time pass and run a cycle."""
        self.clock.advance(by or self.interval)
        plan = self.controller.run_cycle()
        assert plan is not None
        return plan

    def cycles(self, gaps: Iterable[timedelta]) -> None:
        """Run a cycle after each of ``gaps``."""
        for gap in gaps:
            self.cycle(gap)


def names(count: int, prefix: str = "a") -> list[str]:
    """Full names of ``count`` clusters."""
    return [f"sim/{prefix}-{number}" for number in range(count)]


def longest_wait(fleet: RestingFleet, began: datetime, ended: datetime) -> timedelta:
    """The longest time that any cluster was not read in full, the first and the last reading's too."""
    waits = []
    for cluster in fleet.clusters:
        moments = [began, *fleet.read_at.get(cluster, []), ended]
        waits += [later - earlier for earlier, later in pairwise(moments)]
    return max(waits)


@pytest.mark.parametrize(
    ("count", "interval"),
    [(1, MINUTE), (7, MINUTE), (300, MINUTE), (25, 10 * SECOND), (40, 2 * MINUTE), (9, 3 * MINUTE), (5, 4 * MINUTE)],
)
def test_every_cluster_at_rest_is_read_in_full_within_ten_minutes(count: int, interval: timedelta) -> None:
    """
    Of small and large fleets, in short and long intervals, from the first cycle on.
    """
    rest = Rest(RestingFleet(names(count)), interval)

    rest.cycles([interval] * (HOUR // interval))

    assert longest_wait(rest.fleet, NOON + interval, rest.clock.now()) <= PROMISED


def test_a_fleet_is_never_read_in_full_all_at_once() -> None:
    """
    It goes round in shares, since a source has a time limit; every cycle reads about as many as another.
    """
    rest = Rest(RestingFleet(names(300)))

    rest.cycles([MINUTE] * 60)

    assert max(rest.fleet.asked) <= 300 // 7 + 1


def test_where_changes_are_told_nobody_at_rest_is_read_in_turn() -> None:
    """
    A watch shows what changes; only who was ill when last read in full is looked at again, until that is over.
    """
    fleet = RestingFleet(names(300))
    rest = Rest(fleet)
    fleet.ill = {"sim/a-7"}
    while "sim/a-7" not in fleet.read_at:
        rest.cycle()
    fleet.is_told_of_changes = True
    fleet.asked.clear()
    fleet.read_at.clear()

    rest.cycles([MINUTE] * 20)
    assert {"sim/a-7"} == fleet.read_at.keys()
    assert (
        longest_wait(RestingFleet(["sim/a-7"], read_at=fleet.read_at), rest.clock.now() - 20 * MINUTE, rest.clock.now())
        <= PROMISED
    )

    fleet.ill = set()
    rest.cycles([MINUTE] * 10)
    fleet.asked.clear()
    rest.cycles([MINUTE] * 20)
    assert [0] * 20 == fleet.asked


def test_with_longer_intervals_everybody_is_read_each_time() -> None:
    """
    Where ten minutes hold one cycle or none, that is the best there is.
    """
    rest = Rest(RestingFleet(names(12)), 20 * MINUTE)

    rest.cycles([20 * MINUTE] * 4)

    assert [0, 12, 12, 12] == rest.fleet.asked


@pytest.mark.parametrize("seed", range(5))
def test_cycles_that_come_late_and_clusters_that_join_break_no_promise(seed: int) -> None:
    """
    Jitter and slow cycles lengthen an interval by up to a half; clusters come and go all the while.
    """
    chance = Random(seed)
    fleet = RestingFleet(names(60))
    rest = Rest(fleet)
    for round_number in range(8):
        fleet.clusters += names(chance.randrange(20), f"b{round_number}")
        began = rest.clock.now()
        fleet.read_at.clear()
        rest.cycles(MINUTE * (1 + chance.random() / 2) for _ in range(10))
        rest.cycles(MINUTE * (1 + chance.random() / 2) for _ in range(10))
        assert longest_wait(fleet, began + 1.5 * MINUTE, rest.clock.now()) <= PROMISED


def test_a_clock_that_steps_back_starves_nobody() -> None:
    """
    Those that were read before the step wait no longer than the others.
    """
    fleet = RestingFleet(names(30))
    rest = Rest(fleet)
    rest.cycles([MINUTE] * 15)
    rest.clock.advance(-HOUR)
    fleet.read_at.clear()
    began = rest.clock.now()

    rest.cycles([MINUTE] * 15)

    assert longest_wait(fleet, began, rest.clock.now()) <= PROMISED


def test_clusters_that_cannot_be_seen_take_nobody_s_turn() -> None:
    """
    They are tried again in their own turn, and once they are seen they do not all come at once.
    """
    fleet = RestingFleet(names(70))
    fleet.unseen = set(fleet.clusters[:50])
    rest = Rest(fleet)

    rest.cycles([MINUTE] * 30)
    fleet.unseen.clear()
    rest.cycles([MINUTE] * 15)

    assert longest_wait(fleet, NOON + MINUTE, rest.clock.now()) <= PROMISED
    assert max(fleet.asked) <= 70 // 7 + 1


def test_a_cluster_at_rest_that_falls_ill_is_held_until_it_is_seen_well() -> None:
    """
    Within ten minutes, and without a break: between two full readings it is as ill as the last one showed it.
    """
    fleet = RestingFleet(names(20), ill={"sim/a-7"})
    rest = Rest(fleet)
    held = [ill_ones(rest.cycle()) for _ in range(25)]
    fleet.ill.clear()
    healed = [ill_ones(rest.cycle()) for _ in range(12)]

    first = held.index(["sim/a-7"])
    assert first <= PROMISED // MINUTE
    assert [["sim/a-7"]] * (len(held) - first) == held[first:]
    last = healed.index([])
    assert last <= PROMISED // MINUTE
    assert [[]] * (len(healed) - last) == healed[last:]


def ill_ones(plan: Plan) -> Sequence[str | None]:
    """Clusters that are held for their health."""
    return [hold.cluster for hold in plan.groups[0].holds if hold.reason is HoldReason.CLUSTER_UNHEALTHY]
