"""What brokers' answers mean: every definition at its bounds. Asking real brokers is tested in ``tests/system``."""

from dataclasses import replace

import pytest

from controller.fleets.kafka_answers import Answers, Broker, Directory, Partition, Quorum, Voter
from controller.fleets.kafka_findings import EXAMPLES_MAX, findings
from controller.model.health import CHECKS, Health
from controller.model.observation import Finding

THREE = frozenset({1, 2, 3})
LEADER_AT = 1_800_000_000_000
CONTROLLERS = (101, 102, 103)


def a_partition(topic: str = "orders", number: int = 0, *, in_sync: int = 3, of: int = 3, least: int = 2) -> Partition:
    """A partition of three replicas that needs two in sync."""
    return Partition(topic, number, has_leader=in_sync > 0, replicas=of, in_sync=in_sync, min_in_sync=least)


def a_broker(number: int, *directories: Directory, fenced: bool = False, silent: str = "") -> Broker:
    """A broker that is a member and answers."""
    line = None if fenced or silent else (4, 3)
    return Broker(number, f"10.0.0.{number}:9092", fenced, line, directories, silent)


def a_quorum(*behind: int | None, leader: int = 101) -> Quorum:
    """A leader and voters that are so many milliseconds behind it; None = it does not know."""
    delays = ((102 + at, LEADER_AT - late if late is not None else -1) for at, late in enumerate(behind))
    return Quorum(leader, (Voter(101, LEADER_AT), *(Voter(number, at) for number, at in delays)))


WELL = Answers(
    "id",
    30,
    tuple(a_broker(number) for number in sorted(THREE)),
    (a_partition(),),
    a_quorum(0, 0),
)


def with_partitions(*partitions: Partition) -> Answers:
    """A cluster in good order but for these."""
    return replace(WELL, partitions=partitions)


def found(
    answers: Answers, expected: frozenset[int] | None = THREE, health: Health | None = None
) -> dict[str, Finding]:
    """Findings by id, each told once."""
    told = findings(answers, expected, health or Health())
    assert len(told) == len({finding.id for finding in told})
    assert all(finding.severity is CHECKS[finding.id] for finding in told)
    return {finding.id: finding for finding in told}


def test_a_cluster_in_good_order_shows_nothing() -> None:
    """
    All replicas in sync, all brokers there, a quorum of three; also without any topic, and with an empty one.
    """
    assert {} == found(WELL)
    assert {} == found(with_partitions())


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (a_partition(in_sync=3), set()),
        (a_partition(in_sync=2), {"under_replicated", "at_min_isr"}),
        (a_partition(in_sync=1), {"under_replicated", "under_min_isr"}),
        (a_partition(in_sync=0), {"under_replicated", "under_min_isr", "offline_partitions"}),
        (a_partition(in_sync=2, least=1), {"under_replicated"}),
        (a_partition(in_sync=1, least=1), {"under_replicated", "at_min_isr"}),
        (a_partition(in_sync=3, least=3), {"no_headroom"}),
        (a_partition(in_sync=2, least=3), {"no_headroom", "under_replicated", "under_min_isr"}),
        (a_partition(in_sync=2, of=2, least=1), set()),
        (a_partition(in_sync=2, of=2, least=2), {"no_headroom"}),
        (a_partition(in_sync=1, of=2, least=2), {"no_headroom", "under_replicated", "under_min_isr"}),
        (a_partition(in_sync=2, of=2, least=3), {"no_headroom"}),
        (a_partition(in_sync=1, of=1, least=1), {"rf1_topics"}),
        (a_partition(in_sync=1, of=1, least=2), {"rf1_topics"}),
        (
            a_partition(in_sync=0, of=1, least=1),
            {"rf1_topics", "under_replicated", "under_min_isr", "offline_partitions"},
        ),
        (replace(a_partition(), away=1), {"offline_replicas"}),
        (replace(a_partition(), has_leader=False), {"offline_partitions"}),
    ],
)
def test_each_partition_is_held_against_its_own_replicas(partition: Partition, expected: set[str]) -> None:
    """
    With R replicas, I of them in sync and m needed: below min(m, R), below R, exactly m, R not above m, and R = 1.
    """
    assert expected == found(with_partitions(partition, a_partition("well"))).keys()


def test_a_finding_counts_and_names_at_most_ten() -> None:
    """
    A sentence has its numbers, and examples in the order of their numbers; the rest is a number.
    """
    partitions = [a_partition(number=number, in_sync=2, least=1) for number in range(12)]

    finding = found(with_partitions(*reversed(partitions), a_partition("well")))["under_replicated"]

    assert 12 == finding.count
    assert tuple(f"orders-{number}" for number in range(EXAMPLES_MAX)) == finding.examples
    shown = ", ".join(finding.examples)
    assert f"12 of 13 partitions are under-replicated: {shown} and 2 more" == finding.detail


