"""What became of what was started: samples, deadlines and failures, judged by observations alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.core.drift import describe, is_sick, is_well
from controller.history.entries import ClusterConverged, ClusterFailed, SlotFreed, StartAccepted, StartWithdrawn
from controller.history.records import ClusterState
from controller.model.observation import Reading, Severity, Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, MOMENT, NEW, NOON, a_finding, a_reading, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave
from tests.core.plays import Play, half_rolled, only, second_wave, started

DEADLINE = 3 * HOUR


def under_way(samples: int = 3, *, accepted: bool = True) -> Play:
    """The canary of two was started at noon; it is next to be judged a minute later."""
    play = Play(a_group(samples=samples)).live("p-1", "p-2")
    assert ["p-2"] == started(play.cycle())
    if accepted:
        play.record(StartAccepted(1, "sim/p-2"))
        play.show("p-2", half_rolled())
    return play


def state(play: Play) -> ClusterState:
    """Where the canary stands."""
    return play.record_of("p-2").state


def test_a_cluster_converges_with_its_last_sample_and_not_before() -> None:
    """
    On target, settled and healthy in as many consecutive observations as the group asks for.
    """
    play = under_way()
    play.reach("p-2").cycles(2)
    assert ClusterState.STARTED == state(play)

    assert [ClusterConverged(1, "sim/p-2")] == only(ClusterConverged, play.cycle().entries)
    assert (False, NOON + 3 * MINUTE) == (play.record_of("p-2").holds_slot, play.record_of("p-2").converged_at)


SPOILED: list[Reading | Unknown] = [
    Unknown("no broker answers"),
    a_reading(NEW, full=False),
    a_reading(NEW, settled=False),
    a_reading(NEW, findings=(a_finding(),)),
    a_reading(NEW, findings=(a_finding(Severity.WAIT),)),
    a_reading("4.1.2", highest=release(NEW), wanted=release(NEW)),
]


@pytest.mark.parametrize(
    "reading", SPOILED, ids=["unknown", "not in full", "unsettled", "sick", "under-replicated", "half-rolled"]
)
def test_anything_but_a_good_sample_begins_the_samples_anew(reading: Reading | Unknown) -> None:
    """
    Consecutive means consecutive.
    """
    play = under_way()
    play.reach("p-2").cycles(2)
    play.show("p-2", reading).cycle()
    play.reach("p-2").cycles(2)
    assert ClusterState.STARTED == state(play)

    play.cycle()
    assert ClusterState.CONVERGED == state(play)


def test_a_restart_begins_the_samples_anew() -> None:
    """
    They are not recorded.
    """
    play = under_way()
    play.reach("p-2").cycles(2)
    play.restart().cycles(2)

    assert ClusterState.STARTED == state(play)


def test_a_cluster_fails_exactly_at_its_deadline() -> None:
    """
    Half-open: one microsecond before it there is still time; the cause tells what was seen.
    """
    play = under_way()
    play.pass_time(DEADLINE - MINUTE - MOMENT).cycle()
    assert ClusterState.STARTED == state(play)

    play.pass_time(MOMENT - MINUTE)
    (failed,) = only(ClusterFailed, play.cycle().entries)
    assert "not healthy on 4.3.1 after 3h: runs 4.1.2 to 4.3.1; still changing (1 of 3 brokers)" == failed.cause
    assert play.record_of("p-2").holds_slot


def test_what_is_seen_on_target_after_our_downtime_first_gets_its_samples() -> None:
    """
    However long ago the deadline was; a bad sample then fails it at once.
    """
    play = under_way()
    play.reach("p-2").pass_time(20 * HOUR).cycles(2)
    assert ClusterState.STARTED == state(play)
    play.cycle()
    assert ClusterState.CONVERGED == state(play)

    other = under_way()
    other.reach("p-2").pass_time(20 * HOUR).cycles(2)
    other.show("p-2", a_reading(NEW, findings=(a_finding(),))).cycle()
    assert ClusterState.FAILED == state(other)


@pytest.mark.parametrize("reading", [Unknown("no broker answers"), a_reading(full=False)])
def test_what_cannot_be_seen_neither_fails_nor_converges(reading: Reading | Unknown) -> None:
    """
    It keeps its slot, past its deadline too.
    """
    play = under_way()
    play.show("p-2", reading).pass_time(DEADLINE - MINUTE).cycles(10)

    assert ClusterState.STARTED == state(play)
    assert play.record_of("p-2").holds_slot
    assert HoldReason.UNKNOWN_PAST_DEADLINE in play.reasons()


def test_an_operator_that_refuses_what_it_took_fails_its_cluster_at_once() -> None:
    """
    In its own words.
    """
    play = under_way()
    play.show("p-2", a_reading(wanted=release(NEW), settled=False, refused="unsupported Kafka version 4.3.1"))

    (failed,) = only(ClusterFailed, play.cycle().entries)
    assert "its operator refused: unsupported Kafka version 4.3.1" == failed.cause


def test_an_untaken_start_is_given_up_once_its_write_can_no_longer_arrive() -> None:
    """
    Two poll intervals until it expires, and one time limit more for a write under way; then it is planned anew.
    """
    play = under_way(accepted=False)
    limit = play.snapshot().write_limit
    expires_at = play.record_of("p-2").expires_at
    assert NOON + 2 * MINUTE == expires_at

    play.pass_time(MINUTE + limit - MOMENT)
    assert [] == only(StartWithdrawn, play.cycle().entries)
    assert play.record_of("p-2").holds_slot

    play.pass_time(MOMENT - MINUTE)
    plan = play.cycle()
    assert [StartWithdrawn(1, "sim/p-2")] == only(StartWithdrawn, plan.entries)
    assert ["p-2"] == started(plan)


def test_a_start_without_an_answer_is_seen_to_be_taken() -> None:
    """
    The resource asks for the target: that is the answer.
    """
    play = under_way(accepted=False)
    play.show("p-2", half_rolled())

    assert [StartAccepted(1, "sim/p-2")] == only(StartAccepted, play.cycle().entries)


def test_a_start_is_not_given_up_while_its_cluster_cannot_be_seen() -> None:
    """
    Only an observation tells that the object is untouched.
    """
    play = under_way(accepted=False)
    play.show("p-2", Unknown("no broker answers")).pass_time(5 * HOUR)

    assert [] == only(StartWithdrawn, play.cycle().entries)


def test_a_write_that_arrives_after_it_was_given_up_is_followed_again() -> None:
    """
    It holds a slot and has a deadline as any start.
    """
    play = under_way(accepted=False)
    play.declare(a_group(samples=3, halted=True))
    play.pass_time(HOUR).cycle()
    assert ClusterState.PENDING == state(play)

    play.show("p-2", half_rolled()).cycle()
    assert (ClusterState.STARTED, True) == (state(play), play.record_of("p-2").holds_slot)


def test_a_late_write_of_a_cluster_in_the_tail_is_soaked_by_no_wave() -> None:
    """
    Held after its start was given up, it went to the tail; once on target it leaves, for no wave has it.
    """
    play = under_way(samples=1, accepted=False)
    play.show("p-2", a_reading(held="do not touch")).pass_time(HOUR).cycle()
    assert play.record_of("p-2").tail

    play.show("p-2", half_rolled()).cycle()
    play.reach("p-2").cycles(2)
    assert "sim/p-2" not in play.rollout().clusters


def test_a_start_given_up_after_its_cluster_moved_is_not_tried_again() -> None:
    """
    It is withdrawn after the moves of this cycle were judged; its old group lets it go in the next one.
    """
    play = under_way(accepted=False)
    play.live("p-2", group="dev").pass_time(HOUR)
    plan = play.cycle()
    assert [StartWithdrawn(1, "sim/p-2")] == only(StartWithdrawn, plan.entries)
    assert "p-2" not in started(plan)

    play.cycle()
    assert "sim/p-2" not in play.rollout().clusters


def test_a_late_write_for_an_earlier_target_is_left_alone() -> None:
    """
    The ended rollout does not take it up again; the present one waits until it has settled.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest"),)))).live("p-1", "p-2")
    play.cycle()
    play.show("p-1", half_rolled()).pass_time(HOUR).cycle()
    assert ClusterState.STARTED == state(play)
    play.declare(a_group(target="4.3.2", halted=True)).pass_time(HOUR).cycle()
    assert ClusterState.PENDING == state(play)

    play.show("p-2", half_rolled()).cycles(3)
    assert ClusterState.PENDING == state(play)
    assert "ClusterUnsettled" in {hold.reason for hold in play.explain("p-2").holds}


