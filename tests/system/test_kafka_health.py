"""Health as real brokers tell it: on every line that is supported, and with each thing broken that can be broken."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from controller.brokers.access import Reach
from controller.fleets.kafka_health import KafkaHealth
from controller.lab.ports import choose_ports
from controller.model.health import Health
from controller.model.observation import Endpoints, Finding, ObservedCluster, Reading, Unknown
from controller.versions import MetadataVersion
from tests.builders import LEVEL_41, LEVEL_43, NEW, a_reading
from tests.real.kafka import CLUSTER_ID, HOST, Kafka, Shape, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

LIMIT_SECONDS = 10.0
LEVELS = {level.level: level for level in (MetadataVersion(21, "3.9-IV0"), LEVEL_41, LEVEL_43)}


def examine(
    kafka: Kafka, health: Health | None = None, expected: frozenset[int] | None = None, limit: float = LIMIT_SECONDS
) -> Reading | Unknown:
    """One look at a cluster of which its source shows nothing but the release."""
    endpoints = Endpoints(kafka.bootstrap, expected or frozenset(kafka.brokers))
    cluster = ObservedCluster("eu/a", {}, a_reading(kafka.shape.release, kafka_id=CLUSTER_ID), endpoints)
    return KafkaHealth(lambda _: Reach(kafka.bootstrap), LEVELS, limit).examine(cluster, health or Health())


def found(kafka: Kafka, health: Health | None = None) -> dict[str, Finding]:
    """What a look finds, by id; a cluster that is unknown fails the test."""
    reading = examine(kafka, health)
    assert isinstance(reading, Reading), reading
    return {finding.id: finding for finding in reading.findings}


def await_findings(kafka: Kafka, is_reached: Callable[[dict[str, Finding]], object], what: str) -> dict[str, Finding]:
    """Look until it is reached, and return what was found then; no look may be unknown."""
    last: list[dict[str, Finding]] = []

    def looked() -> object:
        last.append(found(kafka))
        return is_reached(last[-1])

    wait_until(looked, what, seconds_max=90)
    return last[-1]


def await_well(kafka: Kafka) -> None:
    """Wait until nothing is found that blocks or waits."""
    wait_until(lambda: set(found(kafka)) <= {"rf1_topics", "quorum_size"}, "all is well", seconds_max=90)


def create(kafka: Kafka, topic: str, *, assigned: dict[int, list[int]], least: int | None = None) -> None:
    """Create a topic whose partitions lie on these brokers, and wait for its leaders."""
    with kafka.admin() as admin:
        configs = {} if least is None else {"min.insync.replicas": str(least)}
        options: dict[str, Any] = {"assignments": assigned, "configs": configs}
        admin.create_topics({topic: options}, wait_for_metadata=True)


@pytest.mark.parametrize(("release", "level"), [("3.9.2", 21), ("4.1.2", 27), ("4.3.1", 30), ("4.4.0", 33)])
def test_health_is_read_on_every_supported_line(release: str, level: int, tmp_path: Path) -> None:
    """
    Ids, level, topics and lag as brokers of that line tell them; a group that never was is not behind.
    """
    with Kafka(tmp_path / "kafka", Shape(release)) as kafka:
        listed = Health(consumer_groups=("billing", "nobody"), lag_above=2)
        before = examine(kafka, listed)
        assert isinstance(before, Reading), before
        assert {"billing": 0, "nobody": 0} == before.lag
        create(kafka, "orders", assigned={0: [1], 1: [1]})
        kafka.produce("orders", 5)
        kafka.commit("billing", "orders", 2)

        reading = examine(kafka, listed)

        assert isinstance(reading, Reading), reading
        assert (CLUSTER_ID, level) == (reading.kafka_id, reading.metadata_version and reading.metadata_version.level)
        assert {"billing": 3, "nobody": 0} == reading.lag
        told = {finding.id: finding for finding in reading.findings}
        assert {"rf1_topics", "quorum_size", "consumer_lag"} == told.keys()
        assert ("__consumer_offsets", "orders") == told["rf1_topics"].examples
        assert "1 of 2 consumer groups are more than 2 records behind: billing 3" == told["consumer_lag"].detail
        assert isinstance(examine(kafka, limit=0.001), Unknown)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Three brokers that vote too, and a topic that bears the loss of one."""
    with Kafka(tmp_path_factory.mktemp("three") / "kafka", Shape(brokers=3)) as kafka:
        create(kafka, "orders", assigned={0: [1, 2, 3], 1: [2, 3, 1], 2: [3, 1, 2]}, least=2)
        await_well(kafka)
        yield kafka


