"""What failed, and what did not: who may go down however ill it is, and who still waits for a person afterwards."""

from dataclasses import replace

import pytest

from controller.core.steps import has_failed
from controller.history.entries import StartAccepted, StartWithdrawn, Stopped
from controller.history.records import ClusterState, Outcome, StopKind
from controller.model.declaration import ClusterGroup, OnFailure
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, NEW, OLD, a_finding, a_reading, release
from tests.builders_core import a_group, a_strategy, a_wave
from tests.core.plays import REFUSED, Play, only, second_wave, started

ILL = a_reading(NEW, settled=False, findings=(a_finding(),))
MIDDLE = "4.2.1"


def quarantined(play: Play) -> list[str]:
    """Clusters that wait under a number of their own."""
    stops = (stop for stop in play.history.stops.values() if stop.acknowledged_at is None)
    return [stop.cluster or "" for stop in stops if stop.kind is StopKind.QUARANTINE]


def with_one_quarantined() -> Play:
    """A rollout of three that ended as failed: p-1 was refused by its operator, and is quarantined as prod-1."""
    play = second_wave(names=("p-1", "p-2", "p-3"))
    play.take(play.plan or play.cycle()).show("p-1", REFUSED).reach("p-3").cycles(4)
    assert Outcome.FAILED is play.rollout().outcome
    return play


def acknowledging(play: Play, *numbers: int, target: str = NEW) -> ClusterGroup:
    """The group as it is, with these numbers acknowledged."""
    (group,) = play.declaration.groups
    return replace(group, acknowledge=frozenset(numbers), target=release(target))


def test_a_failure_that_a_later_rollout_made_good_is_no_leave_to_go_down_ill() -> None:
    """
    Safety (healthy-first): what failed once and converged since goes down only where it is well, like all others.
    """
    play = with_one_quarantined().show("p-1", a_reading())
    assert has_failed(play.draft(), "prod", "sim/p-1")
    play.declare(acknowledging(play, 1))
    play.run(6)
    assert Outcome.CONVERGED is play.rollout(2).outcome
    assert not has_failed(play.draft(), "prod", "sim/p-1")

    play.show("p-1", ILL).declare(acknowledging(play, 1, target=OLD))
    plans = [play.cycle() for _ in range(3)]

    assert "p-1" not in [name for plan in plans for name in started(plan)]
    assert HoldReason.CLUSTER_UNHEALTHY in play.reasons()


def going_back() -> Play:
    """A wave that broke the budget goes back: p-2 failed; p-1 had only converged, and its write was refused."""
    strategy = a_strategy(waves=(a_wave("all", "rest", 10 * MINUTE, most=3),), on_failure=OnFailure.DOWNGRADE)
    play = Play(a_group(strategy=strategy)).live("p-1", "p-2")
    play.take(play.cycle()).reach("p-1").cycles(2)
    plan = play.show("p-2", REFUSED).cycle()
    for start in plan.starts:
        refused = start.cluster == "sim/p-1"
        accepted, withdrawn = StartAccepted, StartWithdrawn
        entry = (
            withdrawn(start.rollout, start.cluster, "409: changed")
            if refused
            else accepted(start.rollout, start.cluster)
        )
        play.record(entry)
    assert ["p-1", "p-2"] == sorted(started(plan))
    return play.show("p-2", a_reading(OLD))


def test_a_way_back_that_was_refused_makes_no_failure() -> None:
    """
    Safety (healthy-first): what had converged and fell ill before its write is tried again goes nowhere.
    """
    play = going_back().show("p-1", replace(ILL, token="2"))

    plans = [play.cycle() for _ in range(6)]

    assert [] == [name for plan in plans for name in started(plan)]
    assert not play.record_of("p-1").has_failed


def test_a_way_back_that_was_called_off_quarantines_nobody_who_did_not_fail() -> None:
    """
    The halt acknowledged, the cluster that runs the target is through with the rollout; who failed has its number.
    """
    play = going_back()
    play.declare(acknowledging(play, 1)).cycles(6)

    assert ["sim/p-2"] == quarantined(play)
    assert "sim/p-1" not in play.rollout().clusters
    assert Outcome.FAILED is play.rollout().outcome


def test_an_acknowledged_quarantine_of_a_rollout_that_ended_gives_its_slot_to_others() -> None:
    """
    Liveness (ends): it may stay ill for ever; who joined the group goes all the same.
    """
    play = with_one_quarantined().live("p-9")
    play.cycles(2)
    assert play.record_of("p-1").holds_slot
    assert [HoldReason.WAVE_UNDER_WAY] == [hold.reason for hold in play.view().holds if hold.cluster is None][:1]

    play.declare(acknowledging(play, 1))

    assert ["p-9"] == [name for _ in range(3) for name in started(play.cycle())]
    assert not play.record_of("p-1").holds_slot
    assert ClusterState.QUARANTINED is play.record_of("p-1").state


@pytest.mark.parametrize("commits", [1, 2], ids=["in one commit", "one after the other"])
def test_a_newer_target_makes_nobody_forget_what_failed(commits: int) -> None:
    """
    Safety: acknowledged with the target or before it, the cluster that failed waits for its own number.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", HOUR))
    play = Play(a_group(strategy=a_strategy(waves=waves))).live("p-1", "p-2")
    play.take(play.cycle()).show("p-2", REFUSED).cycles(1)
    play.show("p-2", a_reading())
    if commits == 2:
        play.declare(acknowledging(play, 1)).cycles(1)

    entries = play.declare(acknowledging(play, 1, target=MIDDLE)).cycles(2)

    assert ["sim/p-2"] == quarantined(play)
    assert len(only(Stopped, entries)) == 2 - commits
    assert "p-2" not in [name for _ in range(4) for name in started(play.cycle())]


def test_a_persons_halt_that_is_lifted_leaves_the_halt_of_the_failures_as_it_is() -> None:
    """
    Safety: what failed is quarantined once the halt that it caused is acknowledged, and not with any other.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", HOUR))
    play = Play(a_group(strategy=a_strategy(waves=waves))).live("p-1", "p-2")
    play.take(play.cycle()).show("p-2", REFUSED).cycles(1)
    play.record(Stopped("prod", 2, StopKind.HALT, "looks odd", "ana"))

    play.declare(acknowledging(play, 2)).cycles(2)
    assert [] == quarantined(play)
    assert HoldReason.GROUP_HALTED in play.reasons()

    play.declare(acknowledging(play, 1, 2)).cycles(1)
    assert ["sim/p-2"] == quarantined(play)
