"""Upgrades of simulated clusters that do not go as asked."""

from datetime import timedelta

import pytest

from controller.model.inventory import FaultKind
from tests.builders import (
    HOUR,
    MINUTE,
    MOMENT,
    NEW,
    NOON,
    OLD,
    a_fault,
    a_simulated_cluster,
    a_start,
    release,
)
from tests.fleets.simulated_fleets import OTHER, READY, a_fleet, blocking, known_at


def test_a_stuck_upgrade_never_becomes_ready() -> None:
    """
    It stays half way, under-replicated and unsettled, however long one waits.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True))
    source.start(a_start(), NOON)

    reading = known_at(source, 1000 * HOUR)

    assert "1 of 3 brokers" == reading.progress
    assert (release(OLD), release(NEW)) == (reading.release, reading.highest)
    assert not reading.settled
    assert not reading.healthy


def test_a_stuck_upgrade_goes_on_once_the_fault_ends() -> None:
    """
    ``for`` counts from the moment at which it is stuck, so the whole upgrade takes that much longer.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True, lasts=HOUR))
    source.start(a_start(), NOON)

    assert "1 of 3 brokers" == known_at(source, 8 * MINUTE).progress
    assert "1 of 3 brokers" == known_at(source, 8 * MINUTE + HOUR - MOMENT).progress
    assert "2 of 3 brokers" == known_at(source, 8 * MINUTE + HOUR).progress
    assert not known_at(source, READY + HOUR - MOMENT).settled
    assert known_at(source, READY + HOUR).settled


def test_the_way_back_from_a_stuck_upgrade_is_open() -> None:
    """
    Faults ``during: upgrade`` leave downgrades alone.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True))
    source.start(a_start(), NOON)
    source.start(a_start(target=release(OLD), token="2"), NOON + HOUR)

    assert known_at(source, HOUR + 6 * MINUTE).settled
    assert release(OLD) == known_at(source, HOUR + 6 * MINUTE).highest


def test_a_fault_of_one_release_leaves_upgrades_to_others_alone() -> None:
    """
    ``release`` narrows a fault to upgrades to that release.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True, release=release(NEW)))
    source.start(a_start(target=release(OTHER)), NOON)

    assert known_at(source, READY).settled


def test_a_refused_wish_is_taken_and_answered_with_a_sentence() -> None:
    """
    The operator says no: the resource asks for it, no broker moves, and another wish is free.
    """
    source = a_fleet(a_fault(FaultKind.REFUSED, during_upgrade=True, release=release(NEW)))
    source.start(a_start(), NOON)

    refused = known_at(source, HOUR)
    assert "operator refuses 4.3.1 (simulated)" == refused.refused
    assert (release(OLD), release(OLD), release(NEW)) == (refused.release, refused.highest, refused.wanted)
    assert not refused.settled
    source.start(a_start(target=release(OTHER), token="2"), NOON + HOUR)
    assert known_at(source, HOUR).refused is None
    assert release(OTHER) == known_at(source, HOUR + READY).release


def test_an_operator_that_changes_its_mind_begins_then() -> None:
    """
    ``for`` ends the refusal, and the upgrade begins at that moment.
    """
    source = a_fleet(a_fault(FaultKind.REFUSED, during_upgrade=True, lasts=HOUR))
    source.start(a_start(), NOON)

    assert known_at(source, HOUR - MOMENT).refused
    assert known_at(source, HOUR).refused is None
    assert "1 of 3 brokers" == known_at(source, HOUR + 4 * MINUTE).progress
    assert known_at(source, HOUR + READY).settled


def test_an_upgrade_sticks_where_it_stands_when_its_time_comes() -> None:
    """
    Stuck ``at`` a time: brokers that had rolled have, the next goes on when the fault ends.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, at=9 * MINUTE, lasts=HOUR))
    source.start(a_start(), NOON)

    assert "2 of 3 brokers" == known_at(source, 9 * MINUTE).progress
    assert "2 of 3 brokers" == known_at(source, 12 * MINUTE + HOUR - MOMENT).progress
    assert "3 of 3 brokers" == known_at(source, 12 * MINUTE + HOUR).progress
    assert known_at(source, READY + HOUR).settled


@pytest.mark.parametrize("asked_after", [20 * MINUTE, 3 * HOUR])
def test_an_upgrade_outside_of_the_time_of_a_fault_is_not_held_up(asked_after: timedelta) -> None:
    """
    One that was over before, or was asked for afterwards, knows nothing of it.
    """
    for kind in (FaultKind.STUCK, FaultKind.REFUSED):
        source = a_fleet(a_fault(kind, at=HOUR, lasts=HOUR))
        source.start(a_start(), NOON + asked_after)
        assert known_at(source, asked_after + READY).settled


def test_what_is_asked_while_the_operator_refuses_begins_at_the_end_of_that() -> None:
    """
    Refused ``at`` a time counts for wishes of that time; one that is under way goes on.
    """
    before, within = (a_fleet(a_fault(FaultKind.REFUSED, at=5 * MINUTE, lasts=HOUR)) for _ in range(2))
    before.start(a_start(), NOON)
    within.start(a_start(), NOON + 6 * MINUTE)

    assert known_at(before, READY).settled
    assert known_at(within, 5 * MINUTE + HOUR - MOMENT).refused
    assert known_at(within, 5 * MINUTE + HOUR + READY).settled


def test_durations_beyond_every_calendar_mean_never() -> None:
    """
    The longest durations that can be declared neither raise nor come to pass.
    """
    endless = 999_999_999 * timedelta(days=1)
    slow = a_simulated_cluster(brokers=200_000, per_broker=endless, settle=endless)
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, at=endless, lasts=endless), clusters=(slow,))
    source.start(a_start(), NOON)

    reading = known_at(source, 10_000 * HOUR)

    assert "0 of 200000 brokers" == reading.progress
    assert [] == blocking(reading)


def test_an_upgrade_that_takes_no_time_can_still_be_stuck() -> None:
    """
    Without any durations an upgrade is done at once, unless it never ends.
    """
    quick = a_simulated_cluster(per_broker=timedelta(0), settle=timedelta(0))
    well, stuck = (
        a_fleet(*faults, clusters=(quick,)) for faults in ([], [a_fault(FaultKind.STUCK, during_upgrade=True)])
    )
    for source in (well, stuck):
        source.start(a_start(), NOON)

    assert known_at(well, timedelta(0)).settled
    assert not known_at(stuck, HOUR).settled