def test_a_killed_broker_is_told_from_every_side_and_mended(three: Kafka) -> None:
    """
    It is missing at once, then fenced, and what it held is offline; once it is back and in sync nothing is left.
    """
    create(three, "alone", assigned={0: [2]})

    three.kill(2)

    first = found(three)
    assert "does not answer: connection refused: nothing listens there" in first["brokers_missing"].detail
    later = await_findings(
        three,
        lambda it: (
            {"broker_fenced", "offline_partitions", "quorum_lagging", "at_min_isr"} <= it.keys()
            and {"orders-0", "orders-1", "orders-2"} == set(it["at_min_isr"].examples)  # not a third broker late too
        ),
        "fenced",
    )
    assert ("broker 2",) == later["broker_fenced"].examples == later["brokers_missing"].examples
    assert ("alone-0",) == later["offline_partitions"].examples
    assert {"under_replicated", "offline_replicas", "rf1_topics"} <= later.keys()
    assert later["quorum_lagging"].detail.startswith("2 of 3 voters of the metadata quorum are caught up")

    three.start(2)
    await_well(three)


def test_a_second_loss_leaves_a_topic_below_its_minimum(tmp_path: Path) -> None:
    """
    With two of three replicas gone writes with acks=all fail, which blocks; the controllers stand apart and go on.
    """
    with Kafka(tmp_path / "kafka", Shape(brokers=3, controllers=1)) as kafka:
        create(kafka, "orders", assigned={0: [1, 2, 3]}, least=2)
        create(kafka, "tight", assigned={0: [1, 2]}, least=2)
        await_findings(kafka, lambda it: {"quorum_size", "no_headroom"} == it.keys(), "well but for two warnings")
        assert ("tight",) == found(kafka)["no_headroom"].examples

        kafka.kill(2)
        kafka.kill(3)

        told = await_findings(kafka, lambda it: "under_min_isr" in it, "below the minimum")
        assert {"brokers_missing", "under_replicated"} <= told.keys()
        assert ("broker 2", "broker 3") == told["brokers_missing"].examples


def test_without_controllers_the_quorum_has_no_leader(tmp_path: Path) -> None:
    """
    Brokers keep such a question waiting for ever; the rest is known, so it is a finding, and within the limit.
    """
    with Kafka(tmp_path / "kafka", Shape(brokers=1, controllers=1)) as kafka:
        await_well(kafka)
        for number in set(kafka.nodes) - set(kafka.brokers):
            kafka.kill(number)
        began = time.monotonic()

        told = found(kafka)

        assert time.monotonic() - began < LIMIT_SECONDS + 1
        assert "the metadata quorum has no leader: no active controller answers" in told["quorum_no_leader"].detail


def test_a_majority_of_nodes_lost_leaves_no_leader(tmp_path: Path) -> None:
    """
    Where brokers vote too, the one that is left still answers for itself, and says who is missing.
    """
    with Kafka(tmp_path / "kafka", Shape(brokers=3)) as kafka:
        await_well(kafka)
        kafka.kill(1)
        kafka.kill(3)

        told = await_findings(kafka, lambda it: "quorum_no_leader" in it, "the quorum is lost")

        assert ("broker 1", "broker 3") == told["brokers_missing"].examples


