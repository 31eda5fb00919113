"""What the answers of a cluster's brokers mean; asking real brokers is tested in ``tests/system``."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from controller.errors import ObservationError
from controller.fleets.kafka_health import EXAMPLES_MAX, Answers, BrokerAddress, KafkaBrokers, Partition, findings
from controller.model.observation import Severity

THREE = frozenset({1, 2, 3})

# kafka-python 3.0.12 loads its schemas by a function that Python 3.11 deprecates.
pytestmark = pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning")


def a_partition(
    name: str = "orders-0", *, in_sync: int = 3, of: int = 3, least: int | None = 2, led: bool = True
) -> Partition:
    """A partition of three replicas that needs two in sync."""
    return Partition(name, led, of, in_sync, least)


def answers(*partitions: Partition, live: frozenset[int] = THREE, leader: int = 1) -> Answers:
    """What a cluster of three brokers says."""
    return Answers("id", dict.fromkeys(live, (4, 3)), live, partitions, leader, 30)


def found(seen: Answers, expected: frozenset[int] = THREE) -> dict[str, Severity]:
    """Findings by id."""
    return {finding.id: finding.severity for finding in findings(seen, expected)}


def test_a_cluster_in_good_order_shows_nothing() -> None:
    """
    All replicas in sync, all brokers there, a leader in the quorum; also where there is no topic at all.
    """
    assert {} == found(answers(a_partition()))
    assert {} == found(answers())


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (a_partition(in_sync=2), {"under_replicated": Severity.WAIT}),
        (a_partition(in_sync=1), {"under_replicated": Severity.WAIT, "under_min_isr": Severity.BLOCK}),
        (a_partition(in_sync=1, least=1), {"under_replicated": Severity.WAIT}),
        (a_partition(in_sync=1, least=None), {"under_replicated": Severity.WAIT}),
        (a_partition(of=1, in_sync=1, least=2), {}),
        (a_partition(of=2, in_sync=1, least=2), {"under_replicated": Severity.WAIT, "under_min_isr": Severity.BLOCK}),
        (a_partition(of=2, in_sync=2, least=3), {}),
        (
            a_partition(led=False, in_sync=0),
            {
                "offline_partitions": Severity.BLOCK,
                "under_min_isr": Severity.BLOCK,
                "under_replicated": Severity.WAIT,
            },
        ),
    ],
)
def test_each_partition_is_held_against_its_own_replicas(partition: Partition, expected: dict[str, Severity]) -> None:
    """
    Fewer in sync than assigned waits; fewer than min(min.insync.replicas, replicas), or no leader, blocks.
    """
    assert expected == found(answers(partition, a_partition("orders-1")))


def test_a_finding_counts_and_names_at_most_ten() -> None:
    """
    A sentence has its numbers, and examples in order; the rest is a number.
    """
    partitions = [a_partition(f"orders-{number:02}", in_sync=2) for number in range(12)]

    (finding,) = findings(answers(*partitions, a_partition("well-0")), THREE)

    assert EXAMPLES_MAX == finding.detail.count("orders-")
    assert finding.detail.startswith("12 of 13 partitions are under-replicated: orders-00, orders-01,")
    assert finding.detail.endswith("orders-09 and 2 more")


def test_a_broker_that_is_silent_or_no_member_is_missing() -> None:
    """
    Both its own answer and the others' word are needed: either may be some seconds late.
    """
    silent = replace(answers(), lines={1: (4, 3), 2: (4, 3)})
    fenced = replace(answers(), registered=frozenset({1, 3}))

    assert {"brokers_missing": Severity.WAIT} == found(silent)
    assert "1 of 3 brokers do not answer or are no members: 2" == findings(fenced, THREE)[0].detail


def test_a_broker_that_nobody_expects_is_not_held_against_the_cluster() -> None:
    """
    Only expected brokers can be missing.
    """
    assert {} == found(answers(), frozenset({1, 2}))


def test_a_quorum_without_a_leader_blocks() -> None:
    """
    Without an active controller nothing may be restarted.
    """
    assert {"quorum_no_leader": Severity.BLOCK} == found(answers(leader=-1))
    assert {} == found(answers(leader=0))


def test_a_cluster_where_nothing_listens_is_told_at_once() -> None:
    """
    A refused connection needs no time limit; the sentence says who was asked, and no thread of a client is left.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    before = threading.active_count()
    began = time.monotonic()

    with pytest.raises(ObservationError, match=r"no broker answers: broker 1: ConnectionRefusedError.*; broker 2: "):
        KafkaBrokers(30).ask([BrokerAddress(1, "127.0.0.1", port), BrokerAddress(2, "127.0.0.1", port)])

    assert time.monotonic() - began < 20
    assert before == threading.active_count()


def test_a_broker_that_says_nothing_is_given_up() -> None:
    """
    A port that takes connections and never answers costs the cluster's time limit, and leaves no thread.
    """
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = BrokerAddress(1, "127.0.0.1", mute.getsockname()[1])
        began = time.monotonic()

        with pytest.raises(ObservationError, match="no broker answers: broker 1: "):
            KafkaBrokers(1).ask([address, address])

    assert time.monotonic() - began < 20
    assert before == threading.active_count()
