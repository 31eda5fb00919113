"""What plays by chance have found wrong about waves, each as the shortest course that shows it. It must stay mended."""

from dataclasses import replace

from controller.core.waves import order_of
from controller.history import entries as e
from controller.history.records import ClusterState, Outcome, RolloutKind
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, a_reading, release
from tests.builders_core import (
    TWO_WAVES,
    a_group,
    a_hold,
    a_member,
    a_strategy,
    a_wave,
    members,
)
from tests.properties.course import SICK, Course

SHORT = a_strategy(waves=(a_wave("canary", "1", 5 * MINUTE), a_wave("broad", "rest", 5 * MINUTE)))
UNABLE = a_reading(metadata_version=None)
"""A cluster with no legal way to the target."""


def test_a_rollout_that_everybody_left_has_not_converged() -> None:
    """
    A rollout whose clusters are all gone is withdrawn: groups that wait for it must not take that for success.
    """
    course = Course.of(members(1), a_group())
    course.cycle()
    course.vanish("prod-1")
    course.cycles(2)

    assert Outcome.WITHDRAWN == course.rollout().outcome
    assert {} == course.history.passed


def test_a_rollout_whose_clusters_others_brought_to_the_target_has_converged() -> None:
    """
    Where nobody is left because all of the group runs the target already, the group is where it should be.
    """
    course = Course.of(members(2, UNABLE), a_group())
    course.cycle()
    course.arrive("prod-1", "prod-2")
    course.cycle()

    assert Outcome.CONVERGED == course.rollout().outcome
    assert release("4.3.1") == course.history.passed["prod", RolloutKind.SOFTWARE]


def test_a_wave_that_is_filled_again_soaks_from_the_start() -> None:
    """
    Quiet time of a canary that is gone does not count for the one that takes its place.
    """
    course = Course.of(members(3), a_group(strategy=SHORT))
    (first,) = course.cycle().starts
    course.arrive(first.cluster)
    course.cycles(4)
    course.vanish(first.cluster)
    second = course.cycle().starts[0]
    course.arrive(second.cluster)

    assert [second.cluster] == [name for entry in course.said(e.WaveFilled) for name in entry.clusters]
    course.cycles(5)
    assert not course.said(e.WaveSoaked)
    course.cycles(2)
    assert 1 == len(course.said(e.WaveSoaked))


def test_an_empty_canary_wave_takes_one_latecomer_and_not_all() -> None:
    """
    However many clusters came late, a wave that is filled again is no larger than it is declared.
    """
    course = Course.of(members(1), a_group(strategy=SHORT))
    course.cycle()
    course.clusters.update(members(6))
    course.cycle()
    course.vanish("prod-1")
    course.cycles(2)

    (filled,) = course.said(e.WaveFilled)
    assert 1 == len(filled.clusters)


def test_the_first_wave_is_small_also_where_everybody_came_late() -> None:
    """
    A rollout whose first members left before any start begins with a canary, not with a tail of everybody.
    """
    course = Course.of(members(1, a_reading(settled=False)), a_group())
    course.cycle()
    course.clusters.update({name: one for name, one in members(6).items() if name != "sim/prod-1"})
    course.arrive("prod-1")
    course.cycle()

    (admitted,) = course.said(e.WaveAdmitted)
    assert ("canary", False, 1) == (admitted.name, admitted.tail, len(admitted.clusters))


def test_clusters_that_cannot_move_do_not_keep_latecomers_from_moving() -> None:
    """
    A cluster without a legal way holds only itself: where all of a wave's own are held, the tail takes their places.
    """
    course = Course.of(members(2, UNABLE), a_group())
    course.cycle()
    course.clusters["sim/late"] = a_member("late")
    course.cycle()

    assert ["late"] == course.started()
    (admitted,) = course.said(e.WaveAdmitted)
    assert ("canary", False) == (admitted.name, admitted.tail)


def test_a_crowd_of_unhealthy_clusters_does_not_hide_the_healthy_one() -> None:
    """
    Health is read of those next in line; those found unhealthy stay in view, so that the line moves on.
    """
    course = Course.of(members(31), a_group(strategy=a_strategy(waves=(a_wave("all", "rest", HOUR, most=1),))))
    last = order_of(release("4.3.1"), course.clusters)[-1]
    for _ in range(40):
        watched = course.plan.watch if course.plan is not None else frozenset()
        for name in course.clusters:
            sick = SICK if name != last else ()
            course.see(name, a_reading(full=name in watched, findings=sick if name in watched else ()))
        if course.cycle().starts:
            break

    assert [last.rsplit("/", 1)[-1]] == course.started()


