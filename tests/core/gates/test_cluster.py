"""The gates of one cluster: seen, held, stopped, whose it is, settled, healthy, able to go where it should."""

from dataclasses import replace
from datetime import datetime

import pytest

from controller.core.gates.health import health
from controller.core.gates.held import held
from controller.core.gates.hop import hop
from controller.core.gates.identity import belonging, identity
from controller.core.gates.observation import observation
from controller.core.gates.operator import operator, refusal
from controller.core.gates.settled import settled
from controller.core.gates.stopped import stopped
from controller.history.records import StopKind
from controller.model.observation import Reading, Severity, Unknown
from controller.model.verdict import PASS, HoldReason
from tests.builders import HOUR, MOMENT, NEW, NOON, a_finding, a_reading, release
from tests.builders_core import a_hold, a_stop, held_for


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (a_reading(), None),
        (None, HoldReason.CLUSTER_MISSING),
        (Unknown("no broker answers"), HoldReason.NOT_OBSERVED),
        (a_reading(full=False), HoldReason.NOT_OBSERVED),
    ],
)
def test_only_a_full_reading_of_this_cycle_is_an_observation(
    reading: Reading | Unknown | None, reason: HoldReason | None
) -> None:
    """
    Not listed, not readable and not read in full each hold.
    """
    verdict = observation(reading)

    assert reason == (None if verdict == PASS else held_for(verdict).reason)


@pytest.mark.parametrize(("until", "holds"), [(None, True), (NOON + MOMENT, True), (NOON, False)])
def test_a_hold_in_git_ends_exactly_at_its_time(until: datetime | None, *, holds: bool) -> None:
    """
    Half-open, and the next look is its end.
    """
    verdict = held([a_hold("a-1", until)], None, NOON)

    assert holds == (verdict != PASS)
    if holds:
        hold = held_for(verdict)
        assert (HoldReason.CLUSTER_HELD, until) == (hold.reason, hold.recheck_at)
        assert "INC-4711" in hold.detail


def test_an_annotation_holds_until_it_is_taken_away() -> None:
    """
    The annotation's own words are the reason; an expired hold in Git does not hide it.
    """
    hold = held_for(held([a_hold("a-1", NOON - HOUR)], "do not touch", NOON))

    assert (HoldReason.CLUSTER_HELD, None) == (hold.reason, hold.recheck_at)
    assert "do not touch" in hold.detail


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (StopKind.QUARANTINE, HoldReason.CLUSTER_QUARANTINED),
        (StopKind.CHANGED_BY_OTHERS, HoldReason.CHANGED_BY_OTHERS),
    ],
)
def test_a_stopped_cluster_waits_for_its_number(kind: StopKind, reason: HoldReason) -> None:
    """
    The hold names what to acknowledge; once that happened the gate passes.
    """
    stop = a_stop(7, kind=kind, cluster="sim/a-1")

    hold = held_for(stopped([stop], "prod", ["prod"]))
    assert reason == hold.reason
    assert "acknowledge: [prod-7]" in hold.detail
    assert PASS == stopped([replace(stop, acknowledged_at=NOON)], "prod", ["prod"])
    assert PASS == stopped([], "prod", ["prod"])


@pytest.mark.parametrize(
    ("reading", "claimed_by", "twice", "reason"),
    [
        (a_reading(), (), False, None),
        (a_reading(fleet="acme"), ("prod",), False, None),
        (a_reading(), ("dev", "prod"), False, HoldReason.CLAIMED_TWICE),
        (a_reading(kafka_id="k"), (), True, HoldReason.SEEN_TWICE),
        (a_reading(fleet="other"), (), False, HoldReason.OWNED_ELSEWHERE),
        (a_reading(owner="Argo CD owns spec.kafka.version"), (), False, HoldReason.OWNED_ELSEWHERE),
    ],
)
def test_a_cluster_is_touched_only_by_its_one_group_and_fleet(
    reading: Reading, claimed_by: tuple[str, ...], reason: HoldReason | None, *, twice: bool
) -> None:
    """
    Claimed twice, seen twice, marked by another fleet or owned by another tool: each holds.
    """
    verdict = identity(reading, "acme", claimed_by, seen_twice=twice)

    assert reason == (None if verdict == PASS else held_for(verdict).reason)


