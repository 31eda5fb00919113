"""The policies that ``make bench`` compares with: they behave as described, and are measured as the product is."""

from datetime import timedelta

import pytest

from controller.model.declaration import ClusterGroup
from controller.model.inventory import SimulatedCluster
from controller.simulate.stage import Scenario
from tests.bench.policies import (
    Policy,
    lengths_under,
    planned_waves,
    refilled_slots,
    sliding_window,
    whole_waves,
)
from tests.builders import DAY, HOUR, MINUTE, a_simulated_cluster
from tests.builders_core import SOURCE, a_group, a_strategy, a_wave, a_window
from tests.simulate.scenarios import a_scenario, clusters_of, played
from tests.simulation.quiet import no_logs

ROLL = 14 * MINUTE
"""Three brokers, and to settle; with one sample it is seen in that minute."""


def test_a_wave_waits_for_its_slowest_cluster() -> None:
    """
    With two slots, a quick and a slow cluster: the third starts once the slow one is done, though a slot was free.
    """
    scenario = _of_one_wave(_in_planned_order(1, 9, 1), soak=HOUR)

    assert 38 * MINUTE + 6 * MINUTE + HOUR == _length(whole_waves, scenario)


def test_a_refilled_slot_does_not_wait_for_the_slowest_cluster() -> None:
    """
    The same three clusters: the third is done before the slow one is.
    """
    scenario = _of_one_wave(_in_planned_order(1, 9, 1), soak=HOUR)

    assert 38 * MINUTE + HOUR == _length(refilled_slots, scenario)


def test_a_sliding_window_keeps_a_slot_until_the_soak_of_its_cluster_is_over() -> None:
    """
    Five equal clusters in two slots are three rounds, each of which soaks for itself.
    """
    scenario = _of_one_wave(clusters_of("prod", 5), soak=HOUR)

    assert 3 * (ROLL + HOUR) == _length(sliding_window, scenario)


def test_a_whole_waves_soaks_once_a_wave() -> None:
    """
    Five equal clusters in two slots are three rounds and one soak: the quickest reading of the description.
    """
    scenario = _of_one_wave(clusters_of("prod", 5), soak=HOUR)

    assert 3 * ROLL + HOUR == _length(whole_waves, scenario)


@pytest.mark.parametrize("policy", [whole_waves, sliding_window, refilled_slots])
def test_every_policy_keeps_to_the_slots_of_the_fleet(policy: Policy) -> None:
    """
    Two groups of one cluster each take turns where the fleet has one slot; the soak takes none.
    """
    groups = [a_group(name, strategy=a_strategy(waves=(a_wave("all", "rest", HOUR),))) for name in ("a", "b")]
    clusters = [*clusters_of("a", 1), *clusters_of("b", 1)]
    scenario = a_scenario(groups, clusters, in_flight=1)

    assert 2 * ROLL + HOUR == _length(policy, scenario)


@pytest.mark.parametrize("policy", [whole_waves, sliding_window, refilled_slots])
def test_a_rollout_that_does_not_end_in_time_has_no_length(policy: Policy) -> None:
    """
    A window that opens after the end of the scenario starts nothing.
    """
    group = a_group(windows=(a_window("11:00", "12:00"),))

    assert _length(policy, a_scenario([group], lasts=2 * HOUR)) is None


def test_refilled_slots_take_as_long_as_the_product() -> None:
    """
    Chains, windows, samples, and slots that are short in waves and in the fleet: to the minute, or nothing compares.
    """
    names = ("a", "b", "c", "d")
    waves = (a_wave("canary", "1", 90 * MINUTE), a_wave("rest", "rest", HOUR, most=2))
    groups = [
        a_group(
            name,
            strategy=a_strategy(waves=waves),
            samples=3,
            after=("a",) if name == "d" else (),
            windows=(a_window("13:00", "18:30"),) if name in "bc" else (),
        )
        for name in names
    ]
    clusters = [cluster for name in names for cluster in clusters_of(name, 6, brokers=1 + ord(name) % 3)]
    scenario = a_scenario(groups, clusters, in_flight=4, lasts=4 * DAY)

    play, _ = played(scenario)

    ours = play.summary().took.length
    assert ours is not None
    assert ours == _length(refilled_slots, scenario)


def _length(policy: Policy, scenario: Scenario) -> timedelta | None:
    with no_logs():
        lengths = lengths_under(policy, scenario)
    return None if lengths is None else max(lengths.values())


def _of_one_wave(clusters: tuple[SimulatedCluster, ...], soak: timedelta) -> Scenario:
    return a_scenario([_one_wave(soak)], clusters)


def _one_wave(soak: timedelta) -> ClusterGroup:
    return a_group(strategy=a_strategy(waves=(a_wave("all", "rest", soak, most=2),)))


def _in_planned_order(*brokers: int) -> tuple[SimulatedCluster, ...]:
    """Return clusters of ``prod`` that its one wave takes in the order of ``brokers``."""
    names = [f"prod-{number}" for number in range(len(brokers))]
    clusters = tuple(a_simulated_cluster(name, labels={"group": "prod"}) for name in names)
    with no_logs():
        (wave,) = planned_waves(_of_one_wave(clusters, HOUR))["prod"]
    sizes = zip(wave, brokers, strict=True)
    return tuple(
        a_simulated_cluster(name.removeprefix(f"{SOURCE}/"), labels={"group": "prod"}, brokers=count)
        for name, count in sizes
    )
