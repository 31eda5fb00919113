"""Declared and live fleets drawn by chance, and what happens to them: small values that print as a person tells them.

A case is data alone, so that hypothesis can take away whatever does not matter; what is left is told by ``story``, one
line for each cycle in which anything happened. Whoever is started arrives in the next cycle, unless the case says else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from controller.core.plan import plan_cycle
from controller.history import entries as e
from controller.history.recall import remember
from controller.history.records import History
from controller.model.declaration import ClusterGroup, Declaration, DomainLimit, Finalize, Limits, OnFailure
from controller.model.memory import Memory
from controller.model.observation import Observation, ObservedCluster, Reading, Unknown
from controller.model.plan import Plan, Start
from controller.model.snapshot import Snapshot
from controller.versions import KafkaVersion, MetadataVersion
from tests.builders import MINUTE, NOON, a_finding, a_reading, release
from tests.builders_core import (
    a_declaration,
    a_group,
    a_hold,
    a_standing,
    a_strategy,
    a_wave,
    an_expedite,
    catalog,
)

LEVELS = catalog().metadata_versions
RUNS = (
    "4.1.2 4.1-IV1",
    "4.2.2 4.2-IV1",
    "4.2.2 4.1-IV1",
    "3.9.2 3.9-IV0",
    "3.2.3 3.2-IV0",
    "3.9.2 3.2-IV0",
    "3.9.2 zk",
)
"""Release and level of a cluster, or ``zk``."""
TARGETS = ("4.3.1", "4.2.2", "4.1.2", "3.9.2")
TROUBLE = ("is lost", "is seen again", "is sick", "is well", "refuses", "is stuck", "is held", "is let go")
WORDS = (
    "declares 4.3.1",
    "declares 4.2.2",
    "declares 4.1.2",
    "acknowledges all",
    "expedites",
    "is out of sight",
    "is in sight",
)


@dataclass(frozen=True)
class Live:
    """One live cluster."""

    name: str
    runs: str
    """Such as ``4.1.2 4.1-IV1``."""
    region: str
    pair: str = ""


@dataclass(frozen=True)
class Group:
    """One group as declared at first."""

    name: str
    target: str
    waves: str
    """Sizes, such as ``1 rest``; each soaks three minutes."""
    clusters: tuple[Live, ...]
    level: str = "auto"
    budget: str = "0"
    downgrades: bool = False
    after: str = ""


@dataclass(frozen=True)
class Act:
    """Something that happens before a cycle."""

    cycle: int
    who: str
    what: str


@dataclass(frozen=True)
class Case:
    """A fleet, what is declared of it, and what happens."""

    groups: tuple[Group, ...]
    acts: tuple[Act, ...] = ()
    in_flight: int = 3
    per_region: int = 2
    unavailable: int = 100


@dataclass
class Truth:
    """One cluster as it is."""

    reading: Reading
    labels: dict[str, str]
    seen: bool = True
    stuck: bool = False
    refuses: bool = False
    """Its operator refuses what it is asked for next."""


@dataclass(frozen=True)
class Moment:
    """One cycle: what was declared and seen, and what was planned on it."""

    number: int
    now: datetime
    declaration: Declaration
    seen: dict[str, Reading]
    labels: dict[str, dict[str, str]]
    plan: Plan
    happened: tuple[str, ...]


@dataclass
class Stage:
    """Plays a case."""

    case: Case
    now: datetime = NOON
    history: History = field(default_factory=History)
    memory: Memory = field(default_factory=Memory)
    truths: dict[str, Truth] = field(default_factory=dict)
    urgent: bool = False

    def __post_init__(self) -> None:
        self.groups = {group.name: declared(group) for group in self.case.groups}
        for group in self.case.groups:
            for live in group.clusters:
                runs, level = live.runs.split()
                on_zookeeper = level == "zk"
                reading = a_reading(runs, metadata_version=LEVELS.get(level), zookeeper=on_zookeeper)
                labels = {"group": group.name, "region": live.region, **({"pair": live.pair} if live.pair else {})}
                self.truths[live.name] = Truth(reading, labels)

    def play(self, cycles: int) -> Iterator[Moment]:
        """Yield one moment after the other."""
        flying: tuple[Start, ...] = ()
        for number in range(cycles):
            happened = []
            for start in flying:
                self._arrive(start)
            for act in self.case.acts:
                if act.cycle == number:
                    self._act(act)
                    happened.append(f"{act.who} {act.what}")
            seen = {f"sim/{name}": truth.reading for name, truth in self.truths.items() if truth.seen}
            plan = plan_cycle(self._snapshot())
            self._fold(plan.entries)
            for start in plan.starts:
                self._take(start)
            flying = (*(each for each in flying if self._truth(each).stuck), *plan.starts)
            self.memory = plan.memory
            labels = {f"sim/{name}": truth.labels for name, truth in self.truths.items()}
            yield Moment(number, self.now, self._declaration(), seen, labels, plan, tuple(happened))
            self.now += MINUTE

    def _declaration(self) -> Declaration:
        limits = Limits(
            self.case.in_flight,
            (DomainLimit("region", self.case.per_region),),
            ("pair",),
            self.case.unavailable,
        )
        expedite = (an_expedite(soak=MINUTE),) if self.urgent else ()
        return a_declaration(*self.groups.values(), limits=limits, expedite=expedite)

    def _snapshot(self) -> Snapshot:
        clusters = {
            f"sim/{name}": ObservedCluster(
                f"sim/{name}", truth.labels, truth.reading if truth.seen else Unknown("lost")
            )
            for name, truth in self.truths.items()
        }
        observation = Observation(clusters)
        standing = a_standing(self.now)
        return Snapshot(self.now, standing, self._declaration(), observation, self.history, self.memory)

    def _fold(self, entries: tuple[e.Entry, ...]) -> None:
        self.history = remember(self.history, (e.Recorded(0, self.now, entry) for entry in entries))

    def _truth(self, start: Start) -> Truth:
        return self.truths[start.cluster.removeprefix("sim/")]

    def _take(self, start: Start) -> None:
        truth = self._truth(start)
        token = str(int(truth.reading.token) + 1)
        asked = replace(truth.reading, token=token, settled=False, refused=None)
        if isinstance(start.target, KafkaVersion):
            truth.reading = replace(asked, wanted=start.target)
        else:
            truth.reading = replace(asked, wanted_metadata=start.target)
        self._fold((e.StartAccepted(start.rollout, start.cluster),))

    def _arrive(self, start: Start) -> None:
        truth = self._truth(start)
        if truth.refuses:
            truth.reading, truth.refuses = replace(truth.reading, refused="no such release"), False
        if truth.stuck or truth.reading.refused is not None:
            return
        reading = replace(truth.reading, settled=True)
        if isinstance(start.target, KafkaVersion):
            truth.reading = replace(reading, release=reading.wanted, highest=reading.wanted)
        else:
            truth.reading = replace(reading, metadata_version=reading.wanted_metadata)

    def _act(self, act: Act) -> None:
        if act.who in self.groups:
            self._say(act.who, act.what)
            return
        truth = self.truths[act.who]
        group = truth.labels["group"]
        match act.what:
            case "is lost" | "is seen again":
                truth.seen = act.what == "is seen again"
            case "is sick" | "is well":
                truth.reading = replace(truth.reading, findings=(a_finding(),) if act.what == "is sick" else ())
            case "refuses":
                truth.refuses = True
            case "is stuck":
                truth.stuck = not truth.stuck
            case "is held" | "is let go":
                others = tuple(hold for hold in self.groups[group].holds if hold.cluster != act.who)
                holds = (*others, a_hold(act.who)) if act.what == "is held" else others
                self.groups[group] = replace(self.groups[group], holds=holds)

    def _say(self, name: str, what: str) -> None:
        group = self.groups[name]
        if what.startswith("declares "):
            self.groups[name] = replace(group, target=release(what.removeprefix("declares ")))
        elif what in ("is out of sight", "is in sight"):
            for truth in self.truths.values():
                truth.seen = what == "is in sight" if truth.labels["group"] == name else truth.seen
        elif what == "acknowledges all":
            numbers = {number for scope, number in self.history.stops if scope == name}
            self.groups[name] = replace(group, acknowledge=group.acknowledge | numbers)
        else:
            self.urgent = True


def declared(group: Group) -> ClusterGroup:
    """Return the group as the core knows it."""
    sizes = group.waves.split()
    waves = tuple(a_wave(f"w{place}", size, 3 * MINUTE, most=2) for place, size in enumerate(sizes, start=1))
    on_failure = OnFailure.DOWNGRADE if group.downgrades else OnFailure.HALT
    level: Finalize | MetadataVersion = LEVELS[group.level] if group.level in LEVELS else Finalize(group.level)
    return a_group(
        group.name,
        group.target,
        strategy=a_strategy(waves=waves, budget=group.budget, deadline=8 * MINUTE, on_failure=on_failure),
        metadata_version=level,
        finalize_soak=4 * MINUTE,
        after=(group.after,) if group.after else (),
        accept_risks=frozenset({"KIP-896"}),
        samples=2,
    )


@st.composite
def groups(draw: st.DrawFn, name: str) -> Group:
    """A group of a few clusters."""
    count = draw(st.integers(1, 4))
    clusters = tuple(
        Live(
            f"{name}-{number}",
            draw(st.sampled_from(RUNS)),
            draw(st.sampled_from(("eu", "us"))),
            draw(st.sampled_from(("", "", "x"))),
        )
        for number in range(1, count + 1)
    )
    return Group(
        name,
        draw(st.sampled_from(TARGETS)),
        draw(st.sampled_from(("1 rest", "rest", "1 1 rest", "50% rest"))),
        clusters,
        draw(st.sampled_from(("auto", "hold", "4.2-IV1"))),
        draw(st.sampled_from(("0", "1", "50%"))),
        draw(st.booleans()),
    )


@st.composite
def cases(draw: st.DrawFn, cycles: int = 30) -> Case:
    """One or two groups, and a handful of things that happen to them."""
    drawn = [draw(groups("a"))]
    if draw(st.booleans()):
        drawn.append(replace(draw(groups("b")), after=draw(st.sampled_from(("", "a")))))
    names = [live.name for group in drawn for live in group.clusters]
    when, place = st.integers(0, cycles - 1), st.integers(0, 7)
    trouble = st.builds(
        lambda at, who, what: Act(at, names[who % len(names)], what), when, place, st.sampled_from(TROUBLE)
    )
    words = st.builds(
        lambda at, who, what: Act(at, drawn[who % len(drawn)].name, what), when, place, st.sampled_from(WORDS)
    )
    acts = draw(st.lists(trouble | words, max_size=8))
    return Case(
        tuple(drawn),
        tuple(sorted(acts, key=lambda act: act.cycle)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 2)),
        draw(st.sampled_from((100, 30))),
    )


def story(moments: list[Moment]) -> str:
    """Tell what happened, one line for each cycle that changed anything."""
    lines = []
    for moment in moments:
        starts = [f"{start.cluster.removeprefix('sim/')} -> {start.target}" for start in moment.plan.starts]
        kinds = [type(entry).__name__ for entry in moment.plan.entries if isinstance(entry, TOLD)]
        if moment.happened or starts or kinds:
            lines.append(f"{moment.now:%H:%M} " + "; ".join([*moment.happened, *kinds, *starts]))
    return "\n".join(lines)


TOLD = (e.RolloutPlanned, e.RolloutEnded, e.WaveAdmitted, e.WaveSoaked, e.ClusterFailed, e.Stopped, e.StopAcknowledged)
POLL = timedelta(minutes=1)
