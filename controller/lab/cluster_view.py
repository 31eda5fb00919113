"""Looks at one live cluster through kafka-python, the only place of the lab's operator that imports it.

Every look opens a client, asks four questions and closes it: a client that is kept would have to survive the very
restarts it watches; the way in, plain or secure, is ``reach``. The one thing that it changes is ``metadata.version``,
upwards alone, and only after the brokers themselves called that valid. When that may be done is chosen elsewhere.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from controller.brokers.access import Access
from controller.errors import LabError
from controller.lab.reach import client_options
from controller.labfiles import BrokerPlace

CONNECT_SECONDS_MAX = 1.0
REQUEST_MS_MAX = 5000
BOOTSTRAP_MS_MAX = 2000
"""Without it the client waits half a minute for a cluster that is down."""
VOTER_LAG_MS_MAX = 5000
"""A voter further behind the quorum's leader than this does not count as caught up; a fetch is due every 0.5 s."""

FINALIZE_MS_MAX = 4000
"""How long the active controller may take to have a new level agreed on; its answer must come within REQUEST_MS_MAX."""
_METADATA_VERSION = "metadata.version"
_PLAIN = Access()


class ClusterUnreachable(LabError):
    """No broker of the cluster answered in time."""


class LevelRefused(LabError):
    """The brokers say that metadata.version cannot be finalized at this level; nothing was changed."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What the brokers themselves say at one moment."""

    answering: frozenset[int]
    """Ids of the brokers that accept connections on their own port. The others' word is not enough: for some seconds
    they take a killed broker, or one that is just starting again, for present and in sync."""
    registered: frozenset[int]
    """Ids of the brokers that are members and not fenced."""
    absent: frozenset[int]
    """Ids of brokers that are missing from the in-sync replicas of a partition assigned to them."""
    leaderless: int
    """Number of partitions without a leader."""
    lagging_voters: frozenset[int]
    """Ids of controllers that have not caught up with the quorum's leader."""
    controller: int
    """Id of the quorum's leader, the active controller."""
    metadata_level: int
    """The finalized ``metadata.version`` as a feature level."""

    def lacking(self, broker_ids: frozenset[int]) -> frozenset[int]:
        """Those of ``broker_ids`` that are not fully there: silent, unregistered, out of sync, or behind as a voter."""
        return (broker_ids - (self.registered & self.answering)) | self.absent | self.lagging_voters


def look_at_cluster(brokers: Sequence[BrokerPlace], access: Access = _PLAIN) -> ClusterView:
    """Ask the cluster; ClusterUnreachable when it does not answer within a few seconds.

    LabError where a certificate or password that ``access`` needs cannot be had.
    """
    from kafka.errors import KafkaError

    answering = {broker.id: f"{broker.host}:{broker.port}" for broker in brokers if _accepts(broker)}
    if not answering:
        raise ClusterUnreachable("no broker accepts connections")
    try:
        with _client([*answering.values()], access) as client:
            cluster = client.describe_cluster()
            topics = client.describe_topics()
            quorum = client.describe_metadata_quorum()
            features = client.describe_features()
        return _view(frozenset(answering), cluster, topics, quorum, features)
    except (KafkaError, OSError) as error:
        raise ClusterUnreachable(f"no answer: {type(error).__name__}: {error}") from error
    except (KeyError, IndexError, TypeError) as error:
        # A broker that is still starting answers with parts missing; that is no answer either.
        raise ClusterUnreachable(f"an incomplete answer: {error!r}") from error


def finalize_level(brokers: Sequence[BrokerPlace], level: int, access: Access = _PLAIN) -> None:
    """Raise ``metadata.version`` to ``level``, which cannot be undone; at that level already, it stays.

    LevelRefused where the brokers call it invalid; ClusterUnreachable where they do not answer in time, after which
    only a look can tell whether it was done.
    """
    from kafka.errors import InvalidUpdateVersionError, KafkaError

    answering = [f"{broker.host}:{broker.port}" for broker in brokers if _accepts(broker)]
    if not answering:
        raise ClusterUnreachable("no broker accepts connections")
    try:
        with _client(answering, access) as client:
            for validate_only in (True, False):
                _update(client, level, validate_only=validate_only)
    except InvalidUpdateVersionError as error:
        raise LevelRefused(f"metadata.version cannot be finalized at level {level}: {error}") from error
    except (KafkaError, OSError) as error:
        raise ClusterUnreachable(f"no answer: {type(error).__name__}: {error}") from error


def _update(client: Any, level: int, *, validate_only: bool) -> None:  # noqa: ANN401 - a third party's types
    """Ask for the level; an upgrade alone, since brokers lower nothing that was asked as one."""
    asked = {_METADATA_VERSION: ("UPGRADE", level)}
    answer = client.update_features(asked, validate_only=validate_only, timeout_ms=FINALIZE_MS_MAX)
    if answer.get(_METADATA_VERSION) != "OK":
        raise LevelRefused(f"metadata.version cannot be finalized at level {level}: {answer}")


def _accepts(broker: BrokerPlace) -> bool:
    try:
        with socket.create_connection((broker.host, broker.port), timeout=CONNECT_SECONDS_MAX):
            return True
    except OSError:
        return False


@contextmanager
def _client(bootstrap: Sequence[str], access: Access) -> Iterator[Any]:
    """An admin client; closed also when its constructor fails, which by itself leaves a thread behind (3.0.12)."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    made: list[Any] = []

    def make(**config: Any) -> Any:  # noqa: ANN401 - a third party's types
        made.append(KafkaAdminClient.DEFAULT_CONFIG["kafka_client"](**config))
        return made[-1]

    try:
        yield KafkaAdminClient(
            bootstrap_servers=list(bootstrap),
            client_id="wavefleet-lab-operator",
            request_timeout_ms=REQUEST_MS_MAX,
            bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
            kafka_client=make,
            **client_options(access),
        )
    finally:
        # Not client.close(): where its constructor failed there is no client, and its thread would stay.
        for network in made:
            with contextlib.suppress(KafkaError, OSError):
                network.close()


def _view(answering: frozenset[int], cluster: Any, topics: Any, quorum: Any, features: Any) -> ClusterView:  # noqa: ANN401 - a third party's types
    partitions = [partition for topic in topics for partition in topic["partitions"]]
    voters = quorum["topics"][0]["partitions"][0]
    return ClusterView(
        answering=answering,
        registered=frozenset(
            broker["broker_id"] for broker in cluster["brokers"] if not broker.get("is_fenced", False)
        ),
        absent=frozenset(
            broker for partition in partitions for broker in {*partition["replica_nodes"]} - {*partition["isr_nodes"]}
        ),
        leaderless=sum(partition["leader_id"] < 0 for partition in partitions),
        lagging_voters=_lagging(voters),
        controller=voters["leader_id"],
        metadata_level=features[_METADATA_VERSION]["finalized"][1],
    )


def _lagging(voters: Any) -> frozenset[int]:  # noqa: ANN401 - a third party's types
    """Voters whose last full catch-up is older than the limit, measured by the leader's own moment."""
    moments = {voter["replica_id"]: voter["last_caught_up_timestamp"] for voter in voters["current_voters"]}
    newest = max(moments.values(), default=0)
    return frozenset(voter for voter, moment in moments.items() if newest - moment > VOTER_LAG_MS_MAX)
