"""The lower bound, by examples that can be worked out on paper."""

from datetime import timedelta

import pytest

from controller.simulate.lower_bound import BoundRollout, BoundWave, bounds, done_at
from controller.simulate.openings import Calendar, Openings
from tests.builders import DAY, HOUR, MINUTE, NOON
from tests.builders_core import a_freeze, a_window

ALWAYS = Openings()
OFFICE = Openings((Calendar((a_window("09:00", "16:00"),)),))
"""Noon lies in it: four hours are left today, seven hours follow every day."""


def a_bound_wave(count: int, upgrade: timedelta = HOUR, slots: int = 10, soak: timedelta = HOUR) -> BoundWave:
    """``count`` upgrades of one length."""
    return BoundWave((upgrade,) * count, slots, soak)


def test_nothing_to_do_takes_no_time() -> None:
    """
    Without a rollout the bound is zero.
    """
    assert timedelta(0) == bounds({}, 10).fleet


def test_a_chain_is_the_sum_of_upgrades_and_soaks() -> None:
    """
    One hour of upgrade and a day of soak, then three upgrades side by side and four hours of soak.
    """
    rollout = BoundRollout(NOON, (a_bound_wave(1, soak=DAY), a_bound_wave(3, soak=4 * HOUR)))

    bound = bounds({1: rollout}, 10)

    assert HOUR + DAY + HOUR + 4 * HOUR == bound.rollouts[1] == bound.fleet


def test_the_longest_upgrade_of_a_wave_counts() -> None:
    """
    The others end beside it.
    """
    wave = BoundWave((MINUTE, 3 * HOUR, HOUR), 10, timedelta(0))

    assert 3 * HOUR == bounds({1: BoundRollout(NOON, (wave,))}, 10).fleet


@pytest.mark.parametrize(
    ("upgrades", "slots", "takes"),
    [
        ([HOUR] * 12, 5, 3 * HOUR),  # five, five and two
        ([HOUR] * 12, 12, HOUR),
        ([HOUR] * 12, 1, 12 * HOUR),
        ([4 * HOUR, HOUR, HOUR, HOUR, HOUR], 2, 4 * HOUR),  # all the work fits beside the longest
        ([3 * HOUR, 3 * HOUR, 3 * HOUR, HOUR], 2, 6 * HOUR),  # one slot takes two of the three long ones
        ([HOUR, HOUR, 2 * HOUR, 2 * HOUR], 2, 3 * HOUR),  # six hours of work in two slots
    ],
)
def test_work_needs_its_slots(upgrades: list[timedelta], slots: int, takes: timedelta) -> None:
    """
    Rounds, the longest one, and the work over the slots: the largest of them.
    """
    assert NOON + takes == done_at(NOON, ALWAYS, upgrades, slots)


def test_an_upgrade_may_outlast_its_window() -> None:
    """
    Windows are for starts: what starts a minute before the end goes on.
    """
    late = NOON + 4 * HOUR - MINUTE

    assert late + 2 * HOUR == done_at(late, OFFICE, [2 * HOUR], 1)


def test_a_wave_that_comes_too_late_waits_for_the_next_window() -> None:
    """
    At 16:00 the window is closed; it opens at 9:00.
    """
    assert NOON + 21 * HOUR + HOUR == done_at(NOON + 4 * HOUR, OFFICE, [HOUR], 1)


def test_work_goes_on_in_the_next_window() -> None:
    """
    Four starts fit into the four hours that are left, the last one until 16:00; the fifth begins tomorrow at 9:00.
    """
    assert NOON + 21 * HOUR + HOUR == done_at(NOON, OFFICE, [HOUR] * 5, 1)


def test_a_freeze_closes_what_windows_open() -> None:
    """
    Frozen for a day from noon, the first start comes when the freeze ends, at noon.
    """
    frozen = Openings((Calendar((), (a_freeze(),)),))

    assert NOON + DAY + HOUR == done_at(NOON, frozen, [HOUR], 1)


def test_a_chain_waits_for_windows_after_each_soak() -> None:
    """
    Canary from 12:00 to 13:00, soaked at 19:00, too late: the second wave goes from 9:00 to 10:00, soaked at 11:00.
    """
    rollout = BoundRollout(NOON, (a_bound_wave(1, soak=6 * HOUR), a_bound_wave(3)), OFFICE)

    assert 23 * HOUR == bounds({1: rollout}, 10).fleet


def test_a_group_waits_for_those_before_it() -> None:
    """
    Both were planned at noon; the second begins when the first has soaked.
    """
    first = BoundRollout(NOON, (a_bound_wave(1),))
    second = BoundRollout(NOON, (a_bound_wave(1, upgrade=2 * HOUR),), after=(1,))

    bound = bounds({1: first, 2: second}, 10)

    assert {1: 2 * HOUR, 2: 5 * HOUR} == bound.rollouts
    assert 5 * HOUR == bound.fleet


def test_a_rollout_that_follows_another_is_not_measured_by_how_late_that_was() -> None:
    """
    The first took four hours instead of two: its own waiting makes the whole no longer than it needs to be.
    """
    first = BoundRollout(NOON, (a_bound_wave(1),))
    second = BoundRollout(NOON + 4 * HOUR, (a_bound_wave(1),), follows=1)

    bound = bounds({1: first, 2: second}, 10)

    assert {1: 2 * HOUR, 2: 2 * HOUR} == bound.rollouts
    assert 4 * HOUR == bound.fleet


def test_the_fleet_s_slots_bound_groups_together() -> None:
    """
    Four groups of five one-hour upgrades in ten slots: two hours of work, and the hour of soak after the last.
    """
    groups = {number: BoundRollout(NOON, (a_bound_wave(5),)) for number in range(4)}

    bound = bounds(groups, 10)

    assert dict.fromkeys(range(4), 2 * HOUR) == bound.rollouts
    assert 3 * HOUR == bound.fleet


def test_work_that_cannot_begin_at_once_is_counted_from_where_it_can() -> None:
    """
    Ten canaries of an hour, a soak of nine; from 22:00 on there are forty hours of work in ten slots, and a soak.
    """
    waves = (a_bound_wave(1, soak=9 * HOUR), a_bound_wave(4))
    groups = {number: BoundRollout(NOON, waves) for number in range(10)}

    assert timedelta(hours=1 + 9 + 4 + 1) == bounds(groups, 10).fleet


def test_a_bound_never_begins_before_its_rollout() -> None:
    """
    A group whose predecessor was through long ago is measured from its own plan.
    """
    first = BoundRollout(NOON, (a_bound_wave(1),))
    second = BoundRollout(NOON + DAY, (a_bound_wave(1),), after=(1,))

    assert 2 * HOUR == bounds({1: first, 2: second}, 10).rollouts[2]


def test_upgrades_that_take_no_time_are_bounded_by_their_soak() -> None:
    """
    Nothing is divided by nothing.
    """
    rollout = BoundRollout(NOON, (a_bound_wave(7, upgrade=timedelta(0), slots=2),), OFFICE)

    assert HOUR == bounds({1: rollout}, 1).fleet