def test_lag_is_read_from_every_leader_and_coordinator(three: Kafka) -> None:
    """
    Over all partitions of a topic, each from the broker that leads it; groups lie with several coordinators.
    """
    groups = tuple(f"group-{number}" for number in range(4))
    create(three, "paid", assigned={0: [1, 2, 3], 1: [2, 3, 1], 2: [3, 1, 2]})
    for partition in range(3):
        three.produce("paid", 10, partition=partition)
        for number, group in enumerate(groups):
            three.commit(group, "paid", number, partition=partition)

    reading = examine(three, Health(consumer_groups=groups))

    assert isinstance(reading, Reading), reading
    assert {group: 3 * (10 - number) for number, group in enumerate(groups)} == reading.lag


def test_a_frozen_broker_counts_as_missing_within_the_limit(three: Kafka) -> None:
    """
    Its port takes connections and nobody answers; the others are told all the same.
    """
    three.freeze(3)
    try:
        began = time.monotonic()
        told = found(three)
        assert time.monotonic() - began < LIMIT_SECONDS + 1
        assert told["brokers_missing"].detail.endswith(": does not answer: does not answer in time")
        assert ("broker 3",) == told["brokers_missing"].examples
    finally:
        three.thaw(3)
    await_well(three)


def test_a_reassignment_that_does_not_end_is_told(three: Kafka) -> None:
    """
    However slow it is; taken back, it is gone.
    """
    from kafka import TopicPartition

    create(three, "moving", assigned={0: [1]})
    three.produce("moving", 200, size=10_000)
    with three.admin() as admin:
        _throttle(admin, three, "moving")
        admin.alter_partition_reassignments({TopicPartition("moving", 0): [2]})

        told = await_findings(three, lambda it: "reassignment" in it, "it is being moved")
        assert ("moving-0",) == told["reassignment"].examples

        admin.alter_partition_reassignments({TopicPartition("moving", 0): None})
        admin.delete_topics(["moving"])
    await_well(three)


def _throttle(admin: Any, kafka: Kafka, topic: str) -> None:  # noqa: ANN401 - a third party's types
    from kafka.admin import ConfigResource, ConfigResourceType

    rates = {f"{side}.replication.throttled.rate": ("SET", "1") for side in ("leader", "follower")}
    brokers = [ConfigResource(ConfigResourceType.BROKER, str(number), rates) for number in kafka.brokers]
    replicas = {f"{side}.replication.throttled.replicas": ("SET", "*") for side in ("leader", "follower")}
    slow = [*brokers, ConfigResource(ConfigResourceType.TOPIC, topic, replicas)]
    admin.alter_configs(slow, raise_on_unknown=False)  # it knows no setting that has no value yet


def test_topics_that_come_and_go_while_we_look_are_nobodys_fault(three: Kafka) -> None:
    """
    Deleted between two questions, or without a leader for one moment: no look is unknown, and none finds a fault.
    """
    over = threading.Event()

    def come_and_go() -> None:
        with three.admin() as admin:
            while not over.is_set():
                names = [f"brief-{number}" for number in range(20)]
                admin.create_topics({name: {"num_partitions": 3, "replication_factor": 3} for name in names})
                admin.delete_topics(names)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        looks = [found(three) for _ in range(25)]
    finally:
        over.set()
        thread.join()

    told = {finding.id: finding.detail for look in looks for finding in look.values()}
    assert {} == {name: detail for name, detail in told.items() if name in {"offline_partitions", "under_min_isr"}}


def test_a_log_directory_that_fails_is_told(tmp_path: Path) -> None:
    """
    The broker goes on with the other one; a disk is told as full from the group's own threshold on.
    """
    disks = [tmp_path / "kafka" / "disks" / name for name in ("a", "b")]
    with Kafka(tmp_path / "kafka", Shape(properties={"log.dirs": ",".join(map(str, disks))})) as kafka:
        assert {"quorum_size", "disk_usage"} == found(kafka, Health(disk_warn=1e-9)).keys()
        shutil.rmtree(disks[1])
        disks[1].write_text("no directory any more")
        with kafka.admin() as admin, suppress(Exception):  # the topics that would lie there are refused
            admin.create_topics({"orders": {"num_partitions": 8, "replication_factor": 1}}, timeout_ms=5_000)

        told = await_findings(kafka, lambda it: "disk_error" in it, "the directory has failed")

        assert (f"broker 1: {disks[1]}",) == told["disk_error"].examples
        assert told["disk_error"].detail.endswith("(KAFKA_STORAGE_ERROR)")


