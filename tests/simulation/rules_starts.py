"""The promises about a start itself: that one wave goes at a time, seen well, within every limit, soaked and in time.

Each rule knows what was recorded before (``Book``), what this cycle saw (``Scene``) and one entry of it, and yields a
sentence for everything that breaks its promise. Shares no code with the core.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from controller.history import entries as e
from controller.history.records import RolloutKind, Way
from controller.model.calendar import Window
from controller.model.declaration import ClusterGroup, Expedite
from tests.simulation.book import MOVING, Book, RolloutNote, declared, members_of, wave_of, way_of
from tests.simulation.scene import Scene, is_held, is_sick, is_well, source_of

DURATION_DEFAULT = timedelta(minutes=30)
"""How long a move is taken to last before any was recorded."""


def one_wave(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """At most one wave is admitted per cycle over the fleet, and every start belongs to an admitted wave."""
    if isinstance(entry, e.WaveAdmitted):
        admitted = [each for each in scene.entries if isinstance(each, e.WaveAdmitted)]
        if len(admitted) > 1:
            yield f"{len(admitted)} waves are admitted"
        if not any(isinstance(each, e.ClusterStarted) and each.cluster in entry.clusters for each in scene.entries):
            yield "a wave is admitted and none of its clusters starts"
    if isinstance(entry, e.ClusterStarted) and book.rollouts[entry.rollout].clusters[entry.cluster].wave is None:
        yield "started outside of any wave"


def healthy_first(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """A start needs a healthy, settled, full observation of its cluster in this cycle; what failed goes down sick."""
    if not isinstance(entry, e.ClusterStarted):
        return
    reading, way = scene.reading(entry.cluster), way_of(book, entry)
    rollout = book.rollouts[entry.rollout]
    if reading is None or not reading.full or reading.token != entry.token:
        yield f"started against another state than it showed: {reading}"
        return
    note = rollout.clusters[entry.cluster]
    ill = note.state == "failed" and note.ill
    if (way == "back" and ill) or (way == "down" and book.was_ill(rollout.group, entry.cluster)):
        return
    if not is_well(reading):
        yield f"started while it showed {reading}"
    elif reading.wanted != reading.release:
        yield f"started while its resource asks for {reading.wanted}"


def unknown_holds(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """An unobserved cluster is never started, keeps its slot, and neither converges nor fails."""
    if isinstance(entry, _NEEDS_SIGHT):
        reading = scene.reading(entry.cluster)
        unseen = reading is None or not reading.full
        if unseen and not (isinstance(entry, e.SlotFreed) and _is_acknowledged(book, scene, entry.cluster)):
            yield "judged while it was not seen in full"
    if isinstance(entry, e.ClusterStarted) and way_of(book, entry) not in ("back", "down"):
        yield from _breaker(book, scene)
        yield from _overdue(book, scene, entry)
    if isinstance(entry, e.StartWithdrawn) and not _is_outcome(scene, entry) and scene.reading(entry.cluster) is None:
        yield "withdrawn while it was not seen"
    if isinstance(entry, e.ClusterLeft):
        rollout = book.rollouts[entry.rollout]
        group = scene.group(rollout.group)
        absent = book.absent.get(entry.cluster, 0)
        if rollout.clusters[entry.cluster].slot and absent < (group.samples if group else 1):
            yield f"left with its slot, absent only {absent} times"


def _is_acknowledged(book: Book, scene: Scene, cluster: str) -> bool:
    """Tell whether a person acknowledged the cluster's quarantine in this cycle: that frees its slot unseen."""
    lifted = [(each.scope, each.number) for each in scene.entries if isinstance(each, e.StopAcknowledged)]
    return any(book.stops[key].stop.cluster == cluster for key in lifted if key in book.stops)


def _breaker(book: Book, scene: Scene) -> Iterator[str]:
    """More of the claimed clusters unavailable than the limit says, and more than one: nothing starts."""
    flying = book.in_flight()
    stopped = {stop.cluster for stop in book.open_stops()}
    remembered = {name for each in book.rollouts.values() if each.outcome is None for name in each.clusters}
    claimed, out = 0, []
    for name in book.labels:
        groups = [group for group in scene.declaration.groups if name in members_of(book, group)]
        if len(groups) != 1:
            continue
        claimed += 1
        reading = scene.reading(name)
        # Of a source that is silent since this process began, it knows those that its rollouts remember.
        forgotten = name not in scene.seen and source_of(name) not in scene.known and name not in remembered
        spared = forgotten or name in flying or name in stopped or is_held(groups[0], name, scene.now)
        if not spared and (reading is None or (is_sick(reading) and reading.held is None)):
            out.append(name)
    if len(out) > 1 and len(out) * 100 > claimed * scene.declaration.limits.unavailable_percent + _missing(book, scene):
        yield f"started while {sorted(out)} of {claimed} are unavailable"


