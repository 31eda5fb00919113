"""A producer that remembers what was acknowledged, and the verifier that asks for it back.

``python -m controller.lab.load --bootstrap HOST:PORT --topic T --rate 100 --acked FILE`` writes numbered records until
SIGTERM; each acknowledged one becomes a line ``PARTITION OFFSET RECORD`` of FILE (the offset is -1 where the broker
did not name one). ``RECORD`` is the record's value: a random word for the run, a dash, a number from 0. With
``--verify`` it reads the topic instead. An upgrade that loses a record cannot hide from this; a slow one can.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import signal
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from controller.errors import LabError
from controller.lab.broker import replication_of

PARTITIONS = 3
CONNECT_SECONDS_MAX = 3.0
BOOTSTRAP_MS_MAX = 10_000
REQUEST_MS_MAX = 10_000
DELIVERY_MS_MAX = 120_000
"""How long the producer itself tries to deliver one record over restarts of brokers."""
FLUSH_SECONDS_MAX = 60.0
"""At the end: for the records that are still under way."""
READ_SECONDS_MAX = 60.0
"""The verifier gives up when it reads nothing for so long."""
RATE_MAX = 5000
PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What a producer did."""

    sent: int
    acknowledged: int
    failed: int
    """Sent and never acknowledged: the producer knows of these, so they are not lost."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of acknowledged records."""

    acknowledged: int
    lost: int
    """Acknowledged, and not in the topic."""
    duplicated: int
    """Acknowledged, and more than once in the topic."""


class Load:
    """One run of the producer, with ``acks=all`` and idempotence."""

    def __init__(self, bootstrap: str, topic: str, *, rate: int, acked: BinaryIO) -> None:
        if not 1 <= rate <= RATE_MAX:
            raise LabError(f"rate: found {rate}, expected 1 to {RATE_MAX} records a second")
        self._topic = topic
        self._rate = rate
        self._acked = acked
        self._run = uuid.uuid4().hex[:8]
        self._counts = Counter[str]()
        self._bootstrap = bootstrap

    def write_until(self, stop: threading.Event) -> LoadSummary:
        """Write until ``stop`` is set and everything sent is answered; LabError when the cluster cannot be reached."""
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        _knock(self._bootstrap)
        _make_topic(self._bootstrap, self._topic)
        try:
            producer = KafkaProducer(
                bootstrap_servers=self._bootstrap.split(","),
                acks="all",
                enable_idempotence=True,
                bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
                delivery_timeout_ms=DELIVERY_MS_MAX,
                linger_ms=5,
            )
        except KafkaError as error:
            raise LabError(f"{self._bootstrap}: no producer: {type(error).__name__}: {error}") from error
        self._send_at_rate(producer, stop)
        with contextlib.suppress(KafkaError):  # what is not answered by now counts as failed
            producer.flush(timeout=FLUSH_SECONDS_MAX)
        with contextlib.suppress(KafkaError):
            producer.close(timeout=5)
        self._acked.flush()
        sent, acknowledged = self._counts["sent"], self._counts["acknowledged"]
        return LoadSummary(sent, acknowledged, sent - acknowledged)

    def _send_at_rate(self, producer: Any, stop: threading.Event) -> None:  # noqa: ANN401 - a third party's type
        began = time.monotonic()
        for number in itertools.count():
            while time.monotonic() < began + number / self._rate:
                self._acked.flush()
                if stop.wait(PAUSE_SECONDS):
                    return
            if stop.is_set():
                return
            self._send(producer, number)

    def _send(self, producer: Any, number: int) -> None:  # noqa: ANN401 - a third party's type
        from kafka.errors import KafkaError

        record = f"{self._run}-{number}"
        self._counts["sent"] += 1
        with contextlib.suppress(KafkaError):  # no metadata or no memory in time: never acknowledged
            future = producer.send(self._topic, record.encode(), partition=number % PARTITIONS)
            future.add_callback(self._note, record)

    def _note(self, record: str, metadata: Any) -> None:  # noqa: ANN401 - a third party's type
        self._acked.write(f"{metadata.partition} {metadata.offset} {record}\n".encode())
        self._counts["acknowledged"] += 1


