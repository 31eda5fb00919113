"""Broken brokers and the daemon: a wave holds and says where, goes on once they are mended, and halts else.

Both clusters are under load all the while, and whatever is broken, no record that was acknowledged is lost.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from controller.lab.records import broker_folder
from controller.labfiles import cluster_folder, read_clusters
from tests.lab.disks import small_disk
from tests.system.lab_commands import LabLoad, lab, lab_load
from tests.system.lab_fixtures import lab_folder
from tests.system.lab_fleets import SECONDS_MAX, LabFleet

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(1500),
    # kafka-python 3.0.12 loads its schemas by a function that Python 3.11 deprecates.
    pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning"),
]

OLD, NEW = "4.1.2", "4.3.1"
CLUSTERS = ("orders-1", "orders-2")
RULES = """\
  strategy:
    waves:
      - {{name: canary, size: 1, soak: 2s}}
      - {{name: rest, size: rest, soak: 2s}}
    deadline: {deadline}
  metadataVersion: hold
  halted: {halted}"""

FAULTS = (
    (
        ("--kill", "2"),
        ("brokers_missing", "offline_partitions", "under_min_isr", "offline_replicas", "under_replicated"),
        ("broker 2", "scratch-", "strict-0"),
    ),
    (("--stop", "3"), ("brokers_missing",), ("broker 3",)),
    (("--fill-disk", "3"), ("brokers_missing",), ("broker 3",)),
    (("--drop-quorum",), ("quorum_no_leader",), ("no leader",)),
)
"""What is broken in a cluster of three brokers, which checks find that, and what they say."""


@pytest.fixture
def watched(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    """Two clusters of three brokers, one of which has a small disk; the daemon runs, and has nothing to do."""
    folder = tmp_path_factory.mktemp("health") / "lab"
    with ExitStack() as stack:
        disk = broker_folder(cluster_folder(folder, CLUSTERS[0]), 3) / "data"
        stack.enter_context(small_disk(disk, megabytes=200))
        stack.enter_context(lab_folder(folder))
        lab("up", "--dir", str(folder), *(f"--cluster={name}={OLD}:3" for name in CLUSTERS))
        made = LabFleet(folder, tmp_path, CLUSTERS)
        made.merge(OLD, _rules())
        stack.enter_context(made.daemon)
        made.await_sentence("all 2 clusters on target")
        yield made


@pytest.fixture
def loads(watched: LabFleet) -> Iterator[list[LabLoad]]:
    """A load on each cluster, under way."""
    with ExitStack() as stack:
        made = [stack.enter_context(lab_load(watched.directory, name, rate=50)) for name in CLUSTERS]
        for load in made:
            load.await_more()
        yield made


def _check_nothing_is_lost(loads: list[LabLoad]) -> None:
    for load in loads:
        load.await_more()
        load.stop()
    found = [load.verify() for load in loads]
    assert all(each["acknowledged"] > 1000 for each in found), found
    assert {(0, 0, 0)} == {(each["lost"], each["duplicated"], each["outOfOrder"]) for each in found}


def _rules(*, deadline: str = "10m", halted: bool = False) -> str:
    return RULES.format(deadline=deadline, halted=str(halted).lower())


def test_a_wave_holds_while_a_broker_is_broken_and_goes_on_once_it_is_mended(
    watched: LabFleet, loads: list[LabLoad]
) -> None:
    """
    Each check says which broker or partition it is about, and nothing starts. Nobody has to do anything but mend it.
    """
    _make_topics(watched.directory)
    watched.merge(NEW, _rules(halted=True))
    for fault, checks, words in FAULTS:
        _lab(watched, "break", "orders-1", *fault)
        _await_health(watched, checks, words)
        _lab(watched, "mend", "orders-1")
        _await_health(watched, (), ())

    for cluster in CLUSTERS:
        _lab(watched, "break", cluster, "--kill", "2")
    watched.merge(NEW, _rules())
    watched.await_hold("ClusterUnhealthy", "broker 2")
    assert [] == watched.started()

    for cluster in CLUSTERS:
        _lab(watched, "mend", cluster)
    watched.await_sentence("all 2 clusters converged and soaked")
    assert list(CLUSTERS) == sorted(watched.started())
    assert {NEW} == watched.releases()
    _check_nothing_is_lost(loads)


def test_a_canary_that_breaks_in_its_roll_fails_at_its_deadline_and_halts_its_group(
    watched: LabFleet, loads: list[LabLoad]
) -> None:
    """
    Safety (halt-sticks): its roll sticks, its group halts and says what is wrong, and nobody else is touched.
    """
    watched.merge(NEW, _rules(deadline="1m"))
    watched.daemon.await_until(lambda: watched.started() != [], "the canary's start", SECONDS_MAX)
    (first,) = watched.started()
    (other,) = set(CLUSTERS) - {first}
    _lab(watched, "break", first, "--kill", "3")

    watched.await_hold("GroupHalted", first)
    assert {OLD} == watched.releases(other)
    (failed,) = watched.entries("ClusterFailed")
    assert f"lab/{first}" == failed["cluster"]
    assert "not healthy on 4.3.1 after 1m" in failed["cause"]

    _lab(watched, "mend", first)
    watched.daemon.await_until(lambda: watched.releases(first) == {NEW}, "the roll's end", SECONDS_MAX)
    assert [first] == watched.started(), "mended, and still only a person resumes"
    _check_nothing_is_lost(loads)


def _lab(watched: LabFleet, command: str, cluster: str, *arguments: str) -> None:
    lab(command, cluster, "--dir", str(watched.directory), *arguments)


def _await_health(watched: LabFleet, checks: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Wait until the first cluster is held for its health, by these checks in these words; without any, until not."""

    def is_said() -> bool:
        told = watched.read("explain", "orders-1")
        found = {each["id"]: each["detail"] for each in told["findings"] if each["severity"] != "warn"}
        held = any(each["reason"] == "ClusterUnhealthy" for each in told["answers"])
        passes = any((each["gate"], each["answer"]) == ("health", "pass") for each in told["answers"])
        if not checks:
            return passes
        said = "; ".join(found.get(check, "") for check in checks)
        return held and set(checks) <= found.keys() and all(each in said for each in words)

    watched.daemon.await_until(is_said, f"orders-1: {checks} {words}", SECONDS_MAX)


def _make_topics(directory: Path) -> None:
    """One that bears the loss of a broker, one that does not, and one whose partitions have a broker each."""
    cluster = next(each for each in read_clusters(directory) if each.name == "orders-1")
    with KafkaAdminClient(bootstrap_servers=list(cluster.bootstrap)) as admin:
        admin.create_topics(
            {
                "payments": {"num_partitions": 3, "replication_factor": 3, "configs": {"min.insync.replicas": "2"}},
                "strict": {"num_partitions": 1, "replication_factor": 3, "configs": {"min.insync.replicas": "3"}},
                "scratch": {"num_partitions": 3, "replication_factor": 1},
            }
        )
