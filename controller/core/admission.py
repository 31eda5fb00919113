"""Who may start in this cycle: waves that are under way are refilled, and at most one new wave is admitted.

Refills go before admissions; among admissions what goes down, then what is expedited, then the longest waiting, then
the name. A wave is admitted in the cycle in which one of its clusters starts, and takes the next pending clusters
that nothing holds; what is held goes to the tail wave.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from controller.core.draft import Draft
from controller.core.gates.limits import free_slots, limits
from controller.core.gates.together import together
from controller.core.progress import overdue
from controller.core.questions import (
    busy_twins,
    cluster_answers,
    domain_answer,
    fleet_answers,
    group_answers,
    halt_answer,
    holds_of,
    refill_answer,
    wave_answers,
    whole_answer,
)
from controller.core.starts import send_back, start_cluster
from controller.core.urgency import expedited
from controller.core.waves import NextWave, Pool, definition_of, next_wave, pool_to_fill, waves_of
from controller.history.entries import ClusterSetAside, WaveAdmitted, WaveFilled
from controller.history.records import ClusterState, RolloutRecord, WaveRecord, Way
from controller.model.declaration import ClusterGroup, Wave
from controller.model.observation import Reading
from controller.model.plan import Start
from controller.model.verdict import Hold, HoldReason

Ask = Callable[[str], tuple[Hold, ...]]

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
    """One rollout in this cycle: what it would start, and what holds it."""

    group: ClusterGroup
    rollout: RolloutRecord
    wave: Wave
    holds: tuple[Hold, ...]
    """Of the fleet, the group and the wave."""
    candidates: Candidates
    next: NextWave | None = None
    """The wave to admit; None where an admitted wave is refilled."""
    rank: tuple[bool, bool, datetime, str] | None = None
    """Among the waves to admit, the lowest goes first."""
    started: list[str] = field(default_factory=list)

    @property
    def all_holds(self) -> tuple[Hold, ...]:
        """Every hold of this turn."""
        return (*self.holds, *self.candidates.holds)


@dataclass(frozen=True, slots=True)
class Admission:
    """What this cycle starts, and what holds the rest."""

    starts: tuple[Start, ...]
    turns: Mapping[int, Turn]
    """By running rollout."""
    watch: frozenset[str]
    """Clusters that the next cycle should read in full, beside those in motion."""
    returns: Mapping[str, tuple[Hold, ...]] = field(default_factory=dict)
    """By group: what holds clusters that should go back to where they came from."""

    def turn_of(self, rollout: RolloutRecord | None) -> Turn | None:
        """Return the rollout's turn; None where it does not run."""
        return None if rollout is None else self.turns.get(rollout.id)


def admit(draft: Draft) -> Admission:
    """Start what may start, and say why the rest may not."""
    returns = send_back(draft)
    turns = {turn.rollout.id: turn for turn in _turns(draft)}
    starts: list[Start] = [*returns.starts]
    for turn in turns.values():
        if turn.next is None and turn.candidates.able:
            starts.extend(_start(draft, turn))
    admitted: str | None = None
    for turn in sorted((turn for turn in turns.values() if turn.rank), key=lambda turn: turn.rank or ()):
        if admitted is not None and turn.candidates.ready and not turn.holds:
            turn.holds = (Hold(HoldReason.OTHER_WAVE_FIRST, f"{admitted} admits a wave in this cycle"),)
        starts.extend(_start(draft, turn))
        if turn.started and admitted is None:
            admitted = turn.group.name
    watch = frozenset(_read_ahead(draft, turns.values()))
    return Admission(tuple(starts), turns, watch, returns.holds)


def _turns(draft: Draft) -> Iterator[Turn]:
    holds = {downwards: holds_of(fleet_answers(draft, downwards=downwards)) for downwards in (False, True)}
    for group in draft.groups.values():
        for finalizing in (False, True):
            rollout = draft.running(group.name, finalizing=finalizing)
            if rollout is not None:
                yield _turn(draft, group, rollout, holds[rollout.way is Way.DOWN])


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
    shared = (*fleet, *holds_of(group_answers(draft, group, rollout)))
    ask = _asker(draft, group, rollout)
    wave = rollout.wave
    if wave is not None and wave.soaked_at is None:
        rollout = _mend_wave(draft, group, rollout, wave, ask)
        waiting = [name for name, record in rollout.members(wave.number) if record.state is ClusterState.PENDING]
        if waiting:
            definition = definition_of(wave, rollout, group)
            late = overdue(draft, group, rollout)
            holds = (*shared, *holds_of((refill_answer(draft, group, rollout, definition),)), *late)
            return Turn(group, rollout, definition, holds, _judge(draft, ask, waiting, len(waiting)))
    coming = next_wave(rollout, group, draft.terrain)
    if coming is None:
        return _last_turn(draft, group, rollout)
    holds = (*shared, *holds_of(wave_answers(draft, group, rollout, coming.definition)))
    candidates = _choose(draft, ask, coming.pool)
    since = wave.soaked_at if wave is not None and wave.soaked_at is not None else rollout.planned_at
    rank = (rollout.way is not Way.DOWN, not expedited(draft, group, rollout), since, group.name)
    return Turn(group, rollout, coming.definition, holds, candidates, coming, rank)


