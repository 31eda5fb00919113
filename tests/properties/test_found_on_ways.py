"""What the simulation has found wrong about ways up, down and between, each as the shortest play that shows it."""

from dataclasses import replace

import pytest

from controller.history import entries as e
from controller.history.records import ClusterState, Way
from controller.model.declaration import Finalize, Limits, OnFailure
from controller.model.observation import Reading
from controller.model.verdict import HoldReason
from controller.versions import MetadataVersion
from tests.builders import HOUR, LEVEL_43, MINUTE, NEW, OLD, a_finding, a_reading, release
from tests.builders_core import a_group, a_strategy, a_wave, catalog
from tests.core.plays import Play, fail, only, second_wave, started

FLOOR = catalog().metadata_floor_for_4x
LOW = catalog().metadata_versions["3.2-IV0"]
ALL_AT_ONCE = (a_wave("all", "rest", MINUTE),)
TWO = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", 3 * MINUTE))


def _old(runs: str, level: MetadataVersion | None = LOW) -> Reading:
    return a_reading(runs, metadata_version=level, zookeeper=level is None)


def _going_back(most: int = 5) -> Play:
    """The canary soaked, all of the second wave arrived, and one of it then failed: the wave goes back."""
    waves = (TWO[0], replace(TWO[1], max_in_flight=most))
    strategy = a_strategy(waves=waves, on_failure=OnFailure.DOWNGRADE)
    play = Play(a_group(strategy=strategy)).live("p-1", "p-2", "p-3", "p-4")
    entries = play.run(3)
    while len(only(e.ClusterConverged, entries)) < 4:
        entries.extend(play.run(1))
    return play


def _of_the_second_wave(play: Play) -> list[str]:
    return [each.rsplit("/", 1)[-1] for each, record in play.rollout().clusters.items() if record.wave == 2]


def test_a_group_that_goes_after_another_finalizes_what_lies_on_its_way() -> None:
    """
    A level between is asked of the group that goes first as a level: nobody compares a level with a release.
    """
    accept = frozenset({"KIP-896"})
    auto = a_group("west", accept_risks=accept, metadata_version=Finalize.AUTO, after=("east",))
    play = Play(a_group("east"), auto).live("e-1", group="east", reading=a_reading(NEW))
    play.live("w-1", group="west", reading=_old("3.9.2"))

    plans = [play.cycle() for _ in range(2)]

    assert [FLOOR] == [start.target for plan in plans for start in plan.starts]


def test_the_level_of_a_blocked_release_is_not_finalized() -> None:
    """
    Who blocks a release that a group runs already wants nothing of it made final.
    """
    group = a_group(metadata_version=Finalize.AUTO, finalize_soak=MINUTE)
    play = Play(group).live("p-1", reading=a_reading(NEW))
    play.cycles(1)
    blocked = {release(NEW): "breaks our quota plugin"}
    play.declaration = replace(play.declaration, catalog=replace(catalog(), blocked=blocked))

    entries = play.cycles(5)

    assert [] == only(e.ClusterStarted, entries)
    assert HoldReason.RELEASE_BLOCKED in play.reasons("prod/metadata")


def test_a_level_that_cannot_be_told_holds_and_ends_no_daemon() -> None:
    """
    A cluster whose brokers stop telling their level before its finalization starts is held until they do.
    """
    group = a_group(metadata_version=Finalize.AUTO, finalize_soak=MINUTE, strategy=a_strategy(waves=TWO))
    play = Play(group).live("p-1", "p-2", reading=a_reading(NEW))
    while not (names := started(play.cycle())):
        pass
    play.finalize(*names)
    for name in {"p-1", "p-2"} - set(names):
        play.show(name, a_reading(NEW, metadata_version=None))

    assert [] == only(e.ClusterStarted, play.cycles(5))
    assert HoldReason.NO_LEGAL_HOP in play.reasons("prod/metadata")


def test_a_level_that_others_raised_meanwhile_is_not_asked_for_again() -> None:
    """
    A start that was lost, and whose level somebody else finalized past the resource, is given up for good.
    """
    play = Play(a_group(metadata_version=Finalize.AUTO, finalize_soak=MINUTE)).live("p-1", reading=a_reading(NEW))
    while not started(play.cycle()):
        pass
    play.show("p-1", a_reading(NEW, metadata_version=LEVEL_43)).pass_time(HOUR)

    assert [] == only(e.ClusterStarted, play.cycles(3))


def test_a_cluster_that_others_took_lower_is_not_sent_up_by_a_downgrade() -> None:
    """
    Back is down: what runs less than it came from stays where it is, and a person is told.
    """
    play = _going_back()
    name = _of_the_second_wave(play)[0]
    play.show(name, a_reading(NEW, findings=(a_finding(),), held="INC-1")).cycle()
    play.show(name, a_reading("4.1.1"))

    entries = play.cycles(3)

    assert ClusterState.FAILED is play.record_of(name).state
    assert name not in [each.cluster.rsplit("/", 1)[-1] for each in only(e.ClusterStarted, entries)]
    assert HoldReason.NO_LEGAL_HOP in play.reasons()


