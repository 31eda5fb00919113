"""Who of a group may start: its clusters' own gates, what goes to the tail at admission, what closes mid-wave."""

from dataclasses import replace

import pytest

from controller.core.questions import RETRY_INTERVALS
from controller.history.entries import ClusterSetAside, ClusterStarted, StartWithdrawn, WaveAdmitted, WaveFilled
from controller.history.records import ClusterState
from controller.model.observation import Reading, Severity, Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, MOMENT, NEW, NOON, a_finding, a_reading, release
from tests.builders_core import (
    TARGET,
    a_freeze,
    a_group,
    a_hold,
    a_strategy,
    a_wave,
    a_window,
    an_approval,
)
from tests.core.plays import Play, half_rolled, only, started

NAMES = ("p-1", "p-2", "p-3", "p-4", "p-5", "p-6")
"""Waves take them in the order p-2 p-6 p-1 p-4 p-3 p-5."""


def in_one_wave(most: int = 5, **parts: object) -> Play:
    """Six clusters in one wave."""
    return Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", most=most),)), **parts)).live(*NAMES)  # type: ignore[arg-type]


def test_a_start_says_what_was_judged() -> None:
    """
    The token is the precondition of the write; after two poll intervals nothing is written any more.
    """
    play = Play().live("p-1", reading=a_reading(token="17"))
    (start,) = play.cycle().starts

    assert ("sim/p-1", "prod", "17", 1) == (start.cluster, start.group, start.token, start.rollout)
    assert (release("4.1.2"), TARGET, "acme") == (start.release_from, start.target, start.fleet)
    assert NOON + 2 * MINUTE == start.expires_at


def test_every_start_is_recorded_as_it_is() -> None:
    """
    The entries and the starts of a plan name the same clusters, in the same order.
    """
    plan = in_one_wave().cycle()

    assert [start.cluster for start in plan.starts] == [entry.cluster for entry in only(ClusterStarted, plan.entries)]
    assert ["p-2", "p-6", "p-1", "p-4", "p-3"] == started(plan)


def test_a_wave_has_no_barrier() -> None:
    """
    A slot that becomes free is taken by the next cluster of the wave in that very cycle.
    """
    play = in_one_wave(most=2)
    play.cycle()
    assert [] == started(play.cycle())
    assert [HoldReason.LIMIT_REACHED] == play.reasons()

    assert ["p-1"] == started(play.reach("p-6").cycle())


def test_a_clusters_own_gates_are_asked_again_before_its_start() -> None:
    """
    One of an admitted wave that is unhealthy by now waits, and lets the next one go.
    """
    play = in_one_wave(most=1)
    play.cycle()
    play.show("p-6", a_reading(findings=(a_finding(),))).reach("p-2")

    assert ["p-1"] == started(play.cycle())
    assert "sim/p-6" == play.hold(HoldReason.CLUSTER_UNHEALTHY).cluster


@pytest.mark.parametrize(
    "reading",
    [
        Unknown("no broker answers"),
        a_reading(held="do not touch"),
        a_reading(findings=(a_finding(),)),
        a_reading(settled=False),
        a_reading("3.2.3"),
        a_reading("3.9.2"),
        a_reading(fleet="umbrella"),
        a_reading(supported=(release("4.0.0"), release("4.2.2"))),
    ],
    ids=["unknown", "held", "sick", "unsettled", "no legal hop", "risk", "another fleet's", "unsupported"],
)
def test_what_is_held_at_admission_goes_to_the_tail_and_the_next_takes_its_place(reading: Reading | Unknown) -> None:
    """
    It holds only itself, and says why.
    """
    play = Play(a_group()).live(*NAMES).show("p-2", reading)
    plan = play.cycle()

    assert ["p-6"] == started(plan)
    assert ["sim/p-2"] == [aside.cluster for aside in only(ClusterSetAside, plan.entries)]
    assert [("canary", ("sim/p-6",))] == [(wave.name, wave.clusters) for wave in only(WaveAdmitted, plan.entries)]
    assert play.record_of("p-2").tail
    assert "sim/p-2" in {hold.cluster for hold in play.view().holds}


def test_a_wave_is_not_admitted_without_a_start() -> None:
    """
    While everybody is held the wave waits, nobody is set aside, and each of them is named.
    """
    play = Play(a_group()).live(*NAMES, reading=a_reading(findings=(a_finding(),)))
    plan = play.cycle()

    assert [] == [*only(WaveAdmitted, plan.entries), *only(ClusterSetAside, plan.entries)]
    assert {f"sim/{name}" for name in NAMES} == {hold.cluster for hold in play.view().holds}