def _last_turn(draft: Draft, group: ClusterGroup, rollout: RolloutRecord) -> Turn:
    """Return the turn of a rollout in which nobody waits: it is told what keeps it from its end."""
    wave = rollout.wave
    declared = waves_of(rollout.way, rollout.first, group)
    definition = declared[-1] if wave is None else definition_of(wave, rollout, group)
    soak, _ = wave_answers(draft, group, rollout, definition)
    asked = [halt_answer(draft, group), soak]
    if rollout.way is Way.FINALIZE:
        asked.append(whole_answer(draft, group))
    holds = holds_of(tuple(asked)) or tuple(_unread(draft))
    return Turn(group, rollout, definition, holds, Candidates())


def _unread(draft: Draft) -> Iterator[Hold]:
    """Yield what keeps a rollout from its end once its waves have soaked: whose clusters are not read, nobody knows."""
    for source in draft.unlisted:
        why = draft.snapshot.observation.unreachable[source]
        yield Hold(HoldReason.NOT_OBSERVED, f"source {source} was not read since this process started: {why}")


def _asker(draft: Draft, group: ClusterGroup, rollout: RolloutRecord) -> Ask:
    """Return what asks the gates of a cluster of the rollout, of each once a turn, and tells what holds it."""
    return cache(lambda name: holds_of(cluster_answers(draft, group, rollout, name)))


def _mend_wave(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, wave: WaveRecord, ask: Ask) -> RolloutRecord:
    """Move held clusters of an admitted wave to the tail, and fill the wave again if nobody is left in it."""
    members = tuple(rollout.members(wave.number))
    waiting = {name: ask(name) for name, record in members if record.state is ClusterState.PENDING}
    # Where all that is left of a wave waits for twins, these may wait for those of it that have converged.
    twinned = all(_first(holds, HoldReason.NEVER_TOGETHER) for holds in waiting.values())
    in_vain = (HoldReason.NEVER_TOGETHER,) if twinned and not any(record.holds_slot for _, record in members) else ()
    for name, holds in waiting.items():
        hold = _first(holds, HoldReason.CLUSTER_HELD, *in_vain)
        if hold is not None:
            draft.add(ClusterSetAside(rollout.id, name, hold.detail))
    rollout = draft.recall.rollouts[rollout.id]
    if all(record.state is ClusterState.QUARANTINED for _, record in rollout.members(wave.number)):
        definition = definition_of(wave, rollout, group)
        pool = pool_to_fill(rollout, definition, draft.terrain, tail=wave.tail)
        able = _choose(draft, ask, pool).able
        if able:
            draft.add(WaveFilled(rollout.id, wave.number, able))
    return draft.recall.rollouts[rollout.id]


def _first(holds: Iterable[Hold], *reasons: HoldReason) -> Hold | None:
    return next((hold for hold in holds if hold.reason in reasons), None)


def _choose(draft: Draft, ask: Ask, pool: Pool) -> Candidates:
    """Ask the gates of the pool's clusters; where none of them is able to start, of those that take their places."""
    chosen = _judge(draft, ask, pool.names, pool.size)
    if chosen.able or not pool.spare:
        return chosen
    spare = _judge(draft, ask, pool.spare, pool.size)
    return Candidates(spare.able, spare.ready, (*chosen.holds, *spare.holds))


def _judge(draft: Draft, ask: Ask, pool: Iterable[str], size: int) -> Candidates:
    """Ask the gates of each cluster until ``size`` of them are able to start, no two of a never-together set."""
    able: dict[str, bool] = {}
    held: list[Hold] = []
    shared: dict[tuple[str, str], str] = {}
    for name in pool:
        if len(able) == size:
            break
        holds = ask(name)
        twins = [
            (label, value, shared[label, value]) for label, value in draft.shares(name) if (label, value) in shared
        ]
        if twins:
            twin = together((label, value, draft.short(other)) for label, value, other in twins)
            holds = (*holds, *((twin,) if isinstance(twin, Hold) else ()))
        held.extend(hold.of(name) for hold in holds)
        if not holds or (_was_seen(draft, name) and all(hold.reason in _WAITS_A_CYCLE for hold in holds)):
            able[name] = not holds
            shared.update(dict.fromkeys(draft.shares(name), name))
    return Candidates(tuple(able), tuple(name for name, ready in able.items() if ready), tuple(held))


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
    free, starts, full = free_slots(**counts), [], []
    for name in turn.candidates.ready:
        if len(turn.started) == free:
            break
        no_room = no_room_for(draft, name)
        if no_room is not None:
            full.append(no_room.of(name))
            continue
        if turn.next is not None and not turn.started and not draft.snapshot.observe_only:
            _admit_wave(draft, turn, turn.next)
        turn.started.append(name)
        if not draft.snapshot.observe_only:
            starts.append(start_cluster(draft, turn.rollout, name, turn.rollout.target))
    if not turn.started:
        turn.holds = tuple(full)
    return starts


def no_room_for(draft: Draft, name: str) -> Hold | None:
    """Return what keeps the cluster from starting now that others of this cycle have: its domains, and its twins."""
    for verdict in (domain_answer(draft, name), together(busy_twins(draft, name))):
        if isinstance(verdict, Hold):
            return verdict
    return None


def _admit_wave(draft: Draft, turn: Turn, wave: NextWave) -> None:
    reasons = {hold.cluster: hold for hold in reversed(turn.candidates.holds)}
    rollout = draft.recall.rollouts[turn.rollout.id]
    for name in turn.candidates.held:
        if not rollout.clusters[name].tail:
            draft.add(ClusterSetAside(rollout.id, name, reasons[name].detail))
    members = turn.candidates.able
    draft.add(WaveAdmitted(rollout.id, turn.group.name, wave.number, wave.name, wave.tail, members))