def test_a_downgrade_under_a_limit_that_was_lowered_ends_no_daemon() -> None:
    """
    What failed has its slot already, so it goes back even where more are in flight than is allowed by now.
    """
    strategy = a_strategy(waves=ALL_AT_ONCE, on_failure=OnFailure.DOWNGRADE)
    play = Play(a_group(strategy=strategy)).live("p-1", "p-2", "p-3")
    play.take(play.cycle())
    play.declaration = replace(play.declaration, limits=Limits(clusters_in_flight=1, unavailable_percent=100))

    entries = fail(play, "p-1", "p-2", "p-3")

    assert 3 == len(only(e.ClusterStarted, entries))


def test_a_failed_cluster_that_waits_to_go_back_is_read_in_full_every_cycle() -> None:
    """
    Next to start is also who goes down: seen only in its turn, it would wait for minutes, and its reason would flicker.
    """
    play = _going_back()
    name = _of_the_second_wave(play)[0]
    play.show(name, a_reading(NEW, findings=(a_finding(),), held="INC-1")).cycles(1)
    play.show(name, a_reading(NEW, held="INC-1")).cycles(2)

    assert not play.record_of(name).holds_slot
    assert play.plan is not None
    assert f"sim/{name}" in play.plan.watch


def test_no_quiet_time_counts_while_a_cluster_of_the_wave_is_sent_back() -> None:
    """
    A wave from which one cluster after the other goes back is not at rest in between.
    """
    play = _going_back(most=1)
    name = _of_the_second_wave(play)[0]
    play.show(name, a_reading(NEW, findings=(a_finding(),)))
    (back,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.show(name, a_reading(OLD))

    entries = play.run(3)

    assert back.cluster == f"sim/{name}"
    assert 2 == len(only(e.ClusterStarted, entries))
    assert [] == [each for each in only(e.SoakCredited, entries) if each.soaked]


def test_a_refusal_is_forgotten_with_the_quarantine() -> None:
    """
    A cluster that a person let out of quarantine begins anew: it is not held for a write refused long before.
    """
    play = second_wave(budget="1")
    play.record(e.StartWithdrawn(1, "sim/p-1", "the webhook says no"))
    play.record(e.StartAccepted(1, "sim/p-1"))  # it was taken late, all the same
    fail(play, "p-1")
    play.reach("p-3", "p-4", "p-5", "p-6").show("p-1", a_reading(OLD))
    number = play.record_of("p-1").number
    assert number is not None
    play.declare(replace(play.declaration.groups[0], acknowledge=frozenset({number})))

    entries = play.cycles(9)

    assert "sim/p-1" in [each.cluster for each in only(e.ClusterStarted, entries)]


@pytest.mark.parametrize("stuck", [_old("3.9.2", None), a_reading("4.2.1", held="INC-1")])
def test_who_has_a_way_of_its_own_does_not_wait_for_those_that_are_held(stuck: Reading) -> None:
    """
    What has no legal way, or is held by a person, holds only itself: who comes later and goes over 3.9 first may go.
    """
    group = a_group(accept_risks=frozenset({"KIP-896"}), metadata_version=Finalize.AUTO)
    play = Play(group).live("p-1").live("p-2", reading=stuck)
    play.run(70)
    play.live("p-3", reading=_old("3.2.3"))

    entries = play.run(5)

    assert "sim/p-3" in [each.cluster for each in only(e.ClusterStarted, entries)]


def test_a_way_down_that_is_shut_keeps_nobody_else_waiting() -> None:
    """
    A cluster whose level somebody finalized while it waited to go down leaves: the others go on upwards.
    """
    play = Play(a_group(strategy=a_strategy(waves=ALL_AT_ONCE))).live("p-1", "p-2")
    play.run(4)
    play.declare(a_group(target="4.2.1", strategy=a_strategy(waves=ALL_AT_ONCE)))
    play.live("p-3")
    play.show("p-1", a_reading(NEW, held="INC-1")).show("p-2", a_reading(NEW, held="INC-1")).cycles(1)
    assert [Way.DOWN] == [each.way for each in play.history.rollouts.values() if each.is_running]
    for name in ("p-1", "p-2"):
        play.finalize(name)

    entries = play.run(4)

    assert ["sim/p-3"] == [each.cluster for each in only(e.ClusterStarted, entries)]
    assert HoldReason.NO_LEGAL_HOP in play.reasons()


def test_a_held_cluster_is_named_where_no_rollout_waits_for_it() -> None:
    """
    A cluster that is held before a release between is in no rollout, and its group says why it is not through.
    """
    play = Play(a_group(metadata_version=Finalize.AUTO)).live("p-1", reading=replace(_old("3.2.3"), held="INC-1"))

    play.cycle()

    assert [HoldReason.CLUSTER_HELD] == play.reasons()
