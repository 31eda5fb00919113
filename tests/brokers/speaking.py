"""Brokers that say whatever a test wants, in Kafka's own protocol: what real ones cannot be brought to say."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from kafka.protocol.admin import (
    DescribeClusterResponse,
    DescribeConfigsResponse,
    DescribeLogDirsResponse,
    DescribeQuorumResponse,
    ListPartitionReassignmentsResponse,
)
from kafka.protocol.metadata import ApiVersionsResponse, MetadataResponse

HOST = "127.0.0.1"
NO_ID = "00000000-0000-0000-0000-000000000001"
Message = Any
_VERSIONS = {3: 13, 18: 4, 32: 4, 35: 4, 46: 0, 55: 2, 60: 2}


@dataclass
class Told:
    """What one broker says: nothing but itself and its cluster, which has no topics."""

    cluster: str = "id"
    brokers: Mapping[int, str] = field(default_factory=dict)
    """By id: the address that it is advertised at."""
    raw: Mapping[int, bytes] = field(default_factory=dict)
    """By question's number: bytes that it says behind the correlation id, whatever they mean."""


@contextmanager
def speaking(told: Told) -> Iterator[str]:
    """A port that answers so; yields its address."""
    with socket.create_server((HOST, 0)) as server:
        taken: list[tuple[socket.socket, threading.Thread]] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    thread = threading.Thread(target=_answer_all, args=(client, told))
                    taken.append((client, thread))
                    thread.start()

        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield f"{HOST}:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for client, thread in taken:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                thread.join()


def _answer_all(client: socket.socket, told: Told) -> None:
    with client, client.makefile("rb") as asked, suppress(OSError):
        while size := asked.read(4):
            key, version, number = struct.unpack(">hhi", asked.read(struct.unpack(">i", size)[0])[:8])
            if key in told.raw:
                content = struct.pack(">i", number) + told.raw[key]
                client.sendall(struct.pack(">i", len(content)) + content)
                continue
            answer = _ANSWERS[key](version, told)
            answer.with_header(correlation_id=number)
            client.sendall(bytes(answer.encode(framed=True, header=True)))


def _versions(version: int, _: Told) -> Message:
    kind = ApiVersionsResponse
    level = kind.FinalizedFeatureKey(name="metadata.version", max_version_level=30, min_version_level=30)
    offered = [kind.ApiVersion(api_key=key, min_version=0, max_version=most) for key, most in _VERSIONS.items()]
    return kind(
        version=version,
        error_code=0,
        api_keys=offered,
        throttle_time_ms=0,
        supported_features=[],
        finalized_features_epoch=1,
        finalized_features=[level],
        zk_migration_ready=False,
    )


def _cluster(version: int, told: Told) -> Message:
    kind = DescribeClusterResponse
    brokers = []
    for number, address in told.brokers.items():
        host, port = address.rsplit(":", 1)
        brokers.append(
            kind.DescribeClusterBroker(broker_id=number, host=host, port=int(port), rack=None, is_fenced=False)
        )
    return kind(
        version=version,
        throttle_time_ms=0,
        error_code=0,
        error_message=None,
        endpoint_type=1,
        cluster_id=told.cluster,
        controller_id=1,
        brokers=brokers,
    )


def _topics(version: int, told: Told) -> Message:
    return MetadataResponse(
        version=version,
        throttle_time_ms=0,
        brokers=[],
        cluster_id=told.cluster,
        controller_id=1,
        topics=[],
        error_code=0,
    )


def _configs(version: int, _: Told) -> Message:
    return DescribeConfigsResponse(version=version, throttle_time_ms=0, results=[])


def _log_dirs(version: int, _: Told) -> Message:
    kind = DescribeLogDirsResponse
    directory = kind.DescribeLogDirsResult(error_code=0, log_dir="/kafka", topics=[], total_bytes=100, usable_bytes=90)
    return kind(version=version, throttle_time_ms=0, error_code=0, results=[directory])


def _quorum(version: int, _: Told) -> Message:
    kind = DescribeQuorumResponse
    partition = kind.TopicData.PartitionData
    voter = partition.ReplicaState(
        replica_id=1,
        replica_directory_id=NO_ID,
        log_end_offset=1,
        last_fetch_timestamp=1000,
        last_caught_up_timestamp=1000,
    )
    told = partition(
        partition_index=0,
        error_code=0,
        error_message=None,
        leader_id=1,
        leader_epoch=1,
        high_watermark=1,
        current_voters=[voter],
        observers=[],
    )
    topic = kind.TopicData(topic_name="__cluster_metadata", partitions=[told])
    return kind(version=version, error_code=0, error_message=None, topics=[topic], nodes=[])


def _reassignments(version: int, _: Told) -> Message:
    return ListPartitionReassignmentsResponse(
        version=version, throttle_time_ms=0, error_code=0, error_message=None, topics=[]
    )


_ANSWERS = {
    3: _topics,
    18: _versions,
    32: _configs,
    35: _log_dirs,
    46: _reassignments,
    55: _quorum,
    60: _cluster,
}