def test_a_cluster_fails_no_more_once_its_rollout_has_ended() -> None:
    """
    While others of it are still in flight as well.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest"),)))).live("p-1", "p-2")
    play.cycle()
    play.reach("p-2").show("p-1", half_rolled()).cycle()
    play.declare(a_group(target="4.3.2", halted=True)).show("p-2", a_reading(NEW, findings=(a_finding(),)))

    assert [] == only(ClusterFailed, play.cycles(5))
    assert ClusterState.CONVERGED == state(play)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_a_converged_cluster_fails_with_its_last_unhealthy_sample(samples: int) -> None:
    """
    As many consecutive ones as made it converge; one fewer is no failure.
    """
    play = under_way(samples)
    play.reach("p-2").cycles(samples)
    play.show("p-2", a_reading(NEW, findings=(a_finding(),))).cycles(samples - 1)
    assert ClusterState.CONVERGED == state(play)

    (failed,) = only(ClusterFailed, play.cycle().entries)
    assert failed.cause.startswith("unhealthy after it converged on 4.3.1: runs 4.3.1; 1 partition")
    assert (ClusterState.FAILED, True) == (state(play), play.record_of("p-2").holds_slot)


def test_one_good_sample_forgets_the_bad_ones() -> None:
    """
    Unhealthy samples are counted in a row too; what cannot be seen between them breaks no row.
    """
    play = under_way(samples=2)
    play.reach("p-2").cycles(2)
    sick = a_reading(NEW, findings=(a_finding(),))
    play.show("p-2", sick).cycle()
    play.reach("p-2").cycle()
    play.show("p-2", sick).cycle()
    assert ClusterState.CONVERGED == state(play)

    play.show("p-2", Unknown("no broker answers")).cycle()
    play.show("p-2", sick).cycle()
    assert ClusterState.FAILED == state(play)


def test_a_failed_cluster_keeps_its_slot_until_it_is_well_and_settled() -> None:
    """
    Seen unsettled or sick it stays in flight; it stays failed in any case.
    """
    play = under_way()
    play.pass_time(DEADLINE).cycle()
    for reading in (half_rolled(), a_reading(NEW, findings=(a_finding(),)), Unknown("dark")):
        play.show("p-2", reading).cycle()
        assert play.record_of("p-2").holds_slot

    assert [SlotFreed(1, "sim/p-2")] == only(SlotFreed, play.show("p-2", a_reading()).cycle().entries)
    assert ClusterState.FAILED == state(play)


def test_a_cluster_whose_group_is_gone_is_followed_to_its_end() -> None:
    """
    With the defaults of a declaration: three samples, three hours.
    """
    play = under_way(samples=1)
    play.declaration = a_declaration(a_group("other"))
    play.cycle()
    play.reach("p-2").cycles(2)
    assert ClusterState.STARTED == state(play)
    play.cycle()
    assert ClusterState.CONVERGED == state(play)

    late = under_way(samples=1)
    late.declaration = a_declaration(a_group("other", strategy=a_strategy(deadline=MINUTE)))
    late.pass_time(3 * HOUR - 2 * MINUTE).cycle()
    assert ClusterState.STARTED == state(late)
    late.cycle()
    assert ClusterState.FAILED == state(late)


def test_a_shorter_deadline_counts_at_once() -> None:
    """
    The present declaration rules over what is in flight.
    """
    play = under_way()
    play.declare(a_group(strategy=a_strategy(deadline=timedelta(minutes=1))))

    assert 1 == len(only(ClusterFailed, play.cycle().entries))


@pytest.mark.parametrize(
    ("reading", "well", "sick"),
    [
        (a_reading(), True, False),
        (a_reading(settled=False), False, False),
        (a_reading(findings=(a_finding(Severity.WARN),)), True, False),
        (a_reading(findings=(a_finding(Severity.WAIT),)), False, True),
        (a_reading(findings=(a_finding(Severity.WAIT),), settled=False), False, False),
        (a_reading(findings=(a_finding(Severity.BLOCK),), settled=False), False, True),
    ],
)
def test_between_well_and_sick_lies_what_a_roll_explains(reading: Reading, *, well: bool, sick: bool) -> None:
    """
    Nothing is both.
    """
    assert (well, sick) == (is_well(reading), is_sick(reading))


def test_a_description_names_what_is_not_as_it_should_be() -> None:
    """
    Releases, progress and at most a few findings; warnings are left out.
    """
    findings = (a_finding(Severity.WARN, "disk_usage"), *(a_finding(id=f"finding_{number}") for number in range(5)))
    reading = replace(half_rolled(), findings=findings)

    assert (
        "runs 4.1.2 to 4.3.1; still changing (1 of 3 brokers); 1 partition: finding_0; 1 partition: finding_1"
        == describe(reading)
    )
    assert "runs 4.1.2; still changing" == describe(a_reading(settled=False))


@pytest.mark.parametrize(
    "unseen", [Unknown("timeout"), replace(half_rolled(), full=False)], ids=["unknown", "not in full"]
)
def test_who_is_past_its_deadline_and_not_seen_holds_its_wave(unseen: Reading | Unknown) -> None:
    """
    Safety: nobody else of the wave starts until it is seen again, which tells whether it failed.
    """
    play = second_wave(most=2)
    first, second = started(play.plan or play.cycle())
    play.take(play.plan or play.cycle()).show(first, unseen).reach(second).pass_time(3 * HOUR)

    plans = [play.cycle() for _ in range(3)]

    assert [] == [name for plan in plans for name in started(plan)]
    assert f"sim/{first}" == play.hold(HoldReason.UNKNOWN_PAST_DEADLINE).cluster
    assert 1 == play.reasons().count(HoldReason.UNKNOWN_PAST_DEADLINE)

    play.reach(first)
    assert [name for _ in range(4) for name in started(play.cycle())]
