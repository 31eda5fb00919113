"""Limits by label in whole cycles: so many of each failure domain, and never two that stand in for each other."""

from dataclasses import replace

from controller.core.waves import order_of
from controller.history.records import ClusterState, Outcome
from controller.model.declaration import DomainLimit, Limits, OnFailure
from controller.model.observation import Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, NEW, a_reading, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave, apart, domains_of
from tests.core.plays import Play, started

ALL = (a_wave("all", "rest", 5 * MINUTE, most=10),)
DARK = Unknown("no broker answers")


def under(limits: Limits, *waves: object) -> Play:
    """One group whose clusters all go at once, as far as ``limits`` let them."""
    group = a_group(strategy=a_strategy(waves=waves or ALL))  # type: ignore[arg-type]
    return Play(declaration=a_declaration(group, limits=limits))


def test_a_domain_has_no_more_in_flight_than_its_limit() -> None:
    """
    The slot before the limit is given, and the next cluster of another domain goes instead.
    """
    play = under(domains_of("region", 2)).live("e-1", "e-2", "e-3", region="eu").live("u-1", region="us")
    play.live("n-1")

    names = started(play.cycle())
    assert 2 == sum(name.startswith("e-") for name in names)
    assert {"u-1", "n-1"} <= set(names)


def test_a_slot_of_a_domain_is_given_again_once_its_cluster_has_converged() -> None:
    """
    Unknown ones keep theirs.
    """
    play = under(domains_of("region", 1)).live("e-1", "e-2", "e-3", region="eu")
    (first,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    assert not started(play.cycle())
    assert HoldReason.LIMIT_REACHED in play.reasons()
    seen = play.clusters[first.cluster].reading
    play.show(first.cluster.removeprefix("sim/"), DARK)
    assert not started(play.cycle())
    play.clusters[first.cluster] = replace(play.clusters[first.cluster], reading=seen)
    play.arrive(first)

    assert 1 == len(started(play.cycle()))


def test_each_label_has_a_limit_of_its_own() -> None:
    """
    A cluster needs room in every one of its domains.
    """
    limits = Limits(per_domain=(DomainLimit("region", 2), DomainLimit("rack", 1)), unavailable_percent=100)
    play = under(limits).live("p-1", "p-2", region="eu", rack="r1").live("p-3", region="eu", rack="r2")

    names = started(play.cycle())
    assert 2 == len(names)
    assert "p-3" in names


def test_domains_are_counted_over_all_groups() -> None:
    """
    What is in flight for one group fills the domain for the next one.
    """
    play = Play(declaration=a_declaration(a_group("aa"), a_group("bb"), limits=domains_of("region", 1)))
    play.live("a-1", group="aa", region="eu").live("b-1", group="bb", region="eu")

    assert ["a-1"] == started(play.cycle())
    assert not started(play.cycle())
    assert [HoldReason.LIMIT_REACHED] == play.reasons("bb")


def test_two_of_a_set_are_never_in_one_wave() -> None:
    """
    The second goes to the tail and starts once the first has soaked.
    """
    play = under(apart("pair", most=9)).live("p-1", "p-2", pair="x").live("p-3")
    names = started(play.cycle())
    assert 2 == len(names)
    assert "p-3" in names
    (twin,) = {"p-1", "p-2"} - set(names)
    assert play.record_of(twin).tail
    play.reach(*names).cycles(2)
    assert not started(play.cycle())
    assert HoldReason.NEVER_TOGETHER in play.reasons()
    play.cycles(3)

    assert ClusterState.STARTED == play.record_of(twin).state


def test_a_twin_in_another_group_waits_until_the_first_has_soaked() -> None:
    """
    Soaking counts as touched: should the release turn out bad, its stand-in is still whole.
    """
    groups = (a_group("aa", strategy=a_strategy(waves=ALL)), a_group("bb", strategy=a_strategy(waves=ALL)))
    play = Play(declaration=a_declaration(*groups, limits=apart("pair")))
    play.live("a-1", group="aa", pair="x").live("b-1", group="bb", pair="x")
    assert ["a-1"] == started(play.cycle())
    play.reach("a-1").cycle()
    assert not started(play.cycle())
    assert "a-1 is in flight or soaking" in play.hold(HoldReason.NEVER_TOGETHER, "bb").detail
    assert "pair: x" in play.hold(HoldReason.NEVER_TOGETHER, "bb").detail
    play.cycles(4)

    assert ClusterState.STARTED == play.rollout(2).clusters["sim/b-1"].state


def test_other_values_and_other_labels_do_not_matter() -> None:
    """
    Only clusters that share the very value of a declared label stand in for each other.
    """
    play = under(apart("pair", most=9)).live("p-1", pair="x").live("p-2", pair="y").live("p-3", other="x").live("p-4")

    assert 4 == len(started(play.cycle()))


def test_twins_of_one_cycle_do_not_start_together_from_two_refills() -> None:
    """
    What this cycle has started is seen by what it judges next.
    """
    waves = (a_wave("all", "rest", HOUR, most=1),)
    groups = (a_group("aa", strategy=a_strategy(waves=waves)), a_group("bb", strategy=a_strategy(waves=waves)))
    play = Play(declaration=a_declaration(*groups, limits=apart("pair")))
    play.live("a-1", group="aa").live("a-2", group="aa", pair="x").live("b-1", group="bb").live(
        "b-2", group="bb", pair="x"
    )
    for _ in range(12):
        plan = play.take(play.cycle()).plan
        assert plan is not None
        assert not {"a-2", "b-2"} <= {
            name.removeprefix("sim/") for r in play.history.rollouts.values() for name in r.in_flight
        }
        for start in plan.starts:
            play.arrive(start)


def test_a_cluster_that_failed_keeps_its_twin_from_starting() -> None:
    """
    Until it was seen well, or a person acknowledged it.
    """
    play = under(apart("pair", most=9), a_wave("canary", "1", MINUTE), a_wave("rest", "rest", MINUTE, most=9))
    play.live("p-1", "p-2", pair="x")
    (first,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.show(first.cluster.removeprefix("sim/"), a_reading(settled=False, refused="no")).cycle()

    assert not started(play.cycle())
    assert first.cluster in play.rollout().in_flight


def test_a_cluster_that_soaks_does_not_keep_itself_from_going_back() -> None:
    """
    It is its own set's one member in motion.
    """
    group = a_group(strategy=a_strategy(waves=ALL, on_failure=OnFailure.DOWNGRADE))
    play = Play(declaration=a_declaration(group, limits=apart("pair", most=9))).live("p-1", pair="x").live("p-2")
    play.take(play.cycle())
    play.reach("p-1").cycle()
    play.show("p-2", a_reading(settled=False, refused="no"))

    assert "p-1" in started(play.cycle())


def test_two_waves_that_wait_for_each_others_twins_both_come_to_their_end() -> None:
    """
    Ends: what has converged in each waits for its wave, and keeps its twin in the other from starting.
    """
    waves = (a_wave("all", "rest", MINUTE, most=1),)
    groups = (a_group("aa", strategy=a_strategy(waves=waves)), a_group("bb", strategy=a_strategy(waves=waves)))
    play = Play(declaration=a_declaration(*groups, limits=apart("pair")))
    # One starts at a time, and bb a cycle later: both are at their third step when the twins are on either side.
    for group, pairs in (("aa", ("", "", "x", "y")), ("bb", ("", "y", "x"))):
        names = order_of(release(NEW), tuple(f"sim/{group}-{number}" for number in range(len(pairs))))
        for name, pair in zip(names, pairs, strict=True):
            play.live(name.removeprefix("sim/"), group=group, **({"pair": pair} if pair else {}))
    for _ in range(40):
        for start in play.take(play.cycle()).plan.starts:  # type: ignore[union-attr]
            play.arrive(start)

    assert {Outcome.CONVERGED} == {rollout.outcome for rollout in play.history.rollouts.values()}
