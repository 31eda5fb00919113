"""Reading a real API server on bad days: what each resource shows, and what the trouble of one spoils of the others."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ObservationError
from controller.fleets.strimzi.listing import Listing, Scope
from controller.fleets.strimzi.reading import Reader
from controller.fleets.strimzi.source import StrimziSource
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.runtime.watching import Watcher
from tests.builders import LEVEL_41, LEVEL_43, NEW, NOON, OLD, a_start, release
from tests.builders_core import catalog
from tests.contracts.strimzi_world import StrimziWorld
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer
from tests.runtime.worlds import CountingMetrics

NAMESPACES = count()
LIMIT_SECONDS = 1.5
SECONDS_MAX = 60.0
DEPTH = 3_000

Fault = Callable[[FaultProxy, str, str], None]


@pytest.fixture
def world(kubernetes: ApiServer) -> Iterator[StrimziWorld]:
    """Two clusters at rest on ``OLD``."""
    made = StrimziWorld(kubernetes, f"bad-{next(NAMESPACES)}")
    yield made
    made.close()


Opener = Callable[..., StrimziSource]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens sources on a world's namespace by way of a kubeconfig file, and lets them go."""
    made: list[StrimziSource] = []

    def open_at(world: StrimziWorld, kubeconfig: Path, name: str = "eu") -> StrimziSource:
        api = KubeApi(partial(connect, Where("fleet", kubeconfig)), f"context {name}", LIMIT_SECONDS)
        listing = Listing(api, Scope(namespace=world.namespace))
        made.append(StrimziSource(name, api, [listing], Reader(catalog().metadata_versions), ["*"]))
        return made[-1]

    yield open_at
    for each in made:
        each.close()


PAUSED = {
    "metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}},
    "status": {
        "kafkaVersion": None,
        "kafkaMetadataVersion": None,
        "conditions": [{"type": "ReconciliationPaused", "status": "True"}],
    },
}
HELD = "its operator is paused; remove the annotation strimzi.io/pause-reconciliation"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (PAUSED, {"release": release(OLD), "held": HELD, "settled": False}),
        (
            {"spec": {"kafka": {"version": NEW}}},
            {"release": release(OLD), "wanted": release(NEW), "settled": False},
        ),
        (
            {"spec": {"kafka": {"metadataVersion": "4.3-IV0"}}},
            {"metadata_version": LEVEL_41, "wanted_metadata": LEVEL_43, "settled": False},
        ),
        (
            {"spec": {"kafka": {"version": "9.9.9"}}},
            {"release": release(OLD), "wanted": release("9.9.9"), "settled": False},
        ),
        ({"status": {"kafkaMetadataVersion": "9.9-IV9"}}, {"metadata_version": None, "settled": True}),
    ],
    ids=["paused", "older generation", "level pinned above", "release of nobody", "level of nobody"],
)
def test_a_resource_that_is_not_at_rest_says_so(
    world: StrimziWorld, change: Mapping[str, Any], expected: Mapping[str, object]
) -> None:
    """
    As the server stores it, and its pods beside it; the cluster next to it is read as ever.
    """
    cluster, other = world.clusters
    change_resource(world, change)
    clusters = world.source.read(frozenset(world.clusters), NOON).clusters

    reading = clusters[cluster].reading
    assert isinstance(reading, Reading), reading
    assert expected == {name: getattr(reading, name) for name in expected}
    assert isinstance(clusters[other].reading, Reading)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": {"kafkaVersion": "ours"}}, "its status does not say what it runs"),
        ({"spec": {"kafka": {"version": "latest"}}}, "'latest', which is no release such as 4.3.1"),
        ({"status": None}, "its operator has not said anything of it yet"),
    ],
    ids=["release of nobody", "no release", "no status"],
)
def test_a_resource_from_which_nobody_can_tell_is_unknown(
    world: StrimziWorld, change: Mapping[str, Any], why: str
) -> None:
    """
    Safety (unknown-holds): by the list alone, without its pods; the cluster next to it is read as ever.
    """
    cluster, other = world.clusters
    change_resource(world, change)
    clusters = world.reopened().read(frozenset(), NOON).clusters

    reading = clusters[cluster].reading
    assert isinstance(reading, Unknown), reading
    assert why in reading.why
    assert isinstance(clusters[other].reading, Reading)


RESUMED = {"status": PAUSED["status"]}


