"""What a group sets out for: planned, joined, left, superseded, withdrawn, ended."""

from dataclasses import replace

import pytest

from controller.history.entries import (
    ClusterJoined,
    ClusterLeft,
    RolloutEnded,
    RolloutPlanned,
    StopAcknowledged,
    Stopped,
    TargetDeclared,
    WaveAdmitted,
)
from controller.history.records import ClusterState, Outcome, StopKind
from controller.model.observation import Unknown
from controller.model.outbox import StatusState
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, NEW, a_reading, release
from tests.builders_core import SOFTWARE, TARGET, a_declaration, a_group, a_hold, a_strategy, a_wave, an_approval
from tests.core.plays import Play, half_rolled, only, started

ONE_WAVE = a_strategy(waves=(a_wave("all", "rest", MINUTE),))
DARK = Unknown("no broker answers")


def one_wave(*names: str, **parts: object) -> Play:
    """A group in one wave that soaks for a minute, all of it started."""
    play = Play(a_group(strategy=ONE_WAVE, **parts)).live(*names)  # type: ignore[arg-type]
    play.cycle()
    return play


def done(*names: str) -> Play:
    """The same, converged and soaked."""
    play = one_wave(*names)
    play.reach(*names).cycles(3)
    assert Outcome.CONVERGED == play.rollout().outcome
    return play


def test_a_rollout_is_planned_for_what_is_below_the_target() -> None:
    """
    Unknown clusters are members too; those on target are in no wave, and those above it are none of it.
    """
    play = Play(a_group()).live("p-1").live("p-2", reading=DARK).live("p-3", reading=a_reading(NEW))
    play.live("p-4", reading=a_reading("4.3.2"))

    (planned,) = only(RolloutPlanned, play.cycle().entries)
    assert {"sim/p-1", "sim/p-2"} == set(planned.clusters)
    assert (4, TARGET, "a" * 40) == (planned.live, planned.target, planned.revision)
    assert [("canary", planned.clusters[:1]), ("broad", planned.clusters[1:])] == list(planned.waves)


@pytest.mark.parametrize("reading", [a_reading(NEW), a_reading("4.3.2"), DARK])
def test_nothing_is_planned_where_nothing_is_seen_below(reading: object) -> None:
    """
    On target, ahead of it, or not to be seen at all: none of these is known to have a way to go.
    """
    play = Play(a_group()).live("p-1", reading=reading)  # type: ignore[arg-type]

    assert [] == only(RolloutPlanned, play.cycle().entries)


def test_a_group_of_nobody_plans_nothing_and_says_so() -> None:
    """
    Zero clusters are neither converged nor trouble.
    """
    play = Play(a_group())
    plan = play.cycle()

    assert [TargetDeclared] == [type(entry) for entry in plan.entries if not hasattr(entry, "sentence")]
    assert (0, 0, StatusState.PENDING) == (play.view().of, play.view().done, play.view().state)
    assert "prod → 4.3.1: selects no live cluster" == play.view().sentence


def test_a_target_is_recorded_once_with_the_revision_that_declared_it() -> None:
    """
    The commit that changed it, where the repository tells; a commit that changes something else is not it.
    """
    play = Play().live("p-1", reading=a_reading(NEW))
    play.standing = replace(play.standing, declared_by={"prod": "b" * 40})
    play.cycle()
    play.standing = replace(play.standing, declared_by={}, in_force="c" * 40, head="c" * 40)
    play.declare(a_group(accept_risks=frozenset({"X"})))

    assert [] == only(TargetDeclared, play.cycle().entries)
    assert "b" * 40 == play.history.declared["prod"].revision == play.view().revision


def test_a_late_joiner_goes_to_the_tail() -> None:
    """
    Once; and only where it is below the target.
    """
    play = one_wave("p-1")
    play.live("p-2").live("p-3", reading=a_reading(NEW)).live("p-4", reading=DARK)

    assert [ClusterJoined(1, "sim/p-2")] == only(ClusterJoined, play.cycles(3))
    assert play.record_of("p-2").tail


