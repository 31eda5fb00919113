"""A producer that remembers what was acknowledged, and the verifier that asks for it back.

It writes numbered records with a key until it is told to stop; each acknowledged one becomes a line of a file, whose
form stands in ``acknowledged``. The verifier reads the topic and the file. An upgrade that loses, doubles or turns
round a record cannot hide from this; a slow one can. People call it as ``wavefleet lab load`` and ``verify``; as
``python -m controller.lab.load --bootstrap HOST:PORT --topic T --acked FILE`` it serves plain brokers of any kind.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import re
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from controller.brokers.access import Reach
from controller.errors import LabError
from controller.lab.acknowledged import LoadReport, Tally, appending, read_tally
from controller.lab.broker import replication_of
from controller.lab.reach import client_options, knock
from controller.signals import on_leave

PARTITIONS = 3
BOOTSTRAP_MS_MAX = 10_000
REQUEST_MS_MAX = 10_000
DELIVERY_MS_MAX = 120_000
"""How long the producer itself tries to deliver one record over restarts of brokers."""
FLUSH_SECONDS_MAX = 60.0
"""At the end: for the records that are still under way."""
READ_SECONDS_MAX = 60.0
"""The verifier gives up when it reads nothing for so long."""
RATE_MAX = 5000
KEYS_MAX = 10_000
PENDING_MAX = 20_000
"""Records under way; at so many the load waits, instead of filling the memory while brokers are away."""
PAUSE_SECONDS = 0.01
TELL_SECONDS = 5.0
"""Between two sentences of progress."""

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
Progress = Callable[[str], None]


def _say_nothing(_sentence: str) -> None:
    """Progress that nobody wants."""


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What a producer did."""

    sent: int
    acknowledged: int
    failed: int
    """Sent and never acknowledged: the producer knows of these, so they are not lost."""


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """What to write, and how fast; LabError where that cannot be kept."""

    topic: str
    rate: int = 100
    """Records a second."""
    keys: int = 10
    seconds_max: float | None = None
    """None = until it is told to stop."""

    def __post_init__(self) -> None:
        if not 1 <= self.rate <= RATE_MAX:
            raise LabError(f"rate: found {self.rate}, expected 1 to {RATE_MAX} records a second")
        if not 1 <= self.keys <= KEYS_MAX:
            raise LabError(f"keys: found {self.keys}, expected 1 to {KEYS_MAX}")


class Load:
    """One run of the producer, with ``acks=all`` and idempotence."""

    def __init__(self, reach: Reach, order: LoadOrder, acked: BinaryIO, progress: Progress = _say_nothing) -> None:
        self._reach = reach
        self._order = order
        self._acked = acked
        self._progress = progress
        self._run = uuid.uuid4().hex[:8]
        self._counts = Counter[str]()
        self._partitions = PARTITIONS
        self._trouble: OSError | None = None

    def write_until(self, stop: threading.Event) -> LoadSummary:
        """Write until ``stop`` is set and everything sent is answered; LabError when the cluster cannot be reached."""
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        where = ",".join(self._reach.bootstrap)
        knock(self._reach)
        _make_topic(self._reach, self._order.topic)
        try:
            producer = KafkaProducer(
                bootstrap_servers=list(self._reach.bootstrap),
                acks="all",
                enable_idempotence=True,
                bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
                delivery_timeout_ms=DELIVERY_MS_MAX,
                linger_ms=5,
                **client_options(self._reach.access),
            )
            self._partitions = len(producer.partitions_for(self._order.topic))
        except KafkaError as error:
            raise LabError(f"{where}: no producer: {type(error).__name__}: {error}") from error
        self._send_at_rate(producer, stop)
        with contextlib.suppress(KafkaError):  # what is not answered by now counts as failed
            producer.flush(timeout=FLUSH_SECONDS_MAX)
        with contextlib.suppress(KafkaError):
            producer.close(timeout=5)
        self._acked.flush()
        sent, acknowledged = self._counts["sent"], self._counts["acknowledged"]
        return LoadSummary(sent, acknowledged, sent - acknowledged)

    def _send_at_rate(self, producer: Any, stop: threading.Event) -> None:  # noqa: ANN401 - a third party's type
        began = told = time.monotonic()
        limit = None if self._order.seconds_max is None else began + self._order.seconds_max
        for number in itertools.count():
            while time.monotonic() < began + number / self._order.rate or self._pending >= PENDING_MAX:
                self._flush()
                if stop.wait(PAUSE_SECONDS):
                    return
            if stop.is_set() or (limit is not None and time.monotonic() >= limit):
                return
            self._send(producer, number)
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                self._tell()

    @property
    def _pending(self) -> int:
        return self._counts["sent"] - self._counts["acknowledged"] - self._counts["failed"]

    def _tell(self) -> None:
        counts = self._counts
        under_way = f", {counts['failed']} failed" if counts["failed"] else ""
        self._progress(f"{counts['acknowledged']} of {counts['sent']} records acknowledged{under_way}")

    def _flush(self) -> None:
        if self._trouble is None:
            try:
                self._acked.flush()
            except OSError as error:
                self._trouble = error
        if self._trouble is not None:
            raise LabError(f"acknowledged records cannot be kept: {self._trouble.strerror}") from self._trouble

    def _send(self, producer: Any, number: int) -> None:  # noqa: ANN401 - a third party's type
        from kafka.errors import KafkaError

        key = number % self._order.keys
        record = f"{self._run}-{key}-{number // self._order.keys}"
        self._counts["sent"] += 1
        try:
            future = producer.send(
                self._order.topic, record.encode(), key=f"key-{key}".encode(), partition=key % self._partitions
            )
        except KafkaError:  # no metadata or no memory in time: never acknowledged
            self._counts["failed"] += 1
            return
        future.add_callback(self._note, record)
        future.add_errback(self._give_up)

    def _note(self, record: str, metadata: Any) -> None:  # noqa: ANN401 - a third party's type
        try:
            self._acked.write(f"{metadata.partition} {metadata.offset} {record}\n".encode())
        except OSError as error:  # raised here it would be lost in the client's own thread
            self._trouble = error
        self._counts["acknowledged"] += 1

    def _give_up(self, _error: Exception) -> None:
        self._counts["failed"] += 1


