"""The checkers' own memory: what the recorded entries mean, kept apart from the core's fold and simpler.

It takes entries on trust, in order, and never refuses one; whether an entry was right is for ``promises`` to say.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.model import entries as e
from controller.model.history import Outcome, StopKind
from controller.model.versions import Target
from tests.simulation.scene import Scene, is_sick, is_well, source_of

RESTING = ("converged", "failed", "quarantined")


@dataclass(slots=True)
class ClusterNote:
    """One cluster in one rollout."""

    state: str = "pending"
    wave: int | None = None
    slot: bool = False
    started_at: datetime | None = None


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
    waves: dict[int, WaveNote] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    outcome: Outcome | None = None

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
        """Group and target of every rollout that converged."""
        self.passed: set[tuple[str, Target]] = set()
        """Group and target of every group that was seen to be through, for those that wait for it."""
        self.head = ""
        self.in_force = ""
        self.well: dict[str, int] = {}
        """By cluster: in how many scenes in a row it was seen well."""
        self.release: dict[str, object] = {}
        """By cluster: what it was seen to run in those."""
        self.sick: dict[str, int] = {}
        self.absent: dict[str, int] = {}
        """By cluster: how often in a row its source, whenever it could be read, did not list it."""
        self.labels: dict[str, dict[str, str]] = {}
        """The labels that each cluster was last seen with, as long as nobody saw that it is gone."""

    def open_stops(self, scope: str | None = None, kind: StopKind | None = None) -> list[e.Stopped]:
        """Return the stops that nobody lifted."""
        return [
            note.stop
            for note in self.stops.values()
            if note.is_open and scope in (None, note.stop.scope) and kind in (None, note.stop.kind)
        ]

    def in_flight(self) -> set[str]:
        """Return every cluster that holds a slot in any rollout."""
        return {name for rollout in self.rollouts.values() for name in rollout.in_flight}

    def look(self, scene: Scene) -> None:
        """Count what this scene shows, before its entries are taken."""
        known = set(self.labels) | set(scene.seen)
        for name in known | {each for rollout in self.rollouts.values() for each in rollout.clusters}:
            self._count(name, scene)
        for name, observed in scene.seen.items():
            self.labels[name] = dict(observed.labels)
        for name in tuple(self.labels):
            if name not in scene.seen and source_of(name) not in scene.unreachable:
                del self.labels[name]

    def _count(self, name: str, scene: Scene) -> None:
        reading = scene.reading(name)
        same = reading is not None and self.release.get(name) == reading.release
        self.well[name] = (self.well.get(name, 0) if same else 0) + 1 if is_well(reading) else 0
        if reading is not None:
            self.release[name] = reading.release
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
        if not rollout.rests(number):
            return timedelta(0)
        readings = [scene.reading(n) for n, note in rollout.members(number).items() if note.state == "converged"]
        if any(is_sick(reading) for reading in readings):
            return timedelta(0)
        if wave.quiet_at is None or not all(is_well(reading) for reading in readings):
            return wave.quiet
        return wave.quiet + min(max(scene.now - wave.quiet_at, timedelta(0)), 2 * scene.poll)

    def leave(self, scene: Scene) -> None:
        """Count on how long waves were quiet, after this scene's entries were taken."""
        for rollout in self.rollouts.values():
            for number, wave in rollout.waves.items():
                if not wave.soaked:
                    wave.quiet = self.quiet(rollout, number, scene)
                    members = rollout.members(number).items()
                    readings = [scene.reading(n) for n, note in members if note.state == "converged"]
                    well = rollout.rests(number) and all(is_well(reading) for reading in readings)
                    wave.quiet_at = scene.now if well else None

    def take(self, entry: e.Entry, at: datetime) -> None:
        """Note one entry."""
        match entry:
            case e.RevisionSeen():
                self.head, self.in_force = entry.revision, entry.in_force
            case e.RolloutPlanned():
                clusters = {name: ClusterNote() for name in entry.clusters}
                self.rollouts[entry.rollout] = RolloutNote(entry.group, entry.target, entry.live, clusters)
            case e.RolloutEnded():
                self.rollouts[entry.rollout].outcome = entry.outcome
                if entry.outcome is Outcome.CONVERGED:
                    self.converged.append((entry.group, entry.target))
            case e.WaveAdmitted() | e.WaveFilled() | e.WaveSoaked():
                self._take_wave(entry)
            case e.Stopped():
                self.stops[entry.scope, entry.number] = StopNote(entry)
            case e.StopAcknowledged():
                self._lift(entry)
            case e.TargetDeclared() | e.TargetReached() | e.RequestTaken() | e.OrderPassed():
                pass
            case e.SoakCredited() | e.GroupJudged():
                pass
            case _:
                self._take_cluster(entry, at)

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
        note.state = state or note.state
        note.slot = note.slot if slot is None else slot
        match entry:
            case e.ClusterLeft():
                del rollout.clusters[name]
            case e.ClusterSetAside() | e.ClusterReleased():
                note.wave = None
            case e.ClusterStarted():
                note.started_at = at
            case e.ClusterFailed():
                rollout.failed.add(name)


_MOVES: dict[type, tuple[str | None, bool | None]] = {
    e.ClusterStarted: ("started", True),
    e.StartAccepted: ("started", True),
    e.StartWithdrawn: ("pending", False),
    e.ClusterConverged: ("converged", False),
    e.ClusterFailed: ("failed", True),
    e.SlotFreed: (None, False),
    e.ClusterQuarantined: ("quarantined", None),
    e.ClusterReleased: ("pending", False),
}
"""The state that an entry leads to, and whether its cluster then holds a slot; None = as before."""
