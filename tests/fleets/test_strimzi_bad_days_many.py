"""Twenty thousand clusters on one real API server: listed in pages, watched, and read quickly ever after."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests

from controller.fleets.strimzi.listing import PAGE_ITEMS, Listing, Scope
from controller.fleets.strimzi.reading import Reader
from controller.fleets.strimzi.source import StrimziSource
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.model.observation import ObservedCluster, Unknown
from tests.builders import NOON
from tests.builders_core import catalog
from tests.real.kubernetes import ADMIN, ApiServer

CLUSTERS = 20_000
LOADERS = 8
KAFKAS = "/apis/kafka.strimzi.io/v1/namespaces/default/kafkas"
LIST_SECONDS_MAX = 60.0
READ_SECONDS_MAX = 2.0
"""In which most of what is seen is the making of a large value."""
SEEN_SECONDS_MAX = 30.0


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server with very many small resources."""
    with ApiServer(tmp_path_factory.mktemp("crowded") / "server") as server:
        with ThreadPoolExecutor(LOADERS) as pool:
            list(pool.map(partial(_make, server), range(LOADERS)))
        yield server


def _make(server: ApiServer, first: int) -> None:
    """Make every so many-th resource, on one connection."""
    with requests.Session() as http:
        http.trust_env = False
        http.verify = str(server.certificate)
        http.headers["Authorization"] = f"Bearer {ADMIN}"
        for number in range(first, CLUSTERS, LOADERS):
            made = http.post(f"{server.url}{KAFKAS}", json=_manifest(f"k-{number:05}"), timeout=30)
            assert made.ok, made.text


def _manifest(name: str) -> dict[str, object]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "Kafka",
        "metadata": {"name": name, "labels": {"env": "prod"}},
        "spec": {"kafka": {"version": "4.2.1"}},
    }


@pytest.mark.system
@pytest.mark.timeout(600)
def test_twenty_thousand_clusters_are_listed_in_pages_and_watched(crowded: ApiServer) -> None:
    """
    Every page once; a change among them is seen without another list, and an unchanged fleet is read in no time.
    """
    api = KubeApi(partial(connect, Where("fleet", crowded.kubeconfig())), "context fleet", 30.0)
    source = StrimziSource("eu", api, [Listing(api, Scope())], Reader(catalog().metadata_versions), ["*"])
    began = time.monotonic()
    first = source.read(frozenset(), NOON).clusters
    assert CLUSTERS == len(first)
    assert time.monotonic() - began < LIST_SECONDS_MAX

    began = time.monotonic()
    again = source.read(frozenset(), NOON).clusters
    assert time.monotonic() - began < READ_SECONDS_MAX
    assert all(again[name] is cluster for name, cluster in first.items())

    crowded.patch(f"{KAFKAS}/k-12345/status", {"status": {"observedGeneration": 1, "kafkaVersion": "4.2.1"}})
    crowded.call("DELETE", f"{KAFKAS}/k-00007")
    crowded.call("POST", KAFKAS, _manifest("one-more"))
    deadline = time.monotonic() + SEEN_SECONDS_MAX
    while not _has_changed(seen := source.read(frozenset(), NOON).clusters):
        assert time.monotonic() < deadline, len(seen)
    assert CLUSTERS == len(seen)
    assert CLUSTERS - 2 == sum(seen.get(name) is cluster for name, cluster in first.items())

    lists = [each for each in crowded.audited() if each["verb"] == "list" and each["userAgent"] == "wavefleet"]
    assert CLUSTERS // PAGE_ITEMS == sum("/kafkas" in each["requestURI"] for each in lists)
    source.close()


def _has_changed(clusters: Mapping[str, ObservedCluster]) -> bool:
    changed = clusters["eu/default/k-12345"].reading
    return (
        not isinstance(changed, Unknown) and "eu/default/k-00007" not in clusters and "eu/default/one-more" in clusters
    )
