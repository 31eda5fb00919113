"""Kafka's questions, and what their answers say in our values: the one place that knows kafka-python's messages.

Each question has a function that makes it and one that reads its answer. An error that says that we may not ask goes to
``Rights``, so that all that is missing is told at once; any other one means that the answer cannot be used.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kafka.protocol.admin import (
    DescribeClusterRequest,
    DescribeConfigsRequest,
    DescribeLogDirsRequest,
    DescribeQuorumRequest,
    ListPartitionReassignmentsRequest,
)
from kafka.protocol.consumer import ListOffsetsRequest, OffsetFetchRequest
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest

from controller.brokers.client import Message, name_of
from controller.brokers.sockets import Address, BrokerError
from controller.errors import ObservationError
from controller.fleets.kafka_answers import Broker, Directory, Partition, Quorum, Voter

OFFSETS_TOPIC = "__consumer_offsets"

_UNKNOWN_TOPIC, _NO_LEADER = 3, 5
_TOPIC_DENIED, _GROUP_DENIED, _CLUSTER_DENIED = 29, 30, 31
_NOT_LEADING = {6, 7, 41}
"""Said by a controller that is not, or no longer, the active one, and by a broker that found none in time."""
_MIN_ISR = "min.insync.replicas"
_TOPIC_RESOURCE = 2
_METADATA_TOPIC = "__cluster_metadata"
_LATEST = -1
_NAMED_MAX = 3
"""Topics named for one right that is missing."""


@dataclass(slots=True)
class Rights:
    """What we were not allowed to ask, as it is told to people."""

    _missing: dict[str, list[str]] = field(default_factory=dict)

    def lacks(self, operation: str, on: str) -> None:
        """Remember that ``operation`` (such as ``Describe``) is missing on a resource such as ``Topic orders``."""
        places = self._missing.setdefault(operation, [])
        if on not in places:
            places.append(on)

    def require(self) -> None:
        """Raise ObservationError where any is missing."""
        if not self._missing:
            return
        told = []
        for operation, places in sorted(self._missing.items()):
            more = len(places) - _NAMED_MAX
            told.append(f"{operation} on {', '.join(places[:_NAMED_MAX])}" + (f" and {more} more" if more > 0 else ""))
        raise ObservationError(
            f"its brokers do not allow all questions: missing are {'; '.join(told)}; give our user these rights"
        )


@dataclass(frozen=True, slots=True)
class Topics:
    """What a broker says of topics."""

    partitions: Mapping[str, tuple[Partition, ...]]
    """By topic; empty topics too."""
    leaders: Mapping[tuple[str, int], int]
    """Who leads which partition."""
    gone: frozenset[str] = frozenset()
    """Topics that were asked for and are not there."""

    def without_leader(self) -> set[str]:
        """Return the topics that have a partition without a leader."""
        return {name for name, them in self.partitions.items() if any(not it.has_leader for it in them)}


def cluster() -> Message:
    """Ask which brokers there are."""
    return DescribeClusterRequest(include_fenced_brokers=True)


def read_cluster(answer: Message) -> tuple[str, tuple[Broker, ...]]:
    """Return the cluster's id and its brokers, none of them asked yet."""
    _expect_none(answer.error_code, "which brokers there are")
    brokers = tuple(Broker(it.broker_id, str(Address(it.host, it.port)), bool(it.is_fenced)) for it in answer.brokers)
    if not brokers or not answer.cluster_id:
        raise BrokerError("names no brokers, itself included: it is just starting")
    return answer.cluster_id, brokers


def topics(names: Iterable[str] | None = None) -> Message:
    """Ask for some topics, or for all that we may see."""
    asked = None if names is None else [MetadataRequest.MetadataRequestTopic(name=name) for name in sorted(names)]
    return MetadataRequest(topics=asked, allow_auto_topic_creation=False)


