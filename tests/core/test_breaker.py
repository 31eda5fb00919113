"""The breaker in whole cycles: who counts as unavailable, of how many, and what still goes on while it is open."""

from dataclasses import replace

import pytest

from controller.core.draft import Draft
from controller.history.records import ClusterState
from controller.model.declaration import Limits, Selector
from controller.model.observation import Reading, Unknown
from controller.model.verdict import HoldReason
from tests.builders import NEW, a_finding, a_reading, release
from tests.builders_core import a_declaration, a_group, a_hold, a_strategy, a_wave
from tests.core.plays import Play, fail, half_rolled, second_wave, started

DARK = Unknown("no broker answers")
SICK = a_reading(findings=(a_finding(),))
WARY = Limits(unavailable_percent=20)


def ten(*others: Reading | Unknown, percent: int = 20) -> Play:
    """Ten clusters below their target, of which the last ones show ``others``."""
    play = Play(declaration=a_declaration(limits=Limits(unavailable_percent=percent)))
    names = [f"p-{number}" for number in range(10)]
    play.live(*names)
    for name, shown in zip(reversed(names), others, strict=False):
        play.show(name, shown)
    return play


@pytest.mark.parametrize("shown", [DARK, SICK], ids=["unknown", "unhealthy"])
def test_more_than_the_percentage_stops_every_start(shown: Reading | Unknown) -> None:
    """
    Two of ten are exactly 20 percent and let things go on; a third one stops them.
    """
    assert started(ten(shown, shown).cycle())
    play = ten(shown, shown, shown)
    assert not started(play.cycle())
    assert HoldReason.BREAKER_OPEN in play.reasons()
    assert [HoldReason.BREAKER_OPEN] == [hold.reason for hold in play.plan.holds] if play.plan else []


def test_one_cluster_alone_never_opens_it() -> None:
    """
    Where one is more than the percentage the fleet is small, not in trouble.
    """
    assert started(ten(DARK, percent=1).cycle())
    assert not started(ten(DARK, SICK, percent=1).cycle())


def test_what_a_roll_or_a_warning_explains_is_not_unavailable() -> None:
    """
    Neither a cluster that others are rolling, nor one with a warning.
    """
    play = ten(half_rolled(), half_rolled(), half_rolled(), percent=1)

    assert () == unavailable(play)
    assert started(play.cycle())


def unavailable(play: Play) -> tuple[str, ...]:
    """Who counts as unavailable now."""
    draft: Draft = play.draft()
    return draft.unavailable


def test_a_cluster_that_is_held_is_somebodys_concern_already() -> None:
    """
    Unhealthy and held, in Git or by annotation, it does not count.
    """
    play = Play(a_group(holds=(a_hold("p-1"),))).live("p-1", "p-2", "p-3", reading=SICK)
    play.show("p-2", a_reading(findings=(a_finding(),), held="INC-4711"))

    assert ("p-3",) == unavailable(play)


def test_a_cluster_in_flight_may_be_unhealthy() -> None:
    """
    It was us, and its deadline is watched.
    """
    play = Play(a_group()).live("p-1", "p-2")
    (start,) = play.cycle().starts
    play.show("p-2", a_reading(highest=release(NEW), wanted=release(NEW), settled=False, findings=(a_finding(),)))

    assert "sim/p-2" == start.cluster
    assert () == unavailable(play)


def test_a_quarantined_cluster_may_be_unhealthy() -> None:
    """
    Its number waits for a person already.
    """
    play = second_wave(budget="2", names=("p-1", "p-2", "p-3", "p-4"))
    fail(play, "p-1")
    play.show("p-1", a_reading(findings=(a_finding(),), wanted=release(NEW)))
    play.cycle()

    assert ClusterState.QUARANTINED == play.record_of("p-1").state
    assert () == unavailable(play)


def test_an_unknown_cluster_counts_though_it_is_in_flight() -> None:
    """
    Safety: what cannot be seen keeps its slot and counts; that it was started does not tell how it is now.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.take(play.cycle())
    play.show("p-2", DARK)

    assert ("p-2",) == unavailable(play)


def test_an_unknown_cluster_that_somebody_holds_does_not_count() -> None:
    """
    Who holds it in Git knows of it; nobody else is kept from moving.
    """
    play = Play(a_group(holds=(a_hold("p-1"),))).live("p-1", "p-2", reading=DARK)

    assert ("p-2",) == unavailable(play)


def test_missing_clusters_are_claimed_and_unavailable() -> None:
    """
    Names that a group declares and that no source lists, but those that it holds.
    """
    group = a_group(selector=Selector(names=("p-1", "p-8", "p-9")), holds=(a_hold("p-9"),))
    play = Play(group).live("p-1")

    assert ("p-8",) == unavailable(play)
    assert 3 == play.draft().claimed


def test_unclaimed_clusters_do_not_count_at_all() -> None:
    """
    What no group claims is reported and never touched; its health is not ours.
    """
    play = Play(a_group()).live("p-1").live("stray-1", "stray-2", group="nobody", reading=DARK)

    assert ((), 1) == (unavailable(play), play.draft().claimed)


def test_an_open_breaker_stops_refills_too() -> None:
    """
    A wave that is under way waits with its next clusters.
    """
    waves = (a_wave("all", "rest", most=1),)
    play = Play(declaration=a_declaration(a_group(strategy=a_strategy(waves=waves)), limits=WARY))
    play.live("p-1", "p-2", "p-3", "p-4")
    (first,) = play.cycle().starts
    play.arrive(first)
    others = [name for name in ("p-1", "p-2", "p-3", "p-4") if f"sim/{name}" != first.cluster]
    for name in others[:2]:
        play.show(name, SICK)

    assert not started(play.cycle())
    assert HoldReason.BREAKER_OPEN in play.reasons()
    play.show(others[0], a_reading()).show(others[1], a_reading())
    assert started(play.cycle())


def test_what_counts_for_the_breaker_is_told_by_its_short_name() -> None:
    """
    Sorted, as in its sentence.
    """
    play = ten(DARK, SICK, SICK)
    play.cycle()

    assert "p-7, p-8, p-9" in play.hold(HoldReason.BREAKER_OPEN).detail
    assert "3 of 10 clusters" in play.hold(HoldReason.BREAKER_OPEN).detail


def test_remembered_clusters_of_a_source_that_was_not_read_since_the_start_count_too() -> None:
    """
    Safety: a restart while a source is down does not make its clusters well.
    """
    play = ten()
    for name in ("sim/p-7", "sim/p-8", "sim/p-9"):
        cluster = play.clusters.pop(name)
        full = name.replace("sim/", "eu/")
        play.clusters[full] = replace(cluster, name=full)
    play.cycle()
    lost = {name: play.clusters.pop(name) for name in tuple(play.clusters) if name.startswith("eu/")}
    play.unreachable = {"eu": "no answer"}
    play.restart()
    assert not started(play.cycle())
    assert play.hold(HoldReason.BREAKER_OPEN).detail.startswith("3 of 10 clusters are unknown")

    play.clusters.update(lost)
    play.unreachable = {}
    play.take(play.cycle())
    assert HoldReason.BREAKER_OPEN not in play.reasons()
