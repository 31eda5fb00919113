"""The gates of a wave: the soak before it, its approval, and the limits of what may be in flight."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.core.gates.approval import approval
from controller.core.gates.limits import free_slots, limits
from controller.core.gates.soak import PreviousWave, soak
from controller.model.verdict import PASS, HoldReason
from tests.builders import HOUR, LEVEL_43, MOMENT, NOON, release
from tests.builders_core import a_wave, an_approval, held_for

TARGET = release("4.3.1")


def a_previous_wave(**parts: object) -> PreviousWave:
    """A wave of three clusters that all converged, and that has soaked half of its hour."""
    soaking = PreviousWave("canary", has_soaked=False, has_begun=True, done=3, of=3, soaked=HOUR / 2, soak=HOUR)
    return replace(soaking, **parts)  # type: ignore[arg-type] # a test names the part that it is about


def test_the_first_wave_waits_for_no_soak() -> None:
    """
    Where nothing was admitted before, or the wave before has soaked, the gate passes.
    """
    assert PASS == soak(None, 0, NOON)
    assert PASS == soak(a_previous_wave(has_soaked=True), 0, NOON)


def test_a_soak_under_way_says_when_it_can_be_full() -> None:
    """
    The next look is the earliest moment at which the rest of the soak can have passed.
    """
    hold = held_for(soak(a_previous_wave(soaked=HOUR - MOMENT), 0, NOON))

    assert (HoldReason.SOAKING, NOON + MOMENT) == (hold.reason, hold.recheck_at)


def test_a_wave_under_way_holds_without_a_time() -> None:
    """
    Until its last cluster has come to rest nobody knows when the soak begins.
    """
    hold = held_for(soak(a_previous_wave(has_begun=False, done=1), 0, NOON))

    assert (HoldReason.WAVE_UNDER_WAY, None) == (hold.reason, hold.recheck_at)
    assert "1 of 3" in hold.detail


def test_a_full_soak_with_a_failed_cluster_is_no_matter_of_time() -> None:
    """
    A wave that was quiet long enough, and has a failed cluster that nobody looked at, names no time.
    """
    hold = held_for(soak(a_previous_wave(soaked=HOUR), 0, NOON))

    assert (HoldReason.WAVE_UNDER_WAY, None) == (hold.reason, hold.recheck_at)


def test_clusters_in_flight_for_an_earlier_target_hold_every_wave() -> None:
    """
    A superseded rollout is followed to its end before anything is admitted for the new one.
    """
    hold = held_for(soak(a_previous_wave(has_soaked=True), 2, NOON))

    assert HoldReason.WAVE_UNDER_WAY == hold.reason
    assert "2 clusters" in hold.detail


def test_a_wave_without_approval_needs_none() -> None:
    """
    Only a wave that asks for a person's word waits for it.
    """
    assert PASS == approval(a_wave("broad"), TARGET, [], NOON)


@pytest.mark.parametrize(
    ("until", "passes"), [(None, True), (NOON + MOMENT, True), (NOON, False), (NOON - HOUR, False)]
)
def test_an_approval_expires_exactly_at_its_end(until: datetime | None, *, passes: bool) -> None:
    """
    Half-open: it serves one microsecond before ``until``, and no more at it; without one it never expires.
    """
    verdict = approval(a_wave("broad", approval=True), TARGET, [an_approval("broad", until=until)], NOON)

    assert passes == (verdict == PASS)
    if not passes:
        hold = held_for(verdict)
        assert (HoldReason.APPROVAL_MISSING, None) == (hold.reason, hold.recheck_at)
        assert "ana's approval of wave broad expired" in hold.detail


def test_an_approval_serves_its_wave_and_target_alone() -> None:
    """
    Another wave's, another release's and a finalization's approval do not count; what to write is told.
    """
    others = [an_approval("canary"), an_approval("broad", "4.3.2"), replace(an_approval("broad"), target=LEVEL_43)]

    hold = held_for(approval(a_wave("broad", approval=True), TARGET, others, NOON))
    assert HoldReason.APPROVAL_MISSING == hold.reason
    assert "approvals: [{wave: broad, version: 4.3.1, by: YOUR-NAME}]" in hold.detail


def test_an_approval_of_a_finalization_is_asked_for_by_its_own_key() -> None:
    """
    ``metadataVersion`` for finalization, ``version`` for software.
    """
    hold = held_for(approval(a_wave("broad", approval=True), LEVEL_43, [], NOON))

    assert "metadataVersion: 4.3-IV0" in hold.detail


@pytest.mark.parametrize(
    ("fleet", "group", "free"),
    [(0, 0, 3), (9, 0, 1), (10, 0, 0), (11, 0, 0), (3, 3, 0), (4, 4, 0), (8, 1, 2)],
)
def test_the_limits_hold_exactly_where_no_slot_is_free(fleet: int, group: int, free: int) -> None:
    """
    The tighter limit rules; more in flight than a lowered one allows leaves no slot, never a negative one.
    """
    counts = {"fleet": fleet, "fleet_max": 10, "group": group, "wave_max": 3}

    assert free == free_slots(**counts)
    verdict = limits(**counts)
    assert (free > 0) == (verdict == PASS)
    if free == 0:
        assert HoldReason.LIMIT_REACHED == held_for(verdict).reason


def test_the_soak_tells_what_is_left_in_words() -> None:
    """
    Both numbers are told.
    """
    hold = held_for(soak(a_previous_wave(soaked=timedelta(minutes=12)), 0, NOON))

    assert "has soaked 12m of 1h" in hold.detail