def test_topics_are_told_once_and_those_ignored_are_passed_over() -> None:
    """
    Many partitions of one topic count as one topic; patterns pass topics over, with the case of their letters.
    """
    single = [a_partition(topic, number, in_sync=1, of=1) for topic in ("audit", "Audit") for number in range(3)]
    tight = [a_partition("tmp-1", in_sync=2, of=2), a_partition("payments", in_sync=2, of=2)]

    told = found(with_partitions(*single, *tight), health=Health(ignored_topics=("audit*", "tmp-?")))

    assert ("Audit",) == told["rf1_topics"].examples
    assert "1 of 4 topics have a single replica: Audit" == told["rf1_topics"].detail
    assert ("payments",) == told["no_headroom"].examples


def test_an_ignored_topic_counts_everywhere_else() -> None:
    """
    Only rf1_topics and no_headroom pass it over: without a leader it is offline all the same.
    """
    alone = a_partition("audit", in_sync=0, of=1)

    told = found(with_partitions(alone), health=Health(ignored_topics=("*",)))

    assert {"offline_partitions", "under_min_isr", "under_replicated"} == told.keys()


def test_internal_topics_count_like_any_other() -> None:
    """
    Without __consumer_offsets no group reads on.
    """
    assert ("__consumer_offsets-0",) == found(with_partitions(a_partition("__consumer_offsets", in_sync=0)))[
        "offline_partitions"
    ].examples


def test_a_broker_that_is_silent_or_no_member_is_missing() -> None:
    """
    Both its own answer and the others' word are needed, and the sentence says which of them is missing, and why.
    """
    silent = replace(WELL, brokers=(a_broker(1), a_broker(2, silent="connection refused"), a_broker(3)))
    gone = replace(WELL, brokers=(a_broker(1), a_broker(3)))

    assert (
        "1 of 3 brokers are missing: broker 2 (10.0.0.2:9092): does not answer: connection refused"
        == found(silent)["brokers_missing"].detail
    )
    assert "1 of 3 brokers are missing: broker 2: is no member of the cluster" == found(gone)["brokers_missing"].detail
    assert ("broker 2",) == found(gone)["brokers_missing"].examples


def test_a_broker_that_there_was_no_time_for_is_missing_too() -> None:
    """
    Safety: who was not asked is not taken for well, and is told from one that does not answer.
    """
    unasked = replace(WELL, brokers=(a_broker(1), a_broker(2), Broker(3, "10.0.0.3:9092")))

    assert found(unasked)["brokers_missing"].detail.endswith(
        "broker 3 (10.0.0.3:9092): does not answer: it was not asked in time"
    )


def test_who_should_be_there_may_be_unknown() -> None:
    """
    Then a broker is missing that the cluster names and that does not answer, and none that it does not name.
    """
    silent = replace(WELL, brokers=(a_broker(1), a_broker(2, silent="does not answer in time")))

    assert ("broker 2",) == found(silent, expected=None)["brokers_missing"].examples
    assert {} == found(replace(WELL, brokers=(a_broker(1),)), expected=None)


def test_a_broker_that_nobody_expects_is_held_against_nobody() -> None:
    """
    Whether it answers, is silent, or left a registration behind when it was taken away.
    """
    more = (*WELL.brokers, a_broker(8, silent="connection refused"), a_broker(9, fenced=True))

    assert {} == found(replace(WELL, brokers=more))
    assert {"broker_fenced", "brokers_missing"} == found(replace(WELL, brokers=more), expected=None).keys()


def test_a_fenced_broker_is_fenced_and_missing() -> None:
    """
    It is registered, but serves nobody.
    """
    told = found(replace(WELL, brokers=(a_broker(1), a_broker(2, fenced=True), a_broker(3))))

    assert {"broker_fenced", "brokers_missing"} == told.keys()
    assert "1 of 3 registered brokers are fenced: broker 2" == told["broker_fenced"].detail
    assert "1 of 3 brokers are missing: broker 2 (10.0.0.2:9092): is fenced" == told["brokers_missing"].detail


def test_a_quorum_without_a_leader_is_told_alone() -> None:
    """
    Who lags is not known without one.
    """
    assert {"quorum_no_leader"} == found(replace(WELL, quorum=a_quorum(None, None, leader=-1))).keys()
    assert (
        "the metadata quorum has no leader: why"
        == found(replace(WELL, quorum=Quorum(-1, why="why")))["quorum_no_leader"].detail
    )


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        ([], {"quorum_size"}),
        ([0], {"quorum_size"}),
        ([1_999], {"quorum_size"}),
        ([2_000], {"quorum_size", "quorum_lagging"}),
        ([None], {"quorum_size", "quorum_lagging"}),
        ([0, 1_999], set()),
        ([0, 2_000], {"quorum_lagging"}),
        ([0, None], {"quorum_lagging"}),
        ([0, 0, 0], {"quorum_size"}),
        ([0, 0, 2_000], {"quorum_size", "quorum_lagging"}),
        ([0, 0, 0, 2_000], set()),
        ([0, 0, None, 2_000], {"quorum_lagging"}),
        ([0, 0, 0, 0, None, 2_000], set()),
        ([0, 0, 0, None, None, 2_000], {"quorum_lagging"}),
        ([0, 0, 0, 0, 0, 2_000], set()),
    ],
)
def test_a_quorum_has_to_bear_that_any_voter_is_restarted(behind: list[int | None], expected: set[str]) -> None:
    """
    From three voters on, (N + 2) // 2 must be caught up beside the one that is restarted; one or two all have to be.
    """
    assert expected == found(replace(WELL, quorum=a_quorum(*behind))).keys()