@pytest.mark.parametrize("change", [PAUSED, RESUMED], ids=["paused", "told to go on"])
def test_a_paused_cluster_is_known_by_its_pods_though_nobody_asked_for_them(
    world: StrimziWorld, proxy: FaultProxy, opened: Opener, change: Mapping[str, Any]
) -> None:
    """
    Held, not unknown, or many of them would stop the fleet; its pods are asked for once, until its resource changes.
    """
    cluster, other = world.clusters
    change_resource(world, change)
    source = opened(world, proxy.kubeconfig())
    first, second, third = (source.read(frozenset(), NOON).clusters for _ in range(3))

    reading, later = first[cluster].reading, second[cluster].reading
    assert isinstance(reading, Reading), reading
    assert (release(OLD), HELD, False) == (reading.release, reading.held, reading.settled)
    assert replace(reading, full=False) == later
    assert second[cluster] is third[cluster]
    assert first[other] is third[other]
    assert 1 == len(proxy.asked("GET", "/pods"))

    change_resource(world, {"metadata": {"annotations": {"strimzi.io/pause-reconciliation": None}}})
    world.roll("a-1")
    _await(lambda: _listed(source, cluster).held is None)
    asked = len(proxy.asked("GET", "/pods"))
    assert _listed(source, cluster).settled
    assert asked == len(proxy.asked("GET", "/pods"))


def test_a_paused_cluster_whose_pods_cannot_be_read_is_unknown_until_they_can(
    world: StrimziWorld, proxy: FaultProxy, opened: Opener
) -> None:
    """
    Safety (unknown-holds): they are asked for again the next time.
    """
    change_resource(world, PAUSED)
    source = opened(world, proxy.kubeconfig())
    proxy.refuse("GET", "/pods", 500)

    found = source.read(frozenset(), NOON).clusters[world.clusters[0]].reading
    assert isinstance(found, Unknown), found
    assert HELD == _listed(source, world.clusters[0]).held


def test_a_resource_nested_too_deeply_puts_its_source_out_of_reach_and_no_other(
    world: StrimziWorld, kubernetes: ApiServer, opened: Opener, tmp_path: Path
) -> None:
    """
    Safety: whether it was there before or comes with the watch; the daemon goes on, and reads it once it is mended.
    """
    place = StrimziWorld(kubernetes, f"bad-{next(NAMESPACES)}")
    source, well = opened(world, kubernetes.kubeconfig()), opened(place, kubernetes.kubeconfig(), "well")
    watcher = Watcher(timedelta(seconds=10), CountingMetrics())
    assert {} == watcher.watch([source, well], {}, frozenset(), NOON).unreachable
    file = tmp_path / "deep.json"
    nested = '{"a":' * DEPTH + "1" + "}" * DEPTH
    kind = '"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "deep"}'
    file.write_text(f'{{{kind}, "spec": {{"kafka": {{"version": "{OLD}", "config": {nested}}}}}}}')
    kubernetes.kubectl("create", f"--namespace={world.namespace}", f"--filename={file}")
    try:
        sources = [source, opened(world, kubernetes.kubeconfig(), "anew"), well]
        _await(lambda: len(watcher.watch(sources, {}, frozenset(), NOON).unreachable) == 2)
        seen = watcher.watch(sources, {}, frozenset(place.clusters), NOON)
    finally:
        kubernetes.kubectl("delete", f"--namespace={world.namespace}", "kafka", "deep")

    assert {"eu", "anew"} == set(seen.unreachable)
    assert "context eu answered with no list of Kafka resources" in seen.unreachable["eu"]
    assert {f"well/{place.namespace}/a-{n}" for n in (1, 2)} == set(seen.clusters)
    assert {} == watcher.watch(sources, {}, frozenset(), NOON).unreachable
    place.close()


def change_resource(world: StrimziWorld, change: Mapping[str, Any]) -> None:
    """Change the first cluster's resource, its status by the way that it has for that."""
    path = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/a-1"
    world.server.patch(path, {key: part for key, part in change.items() if key != "status"})
    if "status" in change:
        world.server.patch(f"{path}/status", {"status": change["status"]})


@pytest.mark.parametrize(
    "fault",
    [
        FaultProxy.stall,
        FaultProxy.stall_within,
        FaultProxy.hang_up,
        partial(FaultProxy.refuse, status=500),
        partial(FaultProxy.refuse, status=403),
        partial(FaultProxy.answer, status=404, body=b"no such backend"),
        partial(FaultProxy.answer, status=200, body=b"log in first"),
    ],
)
@pytest.mark.parametrize("pattern", ["kafkas/a-1$", "pods.*cluster%3Da-1", "kafkanodepools.*cluster%3Da-1"])
def test_a_cluster_that_cannot_be_read_in_full_is_unknown_alone_and_in_time(
    world: StrimziWorld, proxy: FaultProxy, opened: Opener, fault: Fault, pattern: str
) -> None:
    """
    Whichever of its parts does not come; the others are read meanwhile, and so is it the next time.
    """
    cluster, other = world.clusters
    source = opened(world, proxy.kubeconfig())
    fault(proxy, "GET", pattern)
    began = time.monotonic()
    clusters = source.read(frozenset(world.clusters), NOON).clusters

    assert time.monotonic() - began < LIMIT_SECONDS + 2
    reading = clusters[cluster].reading
    assert isinstance(reading, Unknown), reading
    assert "context eu " in reading.why
    assert {"env": "prod"} == clusters[cluster].labels
    assert isinstance(clusters[other].reading, Reading)
    assert isinstance(source.read(frozenset(world.clusters), NOON).clusters[cluster].reading, Reading)


