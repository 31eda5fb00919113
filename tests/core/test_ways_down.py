"""The way down to a lower target that was merged: what this ledger took up, failed ones first, as far as it is open."""

from dataclasses import replace

import pytest

from controller.history import entries as e
from controller.history.entries import RolloutPlanned, WaveAdmitted
from controller.history.records import ClusterState, RolloutKind, Way
from controller.model.declaration import ClusterGroup, Limits
from controller.model.observation import Unknown
from controller.model.verdict import HoldReason
from tests.builders import (
    HOUR,
    LEVEL_41,
    LEVEL_43,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_finding,
    a_reading,
    release,
)
from tests.builders_core import (
    a_declaration,
    a_freeze,
    a_group,
    a_hold,
    a_strategy,
    a_wave,
    a_window,
    domains_of,
)
from tests.core.plays import Play, fail, only, second_wave, started

SICK = (a_finding(),)
DARK = Unknown("no broker answers")
ALL = (a_wave("all", "rest", 5 * MINUTE, most=10),)
UP = a_group(strategy=a_strategy(waves=ALL))
BACK = a_group(target=OLD, strategy=a_strategy(waves=ALL))


def raised(*names: str, group: ClusterGroup = UP) -> Play:
    """Clusters that this ledger took to ``NEW``, soaked, their rollout over."""
    play = Play(group).live(*(names or ("p-1", "p-2", "p-3")))
    play.run(10)
    assert all(not rollout.is_running for rollout in play.history.rollouts.values())
    return play


def test_a_lower_target_takes_down_what_this_ledger_took_up() -> None:
    """
    One wave where nobody had failed; without approval, soak or the groups before.
    """
    play = raised()
    waves = (a_wave("all", "rest", 24 * HOUR, most=10, approval=True),)
    other = a_group("zz", target="4.3.2", strategy=a_strategy(waves=waves))
    play.declare(a_group(target=OLD, after=("zz",), strategy=a_strategy(waves=waves)), other)
    plan = play.cycle()
    (planned,) = (entry for entry in only(RolloutPlanned, plan.entries) if entry.group == "prod")

    assert (Way.DOWN, release(OLD), 0) == (planned.way, planned.target, planned.first)
    assert {"p-1", "p-2", "p-3"} == set(started(plan))
    assert ["rest"] == [entry.name for entry in only(e.WaveAdmitted, plan.entries)]


def test_who_failed_goes_down_first() -> None:
    """
    Two waves: the failed ones, then the rest, which waits until those are down.
    """
    play = second_wave(budget="2", names=("p-1", "p-2", "p-3"))
    fail(play, "p-1")
    play.reach("p-3").cycles(3)
    play.reach("p-1").declare(a_group(target=OLD, strategy=a_strategy(waves=(a_wave("x", "rest", HOUR),), budget="9")))
    first = play.cycle()
    (planned,) = only(RolloutPlanned, first.entries)

    assert (1, "sim/p-1") == (planned.first, planned.clusters[0])
    assert ["p-1"] == started(first)
    assert [("failed", 1), ("rest", 2)] == [(wave.name, len(wave.clusters)) for wave in play.view().waves]
    assert not started(play.cycle())
    play.show("p-1", a_reading(OLD)).cycle()
    assert {"p-2", "p-3"} == set(started(play.cycle()) + [n.removeprefix("sim/") for n in play.rollout(2).in_flight])


