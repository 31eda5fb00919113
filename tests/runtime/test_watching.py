"""Reading every source of live clusters: at once, each with its limit, and none at the cost of another."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from controller.errors import ObservationError
from controller.model.observation import ObservedCluster, Reading, SourceReading, Unknown
from controller.model.plan import Start
from controller.runtime.watching import Watcher
from tests.builders import NOON, a_cluster, a_reading, by_name
from tests.fakes.flaky_source import HangingSource
from tests.runtime.worlds import LIMIT_SECONDS, CountingMetrics, await_true

PATIENT = timedelta(seconds=LIMIT_SECONDS)
HASTY = timedelta(seconds=2)
"""Long enough for a source that answers at once, on a busy machine too."""


@dataclass
class ListedSource:
    """Shows one healthy cluster, or fails as it is told."""

    name: str
    error: Exception | None = None
    together: threading.Barrier | None = None
    """Where given, a reading waits there for the others."""
    reads: list[tuple[frozenset[str], datetime]] = field(default_factory=list)

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return the one cluster."""
        self.reads.append((full, now))
        if self.together is not None:
            self.together.wait(LIMIT_SECONDS)
        if self.error is not None:
            raise self.error
        return SourceReading(self.name, by_name([a_cluster(f"{self.name}/a-1", labels={"team": self.name})]))

    def start(self, start: Start, now: datetime) -> None:
        """Nobody writes here."""
        raise NotImplementedError


def a_watcher(limit: timedelta = PATIENT) -> tuple[Watcher, CountingMetrics]:
    """A watcher, and what it counts."""
    metrics = CountingMetrics()
    return Watcher(limit, metrics), metrics


def reading_of(cluster: ObservedCluster) -> Reading | Unknown:
    """What a cluster shows."""
    return cluster.reading


def test_every_source_is_read_with_what_the_cycle_asks_for() -> None:
    """
    Each source gets the clusters to be read in full, and the cycle's own time.
    """
    watcher, metrics = a_watcher()
    sources = [ListedSource("eu"), ListedSource("us")]

    observation = watcher.watch(sources, {}, frozenset({"eu/a-1"}), NOON)

    assert {"eu/a-1", "us/a-1"} == set(observation.clusters)
    assert {} == observation.unreachable
    assert [[(frozenset({"eu/a-1"}), NOON)]] * 2 == [source.reads for source in sources]
    assert {("source", "ok"): 2} == dict(metrics.calls)


def test_no_source_gives_an_observation_of_nothing() -> None:
    """
    A fleet without sources is watched all the same.
    """
    watcher, _ = a_watcher()

    assert {} == watcher.watch([], {}, frozenset(), NOON).clusters


def test_all_sources_are_read_at_once() -> None:
    """
    Each reading waits until all have begun, so that readings one after another would never end.
    """
    together = threading.Barrier(5)
    watcher, _ = a_watcher()
    sources = [ListedSource(f"region-{number}", together=together) for number in range(5)]

    observation = watcher.watch(sources, {}, frozenset(), NOON)

    assert {} == observation.unreachable
    assert 5 == len(observation.clusters)


def test_a_source_that_hangs_is_given_up_at_its_limit_and_costs_no_other() -> None:
    """
    Its clusters are unknown, with the limit in the sentence; those of the others are as they are.
    """
    watcher, metrics = a_watcher(HASTY)
    hanging = HangingSource(ListedSource("eu"), LIMIT_SECONDS)
    known = by_name([a_cluster("eu/a-1", labels={"team": "blue"})])

    observation = watcher.watch([hanging, ListedSource("us")], known, frozenset(), NOON)
    hanging.let_go()

    assert {"eu": "source eu did not answer within 2 s"} == observation.unreachable
    assert Unknown("source eu did not answer within 2 s") == reading_of(observation.clusters["eu/a-1"])
    assert a_reading() == reading_of(observation.clusters["us/a-1"])
    assert {("source", "ok"): 1, ("source", "failed"): 1} == dict(metrics.calls)


def test_a_source_that_still_hangs_is_not_asked_again() -> None:
    """
    One reading at a time, however many cycles pass: a dead source must not eat a thread for each of them.
    """
    watcher, _ = a_watcher(HASTY)
    within = ListedSource("eu")
    hanging = HangingSource(within, LIMIT_SECONDS)
    watcher.watch([hanging], {}, frozenset(), NOON)
    assert hanging.entered.wait(LIMIT_SECONDS)
    hanging.entered.clear()

    for _ in range(3):
        observation = watcher.watch([hanging], {}, frozenset(), NOON)
        assert {"eu": "source eu has not answered an earlier cycle yet"} == observation.unreachable

    assert not hanging.entered.is_set()
    hanging.let_go()
    await_true(lambda: len(within.reads) == 1)


