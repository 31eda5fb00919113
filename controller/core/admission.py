"""Who may start in this cycle: waves that are under way are refilled, and at most one new wave is admitted.

Refills go before admissions; among admissions the longest waiting goes first, then the name. A wave is admitted in
the cycle in which one of its clusters starts, and takes the next pending clusters that nothing holds; what is held
goes to the tail wave.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.core.draft import Draft
from controller.core.gates.limits import free_slots, limits
from controller.core.questions import (
    cluster_answers,
    fleet_answers,
    group_answers,
    halt_answer,
    holds_of,
    lifetime_of_start,
    refill_answer,
    wave_answers,
)
from controller.core.waves import NextWave, Pool, definition_of, next_wave, pool_to_fill
from controller.model.declaration import ClusterGroup, Wave
from controller.model.entries import ClusterSetAside, ClusterStarted, WaveAdmitted, WaveFilled
from controller.model.history import ClusterState, RolloutRecord, WaveRecord
from controller.model.observation import Reading
from controller.model.plan import Start
from controller.model.verdict import Hold, HoldReason

_WAITS_A_CYCLE = (HoldReason.NOT_OBSERVED,)
READ_AHEAD = 10
"""Clusters read in full beyond the free slots, so that one that is held does not cost a cycle."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Clusters of one wave in order, told apart by their gates."""

    able: tuple[str, ...] = ()
    """Nothing holds them, but perhaps that they were not read in full in this cycle."""
    ready: tuple[str, ...] = ()
    """Nothing holds them."""
    holds: tuple[Hold, ...] = ()
    """Every hold of every other one, with its cluster."""

    @property
    def held(self) -> tuple[str, ...]:
        """Clusters that something holds, in order, each once."""
        able = set(self.able)
        return tuple(dict.fromkeys(hold.cluster for hold in self.holds if hold.cluster and hold.cluster not in able))


@dataclass(slots=True)
class Turn:
    """One group's rollout in this cycle: what it would start, and what holds it."""

    group: ClusterGroup
    rollout: int
    wave: Wave
    holds: tuple[Hold, ...]
    """Of the fleet, the group and the wave."""
    candidates: Candidates
    next: NextWave | None = None
    """The wave to admit; None where an admitted wave is refilled."""
    waiting_since: datetime | None = None
    started: list[str] = field(default_factory=list)

    @property
    def all_holds(self) -> tuple[Hold, ...]:
        """Every hold of this turn."""
        return (*self.holds, *self.candidates.holds)


@dataclass(frozen=True, slots=True)
class Admission:
    """What this cycle starts, and what holds the rest."""

    starts: tuple[Start, ...]
    turns: Mapping[str, Turn]
    """By group; groups without a running rollout have none."""
    watch: frozenset[str]
    """Clusters that the next cycle should read in full, beside those in motion."""


def admit(draft: Draft) -> Admission:
    """Start what may start, and say why the rest may not."""
    fleet = holds_of(fleet_answers(draft))
    turns = {}
    for group in draft.groups.values():
        rollout = draft.running(group.name)
        if rollout is not None:
            turns[group.name] = _turn(draft, group, rollout, fleet)
    starts: list[Start] = []
    for turn in turns.values():
        if turn.next is None and turn.candidates.able:
            starts.extend(_start(draft, turn))
    admissions = sorted(
        (turn for turn in turns.values() if turn.next is not None),
        key=lambda turn: (turn.waiting_since or draft.now, turn.group.name),
    )
    admitted: str | None = None
    for turn in admissions:
        if admitted is not None and turn.candidates.ready and not turn.holds:
            turn.holds = (Hold(HoldReason.OTHER_WAVE_FIRST, f"{admitted} admits a wave in this cycle"),)
        starts.extend(_start(draft, turn))
        if turn.started and admitted is None:
            admitted = turn.group.name
    return Admission(tuple(starts), turns, frozenset(_read_ahead(draft, turns.values())))


def _read_ahead(draft: Draft, turns: Iterable[Turn]) -> Iterator[str]:
    """Yield who is next to start, and who was read and is held: out of sight it would be taken for able again."""
    for turn in turns:
        names = (*turn.candidates.able, *turn.candidates.held)
        yield from names[: turn.wave.max_in_flight + READ_AHEAD]
        for name in turn.candidates.held:
            reading = draft.reading(name)
            if isinstance(reading, Reading) and reading.full:
                yield name


def _turn(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, fleet: tuple[Hold, ...]) -> Turn:
    shared = (*fleet, *holds_of(group_answers(draft, group)))
    wave = rollout.wave
    if wave is not None and wave.soaked_at is None:
        rollout = _mend_wave(draft, group, rollout, wave)
        waiting = [name for name, record in rollout.members(wave.number) if record.state is ClusterState.PENDING]
        if waiting:
            definition = definition_of(wave, group)
            holds = (*shared, *holds_of((refill_answer(draft, group, rollout, definition),)))
            return Turn(group, rollout.id, definition, holds, _judge(draft, group, rollout, waiting, len(waiting)))
    coming = next_wave(rollout, group)
    if coming is None:
        definition = group.strategy.waves[-1] if wave is None else definition_of(wave, group)
        soak, _ = wave_answers(draft, group, rollout, definition)
        holds = holds_of((halt_answer(draft, group), soak)) or tuple(_unread(draft))
        return Turn(group, rollout.id, definition, holds, Candidates())
    holds = (*shared, *holds_of(wave_answers(draft, group, rollout, coming.definition)))
    candidates = _choose(draft, group, rollout, coming.pool)
    waiting_since = rollout.planned_at if wave is None else wave.soaked_at
    return Turn(group, rollout.id, coming.definition, holds, candidates, coming, waiting_since)


