"""Whole rollouts, simulated: how long ours take beside what they must take and beside other policies, and how fast.

One play of a fleet gives all of its figures. Groups stand in chains by ``after`` and start in windows, half of them by
day and half by night; every chain can fill its share of the fleet's slots. Clusters differ in size, since equal ones
would let a batch end all at once.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.model.declaration import ClusterGroup, Limits
from controller.model.inventory import Inventory, SimulatedCluster
from controller.simulate.lengths import Length
from controller.simulate.play import Play
from controller.simulate.stage import Scenario
from tests.bench.measures import Figure
from tests.bench.policies import lengths_under, sliding_window, whole_waves
from tests.builders import DAY, HOUR, a_simulated_cluster
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave, a_window
from tests.simulate.scenarios import with_inventory
from tests.simulation.quiet import no_logs

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MONTH = 30 * DAY
CHAIN = 4
"""Groups in a chain."""
BY_DAY = a_window("08:00", "18:00", "Europe/Berlin", range(5))
BY_NIGHT = a_window("20:00", "06:00", "America/New_York", range(5))
"""Ten hours: in shorter ones a wave is often cut off by a few minutes, whoever plans it, and costs a day by chance."""


@dataclass(frozen=True, slots=True)
class Size:
    """A fleet, and what is promised of it."""

    clusters: int
    groups: int
    in_flight: int
    ratio_max: float
    """Length against the lower bound."""
    seconds_max: float | None = None
    """For thirty simulated days; None where that is not promised."""

    @property
    def name(self) -> str:
        """As the page calls it."""
        if self.groups == 1:
            return f"{self.clusters} clusters in 1 group"
        return f"{self.clusters:,} clusters in {self.groups} groups with `after` chains and windows"


SIZES = (
    Size(12, 1, 10, 1.05),
    Size(1_000, 20, 50, 1.05, 60),
    Size(10_000, 200, 200, 1.15, 600),
)


@dataclass(frozen=True, slots=True)
class Played:
    """One play, and what it cost."""

    took: Length
    groups: Mapping[str, timedelta]
    """By group: from the first cycle to the end of its rollout."""
    days: timedelta
    """How much of the month was played before nothing could change any more."""
    cycles_run: int
    cpu_seconds: float
    wall_seconds: float


def rollouts(sizes: Sequence[Size] = SIZES) -> Iterator[Figure]:
    """Measure the rollouts of fleets of all sizes."""
    for size in sizes:
        scenario = scenario_of(size)
        played = play(scenario)
        yield against_bound(size, played)
        yield from against_policies(size, scenario, played)
        if size.seconds_max is not None:
            yield speed(size, size.seconds_max, played)


def play(scenario: Scenario) -> Played:
    """Simulate to the end as ``wavefleet simulate`` does, events and summary included."""
    cpu, wall = time.process_time(), time.perf_counter()
    with no_logs():
        run = Play(scenario)
        for _ in run.events():
            pass
        summary = run.summary()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    groups = {it.group: it.ended_at - scenario.start for it in summary.rollouts if it.ended_at is not None}
    assert len(groups) == len(scenario.declaration.groups), "thirty days are enough for these rollouts"
    return Played(summary.took, groups, run.now - scenario.start, run.cycles_run, cpu, wall)


def against_bound(size: Size, played: Played) -> Figure:
    """Return the length against what declaration and fleet make necessary."""
    assert played.took.length is not None
    assert played.took.ratio is not None
    return Figure(
        f"length of a rollout of {size.name}, against its lower bound",
        played.took.ratio,
        size.ratio_max,
        f"{_days(played.took.length)} against {_days(played.took.lower_bound)}",
    )


def against_policies(size: Size, scenario: Scenario, played: Played) -> Iterator[Figure]:
    """Return the length, and a group's on average, against the shorter of two common policies."""
    with no_logs():
        others = {
            "batch barrier": lengths_under(whole_waves, scenario),
            "sliding window": lengths_under(sliding_window, scenario),
        }
    for what, of in (("the same", max), ("a group's end on average", _mean)):
        ours = of(played.groups.values())
        theirs = {name: MONTH if lengths is None else of(lengths.values()) for name, lengths in others.items()}
        told = (f"{name} {_days(length)}" if length < MONTH else f"{name} over 30 d" for name, length in theirs.items())
        yield Figure(
            f"{what}, {size.clusters:,} clusters, against the shorter of batch barrier and sliding window",
            ours / min(theirs.values()),
            1,
            f"{_days(ours)} against {', '.join(told)}",
        )


def _mean(lengths: Collection[timedelta]) -> timedelta:
    return sum(lengths, timedelta(0)) / len(lengths)


def speed(size: Size, seconds_max: float, played: Played) -> Figure:
    """Return how long thirty simulated days take."""
    cycles = MONTH // timedelta(minutes=1)
    return Figure(
        f"simulating thirty days of {size.clusters:,} clusters, {size.in_flight} in flight, in CPU seconds",
        played.cpu_seconds,
        seconds_max,
        f"{played.wall_seconds:.0f} s by the clock; {played.cycles_run:,} of {cycles:,} one-minute cycles run;"
        f" done after {_days(played.days)}",
    )


def scenario_of(size: Size) -> Scenario:
    """Return a month of the fleet, beginning on a Monday."""
    groups = tuple(_group(size, number) for number in range(size.groups))
    clusters = tuple(_cluster(size, number) for number in range(size.clusters))
    declared = a_declaration(*groups, limits=Limits(size.in_flight))
    return Scenario(with_inventory(declared, Inventory(clusters)), MONDAY, MONDAY + MONTH)


def _group(size: Size, number: int) -> ClusterGroup:
    """Return a group with the default waves and samples."""
    slots = max(5, size.in_flight * CHAIN // size.groups) if size.groups > 1 else 5
    waves = (
        a_wave("canary", "1", 24 * HOUR, most=slots),
        a_wave("early", "10%", 4 * HOUR, most=slots),
        a_wave("rest", "rest", 4 * HOUR, most=slots),
    )
    strategy = a_strategy(waves=waves)
    if size.groups == 1:
        return a_group(_group_name(number), strategy=strategy, samples=3)
    after = (_group_name(number - 1),) if number % CHAIN else ()
    window = BY_NIGHT if number // CHAIN % 2 else BY_DAY
    return a_group(_group_name(number), strategy=strategy, samples=3, after=after, windows=(window,))


def _cluster(size: Size, number: int) -> SimulatedCluster:
    """Return a cluster of three to seven brokers."""
    labels = {"group": _group_name(number % size.groups), "region": f"r-{number % 7}"}
    return a_simulated_cluster(f"c-{number:05}", labels=labels, brokers=3 + (number + number // size.groups) % 5)


def _group_name(number: int) -> str:
    return f"g-{number:03}"


def _days(length: timedelta) -> str:
    minutes = length // timedelta(minutes=1)
    return f"{minutes // 1440} d {minutes // 60 % 24:02} h {minutes % 60:02} min"
