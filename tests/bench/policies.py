"""Two common ways to roll out, and ours in outline, on the simulated fleet: what our length is compared with.

*Batch barrier*: a wave is cut into batches as large as its slots, and the next batch starts once the whole batch is
done. *Sliding window*: a cluster keeps its slot until its own soak is over. *Refilled slots* is what the product does,
without its gates: a test plays both and finds one length, so that the other two are measured by the same yardstick.

Everything but the slots is the same for all, and the same as in ``wavefleet simulate``: the simulated clusters, the
waves with the clusters that the product planned for them, slots per wave and over the fleet, samples, soaks, windows,
freezes, ``after``, one new wave a cycle, refills before new waves, the longest waiting first. Where a description
leaves a choice, the one is taken that makes the policy quicker: a batch barrier soaks once a wave, not once a batch; a
soaking cluster keeps a slot of its wave, but none of the fleet's; neither asks whether an upgrade will end before its
window closes, which the product does.

They know no failure, hold or approval, so they are of use for measuring alone.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.fleets.simulated import SimulatedSource
from controller.history.entries import RolloutPlanned
from controller.history.records import RolloutKind
from controller.model.declaration import ClusterGroup, Wave
from controller.model.observation import ObservedCluster, Reading
from controller.model.plan import Start
from controller.runtime.cycle import Controller, Pace
from controller.simulate.openings import Calendar
from controller.simulate.stage import Scenario, set_stage


@dataclass(slots=True)
class Underway:
    """A wave that has begun."""

    slots: int
    soak: timedelta
    waiting: deque[str]
    """Clusters that have not been started, in order."""
    flying: dict[str, int] = field(default_factory=dict)
    """Clusters that have not converged: how many good samples each has shown in a row."""
    converged: dict[str, datetime] = field(default_factory=dict)

    @property
    def started(self) -> int:
        """How many of its clusters were started."""
        return len(self.flying) + len(self.converged)

    def has_soaked(self, now: datetime) -> bool:
        """Tell whether all have converged and the last of them so long ago."""
        if self.waiting or self.flying:
            return False
        return now - max(self.converged.values()) >= self.soak


Policy = Callable[[Underway, datetime], int]
"""Returns how many more clusters of a wave may be in flight at a moment."""


def whole_waves(wave: Underway, now: datetime) -> int:
    """Return what is left of the present batch, or a whole one where the last is done."""
    del now
    of_wave = wave.started % wave.slots
    if of_wave == 0 and wave.flying:
        return 0
    return wave.slots - of_wave


def sliding_window(wave: Underway, now: datetime) -> int:
    """Return the slots in which no cluster is in flight or soaks."""
    soaking = sum(now - at < wave.soak for at in wave.converged.values())
    return wave.slots - len(wave.flying) - soaking


def refilled_slots(wave: Underway, now: datetime) -> int:
    """Return the slots in which no cluster is in flight."""
    del now
    return wave.slots - len(wave.flying)


def lengths_under(policy: Policy, scenario: Scenario) -> Mapping[str, timedelta] | None:
    """Return by group how long ``policy`` takes from the first cycle to its last soak; None where one does not end."""
    return _Run(policy, scenario).lengths()


def planned_waves(scenario: Scenario) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return by group the clusters of each wave as the product plans them in its first cycle."""
    stage = set_stage(scenario)
    Controller(stage.world, Pace(poll_interval=scenario.interval)).run_cycle()
    entries = (recorded.entry for recorded in stage.ledger.read())
    planned = {entry.group: entry for entry in entries if isinstance(entry, RolloutPlanned)}
    return {name: [clusters for _, clusters in entry.waves] for name, entry in planned.items()}


@dataclass(slots=True)
class _Lane:
    """A group on its way."""

    group: ClusterGroup
    calendar: Calendar
    coming: deque[tuple[Wave, Sequence[str]]]
    since: datetime
    """When the wave before soaked."""
    wave: Underway | None = None