def test_an_answer_that_came_too_late_is_thrown_away() -> None:
    """
    Safety: it shows the past. Once it is in, the source is asked anew, with the time of the cycle that asks.
    """
    watcher, _ = a_watcher(HASTY)
    within = ListedSource("eu")
    hanging = HangingSource(within, LIMIT_SECONDS)
    watcher.watch([hanging], {}, frozenset({"eu/old"}), NOON)
    hanging.let_go()

    await_true(lambda: not watcher.watch([hanging], {}, frozenset({"eu/new"}), NOON).unreachable)

    assert [frozenset({"eu/old"}), frozenset({"eu/new"})] == [full for full, _ in within.reads]


def test_a_failure_that_came_too_late_is_thrown_away_as_well() -> None:
    """
    The source is asked anew, and only what it answers now counts.
    """
    watcher, _ = a_watcher(HASTY)
    within = ListedSource("eu", ObservationError("source eu: 503"))
    hanging = HangingSource(within, LIMIT_SECONDS)
    watcher.watch([hanging], {}, frozenset(), NOON)
    hanging.let_go()
    await_true(lambda: within.reads != [] and not any(t.name == "read-eu" for t in threading.enumerate()))
    within.error = None

    def is_told_anew() -> bool:
        told = watcher.watch([hanging], {}, frozenset(), NOON).unreachable
        assert "503" not in str(told)  # however often a busy machine makes it answer late
        return not told

    await_true(is_told_anew)


def test_a_source_that_fails_costs_no_other() -> None:
    """
    Its clusters keep their labels, and are unknown with the source's own sentence.
    """
    watcher, metrics = a_watcher()
    failing = ListedSource("eu", ObservationError("source eu: 503"))
    known = by_name([a_cluster("eu/a-1", labels={"team": "blue"}), a_cluster("eu/a-2")])

    observation = watcher.watch([failing, ListedSource("us")], known, frozenset(), NOON)

    assert ObservedCluster("eu/a-1", {"team": "blue"}, Unknown("source eu: 503")) == observation.clusters["eu/a-1"]
    assert {"eu/a-1", "eu/a-2", "us/a-1"} == set(observation.clusters)
    assert {("source", "ok"): 1, ("source", "failed"): 1} == dict(metrics.calls)


def test_a_source_that_fails_for_long_keeps_its_clusters_unknown() -> None:
    """
    Cycle after cycle, until it can be read again; it is asked in each of them.
    """
    watcher, _ = a_watcher()
    source = ListedSource("eu")
    shown = watcher.watch([source], {}, frozenset(), NOON).clusters

    source.error = ObservationError("source eu: 503")
    for _ in range(3):
        shown = watcher.watch([source], shown, frozenset(), NOON).clusters
        assert ObservedCluster("eu/a-1", {"team": "eu"}, Unknown("source eu: 503")) == shown["eu/a-1"]
    source.error = None

    assert a_reading() == reading_of(watcher.watch([source], shown, frozenset(), NOON).clusters["eu/a-1"])


@dataclass
class ShyAnswer(ListedSource):
    """Answers that it is out of reach, instead of raising."""

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Say so."""
        del full, now
        return SourceReading(self.name, unreachable="its inventory is gone")


def test_a_source_may_answer_that_it_is_out_of_reach() -> None:
    """
    The same as raising: unknown clusters, a failed call.
    """
    watcher, metrics = a_watcher()

    observation = watcher.watch([ShyAnswer("eu")], by_name([a_cluster("eu/a-1")]), frozenset(), NOON)

    assert {"eu": "its inventory is gone"} == observation.unreachable
    assert Unknown("its inventory is gone") == reading_of(observation.clusters["eu/a-1"])
    assert {("source", "failed"): 1} == dict(metrics.calls)


def test_only_the_lost_source_s_clusters_are_brought_back() -> None:
    """
    Those of a source with a longer name, of one that is not declared any more, or gone from one that was read, are not.
    """
    watcher, _ = a_watcher()
    known = by_name(a_cluster(name) for name in ("eu/a-1", "eu-west/a-1", "us/gone", "old/a-1"))
    failing = ListedSource("eu", ObservationError("source eu: 503"))

    observation = watcher.watch([failing, ListedSource("us")], known, frozenset(), NOON)

    assert {"eu/a-1", "us/a-1"} == set(observation.clusters)


def test_a_bug_in_a_source_is_not_taken_for_an_outage() -> None:
    """
    Anything but an ObservationError ends the cycle, and with it the daemon: it is ours to mend.
    """
    watcher, _ = a_watcher()

    with pytest.raises(ZeroDivisionError):
        watcher.watch([ListedSource("eu", ZeroDivisionError())], {}, frozenset(), NOON)
