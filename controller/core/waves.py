"""Who is next: the order of clusters, the waves they fall into, and the tail wave for what could not go earlier.

The order is a hash of target and name: the same in every run, another for each release, so that the same team is
not always the canary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from controller.model.declaration import ClusterGroup, Wave
from controller.model.history import ClusterState, RolloutRecord, WaveRecord
from controller.model.versions import Target

TAIL = "tail"
"""The name of a wave made for what could not go in its own."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Pending clusters that a wave may take, in order."""

    names: tuple[str, ...]
    """Never empty where any cluster waits for a wave."""
    spare: tuple[str, ...]
    """Clusters of the tail that take the places where each of ``names`` is held: a held cluster holds only itself."""
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


def split(names: Sequence[str], waves: Sequence[Wave], live: int) -> tuple[tuple[Wave, tuple[str, ...]], ...]:
    """Deal ``names`` out to ``waves`` as they would go if nothing stood in their way; waves of nobody are left out."""
    dealt, taken = [], 0
    for wave in waves:
        size = size_of(wave, live, len(names) - taken)
        if size:
            dealt.append((wave, tuple(names[taken : taken + size])))
        taken += size
    return tuple(dealt)


def size_of(wave: Wave, live: int, left: int) -> int:
    """Return how many of ``left`` clusters the wave takes: its share of ``live``, rounded down, at least 1."""
    if wave.size.is_rest:
        return left
    return min(max(wave.size.of(live), 1), left)


def next_wave(rollout: RolloutRecord, group: ClusterGroup) -> NextWave | None:
    """Return the wave to admit after those that were admitted; None where no cluster waits for one."""
    pending, tail = _pending(rollout)
    if not pending and not tail:
        return None
    number = len(rollout.waves) + 1
    declared = group.strategy.waves
    index = sum(not wave.tail for wave in rollout.waves)
    if index < len(declared) and (pending or not rollout.waves):
        wave = declared[index]
        return NextWave(number, wave.name, tail=False, definition=wave, pool=_pool(rollout, wave, pending, tail))
    everybody = Pool((*pending, *tail), (), len(pending) + len(tail))
    return NextWave(number, TAIL, tail=True, definition=declared[-1], pool=everybody)


def pool_to_fill(rollout: RolloutRecord, wave: Wave, *, tail: bool) -> Pool:
    """Return the pending clusters that an admitted wave of nobody may take."""
    pending, late = _pending(rollout)
    return Pool((*pending, *late), (), len(pending) + len(late)) if tail else _pool(rollout, wave, pending, late)


def _pool(rollout: RolloutRecord, wave: Wave, pending: tuple[str, ...], tail: tuple[str, ...]) -> Pool:
    """Return what a declared wave may take: where only the tail waits, as much of it as the wave is large."""
    names, spare = (pending, tail) if pending else (tail, ())
    return Pool(names, spare, size_of(wave, rollout.live, len(names)))


def _pending(rollout: RolloutRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the clusters that wait for a wave, those of the tail apart."""
    waiting = [(name, record.tail) for name, record in rollout.clusters.items() if _waits(record.state, record.wave)]
    return tuple(name for name, tail in waiting if not tail), tuple(name for name, tail in waiting if tail)


def _waits(state: ClusterState, wave: int | None) -> bool:
    return state is ClusterState.PENDING and wave is None


def definition_of(wave: WaveRecord, group: ClusterGroup) -> Wave:
    """Return the present declaration of an admitted wave: by its name, else the last one's."""
    waves = group.strategy.waves
    return next((each for each in waves if each.name == wave.name), waves[-1])


def waves_to_come(rollout: RolloutRecord, group: ClusterGroup) -> tuple[tuple[str, Wave, tuple[str, ...]], ...]:
    """Return name, rules and clusters of the waves not yet admitted, as they would go now."""
    pending, tail = _pending(rollout)
    if not rollout.waves and not pending:
        pending, tail = tail, ()
    index = sum(not wave.tail for wave in rollout.waves)
    dealt = split(pending, group.strategy.waves[index:], rollout.live)
    placed = {name for _, names in dealt for name in names}
    coming = [(wave.name, wave, names) for wave, names in dealt]
    rest = tuple(name for name in (*pending, *tail) if name not in placed)
    if rest:
        coming.append((TAIL, group.strategy.waves[-1], rest))
    return tuple(coming)