def test_contexts_in_all_kinds_of_trouble_make_their_clusters_unknown_and_no_others(
    world: StrimziWorld, kubernetes: ApiServer, opened: Opener, tmp_path: Path
) -> None:
    """
    Safety (unknown-holds): many are read at once, each with its own time limit, whether the others are busy, stall in
    the middle, forbid, or wait for a login program.
    """
    logged_in = tmp_path / "logged-in"
    with ExitStack() as stack:
        stack.callback(logged_in.touch)
        proxies = {name: stack.enter_context(FaultProxy(kubernetes)) for name in ("busy", "half")}
        places = {name: each.kubeconfig() for name, each in proxies.items()}
        program = f"exec: {{apiVersion: v1, command: sh, args: [-c, 'until [ -e {logged_in} ]; do sleep 0.02; done']}}"
        places["login"] = tmp_path / "kubeconfig"
        places["login"].write_text(kubernetes.kubeconfig().read_text().replace("token: admin-token", program))
        sources = [opened(world, place, name) for name, place in places.items()]
        sources += [opened(world, kubernetes.kubeconfig("reader"), "forbidden")]
        sources += [opened(world, kubernetes.kubeconfig(), f"well-{number}") for number in range(4)]
        before = {f"{source.name}/{world.namespace}/a-1": source.name for source in sources}
        proxies["busy"].refuse("GET", "", 429, {"Retry-After": "30"}, times=100)
        proxies["half"].stall_within("GET", "kafkas", times=100)
        known = {name: ObservedCluster(name, {}, Unknown("not read yet")) for name in before}
        watcher = Watcher(timedelta(seconds=2 * LIMIT_SECONDS), CountingMetrics())
        began = time.monotonic()
        seen = watcher.watch(sources, known, frozenset(f"well-{n}/{world.namespace}/a-1" for n in range(4)), NOON)
        assert time.monotonic() - began < 2 * LIMIT_SECONDS + 2

        down = {"busy", "half", "login", "forbidden"}
        assert down == set(seen.unreachable)
        for name, source in before.items():
            assert isinstance(seen.clusters[name].reading, Unknown if source in down else Reading), name


def test_a_wave_goes_on_over_a_restart_of_the_api_server(tmp_path: Path, opened: Opener) -> None:
    """
    What was written before stays so, in full nobody can read meanwhile, and then the next cluster is written to.
    """
    with ApiServer(tmp_path / "server") as server:
        world = StrimziWorld(server, "restarted")
        first, second = world.clusters
        both = frozenset(world.clusters)
        source = opened(world, server.kubeconfig())
        tokens = {name: _reading(source, name).token for name in both}
        source.start(a_start(first, token=tokens[first]), NOON)

        server.stop()
        for name in both:
            assert isinstance(_cluster(source, name), Unknown)
        server.start()
        _await(lambda: not any(isinstance(_cluster(source, name), Unknown) for name in both))
        assert (release(NEW), release(OLD)) == (_reading(source, first).wanted, _reading(source, second).wanted)
        source.start(a_start(first, token=tokens[first]), NOON)
        source.start(a_start(second, token=tokens[second]), NOON)
        world.roll("a-1")
        world.roll("a-2")
        _await(lambda: all(_reading(source, name).settled for name in both))
        world.close()


def _cluster(source: StrimziSource, name: str) -> Reading | Unknown:
    """What a cluster shows in full; a source that cannot be read shows nothing of any."""
    try:
        return source.read(frozenset({name}), NOON).clusters[name].reading
    except ObservationError as error:
        return Unknown(str(error))


def _reading(source: StrimziSource, name: str) -> Reading:
    found = _cluster(source, name)
    assert isinstance(found, Reading), found
    return found


def _listed(source: StrimziSource, name: str) -> Reading:
    """What a cluster shows from the list."""
    found = source.read(frozenset(), NOON).clusters[name].reading
    assert isinstance(found, Reading), found
    return found


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "it does not come to be so"
        time.sleep(0.05)
