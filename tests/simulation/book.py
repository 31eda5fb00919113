"""The checkers' own memory: what the recorded entries mean, kept apart from the core's fold and simpler.

It takes entries on trust, in order, and never refuses one; whether an entry was right is for ``promises`` to say.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.history import entries as e
from controller.history.records import Outcome, RolloutKind, StopKind, Way
from controller.model.declaration import ClusterGroup, Wave
from controller.model.observation import Reading
from controller.versions import KafkaVersion, Target
from tests.simulation.grades import behind
from tests.simulation.scene import Scene, claims, is_sick, is_well, runs, source_of

RESTING = ("converged", "failed", "quarantined")
MOVING = ("started", "downgrading")
SAMPLES_MAX = 3
"""No group of a play asks for more."""


@dataclass(slots=True)
class ClusterNote:
    """One cluster in one rollout."""

    state: str = "pending"
    wave: int | None = None
    slot: bool = False
    started_at: datetime | None = None
    came_from: Target | None = None
    """What it ran when it was started for the rollout's target."""
    aim: Target | None = None
    """What it was started for last."""
    ill: bool = False
    """It failed itself since it was started for the rollout's target; a way back that is refused is no failure."""
    lag: dict[str, int] = field(default_factory=dict)
    """By consumer group: how far behind it was when the cluster was started for the rollout's target."""


@dataclass(slots=True)
class WaveNote:
    """One admitted wave, and how long it was quiet."""

    name: str
    tail: bool
    soaked: bool = False
    quiet: timedelta = timedelta(0)
    quiet_at: datetime | None = None
    """The last scene in which all of it was seen well; None where the last one did not show that."""


@dataclass(slots=True)
class RolloutNote:
    """One rollout."""

    group: str
    target: Target
    live: int
    clusters: dict[str, ClusterNote]
    way: Way = Way.FORWARD
    kind: RolloutKind = RolloutKind.SOFTWARE
    waves: dict[int, WaveNote] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    outcome: Outcome | None = None
    is_for_all: bool = True
    """False where it concerns some of the group alone: the way down, or over what lies between."""

    def members(self, wave: int) -> dict[str, ClusterNote]:
        """Return the clusters of an admitted wave."""
        return {name: note for name, note in self.clusters.items() if note.wave == wave}

    def rests(self, wave: int) -> bool:
        """Tell whether every cluster of the wave has come to rest, and at least one has converged."""
        states = [note.state for note in self.members(wave).values()]
        return "converged" in states and all(state in RESTING for state in states)

    @property
    def in_flight(self) -> set[str]:
        """Clusters that hold a slot."""
        return {name for name, note in self.clusters.items() if note.slot}


@dataclass(slots=True)
class StopNote:
    """A numbered stop."""

    stop: e.Stopped
    is_open: bool = True


