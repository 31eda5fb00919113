"""A rollout gives way to those who go elsewhere first, and a cluster leaves where others took it out of reach."""

from dataclasses import replace

from controller.history import entries as e
from controller.history.entries import ClusterLeft, RolloutEnded, RolloutPlanned
from controller.history.records import ClusterState, Outcome, Way
from controller.model.declaration import ClusterGroup, Finalize
from controller.model.observation import Reading, Unknown
from controller.model.verdict import HoldReason
from tests.builders import LEVEL_41, LEVEL_43, MINUTE, NEW, OLD, a_reading, release
from tests.builders_core import a_group, a_hold, a_strategy, a_wave, catalog
from tests.core.plays import Play, only, started
from tests.core.proving import due

ALL = a_strategy(waves=(a_wave("all", "rest", MINUTE, most=10),))
UP = a_group(strategy=ALL)
MIDDLE = "4.2.1"
BRAVE = replace(UP, metadata_version=Finalize.AUTO, accept_risks=frozenset({"KIP-896"}))
ON_32 = a_reading("3.2.3", metadata_version=catalog().metadata_versions["3.2-IV0"])
DARK = Unknown("no broker answers")


def raised(*names: str) -> Play:
    """Clusters that this ledger took to ``NEW``, soaked, their rollout over."""
    play = Play(UP).live(*names)
    play.run(10)
    assert Outcome.CONVERGED == play.rollout().outcome
    return play


def holding(group: ClusterGroup, *names: str) -> ClusterGroup:
    """The same group, with clusters held in Git."""
    return replace(group, holds=tuple(a_hold(name) for name in names))


def mixed(lowest: str, highest: str, *, settled: bool = True) -> Reading:
    """A cluster whose brokers run two releases; settled where nobody rolls them."""
    return a_reading(lowest, highest=release(highest), metadata_version=LEVEL_41, settled=settled)


def test_a_rollout_of_which_only_held_clusters_are_left_gives_way_to_who_goes_over_a_release_between() -> None:
    """
    What is held holds only itself: a newcomer to the group does not wait for a person who looks after another cluster.
    """
    play = Play(holding(BRAVE, "p-2")).live("p-1", "p-2")
    play.run(6)
    assert (None, ClusterState.SOAKED) == (play.rollout().outcome, play.record_of("p-1").state)

    play.live("p-3", reading=ON_32)
    plan = play.cycle()
    (ended,) = only(RolloutEnded, plan.entries)
    (planned,) = only(RolloutPlanned, plan.entries)
    assert (1, Outcome.SUPERSEDED) == (ended.rollout, ended.outcome)
    assert "all that is left in it is held, and p-3 goes to 3.9.2 first" == ended.detail
    assert (release("3.9.2"), ("sim/p-3",)) == (planned.target, planned.clusters)
    assert ["p-3"] == started(plan)


def test_a_rollout_with_anything_to_do_does_not_give_way() -> None:
    """
    Who goes over a release between waits for what is in flight, what soaks, and what could start.
    """
    play = Play(BRAVE).live("p-1", "p-2")
    play.take(play.cycle())
    play.live("p-3", reading=ON_32)
    assert [] == only(RolloutEnded, play.cycle().entries)

    play.reach("p-1", "p-2")
    assert [] == only(RolloutEnded, play.cycle().entries)
    assert {ClusterState.CONVERGED} == {play.record_of(name).state for name in ("p-1", "p-2")}

    able = Play(holding(BRAVE, "p-2")).live("p-1", "p-2")
    able.run(6)
    able.live("p-3", reading=ON_32).declare(BRAVE)
    plan = able.cycle()
    assert [] == only(RolloutEnded, plan.entries)
    assert ["p-2"] == started(plan)


def test_a_rollout_of_which_only_held_clusters_are_left_gives_way_to_who_goes_down() -> None:
    """
    A cluster that was dark when a lower target was merged, and is seen above it later, comes down all the same.
    """
    play = raised("p-1")
    play.live("p-2").show("p-1", DARK).declare(holding(replace(UP, target=release(MIDDLE)), "p-2"))
    play.cycles(2)
    assert (Way.FORWARD, release(MIDDLE)) == (play.rollout(2).way, play.rollout(2).target)

    play.reach("p-1")
    entries = [*play.cycle().entries, *play.cycle().entries]
    (ended,) = only(RolloutEnded, entries)
    assert f"all that is left in it is held, and p-1 goes to {MIDDLE} first" == ended.detail
    (planned,) = only(RolloutPlanned, entries)
    assert (Way.DOWN, ("sim/p-1",)) == (planned.way, planned.clusters)
    assert ["p-1"] == [each.cluster.removeprefix("sim/") for each in only(e.ClusterStarted, entries)]


def test_a_finalization_gives_way_to_a_cluster_that_joins_below_the_release() -> None:
    """
    Safety: nobody else is finalized before the group is whole on its release again, and proved it.
    """
    play = due()
    play.run(1)
    play.live("p-9")
    plan = play.cycle()
    (ended,) = only(RolloutEnded, plan.entries)
    assert (1, Outcome.SUPERSEDED, f"p-9 must reach {NEW} first") == (ended.rollout, ended.outcome, ended.detail)
    (planned,) = only(RolloutPlanned, plan.entries)
    assert (Way.FORWARD, ("sim/p-9",)) == (planned.way, planned.clusters)

    (start,) = plan.starts
    assert ("sim/p-9", release(NEW)) == (start.cluster, start.target)
    assert [] == only(e.ClusterStarted, play.take(plan).arrive(start).run(50))
    assert [HoldReason.SOAKING] == play.reasons("prod/metadata")
    again = only(e.ClusterStarted, play.run(60))
    assert {LEVEL_43} == {entry.target for entry in again}
    assert "sim/p-9" in {entry.cluster for entry in again}


def test_what_others_take_on_after_it_reached_the_target_is_no_member_any_more() -> None:
    """
    Nobody waits for its soak, and it is left where it is, on the way up as on the way down.
    """
    up = Play(UP).live("p-1", "p-2")
    up.cycle()
    up.reach("p-1").cycle()
    up.show("p-1", a_reading("4.3.2"))
    assert [ClusterLeft(1, "sim/p-1", "ahead of target: it runs 4.3.2")] == only(ClusterLeft, up.cycle().entries)
    assert "sim/p-1" == up.hold(HoldReason.AHEAD_OF_TARGET).cluster

    down = raised("p-1", "p-2")
    down.declare(holding(replace(UP, target=release(OLD)), "p-2")).run(1)
    down.cycle()
    down.reach("p-1")
    plan = down.cycle()
    assert [ClusterLeft(2, "sim/p-1", f"ahead of target: it runs {NEW}")] == only(ClusterLeft, plan.entries)
    assert not started(plan)


def test_a_cluster_with_brokers_on_both_sides_of_a_lower_target_does_not_go_down() -> None:
    """
    Safety: others took brokers below it, so going there is no way back for them; while that lasts the sentence says so.
    """
    play = raised("p-1", "p-2")
    play.declare(holding(replace(UP, target=release(MIDDLE)), "p-1")).run(1)
    play.show("p-1", mixed(OLD, NEW, settled=False)).declare(replace(UP, target=release(MIDDLE)))
    assert not started(play.cycle())
    assert f"it runs {OLD}, below {MIDDLE}, so others took it there" == play.hold(HoldReason.NO_LEGAL_HOP).detail

    play.show("p-1", mixed(OLD, NEW))
    plan = play.cycle()
    assert [ClusterLeft(2, "sim/p-1", "its way down is shut")] == only(ClusterLeft, plan.entries)
    assert not started(plan)
