"""Measures of Strimzi's clusters on a real API server: what reading very many of them costs beside their bare bytes."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import requests

from controller.fleets.strimzi.listing import PAGE_ITEMS
from controller.fleets.strimzi.source import Place, open_source
from controller.reports.logs import LogStyle, Redaction, set_up_logs
from controller.settings import load_settings
from controller.wiring.running import Running, assemble
from tests.bench.measures import RESIDENT_MB_MAX, ROUNDS, Figure, best_of, daemon_resident_mb
from tests.builders import NOON
from tests.builders_core import catalog
from tests.real.kubernetes import ADMIN, ApiServer
from tests.real.repositories import FleetRepository

CLUSTERS = 10_000
BYTES = 5_000
KAFKAS = "/apis/kafka.strimzi.io/v1/namespaces/default/kafkas"


class _Metadata(msgspec.Struct):
    name: str
    resourceVersion: str  # noqa: N815 - as it is spelled there
    labels: dict[str, str] = {}


class _Item(msgspec.Struct):
    metadata: _Metadata
    spec: dict[str, Any]
    status: dict[str, Any] = {}


class _Page(msgspec.Struct):
    metadata: dict[str, Any]
    items: list[_Item]


def kubernetes() -> Iterator[Figure]:
    """Measure reading, watching and holding in memory as many clusters as one API server may have."""
    with tempfile.TemporaryDirectory() as name, ApiServer(Path(name) / "server") as server:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(_make, server), range(CLUSTERS)))
        yield _observing(server)
        folder = Path(name)
        FleetRepository(folder / "remote").publish(_fleet_files(server))
        url = (folder / "remote" / "fleet.git").as_uri()
        yield _cycle_after_a_change(server, url, folder / "ledger.db")
        yield Figure(
            f"resident memory of the daemon at {CLUSTERS:,} Strimzi clusters of {BYTES // 1000} KB, in MB",
            daemon_resident_mb(url, folder, seconds=25),
            RESIDENT_MB_MAX,
            "over 25 s of cycles, the first of which lists them",
        )


def _observing(server: ApiServer) -> Figure:
    """Measure a first reading of all clusters, which lists them."""
    bare = best_of(3, partial(_bare_list, server))
    took = best_of(3, partial(_first_reading, server))
    return Figure(
        f"observing {CLUSTERS:,} Strimzi clusters of {BYTES // 1000} KB from a real API server, against fetching"
        " the same pages and decoding them with msgspec alone",
        took / bare,
        1.5,
        f"{took:.2f} s against {bare:.2f} s",
    )


def _cycle_after_a_change(server: ApiServer, url: str, ledger: Path) -> Figure:
    """Measure the CPU of whole cycles, in turn with nothing changed and with one cluster changed since the last."""
    set_up_logs(sys.stderr, LogStyle(json=False, level="error"), Redaction())
    given = {"repository": url, "ledger": str(ledger), "listen": "off", "status_channel": "none"}
    running = assemble(load_settings(given, {}))
    running.ledger.acquire("bench", running.clock.now())
    idle, changed = [], []
    for number in range(ROUNDS + 3):
        _cpu_of_cycle(running)
        idle.append(_cpu_of_cycle(running))
        server.patch(f"{KAFKAS}/k-{number:05}", {"metadata": {"annotations": {"bench": str(number)}}})
        time.sleep(0.2)  # the watch hears of it, outside of what is measured
        changed.append(_cpu_of_cycle(running))
    running.close()
    one, other = (statistics.median(times[3:]) for times in (changed, idle))
    return Figure(
        f"CPU of a cycle at {CLUSTERS:,} Strimzi clusters after one of them changed, against an idle one",
        one / other,
        1.2,
        f"{one * 1e3:.0f} ms against {other * 1e3:.0f} ms, medians of {ROUNDS} in turn",
    )


def _cpu_of_cycle(running: Running) -> float:
    began = time.process_time()
    running.controller.run_cycle()
    return time.process_time() - began


def _fleet_files(server: ApiServer) -> dict[str, str]:
    """Return a fleet repository that claims every cluster, at the release that it runs."""
    head = "apiVersion: wavefleet.io/v1\nkind: "
    source = f"{{name: eu, type: strimzi, context: fleet, kubeconfig: {server.kubeconfig()}, namespaces: [default]}}"
    groups = {
        f"groups/r-{number}.yaml": f"{head}ClusterGroup\nmetadata: {{name: r-{number}}}\nspec:\n"
        f"  kafkaVersion: 4.2.1\n  clusters: {{selector: {{matchLabels: {{region: r-{number}}}}}}}\n"
        for number in range(7)
    }
    spec = f"{{sources: [{source}], defaults: {{health: {{brokers: off}}}}}}"
    return {"fleet.yaml": f"{head}Fleet\nmetadata: {{name: bench}}\nspec: {spec}\n", **groups}


def _make(server: ApiServer, number: int) -> None:
    """Let a cluster be there that is as large as a usual one."""
    status = {
        "observedGeneration": 1,
        "kafkaVersion": "4.2.1",
        "kafkaMetadataVersion": "4.2-IV1",
        "clusterId": f"id-{number}",
        "operatorLastSuccessfulVersion": "1.2.0",
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    manifest = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "Kafka",
        "metadata": {"name": f"k-{number:05}", "labels": {"env": "prod", "region": f"r-{number % 7}"}},
        "spec": {"kafka": {"version": "4.2.1", "metadataVersion": "4.2-IV1", "config": {}}},
    }
    size = len(json.dumps({**manifest, "status": status})) + 800  # what the server adds
    lines = range(max(0, BYTES - size) // 50)
    config = {f"listener.name.number-{line:03}.value": "x" * 10 for line in lines}
    manifest["spec"]["kafka"]["config"] = config  # type: ignore[index]
    server.call("POST", KAFKAS, manifest)
    server.patch(f"{KAFKAS}/k-{number:05}/status", {"status": status})


def _bare_list(server: ApiServer) -> int:
    decoder, size = msgspec.json.Decoder(_Page), 0
    with requests.Session() as http:
        http.trust_env, http.verify = False, str(server.certificate)
        http.headers["Authorization"] = f"Bearer {ADMIN}"
        query: dict[str, str | int] = {"limit": PAGE_ITEMS}
        while True:
            content = http.get(f"{server.url}{KAFKAS}", params=query, timeout=60).content
            size += len(content)
            page = decoder.decode(content)
            if not page.metadata.get("continue"):
                return size
            query["continue"] = page.metadata["continue"]


def _first_reading(server: ApiServer) -> None:
    place = Place("fleet", server.kubeconfig(), namespaces=("default",))
    source = open_source("eu", place, catalog().metadata_versions, 60.0)
    try:
        assert CLUSTERS == len(source.read(frozenset(), NOON).clusters)
    finally:
        source.close()