@pytest.mark.parametrize("owner", ["dev", None])
def test_a_cluster_that_moved_away_is_not_started_for_its_old_group(owner: str | None) -> None:
    """
    Whether another group claims it now, or nobody does.
    """
    assert PASS == belonging("prod", "prod")
    assert HoldReason.CLUSTER_UNSETTLED == held_for(belonging("prod", owner)).reason


@pytest.mark.parametrize(
    "reading",
    [
        a_reading(settled=False, progress="2 of 3 brokers"),
        a_reading(wanted=release(NEW)),
        a_reading(highest=release("4.4.0")),
    ],
    ids=["still changing", "asked for another release", "brokers of two releases"],
)
def test_a_cluster_that_is_being_changed_is_left_alone(reading: Reading) -> None:
    """
    Whoever changes it, and also where it was left half-way.
    """
    assert HoldReason.CLUSTER_UNSETTLED == held_for(settled(reading, in_flight=False)).reason


def test_a_cluster_in_flight_for_another_rollout_is_left_alone() -> None:
    """
    However settled it looks.
    """
    assert PASS == settled(a_reading(), in_flight=False)
    assert HoldReason.CLUSTER_UNSETTLED == held_for(settled(a_reading(), in_flight=True)).reason


@pytest.mark.parametrize(("severity", "holds"), [(Severity.BLOCK, True), (Severity.WAIT, True), (Severity.WARN, False)])
def test_every_finding_but_a_warning_holds_a_start(severity: Severity, *, holds: bool) -> None:
    """
    What only a roll under way explains holds a start too, since no roll is under way.
    """
    verdict = health(a_reading(findings=(a_finding(severity),)))

    assert holds == (verdict != PASS)


def test_health_shows_three_findings_and_counts_the_rest() -> None:
    """
    The sentence stays short, and leaves none out in silence.
    """
    findings = tuple(a_finding(id=f"finding_{number}") for number in range(5))

    hold = held_for(health(a_reading(findings=findings)))
    assert HoldReason.CLUSTER_UNHEALTHY == hold.reason
    assert hold.detail.endswith("(+2 more)")
    assert "finding_3" not in hold.detail
    assert "more" not in held_for(health(a_reading(findings=findings[:3]))).detail


def test_a_hop_needs_to_be_legal_and_its_risk_accepted() -> None:
    """
    An illegal hop says why; a risk holds until it is accepted by name.
    """
    assert PASS == hop(None, None, frozenset())
    assert PASS == hop(None, "KIP-896", frozenset({"KIP-896"}))
    assert HoldReason.NO_LEGAL_HOP == held_for(hop("no way", "KIP-896", frozenset())).reason
    assert HoldReason.RISK_NOT_ACCEPTED == held_for(hop(None, "KIP-896", frozenset({"KIP-1"}))).reason


@pytest.mark.parametrize(
    ("target", "passes"),
    [("4.1.9", False), ("4.2.0", True), ("4.2.1", False), ("4.3.1", True), ("4.3.2", False)],
)
def test_an_operator_is_asked_only_for_what_it_supports(target: str, *, passes: bool) -> None:
    """
    Of what lies between, only what it names; one that does not tell is asked.
    """
    supported = (release("4.2.0"), release("4.3.1"))

    verdict = operator(release(target), supported)
    assert passes == (verdict == PASS)
    if not passes:
        assert HoldReason.OPERATOR_UNSUPPORTED == held_for(verdict).reason
    assert PASS == operator(release(target), None)


def test_a_refused_write_is_tried_again_exactly_when_it_said() -> None:
    """
    Held one microsecond before, free at the time; a write that was not refused never holds.
    """
    hold = held_for(refusal("409 conflict", NOON, NOON - MOMENT))

    assert (HoldReason.WRITE_REFUSED, NOON) == (hold.reason, hold.recheck_at)
    assert "409 conflict" in hold.detail
    assert PASS == refusal("409 conflict", NOON, NOON)
    assert PASS == refusal("", NOON, NOON - MOMENT)
