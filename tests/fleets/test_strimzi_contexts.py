"""Many Kubernetes clusters at once: each has its own time limit, and one that is down concerns no other."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from controller.fleets.strimzi.source import Place, StrimziSource, open_source
from controller.model.observation import Observation, Reading, Unknown
from controller.runtime.watching import Watcher
from tests.builders import NOON
from tests.builders_core import catalog
from tests.contracts.strimzi_world import StrimziWorld
from tests.real.kubernetes import ApiServer
from tests.simulation.process import NoMetrics

LIMIT_SECONDS = 2.0
SECONDS_MAX = 60.0
NAMESPACES = (f"contexts-{number}" for number in count())


@dataclass(frozen=True, slots=True)
class Two:
    """Two API servers with two clusters each, and a source for each; the second server may be stopped."""

    us: ApiServer
    sources: list[StrimziSource]


@pytest.fixture
def two(kubernetes: ApiServer, tmp_path: Path) -> Iterator[Two]:
    """Nothing is read yet."""
    namespace = next(NAMESPACES)
    with ApiServer(tmp_path / "server") as us:
        sources = []
        for name, server in {"eu": kubernetes, "us": us}.items():
            StrimziWorld(server, namespace).close()
            place = Place("fleet", server.kubeconfig(), namespaces=(namespace,))
            sources.append(open_source(name, place, catalog().metadata_versions, LIMIT_SECONDS / 2))
        yield Two(us, sources)
        for source in sources:
            source.close()


def watched(sources: list[StrimziSource], before: Observation | None = None) -> Observation:
    """What all sources show, every cluster asked for in full."""
    known = {} if before is None else before.clusters
    watcher = Watcher(timedelta(seconds=LIMIT_SECONDS), NoMetrics())
    return watcher.watch(sources, known, frozenset(known), NOON)


def seen(observation: Observation, source: str) -> set[type]:
    """What the readings of a source's clusters are."""
    return {type(each.reading) for name, each in observation.clusters.items() if name.startswith(f"{source}/")}


def test_a_server_that_is_stopped_makes_its_own_clusters_unknown(two: Two) -> None:
    """
    Safety (unknown-holds): those of the other are read in the same cycle as if nothing was; afterwards all are.
    """
    before = watched(two.sources)
    assert ({Reading}, {Reading}) == (seen(before, "eu"), seen(before, "us"))

    two.us.stop()
    down = watched(two.sources, before)
    two.us.start()

    assert ({Reading}, {Unknown}) == (seen(down, "eu"), seen(down, "us"))
    assert before.clusters.keys() == down.clusters.keys()
    deadline = time.monotonic() + SECONDS_MAX
    while {Reading} != seen(watched(two.sources, before), "us"):  # it refuses everybody for its first second
        assert time.monotonic() < deadline


def test_a_server_that_hangs_costs_its_time_limit_and_no_more(two: Two) -> None:
    """
    The others are read meanwhile.
    """
    before = watched(two.sources)
    two.us.freeze()
    began = time.monotonic()
    hanging = watched(two.sources, before)
    took = time.monotonic() - began
    two.us.thaw()

    assert ({Reading}, {Unknown}) == (seen(hanging, "eu"), seen(hanging, "us"))
    assert took < 5 * LIMIT_SECONDS
