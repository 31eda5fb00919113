"""Whose brokers are asked in a cycle, and what it costs the others where they do not answer."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from controller.ledger.memory import MemoryLedger
from controller.model.declaration import ClusterGroup, Declaration
from controller.model.health import Health
from controller.model.observation import Endpoints, Observation, ObservedCluster, Reading, SourceReading, Unknown
from controller.model.plan import Plan, Start
from controller.model.verdict import HoldReason
from controller.ports import BrokerHealth
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Controller, Pace, World
from controller.runtime.examining import AT_ONCE_MAX, Examiner
from tests.builders import HOUR, MINUTE, NEW, NOON, a_cluster, a_finding, a_reading, by_name
from tests.builders_core import a_declaration, a_group
from tests.runtime.worlds import LIMIT_SECONDS, CountingMetrics, await_true
from tests.simulation.process import FixedSources
from tests.simulation.repository import MemoryRepository

HASTY = timedelta(seconds=2)
PATIENT = timedelta(seconds=LIMIT_SECONDS)
LABELS = {"group": "prod"}


@dataclass
class ScriptedBrokers:
    """Say what the script says of a cluster, else that all is well; those in ``hanging`` wait until they are let go."""

    script: Mapping[str, Reading | Unknown] = field(default_factory=dict)
    hanging: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)

    def examine(self, cluster: ObservedCluster, health: Health) -> Reading | Unknown:
        """Answer."""
        del health
        self.asked.append(cluster.name)
        if cluster.name in self.hanging:
            self.free.wait(LIMIT_SECONDS)
        assert isinstance(cluster.reading, Reading)
        return self.script.get(cluster.name, cluster.reading)


@dataclass
class BrokeredFleet:
    """A source whose clusters have brokers; what they run is what was started last."""

    clusters: list[str]
    runs: str = NEW
    is_told_of_changes: bool = True
    always_full: bool = False
    name: str = "eu"
    full: list[frozenset[str]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Show every cluster, in full where that is asked for."""
        del now
        self.full.append(full)
        shown = {name: a_reading(self.runs, full=self.always_full or name in full) for name in self.clusters}
        return SourceReading(
            self.name, {name: ObservedCluster(name, LABELS, reading, Endpoints()) for name, reading in shown.items()}
        )

    def start(self, start: Start, now: datetime) -> None:
        """Take it."""
        del now
        self.started.append(start.cluster)


@dataclass
class Days:
    """Real cycles over a fleet with brokers, ``interval`` apart."""

    fleet: BrokeredFleet
    brokers: ScriptedBrokers = field(default_factory=ScriptedBrokers)
    group: ClusterGroup = field(default_factory=lambda: a_group("prod"))
    interval: timedelta = MINUTE

    def __post_init__(self) -> None:
        """Start a process."""
        self.clock, self.metrics = VirtualClock(NOON), CountingMetrics()
        repository, ledger = MemoryRepository(), MemoryLedger()
        repository.commit(a_declaration(self.group))
        assert ledger.acquire("this test", NOON)
        sources = FixedSources([self.fleet])
        world = World(repository, sources, ledger, ledger.outbox, self.clock, self.metrics, brokers=self._brokers)
        self.controller = Controller(world, Pace(self.interval, stale_after=HOUR))

    def _brokers(self, declaration: Declaration) -> BrokerHealth:
        del declaration
        return self.brokers

    def cycle(self) -> Plan:
        """Let time pass and run a cycle."""
        self.clock.advance(self.interval)
        plan = self.controller.run_cycle()
        assert plan is not None
        return plan

    def asked_in(self, cycles: int) -> list[list[str]]:
        """Whose brokers were asked, cycle by cycle."""
        told = []
        for _ in range(cycles):
            self.brokers.asked.clear()
            self.cycle()
            told.append(sorted(self.brokers.asked))
        return told


def names(count: int) -> list[str]:
    """Full names of ``count`` clusters."""
    return [f"eu/a-{number:03}" for number in range(count)]


@pytest.mark.parametrize("told", [True, False])
def test_the_brokers_of_clusters_at_rest_are_asked_in_turn(*, told: bool) -> None:
    """
    Each within ten minutes, in shares; also where a watch tells every change of a resource, which is then not read.
    """
    days = Days(BrokeredFleet(names(80), is_told_of_changes=told))
    days.asked_in(2)

    rounds = days.asked_in(8)

    assert set(names(80)) == {name for each in rounds for name in each}
    assert max(len(each) for each in rounds) <= 80 // 7 + 1
    assert {0} == {len(full) for full in days.fleet.full[2:]} if told else {0} != {len(f) for f in days.fleet.full[2:]}
    assert days.metrics.calls["brokers", "ok"] >= 80


def test_a_source_that_reads_everybody_in_full_takes_nobodys_turn() -> None:
    """
    What it says is no word of the brokers: they are asked in turn as ever.
    """
    days = Days(BrokeredFleet(names(80), is_told_of_changes=False, always_full=True))
    days.asked_in(2)

    rounds = days.asked_in(8)

    assert set(names(80)) == {name for each in rounds for name in each}
    assert max(len(each) for each in rounds) < 80 // 3, "never all at once"


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("always_full", [True, False])
def test_with_longer_intervals_all_brokers_are_asked_each_time(*, told: bool, always_full: bool) -> None:
    """
    Where ten minutes hold one cycle, that is the best there is, also where a source reads everybody in full unasked.
    """
    fleet = BrokeredFleet(names(3), is_told_of_changes=told, always_full=always_full)
    days = Days(fleet, interval=9 * MINUTE)
    days.asked_in(2)

    assert [names(3)] * 4 == days.asked_in(4)


