"""What Kafka's brokers themselves say of a cluster's health, as findings; the only place of fleets that asks brokers.

Every look opens its clients and closes them: one kept open would have to survive the restarts it watches. Each broker
is asked on its own port, because the others take a killed one for present for some seconds, and because a client uses
one protocol version for all. It translates and does not judge: what a finding does to a start is the core's business.
The client is kafka-python, the only one in Python that can put all of these questions (3.0.12).
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from controller.errors import ObservationError
from controller.model.observation import Finding, Severity
from controller.model.versions import Minor

EXAMPLES_MAX = 10
"""Partitions or brokers named in one finding."""
NEWEST_LINE_TOLD: Minor = (4, 3)
"""Kafka-python 3.0.12 takes newer brokers for this line."""
OLDEST_LINE_TOLD: Minor = (3, 5)
"""It cannot tell older KRaft brokers apart: 3.4 is known by a request that only ZooKeeper brokers offer."""

_CONNECT_SECONDS_MAX = 1.0
_BOOTSTRAP_SECONDS_MAX = 2.0
"""Without one the client waits half a minute for a broker that is down."""
_REQUEST_SECONDS_MAX = 5.0
_MIN_ISR = "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where one broker listens for clients."""

    id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as the brokers see it."""

    name: str
    """``TOPIC-NUMBER``."""
    has_leader: bool
    replicas: int
    in_sync: int
    min_in_sync: int | None
    """The topic's ``min.insync.replicas``; None where it could not be told, such as for a topic just deleted."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the brokers of one cluster said at one moment."""

    kafka_id: str
    lines: Mapping[int, Minor]
    """The release line of each broker that answers on its own port, as far as the protocol tells it."""
    registered: frozenset[int]
    """Brokers that are members and not fenced."""
    partitions: tuple[Partition, ...]
    quorum_leader: int
    """Id of the active controller; negative where there is none."""
    metadata_level: int | None
    """Finalized level of ``metadata.version``; None where none is finalized."""


class KafkaBrokers:
    """Asks the brokers of a cluster; no question is put later than ``within_seconds`` after the first."""

    def __init__(self, within_seconds: float) -> None:
        self._within_seconds = within_seconds

    @property
    def limit_seconds(self) -> float:
        """How long one cluster may take, its last question included."""
        return self._within_seconds + _REQUEST_SECONDS_MAX

    def ask(self, brokers: Sequence[BrokerAddress]) -> Answers:
        """Return what ``brokers`` say; ObservationError where none answers, or none in time."""
        deadline = time.monotonic() + self._within_seconds
        lines: dict[int, Minor] = {}
        whys: list[str] = []
        answers: Answers | None = None
        for broker in brokers:
            try:
                with _client(broker, deadline) as (admin, line):
                    answers = answers or _answers(admin, deadline)
                    lines[broker.id] = line
            except _Silent as silent:
                whys.append(f"broker {broker.id}: {silent}")
        if answers is None:
            raise ObservationError(f"no broker answers: {'; '.join(whys[:EXAMPLES_MAX])}")
        return replace(answers, lines=lines)


def findings(answers: Answers, expected: frozenset[int]) -> tuple[Finding, ...]:
    """Return what ``answers`` show, each violated definition once.

    ``offline_partitions``: no leader. ``under_min_isr``: fewer in sync than ``min.insync.replicas``, at most all
    replicas, so writes with ``acks=all`` fail. ``under_replicated``: fewer in sync than assigned.
    ``brokers_missing``: one of ``expected`` does not answer, or is no member. ``quorum_no_leader``.
    """
    partitions = answers.partitions
    missing = sorted(expected - (answers.registered & answers.lines.keys()))
    found = (
        _partitions("offline_partitions", Severity.BLOCK, "have no leader", partitions, lambda it: not it.has_leader),
        _partitions("under_min_isr", Severity.BLOCK, "are below min.insync.replicas", partitions, _is_under_min_isr),
        _partitions(
            "under_replicated", Severity.WAIT, "are under-replicated", partitions, lambda it: it.in_sync < it.replicas
        ),
        _missing(missing, len(expected)),
        _no_leader(answers.quorum_leader),
    )
    return tuple(finding for finding in found if finding is not None)


def _is_under_min_isr(partition: Partition) -> bool:
    least = partition.min_in_sync
    return least is not None and partition.in_sync < min(least, partition.replicas)


def _partitions(
    name: str, severity: Severity, doing: str, partitions: Sequence[Partition], is_violated: Callable[[Partition], bool]
) -> Finding | None:
    violated = sorted(partition.name for partition in partitions if is_violated(partition))
    if not violated:
        return None
    return Finding(name, severity, f"{len(violated)} of {len(partitions)} partitions {doing}: {_examples(violated)}")


