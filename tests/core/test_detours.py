"""What lies on the way: a rollout for each release between and for the floor of 4.x, lowest first, then the target."""

from dataclasses import replace

import pytest

from controller.history import entries as e
from controller.history.entries import RolloutPlanned
from controller.history.records import ClusterState, Outcome, RolloutKind, StopKind, Way
from controller.model.declaration import Finalize
from controller.model.observation import Reading, Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, NEW, a_reading, release
from tests.builders_core import a_group, a_hold, a_strategy, a_wave, catalog
from tests.core.plays import Play, only, started

LEVELS = catalog().metadata_versions
FLOOR = LEVELS["3.3-IV3"]
ON_32 = a_reading("3.2.3", metadata_version=LEVELS["3.2-IV0"])
ON_31 = a_reading("3.1.2", metadata_version=LEVELS["3.1-IV0"])
ON_39_LOW = a_reading("3.9.2", metadata_version=LEVELS["3.2-IV0"])
READY = a_reading("3.9.2", metadata_version=LEVELS["3.9-IV0"])
ON_ZOOKEEPER = a_reading("3.9.2", zookeeper=True, metadata_version=None)
HOP_39, HOP_FLOOR, HOP_NEW = (RolloutKind.SOFTWARE, "3.9.2"), (RolloutKind.METADATA, "3.3-IV3"), ("software", NEW)
BRAVE = a_group(
    metadata_version=Finalize.AUTO,
    accept_risks=frozenset({"KIP-896"}),
    strategy=a_strategy(waves=(a_wave("all", "rest", MINUTE, most=10),)),
)
ONLY_PEOPLE = (
    HoldReason.CLUSTER_HELD,
    HoldReason.OWNED_ELSEWHERE,
    HoldReason.OPERATOR_UNSUPPORTED,
    HoldReason.NO_LEGAL_HOP,
)


def planned(entries: list[e.Entry]) -> list[tuple[str, str]]:
    """Kind and target of what was planned, in order; all of it goes forward, but for the last finalization."""
    return [(entry.kind.value, str(entry.target)) for entry in only(RolloutPlanned, entries)]