def _overdue(book: Book, scene: Scene, entry: e.ClusterStarted) -> Iterator[str]:
    """A cluster of the wave that is past its deadline and not seen may have failed: nobody else of the wave starts."""
    rollout = book.rollouts[entry.rollout]
    deadline = declared(scene, rollout).strategy.deadline
    for name, note in rollout.members(rollout.clusters[entry.cluster].wave or 0).items():
        reading = scene.reading(name)
        if note.state != "started" or note.started_at is None or (reading is not None and reading.full):
            continue
        if scene.now >= note.started_at + deadline:
            yield f"started while {name} of its wave is past its deadline and not seen"


def _missing(book: Book, scene: Scene) -> int:
    """Return, times hundred, how many names are declared: as many more may be claimed, and missing."""
    del book
    return 100 * sum(len(group.selector.names) for group in scene.declaration.groups)


_NEEDS_SIGHT = (
    e.ClusterStarted,
    e.ClusterConverged,
    e.ClusterReturned,
    e.ClusterFailed,
    e.SlotFreed,
)
"""Nobody may say this of a cluster that was not seen in full."""


def _is_outcome(scene: Scene, entry: e.StartWithdrawn) -> bool:
    return any(isinstance(each, e.ClusterStarted) and each.cluster == entry.cluster for each in scene.entries)


