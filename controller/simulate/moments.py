"""When the next cycle can differ from the last one: what lets a simulation pass over the cycles in between.

A cycle's answer follows from its snapshot. If nothing but its time differs from the cycle before, and that one decided
nothing, then only a comparison with the time can make it differ; every moment that the judgement compares the time
with is listed here, rather one too many than one too few. What takes part in the judgement and is not listed makes a
test fail that plays the same scenario with and without passing over.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from controller.core.draft import typical_duration
from controller.core.questions import DURATION_DEFAULT
from controller.history.entries import GroupJudged, SoakCredited
from controller.history.records import History, RolloutKind, RolloutRecord
from controller.model.declaration import ClusterGroup, Declaration, Finalize
from controller.model.memory import Memory, Soak
from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.model.outbox import StatusState
from controller.model.plan import Plan
from controller.model.view import GroupView
from controller.simulate.openings import Calendar

ORPHAN_DEADLINE = timedelta(hours=3)
"""Of clusters in flight whose group is declared no more."""


def is_quiet(plan: Plan, before: Memory, interval: timedelta) -> bool:
    """Tell whether the plan decided nothing and left everything as it was, soaks that went on apart.

    A group's words, once recorded, change nothing but the next comparison of words. A count of external gates that
    passed in a row changes nothing once it is as high as any gate asks; ``Moments`` knows that.
    """
    decided = any(not isinstance(entry, SoakCredited | GroupJudged) for entry in plan.entries)
    memory = plan.memory
    return (
        not decided
        and not plan.starts
        and memory.samples == before.samples
        and memory.soaks.keys() == before.soaks.keys()
        and all(_went_on(before.soaks[place], soak, interval) for place, soak in memory.soaks.items())
    )


def _went_on(before: Soak, after: Soak, interval: timedelta) -> bool:
    gained = interval if before.healthy else timedelta(0)
    return after.healthy is before.healthy and after.soaked - before.soaked == gained


def is_news(before: Mapping[str, ObservedCluster], after: Mapping[str, ObservedCluster]) -> bool:
    """Tell whether the judgement could tell two lists of the same clusters apart, by more than words for people."""
    if before is after:
        return False
    for name, cluster in after.items():
        earlier = before[name]
        if cluster is not earlier and _without_words(cluster.reading) != _without_words(earlier.reading):
            return True
    return False


def _without_words(reading: Reading | Unknown) -> Reading | Unknown:
    if isinstance(reading, Unknown):
        return reading
    findings = tuple(replace(finding, detail="") for finding in reading.findings)
    return replace(reading, progress="", findings=findings)


def passed_over(memory: Memory, until: datetime) -> Memory:
    """Return the memory that cycles up to ``until`` leave behind in which nothing but soaks went on."""
    soaks = {
        place: Soak(
            soaked=soak.soaked + (until - soak.at) if soak.healthy else soak.soaked,
            at=until,
            healthy=soak.healthy,
            credited_at=soak.credited_at,
        )
        for place, soak in memory.soaks.items()
    }
    return replace(memory, soaks=soaks)


class Moments:
    """The moments at which time alone may change what a declaration's cycles decide."""

    def __init__(self, declaration: Declaration, start: datetime, interval: timedelta) -> None:
        self._interval = interval
        self._groups = {group.name: group for group in declaration.groups}
        self._expedite = declaration.expedite
        samples = (gate.samples for group in declaration.groups for gate in group.gates)
        self._gate_samples_max = max(samples, default=1)
        self._calendars = {
            group.name: _Boundaries(Calendar(group.windows, declaration.freezes), start) for group in declaration.groups
        }

    def are_gates_settled(self, plan: Plan, before: Memory) -> bool:
        """Tell whether the same gates passed as in the cycle before, each as often in a row as any is asked."""
        after, most = plan.memory.gates, self._gate_samples_max
        return after.keys() == before.gates.keys() and all(
            min(count, most) == min(before.gates[key], most) for key, count in after.items()
        )

    def next_after(self, since: datetime, plan: Plan, history: History) -> datetime | None:
        """Return the first such moment after ``since``; None where time alone changes nothing any more."""
        timed = (*self._of_rollouts(plan, history), *_of_holds(plan), *self._of_gates(plan))
        found = [moment for moment in timed if moment > since]
        durations = _Durations(history)
        for name in _unfinished(plan):
            boundaries = self._calendars[name]
            moments = [boundaries.next_after(since), *self._expiries(self._groups[name])]
            for took in durations.of(self._groups[name]):  # a window may be too short for what takes so long
                closes_at = boundaries.next_after(since + took)
                moments.append(None if closes_at is None else closes_at - took)
            found += [moment for moment in moments if moment is not None and moment > since]
        return min(found, default=None)

    def _of_gates(self, plan: Plan) -> Iterator[datetime]:
        """Yield when gates begin to be asked: so many cycles before what else holds is over."""
        for view in plan.groups:
            cycles = max((gate.samples for gate in self._groups[view.name].gates), default=0)
            for hold in (*plan.holds, *view.holds) if cycles else ():
                if hold.recheck_at is not None:
                    yield hold.recheck_at - cycles * self._interval

    def _of_rollouts(self, plan: Plan, history: History) -> Iterator[datetime]:
        for rollout in history.rollouts.values():
            group = self._groups.get(rollout.group)
            yield from _deadlines(rollout, ORPHAN_DEADLINE if group is None else group.strategy.deadline)
        for (number, _), soak in plan.memory.soaks.items():
            if soak.healthy:
                for length in self._soaks_of(history.rollouts[number].group):
                    yield soak.at + (length - soak.soaked)
        for name, (_, reached_at) in history.reached.items():
            if name in self._groups and self._groups[name].metadata_version is not Finalize.HOLD:
                yield reached_at + self._groups[name].finalize_soak

    def _soaks_of(self, group: str) -> Iterator[timedelta]:
        """Yield how long any wave of the group may have to soak: which one it is, the judgement knows."""
        yield from (each.soak for each in self._expedite if each.soak is not None)
        if group in self._groups:
            yield from (wave.soak for wave in self._groups[group].strategy.waves)
        yield timedelta(0)

    def _expiries(self, group: ClusterGroup) -> Iterator[datetime | None]:
        yield from (hold.until for hold in group.holds)
        yield from (approval.until for approval in group.approvals)
        yield from (each.until for each in self._expedite)


