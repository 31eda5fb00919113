"""What people see of a group: counts, state, waves, holds and the one sentence, the same everywhere."""

from dataclasses import replace

import pytest

from controller.core.views import HOLDS_RECORDED_MAX
from controller.history.entries import GroupJudged
from controller.history.records import RolloutKind
from controller.model.declaration import Selector
from controller.model.observation import Unknown
from controller.model.outbox import StatusState
from controller.model.requests import Command
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, NEW, a_finding, a_reading, release
from tests.builders_core import a_group, a_hold, a_request, a_strategy, a_wave, an_approval
from tests.core.plays import Play, half_rolled, only

THREE = (a_wave("canary", "1", 10 * MINUTE), a_wave("early", "2", HOUR), a_wave("rest", "rest", HOUR))
NAMES = ("p-1", "p-2", "p-3", "p-4", "p-5", "p-6")
"""Waves take them in the order p-2 p-6 p-1 p-4 p-3 p-5."""
REFUSED = a_reading(wanted=release(NEW), settled=False, refused="no")
DARK = Unknown("no broker answers")
AHEAD = "it runs 4.3.2, above the target 4.3.1, and is left there"


def three_waves(**parts: object) -> Play:
    """Six clusters in three waves; the first was just started."""
    play = Play(a_group(strategy=a_strategy(waves=THREE), **parts)).live(*NAMES)  # type: ignore[arg-type]
    play.cycle()
    return play


def test_a_wave_that_starts_names_its_clusters() -> None:
    """
    In the cycle that starts them.
    """
    play = three_waves()

    assert "prod → 4.3.1: wave 1/3 canary, 0 of 1 cluster done, 1 in flight; starting p-2" == play.view().sentence


def test_a_wave_in_flight_says_how_far_it_is_and_not_that_it_waits_for_itself() -> None:
    """
    Its own being under way is no reason that people need to read.
    """
    play = three_waves()
    play.show("p-2", half_rolled()).cycle()

    assert "prod → 4.3.1: wave 1/3 canary, 0 of 1 cluster done, 1 in flight" == play.view().sentence
    assert [HoldReason.WAVE_UNDER_WAY] == play.reasons()


def test_a_soaking_wave_says_when_it_can_be_over() -> None:
    """
    The time of the next look, with its zone.
    """
    play = three_waves()
    play.reach("p-2").cycle()

    assert "prod → 4.3.1: wave 1/3 canary, 1 of 1 cluster done, soaking; next: 12:11 UTC (soak)" == play.view().sentence


def test_what_a_person_must_lift_is_told_before_any_time() -> None:
    """
    Where time and a person are both waited for, the person reads of it now; where only time, of the latest.
    """
    waves = (THREE[0], a_wave("early", "2", approval=True), THREE[2])
    play = Play(a_group(strategy=a_strategy(waves=waves))).live(*NAMES)
    play.cycle()
    play.reach("p-2").cycle()
    assert "held (ApprovalMissing): wave early waits for approval; merge approvals:" in play.view().sentence

    play.declare(a_group(strategy=a_strategy(waves=waves), approvals=(an_approval("early"),))).cycle()
    assert play.view().sentence.endswith("soaking; next: 12:11 UTC (soak)")


def test_a_wave_not_started_says_what_holds_it() -> None:
    """
    Before the first wave there is nothing else to tell.
    """
    play = Play(a_group(halted=True)).live("p-1", "p-2")
    play.cycle()

    why = "held (GroupHalted): prod says halted: true; set it to false to go on"
    assert f"prod → 4.3.1: wave 1/2 canary not started; {why}" == play.view().sentence
    assert StatusState.FAILURE == play.view().state


def test_clusters_of_an_earlier_target_in_flight_are_told() -> None:
    """
    A new rollout that waits for them says so.
    """
    play = three_waves()
    play.declare(a_group(target="4.3.2", strategy=a_strategy(waves=THREE))).show("p-2", half_rolled()).cycle()

    assert play.view().sentence.endswith(
        "not started; held (WaveUnderWay): still in flight for an earlier target: 1 cluster"
    )