def test_where_each_of_a_waves_clusters_is_held_the_tail_takes_their_places() -> None:
    """
    A held cluster holds only itself: others of the rollout do not wait for it.
    """
    play = Play(a_group(holds=(a_hold("p-2"),))).live("p-1", "p-2", "p-3")
    assert ["p-1"] == started(play.cycle())
    play.reach("p-1").show("p-3", a_reading(findings=(a_finding(),)))
    play.declare(a_group(strategy=a_strategy(waves=(a_wave("canary", "1", MINUTE), a_wave("broad", "rest"))))).cycle()

    assert ["p-2"] == started(play.cycle())
    assert [HoldReason.CLUSTER_UNHEALTHY] == play.reasons()


def test_nobody_is_sent_to_the_tail_twice() -> None:
    """
    What is there already stays there without another entry.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("canary", "1", MINUTE), a_wave("rest", "rest")))))
    play.live("p-1", "p-2", "p-3", reading=a_reading()).show("p-2", a_reading(held="x"))
    entries = [*play.cycle().entries]
    play.reach("p-1").show("p-3", a_reading(held="x"))
    play.live("p-9")
    entries += [*play.cycles(3)]

    assert ["sim/p-2", "sim/p-3"] == [aside.cluster for aside in only(ClusterSetAside, entries)]


def test_a_cluster_held_after_admission_goes_to_the_tail() -> None:
    """
    Before its start; a wave then soaks without it.
    """
    play = in_one_wave(most=1)
    play.cycle()
    play.declare(replace(play.declaration.groups[0], holds=(a_hold("p-5"),))).cycle()

    assert (None, True) == (play.record_of("p-5").wave, play.record_of("p-5").tail)
    assert ClusterState.STARTED == play.record_of("p-2").state


def test_trouble_after_admission_is_waited_for() -> None:
    """
    Only a person's hold moves a cluster of an admitted wave to the tail: what is sick or unknown may be well again.
    """
    play = in_one_wave(most=1)
    play.cycle()
    play.show("p-6", Unknown("dark")).show("p-1", a_reading(findings=(a_finding(),))).cycles(3)

    assert [1, 1] == [play.record_of(name).wave for name in ("p-6", "p-1")]


def test_a_wave_whose_clusters_are_all_gone_is_filled_again() -> None:
    """
    From the next pending ones, as many as it is large.
    """
    play = Play(a_group()).live(*NAMES)
    play.cycle()
    del play.clusters["sim/p-2"]
    plan = play.cycle()

    assert [WaveFilled(1, 1, ("sim/p-6",))] == only(WaveFilled, plan.entries)
    assert ["p-6"] == started(plan)


def test_a_wave_of_nobody_waits_while_nobody_can_fill_it() -> None:
    """
    It never counts as soaked meanwhile, and the next wave is not admitted in its place.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.cycle()
    del play.clusters["sim/p-2"]
    play.show("p-1", a_reading(findings=(a_finding(),))).cycles(5)
    assert [1] == [wave.number for wave in play.rollout().waves]
    assert HoldReason.WAVE_UNDER_WAY in play.reasons()

    assert ["p-1"] == started(play.show("p-1", a_reading()).cycle())
    assert 1 == play.record_of("p-1").wave


def closed(**parts: object) -> Play:
    """A wave of one at a time, whose first cluster is on its way; then these keys are declared."""
    play = in_one_wave(most=1)
    play.cycle()
    play.reach("p-2")
    waves = (a_wave("all", "rest", most=1, approval="approvals" in parts),)
    return play.declare(a_group(strategy=a_strategy(waves=waves), **parts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"windows": (a_window("13:00", "14:00"),)}, HoldReason.OUTSIDE_WINDOW),
        ({"approvals": (an_approval("all", until=NOON),)}, HoldReason.APPROVAL_MISSING),
        ({"halted": True}, HoldReason.GROUP_HALTED),
        ({"target": NEW}, None),
    ],
)
def test_what_closes_in_the_middle_of_a_wave_holds_the_rest_of_it(
    parts: dict[str, object], reason: HoldReason | None
) -> None:
    """
    What was started converges; the wave stays admitted, and goes on once that opens again.
    """
    play = closed(**parts)
    plan = play.cycle()

    assert ClusterState.CONVERGED == play.record_of("p-2").state
    assert ([] if reason else ["p-6"]) == started(plan)
    if reason is not None:
        assert [reason] == play.reasons()
        assert [("all", 1)] == [(wave.name, wave.number) for wave in play.rollout().waves]
        assert ["p-6"] == started(closed_again(play).cycle())


