"""How long rollouts must take at least, whoever plans them: what our own waiting is measured against.

It shares no code with the core and knows nothing of gates or cycles. An upgrade occupies its slot for as long as its
brokers take and its samples after that; a wave begins when the one before it has soaked, in an open window; a group
begins when those in its ``after`` have ended. The bound is the larger of

- *chain*: the longest chain of waves, each as long as its longest upgrade or, where its slots are fewer than its
  clusters, as its upgrades need in those slots and in open windows, and of their soaks, and
- *work*: for every set of waves that cannot begin before some moment and after which at least some time must pass, the
  upgrades of all of them in the fleet's slots, in open windows, and that time.

Holds, faults, approvals and the poll's own granularity are left out: they are no necessity of the declaration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from controller.simulate.openings import Openings

SETS_MAX = 50
"""Sets of waves of which the work is looked at closely."""
ALWAYS = Openings()
_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class BoundWave:
    """A wave: how long each of its upgrades occupies a slot, in how many slots, and its soak."""

    upgrades: tuple[timedelta, ...]
    """Never empty."""
    slots: int
    soak: timedelta


@dataclass(frozen=True, slots=True)
class BoundRollout:
    """A rollout, and what it has to wait for."""

    begin: datetime
    """When it was planned."""
    waves: tuple[BoundWave, ...]
    openings: Openings = ALWAYS
    after: tuple[int, ...] = ()
    """The rollouts that have to end first."""
    follows: int | None = None
    """The rollout after whose end it was planned, so that it is no later than that needs to be."""
    pause: timedelta = _NONE
    """How long after that end."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The shortest times in which the rollouts could have been brought to their ends."""

    rollouts: Mapping[int, timedelta]
    """By rollout, alone in the fleet: from when it was planned to its end."""
    fleet: timedelta
    """From when the first was planned to when the last ended."""


def bounds(rollouts: Mapping[int, BoundRollout], fleet_slots: int) -> Bounds:
    """Return the lower bounds of ``rollouts``, of which at most ``fleet_slots`` clusters are in flight at a time."""
    if not rollouts:
        return Bounds({}, _NONE)
    ends = _Ends(rollouts)
    first = min(rollout.begin for rollout in rollouts.values())
    alone = {
        number: ends.chain(rollout, ends.ready(rollout, rollout.begin)) - rollout.begin
        for number, rollout in rollouts.items()
    }
    chain = max(ends.of(number) for number in rollouts)
    return Bounds(alone, max(chain, _work(rollouts, ends, fleet_slots, first)) - first)


class _Ends:
    """When each rollout could have ended at the earliest."""

    def __init__(self, rollouts: Mapping[int, BoundRollout]) -> None:
        self._rollouts = rollouts
        self._ends: dict[int, datetime] = {}
        self.begins: dict[int, list[datetime]] = {}
        """By rollout: when each of its waves could have begun."""

    def of(self, number: int) -> datetime:
        if number not in self._ends:
            rollout = self._rollouts[number]
            begin = rollout.begin if rollout.follows is None else self.of(rollout.follows) + rollout.pause
            begins: list[datetime] = []
            self._ends[number] = self.chain(rollout, self.ready(rollout, begin), begins)
            self.begins[number] = begins
        return self._ends[number]

    def ready(self, rollout: BoundRollout, begin: datetime) -> datetime:
        """Return when its first wave may begin: at ``begin``, or once those have ended that it waits for."""
        return max([begin, *(self.of(number) for number in rollout.after)])

    def chain(self, rollout: BoundRollout, begin: datetime, begins: list[datetime] | None = None) -> datetime:
        """Return the end of waves one after another from ``begin`` on; ``begins`` takes when each may begin."""
        for wave in rollout.waves:
            if begins is not None:
                begins.append(begin)
            begin = done_at(begin, rollout.openings, wave.upgrades, wave.slots) + wave.soak
        return begin