def test_a_broker_of_three_thousand_partitions_is_read_in_full(tmp_path: Path) -> None:
    """
    A thousand topics of three partitions, each told; a look leaves neither thread nor open file.
    """
    with Kafka(tmp_path / "kafka", Shape(heap="-Xmx512m")) as kafka, kafka.admin() as admin:
        for part in range(10):
            names = [f"topic-{part}-{number}" for number in range(100)]
            admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1} for name in names})
        await_findings(kafka, lambda it: 1_000 == it["rf1_topics"].count and len(it) == 2, "all topics are there")
        before = set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir()))

        told = found(kafka)

        assert "1000 of 1000 topics have a single replica" in told["rf1_topics"].detail
        assert before == (set(threading.enumerate()), len(list(Path("/proc/self/fd").iterdir())))


def test_many_looks_at_once_do_not_disturb_each_other(three: Kafka) -> None:
    """
    From sixteen threads, each on connections of its own.
    """
    readings: list[Reading | Unknown] = []
    threads = [threading.Thread(target=lambda: readings.append(examine(three))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 16 == len(readings)
    assert all(isinstance(reading, Reading) for reading in readings), readings


@pytest.mark.parametrize(("release", "counts"), [("3.9.2", True), ("4.3.1", False)])
def test_what_brokers_have_in_their_files_counts_only_where_it_has_an_effect(
    release: str,
    counts: bool,  # noqa: FBT001 - a parameter of the table
    tmp_path: Path,
) -> None:
    """
    With eligible leader replicas (new clusters from 4.1 on) only the cluster's and the topic's own settings do.
    """
    with Kafka(tmp_path / "kafka", Shape(release, brokers=2)) as kafka:
        create(kafka, "orders", assigned={0: [1, 2]})
        for number in kafka.brokers:
            kafka.restart_with(number, "min.insync.replicas", "2")
        await_findings(kafka, lambda it: "under_replicated" not in it, "both are back")

        assert counts is ("no_headroom" in found(kafka))


def test_the_first_bootstrap_address_that_answers_is_enough(three: Kafka) -> None:
    """
    One where nothing listens, and one that takes connections and says nothing, are passed over.
    """
    with socket.create_server((HOST, 0)) as mute:
        nowhere, silent = f"{HOST}:1", f"{HOST}:{mute.getsockname()[1]}"
        reach = Reach((nowhere, silent, *three.bootstrap))
        cluster = ObservedCluster("eu/a", {}, a_reading(NEW))

        observed = KafkaHealth(lambda _: reach, LEVELS, LIMIT_SECONDS).examine(cluster, Health())

    assert isinstance(observed, Reading), observed


def test_brokers_that_cannot_be_reached_where_they_are_advertised_make_it_unknown(tmp_path: Path) -> None:
    """
    The bootstrap address answers, and leads to no broker: nobody knows how they are.
    """
    (closed,) = choose_ports(1)
    with Kafka(tmp_path / "kafka", Shape(advertised={1: closed})) as kafka:
        observed = examine(kafka)

    assert isinstance(observed, Unknown)
    assert observed.why.startswith(
        f"no broker answers where it is advertised: broker 1 ({HOST}:{closed}): connection refused"
    )


def test_another_release_than_its_source_says_makes_it_unknown(three: Kafka) -> None:
    """
    Safety: where the brokers contradict their source nobody knows what runs.
    """
    cluster = ObservedCluster("eu/a", {}, a_reading("4.1.2"), None)

    observed = KafkaHealth(lambda _: Reach(three.bootstrap), LEVELS, LIMIT_SECONDS).examine(cluster, Health())

    assert isinstance(observed, Unknown)
    assert "answers like 4.3, but its source says 4.1.2: nobody knows what it runs" in observed.why