def closed_again(play: Play) -> Play:
    """Take back what was declared."""
    return play.declare(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", most=1),))))


def test_a_freeze_that_begins_in_the_middle_of_a_wave_holds_the_rest_of_it() -> None:
    """
    Until its last moment.
    """
    play = in_one_wave(most=1)
    play.declaration = replace(play.declaration, freezes=(a_freeze(from_=NOON + MINUTE, until=NOON + HOUR),))
    play.cycle()
    assert [] == started(play.reach("p-2").cycle())
    assert NOON + HOUR == play.hold(HoldReason.FROZEN).recheck_at

    play.now = NOON + HOUR - MOMENT
    assert [] == started(play.cycle())
    play.now = NOON + HOUR
    assert ["p-6"] == started(play.cycle())


def test_a_refused_start_is_tried_again_after_its_time() -> None:
    """
    Five poll intervals after it was tried, to the microsecond; meanwhile the others of its wave go on.
    """
    play = in_one_wave(most=1)
    play.cycle()
    play.record(StartWithdrawn(1, "sim/p-2", "409 conflict"))
    assert ["p-6"] == started(play.cycle())
    hold = play.hold(HoldReason.WRITE_REFUSED)
    assert (NOON + RETRY_INTERVALS * MINUTE, "sim/p-2") == (hold.recheck_at, hold.cluster)

    play.reach("p-6", "p-1", "p-3", "p-4", "p-5")
    play.now = NOON + RETRY_INTERVALS * MINUTE - MOMENT
    assert "p-2" not in started(play.cycle())
    play.now = NOON + RETRY_INTERVALS * MINUTE
    assert ["p-2"] == started(play.cycle())


def test_an_unseen_health_holds_for_one_cycle_and_names_who_is_read_next() -> None:
    """
    A start needs a full reading of its own cycle; who is next is asked for in full a cycle ahead.
    """
    play = Play(a_group()).live(*NAMES, reading=a_reading(full=False))
    plan = play.cycle()

    assert [] == started(plan)
    assert [HoldReason.NOT_OBSERVED] == play.reasons()
    assert "sim/p-2" in plan.watch
    assert ["p-2"] == started(play.show("p-2", a_reading()).cycle())


def test_what_was_read_in_full_and_is_held_is_read_in_full_again() -> None:
    """
    Out of sight it would be taken for able, and its wave would wait for it again.
    """
    play = Play(a_group()).live(*NAMES, reading=a_reading(full=False))
    play.show("p-2", a_reading(findings=(a_finding(),)))

    assert {"sim/p-2", "sim/p-6"} <= play.cycle().watch


def test_a_late_write_is_not_asked_for_a_second_time() -> None:
    """
    A cluster that already moves towards the target, by whoever's wish, is unsettled.
    """
    play = in_one_wave().show("p-2", half_rolled())

    assert "p-2" not in started(play.cycle())


def test_observe_mode_judges_as_ever_and_starts_nothing() -> None:
    """
    It names who would start, and what would hold the others.
    """
    play = Play(a_group("blue"), a_group("green")).live("b-1", group="blue").live("g-1", group="green")
    play.observe_only = True
    plan = play.cycle()

    assert () == plan.starts
    assert [] == [*only(WaveAdmitted, plan.entries), *only(ClusterStarted, plan.entries)]
    assert play.view("blue").sentence.endswith("; would start b-1")
    assert [HoldReason.OTHER_WAVE_FIRST] == play.reasons("green")


@pytest.mark.parametrize("severity", Severity)
def test_only_a_warning_lets_a_cluster_start(severity: Severity) -> None:
    """
    What blocks and what waits both hold before a start.
    """
    play = Play(a_group()).live("p-1", reading=a_reading(findings=(a_finding(severity),)))

    assert (severity is Severity.WARN) == bool(started(play.cycle()))


def test_a_tail_wave_soaks_and_asks_for_approval_like_the_last_one() -> None:
    """
    Its name is no wave's of the declaration; its rules are.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", 2 * MINUTE, approval=True))
    group = a_group(strategy=a_strategy(waves=waves))
    until = NOON + 5 * MINUTE
    play = Play(replace(group, holds=(a_hold("p-1"),), approvals=(an_approval("rest", until=until),)))
    play.live("p-1", "p-2", "p-3").cycle()
    play.reach("p-2").cycles(2)
    play.reach("p-3").cycles(4)
    assert "rest" == play.rollout().waves[-1].name
    play.declare(replace(group, approvals=(an_approval("rest", until=until),))).cycle()
    assert [HoldReason.APPROVAL_MISSING] == play.reasons()

    play.declare(replace(group, approvals=(an_approval("rest"),)))
    assert ["p-1"] == started(play.cycle())
    tail = play.rollout().waves[-1]
    assert ("tail", True) == (tail.name, tail.tail)
    play.reach("p-1").cycles(2)
    assert play.rollout().waves[-1].soaked_at is None
    play.cycle()
    assert play.rollout().waves[-1].soaked_at is not None
