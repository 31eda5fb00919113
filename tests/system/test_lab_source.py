"""The lab's source on real brokers: what they say of themselves, while they are well, broken and rolled."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.lab.up import lab_up
from controller.labfiles import cluster_folder, read_clusters, read_status
from tests.builders import LEVEL_41, LEVEL_43, NEW, OLD, a_start, release
from tests.system.lab_fixtures import lab_folder
from tests.system.lab_sights import LabSight, is_well

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
def sight(directory: Path) -> LabSight:
    """The lab as the daemon reads it."""
    return LabSight(directory, CLUSTER, (LEVEL_41, LEVEL_43))


def _create_topic(directory: Path) -> None:
    from kafka import KafkaAdminClient

    with KafkaAdminClient(bootstrap_servers=list(read_clusters(directory)[0].bootstrap)) as admin:
        configs = {"min.insync.replicas": "3"}
        admin.create_topics({"orders": {"num_partitions": 4, "replication_factor": 3, "configs": configs}})


def test_real_brokers_are_seen_well_broken_and_rolled(directory: Path, sight: LabSight) -> None:
    """
    One cluster's life: in good order; a broker killed and brought back; every broker rolled to another release.
    """
    quiet = sight.await_reading(lambda reading: is_well(reading) and bool(reading.findings), 60)[-1]
    assert (release(OLD), release(OLD), LEVEL_41) == (quiet.release, quiet.highest, quiet.metadata_version)
    assert read_clusters(directory)[0].cluster_id == quiet.kafka_id
    assert ["no_headroom"] == [finding.id for finding in quiet.findings], "the topic needs all its replicas"

    status = read_status(cluster_folder(directory, "lab-1"))
    assert status is not None
    assert status.brokers[0].pid is not None
    os.kill(status.brokers[0].pid, signal.SIGKILL)
    broken = sight.await_reading(lambda reading: not reading.healthy, 60)[-1]
    assert "brokers_missing" in {finding.id for finding in broken.findings}
    sight.await_reading(is_well, 120)

    sight.start(a_start(CLUSTER, token=quiet.token))
    rolled = sight.await_reading(lambda reading: is_well(reading) and reading.release == release(NEW), 300)

    assert "acme" == rolled[-1].fleet
    assert LEVEL_41 == rolled[-1].metadata_version
    assert {"0 of 3 brokers", "1 of 3 brokers", "2 of 3 brokers"} <= {reading.progress for reading in rolled}
    assert (release(OLD), release(NEW)) in {(reading.release, reading.highest) for reading in rolled}
    found = {finding.id for reading in rolled for finding in reading.findings}
    assert {"under_replicated", "under_min_isr", "brokers_missing"} <= found
