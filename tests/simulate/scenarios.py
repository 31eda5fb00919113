"""Scenarios to play: a group of simulated clusters by default, and drawn ones with a little of everything."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TypedDict, Unpack

from controller.model.calendar import Freeze
from controller.model.declaration import (
    ClusterGroup,
    Declaration,
    DomainLimit,
    Expedite,
    Limits,
    OnFailure,
    SourceDeclaration,
)
from controller.model.inventory import Fault, FaultKind, Inventory, SimulatedCluster
from controller.simulate.events import Event, EventKind
from controller.simulate.play import Play
from controller.simulate.stage import Scenario
from tests.builders import DAY, HOUR, MINUTE, NEW, NOON, OLD, a_fault, a_simulated_cluster, place, release
from tests.builders_core import (
    EVERY_DAY,
    SOURCE,
    a_declaration,
    a_freeze,
    a_group,
    a_hold,
    a_strategy,
    a_wave,
    a_window,
    an_approval,
)
from tests.simulation.quiet import no_logs


class ScenarioParts(TypedDict, total=False):
    """What a test may say of a scenario beside its groups and clusters."""

    faults: Iterable[Fault]
    freezes: tuple[Freeze, ...]
    in_flight: int
    interval: timedelta
    seed: int
    lasts: timedelta


def clusters_of(group: str, count: int, runs: str = OLD, brokers: int = 3) -> tuple[SimulatedCluster, ...]:
    """``count`` clusters labelled into ``group``, each of which takes four minutes per broker and two to settle."""
    names = (f"{group}-{number}" for number in range(1, count + 1))
    return tuple(
        a_simulated_cluster(name, runs, labels={"group": group, "region": f"r{number % 2}"}, brokers=brokers)
        for number, name in enumerate(names)
    )


def a_scenario(
    groups: Iterable[ClusterGroup] | None = None,
    clusters: Iterable[SimulatedCluster] | None = None,
    **parts: Unpack[ScenarioParts],
) -> Scenario:
    """The group ``prod`` with three clusters below its target, from noon on for two days."""
    freezes = parts.get("freezes", ())
    declared = a_declaration(
        *(groups or (a_group(),)), freezes=freezes, limits=Limits(parts.get("in_flight", 10), unavailable_percent=100)
    )
    lived = clusters_of("prod", 3) if clusters is None else clusters
    inventory = Inventory(tuple(lived), tuple(parts.get("faults", ())))
    return Scenario(
        with_inventory(declared, inventory),
        NOON,
        NOON + parts.get("lasts", 2 * DAY),
        parts.get("interval", MINUTE),
        parts.get("seed", 0),
    )


def with_inventory(declaration: Declaration, inventory: Inventory) -> Declaration:
    """The declaration with one simulated source."""
    source = SourceDeclaration(SOURCE, "simulated", {}, place(file="fleet.yaml"))
    return replace(declaration, sources=(source,), inventories={SOURCE: inventory})


def played(scenario: Scenario, *, every_cycle: bool = False) -> tuple[Play, list[Event]]:
    """The play of ``scenario`` once it is over, and its events."""
    play = Play(scenario, every_cycle=every_cycle)
    with no_logs():
        events = list(play.events())
    return play, events


def kinds_of(events: Iterable[Event]) -> list[EventKind]:
    """What happened, holds left out."""
    return [event.kind for event in events if event.kind is not EventKind.HELD]


def drawn_scenario(seed: int) -> Scenario:
    """Three groups in order: soaks, windows, a freeze, holds and approvals that end, urgency, and several faults."""
    chance = Random(seed)
    names = ("canary", "prod", "staging")
    members = {name: clusters_of(name, chance.randint(1, 5), brokers=chance.randint(1, 5)) for name in names}
    groups = [drawn_group(chance, name, ("staging",) if name == "prod" else ()) for name in names]
    faults = [drawn_fault(chance, [it.name for it in members[chance.choice(names)]]) for _ in range(3)]
    begin = NOON + chance.randint(0, 30) * HOUR
    scenario = a_scenario(
        groups,
        [cluster for each in members.values() for cluster in each],
        faults=faults,
        freezes=(a_freeze(groups=("prod",), from_=begin, until=begin + chance.randint(1, 400) * MINUTE),),
        in_flight=chance.randint(1, 4),
        interval=chance.choice([2 * MINUTE, 3 * MINUTE, 7 * MINUTE]),
        lasts=2 * DAY,
        seed=seed,
    )
    declaration = scenario.declaration
    limits = replace(
        declaration.limits,
        unavailable_percent=chance.choice([5, 30, 100]),
        per_domain=(DomainLimit("region", 1),) if chance.random() < 0.3 else (),
        never_together=("region",) if chance.random() < 0.2 else (),
    )
    expedite = (drawn_expedite(chance),) if chance.random() < 0.3 else ()
    return replace(scenario, declaration=replace(declaration, limits=limits, expedite=expedite))


def drawn_expedite(chance: Random) -> Expedite:
    """A person's word that the release is urgent for one group."""
    return Expedite(
        release(NEW),
        (chance.choice(["prod", "*"]),),
        "CVE",
        "ana",
        NOON + chance.randint(1, 1500) * MINUTE,
        place(file="fleet.yaml"),
        soak=chance.choice([None, 13 * MINUTE]),
        ignore_windows=chance.random() < 0.5,
        ignore_freezes=chance.random() < 0.5,
    )


def drawn_group(chance: Random, name: str, after: tuple[str, ...]) -> ClusterGroup:
    """A group with two waves."""
    waves = (
        a_wave("first", "1", chance.randint(0, 200) * MINUTE, approval=chance.random() < 0.3),
        a_wave("rest", "rest", chance.randint(0, 200) * MINUTE, most=chance.randint(1, 3)),
    )
    opens = chance.randint(0, 23)
    window = a_window(f"{opens:02}:{chance.randint(0, 59):02}", f"{(opens + 7) % 24:02}:30", "Europe/Berlin", EVERY_DAY)
    strategy = a_strategy(waves=waves, budget=str(chance.randint(0, 2)), deadline=chance.randint(20, 90) * MINUTE)
    return a_group(
        name,
        after=after,
        strategy=replace(strategy, on_failure=chance.choice(list(OnFailure))),
        windows=(window,) if chance.random() < 0.6 else (),
        samples=chance.randint(1, 3),
        holds=(a_hold(f"{name}-1", NOON + chance.randint(1, 1500) * MINUTE),) if chance.random() < 0.4 else (),
        approvals=(an_approval("first", NEW, NOON + chance.randint(1, 1500) * MINUTE),),
    )


def drawn_fault(chance: Random, names: list[str]) -> Fault:
    """Something that goes wrong with some of ``names``: at a time, in an upgrade, or after one."""
    lasts = chance.randint(1, 300) * MINUTE if chance.random() < 0.7 else None
    share = chance.choice([20, 50, 100])
    shown = chance.choice([FaultKind.UNHEALTHY, FaultKind.UNREACHABLE])
    kind = chance.choice([FaultKind.STUCK, FaultKind.REFUSED, shown])
    match chance.randrange(3):
        case 0:
            return a_fault(kind, *names, at=chance.randint(0, 1500) * MINUTE, lasts=lasts, share=share)
        case 1:
            return a_fault(kind, *names, during_upgrade=True, lasts=lasts, share=share)
        case _:
            return a_fault(shown, *names, after=chance.randint(0, 500) * MINUTE, lasts=lasts, share=share)