class _Run:
    """One fleet under one policy."""

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        declaration = scenario.declaration
        (source,) = declaration.sources
        self._policy, self._scenario = policy, scenario
        self._source = SimulatedSource(source.name, declaration.inventories[source.name], None)
        waves = planned_waves(scenario)
        self._lanes = [self._lane(group, waves[group.name]) for group in declaration.groups]
        self._ended: dict[str, timedelta] = {}
        self._in_flight = 0
        self._fleet_slots = declaration.limits.clusters_in_flight

    def _lane(self, group: ClusterGroup, waves: Sequence[Sequence[str]]) -> _Lane:
        coming = deque(zip(group.strategy.waves, waves, strict=True))
        return _Lane(group, Calendar(group.windows, self._scenario.declaration.freezes), coming, self._scenario.start)

    def lengths(self) -> Mapping[str, timedelta] | None:
        """Play to the end."""
        now, scenario = self._scenario.start, self._scenario
        while now < scenario.until:
            self._cycle(now)
            if not self._lanes:
                return self._ended
            now += scenario.interval
        return None

    def _cycle(self, now: datetime) -> None:
        clusters = self._source.read(frozenset(), now).clusters
        for lane in tuple(self._lanes):
            self._look(lane, clusters, now)
        able = [lane for lane in self._able(now) if self._fleet_slots > self._in_flight]
        for lane in able:
            if lane.wave is not None:
                self._start(lane, lane.wave, clusters, now)
        coming = sorted((lane for lane in able if lane.wave is None), key=lambda lane: (lane.since, lane.group.name))
        if coming and self._in_flight < self._fleet_slots:
            lane = coming[0]
            definition, names = lane.coming.popleft()
            lane.wave = Underway(definition.max_in_flight, definition.soak, deque(names))
            self._start(lane, lane.wave, clusters, now)

    def _look(self, lane: _Lane, clusters: Mapping[str, ObservedCluster], now: datetime) -> None:
        """Note which clusters have converged, whether the wave has soaked, and whether the group is done."""
        wave = lane.wave
        if wave is None:
            return
        for name, samples in tuple(wave.flying.items()):
            wave.flying[name] = samples + 1 if _is_good(clusters[name], lane.group) else 0
            if wave.flying[name] == lane.group.samples:
                del wave.flying[name]
                wave.converged[name] = now
                self._in_flight -= 1
        if wave.has_soaked(now):
            lane.wave, lane.since = None, now
            if not lane.coming:
                self._lanes.remove(lane)
                self._ended[lane.group.name] = now - self._scenario.start

    def _able(self, now: datetime) -> Iterator[_Lane]:
        """Yield the groups that may start a cluster now, as far as slots of their own and times allow."""
        is_open: dict[Calendar, bool] = {}
        for lane in self._lanes:
            wave = lane.wave
            if not self._ended.keys() >= set(lane.group.after):
                continue
            if wave is not None and (not wave.waiting or self._policy(wave, now) <= 0):
                continue
            if lane.calendar not in is_open:
                is_open[lane.calendar] = lane.calendar.is_open(now)
            if is_open[lane.calendar]:
                yield lane

    def _start(self, lane: _Lane, wave: Underway, clusters: Mapping[str, ObservedCluster], now: datetime) -> None:
        room = min(self._policy(wave, now), self._fleet_slots - self._in_flight, len(wave.waiting))
        for _ in range(room):
            name = wave.waiting.popleft()
            self._source.start(self._asking(lane.group, clusters[name], now), now)
            wave.flying[name] = 0
            self._in_flight += 1

    def _asking(self, group: ClusterGroup, cluster: ObservedCluster, now: datetime) -> Start:
        reading = cluster.reading
        assert isinstance(reading, Reading), cluster
        return Start(
            rollout=1,
            group=group.name,
            cluster=cluster.name,
            kind=RolloutKind.SOFTWARE,
            release_from=reading.release,
            target=group.target,
            token=reading.token,
            expires_at=now + self._scenario.interval,
            fleet=self._scenario.declaration.fleet,
            pinned=reading.metadata_version,
        )


def _is_good(cluster: ObservedCluster, group: ClusterGroup) -> bool:
    reading = cluster.reading
    return isinstance(reading, Reading) and reading.settled and reading.healthy and reading.release == group.target
