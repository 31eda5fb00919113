"""What single answers of brokers mean, those too that come incomplete, refused, or one moment too early."""

from dataclasses import replace
from typing import Any

import pytest
from kafka.protocol.admin import (
    DescribeClusterResponse,
    DescribeConfigsResponse,
    DescribeLogDirsResponse,
    DescribeQuorumResponse,
    ListPartitionReassignmentsResponse,
)
from kafka.protocol.consumer import ListOffsetsResponse, OffsetFetchResponse
from kafka.protocol.metadata import FindCoordinatorResponse, MetadataResponse

from controller.brokers.sockets import BrokerError
from controller.errors import ObservationError
from controller.fleets import kafka_questions as questions
from controller.fleets.kafka_answers import Directory, Partition, Quorum, Voter, seen_twice
from controller.fleets.kafka_questions import Rights

# Kafka-python's messages are made by name at runtime, so nothing here has types.
UNKNOWN_TOPIC, NO_LEADER, NOT_LEADER, TIMED_OUT, COORDINATOR_LOADING = 3, 5, 6, 7, 14
TOPIC_DENIED, GROUP_DENIED, CLUSTER_DENIED = 29, 30, 31


def a_partition(leader: int = 1, error: int = 0, *, of: int = 3, in_sync: int = 3, away: int = 0) -> Any:  # noqa: ANN401 - a third party's types
    """One partition as a broker tells it."""
    return MetadataResponse.MetadataResponseTopic.MetadataResponsePartition(
        partition_index=0,
        error_code=error,
        leader_id=leader,
        replica_nodes=list(range(of)),
        isr_nodes=list(range(in_sync)),
        offline_replicas=list(range(away)),
    )


def metadata(*topics: tuple[str, int, list[Any]], error: int = 0) -> Any:  # noqa: ANN401 - a third party's types
    """An answer about topics: name, error, partitions."""
    kind = MetadataResponse.MetadataResponseTopic
    told = [kind(name=name, error_code=code, partitions=partitions) for name, code, partitions in topics]
    return MetadataResponse(error_code=error, topics=told)


def missing(rights: Rights) -> str:
    """What is told to be missing."""
    with pytest.raises(ObservationError) as caught:
        rights.require()
    return str(caught.value).removeprefix("its brokers do not allow all questions: missing are ").partition("; give")[0]


def test_a_partition_is_taken_as_it_is_told() -> None:
    """
    Numbers of replicas, in sync and offline; without a leader is who has none, or error 5.
    """
    read = questions.read_topics(metadata(("orders", 0, [a_partition(in_sync=2, away=1)])), Rights())

    assert {"orders": (Partition("orders", 0, has_leader=True, replicas=3, in_sync=2, away=1),)} == read.partitions
    assert {("orders", 0): 1} == read.leaders
    assert set() == read.without_leader()
    for offline in (a_partition(-1), a_partition(1, NO_LEADER), a_partition(-1, NO_LEADER)):
        assert {"orders"} == questions.read_topics(metadata(("orders", 0, [offline])), Rights()).without_leader()


def test_an_empty_topic_and_one_that_is_gone_are_no_fault() -> None:
    """
    The one has no partition, the other is passed over.
    """
    read = questions.read_topics(metadata(("empty", 0, []), ("gone", UNKNOWN_TOPIC, [])), Rights())

    assert {"empty": ()} == read.partitions
    assert {"gone"} == read.gone


def test_what_we_may_not_ask_is_told_at_once_and_by_operation() -> None:
    """
    All that is missing in one sentence, each once, and three topics at most by name.
    """
    rights = Rights()
    rights.require()

    questions.read_topics(metadata(*((f"t-{number}", TOPIC_DENIED, []) for number in range(5))), rights)
    questions.read_quorum(DescribeQuorumResponse(error_code=CLUSTER_DENIED), rights)
    questions.read_reassignments(ListPartitionReassignmentsResponse(error_code=CLUSTER_DENIED), rights)
    questions.read_log_dirs(DescribeLogDirsResponse(error_code=CLUSTER_DENIED), rights)

    assert "Describe on Topic t-0, Topic t-1, Topic t-2 and 3 more" == missing(rights)


