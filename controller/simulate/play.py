"""Plays a scenario: cycle after cycle of the daemon's own controller, while only the clock is ours.

Cycles in which nothing can change are passed over, and the play ends once nothing can change any more; ``every_cycle``
does neither, and its events are the same.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from controller.history.records import RolloutKind
from controller.model.memory import Memory
from controller.model.plan import Plan
from controller.runtime.cycle import Controller, Pace
from controller.simulate.events import Event, Scribe
from controller.simulate.lengths import Summary, Tally
from controller.simulate.moments import Moments, first_cycle_from, is_news, is_quiet, passed_over, selects_none
from controller.simulate.stage import Scenario, set_stage


class _SwiftController(Controller):
    """The daemon's controller, which can also be told that cycles went by in which nothing but soaks went on."""

    def pass_over(self, until: datetime) -> None:
        """Remember what cycles up to ``until`` would have left behind."""
        self._memory = passed_over(self._memory, until)

    @property
    def memory(self) -> Memory:
        """What the last cycle hands to the next."""
        return self._memory


class Play:
    """One run of a scenario. ``cycles`` or ``events`` plays it, once; the rest tells how far it is."""

    def __init__(self, scenario: Scenario, *, every_cycle: bool = False) -> None:
        self._scenario = scenario
        self._every_cycle = every_cycle
        self._stage = set_stage(scenario)
        self._controller = _SwiftController(self._stage.world, Pace(poll_interval=scenario.interval))
        self._moments = Moments(scenario.declaration, scenario.start, scenario.interval)
        self._scribe = Scribe()
        self._tally = Tally(scenario.declaration, scenario.interval)
        self._told = 0
        self._asked: object = None
        """The external gates that the last plan wanted asked."""
        self.now = scenario.start
        """The moment of the last cycle that was run; at the end, of the last one that was run or passed over."""
        self.cycles_run = 0
        self.groups_without_clusters: tuple[str, ...] = ()
        """In the last cycle that was run, by name."""
        self.ended_early = False
        """Nothing can change any more, so the rest was left out."""

    def events(self) -> Iterator[Event]:
        """Play, and yield what happens as it does."""
        for events in self.cycles():
            yield from events

    def cycles(self) -> Iterator[Sequence[Event]]:
        """Play, and yield what happens in each cycle that is run, which may be nothing."""
        number = 0
        while self._moment(number) < self._scenario.until:
            before = self._controller.memory
            plan = self._controller.run_cycle()
            assert plan is not None, "what a scenario declares is valid"
            self.now = self._stage.clock.now()
            self.cycles_run += 1
            self.groups_without_clusters = _without_clusters(plan)
            yield tuple(self._tell(number + 1, plan))
            following = self._following(number, plan, before)
            if following is None:
                self.ended_early = True
                return
            if following > number + 1:
                self._controller.pass_over(min(self._moment(following - 1), self._scenario.until))
            self._stage.clock.advance(self._moment(following) - self.now)
            number = following
        self.now = self._moment(self._first_cycle_from(self._scenario.until) - 1)

    def summary(self) -> Summary:
        """Return how long everything took that has happened up to now."""
        return self._tally.summary()

    def _moment(self, number: int) -> datetime:
        return self._scenario.start + number * self._scenario.interval

    def _tell(self, cycle: int, plan: Plan) -> Iterator[Event]:
        self._scribe.begin_cycle(cycle, self.now, plan.short)
        for recorded in self._stage.ledger.read(self._told):
            self._told = recorded.sequence
            self._tally.take(recorded)
            yield from self._scribe.events(recorded.entry)

    def _following(self, number: int, plan: Plan, before: Memory) -> int | None:
        """Return the next cycle in which something may change; None where none is left."""
        interval = self._scenario.interval
        asked, self._asked = self._asked, plan.ask
        if self._every_cycle or not self._is_quiet(plan, before) or asked != plan.ask:
            return number + 1
        # A comparison may be true at its moment, or only after it: both cycles are run.
        moment = self._moments.next_after(self.now - interval, plan, self._controller.history)
        by_time = None if moment is None else max(number + 1, self._first_cycle_from(moment))
        by_sight = self._next_news(by_time)
        found = [cycle for cycle in (by_time, by_sight) if cycle is not None]
        return min(found, default=None)

    def _next_news(self, before: int | None) -> int | None:
        """Return the first cycle, below ``before``, in which a fleet shows what the judgement would tell apart.

        Reads ahead, which changes nothing: a simulated fleet shows what follows from the time alone.
        """
        watched = {source.name: source.read(frozenset(), self.now).clusters for source in self._stage.sources}
        while True:
            changes = [source.next_change for source in self._stage.sources]
            cycle = min((self._first_cycle_from(change) for change in changes if change is not None), default=None)
            if cycle is None or (before is not None and cycle >= before):
                return None
            moment = self._moment(cycle)
            if moment >= self._scenario.until:
                return cycle
            for source in self._stage.sources:
                if is_news(watched[source.name], source.read(frozenset(), moment).clusters):
                    return cycle

    def _is_quiet(self, plan: Plan, before: Memory) -> bool:
        return is_quiet(plan, before, self._scenario.interval) and self._moments.are_gates_settled(plan, before)

    def _first_cycle_from(self, moment: datetime) -> int:
        return first_cycle_from(moment, self._scenario.start, self._scenario.interval)


def _without_clusters(plan: Plan) -> tuple[str, ...]:
    views = (view for view in plan.groups if view.kind is RolloutKind.SOFTWARE)
    return tuple(sorted(view.name for view in views if selects_none(view)))