def test_a_cluster_below_the_floor_goes_over_a_release_between_and_its_finalization() -> None:
    """
    Each is a rollout of its own: 3.9, the floor of 4.x, the target, in this order.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32)
    entries = play.run(14)

    assert [HOP_39, HOP_FLOOR, HOP_NEW] == planned(entries)
    assert {Way.FORWARD} == {entry.way for entry in only(RolloutPlanned, entries)}
    assert {release(NEW)} == {entry.group_target for entry in only(RolloutPlanned, entries)}
    assert [Outcome.CONVERGED] * 3 == [entry.outcome for entry in only(e.RolloutEnded, entries)]


def test_a_start_on_the_way_asks_for_what_lies_on_the_way() -> None:
    """
    The first start asks for the release between, the next for the level, pinned where it was.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32)
    (first,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(first)
    starts = [first, *(start for _ in range(5) for start in play.take(play.cycle()).plan.starts)]  # type: ignore[union-attr]

    assert [release("3.9.2"), FLOOR] == [start.target for start in starts]
    assert [LEVELS["3.2-IV0"], None] == [start.pinned for start in starts]


def test_the_target_waits_until_every_member_can_reach_it() -> None:
    """
    Who could go directly waits for those on the way, and then goes with them.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32).live("p-2", reading=READY)
    entries = play.run(1)
    (first,) = only(RolloutPlanned, entries)
    assert ("sim/p-1",) == first.clusters

    last = only(RolloutPlanned, play.run(14))[-1]
    assert {"sim/p-1", "sim/p-2"} == set(last.clusters)
    assert release(NEW) == last.target


def test_of_several_releases_between_the_lowest_goes_first() -> None:
    """
    And who arrives is then finalized together.
    """
    blocked = replace(catalog(), blocked={each: "x" for each in catalog().releases if each.line == (3, 9)})
    play = Play(replace(BRAVE, target=release("3.9.2"))).live("p-1", reading=ON_31)
    assert [release("3.9.2")] == [entry.target for entry in only(RolloutPlanned, play.run(1))]

    both = Play(BRAVE).live("p-1", reading=ON_39_LOW).live("p-2", reading=ON_32)
    both.declaration = replace(both.declaration, catalog=blocked)
    first, second = only(RolloutPlanned, both.run(8))[:2]
    assert (release("3.8.1"), ("sim/p-2",)) == (first.target, first.clusters)
    assert (FLOOR, {"sim/p-1", "sim/p-2"}) == (second.target, set(second.clusters))


@pytest.mark.parametrize(
    "stuck",
    [
        replace(ON_32, held="INC-4711"),
        replace(ON_32, owner="Argo CD writes its version"),
        replace(ON_32, fleet="another"),
        replace(ON_32, supported=(release("3.2.3"), release("3.5.2"))),
        ON_ZOOKEEPER,
    ],
    ids=["held by annotation", "owned by a tool", "of another fleet", "beyond its operator", "on ZooKeeper"],
)
def test_a_cluster_that_cannot_go_on_holds_only_itself(stuck: Reading) -> None:
    """
    Neither one without a legal way nor one that only a person can let go on keeps the others from their target, and
    it is told why it waits.
    """
    play = Play(BRAVE).live("p-1", reading=stuck).live("p-2", "p-3", reading=READY)
    plan = play.cycle()
    (first,) = only(RolloutPlanned, plan.entries)

    assert release(NEW) == first.target
    assert {"sim/p-2", "sim/p-3"} <= set(first.clusters)
    assert {"p-2", "p-3"} == set(started(plan))
    assert ["sim/p-1"] == [hold.cluster for hold in plan.groups[0].holds if hold.reason in ONLY_PEOPLE]


def test_who_is_barred_on_the_way_leaves_it_and_the_others_arrive() -> None:
    """
    Another tool takes over a member of the rollout to what lies between: its group goes on without it.
    """
    play = Play(BRAVE).live("p-1", "p-2", reading=ON_32)
    assert [HOP_39] == planned(play.cycle().entries)
    play.live("p-1", reading=replace(ON_32, owner="Argo CD writes its version"))
    entries = play.run(14)

    assert ["sim/p-1"] == [entry.cluster for entry in only(e.ClusterLeft, entries)]
    assert [HOP_FLOOR, HOP_NEW] == planned(entries)


def test_who_another_group_quarantined_holds_only_itself_and_is_told() -> None:
    """
    Its number is the other group's, which is not declared any more: only the command lifts it.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32).live("p-2", reading=READY)
    play.record(e.Stopped("gone", 2, StopKind.QUARANTINE, "no leader", "wavefleet", cluster="sim/p-1"))
    plan = play.cycle()

    assert [HOP_NEW] == planned(list(plan.entries))
    (hold,) = (hold for hold in plan.groups[0].holds if hold.cluster == "sim/p-1")
    assert HoldReason.CLUSTER_QUARANTINED is hold.reason
    assert "wavefleet resume gone --number 2" in hold.detail


def test_an_operator_that_lacks_only_what_lies_between_is_named() -> None:
    """
    The release between is what it is asked about first, not the declared one.
    """
    play = Play(BRAVE).live("p-1", reading=replace(ON_32, supported=(release("4.0.0"), release(NEW))))
    (hold,) = play.cycle().groups[0].holds[-1:]

    assert (HoldReason.OPERATOR_UNSUPPORTED, "sim/p-1") == (hold.reason, hold.cluster)
    assert "not 3.9.2" in hold.detail


def test_a_cluster_held_in_git_is_not_waited_for_on_the_way() -> None:
    """
    Held before the rollout to what lies between it is no member, held in the middle of it it leaves.
    """
    play = Play(replace(BRAVE, holds=(a_hold("p-1"),))).live("p-1", reading=ON_32).live("p-2", reading=READY)
    assert [release(NEW)] == [entry.target for entry in only(RolloutPlanned, play.cycle().entries)]

    waiting = Play(replace(BRAVE, strategy=a_strategy(waves=(a_wave("one", "1"), a_wave("rest", "rest")))))
    waiting.live("p-1", "p-2", reading=ON_32)
    (first,) = waiting.cycle().starts
    other = "p-1" if first.cluster == "sim/p-2" else "p-2"
    waiting.declare(replace(waiting.declaration.groups[0], holds=(a_hold(other),)))
    (left,) = only(e.ClusterLeft, waiting.cycle().entries)
    assert (f"sim/{other}", "nothing waits for a cluster that is held on the way") == (left.cluster, left.why)


def test_a_cluster_that_others_took_on_leaves_what_lies_behind_it() -> None:
    """
    It goes to where its own way leads next.
    """
    waves = (a_wave("one", "1"), a_wave("rest", "rest"))
    play = Play(replace(BRAVE, strategy=a_strategy(waves=waves))).live("p-1", "p-2", reading=ON_32)
    (first,) = play.cycle().starts
    other = "p-1" if first.cluster == "sim/p-2" else "p-2"
    play.show(other, replace(READY, metadata_version=LEVELS["3.2-IV0"]))
    (left,) = only(e.ClusterLeft, play.cycle().entries)
    assert "on target already" == left.why

    play = Play(replace(BRAVE, strategy=a_strategy(waves=waves))).live("p-1", "p-2", reading=ON_32)
    (first,) = play.cycle().starts
    other = "p-1" if first.cluster == "sim/p-2" else "p-2"
    play.show(other, a_reading("3.3.2", metadata_version=FLOOR))
    (left,) = only(e.ClusterLeft, play.cycle().entries)
    assert f"it goes to {NEW} next" == left.why


def test_a_cluster_whose_way_is_shut_meanwhile_leaves_what_lies_between() -> None:
    """
    It is a dead end by now; its group goes on without it.
    """
    waves = (a_wave("one", "1"), a_wave("rest", "rest"))
    play = Play(replace(BRAVE, strategy=a_strategy(waves=waves))).live("p-1", "p-2", reading=ON_32)
    (first,) = play.cycle().starts
    other = "p-1" if first.cluster == "sim/p-2" else "p-2"
    play.show(other, a_reading("3.2.3", zookeeper=True, metadata_version=None))

    assert [f"sim/{other}"] == [entry.cluster for entry in only(e.ClusterLeft, play.cycle().entries)]


def test_latecomers_join_where_their_own_way_leads() -> None:
    """
    One that needs the same hop joins its rollout; one that needs another waits for it.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32)
    play.cycle()
    play.live("p-2", reading=ON_32).live("p-3", reading=READY).live("p-4", reading=Unknown("dark"))

    assert ["sim/p-2"] == [entry.cluster for entry in only(e.ClusterJoined, play.cycle().entries)]


def test_a_floor_on_the_way_is_not_finalized_where_the_group_forbids_it() -> None:
    """
    ``metadataVersion: hold``, or a level below the floor: the way is shut, and the sentence says what opens it.
    """
    held = replace(BRAVE, metadata_version=Finalize.HOLD)
    low = replace(BRAVE, metadata_version=LEVELS["3.2-IV0"])
    for group in (held, low):
        play = Play(group).live("p-1", reading=ON_39_LOW)
        assert not started(play.cycle())
        assert "which the group's metadataVersion forbids" in play.hold(HoldReason.NO_LEGAL_HOP).detail
    free = Play(replace(BRAVE, metadata_version=FLOOR)).live("p-1", reading=ON_39_LOW)

    assert [HOP_FLOOR] == planned(list(free.cycle().entries))


def test_the_risk_of_4_is_asked_for_where_the_way_crosses_it_and_not_before() -> None:
    """
    The way to 3.9 needs no word of old clients; the step to 4.x does.
    """
    play = Play(replace(BRAVE, accept_risks=frozenset())).live("p-1", reading=ON_32)
    play.run(10)

    assert (release("3.9.2"), "prod") == play.history.taken["sim/p-1"]
    assert [HoldReason.RISK_NOT_ACCEPTED] == play.reasons()


def test_a_finalization_on_the_way_asks_no_finalize_soak_and_only_its_own_clusters() -> None:
    """
    It is a rollout like any other: a cluster that is not on the way does not hold it.
    """
    play = Play(replace(BRAVE)).live("p-1", reading=ON_39_LOW).live("p-2", reading=Unknown("dark"))
    (first,) = only(RolloutPlanned, play.cycle().entries)

    assert (FLOOR, ("sim/p-1",), Way.FORWARD) == (first.target, first.clusters, first.way)
    assert ["p-1"] == started(play.plan) if play.plan else []


def test_the_release_between_avoids_what_is_blocked_or_known_bad() -> None:
    """
    The newest patch of its line that nothing speaks against.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32)
    play.declaration = replace(play.declaration, catalog=replace(catalog(), blocked={release("3.9.2"): "our plugin"}))

    assert [("software", "3.9.1")] == planned(list(play.cycle().entries))