def test_a_late_write_of_a_cluster_that_was_set_aside_does_not_hold_its_rollout() -> None:
    """
    A cluster that reached the target outside of any wave leaves: no wave would ever soak it.
    """
    course = Course.of(members(2), a_group(strategy=a_strategy(waves=(a_wave("all", "rest", 5 * MINUTE),))))
    course.taken = False
    course.cycles(4)
    late = "prod-1"
    assert ClusterState.PENDING == course.record(late).state or course.said(e.StartWithdrawn)
    course.declare(a_group(holds=(a_hold(late),), strategy=SHORT))
    course.cycles(3)
    course.roll(late, release("4.3.1"))
    course.cycle()
    course.arrive("prod-1", "prod-2")
    course.cycles(30)

    assert Outcome.CONVERGED == course.rollout().outcome


def test_a_released_cluster_that_still_hangs_has_not_failed_again() -> None:
    """
    A cluster out of quarantine that still hangs in its old roll waits; it is no late write past its deadline.
    """
    group = a_group(strategy=a_strategy(waves=TWO_WAVES, deadline=2 * MINUTE))
    course = Course.of(members(1), group)
    course.cycles(4)
    assert 1 == len(course.said(e.ClusterFailed))
    course.declare(replace(group, acknowledge=frozenset({1})))
    course.cycle()
    course.declare(replace(group, acknowledge=frozenset({1, 2})))
    course.cycles(5)

    assert 1 == len(course.said(e.ClusterFailed))
    assert ClusterState.PENDING == course.record("prod-1").state
    assert HoldReason.CLUSTER_UNSETTLED in course.holds()


def test_samples_of_one_target_do_not_count_for_the_next() -> None:
    """
    A cluster that converges and is started for another target in one cycle begins its samples anew.
    """
    group = a_group(samples=2)
    course = Course.of(members(1), group)
    course.cycle()
    course.arrive("prod-1")
    course.cycle()
    course.declare(replace(group, target=release("4.3.2")))
    course.cycle()
    assert ["prod-1"] == course.started()
    course.arrive("prod-1", target="4.3.2")
    course.cycle()

    assert ClusterState.STARTED == course.record("prod-1").state
    course.cycle()
    assert ClusterState.CONVERGED == course.record("prod-1").state


def test_a_converged_cluster_that_others_raise_leaves_its_wave() -> None:
    """
    A cluster that runs more than the target is no member of the rollout, and must not pause its soak for ever.
    """
    course = Course.of(members(3), a_group(strategy=SHORT))
    (canary,) = course.cycle().starts
    course.arrive(canary.cluster)
    course.cycle()
    course.arrive(canary.cluster, target="4.3.2")
    course.cycle()

    assert canary.cluster not in course.rollout().clusters
    assert HoldReason.AHEAD_OF_TARGET in course.holds()
    assert 1 == len(course.started())


def test_only_one_wave_is_shown_to_be_due_in_observe_mode() -> None:
    """
    One wave per cycle also in what a controller says that only observes.
    """
    course = Course.of({**members(1, group="dev"), **members(1, group="prod")}, a_group("dev"), a_group("prod"))
    course.observe_only = True
    course.cycle()

    assert "would start" in course.view("dev").sentence
    assert HoldReason.OTHER_WAVE_FIRST in course.holds("prod")


def test_a_full_soak_with_a_failed_cluster_names_no_time() -> None:
    """
    A wave that was quiet long enough and waits for a person to look at its failed cluster is not said to soak.
    """
    group = a_group(strategy=a_strategy(waves=(a_wave("all", "rest", 3 * MINUTE),)))
    course = Course.of(members(2), group)
    course.cycle()
    course.arrive("prod-1")
    course.arrive("prod-2", findings=SICK)
    course.cycle()
    course.now += 3 * HOUR
    course.cycles(8)

    assert {HoldReason.GROUP_HALTED, HoldReason.WAVE_UNDER_WAY} <= set(course.holds())
    assert HoldReason.SOAKING not in course.holds()
    assert all(hold.recheck_at is None for hold in course.view().holds)