def test_a_hold_that_ends_by_itself_names_its_cluster_and_its_time() -> None:
    """
    The rollout stays pending and names whom it still waits for.
    """
    play = Play(a_group(holds=(a_hold("p-1", Play().now + HOUR),))).live("p-1", "p-2")
    play.cycle()
    play.reach("p-2").pass_time(3 * MINUTE).cycle()
    play.declare(
        a_group(
            strategy=a_strategy(waves=(a_wave("canary", "1", MINUTE), THREE[2])),
            holds=(a_hold("p-1", play.now + HOUR),),
        )
    )
    play.cycles(2)

    assert play.view().sentence.endswith("1 of 1 cluster done, soaked; next: 13:05 UTC (hold of p-1)")


def test_a_group_at_rest_is_all_on_target() -> None:
    """
    Adopted is on target; only what was rolled out and soaked is called so.
    """
    play = Play(a_group()).live("p-1", "p-2", reading=a_reading(NEW))
    play.cycle()

    assert ("prod → 4.3.1: all 2 clusters on target", StatusState.SUCCESS) == (play.view().sentence, play.view().state)
    assert (2, 0, 2, None, RolloutKind.SOFTWARE) == (
        play.view().done,
        play.view().in_flight,
        play.view().of,
        play.view().rollout,
        play.view().kind,
    )


