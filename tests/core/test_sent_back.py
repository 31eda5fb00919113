"""The way back of a wave that broke its budget: each cluster to where it came from, and nothing else of its group."""

from dataclasses import replace
from datetime import datetime

import pytest

from controller.core.questions import DURATION_DEFAULT
from controller.history import entries as e
from controller.history.records import ClusterState, StopKind
from controller.model.declaration import Limits, OnFailure
from controller.model.observation import Reading, Unknown
from controller.model.requests import Command
from controller.model.verdict import HoldReason
from tests.builders import (
    HOUR,
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
    a_group,
    a_request,
    a_strategy,
    a_wave,
    a_window,
    domains_of,
)
from tests.core.plays import REFUSED, Play, only, second_wave, started

SICK = (a_finding(),)
DARK = Unknown("no broker answers")
ALL = (a_wave("all", "rest", 5 * MINUTE, most=10),)


def broken(*, windows: bool = False, **strategy: object) -> Play:
    """A wave of three: two have converged when the third fails, and the group goes back."""
    parts = {"windows": (a_window("12:00", "13:00"),)} if windows else {}
    group = a_group(strategy=replace(a_strategy(waves=ALL, on_failure=OnFailure.DOWNGRADE), **strategy), **parts)  # type: ignore[arg-type]
    play = Play(group).live("p-1", "p-2", "p-3")
    play.take(play.cycle())
    play.reach("p-1", "p-2").cycle()
    play.show("p-3", a_reading(NEW, refused="out of disk", settled=False))
    return play


def test_a_wave_that_broke_the_budget_goes_back_failed_ones_first() -> None:
    """
    In the very cycle: each to the release recorded for it, and nothing else starts.
    """
    plan = broken().cycle()

    assert ["p-3", "p-1", "p-2"] == started(plan)
    assert {release(OLD)} == {start.target for start in plan.starts}
    assert {release(NEW)} == {start.release_from for start in plan.starts}


def test_who_is_back_waits_and_who_failed_is_quarantined() -> None:
    """
    The halt stays until a person has looked; the others go to the tail for then.
    """
    play = broken()
    plan = play.take(play.cycle()).plan
    assert plan is not None
    for start in plan.starts:
        play.arrive(start)
    entries = play.cycle().entries

    assert {"sim/p-1", "sim/p-2"} == {entry.cluster for entry in only(e.ClusterReturned, entries)}
    assert ["sim/p-3"] == [entry.cluster for entry in only(e.ClusterQuarantined, entries)]
    assert {ClusterState.PENDING} == {play.record_of(name).state for name in ("p-1", "p-2")}
    assert () == play.rollout().in_flight
    play.cycles(3)
    assert not started(play.cycle())
    assert HoldReason.GROUP_HALTED in play.reasons()


@pytest.mark.parametrize("halted", ["by a person", "by commit", "by the fleet"])
def test_a_person_who_halts_stops_the_way_back_too(halted: str) -> None:
    """
    Only a halt by failures alone lets the wave go back.
    """
    play = broken()
    request = [a_request(Command.HALT)] if halted == "by a person" else []
    if halted == "by commit":
        play.declare(replace(play.declaration.groups[0], halted=True))
    if halted == "by the fleet":
        play.declaration = replace(play.declaration, halted=True)

    assert not started(play.cycle(*request))
    assert ClusterState.FAILED == play.record_of("p-3").state


def test_what_others_took_further_up_meanwhile_does_not_go_back() -> None:
    """
    Safety: a group takes down only what it took up itself, however it failed.
    """
    play = broken()
    play.show("p-3", a_reading("4.3.2", refused="not the release that I was asked for"))

    assert ["p-1", "p-2"] == started(play.cycle())
    told = "it runs 4.3.2, above 4.3.1, to which this rollout took it, and is left there"
    assert told == play.hold(HoldReason.AHEAD_OF_TARGET).detail


def test_without_onfailure_downgrade_nothing_goes_back() -> None:
    """
    The wave stands where it is.
    """
    assert not started(broken(on_failure=OnFailure.HALT).cycle())


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (DARK, HoldReason.NOT_OBSERVED),
        (a_reading(NEW, full=False), HoldReason.NOT_OBSERVED),
        (a_reading(NEW, settled=False), HoldReason.CLUSTER_UNSETTLED),
        (a_reading(NEW, held="INC-4711"), HoldReason.CLUSTER_HELD),
        (a_reading(NEW, metadata_version=LEVEL_43), HoldReason.NO_LEGAL_HOP),
        (a_reading(NEW, fleet="umbrella"), HoldReason.OWNED_ELSEWHERE),
        (a_reading(NEW, supported=(release("4.2.0"), release(NEW))), HoldReason.OPERATOR_UNSUPPORTED),
    ],
    ids=["unknown", "not read in full", "being changed", "held", "finalized", "another fleet's", "operator"],
)
def test_what_had_converged_goes_back_only_through_its_own_gates(shown: Reading | Unknown, reason: HoldReason) -> None:
    """
    The others go; what is held is told with its cluster.
    """
    play = broken()
    play.show("p-1", shown)

    assert ["p-3", "p-2"] == started(play.cycle())
    assert ("sim/p-1", reason) in [(hold.cluster, hold.reason) for hold in play.view().holds]


