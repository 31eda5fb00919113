"""The front door: same snapshot, same plan; nothing of the snapshot is changed; what the next cycle is handed."""

import copy
import pickle

from controller.core.plan import plan_cycle
from controller.history.entries import ClusterStarted, GroupJudged, WaveAdmitted
from controller.model.requests import Command
from controller.model.verdict import HoldReason
from tests.builders import MINUTE, NEW, a_reading
from tests.builders_core import a_group, a_request, a_strategy, a_wave
from tests.core.plays import Play, only, started


def in_motion() -> Play:
    """Three groups: soaking, under way, and halted."""
    play = Play(a_group("a"), a_group("b"), a_group("c", halted=True))
    for name in ("a", "b", "c"):
        play.live(*(f"{name}-{number}" for number in range(1, 5)), group=name)
    play.live("stray", group="nobody")
    (first,) = started(play.cycle())
    play.reach(first).cycle()
    return play


def test_the_same_snapshot_gives_the_same_plan() -> None:
    """
    No clock, no chance, no memory of its own.
    """
    snapshot = in_motion().snapshot(a_request(Command.HALT, scope="b"))

    assert plan_cycle(snapshot) == plan_cycle(snapshot) == plan_cycle(copy.deepcopy(snapshot))


def test_a_plan_changes_nothing_of_its_snapshot() -> None:
    """
    Safety: histories and observations are handed on, and stay as they were.
    """
    snapshot = in_motion().snapshot(a_request(Command.HALT, scope="b"))
    before = pickle.dumps(snapshot)

    plan_cycle(snapshot)

    assert before == pickle.dumps(snapshot)


def test_the_order_in_which_clusters_are_listed_does_not_matter() -> None:
    """
    Sources answer in any order; the plan is the same.
    """
    play, other = in_motion(), in_motion()
    other.clusters = dict(reversed(other.clusters.items()))

    assert play.cycle() == other.cycle()


def test_the_next_cycle_reads_in_full_what_moves_and_what_is_next() -> None:
    """
    In flight, soaking, or next to start; not a fleet at rest.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("canary", "1", MINUTE), a_wave("rest", "rest", most=1)))))
    play.live("p-1", "p-2", "p-3").live("stray", group="nobody")
    assert "sim/p-2" in play.cycle().watch
    play.reach("p-2")
    assert {"sim/p-2", "sim/p-1", "sim/p-3"} == play.cycle().watch
    play.show("p-1", a_reading(full=False)).show("p-3", a_reading(full=False)).cycle()
    play.show("p-1", a_reading())
    assert {"sim/p-1", "sim/p-2", "sim/p-3"} == play.cycle().watch
    play.reach("p-1").show("p-3", a_reading())
    assert {"sim/p-1", "sim/p-3"} <= play.cycle().watch

    rest = Play(a_group()).live("p-1", "p-2", reading=a_reading(NEW))
    assert frozenset() == rest.cycle().watch


def test_whom_nobody_claims_is_told() -> None:
    """
    And never touched.
    """
    assert ("sim/stray",) == in_motion().cycle().unclaimed


def test_a_second_cycle_without_news_says_nothing_new() -> None:
    """
    A fleet at rest costs the ledger no entry.
    """
    play = Play(a_group()).live("p-1", reading=a_reading(NEW))
    play.cycle()

    assert () == play.cycle().entries


def test_a_judgement_is_recorded_when_its_words_or_holds_change() -> None:
    """
    Not for another number in a hold's detail; what began since the last word is told apart.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("canary", "1"), a_wave("rest", "rest"))))).live("p-1", "p-2")
    play.cycle()
    (first,) = only(GroupJudged, play.reach("p-2").cycle().entries)
    assert [HoldReason.SOAKING.value] == [reason for reason, _, _ in first.begun]
    assert [] == only(GroupJudged, play.cycles(5))

    play.show("p-1", a_reading(held="do not touch"))
    (second,) = only(GroupJudged, play.cycle().entries)
    assert [(HoldReason.CLUSTER_HELD.value, "sim/p-1")] == [(reason, cluster) for reason, _, cluster in second.begun]
    assert {HoldReason.SOAKING.value, HoldReason.CLUSTER_HELD.value} == {reason for reason, _, _ in second.holds}


def test_nothing_starts_while_the_whole_fleet_is_held() -> None:
    """
    The plan tells it once for the fleet, and for each group that would go.
    """
    play = Play(a_group("a"), a_group("b")).live("a-1", group="a").live("b-1", group="b")
    plan = play.cycle(a_request(Command.HALT, scope="fleet"))

    assert () == plan.starts
    assert [HoldReason.FLEET_HALTED] == [hold.reason for hold in plan.holds]
    assert [HoldReason.FLEET_HALTED] == play.reasons("a") == play.reasons("b")


def test_a_wave_is_admitted_with_its_starts_in_one_cycle() -> None:
    """
    The admission stands before the starts that belong to it.
    """
    entries = Play().live("p-1").cycle().entries
    kinds = [type(entry) for entry in entries if isinstance(entry, WaveAdmitted | ClusterStarted)]

    assert [WaveAdmitted, ClusterStarted] == kinds


def test_short_names_are_told_for_every_cluster() -> None:
    """
    Whoever shows a plan needs no other source for them.
    """
    play = in_motion()

    assert set(play.clusters) == set(play.cycle().short)
    assert 3 * MINUTE == play.now - play.rollout().planned_at
