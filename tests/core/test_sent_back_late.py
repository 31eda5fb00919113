"""A cluster that failed goes down only once nothing else that was asked of it is under way."""

from dataclasses import replace

from controller.history import entries as e
from controller.history.records import ClusterState
from controller.model.declaration import Finalize, OnFailure
from controller.model.verdict import HoldReason
from tests.builders import HOUR, LEVEL_43, MINUTE, NEW, OLD, a_finding, a_reading, release
from tests.builders_core import a_group, a_hold, a_strategy, a_wave
from tests.core.plays import Play, only, started

GROUP = replace(
    a_group(
        strategy=a_strategy(waves=(a_wave("all", "rest", 5 * MINUTE, most=10),), on_failure=OnFailure.DOWNGRADE),
        holds=(a_hold("p-2"),),
    ),
    metadata_version=Finalize.AUTO,
    finalize_soak=MINUTE,
)


def finalizing() -> Play:
    """One cluster has soaked and is being finalized; the other one is held, which keeps their rollout running."""
    play = Play(GROUP).live("p-1", "p-2")
    play.take(play.cycle())
    play.reach("p-1").cycles(9)
    play.take(play.cycle())
    assert ClusterState.STARTED is play.record_of("p-1", 2).state
    assert play.rollout().is_running
    return play


def fall_ill(play: Play) -> list[e.Entry]:
    """Let it fail where it had converged, its level still being raised."""
    play.show("p-1", a_reading(NEW, wanted_metadata=LEVEL_43, settled=False, findings=(a_finding(),)))
    return play.cycles(3)


def test_nobody_goes_down_whose_level_is_being_raised() -> None:
    """
    Safety: what the release below cannot serve may be there any moment, and could not be taken back.
    """
    play = finalizing()
    entries = fall_ill(play)

    assert ["sim/p-1"] == [entry.cluster for entry in only(e.ClusterFailed, entries)]
    assert [] == only(e.ClusterStarted, entries)
    assert "it was started for 4.3-IV0, which is not done yet" == play.hold(HoldReason.CLUSTER_UNSETTLED).detail


def test_nobody_goes_down_to_a_lower_target_either_while_its_level_is_being_raised() -> None:
    """
    Safety: merged as a rollout of its own, it waits as well.
    """
    play = finalizing()
    fall_ill(play)
    play.declare(replace(GROUP, target=release(OLD)))

    assert not started(play.cycle())
    assert not started(play.cycle())


def test_who_was_not_finalized_after_all_goes_down_then() -> None:
    """
    Ends: the write expired untaken, and is given up.
    """
    play = Play(GROUP).live("p-1", "p-2")
    play.take(play.cycle())
    play.reach("p-1").cycles(10)
    assert ClusterState.STARTED is play.record_of("p-1", 2).state
    play.show("p-1", a_reading(NEW, findings=(a_finding(),)))
    assert not only(e.ClusterStarted, play.cycles(2))
    play.pass_time(HOUR)

    assert [release(OLD)] == [entry.target for entry in only(e.ClusterStarted, play.cycles(2))]