def verify(reach: Reach | str, topic: str, acked_file: Path, progress: Progress = _say_nothing) -> LoadReport:
    """Read ``topic`` from its beginning and look for every record that ``acked_file`` names.

    A topic that is gone holds none, so that all of them are lost. ``reach`` may be plain ``HOST:PORT``, several with
    commas. Raises LabError when the file is missing or is none, or the topic cannot be read to its end.
    """
    from kafka.errors import KafkaError

    reach = Reach(tuple(reach.split(","))) if isinstance(reach, str) else reach
    tally = read_tally(acked_file)
    knock(reach)
    try:
        _read_into(tally, reach, topic, progress)
    except KafkaError as error:
        where = ",".join(reach.bootstrap)
        raise LabError(f"{topic} at {where}: cannot be read: {type(error).__name__}: {error}") from error
    return tally.report()


def _read_into(tally: Tally, reach: Reach, topic: str, progress: Progress) -> None:
    """Take in every record that is in the topic now."""
    with _consumer(reach) as consumer:
        from kafka import TopicPartition

        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        if not partitions:
            progress(f"{topic} at {','.join(reach.bootstrap)}: there is no such topic")
            return
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        read, told = 0, time.monotonic()
        limit = told + READ_SECONDS_MAX
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=1000, max_records=5000).values():
                limit = time.monotonic() + READ_SECONDS_MAX
                for record in records:
                    tally.find(record.value)
                read += len(records)
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                progress(f"read {read} of about {sum(ends.values())} records")
            if time.monotonic() > limit:
                where = ",".join(reach.bootstrap)
                raise LabError(f"{topic} at {where}: read nothing for {READ_SECONDS_MAX:g} seconds before its end")


@contextlib.contextmanager
def _consumer(reach: Reach) -> Iterator[Any]:
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        bootstrap_servers=list(reach.bootstrap),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
        **client_options(reach.access),
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _make_topic(reach: Reach, topic: str) -> None:
    """Make the topic, with as many copies as the cluster allows, unless it is there."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError, TopicAlreadyExistsError

    try:
        client = KafkaAdminClient(
            bootstrap_servers=list(reach.bootstrap),
            bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
            request_timeout_ms=REQUEST_MS_MAX,
            **client_options(reach.access),
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
        where = ",".join(reach.bootstrap)
        raise LabError(f"{topic} at {where}: cannot be made: {type(error).__name__}: {error}") from error


def load(reach: Reach, order: LoadOrder, acked_file: Path, progress: Progress = _say_nothing) -> LoadSummary:
    """Write as ``order`` says until SIGTERM or Ctrl-C, and append to a file; a second Ctrl-C waits for nothing more.

    Raises LabError when the cluster cannot be reached or the file cannot be written.
    """
    stop = threading.Event()

    def wait_for_nothing_more() -> None:
        raise KeyboardInterrupt

    with appending(acked_file) as acked:
        on_leave(stop.set, insisted=wait_for_nothing_more)
        return Load(reach, order, acked, progress).write_until(stop)


def acked_file(cluster_dir: Path, topic: str) -> Path:
    """Where the acknowledged records of ``topic`` stand if nobody asked for another place; removed with the lab."""
    return cluster_dir / "load" / f"{checked_topic(topic)}.acked"


def checked_topic(topic: str) -> str:
    """Return ``topic``; LabError where none can be called so."""
    if not _TOPIC_NAME.fullmatch(topic) or topic in (".", ".."):
        raise LabError(f"found {topic!r}, expected 1 to 200 letters, digits, dots, dashes and underscores")
    return topic


def silence_client() -> None:
    """Brokers that restart are what this program is for; their client's own log tells people nothing."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def main(argv: Sequence[str] | None = None) -> int:
    """Write until SIGTERM, or verify; one JSON object on standard output. 1 when something is wrong or failed."""
    parser = argparse.ArgumentParser(prog="python -m controller.lab.load", description="Write numbered records.")
    parser.add_argument("--bootstrap", required=True, help="HOST:PORT, several with commas")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--rate", type=int, default=100, help="records a second (default: %(default)s)")
    parser.add_argument("--keys", type=int, default=10, help="keys, each with its own order (default: %(default)s)")
    parser.add_argument("--acked", type=Path, required=True, help="file of acknowledged records, appended to")
    parser.add_argument("--verify", action="store_true", help="read the topic back and report what is lost")
    options = parser.parse_args(argv)
    silence_client()
    reach = Reach(tuple(options.bootstrap.split(",")))
    try:
        if options.verify:
            report = verify(reach, options.topic, options.acked)
            sys.stdout.write(f"{json.dumps(asdict(report))}\n")
            return 0 if report.is_good else 1
        summary = load(reach, LoadOrder(options.topic, options.rate, options.keys), options.acked)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(asdict(summary))}\n")
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
