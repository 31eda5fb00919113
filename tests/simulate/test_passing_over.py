"""Cycles in which nothing can change are passed over, and nothing else changes by that: event by event the same."""

from dataclasses import replace

import pytest

from controller.model.declaration import PrometheusGate, WebhookGate
from controller.model.inventory import FaultKind
from controller.simulate.events import EventKind
from tests.builders import DAY, HOUR, MINUTE, NOON, a_fault, place
from tests.builders_core import a_freeze, a_group, a_hold, a_strategy, a_wave, a_window, an_approval
from tests.simulate.scenarios import a_scenario, clusters_of, drawn_scenario, kinds_of, played


@pytest.mark.parametrize("seed", range(12))
def test_a_drawn_scenario_has_the_same_events_with_every_cycle_run(seed: int) -> None:
    """
    Soaks, windows, a freeze, holds and approvals that end, faults of every kind: nothing is missed, nothing is late.
    """
    scenario = drawn_scenario(seed)

    swift, events = played(scenario)
    patient, expected = played(scenario, every_cycle=True)

    assert expected == events
    assert patient.summary() == swift.summary()
    assert swift.cycles_run < patient.cycles_run / 2


def test_a_moment_between_two_cycles_is_met_by_the_next() -> None:
    """
    A freeze that ends off the grid, a hold that ends exactly on it, an approval that runs out.
    """
    waves = (a_wave("canary", "1", 90 * MINUTE), a_wave("broad", "rest", 40 * MINUTE, approval=True))
    group = a_group(
        strategy=a_strategy(waves=waves),
        holds=(a_hold("prod-1", NOON + 5 * HOUR),),
        approvals=(an_approval("broad", until=NOON + 4 * HOUR),),
        windows=(a_window("10:00", "14:07"), a_window("17:00", "17:01")),
    )
    freeze = a_freeze(from_=NOON, until=NOON + 10.5 * MINUTE)
    scenario = a_scenario([group], freezes=(freeze,), lasts=DAY, interval=3 * MINUTE)

    _, events = played(scenario)
    _, expected = played(scenario, every_cycle=True)

    assert expected == events
    assert EventKind.START in kinds_of(events)


def test_a_play_ends_once_nothing_can_change_any_more() -> None:
    """
    After the last soak, with no fault ahead, the rest is left out, which would have brought nothing.
    """
    scenario = a_scenario(lasts=3 * DAY)

    swift, events = played(scenario)
    patient, expected = played(scenario, every_cycle=True)

    assert swift.ended_early
    assert not patient.ended_early
    assert expected == events
    assert EventKind.ROLLOUT_CONVERGED is events[-1].kind
    assert swift.now - events[-1].at <= 2 * scenario.interval
    assert patient.now == scenario.until - scenario.interval


def test_a_halted_group_without_windows_ends_the_play() -> None:
    """
    Only a person could lift it, and in a simulation there is none.
    """
    fault = a_fault(FaultKind.UNHEALTHY, "prod-1", "prod-2", "prod-3", after=5 * MINUTE)
    scenario = a_scenario(faults=[fault], lasts=2 * DAY)

    swift, events = played(scenario)
    _, expected = played(scenario, every_cycle=True)

    assert swift.ended_early
    assert expected == events
    assert EventKind.HALTED in kinds_of(events)


def test_a_group_that_selects_no_cluster_ends_the_play() -> None:
    """
    Its windows and freezes open nothing to anybody, and it is named at the end.
    """
    group = a_group(windows=(a_window("10:00", "14:07"),))
    freeze = a_freeze(from_=NOON + HOUR, until=NOON + 3 * HOUR)
    scenario = a_scenario([group], clusters_of("other", 2), freezes=(freeze,), lasts=2 * DAY)

    swift, events = played(scenario)
    patient, expected = played(scenario, every_cycle=True)

    assert swift.ended_early
    assert swift.now - NOON <= 2 * scenario.interval
    assert expected == events
    assert ("prod",) == swift.groups_without_clusters == patient.groups_without_clusters


@pytest.mark.parametrize("seed", range(3))
def test_a_group_that_selects_no_cluster_hides_nothing_of_the_others(seed: int) -> None:
    """
    Whoever waits for it, and whoever has windows of its own, does the same as with every cycle run.
    """
    drawn = drawn_scenario(seed)
    empty = a_group("empty", windows=(a_window("10:00", "14:07"),))
    groups = tuple(replace(group, after=(*group.after, "empty")) for group in drawn.declaration.groups)
    scenario = replace(drawn, declaration=replace(drawn.declaration, groups=(empty, *groups)))

    swift, events = played(scenario)
    _, expected = played(scenario, every_cycle=True)

    assert expected == events
    assert "empty" in swift.groups_without_clusters


def test_a_fault_ahead_keeps_the_play_going() -> None:
    """
    A cluster on target that will be out of sight tomorrow is news tomorrow.
    """
    fault = a_fault(FaultKind.UNREACHABLE, "prod-1", at=DAY, lasts=HOUR)
    scenario = a_scenario(clusters=clusters_of("prod", 2, runs="4.3.1"), faults=[fault], lasts=2 * DAY)

    swift, events = played(scenario)
    _, expected = played(scenario, every_cycle=True)

    assert expected == events
    assert NOON + DAY <= swift.now
    assert swift.ended_early


def test_a_soak_goes_on_over_cycles_that_were_passed_over() -> None:
    """
    Ten days of soak are ten days, and cost a handful of cycles.
    """
    waves = (a_wave("canary", "1", 10 * DAY), a_wave("broad", "rest", HOUR))
    swift, events = played(a_scenario([a_group(strategy=a_strategy(waves=waves))], lasts=12 * DAY))

    converged = next(event.at for event in events if event.kind is EventKind.CONVERGED)
    soaked = next(event.at for event in events if event.kind is EventKind.WAVE_SOAKED)

    assert 10 * DAY == soaked - converged
    assert swift.cycles_run < 60


@pytest.mark.parametrize("seed", range(3))
def test_external_gates_pass_and_hide_nothing(seed: int) -> None:
    """
    Nobody is asked; a gate that wants several answers in a row has them after as many cycles.
    """
    drawn = drawn_scenario(seed)
    gates = (
        WebhookGate("calendar", "https://gates.example.com/", place(), samples=3),
        PrometheusGate("p99", "up", below=None, above=0.5, samples=2, place=place()),
    )
    groups = tuple(replace(group, gates=gates) for group in drawn.declaration.groups)
    scenario = replace(drawn, declaration=replace(drawn.declaration, groups=groups))

    _, events = played(scenario)
    _, expected = played(scenario, every_cycle=True)

    assert expected == events
    assert EventKind.START in kinds_of(events)
