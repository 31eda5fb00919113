"""Sixty Strimzi clusters over two real API servers, looked after by two operators, and who may upgrade them.

The controller is the ServiceAccount of ``deploy/access`` on both servers: applied by kubectl, with a short-lived token
in a file that its kubeconfig names. Every request of it stands in the servers' audit logs.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from controller.runtime.clock import SystemClock
from tests.real.kubernetes import ROOT, ApiServer
from tests.real.operators import running_operator

OLD, NEW = "4.2.1", "4.3.1"
OLD_LEVEL, NEW_LEVEL = "4.2-IV1", "4.3-IV0"
REGIONS = ("eu", "us")
NAMESPACES: Mapping[str, int] = {"kafka-staging": 6, "kafka-prod": 24}
"""With how many clusters each, on each server."""
SLOW = "us/kafka-prod/prod-us-01"
"""The one whose brokers take long enough to be looked at while they roll."""
SLOW_SECONDS = "5"
CONTROLLER = "system:serviceaccount:wavefleet:wavefleet"
_KAFKAS = "/apis/kafka.strimzi.io/v1/namespaces/{}/kafkas"


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the controller, as a server's audit log has it."""

    verb: str
    group: str
    resource: str
    cluster: str
    """``REGION/NAMESPACE/NAME``, where the request names one."""
    code: int
    at: datetime
    dry_run: bool
    body: Mapping[str, Any]

    @property
    def wish(self) -> tuple[str | None, str | None]:
        """The release and the level that a patch asks for."""
        kafka = self.body.get("spec", {}).get("kafka", {})
        return kafka.get("version"), kafka.get("metadataVersion")

    @property
    def is_write(self) -> bool:
        """Tell whether it changed a Kafka resource."""
        return self.resource == "kafkas" and self.verb not in {"get", "list", "watch"} and not self.dry_run


class StrimziFleet:
    """``with StrimziFleet(folder) as fleet``: every cluster is at rest on ``OLD``."""

    def __init__(self, folder: Path) -> None:
        self.servers = {region: ApiServer(folder / region) for region in REGIONS}
        self.kubeconfig = folder / "kubeconfig"
        self._stack = ExitStack()
        self._starts: list[tuple[str, datetime, datetime]] = []
        """Where, from when, until when a server was started."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for region, server in self.servers.items():
                stack.enter_context(server)
                _install_operator(server)
                for namespace, count in NAMESPACES.items():
                    _make_clusters(server, region, namespace, count)
                server.kubectl("apply", "--kustomize", ROOT / "deploy" / "access")
                stack.enter_context(running_operator(server, "kafka-"))
            self._write_kubeconfig()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def clusters(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield every cluster by its full name, with its resource as the server has it."""
        for region, server in self.servers.items():
            for namespace in NAMESPACES:
                for item in server.call("GET", _KAFKAS.format(namespace))["items"]:
                    yield f"{region}/{namespace}/{item['metadata']['name']}", item

    def states(self) -> set[tuple[str | None, str | None]]:
        """Return which releases and levels there are."""
        statuses = [item.get("status", {}) for _, item in self.clusters()]
        return {(status.get("kafkaVersion"), status.get("kafkaMetadataVersion")) for status in statuses}

    def is_slow_one_rolling(self) -> bool:
        """Tell whether it was asked for the new release and is not there yet."""
        (item,) = (item for name, item in self.clusters() if name == SLOW)
        return bool(item["spec"]["kafka"]["version"] == NEW and item["status"].get("kafkaVersion") == OLD)

    def restart(self, region: str) -> None:
        """Let a server be gone for a moment, with its store."""
        self.servers[region].stop()
        began = SystemClock().now()
        self.servers[region].start()
        self._starts.append((region, began, SystemClock().now()))

    def calls(self) -> Iterator[Call]:
        """Yield every request of the controller that was answered, server by server."""
        for region, server in self.servers.items():
            for entry in server.audited():
                if entry["user"]["username"] == CONTROLLER:
                    yield _call(region, entry)

    def was_starting(self, call: Call) -> bool:
        """Tell whether a server was starting when it answered ``call``."""
        return any(call.cluster.startswith(f"{region}/") and a <= call.at <= b for region, a, b in self._starts)

    def _write_kubeconfig(self) -> None:
        """One file with a context for each server; its token is in a file of its own, as a mounted one would be."""
        for region, server in self.servers.items():
            token = server.kubectl("create", "token", "wavefleet", "--namespace=wavefleet", "--duration=1h")
            self.kubeconfig.with_name(f"token-{region}").write_text(token.strip())
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": region,
                    "cluster": {"server": server.url, "certificate-authority": str(server.certificate)},
                }
                for region, server in self.servers.items()
            ],
            "users": [
                {"name": region, "user": {"tokenFile": str(self.kubeconfig.with_name(f"token-{region}"))}}
                for region in REGIONS
            ],
            "contexts": [{"name": region, "context": {"cluster": region, "user": region}} for region in REGIONS],
        }
        self.kubeconfig.write_text(yaml.safe_dump(content))


def _call(region: str, entry: Mapping[str, Any]) -> Call:
    about = entry.get("objectRef", {})
    return Call(
        verb=entry["verb"],
        group=about.get("apiGroup", ""),
        resource=about.get("resource", entry["requestURI"].partition("?")[0]),
        cluster=f"{region}/{about.get('namespace', '')}/{about.get('name', '')}",
        code=entry["responseStatus"]["code"],
        at=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
        dry_run="dryRun=All" in entry["requestURI"],
        body=entry.get("requestObject") or {},
    )


def _make_clusters(server: ApiServer, region: str, namespace: str, count: int) -> None:
    """Make the clusters of a namespace; an operator brings them up once it runs."""
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    env = namespace.removeprefix("kafka-")
    for number in range(1, count + 1):
        name = f"{env}-{region}-{number:02}"
        annotations = {"test.wavefleet.io/slow": SLOW_SECONDS} if f"{region}/{namespace}/{name}" == SLOW else {}
        manifest = {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "Kafka",
            "metadata": {"name": name, "labels": {"env": env, "region": region}, "annotations": annotations},
            "spec": {"kafka": {"version": OLD, "metadataVersion": OLD_LEVEL}},
        }
        server.call("POST", _KAFKAS.format(namespace), manifest)


def _install_operator(server: ApiServer) -> None:
    """Make the Deployment that a real operator would run from; nobody but us reads it here."""
    labels = {"name": "strimzi-cluster-operator"}
    images = "\n".join(f"{each}=registry.example/strimzi/kafka:1.2.0-kafka-{each}" for each in (OLD, "4.3.0", NEW))
    env = [{"name": "STRIMZI_NAMESPACE", "value": "*"}, {"name": "STRIMZI_KAFKA_IMAGES", "value": images}]
    container = {"name": "operator", "image": "registry.example/strimzi/operator:1.2.0", "env": env}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    metadata = {"name": "strimzi-cluster-operator", "labels": {"app": "strimzi"}}
    server.call("POST", path, {"metadata": metadata, "spec": spec})
    status = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    server.patch(f"{path}/strimzi-cluster-operator/status", {"status": status})