def test_an_old_broker_tells_by_silence_that_its_directories_are_not_ours_to_see() -> None:
    """
    Safety: no directory at all is no healthy one.
    """
    rights = Rights()

    assert ((), set()) == questions.read_log_dirs(DescribeLogDirsResponse(error_code=0, results=[]), rights)
    assert "Describe on Cluster" == missing(rights)


def test_directories_are_taken_with_all_that_lies_in_them() -> None:
    """
    An error by Kafka's own name, the size of the disk where it is told, and the topics, those of others too.
    """
    kind = DescribeLogDirsResponse.DescribeLogDirsResult
    topics = [kind.DescribeLogDirsTopic(name=name, partitions=[]) for name in ("orders", "hidden")]
    answer = DescribeLogDirsResponse(
        error_code=0,
        results=[
            kind(error_code=0, log_dir="/a", topics=topics, total_bytes=100, usable_bytes=20),
            kind(error_code=56, log_dir="/b", topics=[]),
        ],
    )

    directories, hosted = questions.read_log_dirs(answer, Rights())

    assert (Directory("/a", "", 100, 20), Directory("/b", "KAFKA_STORAGE_ERROR", -1, -1)) == directories
    assert {"orders", "hidden"} == hosted


def test_least_in_sync_is_the_topics_effective_setting() -> None:
    """
    Passed over where the topic was deleted; a topic that does not tell makes the cluster unknown.
    """
    kind = DescribeConfigsResponse.DescribeConfigsResult

    def told(name: str, error: int, value: str | None) -> Any:  # noqa: ANN401 - a third party's types
        configs = [] if value is None else [kind.DescribeConfigsResourceResult(name="min.insync.replicas", value=value)]
        return DescribeConfigsResponse(results=[kind(error_code=error, resource_name=name, configs=configs)])

    rights = Rights()
    assert {"orders": 2} == questions.read_configs(told("orders", 0, "2"), rights)
    assert {} == questions.read_configs(told("orders", UNKNOWN_TOPIC, None), rights)
    assert {} == questions.read_configs(told("orders", TOPIC_DENIED, None), rights)
    assert "DescribeConfigs on Topic orders" == missing(rights)
    for value in (None, "many"):
        with pytest.raises(BrokerError, match=r"does not tell min\.insync\.replicas of the topic orders"):
            questions.read_configs(told("orders", 0, value), Rights())


def a_quorum(leader: int, error: int = 0) -> Any:  # noqa: ANN401 - a third party's types
    """An answer about the quorum, with one voter that is caught up and one that the leader does not know yet."""
    kind = DescribeQuorumResponse.TopicData
    voters = [
        kind.PartitionData.ReplicaState(replica_id=number, last_caught_up_timestamp=at)
        for number, at in ((1, 1_000), (2, -1))
    ]
    partition = kind.PartitionData(partition_index=0, error_code=error, leader_id=leader, current_voters=voters)
    return DescribeQuorumResponse(error_code=0, topics=[kind(topic_name="__cluster_metadata", partitions=[partition])])


def test_a_quorum_is_taken_as_its_leader_tells_it() -> None:
    """
    A controller that is no longer the active one, and a broker that found none in time, say that there is no leader.
    """
    assert Quorum(1, (Voter(1, 1_000), Voter(2, -1))) == questions.read_quorum(a_quorum(1), Rights())
    assert -1 == questions.read_quorum(a_quorum(-1), Rights()).leader
    for error in (NOT_LEADER, TIMED_OUT):
        assert -1 == questions.read_quorum(a_quorum(1, error), Rights()).leader
        assert -1 == questions.read_quorum(DescribeQuorumResponse(error_code=error), Rights()).leader


