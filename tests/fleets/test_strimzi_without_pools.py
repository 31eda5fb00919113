"""Clusters without node pools on a real API server: the resource says how many nodes there should be."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import requests

from controller.fleets.strimzi.source import Place, StrimziSource, open_source
from controller.model.observation import Endpoints, Reading, Severity, Unknown
from tests.builders import NOON, OLD, release
from tests.builders_core import catalog
from tests.contracts.strimzi_world import NODES, StrimziWorld
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer

NAMESPACES = count()
SECONDS_MAX = 60.0
BEFORE_POOLS = "kafka.strimzi.io/v1beta2"
KIND = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kafkanodepools.kafka.strimzi.io"


@pytest.fixture
def world(kubernetes: ApiServer) -> Iterator[StrimziWorld]:
    """Two clusters at rest on ``OLD``."""
    made = StrimziWorld(kubernetes, f"pools-{next(NAMESPACES)}")
    yield made
    made.close()


def want(world: StrimziWorld, replicas: int | None) -> None:
    """Let the first cluster's resource say how many nodes there should be, and its operator take that in."""
    path = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/a-1"
    world.server.patch(path, {"spec": {"kafka": {"replicas": replicas}}})
    world.roll("a-1")


def shown(source: StrimziSource, cluster: str) -> Reading | Unknown:
    """What a cluster shows in full."""
    return source.read(frozenset({cluster}), NOON).clusters[cluster].reading


@pytest.mark.parametrize(
    ("replicas", "told"),
    [
        (NODES, []),
        (NODES + 1, [f"{NODES} of {NODES + 1} nodes are ready"]),
        (None, ["nobody tells how many nodes there should be: found neither a node pool nor spec.kafka.replicas"]),
    ],
)
def test_without_pools_the_resource_says_how_many_nodes_there_should_be(
    world: StrimziWorld, replicas: int | None, told: list[str]
) -> None:
    """
    Safety: a node that is not there is missed; and where nobody says how many, none is taken for enough.
    """
    world.server.call("DELETE", f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkanodepools/a-1-b")
    want(world, replicas)

    reading = shown(world.source, world.clusters[0])
    assert isinstance(reading, Reading), reading
    assert told == [finding.detail for finding in reading.findings]
    assert {Severity.WAIT} >= {finding.severity for finding in reading.findings}


def test_what_pools_want_counts_whatever_the_resource_still_says(world: StrimziWorld) -> None:
    """
    Whoever moved to node pools may have left the old number where it was.
    """
    want(world, NODES - 2)
    world.server.call("DELETE", f"/api/v1/namespaces/{world.namespace}/pods/a-1-b-0", {"gracePeriodSeconds": 0})

    reading = shown(world.source, world.clusters[0])
    assert isinstance(reading, Reading), reading
    assert [f"{NODES - 1} of {NODES} nodes are ready"] == [finding.detail for finding in reading.findings]


def test_whoever_else_says_that_there_are_no_pools_is_not_believed(world: StrimziWorld) -> None:
    """
    Safety (unknown-holds): one in front of the server knows nothing of its kinds, which the server itself lists.
    """
    want(world, NODES - 2)
    with FaultProxy(world.server) as proxy:
        place = Place("fleet", proxy.kubeconfig(), (world.namespace,))
        source = open_source("eu", place, catalog().metadata_versions, 10.0)
        proxy.answer("GET", "kafkanodepools", 404, b"404 page not found\n")

        reading = shown(source, world.clusters[0])
        source.close()
    assert isinstance(reading, Unknown), reading
    assert "answered 404: 404 page not found" in reading.why


def test_operators_that_bring_no_kind_for_pools_have_clusters_like_others(tmp_path: Path) -> None:
    """
    Those before 0.36, with ZooKeeper: read in full, and a node that is not there is missed.
    """
    with ApiServer(tmp_path / "server", kinds="v1beta2") as server:
        server.call("DELETE", KIND)
        _await_gone(server)
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "old"}})
        _make(server)
        levels = catalog().metadata_versions
        source = open_source("eu", Place("fleet", server.kubeconfig(), ("old",)), levels, 10.0)

        cluster = source.read(frozenset({"eu/old/a-1"}), NOON).clusters["eu/old/a-1"]
        source.close()

    reading = cluster.reading
    assert isinstance(reading, Reading), reading
    assert (release(OLD), True, True) == (reading.release, reading.full, reading.zookeeper)
    assert ["0 of 3 nodes are ready: a-1-kafka-0"] == [finding.detail for finding in reading.findings]
    assert Endpoints() == cluster.endpoints


def _await_gone(server: ApiServer) -> None:
    """Wait until the server has the kind no more, and says so."""
    deadline = time.monotonic() + SECONDS_MAX
    for ask in (partial(_has_pools, server), partial(_lists_pools, server)):
        while ask():
            assert time.monotonic() < deadline, "the kind stays"


def _has_pools(server: ApiServer) -> bool:
    try:
        server.call("GET", f"/apis/{BEFORE_POOLS}/kafkanodepools")
    except requests.HTTPError:
        return False
    return True


def _lists_pools(server: ApiServer) -> bool:
    return "kafkanodepools" in {each["name"] for each in server.call("GET", f"/apis/{BEFORE_POOLS}")["resources"]}


def _make(server: ApiServer) -> None:
    """Let a cluster of three nodes be there, of which one is seen that is not ready."""
    kafkas = f"/apis/{BEFORE_POOLS}/namespaces/old/kafkas"
    spec = {"kafka": {"version": OLD, "replicas": 3}, "zookeeper": {"replicas": 3}}
    manifest = {"apiVersion": BEFORE_POOLS, "kind": "Kafka", "metadata": {"name": "a-1"}, "spec": spec}
    server.call("POST", kafkas, manifest)
    status = {"observedGeneration": 1, "clusterId": "x", "conditions": [{"type": "Ready", "status": "True"}]}
    server.patch(f"{kafkas}/a-1/status", {"status": status})
    labels = {"strimzi.io/cluster": "a-1", "strimzi.io/kind": "Kafka", "strimzi.io/name": "a-1-kafka"}
    notes = {"strimzi.io/kafka-version": OLD}
    containers = [{"name": "kafka", "image": f"registry.example/strimzi/kafka:0.35.1-kafka-{OLD}"}]
    pod = {"metadata": {"name": "a-1-kafka-0", "labels": labels, "annotations": notes}}
    server.call("POST", "/api/v1/namespaces/old/pods", {**pod, "spec": {"containers": containers}})
