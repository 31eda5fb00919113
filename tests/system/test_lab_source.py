"""The lab's source on real brokers: what they say of themselves, while they are well, broken and rolled."""

import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.fleets.kafka_health import BrokerAddress, KafkaBrokers
from controller.fleets.lab import LabSource
from controller.lab.up import lab_up
from controller.labfiles import cluster_folder, read_clusters, read_status
from controller.model.observation import Reading, Unknown
from tests.builders import LEVEL_41, LEVEL_43, NEW, OLD, a_start, release
from tests.system.lab_fixtures import lab_folder

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    # kafka-python 3.0.12 loads its schemas by a function that Python 3.11 deprecates.
    pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning"),
    # And where a connection is refused it leaves the socket to the garbage collector, so collect within these marks.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

CLUSTER = "lab/lab-1"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lab of one cluster with three brokers, and a topic that needs all its replicas."""
    with lab_folder(tmp_path_factory.mktemp("lab")) as folder:
        lab_up(folder, clusters=1, brokers=3, release=OLD, progress=print)
        _create_topic(folder)
        yield folder


@pytest.fixture
def source(directory: Path) -> Iterator[LabSource]:
    """The lab as the daemon reads it."""
    # What the client logs of a refused connection holds on to its socket for as long as the log is captured.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    made = LabSource("lab", directory, KafkaBrokers(10), {LEVEL_41.level: LEVEL_41, LEVEL_43.level: LEVEL_43})
    yield made
    made.close()
    gc.collect()


def _addresses(directory: Path) -> list[BrokerAddress]:
    (cluster,) = read_clusters(directory)
    return [BrokerAddress(broker.id, broker.host, broker.port) for broker in cluster.brokers]


def _create_topic(directory: Path) -> None:
    from kafka import KafkaAdminClient

    with KafkaAdminClient(bootstrap_servers=[f"{it.host}:{it.port}" for it in _addresses(directory)]) as admin:
        configs = {"min.insync.replicas": "3"}
        admin.create_topics({"orders": {"num_partitions": 4, "replication_factor": 3, "configs": configs}})


def seen(source: LabSource) -> Reading | Unknown:
    """What the cluster shows now, in full."""
    return source.read(frozenset({CLUSTER}), datetime.now(UTC)).clusters[CLUSTER].reading  # noqa: TID251 - real time


def await_reading(source: LabSource, is_reached: Callable[[Reading], bool], seconds: float) -> list[Reading]:
    """Read until ``is_reached``, and return all readings; a cluster that turns unknown fails the test."""
    readings: list[Reading] = []
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        reading = seen(source)
        assert isinstance(reading, Reading), reading
        readings.append(reading)
        if is_reached(reading):
            return readings
        time.sleep(0.1)
    pytest.fail(f"not reached within {seconds} seconds, last {readings[-1]}")


def is_well(reading: Reading) -> bool:
    """Nothing is being done, and nothing is wrong."""
    return reading.settled and reading.healthy


def test_real_brokers_are_seen_well_broken_and_rolled(directory: Path, source: LabSource) -> None:
    """
    One cluster's life: in good order; a broker killed and brought back; every broker rolled to another release.
    """
    quiet = await_reading(source, is_well, 60)[-1]
    assert (release(OLD), release(OLD), LEVEL_41) == (quiet.release, quiet.highest, quiet.metadata_version)
    answers = KafkaBrokers(10).ask(_addresses(directory))
    assert {1: (4, 1), 2: (4, 1), 3: (4, 1)} == answers.lines
    assert quiet.kafka_id == answers.kafka_id
    assert ("orders-0", 3, 3) in {(it.name, it.replicas, it.min_in_sync) for it in answers.partitions}

    status = read_status(cluster_folder(directory, "lab-1"))
    assert status is not None
    assert status.brokers[0].pid is not None
    os.kill(status.brokers[0].pid, signal.SIGKILL)
    broken = await_reading(source, lambda reading: not reading.healthy, 60)[-1]
    assert "brokers_missing" in {finding.id for finding in broken.findings}
    await_reading(source, is_well, 120)

    source.start(a_start(CLUSTER, token=quiet.token), datetime.now(UTC))  # noqa: TID251 - real time
    rolled = await_reading(source, lambda reading: is_well(reading) and reading.release == release(NEW), 300)

    assert "acme" == rolled[-1].fleet
    assert LEVEL_41 == rolled[-1].metadata_version
    assert {"0 of 3 brokers", "1 of 3 brokers", "2 of 3 brokers"} <= {reading.progress for reading in rolled}
    assert (release(OLD), release(NEW)) in {(reading.release, reading.highest) for reading in rolled}
    found = {finding.id for reading in rolled for finding in reading.findings}
    assert {"under_replicated", "under_min_isr", "brokers_missing"} <= found
