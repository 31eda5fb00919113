"""The order of groups: who is through, stays through, and whom those that wait under ``after`` wait for."""

from dataclasses import replace

import pytest

from controller.history.entries import OrderPassed
from controller.model.declaration import ClusterGroup, Finalize
from controller.model.observation import Reading, Unknown
from controller.model.verdict import HoldReason
from tests.builders import MINUTE, NEW, a_reading, release
from tests.builders_core import TARGET, a_group, a_hold, a_strategy, a_wave, catalog
from tests.core.plays import Play, only, started

ONE_WAVE = a_strategy(waves=(a_wave("all", "rest", MINUTE),))
DARK = Unknown("no broker answers")
AFTER = a_group("prod", after=("dev",))


def order(dev: ClusterGroup, play: Play) -> list[HoldReason]:
    """Judge with this group before prod, and return why prod does not move."""
    play.declare(dev, AFTER).cycle()
    return play.reasons()


def test_a_group_seen_through_stays_passed_for_that_release() -> None:
    """
    Also when it was on target from the start, or has a late joiner, or sets out for a later release.
    """
    play = Play(a_group("dev"), AFTER).live("p-1").live("d-1", group="dev", reading=a_reading(NEW))
    assert [OrderPassed("dev", TARGET)] == only(OrderPassed, play.cycle().entries)

    play.live("d-2", group="dev")
    assert HoldReason.GROUP_ORDER not in order(a_group("dev"), play)
    assert HoldReason.GROUP_ORDER not in order(a_group("dev", "4.3.2"), play)
    assert HoldReason.GROUP_ORDER in order(a_group("dev", "4.2.1"), play)
    assert HoldReason.GROUP_ORDER in order(a_group("dev", "4.3.2", halted=True), play)


@pytest.mark.parametrize("reading", [a_reading(), DARK])
def test_only_clusters_held_in_git_are_left_out_of_the_order(reading: Reading | Unknown) -> None:
    """
    What is below or unknown holds those after it, unless Git itself holds it now; an annotation does not count.
    """
    waiting = a_strategy(waves=(a_wave("all", "rest", approval=True),))
    play = Play(a_group("dev"), AFTER).live("p-1").live("d-1", group="dev", reading=a_reading(NEW))
    play.live("d-2", group="dev", reading=reading)
    expired = a_group("dev", strategy=waiting, holds=(a_hold("d-2", play.now),))
    held = a_group("dev", strategy=waiting, holds=(a_hold("sim/d-2"),))

    assert HoldReason.GROUP_ORDER in order(expired, play)
    assert HoldReason.GROUP_ORDER not in order(held, play)


def test_an_annotation_of_a_predecessors_cluster_holds_those_after_it() -> None:
    """
    Only what stands in Git is left out: an annotation may be anybody's.
    """
    play = Play(a_group("dev"), AFTER).live("p-1").live("d-1", group="dev", reading=a_reading(held="do not touch"))

    assert HoldReason.GROUP_ORDER in order(a_group("dev"), play)


def test_a_predecessor_under_way_holds_until_its_last_wave_has_soaked() -> None:
    """
    On target is not enough while its rollout runs.
    """
    dev = a_group("dev", strategy=ONE_WAVE)
    play = Play(dev, AFTER).live("p-1").live("d-1", group="dev")
    play.cycle()
    play.reach("d-1").cycle()
    assert HoldReason.GROUP_ORDER in play.reasons()

    assert ["p-1"] == started(play.cycle())


def test_a_quarantined_or_changed_cluster_of_a_predecessor_holds() -> None:
    """
    A number that nobody acknowledged keeps those after it waiting.
    """
    dev = a_group("dev", strategy=ONE_WAVE)
    play = Play(dev).live("d-1", "d-2", group="dev")
    play.cycle()
    play.reach("d-1", "d-2").cycles(3)
    play.show("d-1", a_reading("4.2.1")).live("p-1")
    play.history = replace(play.history, passed={})

    assert HoldReason.GROUP_ORDER in order(dev, play)


def test_what_has_soaked_stays_through_while_it_cannot_be_seen() -> None:
    """
    Its rollout goes on only for one that Git holds; nobody waits for either.
    """
    dev = a_group("dev", strategy=ONE_WAVE, holds=(a_hold("d-2"),))
    play = Play(dev).live("p-1").live("d-1", "d-2", group="dev")
    play.cycle()
    play.reach("d-1").cycles(3)
    play.show("d-1", DARK)

    assert HoldReason.GROUP_ORDER not in order(dev, play)


def test_an_unread_source_keeps_those_after_a_group_waiting() -> None:
    """
    Nobody knows whether the group has clusters there.
    """
    play = Play(a_group("dev"), AFTER).live("p-1").live("d-1", group="dev", reading=a_reading(NEW))
    play.unreachable["eu"] = "connection refused"

    assert HoldReason.GROUP_ORDER in order(a_group("dev"), play)


def test_a_way_down_of_some_clusters_does_not_pass_for_those_that_never_came_up() -> None:
    """
    Safety: a rollout that takes back what went too far says nothing of a cluster that is still below.
    """
    stuck = a_reading("3.9.2", zookeeper=True, metadata_version=None)
    play = Play(a_group("dev", strategy=ONE_WAVE)).live("d-1", group="dev").live("d-2", group="dev", reading=stuck)
    play.run(4)
    back = a_group("dev", "4.1.2", strategy=ONE_WAVE)
    play.declare(back).run(4)
    play.live("p-1", reading=a_reading("4.0.2"))

    play.declare(back, replace(AFTER, target=release("4.1.2"))).cycle()
    assert HoldReason.GROUP_ORDER in play.reasons()


def test_a_release_between_is_not_what_a_group_has_converged_on() -> None:
    """
    Safety: clusters on their way to 3.9 say nothing of one that cannot go there.
    """
    low = a_reading("3.2.3", metadata_version=catalog().metadata_versions["3.2-IV0"])
    stuck = a_reading("3.2.3", metadata_version=None)
    dev = replace(a_group("dev", strategy=ONE_WAVE), metadata_version=Finalize.AUTO)
    play = Play(dev).live("d-1", group="dev", reading=low).live("d-2", group="dev", reading=stuck)
    play.run(5)
    assert release("3.9.2") == play.history.taken["sim/d-1"][0]
    play.live("p-1", reading=a_reading("3.8.1"))
    play.declare(dev, replace(AFTER, target=release("3.9.2"))).cycle()

    assert HoldReason.GROUP_ORDER in play.reasons()