class Book:
    """All that was recorded, and for how long clusters showed what they show."""

    def __init__(self) -> None:
        self.rollouts: dict[int, RolloutNote] = {}
        self.stops: dict[tuple[str, int], StopNote] = {}
        self.converged: list[tuple[str, Target]] = []
        """Group and target of every rollout that converged and took all of its group where that should be."""
        self.passed: set[tuple[str, Target]] = set()
        """Group and target of every group that was seen to be through, for those that wait for it."""
        self.head = ""
        self.in_force = ""
        self.shown: dict[str, deque[Reading | None]] = {}
        """By cluster: what it showed in the last scenes; None where it was not seen well."""
        self.sick: dict[str, int] = {}
        self.lag: dict[str, dict[str, int]] = {}
        """By cluster: the lag of consumers that this scene shows."""
        self.absent: dict[str, int] = {}
        """By cluster: how often in a row its source, whenever it could be read, did not list it."""
        self.labels: dict[str, dict[str, str]] = {}
        """The labels that each cluster was last seen with, as long as nobody saw that it is gone."""
        self.members: dict[str, set[str]] = {}
        """By group: whom it claims in this scene, as far as somebody asked."""
        self.taken: dict[str, tuple[KafkaVersion, str]] = {}
        """By cluster: the release for which it was started last and which its operator took, and for which group."""
        self.arrived: dict[str, KafkaVersion] = {}
        """By cluster: the release that it converged on and did not fail on, until a person looked at its way down."""
        self.whole_since: dict[str, tuple[KafkaVersion, datetime]] = {}
        """By group: the release on which all of it was first seen well, and when."""
        self.shortest: dict[RolloutKind, timedelta] = {}
        """The shortest time that any cluster took from its start to its arrival."""

    def open_stops(self, scope: str | None = None, kind: StopKind | None = None) -> list[e.Stopped]:
        """Return the stops that nobody lifted."""
        return [
            note.stop
            for note in self.stops.values()
            if note.is_open and scope in (None, note.stop.scope) and kind in (None, note.stop.kind)
        ]

    def samples(self, cluster: str, target: object) -> int:
        """Return in how many scenes in a row, this one included, the cluster was seen well on ``target``."""
        shown = reversed(self.shown.get(cluster, ()))
        return next((count for count, each in enumerate(shown) if not runs(each, target)), SAMPLES_MAX)

    def in_flight(self) -> set[str]:
        """Return every cluster that holds a slot in any rollout."""
        return {name for rollout in self.rollouts.values() for name in rollout.in_flight}

    def soaking(self) -> set[str]:
        """Return every cluster whose wave soaks."""
        running = (rollout for rollout in self.rollouts.values() if rollout.outcome is None)
        return {name for each in running for name, note in each.clusters.items() if note.state == "converged"}

    def has_failed(self, group: str, cluster: str) -> bool:
        """Tell whether the last that this group's rollouts did to the cluster went wrong."""
        last = self._last(group, cluster)
        return last is not None and last.state in ("failed", "quarantined")

    def _last(self, group: str, cluster: str) -> ClusterNote | None:
        notes = [
            rollout.clusters[cluster]
            for _, rollout in sorted(self.rollouts.items())
            if rollout.group == group and cluster in rollout.clusters
            if rollout.clusters[cluster].started_at is not None and rollout.clusters[cluster].state != "pending"
        ]
        return notes[-1] if notes else None

    def was_ill(self, group: str, cluster: str) -> bool:
        """Tell whether it failed by itself when this group's rollouts did something to it last."""
        last = self._last(group, cluster)
        return last is not None and last.ill and last.state in ("failed", "quarantined")

    def look(self, scene: Scene) -> None:
        """Count what this scene shows, before its entries are taken."""
        known = set(self.labels) | set(scene.seen)
        for name in known | {each for rollout in self.rollouts.values() for each in rollout.clusters}:
            self._count(name, scene)
        for name, observed in scene.seen.items():
            self.labels[name] = dict(observed.labels)
        self.members.clear()
        for name in tuple(self.labels):
            if name not in scene.seen and source_of(name) not in scene.unreachable:
                del self.labels[name]

    def _count(self, name: str, scene: Scene) -> None:
        reading = scene.reading(name)
        self.lag[name] = {} if reading is None else dict(reading.lag)
        self.shown.setdefault(name, deque(maxlen=SAMPLES_MAX)).append(reading if is_well(reading) else None)
        if is_sick(reading):
            self.sick[name] = self.sick.get(name, 0) + 1
        elif reading is not None and reading.full:
            self.sick[name] = 0
        if name in scene.seen:
            self.absent[name] = 0
        elif source_of(name) not in scene.unreachable:
            self.absent[name] = self.absent.get(name, 0) + 1

    def quiet(self, rollout: RolloutNote, number: int, scene: Scene) -> timedelta:
        """Return how long the wave has been quiet, this scene included."""
        wave = rollout.waves[number]
        if any(note.state == "downgrading" for note in rollout.members(number).values()):
            return wave.quiet
        if not rollout.rests(number):
            return timedelta(0)
        readings = [scene.reading(n) for n, note in rollout.members(number).items() if note.state == "converged"]
        if any(is_sick(reading) for reading in readings):
            return timedelta(0)
        if wave.quiet_at is None or not all(is_well(reading) for reading in readings):
            return wave.quiet
        if self.behind(rollout, number, scene):
            return wave.quiet
        return wave.quiet + min(max(scene.now - wave.quiet_at, timedelta(0)), 2 * scene.poll)

    def behind(self, rollout: RolloutNote, number: int, scene: Scene) -> list[str]:
        """Return the clusters at rest in the wave whose consumers are further behind than before it."""
        group = scene.group(rollout.group)
        notes = rollout.members(number).items() if group is not None else ()
        return [
            name
            for name, note in notes
            if group and note.state == "converged" and behind(group.health, note.lag, scene.reading(name))
        ]

    def leave(self, scene: Scene) -> None:
        """Count on how long waves were quiet, after this scene's entries were taken."""
        for rollout in self.rollouts.values():
            for number, wave in rollout.waves.items():
                if not wave.soaked:
                    wave.quiet = self.quiet(rollout, number, scene)
                    members = rollout.members(number).items()
                    readings = [scene.reading(n) for n, note in members if note.state == "converged"]
                    well = rollout.rests(number) and all(is_well(reading) for reading in readings)
                    well = well and not self.behind(rollout, number, scene)
                    wave.quiet_at = scene.now if well else None

    def take(self, entry: e.Entry, at: datetime) -> None:
        """Note one entry."""
        match entry:
            case e.RevisionSeen():
                self.head, self.in_force = entry.revision, entry.in_force
            case e.RolloutPlanned() | e.RolloutEnded():
                self._take_rollout(entry)
            case e.WaveAdmitted() | e.WaveFilled() | e.WaveSoaked():
                self._take_wave(entry)
            case e.Stopped():
                self.stops[entry.scope, entry.number] = StopNote(entry)
            case e.StopAcknowledged():
                self._lift(entry)
            case e.ClusterReplaced():
                self._forget(entry.cluster)
            case _ if not isinstance(entry, _NO_NEWS):
                self._take_cluster(entry, at)

    def _take_rollout(self, entry: e.RolloutPlanned | e.RolloutEnded) -> None:
        if isinstance(entry, e.RolloutEnded):
            rollout = self.rollouts[entry.rollout]
            rollout.outcome = entry.outcome
            if entry.outcome is Outcome.CONVERGED and rollout.is_for_all:
                self.converged.append((entry.group, entry.target))
            return
        clusters = {name: ClusterNote() for name in entry.clusters}
        for_all = entry.way is Way.FINALIZE or (entry.way is Way.FORWARD and entry.target == entry.group_target)
        self.rollouts[entry.rollout] = RolloutNote(
            entry.group, entry.target, entry.live, clusters, entry.way, entry.kind, is_for_all=for_all
        )
        if entry.way is not Way.FINALIZE:
            self.whole_since.pop(entry.group, None)

    def _forget(self, cluster: str) -> None:
        """Forget a cluster whose name another one has now."""
        self.taken.pop(cluster, None)
        self.arrived.pop(cluster, None)
        for rollout in self.rollouts.values():
            rollout.clusters.pop(cluster, None)

    def _take_wave(self, entry: e.WaveAdmitted | e.WaveFilled | e.WaveSoaked) -> None:
        rollout = self.rollouts[entry.rollout]
        if isinstance(entry, e.WaveSoaked):
            rollout.waves[entry.wave].soaked = True
            for note in rollout.members(entry.wave).values():
                note.state = "soaked" if note.state == "converged" else note.state
            return
        if isinstance(entry, e.WaveAdmitted):
            rollout.waves[entry.wave] = WaveNote(entry.name, entry.tail)
        for name in entry.clusters:
            rollout.clusters[name].wave = entry.wave

    def _lift(self, entry: e.StopAcknowledged) -> None:
        note = self.stops.get((entry.scope, entry.number))
        if note is None:
            return
        note.is_open = False
        if note.stop.kind is StopKind.CHANGED_BY_OTHERS and note.stop.cluster is not None:
            self.arrived.pop(note.stop.cluster, None)
        if note.stop.kind is StopKind.HALT:
            for rollout in self.rollouts.values():
                if rollout.group == entry.scope:
                    for name in rollout.failed & rollout.clusters.keys():
                        if rollout.clusters[name].state in ("failed", "quarantined"):
                            rollout.clusters[name].slot = False
                    rollout.failed.clear()

    def _take_cluster(self, entry: e.Entry, at: datetime) -> None:
        rollout = self.rollouts[entry.rollout]  # type: ignore[union-attr, index]
        name: str = entry.cluster  # type: ignore[union-attr, assignment]
        note = rollout.clusters.setdefault(name, ClusterNote())
        state, slot = _MOVES.get(type(entry), (None, None))
        before = note.state
        note.state = "downgrading" if state == "started" and before == "downgrading" else state or before
        note.slot = note.slot if slot is None else slot
        match entry:
            case e.ClusterLeft():
                del rollout.clusters[name]
            case e.ClusterSetAside() | e.ClusterReleased() | e.ClusterReturned():
                note.wave = None
            case e.ClusterStarted():
                self._take_start(note, rollout, entry, at)
                note.lag = self.lag.get(name, {}) if entry.target == rollout.target else note.lag
            case e.StartAccepted():
                self._take_accepted(name, note, rollout, at if before == "pending" else None)
            case e.StartWithdrawn() if before == "downgrading":
                note.state, note.slot = "failed", True
            case e.ClusterConverged() if note.started_at is not None:
                if isinstance(rollout.target, KafkaVersion):
                    self.arrived[name] = rollout.target
                took = at - note.started_at
                self.shortest[rollout.kind] = min(took, self.shortest.get(rollout.kind, took))
            case e.ClusterFailed():
                rollout.failed.add(name)
                note.ill = True
                self.arrived.pop(name, None)

    def _take_accepted(self, name: str, note: ClusterNote, rollout: RolloutNote, late: datetime | None) -> None:
        """Note that the live fleet took a start; one that was given up, and that has its time from ``late`` on."""
        note.started_at = late or note.started_at
        aim = note.aim or rollout.target
        if isinstance(aim, KafkaVersion):
            self.taken[name] = aim, rollout.group
            if name in self.arrived and aim < self.arrived[name]:
                del self.arrived[name]

    def _take_start(self, note: ClusterNote, rollout: RolloutNote, entry: e.ClusterStarted, at: datetime) -> None:
        note.started_at, note.aim = at, entry.target
        if entry.target == rollout.target:
            note.came_from, note.ill = entry.release_from, False
        else:
            note.state = "downgrading"