def read_topics(answer: Message, rights: Rights) -> Topics:
    """Return the topics that are there."""
    found: dict[str, tuple[Partition, ...]] = {}
    leaders: dict[tuple[str, int], int] = {}
    gone = set()
    _expect_none(answer.error_code, "how topics are")
    for topic in answer.topics:
        if topic.error_code == _UNKNOWN_TOPIC:
            gone.add(topic.name)
            continue
        if topic.error_code == _TOPIC_DENIED:
            rights.lacks("Describe", f"Topic {topic.name}")
            continue
        _expect_none(topic.error_code, f"how the topic {topic.name} is")
        found[topic.name] = tuple(_partition(topic.name, it) for it in topic.partitions)
        leaders |= {(topic.name, it.partition_index): it.leader_id for it in topic.partitions}
    return Topics(found, leaders, frozenset(gone))


def _partition(topic: str, it: Message) -> Partition:
    return Partition(
        topic,
        it.partition_index,
        it.leader_id >= 0 and it.error_code != _NO_LEADER,
        len(it.replica_nodes),
        len(it.isr_nodes),
        len(it.offline_replicas),
    )


def configs(names: Iterable[str]) -> Message:
    """Ask for the effective ``min.insync.replicas`` of topics, inherited or not.

    Only the topic's own answer counts: what brokers have in their files has no effect where ELR is on (KIP-966).
    """
    resource = DescribeConfigsRequest.DescribeConfigsResource
    asked = [
        resource(resource_type=_TOPIC_RESOURCE, resource_name=name, configuration_keys=[_MIN_ISR]) for name in names
    ]
    return DescribeConfigsRequest(resources=asked)


def read_configs(answer: Message, rights: Rights) -> Mapping[str, int]:
    """Return ``min.insync.replicas`` by topic; one that was deleted meanwhile has none."""
    found = {}
    for result in answer.results:
        if result.error_code == _TOPIC_DENIED:
            rights.lacks("DescribeConfigs", f"Topic {result.resource_name}")
        elif result.error_code != _UNKNOWN_TOPIC:
            _expect_none(result.error_code, f"how the topic {result.resource_name} is configured")
            values = {it.name: it.value for it in result.configs}
            if not str(values.get(_MIN_ISR)).isdecimal():
                raise BrokerError(f"does not tell {_MIN_ISR} of the topic {result.resource_name}")
            found[result.resource_name] = int(values[_MIN_ISR])
    return found


def quorum() -> Message:
    """Ask how the controllers are; a broker hands this on to the active one, and waits for it."""
    kind = DescribeQuorumRequest.TopicData
    return DescribeQuorumRequest(
        topics=[kind(topic_name=_METADATA_TOPIC, partitions=[kind.PartitionData(partition_index=0)])]
    )


def read_quorum(answer: Message, rights: Rights) -> Quorum:
    """Return who leads and who votes."""
    if answer.error_code == _CLUSTER_DENIED:
        rights.lacks("Describe", "Cluster")
        return Quorum(-1)
    if answer.error_code in _NOT_LEADING:
        return Quorum(-1, why="no controller says that it is active")
    _expect_none(answer.error_code, "how the metadata quorum is")
    if not answer.topics or not answer.topics[0].partitions:
        raise BrokerError("does not tell how the metadata quorum is: it is just starting")
    told = answer.topics[0].partitions[0]
    if told.error_code in _NOT_LEADING:
        return Quorum(-1, why="no controller says that it is active")
    _expect_none(told.error_code, "how the metadata quorum is")
    return Quorum(
        told.leader_id, tuple(Voter(it.replica_id, it.last_caught_up_timestamp) for it in told.current_voters)
    )


def reassignments(milliseconds: int) -> Message:
    """Ask which partitions are being moved; handed on to the active controller too."""
    return ListPartitionReassignmentsRequest(topics=None, timeout_ms=milliseconds)


