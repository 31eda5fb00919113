"""Real Kafka clusters for tests: their nodes are children of the test, and no operator brings back what it kills.

A node is broker and controller in one, or the controllers stand apart. More listeners than the plain one, and any other
property, are the test's to give. Releases come from the lab's cache. Everything is small: a broker takes 150 MB.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controller.lab.ports import choose_ports
from controller.lab.releases import Installation, Release, ReleaseCache
from tests.real_parts import require

HOST = "127.0.0.1"
CLUSTER_ID = "q1Sh-9_ISia_zwGINzRvyQ"
FIRST_CONTROLLER = 101
_START_SECONDS_MAX = 90.0
_LOOK_SECONDS = 0.1
_HEAP = ("-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_FORMAT_CLASSES = ("kafka.tools.StorageTool", "org.apache.kafka.tools.StorageTool")
"""The format tool's class up to 4.3, and in later releases."""

_SMALL = {
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.index.size.max.bytes": "1048576",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}


@dataclass(frozen=True)
class Shape:
    """What a cluster is made of."""

    release: str = "4.3.1"
    brokers: int = 1
    controllers: int = 0
    """Nodes that only vote; none means that every broker votes."""
    listeners: Mapping[str, str] = field(default_factory=dict)
    """Further ones: by name, such as ``LOGIN``, what they speak, such as ``SASL_SSL``."""
    properties: Mapping[str, str] = field(default_factory=dict)
    users: Sequence[tuple[str, str]] = ()
    """Names and passwords that SCRAM-SHA-512 knows."""
    heap: str = "-Xmx128m"
    advertised: Mapping[int, int] = field(default_factory=dict)
    """By broker: the port that it tells clients instead of its own, such as a proxy's."""


@dataclass
class Node:
    """One process of a cluster."""

    id: int
    folder: Path
    ports: Mapping[str, int]
    """By listener."""
    process: subprocess.Popen[bytes] | None = None


class Kafka:
    """``with Kafka(folder, Shape()) as kafka``: a cluster that has started; at the end none of it is left."""

    def __init__(self, folder: Path, shape: Shape = Shape()) -> None:
        require(shutil.which("java"), "real brokers need Java 17: install openjdk-17-jre-headless")
        require(shutil.which("mvn"), "real brokers are fetched by Maven: install maven")
        self.shape = shape
        self._folder = folder
        release = Release.parse(shape.release)
        self._installation: Installation = ReleaseCache.of_user(os.environ).provide(release, progress=print)
        names = ("PLAIN", "CONTROLLER", *shape.listeners)
        ids = [*range(1, shape.brokers + 1), *range(FIRST_CONTROLLER, FIRST_CONTROLLER + shape.controllers)]
        ports = iter(choose_ports(len(ids) * len(names)))
        self.nodes = {it: Node(it, folder / f"node-{it}", {name: next(ports) for name in names}) for it in ids}

    def __enter__(self) -> Self:
        try:
            for node in self.nodes.values():
                self._format(node)
            for number in self.nodes:
                self.start(number)
            for number in self.brokers:
                self.await_listening(number, self.brokers)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    @property
    def brokers(self) -> list[int]:
        """The ids of those that are brokers."""
        return [number for number in self.nodes if number < FIRST_CONTROLLER]

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """The plain listeners of all brokers."""
        return self.listening("PLAIN")

    def listening(self, listener: str) -> tuple[str, ...]:
        """The addresses of one listener of all brokers."""
        return tuple(f"{HOST}:{self.nodes[number].ports[listener]}" for number in self.brokers)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A client that may do everything."""
        from kafka import KafkaAdminClient

        client = KafkaAdminClient(bootstrap_servers=list(self.bootstrap), request_timeout_ms=20_000)
        try:
            yield client
        finally:
            client.close()

    def produce(self, topic: str, records: int, *, partition: int = 0, size: int = 100) -> None:
        """Write records into one partition of a topic."""
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=list(self.bootstrap))
        for _ in range(records):
            producer.send(topic, b"x" * size, partition=partition)
        producer.flush(30)
        producer.close()

    def commit(self, group: str, topic: str, offset: int, *, partition: int = 0) -> None:
        """Let a consumer group have read one partition of a topic up to an offset."""
        from kafka import KafkaConsumer, TopicPartition
        from kafka.structs import OffsetAndMetadata

        consumer = KafkaConsumer(bootstrap_servers=list(self.bootstrap), group_id=group, enable_auto_commit=False)
        consumer.assign([TopicPartition(topic, partition)])
        consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)})
        consumer.close()

    def start(self, number: int) -> None:
        """Start one node; it listens some seconds later."""
        node = self.nodes[number]
        argv = self._installation.command(*_HEAP, self.shape.heap, main="kafka.Kafka")
        with (node.folder / "output.log").open("ab") as output:
            node.process = subprocess.Popen(
                (*argv, str(node.folder / "server.properties")), cwd=node.folder, stdout=output, stderr=output
            )

    def kill(self, number: int) -> None:
        """End one node at once, as a power cut would."""
        process = self._process(number)
        process.kill()
        process.wait(30)

    def restart_with(self, number: int, name: str, value: str) -> None:
        """Give one node another property, as an edit of its file would, and wait until it listens again."""
        self.kill(number)
        with (self.nodes[number].folder / "server.properties").open("a") as file:
            file.write(f"{name}={value}\n")
        self.start(number)
        self.await_listening(number)

    def freeze(self, number: int) -> None:
        """Let one node do nothing any more; its connections stay open."""
        self._process(number).send_signal(signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Let a frozen node go on."""
        self._process(number).send_signal(signal.SIGCONT)

    def await_listening(self, number: int, among: Sequence[int] = ()) -> None:
        """Wait until a broker takes requests, and knows itself and those ``among`` whom it is as members."""
        members = {number, *among}
        wait_until(
            lambda: members <= self._members(number), f"broker {number} knows {members}", seconds_max=_START_SECONDS_MAX
        )

    def _members(self, number: int) -> set[int]:
        """Return the brokers that one of them takes for members; none while it does not answer."""
        from controller.brokers.client import BrokerClient
        from controller.brokers.deadline import Deadline
        from controller.brokers.sockets import Address, BrokerError
        from controller.fleets import kafka_questions as questions

        assert self._process(number).poll() is None, self._last_words(number)
        deadline = Deadline.within(5)
        try:
            with BrokerClient(Address(HOST, self.nodes[number].ports["PLAIN"]), {}, deadline) as client:
                _, brokers = questions.read_cluster(client.ask(questions.cluster(), deadline))
        except BrokerError:
            return set()
        return {broker.id for broker in brokers if not broker.fenced}

    def _process(self, number: int) -> subprocess.Popen[bytes]:
        process = self.nodes[number].process
        assert process is not None, f"node {number} was never started"
        return process

    def _last_words(self, number: int) -> str:
        return (self.nodes[number].folder / "output.log").read_text(errors="replace")[-2000:]

    def _end(self) -> None:
        for node in self.nodes.values():
            if node.process is not None:
                node.process.kill()
        for node in self.nodes.values():
            if node.process is not None:
                node.process.wait(30)

    def _format(self, node: Node) -> None:
        node.folder.mkdir(parents=True)
        properties = "".join(f"{name}={value}\n" for name, value in self._properties(node).items())
        (node.folder / "server.properties").write_text(properties)
        users = [
            part
            for name, password in self.shape.users
            for part in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]
        said = []
        for tool in _FORMAT_CLASSES:
            argv = self._installation.command("-Xmx96m", *_HEAP, main=tool)
            arguments = ("format", "-t", CLUSTER_ID, "-c", str(node.folder / "server.properties"), *users)
            ended = subprocess.run(
                (*argv, *arguments), check=False, capture_output=True, text=True, timeout=60, cwd=node.folder
            )
            if ended.returncode == 0:
                return
            said.append(ended.stdout + ended.stderr)
        raise AssertionError("\n".join(said))

    def _properties(self, node: Node) -> dict[str, str]:
        voters = [it for it in self.nodes.values() if self.shape.controllers == 0 or it.id >= FIRST_CONTROLLER]
        votes, serves = node in voters, node.id < FIRST_CONTROLLER
        names = (["PLAIN", *self.shape.listeners] if serves else []) + (["CONTROLLER"] if votes else [])
        speaks = {"PLAIN": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **self.shape.listeners}
        copies = str(min(self.shape.brokers, 3))
        own: dict[str, str] = {
            "process.roles": ",".join(["broker"] * serves + ["controller"] * votes),
            "node.id": str(node.id),
            "controller.quorum.voters": ",".join(f"{it.id}@{HOST}:{it.ports['CONTROLLER']}" for it in voters),
            "listeners": ",".join(f"{name}://{HOST}:{node.ports[name]}" for name in names),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(f"{name}:{how}" for name, how in speaks.items()),
            "log.dirs": str(node.folder / "records"),
        }
        if serves:
            told = {**node.ports, "PLAIN": self.shape.advertised.get(node.id, node.ports["PLAIN"])}
            own |= {
                "advertised.listeners": ",".join(
                    f"{name}://{HOST}:{told[name]}" for name in names if name in told and name != "CONTROLLER"
                ),
                "inter.broker.listener.name": "PLAIN",
                "default.replication.factor": copies,
                "offsets.topic.replication.factor": copies,
                "transaction.state.log.replication.factor": copies,
                "transaction.state.log.min.isr": "1",
            }
        return {**_SMALL, **own, **self.shape.properties}


def wait_until(condition: Callable[[], object], what: str, *, seconds_max: float) -> None:
    """Wait until ``condition`` holds; the test fails when it does not in time."""
    limit = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds_max:g} seconds in vain until {what}"
        time.sleep(_LOOK_SECONDS)
