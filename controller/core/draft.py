"""The plan in the making: what one cycle has decided so far, and the history as that leaves it.

Lives for one call of ``plan_cycle``. Every decision goes through ``add``, so that what is judged next already sees
it and what is recorded is exactly what was decided.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from statistics import median_high

from controller.core.calendar import Opening, opening_at
from controller.core.health import graded
from controller.core.hops import DeadEnd, Hop, Position, next_hop
from controller.core.news import News
from controller.core.waves import Terrain
from controller.history.entries import Entry
from controller.history.recall import Recall
from controller.history.records import ClusterState, RolloutKind, RolloutRecord, Stop, StopKind
from controller.model.calendar import Window
from controller.model.catalog import Catalog
from controller.model.declaration import ClusterGroup, ClusterHold, Finalize
from controller.model.memory import Samples, Soak
from controller.model.names import last_part, source_of
from controller.model.observation import Observation, Reading, Unknown
from controller.model.requests import FLEET
from controller.model.snapshot import Snapshot
from controller.versions import MetadataVersion, Target

_NO_SAMPLES = Samples()


class Draft:
    """One cycle's plan in the making."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.now: datetime = snapshot.now
        self.catalog = snapshot.declaration.catalog
        self.groups = {group.name: group for group in snapshot.declaration.groups}
        self.unlisted = _unlisted(snapshot.observation)
        self.news = News(snapshot)
        self.membership = self.news.membership
        self.clusters = graded(snapshot.observation.clusters, self.membership, self.groups)
        self.drifts = self.news.drifts(self.groups.values(), self.clusters)
        self.recall = Recall(snapshot.history)
        self.entries: list[Entry] = []
        self.samples: dict[str, Samples] = {}
        self.soaks: dict[tuple[int, int], Soak] = {}
        self.passed_gates = _passed_gates(snapshot)
        self.unavailable: tuple[str, ...] = ()
        self.cluster_stops: tuple[Stop, ...] = ()
        self._hops: dict[tuple[str, Position], Hop | DeadEnd] = {}
        self._hops_seen: dict[tuple[str, int], Hop | DeadEnd] = {}
        self._typical: dict[tuple[str | None, RolloutKind, timedelta], timedelta | None] = {}
        self._openings: dict[tuple[Window, ...], Opening] = {}
        limits = snapshot.declaration.limits
        self.terrain = Terrain(self.clusters, limits.per_domain[0].label if limits.per_domain else None)
        self._never_together = limits.never_together
        self._domains = tuple(limit.label for limit in limits.per_domain)
        self.in_flight: dict[str, str] = {}
        """By cluster: the group for which it is in flight."""
        self._in_flight_of: Counter[str] = Counter()
        self.moving: dict[str, Target] = {}
        """By cluster that was started, in whatever rollout, and has not arrived: what for."""
        self.flying: Counter[tuple[str, str]] = Counter()
        """By label and value: how many clusters are in flight."""
        self.apart: dict[tuple[str, str], set[str]] = {}
        """By never-together label and value: who is in flight or soaking."""
        self.unplaced: tuple[str, ...] = ()
        """Who is in flight or soaking and is not listed now, so that nobody knows its labels."""
        self.slots_before = 0
        """How many clusters were in flight before anything of this cycle started."""

    def count_slots(self) -> None:
        """Count what is in flight, soaking and stopped, once all progress of this cycle is judged."""
        self.in_flight.clear()
        self._in_flight_of.clear()
        self.moving.clear()
        self.flying.clear()
        self.apart.clear()
        busy = set()
        for rollout in self.followed():
            for name, record in rollout.clusters.items():
                if record.holds_slot:
                    self.take_slot(rollout.group, name)
                    busy.add(name)
                    if record.is_moving:
                        self.moving[name] = rollout.target if record.aim is None else record.aim
                elif record.state is ClusterState.CONVERGED and rollout.is_running:
                    self._keep_apart(name)
                    busy.add(name)
        self.unplaced = tuple(sorted(self.short(name) for name in busy if name not in self.clusters))
        self.slots_before = len(self.in_flight)
        self.cluster_stops = tuple(
            stop for stop in self.recall.stops.values() if stop.cluster is not None and stop.acknowledged_at is None
        )
        self.unavailable = tuple(sorted(self._unavailable()))

    def _unavailable(self) -> Iterator[str]:
        """Yield the claimed clusters that are unknown, missing, or unhealthy though not in flight.

        Those that are stopped or held are a person's concern already.
        """
        stopped = self.stopped()
        for group in self.groups.values():
            drift = self.drifts[group.name]
            missing = self.membership.missing.get(group.name, ())
            for name in (*drift.unknown, *drift.sick, *missing, *self._unread(group)):
                reading = self.reading(name)
                held = self.holds_in_git(group, name) or (isinstance(reading, Reading) and reading.held is not None)
                explained = isinstance(reading, Reading) and name in self.in_flight
                if not explained and name not in stopped and not held:
                    yield self.short(name)

    def _unread(self, group: ClusterGroup) -> Collection[str]:
        """Return the group's remembered clusters of sources that were not read since this process started.

        Where the group names its clusters, those are missing already.
        """
        if not self.unlisted or group.selector.names:
            return ()
        remembered = (name for rollout in self.recall.rollouts_of(group.name) for name in rollout.clusters)
        return {name for name in remembered if source_of(name) in self.unlisted}

    @property
    def claimed(self) -> int:
        """How many clusters the groups claim: live, missing, or remembered of a source that was not read yet."""
        missing = sum(len(names) for names in self.membership.missing.values())
        unread = sum(len(self._unread(group)) for group in self.groups.values())
        return len(self.membership.owner) + missing + unread

    def take_slot(self, group: str, cluster: str) -> None:
        """Count one more cluster in flight; one that is counted already is counted once."""
        if cluster in self.in_flight:
            self._in_flight_of[self.in_flight[cluster]] -= 1
        else:
            labels = self.terrain.labels_of(cluster)
            self.flying.update((label, labels[label]) for label in self._domains if label in labels)
        self.in_flight[cluster] = group
        self._in_flight_of[group] += 1
        self._keep_apart(cluster)

    def _keep_apart(self, cluster: str) -> None:
        for shared in self.shares(cluster):
            self.apart.setdefault(shared, set()).add(cluster)

    def shares(self, cluster: str) -> tuple[tuple[str, str], ...]:
        """Return the never-together sets that the cluster belongs to, as label and value."""
        if not self._never_together:
            return ()
        labels = self.terrain.labels_of(cluster)
        return tuple((label, labels[label]) for label in self._never_together if label in labels)

    def in_flight_count(self, group: str | None = None) -> int:
        """Return how many clusters are in flight, over the fleet or for one group."""
        return len(self.in_flight) if group is None else self._in_flight_of[group]

    def members(self, group: str) -> tuple[str, ...]:
        """Return the live clusters that the group alone claims, in the order of their names."""
        return self.membership.groups.get(group, ())

    def add(self, entry: Entry) -> None:
        """Decide ``entry``."""
        self.recall.take(entry, self.now)
        self.entries.append(entry)

    def reading(self, cluster: str) -> Reading | Unknown | None:
        """Return what the cluster showed; None where no source lists it, and none that was not read may."""
        observed = self.clusters.get(cluster)
        if observed is not None:
            return observed.reading
        source = source_of(cluster)
        if source not in self.unlisted:
            return None
        why = self.snapshot.observation.unreachable[source]
        return Unknown(f"source {source} was not read since this process started: {why}")

    def sampled(self, cluster: str) -> Samples:
        """Return the samples up to the last cycle."""
        return self.snapshot.memory.samples.get(cluster, _NO_SAMPLES)

    def short(self, cluster: str) -> str:
        """Return the cluster's name for people."""
        return self.membership.short.get(cluster, cluster)

    def hop_of(self, group: ClusterGroup, reading: Reading) -> Hop | DeadEnd:
        """Return the first move on the cluster's way to the group's release; worked out once per position."""
        seen = (group.name, id(reading))  # one value often serves many clusters, and lives as long as the snapshot
        hop = self._hops_seen.get(seen)
        if hop is None:
            key = (group.name, Position.of(reading))
            if key not in self._hops:
                may = may_finalize(group, self.catalog)
                self._hops[key] = next_hop(key[1], group.target, self.catalog, group.accept_risks, may_finalize=may)
            hop = self._hops_seen[seen] = self._hops[key]
        return hop

    def typical_duration(self, group: str | None, kind: RolloutKind, deadline: timedelta) -> timedelta | None:
        """Return the median of recorded moves that kept ``deadline``, of one group or of the fleet; None without any.

        As of the first time that it is asked for in this cycle.
        """
        key = (group, kind, deadline)
        if key not in self._typical:
            rollouts = self.recall.rollouts.values() if group is None else self.recall.rollouts_of(group)
            self._typical[key] = typical_duration(rollouts, kind, deadline)
        return self._typical[key]

    def opening(self, windows: tuple[Window, ...]) -> Opening:
        """Return how ``windows``, which groups often share, stand now."""
        if windows not in self._openings:
            self._openings[windows] = opening_at(windows, self.now)
        return self._openings[windows]

    def running(self, group: str, *, finalizing: bool = False) -> RolloutRecord | None:
        """Return the group's running rollout to its release, or its running finalization; None without one."""
        return self.recall.running(group, finalizing=finalizing)

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

    def stopped(self) -> Collection[str]:
        """Return the clusters that wait for a person, in quarantine or changed by others, of whatever group."""
        stops = self.recall.stops.values()
        return {stop.cluster for stop in stops if stop.cluster is not None and stop.acknowledged_at is None}

    def next_number(self, scope: str) -> int:
        """Return one more than any number recorded or acknowledged under ``scope``."""
        group = self.groups.get(scope)
        acknowledged = max(group.acknowledge, default=0) if group is not None and scope != FLEET else 0
        return max(self.recall.highest_number.get(scope, 0), acknowledged) + 1

    def holds_in_git(self, group: ClusterGroup, cluster: str) -> tuple[ClusterHold, ...]:
        """Return the group's declared holds of this cluster that are in force."""
        return tuple(
            hold
            for hold in group.holds
            if hold.cluster in (cluster, last_part(cluster)) and (hold.until is None or self.now < hold.until)
        )