def read_reassignments(answer: Message, rights: Rights) -> tuple[str, ...]:
    """Return the names of these partitions."""
    if answer.error_code == _CLUSTER_DENIED:
        rights.lacks("Describe", "Cluster")
        return ()
    _expect_none(answer.error_code, "which partitions are being moved")
    return tuple(f"{topic.name}-{it.partition_index}" for topic in answer.topics for it in topic.partitions)


def log_dirs() -> Message:
    """Ask a broker for its own log directories, with all that is in them."""
    return DescribeLogDirsRequest(topics=None)


def read_log_dirs(answer: Message, rights: Rights) -> tuple[tuple[Directory, ...], set[str]]:
    """Return the directories, and the topics that have a replica in them, also those that we may not see."""
    if answer.error_code == _CLUSTER_DENIED:
        rights.lacks("Describe", "Cluster")
        return (), set()
    _expect_none(answer.error_code, "which log directories it has")
    if not answer.results:
        # Before version 3 this is how a broker says that we may not ask; one that runs always has a directory.
        rights.lacks("Describe", "Cluster")
    directories = tuple(
        Directory(it.log_dir, name_of(it.error_code) if it.error_code else "", it.total_bytes, it.usable_bytes)
        for it in answer.results
    )
    return directories, {topic.name for it in answer.results for topic in it.topics}


def coordinators(groups: Sequence[str]) -> Message:
    """Ask which brokers keep the offsets of groups; never put before their topic is there, which it would create."""
    return FindCoordinatorRequest(key_type=0, coordinator_keys=list(groups), min_version=4)


def read_coordinators(answer: Message, rights: Rights) -> Mapping[str, int]:
    """Return the broker of each group that has one now."""
    for it in answer.coordinators:
        if it.error_code == _GROUP_DENIED:
            rights.lacks("Describe", f"Group {it.key}")
    return {it.key: it.node_id for it in answer.coordinators if not it.error_code}


def commits(groups: Iterable[str]) -> Message:
    """Ask what groups have committed, in all topics."""
    kind = OffsetFetchRequest.OffsetFetchRequestGroup
    return OffsetFetchRequest(
        groups=[kind(group_id=group, topics=None) for group in groups], min_version=8, max_version=9
    )


def read_commits(answer: Message, rights: Rights) -> Mapping[str, Mapping[tuple[str, int], int]]:
    """Return the committed offsets of each group that could be read; a partition without one is passed over."""
    found = {}
    for group in answer.groups:
        if group.error_code == _GROUP_DENIED:
            rights.lacks("Describe", f"Group {group.group_id}")
        if group.error_code or any(it.error_code for topic in group.topics for it in topic.partitions):
            continue
        found[group.group_id] = {
            (topic.name, it.partition_index): it.committed_offset
            for topic in group.topics
            for it in topic.partitions
            if it.committed_offset >= 0
        }
    return found


def ends(partitions: Iterable[tuple[str, int]]) -> Message:
    """Ask a broker where partitions end that it leads."""
    kind = ListOffsetsRequest.ListOffsetsTopic
    by_topic: dict[str, list[Message]] = {}
    for topic, number in partitions:
        asked = kind.ListOffsetsPartition(partition_index=number, timestamp=_LATEST)
        by_topic.setdefault(topic, []).append(asked)
    asked_topics = [kind(name=topic, partitions=them) for topic, them in by_topic.items()]
    return ListOffsetsRequest(replica_id=-1, isolation_level=0, topics=asked_topics, min_version=1, max_version=7)


def read_ends(answer: Message) -> Iterator[tuple[tuple[str, int], int]]:
    """Yield where each of them ends, as far as the broker tells."""
    for topic in answer.topics:
        for it in topic.partitions:
            if not it.error_code:
                yield (topic.name, it.partition_index), it.offset


def _expect_none(error_code: int, what: str) -> None:
    if error_code:
        raise BrokerError(f"does not tell {what}: {name_of(error_code)}")