_NO_NEWS = (e.TargetDeclared, e.TargetReached, e.RequestTaken, e.OrderPassed, e.SoakCredited, e.GroupJudged)
_MOVES: dict[type, tuple[str | None, bool | None]] = {
    e.ClusterStarted: ("started", True),
    e.StartAccepted: ("started", True),
    e.StartWithdrawn: ("pending", False),
    e.ClusterConverged: ("converged", False),
    e.ClusterFailed: ("failed", True),
    e.SlotFreed: (None, False),
    e.ClusterQuarantined: ("quarantined", None),
    e.ClusterReleased: ("pending", False),
    e.ClusterReturned: ("pending", False),
}
"""The state that an entry leads to, and whether its cluster then holds a slot; None = as before."""


def way_of(book: Book, start: e.ClusterStarted) -> str:
    """Return what kind of start it is: ``back``, ``down``, ``finalize``, ``between`` (a level) or ``on``."""
    rollout = book.rollouts[start.rollout]
    if start.target != rollout.target:
        return "back"
    if isinstance(start.target, KafkaVersion):
        return "down" if rollout.way is Way.DOWN else "on"
    return "finalize" if rollout.way is Way.FINALIZE else "between"


def declared(scene: Scene, rollout: RolloutNote) -> ClusterGroup:
    """Return the rollout's group, which starts nothing where it is not declared."""
    group = scene.group(rollout.group)
    assert group is not None, f"a start in {rollout.group}, which is not declared"
    return group


def wave_of(group: ClusterGroup, rollout: RolloutNote, number: int | None) -> Wave:
    """Return the wave's rules as they are declared now."""
    assert number is not None, rollout
    name = rollout.waves[number].name
    return next((wave for wave in group.strategy.waves if wave.name == name), group.strategy.waves[-1])


def members_of(book: Book, group: ClusterGroup) -> set[str]:
    """Return the clusters that the group claims, as they were last seen; worked out once for each scene."""
    if group.name not in book.members:
        book.members[group.name] = {name for name, labels in book.labels.items() if claims(group, name, labels)}
    return book.members[group.name]


def is_claimed_twice(book: Book, scene: Scene, name: str) -> bool:
    """Tell whether more than one group claims the cluster."""
    return sum(name in members_of(book, group) for group in scene.declaration.groups) > 1