def test_a_rollout_that_is_over_is_told_until_the_next_one() -> None:
    """
    Its waves too, each with who was in it.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", MINUTE),)))).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1", "p-2").cycles(3)

    view = play.view()
    assert ("prod → 4.3.1: all 2 clusters converged and soaked", StatusState.SUCCESS) == (view.sentence, view.state)
    assert [("all", True, 2, True)] == [(wave.name, wave.admitted, wave.done, wave.has_soaked) for wave in view.waves]
    assert (1, RolloutKind.SOFTWARE) == (view.rollout, view.kind)


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (DARK, "prod → 4.3.1: 1 of 2 clusters on target, 1 unknown"),
        (a_reading("4.3.2"), f"prod → 4.3.1: 1 of 2 clusters on target; held p-2 (AheadOfTarget): {AHEAD}"),
    ],
)
def test_a_group_at_rest_that_is_not_on_target_says_what_is_missing(reading: object, sentence: str) -> None:
    """
    It is pending, and no success.
    """
    play = Play(a_group()).live("p-1", reading=a_reading(NEW)).live("p-2", reading=reading)  # type: ignore[arg-type]
    play.cycle()

    assert (sentence, StatusState.PENDING) == (play.view().sentence, play.view().state)


def test_a_group_that_cannot_be_seen_for_a_source_never_read_says_so() -> None:
    """
    It may have clusters there, so it is no success.
    """
    play = Play(a_group()).live("p-1", reading=a_reading(NEW))
    play.unreachable["eu"] = "connection refused"
    play.cycle()

    assert (
        "prod → 4.3.1: 1 of 1 cluster on target, 0 unknown; not read since this process started: eu"
        == play.view().sentence
    )
    assert StatusState.PENDING == play.view().state


def test_names_that_mean_nobody_are_told_and_are_no_success() -> None:
    """
    Missing ones by the name that was declared.
    """
    play = Play(a_group(selector=Selector(names=("p-1", "p-9")))).live("p-1", reading=a_reading(NEW))
    play.cycle()

    hold = play.hold(HoldReason.CLUSTER_MISSING)
    assert ("p-9", StatusState.PENDING) == (hold.cluster, play.view().state)
    assert "prod names it, and no one live cluster has that name" == hold.detail


def test_a_group_without_clusters_says_whose_were_not_read() -> None:
    """
    After a restart nobody knows what a source that is away would list.
    """
    play = Play(a_group())
    play.unreachable["eu"] = "connection refused"
    play.cycle()

    assert StatusState.PENDING is play.view().state
    assert "prod → 4.3.1: selects no live cluster, as far as is known: not read yet is eu" == play.view().sentence


def test_a_group_whose_only_cluster_is_claimed_twice_says_so() -> None:
    """
    It has no live cluster of its own, and that is why.
    """
    play = Play(a_group(selector=Selector(names=("p-1",))), a_group("dev"), a_group("else")).live("p-1", group="dev")
    play.cycle()

    why = "held p-1 (ClaimedTwice): groups dev and prod claim it; leave it to one of them"
    assert f"prod → 4.3.1: selects no live cluster; {why}" == play.view().sentence
    assert [HoldReason.CLAIMED_TWICE] == play.reasons("dev")
    assert [] == play.reasons("else")


def test_what_is_sick_on_target_is_told_without_a_failure() -> None:
    """
    After a rollout has ended, it is reported, and no more.
    """
    play = Play(a_group()).live("p-1", reading=a_reading(NEW, findings=(a_finding(),)))
    play.cycle()

    assert ("sim/p-1", StatusState.SUCCESS) == (play.hold(HoldReason.CLUSTER_UNHEALTHY).cluster, play.view().state)


@pytest.mark.parametrize("halted", [True, False])
def test_a_halted_group_at_rest_fails_only_where_it_is_halted(*, halted: bool) -> None:
    """
    By command as by commit; it is told also where nothing of it waits to start.
    """
    play = Play(a_group()).live("p-1", reading=a_reading(NEW))
    play.cycle(*((a_request(Command.HALT),) if halted else ()))

    assert (StatusState.FAILURE if halted else StatusState.SUCCESS) == play.view().state


def test_the_waves_to_come_are_shown_as_they_would_go_now() -> None:
    """
    Admitted ones with their members, the others with whom they would take, the tail last.
    """
    play = three_waves(holds=(a_hold("p-3"),))
    play.live("p-7").cycle()

    shown = [(wave.number, wave.name, len(wave.clusters), wave.admitted) for wave in play.view().waves]
    assert [(1, "canary", 1, True), (2, "early", 2, False), (3, "rest", 3, False), (4, "tail", 1, False)] == shown
    assert [10 * MINUTE, HOUR, HOUR, HOUR] == [wave.soak for wave in play.view().waves]


def test_a_quarantined_cluster_is_told_while_others_go_on() -> None:
    """
    With its number, also in cycles that ask nothing of it.
    """
    play = three_waves()
    play.declare(a_group(strategy=a_strategy(waves=THREE, budget="1")))
    play.reach("p-2").cycles(11)
    play.show("p-6", REFUSED).cycles(2)

    hold = play.hold(HoldReason.CLUSTER_QUARANTINED)
    assert "sim/p-6" == hold.cluster
    assert hold.detail.endswith("to go on merge acknowledge: [prod-1]")


def test_a_rollout_that_failed_is_told_until_its_numbers_are_acknowledged() -> None:
    """
    Once somebody looked at each of them, what the clusters run counts again.
    """
    group = a_group(strategy=a_strategy(waves=(THREE[0], a_wave("rest", "rest", MINUTE)), budget="1"))
    play = Play(group).live("p-1", "p-2", "p-3")
    play.cycle()
    play.reach("p-2").cycles(11)
    play.reach("p-3").show("p-1", REFUSED).cycles(4)
    assert StatusState.FAILURE == play.view().state
    play.reach("p-1").cycle()
    assert StatusState.FAILURE == play.view().state

    play.declare(replace(group, acknowledge=frozenset({1}))).cycle()
    assert StatusState.SUCCESS == play.view().state


def test_a_cluster_held_by_several_gates_is_told_with_each_of_them() -> None:
    """
    All answer, not only the first to hold.
    """
    reading = a_reading("3.9.2", held="x", findings=(a_finding(),), fleet="umbrella", settled=False)
    play = Play(a_group()).live("p-1", reading=reading)
    play.cycle()

    assert [
        HoldReason.CLUSTER_HELD,
        HoldReason.OWNED_ELSEWHERE,
        HoldReason.CLUSTER_UNSETTLED,
        HoldReason.CLUSTER_UNHEALTHY,
        HoldReason.RISK_NOT_ACCEPTED,
    ] == play.reasons()


def test_very_many_holds_are_cut_in_the_ledger_and_not_in_the_plan() -> None:
    """
    An entry stays small however large the group is.
    """
    count = HOLDS_RECORDED_MAX + 50
    play = Play(a_group()).live(*(f"p-{number}" for number in range(count)), reading=a_reading(held="x"))
    (judged,) = only(GroupJudged, play.cycle().entries)

    assert HOLDS_RECORDED_MAX == len(judged.holds)
    assert count == len(play.view().holds)


def test_a_cut_list_of_holds_is_no_news_every_cycle() -> None:
    """
    What an entry could not list is not told anew each time.
    """
    count = HOLDS_RECORDED_MAX + 50
    play = Play(a_group()).live(*(f"p-{number}" for number in range(count)), reading=a_reading(held="x"))
    play.cycle()

    assert [] == only(GroupJudged, play.cycles(3))
