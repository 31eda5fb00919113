"""The plan in the making: what one cycle has decided so far, and the history as that leaves it.

Lives for one call of ``plan_cycle``. Every decision goes through ``add``, so that what is judged next already sees
it and what is recorded is exactly what was decided.
"""

from collections.abc import Iterator
from datetime import datetime

from controller.core.drift import Drift, drift_of
from controller.core.membership import assign
from controller.core.recall import Recall
from controller.model.declaration import ClusterGroup
from controller.model.entries import Entry
from controller.model.history import RolloutKind, RolloutRecord, Stop, StopKind
from controller.model.memory import Samples, Soak
from controller.model.names import source_of
from controller.model.observation import Observation, Reading, Unknown
from controller.model.requests import FLEET
from controller.model.snapshot import Snapshot

_NO_SAMPLES = Samples()


class Draft:
    """One cycle's plan in the making."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.now: datetime = snapshot.now
        self.groups = {group.name: group for group in snapshot.declaration.groups}
        self.clusters = snapshot.observation.clusters
        self.unlisted = _unlisted(snapshot.observation)
        self.membership = assign(snapshot.declaration.groups, self.clusters, snapshot.memory.ids)
        self.drifts = {group.name: self._drift(group) for group in snapshot.declaration.groups}
        self.recall = Recall(snapshot.history)
        self.entries: list[Entry] = []
        self.samples: dict[str, Samples] = {}
        self.soaks: dict[tuple[int, int], Soak] = {}
        self.in_flight: dict[str, str] = {}
        self.cluster_stops: tuple[Stop, ...] = ()

    def count_slots(self) -> None:
        """Count what is in flight and what is stopped, once all progress of this cycle is judged."""
        self.in_flight = {name: rollout.group for rollout in self.followed() for name in rollout.in_flight}
        self.cluster_stops = tuple(
            stop for stop in self.recall.stops.values() if stop.cluster is not None and stop.acknowledged_at is None
        )

    def in_flight_count(self, group: str | None = None) -> int:
        """Return how many clusters are in flight, over the fleet or for one group."""
        if group is None:
            return len(self.in_flight)
        return sum(each == group for each in self.in_flight.values())

    def take_slot(self, group: str, cluster: str) -> None:
        """Count one more cluster in flight."""
        self.in_flight[cluster] = group

    def _drift(self, group: ClusterGroup) -> Drift:
        return drift_of(self.membership.groups.get(group.name, ()), self.clusters, group.target)

    def add(self, entry: Entry) -> None:
        """Decide ``entry``."""
        self.recall.take(entry, self.now)
        self.entries.append(entry)

    def reading(self, cluster: str) -> Reading | Unknown | None:
        """Return what the cluster showed; None where no source lists it."""
        observed = self.clusters.get(cluster)
        return None if observed is None else observed.reading

    def sampled(self, cluster: str) -> Samples:
        """Return the samples up to the last cycle."""
        return self.snapshot.memory.samples.get(cluster, _NO_SAMPLES)

    def short(self, cluster: str) -> str:
        """Return the cluster's name for people."""
        return self.membership.short.get(cluster, cluster)

    def running(self, group: str, kind: RolloutKind = RolloutKind.SOFTWARE) -> RolloutRecord | None:
        """Return the group's running rollout of this kind, or None."""
        for rollout in self.recall.rollouts.values():
            if rollout.outcome is None and rollout.group == group and rollout.kind is kind:
                return rollout
        return None

    def followed(self) -> tuple[RolloutRecord, ...]:
        """Return the rollouts that run, and the ended ones with clusters still in flight."""
        return tuple(
            rollout for rollout in self.recall.rollouts.values() if rollout.outcome is None or rollout.in_flight
        )

    def open_stops(self, scope: str, kind: StopKind | None = None) -> Iterator[Stop]:
        """Yield the stops of ``scope`` that nobody acknowledged yet, lowest number first."""
        for (each, _), stop in sorted(self.recall.stops.items()):
            if each == scope and stop.acknowledged_at is None and kind in (None, stop.kind):
                yield stop

    def next_number(self, scope: str) -> int:
        """Return one more than any number recorded or acknowledged under ``scope``."""
        group = self.groups.get(scope)
        acknowledged = max(group.acknowledge, default=0) if group is not None and scope != FLEET else 0
        return max(self.recall.highest_number.get(scope, 0), acknowledged) + 1


def _unlisted(observation: Observation) -> tuple[str, ...]:
    """Return the unreachable sources of which no cluster is known, as after a restart: whose theirs are is unknown."""
    if not observation.unreachable:
        return ()
    listed = {source_of(name) for name in observation.clusters}
    return tuple(sorted(observation.unreachable.keys() - listed))
