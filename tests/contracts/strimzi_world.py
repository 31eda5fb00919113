"""Strimzi's clusters on a real API server, in a namespace of the world's own; the test speaks as their operator."""

import time
from datetime import datetime
from functools import partial
from typing import Any

from controller.fleets.strimzi.listing import Listing, Scope
from controller.fleets.strimzi.reading import Reader
from controller.fleets.strimzi.source import StrimziSource
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.versions import KafkaVersion
from tests.builders import HOUR, LEVEL_41, NOON, OLD
from tests.builders_core import catalog
from tests.contracts.fleet_worlds import LABELS
from tests.real.kubernetes import ApiServer
from tests.real.ssh_server import free_port

NODES = 3
LIMIT_SECONDS = 10.0
SEEN_SECONDS_MAX = 30.0
VERSION = "kafka.strimzi.io/v1"


class StrimziWorld:
    """A fleet of two Kafka resources, their pods and a node pool each."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace
        self._kafkas = f"/apis/{VERSION}/namespaces/{namespace}/kafkas"
        self._kubeconfig = server.kubeconfig()
        self._opened: list[StrimziSource] = []
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.clusters = (f"eu/{namespace}/a-1", f"eu/{namespace}/a-2")
        for name in ("a-1", "a-2"):
            self.make(name)
        self.source: StrimziSource = self.reopened()

    def close(self) -> None:
        """Let every source go."""
        for source in self._opened:
            source.close()

    def make(self, name: str) -> None:
        """Let a cluster be there, at rest on ``OLD``."""
        self.server.call("POST", self._kafkas, _manifest(name))
        pools = f"/apis/{VERSION}/namespaces/{self.namespace}/kafkanodepools"
        pool = {"apiVersion": VERSION, "kind": "KafkaNodePool", "spec": {"replicas": NODES, "roles": ["broker"]}}
        self.server.call("POST", pools, {**pool, "metadata": {"name": f"{name}-b", "labels": _of(name)}})
        for number in range(NODES):
            self._make_pod(name, number)
        self.roll(name)

    def reopened(self) -> StrimziSource:
        """Another process's source."""
        api = KubeApi(partial(connect, Where("fleet", self._kubeconfig)), "context fleet", LIMIT_SECONDS)
        listing = Listing(api, Scope(namespace=self.namespace))
        source = StrimziSource("eu", api, [listing], Reader(catalog().metadata_versions), ["*"])
        self._opened.append(source)
        return source

    def changed_by_others(self, cluster: str, release: KafkaVersion, now: datetime) -> None:
        """Somebody edits the resource."""
        del now
        wish = {"spec": {"kafka": {"version": str(release)}}}
        self.server.patch(f"{self._kafkas}/{_own(cluster)}?fieldManager=kubectl-edit", wish)

    def finish(self, now: datetime) -> datetime:
        """Roll every node, and write the status of the reconciliation after it."""
        for item in self.server.call("GET", self._kafkas)["items"]:
            self.roll(item["metadata"]["name"])
        return now + HOUR

    def roll(self, name: str) -> None:
        """Let all nodes of one cluster run what is asked for, and say so."""
        kafka = self.server.call("GET", f"{self._kafkas}/{name}")
        wanted, before = kafka["spec"]["kafka"], kafka.get("status", {})
        for number in range(NODES):
            self.note(name, number, wanted["version"])
        status = {
            "observedGeneration": kafka["metadata"]["generation"],
            "clusterId": f"id-of-{self.namespace}-{name}",
            "kafkaVersion": wanted["version"],
            "kafkaMetadataVersion": wanted.get("metadataVersion", before.get("kafkaMetadataVersion", str(LEVEL_41))),
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.server.patch(f"{self._kafkas}/{name}/status", {"status": status})

    def note(self, name: str, number: int, release: str) -> None:
        """Write on a pod what it runs, as the operator does."""
        image = f"registry.example/strimzi/kafka:1.2.0-kafka-{release}"
        pod = f"/api/v1/namespaces/{self.namespace}/pods/{name}-b-{number}"
        annotations = {"strimzi.io/kafka-version": release}
        self.server.patch(pod, {"metadata": {"annotations": annotations}})
        spec = {"spec": {"containers": [{"name": "kafka", "image": image}]}}
        self.server.call("PATCH", pod, spec, kind="application/strategic-merge-patch+json")

    def lose(self, cluster: str, now: datetime) -> None:
        """Nobody can tell what one of its nodes runs."""
        del now
        pod = f"/api/v1/namespaces/{self.namespace}/pods/{_own(cluster)}-b-0"
        self.server.patch(pod, {"metadata": {"annotations": {"strimzi.io/kafka-version": "0.0.1"}}})

    def remove(self, cluster: str) -> None:
        """Delete the resource, and wait until whoever watches has seen it."""
        self.server.call("DELETE", f"{self._kafkas}/{_own(cluster)}")
        deadline = time.monotonic() + SEEN_SECONDS_MAX
        while cluster in self.source.read(frozenset(), NOON).clusters:
            assert time.monotonic() < deadline, "the watch does not see it"
            time.sleep(0.01)

    def break_down(self) -> None:
        """The next process finds nobody at the server's address."""
        text = self._kubeconfig.read_text()
        self._kubeconfig = self._kubeconfig.with_name(f"kubeconfig-{self.namespace}")
        self._kubeconfig.write_text(text.replace(str(self.server.port), str(free_port())))
        self.source = self.reopened()

    def _make_pod(self, name: str, number: int) -> None:
        labels = {**_of(name), "strimzi.io/kind": "Kafka", "strimzi.io/name": f"{name}-kafka"}
        pod = {
            "metadata": {"name": f"{name}-b-{number}", "labels": labels},
            "spec": {"containers": [{"name": "kafka", "image": f"registry.example/strimzi/kafka:1.2.0-kafka-{OLD}"}]},
        }
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        self.server.call("POST", pods, pod)
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        self.server.patch(f"{pods}/{name}-b-{number}/status", ready)


def _manifest(name: str) -> dict[str, Any]:
    return {
        "apiVersion": VERSION,
        "kind": "Kafka",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"kafka": {"version": OLD}},
    }


def _of(name: str) -> dict[str, str]:
    return {"strimzi.io/cluster": name}


def _own(cluster: str) -> str:
    return cluster.rpartition("/")[2]