def test_what_others_brought_to_the_target_is_adopted() -> None:
    """
    A pending cluster that is seen on target leaves the rollout; no wave asks for its soak.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1")

    assert [ClusterLeft(1, "sim/p-1", "on target already")] == only(ClusterLeft, play.cycle().entries)


def test_what_others_took_past_the_target_is_no_member_any_more() -> None:
    """
    It is held where it is.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.cycle()
    play.show("p-1", a_reading("4.3.2"))

    (left,) = only(ClusterLeft, play.cycle().entries)
    assert "ahead of target: it runs 4.3.2" == left.why
    assert "sim/p-1" == play.hold(HoldReason.AHEAD_OF_TARGET).cluster


def test_what_others_are_changing_is_left_alone_until_settled() -> None:
    """
    It stays pending and holds; where it ends decides.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.show("p-2", half_rolled("4.1.2", "4.2.1"))
    plan = play.cycle()
    assert ["p-1"] == started(plan)
    assert "sim/p-2" == play.hold(HoldReason.CLUSTER_UNSETTLED).cluster

    assert [] == only(ClusterLeft, play.show("p-2", half_rolled("4.3.1", "4.3.2")).cycle().entries)
    assert ClusterState.PENDING == play.record_of("p-2").state


def test_a_converged_cluster_seen_below_the_target_waits_for_a_person() -> None:
    """
    Once settled there: it leaves its wave, is held by a number, and is planned anew once that is acknowledged.
    """
    play = done("p-1", "p-2")
    assert [] == only(Stopped, play.show("p-1", half_rolled(NEW, "4.3.1")).cycle().entries)

    play.show("p-1", a_reading("4.2.1"))
    (stop,) = only(Stopped, play.cycle().entries)
    assert (StopKind.CHANGED_BY_OTHERS, "sim/p-1", 1) == (stop.kind, stop.cluster, stop.number)
    assert "it reached 4.3.1 and now runs 4.2.1: somebody changed it" == stop.detail
    assert [] == only(Stopped, play.cycles(3))
    assert HoldReason.CHANGED_BY_OTHERS in play.reasons()

    play.declare(a_group(strategy=ONE_WAVE, acknowledge=frozenset({1})))
    plan = play.cycle()
    assert [StopAcknowledged("prod", 1, "Git", 1)] == only(StopAcknowledged, plan.entries)
    assert ["p-1"] == started(plan)


def test_a_cluster_changed_by_others_twice_is_held_twice() -> None:
    """
    What was acknowledged once is not acknowledged for ever; what nobody looked at yet has one number.
    """
    play = done("p-1", "p-2")
    play.show("p-1", a_reading("4.2.1")).cycle()
    play.declare(a_group(strategy=ONE_WAVE, acknowledge=frozenset({1}))).cycle()
    play.reach("p-1").cycles(3)
    play.show("p-1", a_reading("4.2.1"))

    assert [2] == [stop.number for stop in only(Stopped, play.cycle().entries)]


def test_in_the_middle_of_a_rollout_it_leaves_its_wave_and_waits_too() -> None:
    """
    The wave soaks without it.
    """
    play = one_wave("p-1", "p-2")
    play.reach("p-1", "p-2").cycle()
    play.show("p-1", a_reading("4.2.1"))
    plan = play.cycle()

    assert ["changed by others: it runs 4.2.1"] == [left.why for left in only(ClusterLeft, plan.entries)]
    assert [StopKind.CHANGED_BY_OTHERS] == [stop.kind for stop in only(Stopped, plan.entries)]
    assert (ClusterState.PENDING, True) == (play.record_of("p-1").state, play.record_of("p-1").tail)
    assert HoldReason.CHANGED_BY_OTHERS in play.reasons()


@pytest.mark.parametrize("samples", [1, 3])
def test_a_cluster_is_gone_once_its_source_did_not_list_it_several_times_in_a_row(samples: int) -> None:
    """
    As often as the group has samples; seen again in between it was never gone.
    """
    play = one_wave("p-1", "p-2", samples=samples)
    gone = play.clusters.pop("sim/p-1")
    for _ in range(2):
        assert [] == only(ClusterLeft, play.cycles(samples - 1))
        play.clusters["sim/p-1"] = gone
        play.cycle()
        del play.clusters["sim/p-1"]
    left = only(ClusterLeft, play.cycles(samples))

    assert [f"gone: its source did not list it {samples} times in a row"] == [each.why for each in left]
    assert "sim/p-1" not in play.rollout().clusters


def test_nobody_is_gone_while_its_source_cannot_be_read() -> None:
    """
    After a restart a source that is down lists nobody, and nobody knows whom it would.
    """
    play = one_wave("p-1", "p-2")
    play.clusters.clear()
    play.unreachable["sim"] = "connection refused"

    assert [] == only(ClusterLeft, play.restart().cycles(10))
    assert None is play.rollout().outcome


@pytest.mark.parametrize(
    ("group", "why"), [("dev", "moved: dev claims it"), ("x", "no longer claimed by this group alone")]
)
def test_a_pending_cluster_that_moves_leaves_at_once(group: str, why: str) -> None:
    """
    It joins its new group's rollout for the tail.
    """
    play = Play(a_group(strategy=ONE_WAVE, halted=True), a_group("dev", strategy=ONE_WAVE, halted=True))
    play.live("p-1", "p-2").live("d-1", group="dev")
    play.cycle()
    play.live("p-1", group=group)
    plan = play.cycle()

    assert [why] == [left.why for left in only(ClusterLeft, plan.entries)]
    assert (group == "dev") == bool(only(ClusterJoined, plan.entries))


def test_a_cluster_in_flight_belongs_to_the_rollout_that_started_it() -> None:
    """
    Moved to another group it is followed to its end, and then let go; the other group never asks for it meanwhile.
    """
    play = Play(a_group(strategy=ONE_WAVE), a_group("dev", "4.2.1", strategy=ONE_WAVE)).live("p-1", "p-2")
    play.live("d-1", group="dev")
    play.cycles(2)
    play.live("p-1", group="dev", reading=half_rolled())
    plan = play.cycle()
    assert [] == only(ClusterLeft, plan.entries)
    assert "p-1" not in started(plan)

    play.reach("p-1").cycle()
    assert ClusterState.CONVERGED == play.record_of("p-1", 2).state
    assert ["moved: dev claims it"] == [
        left.why for left in only(ClusterLeft, play.cycle().entries) if left.rollout == 2
    ]
    assert HoldReason.AHEAD_OF_TARGET in play.reasons("dev")


def test_a_new_target_supersedes_at_once_and_waits_for_what_is_in_flight() -> None:
    """
    The old rollout ends, its clusters in flight are followed; soak is not inherited.
    """
    play = one_wave("p-1", "p-2")
    play.declare(a_group(target="4.3.2", strategy=ONE_WAVE)).show("p-1", half_rolled())
    plan = play.cycle()
    assert [Outcome.SUPERSEDED] == [each.outcome for each in only(RolloutEnded, plan.entries)]
    assert ["prod now declares 4.3.2"] == [each.detail for each in only(RolloutEnded, plan.entries)]
    assert [] == started(plan)
    assert HoldReason.WAVE_UNDER_WAY in play.reasons()

    play.reach("p-1", "p-2")
    assert {"p-1", "p-2"} == set(started(play.cycle()))
    assert ClusterState.CONVERGED == play.record_of("p-1").state


def test_the_same_target_again_starts_from_the_first_wave() -> None:
    """
    A target that was superseded and comes back is another rollout.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.cycle()
    play.reach("p-2").cycle()
    play.declare(a_group(target="4.3.2", halted=True)).cycle()
    plan = play.declare(a_group()).cycle()

    assert [3] == [each.rollout for each in only(RolloutPlanned, plan.entries)]
    assert [("canary", ("sim/p-1",))] == [(each.name, each.clusters) for each in only(WaveAdmitted, plan.entries)]