def in_bounds(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """In flight never exceeds the limits of fleet, group and wave, and no wave is larger than declared."""
    if isinstance(entry, e.ClusterStarted):
        yield from _room(book, scene, entry)
    if isinstance(entry, e.WaveAdmitted | e.WaveFilled):
        rollout = book.rollouts[entry.rollout]
        most = _size(declared(scene, rollout), rollout, entry)
        if most is not None and rollout.way is not Way.DOWN and len(entry.clusters) > most:
            yield f"{len(entry.clusters)} clusters in a wave of at most {most}"


def _room(book: Book, scene: Scene, entry: e.ClusterStarted) -> Iterator[str]:
    """See that there is a free slot, and that no twin is in flight; what failed and goes down has its slot already."""
    in_flight = book.in_flight()
    rollout = book.rollouts[entry.rollout]
    downwards = way_of(book, entry) in ("back", "down")
    if entry.cluster in in_flight:
        if not downwards or not book.has_failed(rollout.group, entry.cluster):
            yield "started while in flight"
        return
    limits = scene.declaration.limits
    if len(in_flight) >= limits.clusters_in_flight:
        yield f"{len(in_flight)} are in flight over the fleet"
    ours = {name for each in book.rollouts.values() if each.group == rollout.group for name in each.in_flight}
    wave = wave_of(declared(scene, rollout), rollout, rollout.clusters[entry.cluster].wave)
    if len(ours) >= wave.max_in_flight:
        yield f"{len(ours)} are in flight in the group"
    labels = book.labels[entry.cluster]
    for limit in limits.per_domain:
        domain = labels.get(limit.label)
        sharing = [name for name in in_flight if domain and book.labels.get(name, {}).get(limit.label) == domain]
        if len(sharing) >= limit.clusters:
            yield f"{sorted(sharing)} are in flight in {limit.label} {domain}"
    for label in limits.never_together:
        busy = (in_flight | book.soaking()) - {entry.cluster}
        twins = [name for name in busy if label in labels and book.labels.get(name, {}).get(label) == labels[label]]
        if twins:
            yield f"its twin {twins[0]} is in flight or soaking"


def _size(group: ClusterGroup, rollout: RolloutNote, entry: e.WaveAdmitted | e.WaveFilled) -> int | None:
    """Return how many clusters the wave may have; None where it takes the rest."""
    tail = entry.tail if isinstance(entry, e.WaveAdmitted) else rollout.waves[entry.wave].tail
    if tail:
        return None if entry.wave > 1 else 0
    name = entry.name if isinstance(entry, e.WaveAdmitted) else rollout.waves[entry.wave].name
    size = next((wave.size for wave in group.strategy.waves if wave.name == name), group.strategy.waves[-1].size)
    if size.percent is not None:
        return max(1, rollout.live * size.percent // 100)
    return size.count


def soak_first(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """No wave starts before the one before it has soaked in time that was observed to be healthy."""
    if isinstance(entry, e.WaveAdmitted):
        rollout = book.rollouts[entry.rollout]
        if entry.wave != len(rollout.waves) + 1:
            yield f"wave {entry.wave} follows {len(rollout.waves)}"
        if any(not wave.soaked for wave in rollout.waves.values()):
            yield "admitted before the wave before it has soaked"
        others = [each for each in book.rollouts.values() if each.group == entry.group and each is not rollout]
        moving = [note for other in others for note in other.clusters.values() if note.slot]
        if any(rollout.way is not Way.DOWN or note.state in MOVING for note in moving):
            yield "admitted while clusters of an earlier target are in flight"
    if isinstance(entry, e.WaveSoaked):
        rollout = book.rollouts[entry.rollout]
        soak = _soak(scene, declared(scene, rollout), rollout, entry.wave)
        quiet = book.quiet(rollout, entry.wave, scene)
        if not rollout.rests(entry.wave) or quiet < soak:
            yield f"soaked {quiet} of {soak}"
        if any(note.state == "failed" for note in rollout.members(entry.wave).values()):
            yield "soaked with a failed cluster that is not quarantined"
        for name in book.behind(rollout, entry.wave, scene):
            yield f"soaked while consumers of {name} are further behind than before"


def _soak(scene: Scene, group: ClusterGroup, rollout: RolloutNote, wave: int) -> timedelta:
    """Return how long the wave must soak now; on the way down nobody asks."""
    if rollout.way is Way.DOWN:
        return timedelta(0)
    shorter = [each.soak for each in expedited(scene, group, rollout) if each.soak is not None]
    return min([wave_of(group, rollout, wave).soak, *shorter])


def expedited(scene: Scene, group: ClusterGroup, rollout: RolloutNote) -> list[Expedite]:
    """Return what expedites this rollout: its very release, now, in this group."""
    return [
        each
        for each in scene.declaration.expedite
        if each.version == rollout.target and scene.now < each.until
        if any(fnmatchcase(group.name, pattern) for pattern in each.groups)
    ]


def in_window(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """No start outside windows, inside freezes, while halted by commit, unapproved, or on an untrusted revision."""
    if not isinstance(entry, e.ClusterStarted):
        return
    rollout = book.rollouts[entry.rollout]
    group, urgent = declared(scene, rollout), expedited(scene, declared(scene, rollout), rollout)
    if not scene.trusted:
        yield "started while the head is not to be trusted"
    if scene.declaration.halted or group.halted:
        yield "started while halted by commit"
    any_time = any(each.ignore_windows for each in urgent)
    if group.windows and not any_time:
        yield from _outside_of_windows(book, scene, group.windows, rollout.kind)
    for freeze in () if any(each.ignore_freezes for each in urgent) else scene.declaration.freezes:
        if freeze.from_ <= scene.now < freeze.until and any(fnmatchcase(group.name, each) for each in freeze.groups):
            yield f"started inside of the freeze {freeze.name}"
    if is_held(group, entry.cluster, scene.now):
        yield "started while held in Git"
    if way_of(book, entry) not in ("back", "down"):
        yield from _unapproved(scene, group, rollout, rollout.clusters[entry.cluster].wave)


def _unapproved(scene: Scene, group: ClusterGroup, rollout: RolloutNote, number: int | None) -> Iterator[str]:
    """See that people approved the wave, and that every outside gate says yes."""
    wave = wave_of(group, rollout, number)
    approved = [each for each in group.approvals if each.wave == wave.name and each.target == rollout.target]
    if wave.approval_required and not any(each.until is None or scene.now < each.until for each in approved):
        yield f"started in wave {wave.name} without approval"
    for gate in group.gates:
        if scene.gates.get((group.name, gate.name), 0) < gate.samples:
            yield f"started although {gate.name} did not say yes {gate.samples} times in a row"


def _outside_of_windows(book: Book, scene: Scene, windows: Sequence[Window], kind: RolloutKind) -> Iterator[str]:
    """See that a window is open, and stays so for as long as the shortest move of this kind ever took."""
    if not any(_is_open(window, scene.now) for window in windows):
        yield f"started outside of every window at {scene.now}"
        return
    least = min(book.shortest.get(kind, DURATION_DEFAULT), DURATION_DEFAULT)
    minutes = (scene.now + timedelta(minutes=n) for n in range(1, int(least.total_seconds() // 60)))
    closed = next((minute for minute in minutes if not any(_is_open(window, minute) for window in windows)), None)
    if closed is not None:
        yield f"started at {scene.now}, and every window is closed at {closed}, before any move was ever done"


def _is_open(window: Window, moment: datetime) -> bool:
    local = moment.astimezone(window.zone)
    minute = 60 * local.hour + local.minute
    today, yesterday = local.weekday() in window.days, (local.weekday() - 1) % 7 in window.days
    if window.from_minute < window.until_minute:
        return today and window.from_minute <= minute < window.until_minute
    if window.from_minute == window.until_minute:
        return False
    return (today and minute >= window.from_minute) or (yesterday and minute < window.until_minute)