def test_a_fresh_voter_is_told_in_its_own_words() -> None:
    """
    A time of -1 is unknown: it never counts as caught up, and is not told as a delay since 1970 either.
    """
    finding = found(replace(WELL, quorum=a_quorum(None, 3_500)))["quorum_lagging"]

    assert finding.detail.endswith(
        "1 of 3 voters of the metadata quorum are caught up, 3 have to be before one of them is restarted:"
        " voter 102: not known yet, as for one that just joined, voter 103: 3.5 s behind"
    )
    assert ("voter 102", "voter 103") == finding.examples


def test_a_leader_that_tells_no_time_of_its_own_vouches_for_nobody() -> None:
    """
    Without its clock no voter's delay can be told.
    """
    quorum = Quorum(101, tuple(Voter(number, -1 if number == 101 else LEADER_AT) for number in CONTROLLERS))

    assert "quorum_lagging" in found(replace(WELL, quorum=quorum))


def test_partitions_that_are_being_moved_are_counted() -> None:
    """
    Any reassignment blocks, however long it takes.
    """
    finding = found(replace(WELL, reassigned=("orders-0",)))["reassignment"]

    assert "1 of 1 partitions are being moved: orders-0" == finding.detail


@pytest.mark.parametrize(("usable", "level"), [(100, None), (21, None), (20, 0.80), (15, 0.85), (0, 1.0), (-1, None)])
def test_the_fullest_disk_is_told_from_the_lower_threshold_on(usable: int, level: float | None) -> None:
    """
    Its share stands beside the finding, for the group's two thresholds; what is not told is not guessed.
    """
    disks = (a_broker(1, Directory("/a", total=100, usable=usable), Directory("/b", total=100, usable=90)),)
    told = found(replace(WELL, brokers=disks), expected=None)

    assert ({} if level is None else {"disk_usage": level}) == {name: it.level for name, it in told.items()}


def test_disks_are_told_with_the_fullest_first() -> None:
    """
    Each with its broker, its directory and its share; a disk whose size is unknown is no full one.
    """
    one = a_broker(1, Directory("/a", total=1000, usable=100), Directory("/b", total=-1, usable=-1))
    two = a_broker(2, Directory("/a", total=1000, usable=50), Directory("/b", total=0, usable=0))

    finding = found(replace(WELL, brokers=(one, two)), None, Health(disk_warn=0.9, disk_block=0.95))["disk_usage"]

    assert "2 of 2 log directories are on a disk that is 90% full or more: broker 2: /a 95.0%, broker 1: /a 90.0%" == (
        finding.detail
    )
    assert (2, 0.95) == (finding.count, finding.level)


def test_the_lower_of_both_thresholds_decides_what_is_told() -> None:
    """
    A group may set the one that blocks below the one that warns.
    """
    disks = replace(WELL, brokers=(a_broker(1, Directory("/a", total=100, usable=40)),))

    assert {} == found(disks, None)
    assert {"disk_usage"} == found(disks, None, Health(disk_block=0.6)).keys()


def test_a_failed_directory_is_told_by_kafkas_own_name() -> None:
    """
    With its broker and its path.
    """
    disks = (a_broker(1, Directory("/a", "KAFKA_STORAGE_ERROR"), Directory("/b")), a_broker(2, Directory("/a")))

    assert (
        "1 of 3 log directories have failed: broker 1: /a (KAFKA_STORAGE_ERROR)"
        == found(replace(WELL, brokers=disks), None)["disk_error"].detail
    )


def test_lag_is_told_above_the_groups_own_limit() -> None:
    """
    The largest stands beside the finding; a group exactly at the limit is in time.
    """
    asked = Health(consumer_groups=("a", "b", "c"), lag_above=1_000)

    assert {} == found(replace(WELL, lag={"a": 1_000, "b": 0}), health=asked)
    finding = found(replace(WELL, lag={"a": 1_001, "b": 5_000, "c": 1_000}), health=asked)["consumer_lag"]
    assert "2 of 3 consumer groups are more than 1,000 records behind: b 5,000, a 1,001" == finding.detail
    assert (2, ("b", "a"), 5_000.0) == (finding.count, finding.examples, finding.level)
