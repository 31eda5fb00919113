"""A small stand-in for Strimzi's cluster operator, as a process of its own against a real API server.

``python -m tests.real.strimzi_operator KUBECONFIG [PREFIX]`` works on namespaces that begin with PREFIX. It makes each
cluster's pods, rolls them one by one when the release of their resource changes, writes the status once at the end of a
reconciliation, and raises metadata.version in the reconciliation after, all as the facts of Strimzi 1.2 say.
Annotations on a resource let things go wrong:

- ``test.wavefleet.io/stick: "2"``: the third pod of a roll does not become ready, and the reconciliation fails
- ``test.wavefleet.io/slow: "0.5"``: seconds that each pod takes

It knows nothing of the package, and shares no code with it.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests
import yaml

SUPPORTED = ("4.1.2", "4.2.0", "4.2.1", "4.3.0", "4.3.1")
LEVELS = {"4.1": "4.1-IV1", "4.2": "4.2-IV1", "4.3": "4.3-IV0"}
"""The default level of each line."""
OPERATOR = "1.2.0"
PERIOD_SECONDS = 0.5
"""From one look at everything to the next; Strimzi's own takes two minutes."""
CALL_SECONDS_MAX = 10
NODES = 3

Document = dict[str, Any]


class Api:
    """Calls to the server of a context."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._url = cluster["server"]
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = cluster["certificate-authority"]
        self._http.headers["Authorization"] = f"Bearer {user['token']}"

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Document:
        """Return the answer; raises requests.RequestException."""
        content = None if body is None else json.dumps(body)
        url, headers = f"{self._url}{path}", {"Content-Type": kind}
        answer = self._http.request(method, url, data=content, headers=headers, timeout=CALL_SECONDS_MAX)
        answer.raise_for_status()
        found: Document = answer.json()
        return found

    def patch(self, path: str, body: object) -> Document:
        """Merge ``body`` into what is there."""
        return self.call("PATCH", f"{path}?fieldManager=strimzi-cluster-operator", body, "application/merge-patch+json")


class Cluster:
    """One resource and its pods."""

    def __init__(self, api: Api, kafka: Document) -> None:
        self._api = api
        self.kafka = kafka
        metadata = kafka["metadata"]
        self.name, self.namespace, self.generation = metadata["name"], metadata["namespace"], metadata["generation"]
        self.annotations: dict[str, str] = metadata.get("annotations", {})
        self.wanted: str = kafka["spec"]["kafka"].get("version", SUPPORTED[-1])
        self.level: str | None = kafka["spec"]["kafka"].get("metadataVersion")
        self.status: Document = kafka.get("status", {})

    @property
    def path(self) -> str:
        """Where the resource lies."""
        return f"/apis/kafka.strimzi.io/v1/namespaces/{self.namespace}/kafkas/{self.name}"

    def look(self) -> None:
        """Bring pods and status to what the resource asks for."""
        if self.annotations.get("strimzi.io/pause-reconciliation") == "true":
            kept = {key: self.status[key] for key in ("observedGeneration", "clusterId") if key in self.status}
            self._write({**kept, "conditions": [_condition("ReconciliationPaused")]})
            return
        if self.wanted not in SUPPORTED:
            known = ", ".join(SUPPORTED)
            said = f"Unsupported Kafka.spec.kafka.version: {self.wanted}. Supported versions are: [{known}]"
            self._fail("UnsupportedKafkaVersionException", said)
            return
        pods = self._pods()
        running = {pod["metadata"]["annotations"]["strimzi.io/kafka-version"] for pod in pods}
        if running == {self.wanted} and all(_is_ready(pod) for pod in pods):
            self._finish(raises=self.status.get("kafkaVersion") == self.wanted)
        elif self._roll(pods):
            self._finish(raises=False)

    def _pods(self) -> list[Document]:
        """Return its pods, each of them; one that is not there is made, as a pod set does."""
        labels = f"strimzi.io/cluster={self.name},strimzi.io/kind=Kafka"
        found = self._api.call("GET", f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={labels}")["items"]
        by_name = {pod["metadata"]["name"]: pod for pod in found}
        if not by_name:
            self._make_pool()
        return [by_name.get(self._pod_name(number)) or self._make_pod(number, self.wanted) for number in range(NODES)]

    def _make_pool(self) -> None:
        kind = "kafka.strimzi.io/v1"
        metadata = {"name": f"{self.name}-broker", "labels": {"strimzi.io/cluster": self.name}}
        pool = {"apiVersion": kind, "kind": "KafkaNodePool", "metadata": metadata, "spec": {"replicas": NODES}}
        pools = f"/apis/{kind}/namespaces/{self.namespace}/kafkanodepools"
        found = self._api.call("GET", pools)["items"]
        if metadata["name"] not in {each["metadata"]["name"] for each in found}:
            self._api.call("POST", pools, pool)

    def _pod_name(self, number: int) -> str:
        return f"{self.name}-broker-{number}"

    def _make_pod(self, number: int, release: str) -> Document:
        labels = {"strimzi.io/cluster": self.name, "strimzi.io/kind": "Kafka", "strimzi.io/name": f"{self.name}-kafka"}
        metadata = {
            "name": self._pod_name(number),
            "labels": labels,
            "annotations": {"strimzi.io/kafka-version": release},
        }
        containers = [{"name": "kafka", "image": _image(release)}]
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        self._api.call("POST", pods, {"metadata": metadata, "spec": {"containers": containers}})
        return self._set_ready(number, ready=True)

    def _set_ready(self, number: int, *, ready: bool) -> Document:
        pod = f"/api/v1/namespaces/{self.namespace}/pods/{self._pod_name(number)}"
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        return self._api.patch(f"{pod}/status", {"status": {"conditions": [condition]}})

    def _roll(self, pods: list[Document]) -> bool:
        """Roll the pods one by one; tell whether all of them are ready on what is wanted."""
        sticks = self.annotations.get("test.wavefleet.io/stick")
        for number, pod in enumerate(pods):
            if pod["metadata"]["annotations"]["strimzi.io/kafka-version"] == self.wanted and _is_ready(pod):
                continue
            path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"
            self._api.call("DELETE", f"{path}?gracePeriodSeconds=0")
            self._make_pod(number, self.wanted)
            self._set_ready(number, ready=False)
            time.sleep(float(self.annotations.get("test.wavefleet.io/slow", "0.1")))
            if sticks is not None and number >= int(sticks):
                name = pod["metadata"]["name"]
                self._fail("FatalProblem", f"Error while waiting for restarted pod {name} to become ready")
                return False
            self._set_ready(number, ready=True)
        return True

    def _finish(self, *, raises: bool) -> None:
        """Write the status of a reconciliation that succeeded; one without a roll raises metadata.version."""
        default = LEVELS[self.wanted.rpartition(".")[0]]
        level = self.status.get("kafkaMetadataVersion", self.level or default)
        if raises:
            level = max(level, self.level or default)
        conditions = [_condition("Ready")]
        if level != default:
            conditions.append(_condition("Warning", "KafkaMetadataVersion", "Metadata version is older"))
        self._write(
            {
                "observedGeneration": self.generation,
                "clusterId": self.status.get("clusterId", f"id-{self.namespace}-{self.name}"),
                "kafkaVersion": self.wanted,
                "kafkaMetadataVersion": level,
                "operatorLastSuccessfulVersion": OPERATOR,
                "conditions": conditions,
            }
        )

    def _fail(self, reason: str, message: str) -> None:
        condition = _condition("NotReady", reason, message)
        self._write({**self.status, "observedGeneration": self.generation, "conditions": [condition]})

    def _write(self, status: Document) -> None:
        if status != self.status:
            gone = dict.fromkeys(self.status.keys() - status.keys())
            self._api.patch(f"{self.path}/status", {"status": {**gone, **status}})
            self.status = status


def _condition(kind: str, reason: str = "", message: str = "") -> dict[str, str]:
    said = {"type": kind, "status": "True", "reason": reason, "message": message}
    return {key: value for key, value in said.items() if value}


def _image(release: str) -> str:
    return f"registry.example/strimzi/kafka:{OPERATOR}-kafka-{release}"


def _is_ready(pod: Document) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions", ())
    )


def main(kubeconfig: Path, prefix: str = "") -> None:
    """Look at every resource again and again, several at a time, until told to end."""
    api = Api(kubeconfig)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    busy: dict[str, threading.Thread] = {}
    while True:
        try:
            items = api.call("GET", "/apis/kafka.strimzi.io/v1/kafkas")["items"]
        except requests.RequestException:
            items = []
        for item in items:
            cluster = Cluster(api, item)
            if not cluster.namespace.startswith(prefix):
                continue
            running = busy.get(cluster.path)
            if running is None or not running.is_alive():
                busy[cluster.path] = threading.Thread(target=_look, args=(cluster,), daemon=True)
                busy[cluster.path].start()
        time.sleep(PERIOD_SECONDS)


def _look(cluster: Cluster) -> None:
    try:
        cluster.look()
    except requests.RequestException as error:
        sys.stderr.write(f"{cluster.path}: {error}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