@pytest.mark.parametrize(
    ("read", "answer", "why"),
    [
        (
            questions.read_cluster,
            DescribeClusterResponse(error_code=0, cluster_id="id", brokers=[]),
            "names no brokers",
        ),
        (
            questions.read_cluster,
            DescribeClusterResponse(error_code=TIMED_OUT),
            "does not tell which brokers there are",
        ),
        (
            questions.read_quorum,
            DescribeQuorumResponse(error_code=0, topics=[]),
            "does not tell how the metadata quorum",
        ),
        (questions.read_quorum, a_quorum(1, COORDINATOR_LOADING), "does not tell how the metadata quorum is"),
        (questions.read_topics, metadata(("orders", TIMED_OUT, [])), "does not tell how the topic orders is"),
        (questions.read_topics, metadata(error=TIMED_OUT), "does not tell how topics are: REQUEST_TIMED_OUT"),
        (
            questions.read_reassignments,
            ListPartitionReassignmentsResponse(error_code=TIMED_OUT),
            "does not tell which partitions are being moved",
        ),
    ],
)
def test_an_answer_that_is_not_complete_is_none(read: Any, answer: Any, why: str) -> None:  # noqa: ANN401 - a third party's types
    """
    Safety: a broker that is just starting leaves parts out, and nothing is made up in their place.
    """
    with pytest.raises(BrokerError, match=why):
        read(*((answer,) if read is questions.read_cluster else (answer, Rights())))


def test_what_groups_have_committed_is_read_in_full_or_not_at_all() -> None:
    """
    A partition without a commit is passed over; a group that cannot be read now is left out.
    """
    kind = OffsetFetchResponse.OffsetFetchResponseGroup
    topic = kind.OffsetFetchResponseTopics

    def group(name: str, error: int, *partitions: tuple[int, int, int]) -> Any:  # noqa: ANN401 - a third party's types
        told = [
            topic.OffsetFetchResponsePartitions(partition_index=number, committed_offset=offset, error_code=code)
            for number, offset, code in partitions
        ]
        return kind(group_id=name, error_code=error, topics=[topic(name="orders", partitions=told)])

    rights = Rights()
    answer = OffsetFetchResponse(
        groups=[
            group("a", 0, (0, 7, 0), (1, -1, 0)),
            group("b", COORDINATOR_LOADING),
            group("c", 0, (0, 7, COORDINATOR_LOADING)),
            group("d", GROUP_DENIED),
        ]
    )

    assert {"a": {("orders", 0): 7}} == questions.read_commits(answer, rights)
    assert "Describe on Group d" == missing(rights)


def test_who_keeps_a_groups_offsets_may_be_unknown_for_a_moment() -> None:
    """
    Such a group is left out; one that we may not see is told.
    """
    kind = FindCoordinatorResponse.Coordinator
    told = [("a", 1, 0), ("b", -1, COORDINATOR_LOADING), ("c", -1, GROUP_DENIED)]
    answer = FindCoordinatorResponse(
        coordinators=[kind(key=key, node_id=node, error_code=error) for key, node, error in told]
    )
    rights = Rights()

    assert {"a": 1} == questions.read_coordinators(answer, rights)
    assert "Describe on Group c" == missing(rights)


def test_where_partitions_end_is_told_by_who_leads_them() -> None:
    """
    A broker that no longer does says nothing of it.
    """
    kind = ListOffsetsResponse.ListOffsetsTopicResponse
    ends = [
        kind.ListOffsetsPartitionResponse(partition_index=number, error_code=error, offset=offset)
        for number, error, offset in ((0, 0, 12), (1, NOT_LEADER, -1))
    ]

    answer = ListOffsetsResponse(topics=[kind(name="orders", partitions=ends)])

    assert {("orders", 0): 12} == dict(questions.read_ends(answer))


def test_only_who_has_no_leader_in_two_looks_is_offline() -> None:
    """
    Safety and patience: created, deleted, or on the way from one leader to the next within a second.
    """
    led = Partition("orders", 0, has_leader=True, replicas=3, in_sync=3)
    offline = replace(led, has_leader=False, in_sync=0)

    assert [offline] == seen_twice([offline], [offline])
    assert [led] == seen_twice([offline], [led])
    assert [] == seen_twice([offline], [])
    assert [replace(offline, has_leader=True)] == seen_twice([led], [offline])
    assert [replace(offline, number=1, has_leader=True)] == seen_twice([], [replace(offline, number=1)])
