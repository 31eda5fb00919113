"""What must hold of every plan, by the names of the design, over what was declared, seen and recorded. Slow and plain.

Shares no code with the core. A ``Watch`` keeps its own book of what was started and what became of it, from the entries
alone, and yields a sentence for everything that breaks a promise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.history import entries as e
from controller.history.records import StopKind, Way
from controller.model.declaration import ClusterGroup, OnFailure
from controller.model.observation import Reading
from controller.versions import KafkaVersion, MetadataVersion
from tests.properties.cases import Moment

JUDGED = (e.ClusterConverged, e.ClusterFailed, e.SlotFreed, e.StartWithdrawn)
"""What needs somebody to have looked."""
PROMISES = (
    "one-wave",
    "healthy-first",
    "unknown-holds",
    "in-bounds",
    "soak-first",
    "legal-hop",
    "order",
    "finalize-last",
    "halt-sticks",
)


@dataclass
class Trip:
    """One rollout, as its entries tell it."""

    group: str
    target: KafkaVersion | MetadataVersion
    way: Way
    clusters: set[str]
    wave_of: dict[str, int] = field(default_factory=dict)
    soaked: set[int] = field(default_factory=set)
    converged: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    came_from: dict[str, KafkaVersion] = field(default_factory=dict)
    ended: bool = False

    def under_way(self) -> set[str]:
        """Return whom its software has not brought through yet: in no wave, or in one that has not soaked."""
        if self.way is Way.FINALIZE or self.ended:
            return set()
        return {name for name in self.clusters if self.wave_of.get(name) not in self.soaked}


@dataclass
class Watch:
    """The book of one play."""

    trips: dict[int, Trip] = field(default_factory=dict)
    flying: dict[str, str] = field(default_factory=dict)
    """By cluster: the group for which it is in flight."""
    taken: dict[str, KafkaVersion] = field(default_factory=dict)
    stops: dict[tuple[str, int], e.Stopped] = field(default_factory=dict)
    """Those that are open."""
    passed: set[tuple[str, str]] = field(default_factory=set)
    quiet: dict[tuple[int, int], timedelta] = field(default_factory=dict)
    whole: dict[str, tuple[KafkaVersion, datetime]] = field(default_factory=dict)
    """By group: since when everybody is where it should be."""
    resting: set[str] = field(default_factory=set)
    """Who had converged by the end of the last cycle."""
    was: Moment | None = None

    def look(self, moment: Moment) -> Iterator[tuple[str, str]]:
        """Yield promise and sentence for everything in this cycle that breaks one."""
        self._note_passed(moment)
        admitted = [entry for entry in moment.plan.entries if isinstance(entry, e.WaveAdmitted)]
        if len(admitted) > 1:
            yield "one-wave", f"{len(admitted)} waves are admitted"
        for entry in moment.plan.entries:
            if isinstance(entry, e.ClusterStarted):
                for promise, why in self._started(moment, entry):
                    yield promise, f"{entry.cluster}: {why}"
            if isinstance(entry, e.WaveAdmitted):
                yield from self._admitted(moment, entry)
            if isinstance(entry, e.WaveSoaked):
                yield from self._soaked(moment, entry)
            if isinstance(entry, JUDGED) and entry.cluster not in moment.seen:
                yield "unknown-holds", f"{entry} while nobody sees it"
            self._note(entry)
        self._note_quiet(moment)
        self.resting = {name for trip in self.trips.values() for name in trip.converged}
        self._note_whole(moment)
        self.was = moment

    # What every start must keep.

    def _started(self, moment: Moment, entry: e.ClusterStarted) -> Iterator[tuple[str, str]]:
        trip, reading = self.trips[entry.rollout], moment.seen.get(entry.cluster)
        group = moment.declaration.group(trip.group)
        assert group is not None
        if reading is None:
            yield "unknown-holds", "started while nobody sees it"
            return
        goes_back = isinstance(entry.target, KafkaVersion) and entry.target <= reading.release
        excused = goes_back and any(entry.cluster in each.failed for each in self.trips.values())
        if (reading.findings or not reading.settled) and not excused:
            yield "healthy-first", "started while it is not well"
        if entry.cluster in self.flying and not excused:
            yield "in-bounds", "started while in flight"
        yield from self._bounds(moment, entry, group)
        yield from (("halt-sticks", why) for why in self._halts(trip, group, entry, goes_back=goes_back))
        yield from (("legal-hop", why) for why in self._hop(moment, trip, group, entry, reading))
        if trip.way is Way.FORWARD and not goes_back and trip.target == group.target:
            yield from (("order", why) for why in self._order(group))
        if trip.way is Way.FINALIZE:
            yield from (("finalize-last", why) for why in self._not_whole(moment, group))

    def _bounds(self, moment: Moment, entry: e.ClusterStarted, group: ClusterGroup) -> Iterator[tuple[str, str]]:
        flying = set(self.flying) | {entry.cluster}
        limits, labels = moment.declaration.limits, moment.labels[entry.cluster]
        ours = [name for name in flying if self.flying.get(name, group.name) == group.name]
        near = [name for name in flying if moment.labels[name]["region"] == labels["region"]]
        if entry.cluster in self.flying:
            return
        if len(flying) > limits.clusters_in_flight:
            yield "in-bounds", f"{sorted(flying)} are in flight"
        if len(ours) > max(wave.max_in_flight for wave in group.strategy.waves):
            yield "in-bounds", f"{sorted(ours)} are in flight for {group.name}"
        if len(near) > limits.per_domain[0].clusters:
            yield "in-bounds", f"{sorted(near)} are in flight in {labels['region']}"
        soaking = {
            name
            for trip in self.trips.values()
            for name in trip.converged
            if not trip.ended and trip.wave_of.get(name) not in trip.soaked
        }
        for name in sorted((flying | soaking) - {entry.cluster}):
            if "pair" in labels and moment.labels[name].get("pair") == labels["pair"]:
                yield "in-bounds", f"its twin {name} is in flight or soaking"

    def _is_sent_back(self, entry: e.ClusterStarted) -> bool:
        """Tell whether this is the way back of a wave that broke its budget, on which all of it goes."""
        trip = self.trips[entry.rollout]
        return trip.way is Way.FORWARD and entry.target == trip.came_from.get(entry.cluster)

    def _halts(self, trip: Trip, group: ClusterGroup, entry: e.ClusterStarted, *, goes_back: bool) -> Iterator[str]:
        for stop in self.stops.values():
            if stop.kind is StopKind.HALT and stop.scope == trip.group:
                allowed = goes_back and self._is_sent_back(entry) and stop.suspect is not None
                if not allowed or group.strategy.on_failure is not OnFailure.DOWNGRADE:
                    yield f"started while {stop.scope}-{stop.number} is open"
            elif stop.kind is StopKind.HALT and stop.suspect == entry.target:
                yield f"{entry.target} is suspect since {stop.scope}-{stop.number}"
            elif stop.cluster == entry.cluster and trip.way is not Way.DOWN:
                yield f"it is stopped as {stop.scope}-{stop.number}"

    def _hop(
        self, moment: Moment, trip: Trip, group: ClusterGroup, entry: e.ClusterStarted, reading: Reading
    ) -> Iterator[str]:
        known, target = moment.declaration.catalog, entry.target
        if isinstance(target, MetadataVersion):
            row = known.releases[reading.release]
            if row.metadata_version is None or row.metadata_version.level < target.level:
                yield f"{reading.release} does not serve {target}"
            if reading.metadata_version is None or reading.metadata_version.level >= target.level:
                yield f"{target} is not above {reading.metadata_version}"
            return
        row = known.releases[target]
        level = 0 if reading.metadata_version is None else reading.metadata_version.level
        if row.metadata_version is not None and level > row.metadata_version.level:
            yield f"{target} does not serve {reading.metadata_version}"
        if target > reading.release:
            yield from _illegal_up(reading, row.zookeeper_from if reading.zookeeper else row.kraft_from, target, level)
            if target > group.target:
                yield f"{target} is above the target {group.target}"
        else:
            if self.taken.get(entry.cluster, target) < reading.release or entry.cluster not in self.taken:
                yield f"nobody here took it to {reading.release}"
            if target not in (group.target, trip.came_from.get(entry.cluster)):
                yield f"{target} is neither its target nor where it came from"
            up = known.releases[reading.release].kraft_from
            same = (reading.release.major, reading.release.minor) == (target.major, target.minor)
            if not same and (up is None or not up[0] <= (target.major, target.minor) <= up[1]):
                yield f"{reading.release} is not reached from {target}"

    def _order(self, group: ClusterGroup) -> Iterator[str]:
        for name in group.after:
            if not any(who == name and KafkaVersion.parse(to) >= group.target for who, to in self.passed):
                yield f"{name} never was on {group.target}"

    def _not_whole(self, moment: Moment, group: ClusterGroup) -> Iterator[str]:
        for name in self._astray(moment, group):
            yield f"{name} is not there"
        since = self.whole.get(group.name)
        if since is None or since[0] != group.target or moment.now - since[1] < group.finalize_soak:
            yield f"whole since {since}"

    def _astray(self, moment: Moment, group: ClusterGroup) -> Iterator[str]:
        """Yield who of the group's clusters, but those held in Git, does not run its release, or is not well."""
        held = {f"sim/{hold.cluster}" for hold in group.holds}
        stopped = {stop.cluster for stop in self.stops.values()}
        moving = {name for trip in self.trips.values() for name in trip.under_way()}
        for name, labels in moment.labels.items():
            if labels["group"] != group.name or name in held:
                continue
            reading = moment.seen.get(name)
            finalizing = any(trip.way is Way.FINALIZE and name in trip.clusters for trip in self.trips.values())
            if reading is None or {reading.release, reading.highest} != {group.target}:
                yield name
                continue
            if (reading.findings or name in stopped or name in moving) or not (reading.settled or finalizing):
                yield name

    # What every wave must keep.

    def _admitted(self, moment: Moment, entry: e.WaveAdmitted) -> Iterator[tuple[str, str]]:
        trip = self.trips[entry.rollout]
        before = set(range(1, entry.wave))
        if before - trip.soaked:
            yield "soak-first", f"wave {entry.wave} while {before - trip.soaked} have not soaked"
        del moment

    def _soaked(self, moment: Moment, entry: e.WaveSoaked) -> Iterator[tuple[str, str]]:
        trip, group = self.trips[entry.rollout], moment.declaration.group(entry.group)
        assert group is not None
        needed = timedelta(0) if trip.way is Way.DOWN else group.strategy.waves[-1].soak
        for word in moment.declaration.expedite:
            if word.version == trip.target and word.soak is not None and moment.now < word.until:
                needed = min(needed, word.soak)
        quiet = self.quiet.get((entry.rollout, entry.wave), timedelta(0)) + self._quiet_now(moment, trip, entry.wave)
        if quiet < needed:
            yield "soak-first", f"wave {entry.wave} was quiet for {quiet} of {needed}"

    def _quiet_now(self, moment: Moment, trip: Trip, wave: int) -> timedelta:
        """Return the time since the last cycle, where the whole wave was seen well in both."""
        members = {name for name in trip.converged if trip.wave_of.get(name) == wave}
        if not members <= self.resting:
            return timedelta(0)  # the quiet time begins with the cycle in which the last of them has arrived
        both = [self.was, moment] if self.was is not None else []
        well = [
            name in each.seen and not each.seen[name].findings and each.seen[name].settled
            for each in both
            for name in members
        ]
        return moment.now - both[0].now if both and members and all(well) else timedelta(0)

    # The book.

    def _note_quiet(self, moment: Moment) -> None:
        for number, trip in self.trips.items():
            for wave in set(trip.wave_of.values()):
                key = (number, wave)
                members = [name for name in trip.converged if trip.wave_of.get(name) == wave]
                sick = any(name in moment.seen and moment.seen[name].findings for name in members)
                if sick:
                    self.quiet[key] = timedelta(0)
                else:
                    self.quiet[key] = self.quiet.get(key, timedelta(0)) + self._quiet_now(moment, trip, wave)

    def _note_whole(self, moment: Moment) -> None:
        for group in moment.declaration.groups:
            held = {f"sim/{hold.cluster}" for hold in group.holds}
            members = [n for n, labels in moment.labels.items() if labels["group"] == group.name and n not in held]
            since = self.whole.get(group.name)
            if since is not None and since[0] != group.target:
                del self.whole[group.name]
            if members and not list(self._astray(moment, group)):
                self.whole.setdefault(group.name, (group.target, moment.now))

    def _note_passed(self, moment: Moment) -> None:
        for group in moment.declaration.groups:
            held = {f"sim/{hold.cluster}" for hold in group.holds}
            everybody = [n for n, labels in moment.labels.items() if labels["group"] == group.name]
            there = [n for n in everybody if n in held or _is_there(moment.seen.get(n), group.target)]
            if everybody and there == everybody:
                self.passed.add((group.name, str(group.target)))

    def _note(self, entry: e.Entry) -> None:  # noqa: C901, PLR0912 - one case for each kind of entry
        match entry:
            case e.RolloutPlanned():
                self.trips[entry.rollout] = Trip(entry.group, entry.target, entry.way, set(entry.clusters))
            case e.RolloutEnded():
                self.trips[entry.rollout].ended = True
            case e.ClusterJoined():
                self.trips[entry.rollout].clusters.add(entry.cluster)
            case e.ClusterLeft():
                self.trips[entry.rollout].clusters.discard(entry.cluster)
                self.trips[entry.rollout].wave_of.pop(entry.cluster, None)
                self.trips[entry.rollout].converged.discard(entry.cluster)
                self.flying.pop(entry.cluster, None)
            case e.WaveAdmitted() | e.WaveFilled():
                self.trips[entry.rollout].wave_of.update(dict.fromkeys(entry.clusters, entry.wave))
            case e.WaveSoaked():
                self.trips[entry.rollout].soaked.add(entry.wave)
            case e.ClusterStarted():
                trip = self.trips[entry.rollout]
                self.flying[entry.cluster] = trip.group
                trip.converged.discard(entry.cluster)
                if isinstance(entry.target, KafkaVersion):
                    self.taken[entry.cluster] = entry.target
                if isinstance(entry.release_from, KafkaVersion) and entry.target == trip.target:
                    trip.came_from[entry.cluster] = entry.release_from
            case e.ClusterConverged():
                self.trips[entry.rollout].converged.add(entry.cluster)
                self.flying.pop(entry.cluster, None)
            case e.ClusterFailed():
                trip = self.trips[entry.rollout]
                trip.failed.add(entry.cluster)
                trip.converged.discard(entry.cluster)
                self.flying[entry.cluster] = trip.group
            case e.SlotFreed() | e.StartWithdrawn() | e.ClusterReturned() | e.ClusterReleased():
                self.flying.pop(entry.cluster, None)
            case e.Stopped():
                self.stops[entry.scope, entry.number] = entry
            case e.StopAcknowledged():
                stop = self.stops.pop((entry.scope, entry.number), None)
                if stop is not None and stop.kind is StopKind.HALT:
                    for trip in self.trips.values():
                        for name in trip.failed if trip.group == entry.scope else ():
                            self.flying.pop(name, None)
            case _:
                pass


def _is_there(reading: Reading | None, target: KafkaVersion) -> bool:
    return reading is not None and reading.release >= target


def _illegal_up(
    reading: Reading, ways: tuple[tuple[int, int], tuple[int, int]] | None, target: KafkaVersion, level: int
) -> Iterator[str]:
    line = (reading.release.major, reading.release.minor)
    if line != (target.major, target.minor) and (ways is None or not ways[0] <= line <= ways[1]):
        yield f"no direct way from {reading.release} to {target}"
    if target.major >= 4 and (reading.zookeeper or level < 7):
        yield f"{target} needs KRaft and 3.3-IV3, it has {reading.metadata_version}"