def verify(bootstrap: str, topic: str, acked_file: Path) -> LoadReport:
    """Read ``topic`` from its beginning and look for every record that ``acked_file`` names.

    Raises LabError when the file is missing or the topic cannot be read to its end.
    """
    from kafka.errors import KafkaError

    acknowledged = set(_acknowledged(acked_file))
    _knock(bootstrap)
    try:
        found = Counter(record for record in _records(bootstrap, topic) if record in acknowledged)
    except KafkaError as error:
        raise LabError(f"{topic} at {bootstrap}: cannot be read: {type(error).__name__}: {error}") from error
    return LoadReport(
        acknowledged=len(acknowledged),
        lost=len(acknowledged - found.keys()),
        duplicated=sum(count > 1 for count in found.values()),
    )


def _acknowledged(acked_file: Path) -> Iterator[str]:
    try:
        lines = acked_file.read_text(encoding="ascii").splitlines(keepends=True)
    except OSError as error:
        raise LabError(f"{acked_file}: cannot be read: {error.strerror}") from error
    for line in lines:
        if line.endswith("\n"):  # a producer that was killed leaves half a line
            yield line.split()[2]


def _records(bootstrap: str, topic: str) -> Iterator[str]:
    """Every record that is in the topic now."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
    )
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        limit = time.monotonic() + READ_SECONDS_MAX
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=1000, max_records=5000).values():
                limit = time.monotonic() + READ_SECONDS_MAX
                yield from (record.value.decode("ascii", "replace") for record in records)
            if time.monotonic() > limit:
                raise LabError(f"{topic} at {bootstrap}: read nothing for {READ_SECONDS_MAX:g} seconds before its end")
    finally:
        consumer.close()


def _knock(bootstrap: str) -> None:
    """Raise LabError at once where nobody listens; Kafka's client would try for long, and leave a thread behind."""
    for address in bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS_MAX).close()
        except (OSError, ValueError):
            continue
        return
    raise LabError(f"{bootstrap}: nobody answers there; expected HOST:PORT of running brokers")


def _make_topic(bootstrap: str, topic: str) -> None:
    """Make the topic, with as many copies as the cluster allows, unless it is there."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError, TopicAlreadyExistsError

    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
            request_timeout_ms=REQUEST_MS_MAX,
        )
        with contextlib.closing(client), contextlib.suppress(TopicAlreadyExistsError):
            copies, in_sync_min = replication_of(len(client.describe_cluster()["brokers"]))
            wanted = {
                "num_partitions": PARTITIONS,
                "replication_factor": copies,
                "configs": {"min.insync.replicas": str(in_sync_min)},
            }
            client.create_topics({topic: wanted}, wait_for_metadata=True)
    except KafkaError as error:
        raise LabError(f"{topic} at {bootstrap}: cannot be made: {type(error).__name__}: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Write until SIGTERM, or verify; one JSON object on standard output. 1 when something is lost or failed."""
    parser = argparse.ArgumentParser(prog="python -m controller.lab.load", description="Write numbered records.")
    parser.add_argument("--bootstrap", required=True, help="HOST:PORT, several with commas")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--rate", type=int, default=100, help="records a second (default: %(default)s)")
    parser.add_argument("--acked", type=Path, required=True, help="file of acknowledged records, appended to")
    parser.add_argument("--verify", action="store_true", help="read the topic back and report what is lost")
    options = parser.parse_args(argv)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # brokers that restart are what this program is for
    try:
        result = _verify_or_write(options)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    return 1 if (result.lost if isinstance(result, LoadReport) else result.failed) else 0


def _verify_or_write(options: argparse.Namespace) -> LoadReport | LoadSummary:
    if options.verify:
        return verify(options.bootstrap, options.topic, options.acked)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        acked: BinaryIO = options.acked.open("ab")
    except OSError as error:
        raise LabError(f"{options.acked}: cannot be written: {error.strerror}") from error
    with acked:
        return Load(options.bootstrap, options.topic, rate=options.rate, acked=acked).write_until(stop)


if __name__ == "__main__":
    sys.exit(main())
