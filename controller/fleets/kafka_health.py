"""A cluster's own brokers as a source of its health: what they say is put to what the source showed.

They know better how they are, which cluster they are, and which metadata.version is finalized. They cannot tell their
exact release, only its line, so that comes from the source and is held against their answers: where the two contradict
each other, nobody knows what runs, and the cluster is unknown. It translates and does not judge: what a finding does
to a start is the core's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from controller.brokers.access import Reach
from controller.brokers.deadline import Deadline
from controller.errors import ObservationError
from controller.fleets.kafka_answers import Answers
from controller.fleets.kafka_findings import findings
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.versions import MetadataVersion, Minor

NEWEST_LINE_TOLD: Minor = (4, 3)
"""Kafka-python 3.0.12 takes newer brokers for this line."""
OLDEST_LINE_TOLD: Minor = (3, 5)
"""It cannot tell older KRaft brokers apart: 3.4 is known by a request that only ZooKeeper brokers offer."""

_log = structlog.get_logger(__name__)


class KafkaHealth:
    """A BrokerHealth on real brokers; ``levels`` are the known levels of metadata.version."""

    def __init__(
        self,
        reach: Callable[[ObservedCluster], Reach],
        levels: Mapping[int, MetadataVersion],
        limit_seconds: float,
    ) -> None:
        self._reach = reach
        self._levels = levels
        self._limit_seconds = limit_seconds

    def examine(self, cluster: ObservedCluster, health: Health) -> Reading | Unknown:
        """Return what the cluster showed and what its brokers say, as BrokerHealth says."""
        # Importing kafka-python takes 0.4 s and 20 MB: only where brokers are asked.
        from controller.fleets.kafka_look import look

        reading = cluster.reading
        if isinstance(reading, Unknown):
            return reading
        deadline = Deadline.within(self._limit_seconds)
        try:
            answers = look(self._reach(cluster), health.consumer_groups, deadline)
            require_same(reading, answers)
            expected = cluster.endpoints.expected if cluster.endpoints is not None else None
            told = told_by(reading, answers, self._levels)
            return replace(told, findings=(*reading.findings, *findings(answers, expected, health)))
        except ObservationError as error:
            return Unknown(str(error))
        except Exception as error:  # noqa: BLE001 - one cluster's trouble, even a bug, must not end the cycle of all
            _log.error("look_failed", cluster=cluster.name, exc_info=True)
            kind = type(error).__name__
            return Unknown(
                f"its brokers could not be asked, for a reason that nobody foresaw ({kind}): look at the log"
            )


def told_by(reading: Reading, answers: Answers, levels: Mapping[int, MetadataVersion]) -> Reading:
    """Return what the source showed, with what its brokers know better; findings are left as they are."""
    number, wanted = answers.metadata_level, reading.wanted_metadata
    level = levels.get(number, MetadataVersion(number, f"level {number}"))
    return replace(
        reading,
        settled=reading.settled and (wanted is None or level >= wanted),
        metadata_version=level,
        kafka_id=answers.kafka_id,
        lag=answers.lag,
    )


def require_same(reading: Reading, answers: Answers) -> None:
    """Raise ObservationError where the brokers are others, or run another line, than the source showed.

    While a cluster rolls, either way, each broker may run anything between what its source says and what it asks for.
    """
    if reading.kafka_id is not None and reading.kafka_id != answers.kafka_id:
        raise ObservationError(f"its brokers: found the cluster {answers.kafka_id}, expected {reading.kafka_id}")
    told = sorted((reading.release, reading.highest, reading.wanted))
    for broker in answers.brokers:
        if broker.line is not None and not _fits(broker.line, told[0].line, told[-1].line):
            between = f"{told[0]}" if told[0] == told[-1] else f"from {told[0]} to {told[-1]}"
            raise ObservationError(
                f"broker {broker.id} ({broker.address}): answers like {broker.line[0]}.{broker.line[1]}, but its source"
                f" says {between}: nobody knows what it runs"
            )


def _fits(answered: Minor, lowest: Minor, highest: Minor) -> bool:
    """Tell whether a broker of a line from ``lowest`` to ``highest`` may answer so."""
    if answered < OLDEST_LINE_TOLD:
        return lowest < OLDEST_LINE_TOLD
    return min(lowest, NEWEST_LINE_TOLD) <= answered <= min(highest, NEWEST_LINE_TOLD)