def _of_holds(plan: Plan) -> Iterator[datetime]:
    for view in plan.groups:
        for hold in (*plan.holds, *view.holds):
            if hold.recheck_at is not None and (hold.cluster is not None or not _stands_still(view)):
                yield hold.recheck_at


def selects_none(view: GroupView) -> bool:
    """Tell whether the view speaks of no cluster, live or in a rollout."""
    return view.of == 0 and view.rollout is None


def _stands_still(view: GroupView) -> bool:
    """Tell whether only a person, and nobody acts in a simulation, could let the group start something."""
    return any(hold.stands_still for hold in view.holds)


class _Durations:
    """How long an upgrade is expected to take, as recorded ones of its group or of the fleet tell, or by default."""

    def __init__(self, history: History) -> None:
        self._rollouts = tuple(history.rollouts.values())
        self._of_group: dict[str, list[RolloutRecord]] = {}
        for rollout in self._rollouts:
            self._of_group.setdefault(rollout.group, []).append(rollout)
        self._of_fleet: dict[timedelta, set[timedelta]] = {}

    def of(self, group: ClusterGroup) -> set[timedelta]:
        """Return every duration that the judgement may expect of the group's next upgrade."""
        deadline = group.strategy.deadline
        if deadline not in self._of_fleet:
            self._of_fleet[deadline] = set(_typical(self._rollouts, deadline))
        return {DURATION_DEFAULT, *self._of_fleet[deadline], *_typical(self._of_group.get(group.name, ()), deadline)}


def _typical(rollouts: Collection[RolloutRecord], deadline: timedelta) -> Iterator[timedelta]:
    found = (typical_duration(rollouts, kind, deadline) for kind in RolloutKind)
    return (each for each in found if each is not None)


def _deadlines(rollout: RolloutRecord, deadline: timedelta) -> Iterator[datetime]:
    for record in rollout.clusters.values():
        if record.started_at is not None and record.is_moving:
            yield record.started_at + deadline


def _unfinished(plan: Plan) -> Collection[str]:
    """Return the groups of which something waits, so that windows and freezes concern them.

    A group that selects no cluster has nothing that could start; should it get one, that is seen.
    """
    return {
        view.name
        for view in plan.groups
        if (view.holds or (view.state is not StatusState.SUCCESS and not selects_none(view)))
        and not (_stands_still(view) and all(hold.cluster is None or hold.recheck_at is None for hold in view.holds))
    }


class _Boundaries:
    """A calendar's moments of change, listed as far as somebody asked."""

    def __init__(self, calendar: Calendar, start: datetime) -> None:
        self._stream: Iterator[datetime] = calendar.changes(start - timedelta(days=1))
        self._moments: list[datetime] = []

    def next_after(self, since: datetime) -> datetime | None:
        """Return the first one after ``since``; None where there is none any more."""
        while not self._moments or self._moments[-1] <= since:
            moment = next(self._stream, None)
            if moment is None:
                return None
            self._moments.append(moment)
        return self._moments[bisect_right(self._moments, since)]


def first_cycle_from(moment: datetime, start: datetime, interval: timedelta) -> int:
    """Return the number, counted from 0, of the first cycle at or after ``moment``."""
    return -((start - moment) // interval)