def test_windows_and_freezes_hold_the_way_back() -> None:
    """
    Each cluster that should go is told with it.
    """
    play = broken(windows=True)
    play.now = NOON + 2 * HOUR
    play.cycle()
    assert not started(play.cycle())
    holds = [(hold.cluster, hold.reason) for hold in play.view().holds if hold.cluster]

    assert {("sim/p-3", HoldReason.OUTSIDE_WINDOW), ("sim/p-1", HoldReason.OUTSIDE_WINDOW)} <= set(holds)


def test_the_way_back_keeps_the_limits() -> None:
    """
    What failed has its slot; of the others so many go as are free, the rest after them.
    """
    play = broken()
    play.declaration = replace(play.declaration, limits=Limits(clusters_in_flight=2, unavailable_percent=100))

    assert ["p-3", "p-1"] == started(play.cycle())
    assert HoldReason.LIMIT_REACHED in play.reasons()
    by_domain = broken()
    for name in ("p-1", "p-2", "p-3"):
        cluster = by_domain.clusters[f"sim/{name}"]
        by_domain.clusters[f"sim/{name}"] = replace(cluster, labels={**cluster.labels, "region": "eu"})
    by_domain.declaration = replace(by_domain.declaration, limits=domains_of("region", 2))
    assert ["p-3", "p-1"] == started(by_domain.cycle())


def test_only_observing_nothing_goes_back() -> None:
    """
    In observe mode it is judged as ever, and nothing is recorded to be started.
    """
    play = broken()
    play.observe_only = True
    plan = play.cycle()

    assert [] == started(plan)
    assert [] == only(e.ClusterStarted, plan.entries)


def test_the_way_back_is_tried_once() -> None:
    """
    Whoever fails on it is not sent a second time: a person has to look.
    """
    play = broken()
    play.take(play.cycle())
    play.show("p-1", a_reading(NEW, wanted=release(OLD), settled=False, refused="no")).cycle()

    assert (ClusterState.FAILED, True) == (play.record_of("p-1").state, play.record_of("p-1").sent_back)
    assert not started(play.cycle())


def test_a_way_back_whose_write_was_refused_is_tried_again() -> None:
    """
    Not started, so not tried: after its time it is asked for again.
    """
    play = broken()
    play.cycle()
    play.record(*(e.StartWithdrawn(1, f"sim/{name}", "409 conflict") for name in ("p-1", "p-2", "p-3")))
    assert not started(play.cycle())
    assert HoldReason.WRITE_REFUSED in play.reasons()
    play.cycles(4)

    assert {"p-1", "p-2", "p-3"} == set(started(play.plan)) if play.plan else False


def test_a_halt_of_an_earlier_wave_takes_back_that_wave_alone() -> None:
    """
    The waves before it have soaked, and stay.
    """
    play = second_wave(budget="0", names=("p-1", "p-2", "p-3"))
    group = play.declaration.groups[0]
    play.declare(replace(group, strategy=replace(group.strategy, on_failure=OnFailure.DOWNGRADE)))
    play.show("p-1", REFUSED)

    assert ["p-1"] == started(play.cycle())
    assert ClusterState.SOAKED == play.record_of("p-2").state


def test_nothing_goes_back_for_a_rollout_that_was_superseded() -> None:
    """
    A new target is the way on; what failed is followed, and no more sent anywhere.
    """
    play = broken()
    play.cycle()
    play.declare(replace(play.declaration.groups[0], target=release("4.3.2")))
    play.cycle()
    play.show("p-1", a_reading(NEW))

    assert not [start for start in play.cycle().starts if start.target == release(OLD)]


def test_a_deadline_on_the_way_back_fails_again() -> None:
    """
    Its time runs from the start of its way back.
    """
    play = broken()
    play.take(play.cycle())
    began: datetime = play.now - MINUTE
    play.now = began + 3 * HOUR
    failed = {entry.cluster for entry in only(e.ClusterFailed, play.cycle().entries)}

    assert {"sim/p-1", "sim/p-2", "sim/p-3"} == failed
    assert StopKind.HALT in {stop.kind for stop in play.history.stops.values()}
    assert DURATION_DEFAULT < 3 * HOUR
