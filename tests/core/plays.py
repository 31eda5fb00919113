"""A play: several cycles of ``plan_cycle`` over clusters that a test sets by hand. Pure: no ledger, no fleet, no clock.

What a cycle decides is folded into the history, as the runtime does; nothing is applied, so that a test says itself
what became of a start.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from controller.core.draft import Draft
from controller.core.inquiry import explain_cluster
from controller.core.plan import judge, plan_cycle
from controller.history.entries import Entry, Recorded, StartAccepted
from controller.history.recall import remember
from controller.history.records import ClusterRecord, History, RolloutRecord
from controller.model.declaration import ClusterGroup, Declaration
from controller.model.memory import Memory
from controller.model.observation import GateReading, Observation, ObservedCluster, Reading, Unknown
from controller.model.plan import Explanation, Plan, Start
from controller.model.requests import Request
from controller.model.snapshot import Snapshot
from controller.model.verdict import Hold, HoldReason
from controller.model.view import GroupView
from controller.versions import KafkaVersion, MetadataVersion
from tests.builders import LEVEL_43, MINUTE, NEW, NOON, a_reading, release
from tests.builders_core import a_declaration, a_group, a_standing, a_strategy, a_wave

E = TypeVar("E")


class Play:
    """What ``plan_cycle`` sees, cycle after cycle, a minute apart."""

    def __init__(self, *groups: ClusterGroup, declaration: Declaration | None = None) -> None:
        self.now = NOON
        self.declaration = declaration or a_declaration(*groups)
        self.standing = a_standing()
        self.clusters: dict[str, ObservedCluster] = {}
        self.unreachable: dict[str, str] = {}
        self.gates: dict[tuple[str, str], GateReading] = {}
        self.history = History()
        self.memory = Memory()
        self.poll = MINUTE
        self.observe_only = False
        self.plan: Plan | None = None
        self._recorded = 0

    def live(self, *names: str, group: str = "prod", reading: Reading | Unknown | None = None, **labels: str) -> "Play":
        """Let clusters be there, by short name."""
        for name in names:
            shown = a_reading() if reading is None else reading
            self.clusters[f"sim/{name}"] = ObservedCluster(f"sim/{name}", {"group": group, **labels}, shown)
        return self

    def show(self, name: str, reading: Reading | Unknown) -> "Play":
        """Let a cluster show this from now on."""
        full = f"sim/{name}"
        self.clusters[full] = replace(self.clusters[full], reading=reading)
        return self

    def reach(self, *names: str, target: str = NEW) -> "Play":
        """Let clusters be seen on target, well."""
        for name in names:
            self.show(name, a_reading(target))
        return self

    def finalize(self, *names: str, level: MetadataVersion = LEVEL_43, runs: str = NEW) -> "Play":
        """Let clusters be seen with ``level`` finalized, as their resources ask for."""
        for name in names:
            self.show(name, a_reading(runs, metadata_version=level, wanted_metadata=level))
        return self

    def take(self, plan: Plan) -> "Play":
        """Let the live fleet take what a plan starts; nothing of it is done yet."""
        for start in plan.starts:
            reading = self.clusters[start.cluster].reading
            assert isinstance(reading, Reading), start
            if isinstance(start.target, KafkaVersion):
                asked = replace(reading, wanted=start.target, settled=False)
            else:
                asked = replace(reading, wanted_metadata=start.target, settled=False)
            self.show(start.cluster.rsplit("/", 1)[-1], asked)
            self.record(StartAccepted(start.rollout, start.cluster))
        return self

    def run(self, count: int) -> list[Entry]:
        """Judge ``count`` times; whatever is started has arrived by the next cycle. Return every entry."""
        entries: list[Entry] = []
        for _ in range(count):
            plan = self.take(self.cycle()).plan
            assert plan is not None
            entries.extend(plan.entries)
            for start in plan.starts:
                self.arrive(start)
        return entries

    def arrive(self, start: Start) -> "Play":
        """Let a cluster be seen where a start asked it to go, well."""
        reading = self.clusters[start.cluster].reading
        assert isinstance(reading, Reading), start
        reading = replace(reading, refused=None)
        if isinstance(start.target, KafkaVersion):
            there = replace(reading, release=start.target, highest=start.target, wanted=start.target, settled=True)
        else:
            level = start.target
            there = replace(reading, metadata_version=level, wanted_metadata=level, settled=True)
        return self.show(start.cluster.rsplit("/", 1)[-1], there)

    def draft(self) -> Draft:
        """What is judged before anything starts now."""
        return judge(self.snapshot())

    def declare(self, *groups: ClusterGroup) -> "Play":
        """Let a newer revision declare these groups."""
        self.declaration = replace(self.declaration, groups=tuple(sorted(groups, key=lambda group: group.name)))
        return self

    def snapshot(self, *requests: Request) -> Snapshot:
        """What the next cycle sees."""
        return Snapshot(
            now=self.now,
            standing=replace(self.standing, confirmed_at=self.now),
            declaration=self.declaration,
            observation=Observation(dict(self.clusters), dict(self.unreachable), dict(self.gates)),
            history=self.history,
            memory=self.memory,
            requests=requests,
            poll_interval=self.poll,
            observe_only=self.observe_only,
        )

    def cycle(self, *requests: Request) -> Plan:
        """Judge once, and let a poll interval pass."""
        self.plan = plan_cycle(self.snapshot(*requests))
        self.record(*self.plan.entries)
        self.memory = self.plan.memory
        self.now += self.poll
        return self.plan

    def record(self, *entries: Entry, at: datetime | None = None) -> None:
        """Fold entries that no plan made, such as what became of a write."""
        self.history = remember(self.history, (Recorded(0, at or self.now, entry) for entry in entries))

    def cycles(self, count: int) -> list[Entry]:
        """Judge ``count`` times; return every entry."""
        return [entry for _ in range(count) for entry in self.cycle().entries]

    def pass_time(self, by: timedelta) -> "Play":
        """Let time pass without a cycle."""
        self.now += by
        return self

    def restart(self) -> "Play":
        """Lose what is handed from cycle to cycle without being recorded."""
        self.memory = Memory()
        return self

    def explain(self, name: str) -> Explanation:
        """Why a cluster does not move now."""
        return explain_cluster(self.snapshot(), f"sim/{name}")

    def rollout(self, number: int = 1) -> RolloutRecord:
        """A remembered rollout."""
        return self.history.rollouts[number]

    def record_of(self, name: str, number: int = 1) -> ClusterRecord:
        """What is remembered of a cluster in a rollout."""
        return self.rollout(number).clusters[f"sim/{name}"]

    def view(self, group: str = "prod") -> GroupView:
        """A group, or its finalization as ``GROUP/metadata``, as people see it after the last cycle."""
        assert self.plan is not None, "no cycle was judged"
        return next(view for view in self.plan.groups if view.context == group)

    def reasons(self, group: str = "prod") -> list[HoldReason]:
        """Why a group does not move, each reason once and in order."""
        return list(dict.fromkeys(hold.reason for hold in self.view(group).holds))

    def hold(self, reason: HoldReason, group: str = "prod") -> Hold:
        """The first hold of a group with this reason."""
        return next(hold for hold in self.view(group).holds if hold.reason is reason)


def started(plan: Plan) -> list[str]:
    """Short names of what a plan starts."""
    return [start.cluster.rsplit("/", 1)[-1] for start in plan.starts]


def only(kind: type[E], entries: Iterable[object]) -> list[E]:
    """The entries of one kind."""
    return [entry for entry in entries if isinstance(entry, kind)]


def half_rolled(runs: str = "4.1.2", towards: str = NEW) -> Reading:
    """A cluster in the middle of a roll."""
    return a_reading(runs, highest=release(towards), wanted=release(towards), settled=False, progress="1 of 3 brokers")


NAMES = ("p-1", "p-2", "p-3", "p-4", "p-5", "p-6")
"""Waves take them in the order p-2 p-6 p-1 p-4 p-3 p-5."""
REFUSED = a_reading(wanted=release(NEW), settled=False, refused="no")


def second_wave(budget: str = "1", names: tuple[str, ...] = NAMES, most: int = 5) -> Play:
    """The canary has soaked, and the rest was just started."""
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", MINUTE, most=most))
    play = Play(a_group(strategy=a_strategy(waves=waves, budget=budget))).live(*names)
    play.cycle()
    play.reach("p-2").cycles(2)
    return play


def fail(play: Play, *names: str) -> list[Entry]:
    """Let started clusters be refused by their operators, and judge that."""
    for name in names:
        play.show(name, REFUSED)
    return list(play.cycle().entries)
