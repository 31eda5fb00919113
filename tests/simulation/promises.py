"""The safety promises, checked from beside the controller. Shares no code with the core.

Each promise is a function of what was recorded before (``Book``), what this cycle saw (``Scene``) and one entry of it;
it yields a sentence for everything that breaks it. ``Checkers`` go through a cycle's entries in order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from controller.model import entries as e
from controller.model.calendar import Window
from controller.model.catalog import Catalog, Release
from controller.model.declaration import ClusterGroup, Wave
from controller.model.history import Outcome, StopKind
from controller.model.observation import Reading
from controller.model.outbox import StatusState
from tests.simulation.book import Book, RolloutNote
from tests.simulation.scene import Scene, claims, is_held, is_well, runs


class PromiseBroken(AssertionError):
    """A safety promise was broken; names it."""


Rule = Callable[[Book, Scene, e.Entry], Iterator[str]]


def _pass_over(book: Book, entry: e.Entry) -> None:
    del book, entry


@dataclass(frozen=True, slots=True)
class Checkers:
    """The promises that are checked, all of them unless said otherwise."""

    promises: frozenset[str] = frozenset()
    """Empty = all."""
    note: Callable[[Book, e.Entry], None] = _pass_over
    """Shown each entry, with the book as it stands before."""

    def check(self, book: Book, scene: Scene) -> None:
        """Take one cycle into ``book``; raises PromiseBroken for the first entry that breaks a promise."""
        book.look(scene)
        for entry in scene.entries:
            self.note(book, entry)
            for promise, rule in RULES.items():
                self._expect_none(promise, rule(book, scene, entry), entry)
            book.take(entry, scene.now)
        for promise, last_rule in AT_THE_END.items():
            self._expect_none(promise, last_rule(book, scene))
        note_order(book, scene)
        book.leave(scene)

    def _expect_none(self, promise: str, sentences: Iterator[str], entry: e.Entry | None = None) -> None:
        if not self.promises or promise in self.promises:
            for why in sentences:
                raise PromiseBroken(f"{promise}: {why}{f': {entry}' if entry else ''}")


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
    """A start needs a healthy, settled, full observation of that cluster in this cycle."""
    del book
    if isinstance(entry, e.ClusterStarted):
        reading = scene.reading(entry.cluster)
        if not is_well(reading):
            yield f"started while it showed {reading}"
        elif reading is not None and (reading.token, reading.wanted) != (entry.token, reading.release):
            yield f"started against another state than it showed: {reading}"


def unknown_holds(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """An unobserved cluster is never started, keeps its slot, and neither converges nor fails."""
    if isinstance(entry, e.ClusterStarted | e.ClusterConverged | e.ClusterFailed | e.SlotFreed):
        reading = scene.reading(entry.cluster)
        if reading is None or not reading.full:
            yield "judged while it was not seen in full"
    if isinstance(entry, e.StartWithdrawn) and not _is_outcome(scene, entry) and scene.reading(entry.cluster) is None:
        yield "withdrawn while it was not seen"
    if isinstance(entry, e.ClusterLeft):
        rollout = book.rollouts[entry.rollout]
        group = scene.group(rollout.group)
        absent = book.absent.get(entry.cluster, 0)
        if rollout.clusters[entry.cluster].slot and absent < (group.samples if group else 1):
            yield f"left with its slot, absent only {absent} times"


def _is_outcome(scene: Scene, entry: e.StartWithdrawn) -> bool:
    return any(isinstance(each, e.ClusterStarted) and each.cluster == entry.cluster for each in scene.entries)


def in_bounds(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """In flight never exceeds the limits of fleet, group and wave, and no wave is larger than declared."""
    if isinstance(entry, e.ClusterStarted):
        in_flight = book.in_flight()
        if entry.cluster in in_flight:
            yield "started while in flight"
        if len(in_flight) >= scene.declaration.limits.clusters_in_flight:
            yield f"{len(in_flight)} are in flight over the fleet"
        rollout = book.rollouts[entry.rollout]
        group = _declared(scene, rollout)
        ours = {name for each in book.rollouts.values() if each.group == rollout.group for name in each.in_flight}
        wave = _wave(group, rollout, rollout.clusters[entry.cluster].wave)
        if len(ours) >= wave.max_in_flight:
            yield f"{len(ours)} are in flight in the group"
    if isinstance(entry, e.WaveAdmitted | e.WaveFilled):
        rollout = book.rollouts[entry.rollout]
        most = _size(_declared(scene, rollout), rollout, entry)
        if most is not None and len(entry.clusters) > most:
            yield f"{len(entry.clusters)} clusters in a wave of at most {most}"


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
        if any(other.in_flight for other in others):
            yield "admitted while clusters of an earlier target are in flight"
    if isinstance(entry, e.WaveSoaked):
        rollout = book.rollouts[entry.rollout]
        soak = _wave(_declared(scene, rollout), rollout, entry.wave).soak
        quiet = book.quiet(rollout, entry.wave, scene)
        if not rollout.rests(entry.wave) or quiet < soak:
            yield f"soaked {quiet} of {soak}"
        if any(note.state == "failed" for note in rollout.members(entry.wave).values()):
            yield "soaked with a failed cluster that is not quarantined"


def in_window(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """No start outside windows, inside freezes, while halted by commit, unapproved, or on an untrusted revision."""
    if not isinstance(entry, e.ClusterStarted):
        return
    rollout = book.rollouts[entry.rollout]
    group = _declared(scene, rollout)
    if not scene.trusted:
        yield "started while the head is not to be trusted"
    if scene.declaration.halted or group.halted:
        yield "started while halted by commit"
    if group.windows and not any(_is_open(window, scene) for window in group.windows):
        yield f"started outside of every window at {scene.now}"
    for freeze in scene.declaration.freezes:
        if freeze.from_ <= scene.now < freeze.until and any(fnmatchcase(group.name, each) for each in freeze.groups):
            yield f"started inside of the freeze {freeze.name}"
    wave = _wave(group, rollout, rollout.clusters[entry.cluster].wave)
    approved = [each for each in group.approvals if each.wave == wave.name and each.target == rollout.target]
    if wave.approval_required and not any(each.until is None or scene.now < each.until for each in approved):
        yield f"started in wave {wave.name} without approval"
    if is_held(group, entry.cluster, scene.now):
        yield "started while held in Git"


def _is_open(window: Window, scene: Scene) -> bool:
    local = scene.now.astimezone(window.zone)
    minute = 60 * local.hour + local.minute
    today, yesterday = local.weekday() in window.days, (local.weekday() - 1) % 7 in window.days
    if window.from_minute < window.until_minute:
        return today and window.from_minute <= minute < window.until_minute
    if window.from_minute == window.until_minute:
        return False
    return (today and minute >= window.from_minute) or (yesterday and minute < window.until_minute)


def legal_hop(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """Every start is a legal hop from the observed version, to a release whose risks were accepted."""
    if not isinstance(entry, e.ClusterStarted):
        return
    rollout = book.rollouts[entry.rollout]
    group, reading = _declared(scene, rollout), scene.reading(entry.cluster)
    target = group.target
    assert reading is not None, entry
    if entry.target != target:
        yield f"started for {entry.target} while {target} is declared"
    catalog = scene.declaration.catalog
    row = catalog.releases.get(target)
    if row is None or target in catalog.blocked:
        yield f"{target} is not in the catalog, or blocked"
        return
    if not set(row.broker_bugs) <= group.accept_risks:
        yield f"{target} is known-bad"
    yield from _illegal(reading, row, catalog)
    if reading.release.major < 4 <= target.major and "KIP-896" not in group.accept_risks:
        yield "crosses to 4.x without KIP-896"


def _illegal(reading: Reading, row: Release, catalog: Catalog) -> Iterator[str]:
    target = row.version
    if max(reading.release, reading.highest) >= target:
        yield f"a broker runs {reading.highest}, which is not below {target}"
    ways = row.zookeeper_from if reading.zookeeper else row.kraft_from
    near = (reading.release.major, reading.release.minor)
    if near != (target.major, target.minor) and (ways is None or not ways[0] <= near <= ways[1]):
        yield f"no direct way from {reading.release}"
    if reading.zookeeper and target.major >= 4:
        yield "ZooKeeper to 4.x"
    if not reading.zookeeper and target.major >= 4:
        level = reading.metadata_version
        if level is None or level.level < catalog.metadata_floor_for_4x.level:
            yield f"metadata.version {level} is too low"
    served = row.metadata_version
    if served is not None and reading.metadata_version is not None and reading.metadata_version.level > served.level:
        yield f"metadata.version {reading.metadata_version} is above what {target} serves"


def order(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """No start before the groups in ``after`` have converged."""
    if not isinstance(entry, e.ClusterStarted):
        return
    group = _declared(scene, book.rollouts[entry.rollout])
    for name in group.after:
        other = scene.group(name)
        assert other is not None, name
        members = _members(book, other)
        if not members:
            yield f"{name} has no clusters"
        if other.target < group.target:
            yield f"{name} declares less"
        if other.halted or book.open_stops(name, StopKind.HALT):
            yield f"{name} is halted"
        ever = {*book.converged, *book.passed}
        passed = any(scope == name and target >= group.target for scope, target in ever)  # type: ignore[operator]
        late = [cluster for cluster in members if not _is_through(book, scene, other, cluster)]
        if not passed and late:
            yield f"{name} has not converged: {late}"


def note_order(book: Book, scene: Scene) -> None:
    """Note which groups are through with their target: for it they then stay so."""
    for group in scene.declaration.groups:
        members = _members(book, group)
        if members and all(_is_through(book, scene, group, cluster) for cluster in members):
            book.passed.add((group.name, group.target))


def _members(book: Book, group: ClusterGroup) -> set[str]:
    return {cluster for cluster, labels in book.labels.items() if claims(group, cluster, labels)}


def _is_through(book: Book, scene: Scene, group: ClusterGroup, cluster: str) -> bool:
    """Tell whether one cluster of a group named under ``after`` is where it should be."""
    if is_held(group, cluster, scene.now):
        return True
    for rollout in book.rollouts.values():
        if rollout.group == group.name and rollout.outcome is None and cluster in rollout.clusters:
            return rollout.clusters[cluster].state == "soaked"
    stopped = any(stop.cluster == cluster for stop in book.open_stops(group.name))
    reading = scene.reading(cluster)
    return reading is not None and reading.release >= group.target and not stopped


def halt_sticks(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """After a halt nothing starts in that group, nor elsewhere for a suspect release, until a person resumed it."""
    if not isinstance(entry, e.ClusterStarted):
        return
    rollout = book.rollouts[entry.rollout]
    group = _declared(scene, rollout)
    for stop in book.open_stops(kind=StopKind.HALT):
        if stop.scope in (rollout.group, "fleet"):
            yield f"started while {stop.scope}-{stop.number} is open"
        elif stop.suspect == rollout.target and f"{stop.scope}-{stop.number}" not in group.accept_risks:
            yield f"started although {stop.scope}-{stop.number} makes {rollout.target} suspect"
    if any(stop.cluster == entry.cluster for stop in book.open_stops()):
        yield "started although the cluster itself is stopped"


def failures_stop(book: Book, scene: Scene) -> Iterator[str]:
    """Failures past the budget, or any in the first wave, halt in the very cycle in which they are seen."""
    if not scene.entries:
        return
    for rollout in book.rollouts.values():
        group = scene.group(rollout.group)
        if rollout.outcome is not None or group is None:
            continue
        size = group.strategy.failure_budget
        budget = size.count if size.percent is None else rollout.live * size.percent // 100
        first = any(note.wave == 1 and name in rollout.failed for name, note in rollout.clusters.items())
        fresh = [name for name, note in rollout.clusters.items() if note.state == "failed"]
        halted = any(stop.suspect for stop in book.open_stops(rollout.group, StopKind.HALT))
        if fresh and not halted:
            yield f"{rollout.group}: {fresh} failed, are not quarantined, and the group is not halted"
        assert budget is not None, size
        if (first or len(rollout.failed) > budget) and not halted:
            yield f"{rollout.group} goes on after {sorted(rollout.failed)} failed"


def record_first(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """Nothing is reported done before it was observed (that nothing is applied unrecorded, the fleet watches)."""
    if isinstance(entry, e.ClusterConverged):
        rollout = book.rollouts[entry.rollout]
        group = scene.group(rollout.group)
        needed = 3 if group is None else group.samples
        if not runs(scene.reading(entry.cluster), rollout.target) or book.well.get(entry.cluster, 0) < needed:
            yield f"converged after {book.well.get(entry.cluster, 0)} of {needed} samples"
    if isinstance(entry, e.ClusterFailed):
        yield from _failed_for_a_reason(book, scene, entry)
    if isinstance(entry, e.RolloutEnded) and entry.outcome is Outcome.CONVERGED:
        states = {note.state for note in book.rollouts[entry.rollout].clusters.values()}
        elsewhere = _elsewhere(book, scene, entry.group)
        if states - {"soaked"} or (not states and elsewhere):
            yield f"ended converged with {states or f'nobody, while {elsewhere} do not run it'}"


def _failed_for_a_reason(book: Book, scene: Scene, entry: e.ClusterFailed) -> Iterator[str]:
    rollout = book.rollouts[entry.rollout]
    group, reading, note = scene.group(rollout.group), scene.reading(entry.cluster), rollout.clusters[entry.cluster]
    if note.state in ("converged", "soaked"):
        if book.sick.get(entry.cluster, 0) < (3 if group is None else group.samples):
            yield f"failed after {book.sick.get(entry.cluster, 0)} sick samples"
    elif reading is not None and reading.refused is None and group is not None:
        assert note.started_at is not None, note
        if scene.now < note.started_at + group.strategy.deadline:
            yield f"failed before its deadline, started {note.started_at}"


def told_truly(book: Book, scene: Scene) -> Iterator[str]:
    """Success is said of a group only where every one of its clusters was seen on target."""
    if scene.plan is None:
        return
    for view in scene.plan.groups:
        elsewhere = _elsewhere(book, scene, view.name)
        if view.state is StatusState.SUCCESS and elsewhere:
            yield f"{view.name} is called a success while {elsewhere} do not run {view.target}"


def _elsewhere(book: Book, scene: Scene, name: str) -> list[str]:
    """Return the clusters that a group alone claims and that were not seen on its target."""
    group = scene.group(name)
    assert group is not None, name
    members = [each for each, labels in book.labels.items() if claims(group, each, labels)]
    elsewhere = [each for each in members if not runs(scene.reading(each), group.target)]
    return [each for each in elsewhere if not _is_claimed_twice(book, scene, each)]


def _is_claimed_twice(book: Book, scene: Scene, name: str) -> bool:
    return sum(claims(group, name, book.labels[name]) for group in scene.declaration.groups) > 1


def _declared(scene: Scene, rollout: RolloutNote) -> ClusterGroup:
    group = scene.group(rollout.group)
    assert group is not None, f"a start in {rollout.group}, which is not declared"
    return group


def _wave(group: ClusterGroup, rollout: RolloutNote, number: int | None) -> Wave:
    assert number is not None, rollout
    name = rollout.waves[number].name
    return next((wave for wave in group.strategy.waves if wave.name == name), group.strategy.waves[-1])


RULES: dict[str, Rule] = {
    "one-wave": one_wave,
    "healthy-first": healthy_first,
    "unknown-holds": unknown_holds,
    "in-bounds": in_bounds,
    "soak-first": soak_first,
    "in-window": in_window,
    "legal-hop": legal_hop,
    "order": order,
    "halt-sticks": halt_sticks,
    "record-first": record_first,
}
"""By the name of its promise."""

AT_THE_END: dict[str, Callable[[Book, Scene], Iterator[str]]] = {
    "halt-sticks": failures_stop,
    "record-first": told_truly,
}
"""What can be told only once all of a cycle's entries were taken."""
