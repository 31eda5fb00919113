"""A course of cycles on values alone: what a test says was seen and declared, judged and folded, one cycle at a time.

Nothing runs beside ``plan_cycle`` and the fold. What is started is taken at once, as by an operator that does nothing
yet; a test says when a cluster arrives.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from controller.core.plan import plan_cycle
from controller.history.entries import Entry, Recorded, StartAccepted
from controller.history.recall import remember
from controller.history.records import ClusterRecord, History, RolloutRecord
from controller.model.declaration import ClusterGroup, Declaration
from controller.model.memory import Memory
from controller.model.observation import Observation, ObservedCluster, Reading, Unknown
from controller.model.plan import Plan
from controller.model.requests import Request
from controller.model.snapshot import Snapshot, Standing
from controller.model.verdict import HoldReason
from controller.model.view import GroupView
from controller.versions import KafkaVersion
from tests.builders import MINUTE, NOON, a_finding, a_reading
from tests.builders_core import SOURCE, a_declaration, a_standing

SICK = (a_finding(),)
E = TypeVar("E", bound=Entry)


@dataclass
class Course:
    """What is declared, seen and remembered; ``cycle`` judges it and goes on."""

    clusters: dict[str, ObservedCluster]
    """By full name."""
    declaration: Declaration = field(default_factory=a_declaration)
    now: datetime = NOON
    history: History = field(default_factory=History)
    memory: Memory = field(default_factory=Memory)
    unreachable: dict[str, str] = field(default_factory=dict)
    standing: Standing | None = None
    """None = the head was confirmed in this very cycle."""
    observe_only: bool = False
    taken: bool = True
    """What is started is taken, and known to be."""
    plan: Plan | None = None
    recorded: list[Entry] = field(default_factory=list)
    """Of every cycle so far."""

    @classmethod
    def of(cls, clusters: Mapping[str, ObservedCluster], *groups: ClusterGroup) -> "Course":
        """A course of ``clusters`` under ``groups``."""
        return cls(dict(clusters), a_declaration(*groups))

    def snapshot(self, requests: Iterable[Request] = ()) -> Snapshot:
        """Return what the next cycle would judge."""
        return Snapshot(
            now=self.now,
            standing=self.standing or a_standing(self.now),
            declaration=self.declaration,
            observation=Observation(dict(self.clusters), dict(self.unreachable)),
            history=self.history,
            memory=self.memory,
            requests=tuple(requests),
            observe_only=self.observe_only,
        )

    def cycle(self, *requests: Request, after: timedelta = MINUTE) -> Plan:
        """Judge and fold one cycle; the next one comes ``after``."""
        plan = plan_cycle(self.snapshot(requests))
        self._fold(plan.entries)
        for start in plan.starts:
            if self.taken:
                assert isinstance(start.target, KafkaVersion)
                self.roll(start.cluster, start.target)
                self._fold((StartAccepted(start.rollout, start.cluster),))
        self.memory, self.plan = plan.memory, plan
        self.now += after
        return plan

    def cycles(self, count: int) -> Plan:
        """Judge and fold ``count`` cycles; return the last plan."""
        for _ in range(count - 1):
            self.cycle()
        return self.cycle()

    def restart(self) -> None:
        """Lose what is not recorded."""
        self.memory = Memory()

    def _fold(self, entries: Iterable[Entry]) -> None:
        entries = tuple(entries)
        self.recorded.extend(entries)
        self.history = remember(self.history, (Recorded(0, self.now, entry) for entry in entries))

    def see(self, cluster: str, reading: Reading | Unknown) -> None:
        """Let ``cluster`` show ``reading`` from now on."""
        self.clusters[full(cluster)] = replace(self.clusters[full(cluster)], reading=reading)

    def roll(self, cluster: str, target: KafkaVersion) -> None:
        """Let ``cluster`` be asked for ``target``, and still run what it ran."""
        reading = self.clusters[full(cluster)].reading
        assert isinstance(reading, Reading), reading
        self.see(cluster, replace(reading, wanted=target, token="2", settled=False))

    def arrive(self, *clusters: str, target: str = "4.3.1", **parts: object) -> None:
        """Let ``clusters`` run ``target``, settled and healthy but for ``parts``."""
        for cluster in clusters:
            self.see(cluster, replace(a_reading(target, token="2"), **parts))  # type: ignore[arg-type]

    def lose(self, *clusters: str) -> None:
        """Let nobody see ``clusters``."""
        for cluster in clusters:
            self.see(cluster, Unknown("no broker answers"))

    def vanish(self, *clusters: str) -> None:
        """Let no source list ``clusters``."""
        for cluster in clusters:
            del self.clusters[full(cluster)]

    def declare(self, *groups: ClusterGroup) -> None:
        """Let another revision be in force."""
        self.declaration = replace(self.declaration, groups=a_declaration(*groups).groups)

    def said(self, kind: type[E]) -> list[E]:
        """Return every recorded entry of one kind."""
        return [entry for entry in self.recorded if isinstance(entry, kind)]

    def rollout(self, group: str = "prod") -> RolloutRecord:
        """Return the group's newest rollout."""
        return max((r for r in self.history.rollouts.values() if r.group == group), key=lambda r: r.id)

    def record(self, cluster: str, group: str = "prod") -> ClusterRecord:
        """Return what is recorded of a cluster in the group's newest rollout."""
        return self.rollout(group).clusters[full(cluster)]

    def view(self, group: str = "prod") -> GroupView:
        """Return the group as people saw it last."""
        assert self.plan is not None
        return next(view for view in self.plan.groups if view.name == group)

    def holds(self, group: str = "prod") -> dict[HoldReason, str]:
        """Return the group's reasons of the last cycle, with the cluster or the sentence of each."""
        return {hold.reason: hold.cluster or hold.detail for hold in self.view(group).holds}

    def started(self) -> list[str]:
        """Return the short names of what the last cycle started."""
        assert self.plan is not None
        return [start.cluster.rsplit("/", 1)[-1] for start in self.plan.starts]


def full(cluster: str) -> str:
    """Return a cluster's full name."""
    return cluster if "/" in cluster else f"{SOURCE}/{cluster}"
