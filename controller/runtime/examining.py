"""Observe, between the sources and the gates: the brokers of clusters are asked how they are.

A cluster may look ready in its resource and still be one broker away from losing records. So a start needs the word of
its brokers from the same cycle. Asked are clusters that have brokers, and whose group does not say ``brokers: off``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from controller.core.health import health_of
from controller.model.declaration import Declaration
from controller.model.health import Health
from controller.model.membership import Membership
from controller.model.observation import Observation, ObservedCluster, Reading, Unknown
from controller.ports import BrokerHealth, Metrics
from controller.runtime.at_once import Answered, AtOnce, Missed

AT_ONCE_MAX = 16
"""So many clusters' brokers are asked at once."""

_log = structlog.get_logger(__name__)


class NoBrokers:
    """Stands where no source has brokers to ask."""

    def examine(self, cluster: ObservedCluster, health: Health) -> Reading | Unknown:
        """Say so."""
        del cluster, health
        return Unknown("brokers are not asked here")


def no_brokers(_: Declaration) -> BrokerHealth:
    """Return who stands where no source has brokers to ask."""
    return NoBrokers()


@dataclass(frozen=True, slots=True)
class Rounds:
    """Whose brokers are to be asked at all, and by which rules."""

    membership: Membership | None
    declaration: Declaration

    def of(self, clusters: Mapping[str, ObservedCluster], names: Iterable[str]) -> Mapping[str, Health]:
        """Return the rules for those of ``names`` that have brokers to ask, and a group that wants them asked."""
        if self.membership is None or not any(group.health.asks_brokers for group in self.declaration.groups):
            return {}
        groups = {group.name: group for group in self.declaration.groups}
        return {
            name: health
            for name in names
            if name in clusters and clusters[name].endpoints is not None
            if (health := health_of(name, self.membership, groups)) is not None and health.asks_brokers
        }

    def not_full(self, observation: Observation) -> Observation:
        """Return the observation, those not read in full whose source says so though their brokers were not asked."""
        unasked = [
            name
            for name, cluster in observation.clusters.items()
            if cluster.endpoints is not None and isinstance(cluster.reading, Reading)
            if cluster.reading.full and not cluster.reading.by_brokers
        ]
        waiting = self.of(observation.clusters, unasked) if unasked else {}
        if not waiting:
            return observation
        less = {name: _not_full(observation.clusters[name]) for name in waiting}
        return replace(observation, clusters={**observation.clusters, **less})


def _not_full(cluster: ObservedCluster) -> ObservedCluster:
    assert isinstance(cluster.reading, Reading), cluster
    return replace(cluster, reading=replace(cluster.reading, full=False))


class Examiner:
    """Asks brokers; those of a cluster that still hang are not asked again meanwhile."""

    def __init__(self, limit: timedelta, metrics: Metrics) -> None:
        self._limit_seconds = limit.total_seconds()
        self._metrics = metrics
        self._at_once = AtOnce[str, Reading | Unknown]("ask-brokers", AT_ONCE_MAX, self._limit_seconds)

    def examine(
        self, observation: Observation, rules: Mapping[str, Health], brokers: BrokerHealth
    ) -> tuple[Observation, frozenset[str]]:
        """Return the observation with what the brokers of the clusters in ``rules`` say, and who was asked."""
        clusters = observation.clusters
        questions = {
            name: partial(brokers.examine, clusters[name], health)
            for name, health in rules.items()
            if name in clusters and isinstance(clusters[name].reading, Reading)
        }
        if not questions:
            return observation, frozenset()
        examined, asked = dict(clusters), set()
        for name, answer in self._at_once.ask_all(questions):
            examined[name] = replace(clusters[name], reading=self._reading(clusters[name], answer))
            if answer is not Missed.LEFT_OUT:
                asked.add(name)
        return replace(observation, clusters=examined), frozenset(asked)

    def _reading(self, cluster: ObservedCluster, answer: Answered[Reading | Unknown] | Missed) -> Reading | Unknown:
        reading = cluster.reading
        assert isinstance(reading, Reading), cluster
        if answer is Missed.LEFT_OUT:
            return reading
        if isinstance(answer, Missed):
            late = f"its brokers did not answer within {self._limit_seconds:g} s"
            busy = "its brokers have not answered the questions of an earlier cycle yet"
            return self._unknown(cluster, late if answer is Missed.LATE else busy, self._limit_seconds)
        if isinstance(answer.value, Unknown):
            return self._unknown(cluster, answer.value.why, answer.seconds)
        self._metrics.observe_call("brokers", "ok", answer.seconds)
        return replace(answer.value, by_brokers=True)

    def _unknown(self, cluster: ObservedCluster, why: str, seconds: float) -> Unknown:
        self._metrics.observe_call("brokers", "failed", seconds)
        _log.info("brokers_unanswered", cluster=cluster.name, why=why)
        return Unknown(why)