def typical_duration(rollouts: Iterable[RolloutRecord], kind: RolloutKind, deadline: timedelta) -> timedelta | None:
    """Return the median of the moves of ``rollouts`` that kept ``deadline``; None without any."""
    took = [
        record.converged_at - record.started_at
        for rollout in rollouts
        if rollout.kind is kind
        for record in rollout.clusters.values()
        if record.converged_at is not None and record.started_at is not None
    ]
    kept = [each for each in took if each <= deadline]
    return median_high(kept) if kept else None


def may_finalize(group: ClusterGroup, catalog: Catalog) -> bool:
    """Tell whether the floor for 4.x may be finalized on a cluster's way."""
    declared = group.metadata_version
    if isinstance(declared, MetadataVersion):
        return declared >= catalog.metadata_floor_for_4x
    return declared is Finalize.AUTO


def _passed_gates(snapshot: Snapshot) -> Mapping[tuple[str, str, Target | None], int]:
    """Return in how many consecutive cycles each external gate passed for its target, this one included."""
    before, readings = snapshot.memory.gates, snapshot.observation.gates
    passed = [(*key, reading.about) for key, reading in readings.items() if reading.passed]
    return {key: before.get(key, 0) + 1 for key in passed}


def _unlisted(observation: Observation) -> tuple[str, ...]:
    """Return the unreachable sources of which no cluster is known, as after a restart: whose theirs are is unknown."""
    if not observation.unreachable:
        return ()
    listed = {source_of(name) for name in observation.clusters}
    return tuple(sorted(observation.unreachable.keys() - listed))
