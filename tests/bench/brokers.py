"""Measures of health on real brokers: what a look costs beside its bare questions, and very many looks behind a long
line.

The line is a proxy of ours, in a process other than the one that looks; who looks is measured from its own process,
since its memory is one of the figures.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from controller.brokers.access import Reach
from controller.fleets.kafka_health import KafkaHealth
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading
from tests.bench.measures import Figure
from tests.builders import a_reading
from tests.real.kafka import HOST, Kafka, Shape, wait_until

TOPICS = 1_000
PARTITIONS_EACH = 3
ROUNDS = 15
CLUSTERS = 200
BROKERS = 2
AT_ONCE = 16
ALONE = 10
"""Clusters that are looked at one by one, from which the time for all of them is told."""
ROUND_TRIP_SECONDS = 0.1
RESIDENT_MB_MAX = 150
LIMIT_SECONDS = 30.0

_RELEASE = "4.3.1"


def brokers() -> Iterator[Figure]:
    """Measure one look at many partitions, and looks at many clusters."""
    with tempfile.TemporaryDirectory() as name:
        with Kafka(Path(name) / "large", Shape(_RELEASE, heap="-Xmx512m")) as kafka:
            _make_topics(kafka, TOPICS)
            yield _look_against_bare(kafka)
        yield from _many_behind_a_long_line(Path(name))


def examine(bootstrap: Sequence[str]) -> Reading:
    """One look, which has to succeed."""
    health = KafkaHealth(lambda _: Reach(tuple(bootstrap)), {}, LIMIT_SECONDS)
    observed = health.examine(ObservedCluster("bench/a", {}, a_reading(_RELEASE)), Health())
    assert isinstance(observed, Reading), observed
    return observed


def _make_topics(kafka: Kafka, count: int) -> None:
    with kafka.admin() as admin:
        for first in range(0, count, 100):
            names = [f"topic-{number}" for number in range(first, min(first + 100, count))]
            admin.create_topics({name: {"num_partitions": PARTITIONS_EACH, "replication_factor": 1} for name in names})
    wait_until(lambda: f"{count} of {count} topics" in str(examine(kafka.bootstrap)), "all are there", seconds_max=120)


def _look_against_bare(kafka: Kafka) -> Figure:
    """Measure a look that begins with nothing, against the bare calls of a client that is connected already."""
    bare, looks = [], []
    with kafka.admin() as admin:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            _bare_calls(admin)
            between = time.perf_counter()
            examine(kafka.bootstrap)
            bare.append(between - began)
            looks.append(time.perf_counter() - between)
    return Figure(
        f"health of a real cluster with {TOPICS * PARTITIONS_EACH:,} partitions, against the bare calls of"
        " kafka-python's admin client that it needs",
        min(looks) / min(bare),
        1.5,
        f"{min(looks) * 1e3:.0f} ms from the first connection on, against {min(bare) * 1e3:.0f} ms of a client that is"
        f" connected already, best of {ROUNDS} in turn",
    )


def _bare_calls(admin: Any) -> None:  # noqa: ANN401 - a third party's types
    from kafka.admin import ConfigResource, ConfigResourceType

    admin.describe_cluster()
    topics = admin.describe_topics()
    asked = [ConfigResource(ConfigResourceType.TOPIC, it["name"], {"min.insync.replicas": None}) for it in topics]
    admin.describe_configs(asked, config_filter="all")
    admin.describe_log_dirs()
    admin.describe_metadata_quorum()
    admin.list_partition_reassignments()
    admin.describe_features()


def _many_behind_a_long_line(folder: Path) -> Iterator[Figure]:
    """Measure the looks at many clusters, which are a few real brokers told apart by their bootstrap addresses."""
    with _Line() as line:
        advertised = [line.open() for _ in range(BROKERS)]
        shapes = [Shape(_RELEASE, advertised={1: port}) for port in advertised]
        with Kafka(folder / "one", shapes[0]) as one, Kafka(folder / "two", shapes[1]) as two:
            places = [kafka.nodes[1].ports["PLAIN"] for kafka in (one, two)]
            for port, place in zip(advertised, places, strict=True):
                line.lead(port, place)
            for kafka in (one, two):
                _make_topics(kafka, 10)
            doors = [line.open() for _ in range(CLUSTERS)]
            for number, port in enumerate(doors):
                line.lead(port, places[number % BROKERS])
            measured = json.loads(
                subprocess.run(
                    [sys.executable, "-m", "tests.bench.brokers", *(f"{HOST}:{port}" for port in doors)],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
    share = measured["alone"] * CLUSTERS / AT_ONCE
    yield Figure(
        f"health of {CLUSTERS} clusters behind {ROUND_TRIP_SECONDS * 1e3:.0f} ms a round trip, {AT_ONCE} at once,"
        f" against a {AT_ONCE}th of the time one by one",
        measured["together"] / share,
        2.0,
        f"{measured['together']:.1f} s against {share:.1f} s; {measured['alone']:.2f} s for one, the mean of {ALONE}",
    )
    yield Figure(
        f"resident memory of the process that looks at {CLUSTERS} clusters, {AT_ONCE} at once, in MB",
        measured["resident"],
        RESIDENT_MB_MAX,
        f"its peak; {measured['before']:.0f} MB before the first look",
    )


def measure(doors: Sequence[str]) -> dict[str, float]:
    """Look at each cluster, some one by one and then all at once; runs in a process of its own."""
    before = _peak_mb()
    examine([doors[0]])  # what is imported and compiled once is not a look's cost
    began = time.perf_counter()
    for door in doors[:ALONE]:
        examine([door])
    alone = (time.perf_counter() - began) / ALONE
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        looks = [pool.submit(examine, [door]) for door in doors]
        wait(looks)
        together = time.perf_counter() - began
    for each in looks:
        each.result()
    return {"alone": alone, "together": together, "before": before, "resident": _peak_mb()}


def _peak_mb() -> float:
    # Not getrusage(), in which the parent's memory stays from before the program was loaded.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no high-water mark")


class _Line:
    """Ports that lead to others, and let what comes in take half of a round trip in each direction."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="long-line")
        self._places: dict[int, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def open(self) -> int:
        """Open a port; it leads nowhere yet."""

        async def opened() -> int:
            server = await asyncio.start_server(self._serve, HOST, 0)
            port: int = server.sockets[0].getsockname()[1]
            return port

        return asyncio.run_coroutine_threadsafe(opened(), self._loop).result()

    def lead(self, port: int, place: int) -> None:
        """Let a port lead to another one."""
        self._places[port] = place

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        await asyncio.sleep(ROUND_TRIP_SECONDS)  # the connection itself takes one too
        with suppress(OSError):
            there = await asyncio.open_connection(HOST, self._places[port])
            await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes, half of a round trip later."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while piece := await reader.read(65536):
            loop.call_later(ROUND_TRIP_SECONDS / 2, writer.write, piece)
    loop.call_later(ROUND_TRIP_SECONDS / 2, writer.close)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:])))
