"""The gates of a wave: the soak before it, its approval, and the limits of what may be in flight."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.core.gates.approval import approval
from controller.core.gates.external import external
from controller.core.gates.limits import domains, free_slots, limits
from controller.core.gates.soak import PreviousWave, soak
from controller.core.gates.together import together
from controller.core.gates.whole import whole
from controller.model.observation import GateReading
from controller.model.verdict import PASS, HoldReason
from tests.builders import HOUR, LEVEL_43, MOMENT, NOON, release
from tests.builders_core import a_gate, a_wave, an_approval, held_for

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


def test_a_paused_soak_names_no_time() -> None:
    """
    Nobody knows when the whole wave is seen healthy again.
    """
    hold = held_for(soak(a_previous_wave(paused="not all of it is seen healthy"), 0, NOON))

    assert (HoldReason.SOAKING, None) == (hold.reason, hold.recheck_at)


@pytest.mark.parametrize(("count", "passes"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_domain_is_full_exactly_at_its_limit(count: int, *, passes: bool) -> None:
    """
    The slot before its limit is free; a cluster without such a label is asked for none.
    """
    verdict = domains([("region", "eu", count, 2)])

    assert passes == (verdict == PASS)
    if not passes:
        assert HoldReason.LIMIT_REACHED == held_for(verdict).reason
    assert PASS == domains([])


def test_every_domain_of_a_cluster_must_have_room() -> None:
    """
    The one that is full holds, wherever it stands in the list.
    """
    assert PASS == domains([("region", "eu", 1, 2), ("rack", "r1", 0, 1)])
    assert "rack r1" in held_for(domains([("region", "eu", 1, 2), ("rack", "r1", 1, 1)])).detail
    assert "region eu" in held_for(domains([("region", "eu", 2, 2), ("rack", "r1", 0, 1)])).detail


def test_a_cluster_waits_for_one_of_which_nobody_knows_the_labels() -> None:
    """
    What is in flight and not listed now may share any domain.
    """
    hold = held_for(domains([("region", "eu", 0, 9)], ["p-7"]))

    assert HoldReason.NOT_OBSERVED == hold.reason
    assert hold.detail.startswith("p-7 is in flight or soaking and is not listed now")


def test_a_cluster_waits_for_the_one_that_stands_in_for_it() -> None:
    """
    With nobody of its set in flight or soaking the gate passes.
    """
    hold = held_for(together([("dr-pair", "orders", "orders-us")]))

    assert (HoldReason.NEVER_TOGETHER, None) == (hold.reason, hold.recheck_at)
    assert PASS == together([])


@pytest.mark.parametrize(("begins_at", "passes"), [(NOON + MOMENT, False), (NOON, True), (NOON - MOMENT, True)])
def test_a_level_is_finalized_exactly_when_its_soak_is_over(begins_at: datetime, *, passes: bool) -> None:
    """
    Half-open: held one microsecond before, and the next look is that very moment.
    """
    verdict = whole([], begins_at, NOON)

    assert passes == (verdict == PASS)
    if not passes:
        assert (HoldReason.SOAKING, begins_at) == (held_for(verdict).reason, held_for(verdict).recheck_at)


def test_a_group_that_is_not_whole_is_not_finalized_however_long_it_soaked() -> None:
    """
    Anybody missing holds, without a time; five are named and the rest is counted.
    """
    hold = held_for(whole(["p-1 is below it"], NOON - HOUR, NOON))

    assert (HoldReason.GROUP_NOT_ON_TARGET, None) == (hold.reason, hold.recheck_at)
    assert "more" not in held_for(whole(["p is below it"] * 5, NOON - HOUR, NOON)).detail
    assert HoldReason.GROUP_NOT_ON_TARGET == held_for(whole([], None, NOON)).reason


YES, NO, NONE = GateReading(passed=True, detail="0.1"), GateReading(passed=False, detail="0.9"), GateReading(None, "no")


@pytest.mark.parametrize(
    ("reading", "passed", "reason"),
    [
        (None, 9, HoldReason.GATE_UNANSWERED),
        (NONE, 9, HoldReason.GATE_UNANSWERED),
        (NO, 9, HoldReason.GATE_FAILED),
        (YES, 1, HoldReason.GATE_UNANSWERED),
        (YES, 2, None),
        (YES, 3, None),
    ],
)
def test_an_outside_gate_passes_only_with_its_last_sample(
    reading: GateReading | None, passed: int, reason: HoldReason | None
) -> None:
    """
    Not asked, no answer, a no, and a yes too few each hold; an error is never a yes.
    """
    verdict = external(a_gate(samples=2), reading, passed)

    assert reason == (None if verdict == PASS else held_for(verdict).reason)