def _missing(missing: Sequence[int], expected: int) -> Finding | None:
    if not missing:
        return None
    detail = f"{len(missing)} of {expected} brokers do not answer or are no members: {_examples(map(str, missing))}"
    return Finding("brokers_missing", Severity.WAIT, detail)


def _no_leader(leader: int) -> Finding | None:
    return None if leader >= 0 else Finding("quorum_no_leader", Severity.BLOCK, "the metadata quorum has no leader")


def _examples(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - EXAMPLES_MAX
    return ", ".join(shown[:EXAMPLES_MAX]) + (f" and {more} more" if more > 0 else "")


class _Silent(Exception):
    """One broker did not answer, or not in full."""


@contextmanager
def _client(broker: BrokerAddress, deadline: float) -> Iterator[tuple[Any, Minor]]:
    """A client that asks ``broker`` and no other, and that broker's line; closed whatever happens."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    networks: list[Any] = []

    def make(**config: Any) -> Any:  # noqa: ANN401 - a third party's types
        config["socket_connection_setup_timeout_ms"] = _milliseconds(_BOOTSTRAP_SECONDS_MAX, deadline)
        networks.append(KafkaAdminClient.DEFAULT_CONFIG["kafka_client"](**config))
        return networks[-1]

    try:
        _knock(broker, deadline)
        admin = KafkaAdminClient(
            bootstrap_servers=[f"{broker.host}:{broker.port}"],
            client_id="wavefleet",
            request_timeout_ms=_milliseconds(_REQUEST_SECONDS_MAX, deadline),
            bootstrap_timeout_ms=_milliseconds(_BOOTSTRAP_SECONDS_MAX, deadline),
            kafka_client=make,
        )
        # The client puts its questions to a broker that it is connected with, else to any: also to one that is dead.
        yield admin, admin.get_broker_version_data(broker.id).broker_version[:2]
    except (KafkaError, OSError) as error:
        raise _Silent(f"{type(error).__name__}: {error}") from error
    except (KeyError, IndexError, TypeError) as error:
        # A broker that is just starting leaves parts of an answer out.
        raise _Silent(f"an incomplete answer: {error!r}") from error
    finally:
        # Not admin.close(): where its constructor failed there is no admin, and its thread would stay.
        for network in networks:
            with suppress(KafkaError, OSError):
                network.close()


def _knock(broker: BrokerAddress, deadline: float) -> None:
    """Raise OSError at once where nothing listens: the client would go on trying until its time is over."""
    socket.create_connection((broker.host, broker.port), _left(_CONNECT_SECONDS_MAX, deadline)).close()


def _left(most_seconds: float, deadline: float) -> float:
    left = min(most_seconds, deadline - time.monotonic())
    if left <= 0:
        raise TimeoutError("the time for this cluster is over")
    return left


def _milliseconds(most_seconds: float, deadline: float) -> int:
    return max(1, int(_left(most_seconds, deadline) * 1000))


def _answers(admin: Any, deadline: float) -> Answers:  # noqa: ANN401 - a third party's types
    """Put every question that any broker answers for the whole cluster; the release lines are not among them."""
    cluster = admin.describe_cluster()
    _left(_REQUEST_SECONDS_MAX, deadline)
    topics = [topic for topic in admin.describe_topics() if not topic["error_code"]]
    _left(_REQUEST_SECONDS_MAX, deadline)
    least = _min_in_sync(admin, [topic["name"] for topic in topics])
    _left(_REQUEST_SECONDS_MAX, deadline)
    quorum = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
    _left(_REQUEST_SECONDS_MAX, deadline)
    level = admin.describe_features()["metadata.version"].get("finalized")
    return Answers(
        kafka_id=cluster["cluster_id"],
        lines={},
        registered=frozenset(it["broker_id"] for it in cluster["brokers"] if not it.get("is_fenced", False)),
        partitions=tuple(
            _partition(topic["name"], partition, least.get(topic["name"]))
            for topic in topics
            for partition in topic["partitions"]
        ),
        quorum_leader=quorum["leader_id"],
        metadata_level=level[1] if level else None,
    )


def _partition(topic: str, partition: Mapping[str, Any], min_in_sync: int | None) -> Partition:
    return Partition(
        f"{topic}-{partition['partition_index']}",
        partition["leader_id"] >= 0,
        len(partition["replica_nodes"]),
        len(partition["isr_nodes"]),
        min_in_sync,
    )


def _min_in_sync(admin: Any, topics: Sequence[str]) -> Mapping[str, int]:  # noqa: ANN401 - a third party's types
    """Return each topic's effective ``min.insync.replicas``; ``all``, since inherited ones count too."""
    from kafka.admin import ConfigResource, ConfigResourceType

    if not topics:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic, {_MIN_ISR: None}) for topic in topics]
    told = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return {topic: int(configs[_MIN_ISR]["value"]) for topic, configs in told.items() if _MIN_ISR in configs}
