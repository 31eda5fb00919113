"""The promises about where a start leads: a legal hop, in the order of groups, and finalization last of all.

Rules as in ``rules_starts``; they read the release catalog's rows and share no code with the core.
"""

from collections.abc import Iterator

from controller.history import entries as e
from controller.history.records import StopKind
from controller.model.catalog import Catalog, Release
from controller.model.declaration import ClusterGroup, Finalize
from controller.model.observation import Reading
from controller.versions import KafkaVersion, MetadataVersion, Target
from tests.simulation.book import Book, declared, is_claimed_twice, members_of, way_of
from tests.simulation.scene import Scene, is_held, runs


def legal_hop(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """Every start is a legal move from what was observed, its risks accepted, and leads where it was declared."""
    if not isinstance(entry, e.ClusterStarted):
        return
    rollout = book.rollouts[entry.rollout]
    group, reading = declared(scene, rollout), scene.reading(entry.cluster)
    assert reading is not None, entry
    catalog, way = scene.declaration.catalog, way_of(book, entry)
    row = catalog.releases.get(group.target)
    if way != "back" and (row is None or group.target in catalog.blocked):
        yield f"{group.target} is not in the catalog, or blocked"
    elif way != "back" and row is not None and not set(row.broker_bugs) <= group.accept_risks:
        yield f"{group.target} is known-bad"
    if way in ("back", "down"):
        yield from _illegal_downwards(book, catalog, entry, reading)
        home = group.target if way == "down" else rollout.clusters[entry.cluster].came_from
        if entry.target != home:
            yield f"sent down to {entry.target} and not to {home}"
    elif isinstance(entry.target, KafkaVersion):
        yield from _illegal_upwards(catalog, group, entry.target, reading)
    else:
        yield from _illegal_level(catalog, group, entry.target, reading, between=way == "between")


def _illegal_upwards(catalog: Catalog, group: ClusterGroup, target: KafkaVersion, reading: Reading) -> Iterator[str]:
    row = catalog.releases[target]
    yield from _unreachable(catalog, row, reading)
    if reading.release.major < 4 <= target.major and "KIP-896" not in group.accept_risks:
        yield "crosses to 4.x without KIP-896"
    if target == group.target:
        return
    usable = [
        each
        for each in catalog.releases
        if (each.major, each.minor) == (target.major, target.minor) and not each.build
        if each not in catalog.blocked and set(catalog.releases[each].broker_bugs) <= group.accept_risks
    ]
    if target > group.target or target != max(usable, default=None):
        yield f"{target} is no release on the way to {group.target}"
    if not list(_unreachable(catalog, catalog.releases[group.target], reading)):
        yield f"sent over {target}, and {group.target} is reached directly"


def _unreachable(catalog: Catalog, row: Release, reading: Reading) -> Iterator[str]:
    """Say why a cluster cannot go up to a release directly."""
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


def _illegal_level(
    catalog: Catalog, group: ClusterGroup, level: MetadataVersion, reading: Reading, *, between: bool
) -> Iterator[str]:
    for release in (reading.release, reading.highest):
        served = catalog.releases[release].metadata_version
        if served is None or served.level < level.level:
            yield f"{release} does not serve {level}"
    if reading.zookeeper or reading.metadata_version is None or reading.metadata_version.level >= level.level:
        yield f"{level} does not raise {reading.metadata_version}"
    declares = group.metadata_version
    if declares is Finalize.HOLD:
        yield "the group says metadataVersion: hold"
    if between:
        if level != catalog.metadata_floor_for_4x or group.target.major < 4 or reading.release.major >= 4:
            yield f"{level} is no level that anything on the way to {group.target} needs"
        if isinstance(declares, MetadataVersion) and level.level > declares.level:
            yield f"the group says metadataVersion: {declares}"
    elif level != level_of(catalog, group):
        yield f"{level} is not what the group declares"


def _illegal_downwards(book: Book, catalog: Catalog, entry: e.ClusterStarted, reading: Reading) -> Iterator[str]:
    """Say why a cluster may not go down: others took it up, or what was finalized since needs what it runs."""
    target = entry.target
    assert isinstance(target, KafkaVersion), entry
    taken, by = book.taken.get(entry.cluster, (target, ""))
    group = book.rollouts[entry.rollout].group
    if reading.highest > target and (taken < reading.highest or by != group):
        yield f"it runs {reading.highest}, and was taken to {taken} by {by or 'nobody'}, not by {group}"
    if reading.release < target:
        yield f"it runs {reading.release}, so {target} is no way down"
    if (target.major, target.minor) == (reading.release.major, reading.release.minor):
        return  # a broker of that very line is in the cluster, so it serves what is finalized
    served, level = catalog.releases[target].metadata_version, reading.metadata_version
    if level is None or (served is not None and level.level > served.level):
        yield f"metadata.version {level} does not allow {target}"
    ways = catalog.releases[reading.highest].kraft_from
    if ways is None or not ways[0] <= (target.major, target.minor) <= ways[1]:
        yield f"there is no way from {target} to {reading.highest} that could be gone back"


def level_of(catalog: Catalog, group: ClusterGroup) -> MetadataVersion | None:
    """Return the metadata.version that the group is to have in the end; None where it stays."""
    if isinstance(group.metadata_version, MetadataVersion):
        return group.metadata_version
    row = catalog.releases.get(group.target)
    return None if row is None or group.metadata_version is Finalize.HOLD else row.metadata_version


def order(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """No start before the groups in ``after`` have converged, or, for finalization, are finalized."""
    if not isinstance(entry, e.ClusterStarted) or way_of(book, entry) in ("back", "down"):
        return
    rollout = book.rollouts[entry.rollout]
    for name in declared(scene, rollout).after:
        other = scene.group(name)
        assert other is not None, name
        aim: Target | None = other.target
        if isinstance(entry.target, MetadataVersion):
            aim = level_of(scene.declaration.catalog, other)
        if aim is None or (way_of(book, entry) == "between" and _have(book, scene, other, entry.target)):
            continue
        yield from _behind(book, scene, other, aim, entry.target)


def _have(book: Book, scene: Scene, group: ClusterGroup, level: Target) -> bool:
    """Tell whether all of a group was seen with a level that lies on somebody's way."""
    members = members_of(book, group)
    late = [each for each in members if not runs(scene.reading(each), level) and not is_held(group, each, scene.now)]
    return bool(members) and not late


def _behind(book: Book, scene: Scene, other: ClusterGroup, aim: Target, target: Target) -> Iterator[str]:
    """Say why a group that goes first has not come to its ``aim``, as far as ``target`` needs it."""
    members = members_of(book, other)
    if not members:
        yield f"{other.name} has no clusters"
    if aim < target:  # type: ignore[operator]
        yield f"{other.name} declares less"
    if other.halted or book.open_stops(other.name, StopKind.HALT):
        yield f"{other.name} is halted"
    ever = {*book.converged, *book.passed}
    passed = any(
        scope == other.name and type(been) is type(target) and been >= target  # type: ignore[operator]
        for scope, been in ever
    )
    late = list(_late(book, scene, other, aim))
    if not passed and late:
        yield f"{other.name} has not converged: {late}"


def _late(book: Book, scene: Scene, group: ClusterGroup, aim: Target) -> Iterator[str]:
    """Yield the clusters that a group alone claims and that are not where they should be."""
    for cluster in sorted(members_of(book, group)):
        if not is_claimed_twice(book, scene, cluster) and not _is_through(book, scene, group, cluster, aim):
            yield cluster


def note_order(book: Book, scene: Scene) -> None:
    """Note which groups are through with their release, and their level: for it they then stay so."""
    for group in scene.declaration.groups:
        members = members_of(book, group)
        for aim in (group.target, level_of(scene.declaration.catalog, group)):
            if aim is not None and members and not list(_late(book, scene, group, aim)):
                book.passed.add((group.name, aim))


def _is_through(book: Book, scene: Scene, group: ClusterGroup, cluster: str, aim: Target) -> bool:
    """Tell whether one cluster of a group named under ``after`` is where it should be."""
    if is_held(group, cluster, scene.now):
        return True
    for rollout in book.rollouts.values():
        counts = isinstance(rollout.target, KafkaVersion) or isinstance(aim, MetadataVersion)
        if counts and rollout.group == group.name and rollout.outcome is None and cluster in rollout.clusters:
            return rollout.clusters[cluster].state == "soaked"
    stopped = any(stop.cluster == cluster for stop in book.open_stops(group.name))
    reading = scene.reading(cluster)
    if reading is None or stopped:
        return False
    return reading.release >= aim if isinstance(aim, KafkaVersion) else runs(reading, aim)


def finalize_last(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """A level is raised only with the whole group on its release, soaked, and quiet as long as is declared."""
    if not isinstance(entry, e.ClusterStarted) or way_of(book, entry) not in ("finalize", "between"):
        return
    group = declared(scene, book.rollouts[entry.rollout])
    if way_of(book, entry) == "between":
        if not _has_soaked(book, group.name, entry.cluster):
            yield "its level is raised before it has soaked"
        return
    yield from _not_whole(book, scene, group)
    release, since = book.whole_since.get(group.name, (None, scene.now))
    if release != group.target or scene.now < since + group.finalize_soak:
        yield f"{group.name} is whole on {release} only since {since}"


def _has_soaked(book: Book, group: str, cluster: str) -> bool:
    """Tell whether no wave of its own group still has to prove the cluster; who moved in is taken as it was found."""
    ours = [each for each in book.rollouts.values() if each.group == group]
    software = [each for each in ours if isinstance(each.target, KafkaVersion)]
    notes = [each.clusters[cluster] for each in software if each.outcome is None and cluster in each.clusters]
    return all(note.state in ("pending", "soaked") for note in notes)


def _not_whole(book: Book, scene: Scene, group: ClusterGroup) -> Iterator[str]:
    """Say who keeps the group from being whole on its release; what is held in Git does not count."""
    counts = [each for each in members_of(book, group) if not is_held(group, each, scene.now)]
    ours = [each for each in counts if not is_claimed_twice(book, scene, each)]
    for name in ours:
        if not runs(scene.reading(name), group.target):
            yield f"{name} shows {scene.reading(name)}"
        if any(stop.cluster == name for stop in book.open_stops(group.name)):
            yield f"{name} is stopped"
    for rollout in book.rollouts.values():
        if rollout.group == group.name and rollout.outcome is None and isinstance(rollout.target, KafkaVersion):
            for name, note in rollout.clusters.items():
                waits = note.state == "pending" and is_held(group, name, scene.now)
                if note.state != "soaked" and not waits:
                    yield f"{name} is on its way"


def note_whole(book: Book, scene: Scene) -> None:
    """Note since when each group is seen whole on its release."""
    for group in scene.declaration.groups:
        if book.whole_since.get(group.name, (None,))[0] not in (None, group.target):
            del book.whole_since[group.name]
        release, since = book.whole_since.get(group.name, (None, scene.now))
        if release is not None and since > scene.now:  # the clock stepped back; the time on either side counts
            book.whole_since[group.name] = (release, scene.now)
        known = group.name in book.whole_since or not members_of(book, group)
        if not known and not list(_not_whole(book, scene, group)):
            book.whole_since[group.name] = (group.target, scene.now)