def test_who_failed_goes_down_first_also_where_failure_domains_are_declared() -> None:
    """
    Spread over domains are those that did not fail, and no wave's labels keep who failed from going first.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", HOUR))
    group = a_group(strategy=a_strategy(waves=waves, budget="2"))
    play = Play(declaration=a_declaration(group, limits=domains_of("zone", 10)))
    play.live("p-1", "p-4", "p-2", zone="a").live("p-3", "p-5", "p-6", zone="b").cycle()
    play.reach("p-2").cycles(2)
    plan = play.take(play.plan or play.cycle()).plan
    assert plan is not None
    play.reach(*started(plan)).cycles(3)
    ill = a_reading(NEW, findings=SICK)
    play.show("p-1", ill).show("p-4", ill).cycles(3)

    selective = a_strategy(waves=(waves[0], replace(waves[1], select={"zone": "b"})), budget="2")
    play.declare(replace(group, target=release(OLD), strategy=selective))
    (admitted,) = only(WaveAdmitted, play.cycle().entries)

    assert ("failed", {"sim/p-1", "sim/p-4"}) == (admitted.name, set(admitted.clusters))


def test_only_what_failed_may_be_unhealthy_on_its_way_down() -> None:
    """
    That is why it goes; of every other cluster health is asked, as on the way up.
    """
    play = raised("p-1", "p-2")
    play.declare(BACK)
    play.show("p-1", a_reading(NEW, findings=SICK))

    assert ["p-2"] == started(play.cycle())
    assert [HoldReason.CLUSTER_UNHEALTHY] == play.reasons()


def test_a_cluster_that_others_took_up_is_left_there() -> None:
    """
    We downgrade only what this ledger took above the target.
    """
    play = Play(BACK).live("p-1", reading=a_reading(NEW))

    assert not started(play.cycle())
    assert [HoldReason.AHEAD_OF_TARGET] == play.reasons()


def test_a_cluster_that_others_took_further_is_left_there() -> None:
    """
    What this ledger took to one release, and somebody else beyond it, is theirs.
    """
    play = raised("p-1")
    play.show("p-1", a_reading("4.3.2")).declare(BACK)

    assert not started(play.cycle())
    assert [HoldReason.AHEAD_OF_TARGET] == play.reasons()


def test_what_is_finalized_shuts_the_way_down_and_the_sentence_says_so() -> None:
    """
    Nothing is planned; which level, what the older release serves, and since when.
    """
    play = raised("p-1")
    play.show("p-1", a_reading(NEW, metadata_version=LEVEL_43)).declare(BACK)
    assert not started(play.cycle())
    hold = play.hold(HoldReason.NO_LEGAL_HOP)

    assert "its metadata.version is 4.3-IV0, and 4.1.2 serves at most 4.1-IV1" in hold.detail
    assert [] == [r for r in play.history.rollouts.values() if r.way is Way.DOWN]


def test_a_level_finalized_in_the_middle_of_the_way_down_holds_the_rest() -> None:
    """
    Safety: the way is asked for again before every start; when this ledger finalized it is told.
    """
    play = raised("p-1", "p-2")
    play.record(
        RolloutPlanned(9, "prod", RolloutKind.METADATA, LEVEL_43, "a" * 40, 2, ("sim/p-1",), way=Way.FINALIZE),
        e.WaveAdmitted(9, "prod", 1, "all", tail=False, clusters=("sim/p-1",)),
        e.ClusterStarted(9, "sim/p-1", LEVEL_41, LEVEL_43, "1", NOON),
        e.StartAccepted(9, "sim/p-1"),
        e.ClusterConverged(9, "sim/p-1"),
        at=NOON,
    )
    play.declare(a_group(target=OLD, strategy=a_strategy(waves=(a_wave("x", "rest", most=1),))))
    first = play.take(play.cycle()).plan
    assert first is not None
    (start,) = first.starts
    play.arrive(start)
    other = "p-1" if start.cluster == "sim/p-2" else "p-2"
    play.show(other, a_reading(NEW, metadata_version=LEVEL_43))

    assert not started(play.cycle())
    assert HoldReason.NO_LEGAL_HOP in play.reasons()
    if other == "p-1":
        assert "finalized 12:00 UTC" in play.hold(HoldReason.NO_LEGAL_HOP).detail


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"windows": (a_window("01:00", "02:00"),)}, HoldReason.OUTSIDE_WINDOW),
        ({"halted": True}, HoldReason.GROUP_HALTED),
    ],
    ids=["window", "halted"],
)
def test_on_the_way_down_windows_and_halts_are_asked(part: dict[str, object], reason: HoldReason) -> None:
    """
    As on the way up.
    """
    play = raised()
    play.declare(replace(BACK, **part))  # type: ignore[arg-type]

    assert not started(play.cycle())
    assert reason in play.reasons()


def test_on_the_way_down_holds_freezes_and_limits_are_asked() -> None:
    """
    A held cluster waits in the tail; no more are in flight than allowed.
    """
    play = raised()
    play.declare(replace(BACK, holds=(a_hold("p-1"),)))
    play.declaration = replace(play.declaration, limits=Limits(clusters_in_flight=1, unavailable_percent=100))
    (one,) = started(play.cycle())
    assert one in ("p-2", "p-3")
    assert HoldReason.CLUSTER_HELD in play.reasons()

    frozen = raised()
    frozen.declare(BACK)
    frozen.declaration = replace(frozen.declaration, freezes=(a_freeze(),))
    assert not started(frozen.cycle())
    assert HoldReason.FROZEN in frozen.reasons()


def test_the_breaker_does_not_stop_a_way_down() -> None:
    """
    It may be what brings the fleet back.
    """
    play = raised("p-1", "p-2", "p-3")
    play.declare(BACK)
    play.declaration = replace(play.declaration, limits=Limits(unavailable_percent=0))
    play.show("p-1", DARK).show("p-2", DARK)
    plan = play.cycle()

    assert [HoldReason.BREAKER_OPEN] == [hold.reason for hold in plan.holds]
    assert ["p-3"] == started(plan)


def test_what_goes_down_is_admitted_before_what_goes_up() -> None:
    """
    However long the other has waited.
    """
    up = a_group("aa", strategy=a_strategy(waves=ALL))
    play = raised("p-1")
    play.declare(up, BACK)
    play.live("a-1", group="aa")

    assert ["p-1"] == started(play.cycle())
    assert ["a-1"] == started(play.cycle())


def test_what_goes_down_waits_for_what_is_in_flight_upwards_and_not_for_what_failed() -> None:
    """
    A started cluster is awaited; a failed one holds its slot and is the reason to go.
    """
    play = second_wave(budget="5", names=("p-1", "p-2", "p-3"))
    play.declare(a_group(target=OLD, strategy=a_strategy(waves=ALL, budget="5")))
    assert not started(play.cycle())
    assert HoldReason.WAVE_UNDER_WAY in play.reasons()
    fail(play, "p-1", "p-3")
    assert {ClusterState.QUARANTINED} == {play.record_of(name).state for name in ("p-1", "p-3")}
    assert {"sim/p-1", "sim/p-3"} == set(play.rollout(1).in_flight)

    assert ["sim/p-2"] == list(play.rollout(2).in_flight)


def test_a_late_joiner_of_the_way_down_is_one_that_this_ledger_took_up() -> None:
    """
    Unknown when it began, it goes in the tail; a stranger above the target stays where it is.
    """
    play = raised("p-1", "p-2")
    play.show("p-2", DARK).declare(BACK)
    play.cycle()
    play.show("p-2", a_reading(NEW)).live("p-9", reading=a_reading(NEW))
    entries = play.cycle().entries

    assert ["sim/p-2"] == [entry.cluster for entry in only(e.ClusterJoined, entries)]


def test_a_cluster_that_is_down_by_other_hands_leaves_the_way_down() -> None:
    """
    On target already; below it, it is no member either.
    """
    play = raised("p-1", "p-2", "p-3")
    play.declare(replace(BACK, holds=(a_hold("p-1"), a_hold("p-2"), a_hold("p-3"))))
    play.cycle()
    play.show("p-1", a_reading(OLD)).show("p-2", a_reading("4.0.2", metadata_version=LEVEL_41))
    left = {entry.cluster: entry.why for entry in only(e.ClusterLeft, play.cycle().entries)}

    assert {"sim/p-1": "on target already", "sim/p-2": "it runs 4.0.2"} == left