def test_a_group_that_is_declared_no_more_withdraws_its_rollout() -> None:
    """
    What is in flight is followed; gone from the fleet, it is let go at once.
    """
    play = one_wave("p-1", "p-2")
    play.declaration = a_declaration(a_group("other"))
    (ended,) = only(RolloutEnded, play.cycle().entries)
    assert (Outcome.WITHDRAWN, "prod is not declared any more") == (ended.outcome, ended.detail)
    assert 2 == len(play.rollout().in_flight)

    del play.clusters["sim/p-1"]
    play.reach("p-2").cycles(3)
    assert () == play.rollout().in_flight


def test_a_rollout_ends_with_its_last_wave_soaked() -> None:
    """
    Not before, however long all of it runs the target; then the group has passed for those after it.
    """
    play = one_wave("p-1", "p-2")
    play.reach("p-1", "p-2").cycle()
    assert None is play.rollout().outcome

    (ended,) = only(RolloutEnded, play.cycle().entries)
    assert (Outcome.CONVERGED, "clusters: 2") == (ended.outcome, ended.detail)
    assert TARGET == play.history.passed["prod", SOFTWARE]


def test_a_rollout_waits_for_whom_it_has_in_its_tail() -> None:
    """
    A held member keeps it pending, and is named.
    """
    play = Play(a_group(strategy=ONE_WAVE, holds=(a_hold("p-2"),))).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1").cycles(5)

    assert None is play.rollout().outcome
    assert StatusState.PENDING == play.view().state
    assert "held p-2 (ClusterHeld)" in play.view().sentence


