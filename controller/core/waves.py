"""Who is next: the order of clusters, the waves they fall into, and the tail wave for what could not go earlier.

The order is a hash of target and name: the same in every run, another for each release, so that the same team is
not always the canary. A wave may ask for labels, and is filled from all failure domains in turn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from itertools import zip_longest

from controller.history.records import ClusterState, RolloutRecord, WaveRecord, Way
from controller.model.declaration import ClusterGroup, Size, Wave
from controller.model.observation import ObservedCluster
from controller.versions import Target

TAIL = "tail"
"""The name of a wave made for what could not go in its own."""
FAILED_FIRST, REMAINING = "failed", "rest"
"""The names of the two waves in which a group goes down."""
_NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Terrain:
    """What waves need to know of the live fleet."""

    clusters: Mapping[str, ObservedCluster]
    domain: str | None = None
    """The label that names a cluster's failure domain; None where none is declared."""

    def labels_of(self, cluster: str) -> Mapping[str, str]:
        """Return the cluster's labels; none where no source lists it."""
        observed = self.clusters.get(cluster)
        return _NO_LABELS if observed is None else observed.labels

    def selected(self, names: tuple[str, ...], wanted: Mapping[str, str]) -> tuple[str, ...]:
        """Return those of ``names`` with all ``wanted`` labels; all where none has, since no wave is left out."""
        if not wanted:
            return names
        found = tuple(name for name in names if wanted.items() <= self.labels_of(name).items())
        return found or names

    def spread(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return ``names`` with their failure domains in turn; clusters without one are a domain of their own."""
        if self.domain is None:
            return names
        domains: dict[str, list[str]] = {}
        for name in names:
            domains.setdefault(self.labels_of(name).get(self.domain, ""), []).append(name)
        rounds = zip_longest(*domains.values())
        return tuple(name for each in rounds for name in each if name is not None)


@dataclass(frozen=True, slots=True)
class Pool:
    """Pending clusters that a wave may take, in order."""

    names: tuple[str, ...]
    """Never empty where any cluster waits for a wave."""
    spare: tuple[str, ...]
    """Clusters that take the places where each of ``names`` is held: a held cluster holds only itself."""
    size: int
    """How many of them it takes at most."""


@dataclass(frozen=True, slots=True)
class NextWave:
    """The wave that a rollout would admit next."""

    number: int
    name: str
    tail: bool
    definition: Wave
    """The declared wave whose rules it has; for a tail wave the last one."""
    pool: Pool


def order_of(target: Target, names: Iterable[str]) -> tuple[str, ...]:
    """Return ``names`` in the order in which waves take them."""
    return tuple(sorted(names, key=lambda name: sha256(f"{target} {name}".encode()).digest()))


def waves_of(way: Way, first: int, group: ClusterGroup) -> tuple[Wave, ...]:
    """Return the waves of a rollout: the declared ones, or on the way down the ``first`` clusters, then the rest."""
    if way is not Way.DOWN:
        return group.strategy.waves
    last = group.strategy.waves[-1]
    rest = replace(last, name=REMAINING, soak=timedelta(0), approval_required=False, select={})
    return (replace(rest, name=FAILED_FIRST, size=Size(count=first)), rest) if first else (rest,)


def split(
    names: Sequence[str], waves: Sequence[Wave], live: int, terrain: Terrain, first: int = 0
) -> tuple[tuple[Wave, tuple[str, ...]], ...]:
    """Deal ``names`` out to ``waves`` as they would go if nothing stood in their way; waves of nobody are left out.

    The first wave takes the ``first`` of them as they stand, if any: those that failed, on the way down.
    """
    dealt: list[tuple[Wave, tuple[str, ...]]] = []
    left = tuple(names)
    for wave in waves:
        spread = left[:first] if first and not dealt else terrain.spread(terrain.selected(left, wave.select))
        chosen = spread[: size_of(wave, live, len(left))]
        if chosen:
            dealt.append((wave, chosen))
            taken = set(chosen)
            left = tuple(name for name in left if name not in taken)
    return tuple(dealt)


def size_of(wave: Wave, live: int, left: int) -> int:
    """Return how many of ``left`` clusters the wave takes: its share of ``live``, rounded down, at least 1."""
    if wave.size.is_rest:
        return left
    return min(max(wave.size.of(live), 1), left)


def next_wave(rollout: RolloutRecord, group: ClusterGroup, terrain: Terrain) -> NextWave | None:
    """Return the wave to admit after those that were admitted; None where no cluster waits for one."""
    pending, tail = _pending(rollout)
    if not pending and not tail:
        return None
    number = len(rollout.waves) + 1
    declared = waves_of(rollout.way, rollout.first, group)
    index = sum(not wave.tail for wave in rollout.waves)
    if index < len(declared) and (pending or not rollout.waves):
        wave = declared[index]
        pool = _pool(rollout, wave, terrain, pending=pending, tail=tail)
        return NextWave(number, wave.name, tail=False, definition=wave, pool=pool)
    everybody = Pool(terrain.spread((*pending, *tail)), (), len(pending) + len(tail))
    return NextWave(number, TAIL, tail=True, definition=declared[-1], pool=everybody)


def pool_to_fill(rollout: RolloutRecord, wave: Wave, terrain: Terrain, *, tail: bool) -> Pool:
    """Return the pending clusters that an admitted wave of nobody may take."""
    pending, late = _pending(rollout)
    if tail:
        return Pool(terrain.spread((*pending, *late)), (), len(pending) + len(late))
    return _pool(rollout, wave, terrain, pending=pending, tail=late)


def _pool(
    rollout: RolloutRecord, wave: Wave, terrain: Terrain, *, pending: tuple[str, ...], tail: tuple[str, ...]
) -> Pool:
    """Return what a declared wave may take: where only the tail waits, as much of it as the wave is large."""
    names, spare = (pending, tail) if pending else (tail, ())
    failed = names[: rollout.first] if rollout.way is Way.DOWN and wave.name == FAILED_FIRST else ()
    chosen = failed or terrain.spread(terrain.selected(names, wave.select))
    if len(chosen) < len(names):
        others = set(chosen)
        spare = (*terrain.spread(tuple(name for name in names if name not in others)), *spare)
    return Pool(chosen, spare, size_of(wave, rollout.live, len(names)))


def _pending(rollout: RolloutRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the clusters that wait for a wave, those of the tail apart."""
    waiting = [
        (name, record.tail)
        for name, record in rollout.clusters.items()
        if record.state is ClusterState.PENDING and record.wave is None
    ]
    return tuple(name for name, tail in waiting if not tail), tuple(name for name, tail in waiting if tail)


def definition_of(wave: WaveRecord, rollout: RolloutRecord, group: ClusterGroup) -> Wave:
    """Return the present declaration of an admitted wave: by its name, else the last one's."""
    waves = waves_of(rollout.way, rollout.first, group)
    return next((each for each in waves if each.name == wave.name), waves[-1])


def waves_to_come(
    rollout: RolloutRecord, group: ClusterGroup, terrain: Terrain
) -> tuple[tuple[str, Wave, tuple[str, ...]], ...]:
    """Return name, rules and clusters of the waves not yet admitted, as they would go now."""
    pending, tail = _pending(rollout)
    if not rollout.waves and not pending:
        pending, tail = tail, ()
    declared = waves_of(rollout.way, rollout.first, group)
    index = sum(not wave.tail for wave in rollout.waves)
    dealt = split(pending, declared[index:], rollout.live, terrain, 0 if rollout.waves else rollout.first)
    placed = {name for _, names in dealt for name in names}
    coming = [(wave.name, wave, names) for wave, names in dealt]
    rest = tuple(name for name in (*pending, *tail) if name not in placed)
    if rest:
        coming.append((TAIL, declared[-1], rest))
    return tuple(coming)