def _unread(draft: Draft) -> Iterator[Hold]:
    """Yield what keeps a rollout from its end once its waves have soaked: whose clusters are not read, nobody knows."""
    for source in draft.unlisted:
        why = draft.snapshot.observation.unreachable[source]
        yield Hold(HoldReason.NOT_OBSERVED, f"source {source} was not read since this process started: {why}")


def _mend_wave(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, wave: WaveRecord) -> RolloutRecord:
    """Move held clusters of an admitted wave to the tail, and fill the wave again if nobody is left in it."""
    for name, record in tuple(rollout.members(wave.number)):
        if record.state is ClusterState.PENDING:
            for hold in holds_of(cluster_answers(draft, group, rollout, name)):
                if hold.reason is HoldReason.CLUSTER_HELD:
                    draft.add(ClusterSetAside(rollout.id, name, hold.detail))
                    break
    rollout = draft.recall.rollouts[rollout.id]
    if all(record.state is ClusterState.QUARANTINED for _, record in rollout.members(wave.number)):
        definition = definition_of(wave, group)
        able = _choose(draft, group, rollout, pool_to_fill(rollout, definition, tail=wave.tail)).able
        if able:
            draft.add(WaveFilled(rollout.id, wave.number, able))
    return draft.recall.rollouts[rollout.id]


def _choose(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, pool: Pool) -> Candidates:
    """Ask the gates of the pool's clusters; where none of them is able to start, of those that take their places."""
    chosen = _judge(draft, group, rollout, pool.names, pool.size)
    if chosen.able or not pool.spare:
        return chosen
    spare = _judge(draft, group, rollout, pool.spare, pool.size)
    return Candidates(spare.able, spare.ready, (*chosen.holds, *spare.holds))


def _judge(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, pool: Iterable[str], size: int) -> Candidates:
    """Ask the gates of each cluster until ``size`` of them are able to start."""
    able: list[str] = []
    ready: list[str] = []
    held: list[Hold] = []
    for name in pool:
        if len(able) == size:
            break
        holds = holds_of(cluster_answers(draft, group, rollout, name))
        held.extend(hold.of(name) for hold in holds)
        if not holds:
            ready.append(name)
            able.append(name)
        elif _was_seen(draft, name) and all(hold.reason in _WAITS_A_CYCLE for hold in holds):
            able.append(name)
    return Candidates(tuple(able), tuple(ready), tuple(held))


def _was_seen(draft: Draft, name: str) -> bool:
    return isinstance(draft.reading(name), Reading)


def _start(draft: Draft, turn: Turn) -> list[Start]:
    """Start as many ready clusters of the turn as there are free slots; admit its wave first, if that is new."""
    if turn.holds or not turn.candidates.ready:
        return []
    counts = {
        "fleet": draft.in_flight_count(),
        "fleet_max": draft.snapshot.declaration.limits.clusters_in_flight,
        "group": draft.in_flight_count(turn.group.name),
        "wave_max": turn.wave.max_in_flight,
    }
    verdict = limits(**counts)
    if isinstance(verdict, Hold):
        turn.holds = (verdict,)
        return []
    names = turn.candidates.ready[: free_slots(**counts)]
    turn.started.extend(names)
    if draft.snapshot.observe_only:
        return []
    if turn.next is not None:
        _admit_wave(draft, turn, turn.next)
    return [_start_cluster(draft, turn, name) for name in names]


def _admit_wave(draft: Draft, turn: Turn, wave: NextWave) -> None:
    reasons = {hold.cluster: hold for hold in reversed(turn.candidates.holds)}
    records = draft.recall.rollouts[turn.rollout].clusters
    for name in turn.candidates.held:
        if not records[name].tail:
            draft.add(ClusterSetAside(turn.rollout, name, reasons[name].detail))
    members = turn.candidates.able
    draft.add(WaveAdmitted(turn.rollout, turn.group.name, wave.number, wave.name, wave.tail, members))


def _start_cluster(draft: Draft, turn: Turn, name: str) -> Start:
    reading = draft.reading(name)
    assert isinstance(reading, Reading), (name, reading)
    assert reading.full, (name, reading)
    rollout = draft.recall.rollouts[turn.rollout]
    start = Start(
        rollout=rollout.id,
        group=turn.group.name,
        cluster=name,
        kind=rollout.kind,
        release_from=reading.release,
        target=rollout.target,
        token=reading.token,
        expires_at=draft.now + lifetime_of_start(draft.snapshot.poll_interval, draft.snapshot.write_limit),
        fleet=draft.snapshot.declaration.fleet,
    )
    draft.add(ClusterStarted(rollout.id, name, start.release_from, start.target, start.token, start.expires_at))
    draft.take_slot(turn.group.name, name)
    return start