def test_nobodys_brokers_are_asked_where_a_group_does_not_want_that() -> None:
    """
    And a start needs no word of theirs.
    """
    group = a_group("prod", health=Health(asks_brokers=False))
    days = Days(BrokeredFleet(names(3), runs="4.1.2"), group=group)

    assert [[], [], []] == days.asked_in(3)
    assert [] != days.fleet.started


def test_a_cluster_starts_in_the_cycle_in_which_its_brokers_were_asked() -> None:
    """
    Safety (healthy-first): who is next is asked first, and starts only where they said that all is well.
    """
    sick = a_reading("4.1.2", findings=(a_finding(id="under_min_isr"),))
    days = Days(BrokeredFleet(names(1), runs="4.1.2"), ScriptedBrokers({"eu/a-000": sick}))
    days.cycle()

    held = days.cycle().groups[0].holds
    assert [HoldReason.CLUSTER_UNHEALTHY] == [hold.reason for hold in held]
    assert "under_min_isr" in held[0].detail
    assert [] == days.fleet.started

    days.brokers.script = {}
    days.cycle()
    assert ["eu/a-000"] == days.fleet.started


def test_a_cluster_at_rest_whose_brokers_do_not_answer_stays_unknown_until_they_do() -> None:
    """
    Between two turns nobody takes it for well again: the breaker has to see all that are unavailable.
    """
    dark = dict.fromkeys(names(20)[:5], Unknown("no broker answers"))
    days = Days(BrokeredFleet(names(20)), ScriptedBrokers(dark))
    days.asked_in(11)

    unknown = [
        sum(isinstance(cluster.reading, Unknown) for cluster in days.cycle().memory.known.values()) for _ in range(5)
    ]
    days.brokers.script = {}
    days.asked_in(11)

    assert [5] * 5 == unknown
    assert 0 == sum(isinstance(each.reading, Unknown) for each in days.cycle().memory.known.values())


def observed(*clusters: str) -> Observation:
    """Clusters with brokers, read in full."""
    return Observation(by_name(replace(a_cluster(name), endpoints=Endpoints()) for name in clusters))


def readings(observation: Observation) -> dict[str, Reading | Unknown]:
    """What each cluster shows."""
    return {name: cluster.reading for name, cluster in observation.clusters.items()}


def test_brokers_that_hang_are_given_up_and_not_asked_again_meanwhile() -> None:
    """
    Their cluster is unknown, the others are read; once they answered late they are asked anew.
    """
    brokers = ScriptedBrokers(hanging=frozenset({"eu/b"}))
    metrics = CountingMetrics()
    examiner = Examiner(HASTY, metrics)
    rules = dict.fromkeys(("eu/a", "eu/b"), Health())

    seen, asked = examiner.examine(observed("eu/a", "eu/b"), rules, brokers)
    assert a_reading(by_brokers=True) == readings(seen)["eu/a"]
    assert Unknown("its brokers did not answer within 2 s") == readings(seen)["eu/b"]
    assert {"eu/a", "eu/b"} == asked
    assert {("brokers", "ok"): 1, ("brokers", "failed"): 1} == dict(metrics.calls)

    seen, _ = examiner.examine(observed("eu/a", "eu/b"), rules, brokers)
    assert readings(seen)["eu/b"] == Unknown("its brokers have not answered the questions of an earlier cycle yet")
    assert 1 == brokers.asked.count("eu/b")

    brokers.free.set()
    patient = replace(a_cluster("eu/b"), endpoints=Endpoints())
    await_true(
        lambda: isinstance(
            readings(examiner.examine(Observation({"eu/b": patient}), {"eu/b": Health()}, brokers)[0])["eu/b"], Reading
        )
    )


def test_who_could_not_be_asked_comes_first_the_next_time() -> None:
    """
    Where too many hang: it has no word of its brokers, is not unknown for that, and starts nothing.
    """
    hanging = frozenset(f"eu/a-{number:02}" for number in range(AT_ONCE_MAX))
    brokers = ScriptedBrokers(hanging=hanging)
    examiner = Examiner(HASTY, CountingMetrics())
    everybody = observed(*sorted(hanging), "eu/z")
    rules = dict.fromkeys(everybody.clusters, Health())

    seen, asked = examiner.examine(everybody, rules, brokers)
    assert a_reading() == readings(seen)["eu/z"]
    assert "eu/z" not in asked

    brokers.free.set()
    await_true(lambda: "eu/z" in examiner.examine(everybody, rules, brokers)[1])


def test_clusters_that_cannot_be_read_are_not_asked() -> None:
    """
    Nor who is gone; where nobody is to be asked the observation is the same value.
    """
    brokers = ScriptedBrokers()
    shown = Observation({"eu/a": replace(a_cluster("eu/a", Unknown("dark")), endpoints=Endpoints())})

    seen, asked = Examiner(PATIENT, CountingMetrics()).examine(
        shown, dict.fromkeys(("eu/a", "eu/gone"), Health()), brokers
    )

    assert seen is shown
    assert frozenset() == asked
    assert [] == brokers.asked