def done_at(since: datetime, openings: Openings, upgrades: Sequence[timedelta], slots: int) -> datetime:
    """Return when ``upgrades`` can be over at the earliest that start from ``since`` on, in open times and slots."""
    longest, shortest = max(upgrades), min(upgrades)
    work, count = sum(upgrades, _NONE), len(upgrades)
    earliest = since
    for number, (begin, end) in enumerate(openings.spans(since)):
        if number == 0:
            earliest = begin + _rounds(upgrades, slots)
        if end is None:
            return max(earliest, begin + work / slots, begin + ceil(count / slots) * shortest)
        # What starts in this span: in each slot one after another, the last of them just before it closes.
        starts = slots * (ceil((end - begin) / shortest) if shortest else count)
        room = min(slots * (end - begin + longest), starts * longest)
        if work <= room and count <= starts:
            return max(earliest, begin + work / slots, begin + ceil(count / slots) * shortest)
        work, count = max(work - room, _NONE), max(count - starts, 1)
        earliest = max(earliest, end)
    return earliest


def _rounds(upgrades: Sequence[timedelta], slots: int) -> timedelta:
    """Return how long the longest upgrades need one after another: of so many, some slot takes that many in turn."""
    ordered = sorted(upgrades, reverse=True)
    return max(ceil(number / slots) * upgrade for number, upgrade in enumerate(ordered, start=1))


@dataclass(frozen=True, slots=True)
class _Body:
    """A wave as the fleet's slots see it."""

    head: datetime
    """It cannot begin before."""
    tail: timedelta
    """So much must pass after its last upgrade."""
    upgrades: tuple[timedelta, ...]


def _work(rollouts: Mapping[int, BoundRollout], ends: _Ends, slots: int, first: datetime) -> datetime:
    """Return the latest end that the fleet's slots allow for any set of waves."""
    openings = Openings(tuple({cal: None for rollout in rollouts.values() for cal in rollout.openings.calendars}))
    bodies = sorted(_bodies(rollouts, ends), key=lambda body: body.head)
    latest = first
    if not bodies:
        return latest
    for head, tail in _promising(bodies, slots):
        upgrades = [each for body in bodies if body.head >= head and body.tail >= tail for each in body.upgrades]
        latest = max(latest, done_at(head, openings, upgrades, slots) + tail)
    return latest


def _promising(bodies: Sequence[_Body], slots: int) -> list[tuple[datetime, timedelta]]:
    """Return head and tail of the sets that bound the end best if nothing ever closed; never none."""
    sizes = [sum(body.upgrades, _NONE) for body in bodies]
    rated = []
    for tail in {body.tail for body in bodies}:
        work = _NONE
        for body, size in zip(reversed(bodies), reversed(sizes), strict=True):
            if body.tail >= tail:
                work += size
                rated.append((body.head + work / slots + tail, body.head, tail))
    best = sorted(rated, reverse=True)[:SETS_MAX]
    everything = (bodies[0].head, min(body.tail for body in bodies))
    return list(dict.fromkeys([*((head, tail) for _, head, tail in best), everything]))


def _bodies(rollouts: Mapping[int, BoundRollout], ends: _Ends) -> Sequence[_Body]:
    tails = _tails(rollouts)
    bodies = []
    for number, rollout in rollouts.items():
        after = tails[number]
        for wave, head in zip(reversed(rollout.waves), reversed(ends.begins[number]), strict=True):
            after += wave.soak
            bodies.append(_Body(head, after, wave.upgrades))
            after += max(wave.upgrades)
    return bodies


def _tails(rollouts: Mapping[int, BoundRollout]) -> dict[int, timedelta]:
    """Return what must pass after the end of each rollout, for those that wait for it."""
    waiting: dict[int, list[tuple[int, timedelta]]] = {number: [] for number in rollouts}
    for number, rollout in rollouts.items():
        for other in rollout.after:
            waiting[other].append((number, _NONE))
        if rollout.follows is not None:
            waiting[rollout.follows].append((number, rollout.pause))
    tails: dict[int, timedelta] = {}

    def tail(number: int) -> timedelta:
        if number not in tails:
            later = (pause + _length(rollouts[each]) + tail(each) for each, pause in waiting[number])
            tails[number] = max(later, default=_NONE)
        return tails[number]

    return {number: tail(number) for number in rollouts}


def _length(rollout: BoundRollout) -> timedelta:
    return sum((max(wave.upgrades) + wave.soak for wave in rollout.waves), _NONE)
