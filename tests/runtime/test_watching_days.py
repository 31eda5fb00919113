"""Watching the fleet: all sources at once, each with its own limit, and no answer is taken for another cycle's."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from controller.errors import ObservationError
from controller.model.observation import Observation, ObservedCluster, Reading, SourceReading, Unknown
from controller.model.plan import Start
from controller.runtime.watching import Watcher
from tests.builders import NOON, a_reading
from tests.simulation.process import NoMetrics
from tests.simulation.quiet import no_logs

LIMIT = timedelta(seconds=0.2)
PATIENCE_SECONDS = 20.0
NOBODY: frozenset[str] = frozenset()


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Leave logs out."""
    with no_logs():
        yield


class OneCluster:
    """A source of one cluster; it may be told to wait, or to fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self.fails = False
        self.asked: list[frozenset[str]] = []
        self.answered = 0

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return the cluster, as of the call, once it is free to."""
        del now
        self.asked.append(full)
        token = str(len(self.asked))
        self.entered.set()
        assert self.free.wait(PATIENCE_SECONDS), "nobody let it go"
        self.answered += 1
        if self.fails:
            raise ObservationError(f"source {self.name}: 403")
        cluster = ObservedCluster(f"{self.name}/a", {"group": "prod"}, a_reading(token=token))
        return SourceReading(self.name, {cluster.name: cluster})

    def start(self, start: Start, now: datetime) -> None:
        """Never called here."""


class Watch:
    """A watcher over two sources, with what it showed last."""

    def __init__(self) -> None:
        self.sources = [OneCluster("eu"), OneCluster("us")]
        self.watcher = Watcher(LIMIT, NoMetrics())
        self.seen = Observation({})

    def look(self, full: frozenset[str] = NOBODY) -> Observation:
        """Watch once."""
        self.seen = self.watcher.watch(self.sources, self.seen.clusters, full, NOON)
        return self.seen

    def token(self, source: str) -> str | None:
        """Return which call's answer is shown of a source; None where it is unknown."""
        reading = self.seen.clusters[f"{source}/a"].reading
        return reading.token if isinstance(reading, Reading) else None


def wait_for(source: OneCluster, answers: int) -> None:
    """Wait until a source gave so many answers, and the thread that asked has handed the last one on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while source.answered < answers or any(t.name.startswith(f"read-{source.name}") for t in threading.enumerate()):
        assert time.monotonic() < deadline, source.answered
        time.sleep(0.005)


def test_every_source_is_asked_and_told_whom_to_read_in_full() -> None:
    """
    One observation holds the clusters of all of them.
    """
    watch = Watch()
    observed = watch.look(frozenset({"us/a"}))

    assert {"eu/a", "us/a"} == observed.clusters.keys()
    assert {} == observed.unreachable
    assert [[frozenset({"us/a"})]] * 2 == [source.asked for source in watch.sources]


def test_a_source_that_fails_makes_only_its_own_clusters_unknown() -> None:
    """
    They keep the labels that they were last seen with, so that their groups keep them.
    """
    watch = Watch()
    watch.look()
    watch.sources[0].fails = True

    observed = watch.look()
    assert {"eu": "source eu: 403"} == observed.unreachable
    assert ObservedCluster("eu/a", {"group": "prod"}, Unknown("source eu: 403")) == observed.clusters["eu/a"]
    assert "2" == watch.token("us")


def test_a_source_that_fails_for_long_keeps_its_clusters_unknown() -> None:
    """
    Cycle after cycle, until it can be read again.
    """
    watch = Watch()
    watch.look()
    watch.sources[0].fails = True
    for _ in range(3):
        assert isinstance(watch.look().clusters["eu/a"].reading, Unknown)

    watch.sources[0].fails = False
    assert isinstance(watch.look().clusters["eu/a"].reading, Reading)


def test_clusters_of_a_source_that_is_declared_no_more_are_not_seen() -> None:
    """
    Only declared sources speak.
    """
    watch = Watch()
    watch.look()
    del watch.sources[0]

    assert {"us/a"} == watch.look().clusters.keys()


def test_a_source_that_hangs_is_unknown_after_its_limit_and_delays_no_other() -> None:
    """
    Its clusters are unknown; the cycle goes on after the limit of one call.
    """
    watch = Watch()
    watch.look()
    watch.sources[0].free.clear()
    began = time.monotonic()

    observed = watch.look()
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert "did not answer within 0.2 s" in observed.unreachable["eu"]
    assert (None, "2") == (watch.token("eu"), watch.token("us"))
    watch.sources[0].free.set()


def test_a_hanging_source_is_not_asked_again_while_it_hangs() -> None:
    """
    Calls to it do not pile up.
    """
    watch = Watch()
    watch.sources[0].free.clear()
    for _ in range(3):
        watch.look()

    assert (1, 3) == tuple(len(source.asked) for source in watch.sources)
    watch.sources[0].free.set()


def test_an_answer_that_comes_too_late_is_thrown_away() -> None:
    """
    Safety: what an earlier cycle asked for shows the past, and must not be taken for an observation of this one.
    """
    watch = Watch()
    eu = watch.sources[0]
    eu.free.clear()
    watch.look()
    eu.free.set()
    wait_for(eu, answers=1)

    watch.look()
    assert "2" == watch.token("eu")


def test_a_late_failure_is_thrown_away_as_well() -> None:
    """
    The source is asked anew, and its answer counts.
    """
    watch = Watch()
    eu = watch.sources[0]
    eu.free.clear()
    eu.fails = True
    watch.look()
    eu.free.set()
    wait_for(eu, answers=1)
    eu.fails = False

    assert {} == watch.look().unreachable
