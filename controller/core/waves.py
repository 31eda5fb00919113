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
class NextWave:
    """The wave that a rollout would admit next."""

    number: int
    name: str
    tail: bool
    definition: Wave
    """The declared wave whose rules it has; for a tail wave the last one."""
    pool: tuple[str, ...]
    """Pending clusters that it may take, in order; never empty."""
    size: int
    """How many of them it takes at most."""


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
    pending = [name for name, record in rollout.clusters.items() if _waits(record.state, record.wave)]
    if not pending:
        return None
    number = len(rollout.waves) + 1
    declared = group.strategy.waves
    index = sum(not wave.tail for wave in rollout.waves)
    pool = [name for name in pending if not rollout.clusters[name].tail]
    if pool and index < len(declared):
        wave = declared[index]
        size = size_of(wave, rollout.live, len(pool))
        return NextWave(number, wave.name, tail=False, definition=wave, pool=tuple(pool), size=size)
    last = declared[-1]
    return NextWave(number, TAIL, tail=True, definition=last, pool=tuple(pending), size=len(pending))


def pool_to_fill(rollout: RolloutRecord, wave: Wave, *, tail: bool) -> tuple[tuple[str, ...], int]:
    """Return the pending clusters that an admitted wave of nobody may take, in order, and how many of them."""
    pending = tuple(name for name, record in rollout.clusters.items() if _waits(record.state, record.wave))
    pool = tuple(name for name in pending if not rollout.clusters[name].tail)
    if tail or not pool:
        return pending, len(pending)
    return pool, size_of(wave, rollout.live, len(pool))


def _waits(state: ClusterState, wave: int | None) -> bool:
    return state is ClusterState.PENDING and wave is None


def definition_of(wave: WaveRecord, group: ClusterGroup) -> Wave:
    """Return the present declaration of an admitted wave: by its name, else the last one's."""
    waves = group.strategy.waves
    return next((each for each in waves if each.name == wave.name), waves[-1])


def waves_to_come(rollout: RolloutRecord, group: ClusterGroup) -> tuple[tuple[str, Wave, tuple[str, ...]], ...]:
    """Return name, rules and clusters of the waves not yet admitted, as they would go now."""
    pending = [name for name, record in rollout.clusters.items() if _waits(record.state, record.wave)]
    pool = [name for name in pending if not rollout.clusters[name].tail]
    index = sum(not wave.tail for wave in rollout.waves)
    dealt = split(pool, group.strategy.waves[index:], rollout.live)
    placed = {name for _, names in dealt for name in names}
    coming = [(wave.name, wave, names) for wave, names in dealt]
    rest = tuple(name for name in pending if name not in placed)
    if rest:
        coming.append((TAIL, group.strategy.waves[-1], rest))
    return tuple(coming)