def test_a_rollout_with_quarantined_clusters_ends_as_failed() -> None:
    """
    It names them; the status fails until they are acknowledged.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", MINUTE))
    play = Play(a_group(strategy=a_strategy(waves=waves, budget="1"))).live("p-1", "p-2", "p-3")
    play.cycle()
    play.reach("p-2").cycles(2)
    play.reach("p-3").show("p-1", a_reading(wanted=release(NEW), settled=False, refused="no")).cycles(4)

    assert Outcome.FAILED == play.rollout().outcome
    assert (StatusState.FAILURE, "prod → 4.3.1: ended with 1 quarantined: p-1") == (
        play.view().state,
        play.view().sentence,
    )


def test_a_rollout_of_nobody_left_converges_only_where_the_group_is_on_target() -> None:
    """
    All brought there by others it has converged; with all of them gone it is withdrawn.
    """
    play = Play(a_group(halted=True)).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1", "p-2").cycle()
    assert Outcome.CONVERGED == play.rollout().outcome

    other = Play(a_group(halted=True)).live("p-1", "p-2")
    other.cycle()
    other.clusters.clear()
    other.cycle()
    assert Outcome.WITHDRAWN == other.rollout().outcome


def test_nothing_ends_while_a_source_was_never_read() -> None:
    """
    Its clusters may be members of anything; the rollout says what it waits for.
    """
    play = one_wave("p-1")
    play.unreachable["eu"] = "connection refused"
    play.reach("p-1").cycles(5)

    assert None is play.rollout().outcome
    assert "source eu was not read since this process started: connection refused" in play.view().sentence


def test_below_target_with_an_empty_ledger_begins_with_the_first_wave() -> None:
    """
    Adoption: nothing counts as soaked, and what runs the target already is in no wave.
    """
    play = Play(a_group()).live("p-1", "p-2", "p-3").reach("p-2", "p-1")
    plan = play.cycle()

    assert ["p-3"] == started(plan)
    assert [(1, "canary")] == [(each.wave, each.name) for each in only(WaveAdmitted, plan.entries)]


def test_an_approval_and_a_hold_do_not_count_as_progress() -> None:
    """
    A rollout that waits for a person goes on for as long as it takes.
    """
    waves = (a_wave("all", "rest", MINUTE, approval=True),)
    play = Play(a_group(strategy=a_strategy(waves=waves))).live("p-1")
    play.cycle()
    play.pass_time(1000 * HOUR)
    assert [HoldReason.APPROVAL_MISSING] == [*play.reasons()]

    play.declare(a_group(strategy=a_strategy(waves=waves), approvals=(an_approval("all"),)))
    assert ["p-1"] == started(play.cycle())