def test_a_new_target_supersedes_what_was_on_the_way_to_the_old_one() -> None:
    """
    Also where it is the very release that lay between.
    """
    play = Play(BRAVE).live("p-1", reading=ON_32)
    play.cycle()
    play.declare(replace(BRAVE, target=release("3.9.2")))
    entries = play.cycle().entries

    assert [Outcome.SUPERSEDED] == [entry.outcome for entry in only(e.RolloutEnded, entries)]


def test_a_floor_on_the_way_waits_for_the_soak_of_a_rollout_that_was_superseded() -> None:
    """
    Safety: a level is never lowered, so that the release below it is proven first, whoever declares what meanwhile.
    """
    waves = (a_wave("all", "rest", 24 * HOUR),)
    first = replace(BRAVE, target=release("3.9.2"), strategy=a_strategy(waves=waves))
    play = Play(first).live("p-1", reading=ON_32)
    play.take(play.cycle()).show("p-1", ON_39_LOW).cycles(3)
    assert ClusterState.CONVERGED is play.record_of("p-1").state
    at = play.record_of("p-1").converged_at
    assert at is not None

    play.declare(replace(first, target=release(NEW)))
    plans = [play.cycle() for _ in range(3)]
    assert [] == [name for plan in plans for name in started(plan)]
    hold = play.hold(HoldReason.SOAKING)
    assert ("sim/p-1", at + 24 * HOUR) == (hold.cluster, hold.recheck_at)
    assert f"it reached 3.9.2 {at:%H:%M} UTC, and its rollout ended before it had soaked" == hold.detail

    play.now = at + 24 * HOUR
    (start,) = play.cycle().starts
    assert FLOOR == start.target
