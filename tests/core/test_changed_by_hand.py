"""What other hands do to clusters that we started or brought to their target: held, and never our failure."""

from datetime import timedelta

import pytest

from controller.history.entries import ClusterFailed, StartWithdrawn, Stopped
from controller.history.records import ClusterState, StopKind
from controller.model.declaration import ClusterGroup
from controller.model.verdict import HoldReason
from tests.builders import DAY, HOUR, MINUTE, NEW, NOON, OLD, a_reading, release
from tests.builders_core import a_group, a_strategy, a_wave, a_window
from tests.core.plays import Play, only, started

AT_ONCE = (a_wave("all", "rest", 2 * MINUTE),)
UPGRADED_BY_BOB = a_reading(wanted=release(NEW), settled=False, changed_by="bob")
TAKEN_DOWN_BY_BOB = a_reading(OLD, changed_by="bob")


def in_the_morning() -> ClusterGroup:
    """A group with a window, so that nothing is started again behind a test's back."""
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", MINUTE))
    return a_group(strategy=a_strategy(waves=waves), windows=(a_window("09:00", "16:00"),))


def given_up(refusal: str) -> Play:
    """A start whose write was given up, or refused with this sentence, just before the window closed."""
    play = Play(in_the_morning()).live("p-1", "p-2")
    play.now = NOON + 3 * HOUR + 20 * MINUTE
    (start,) = play.cycle().starts
    play.record(StartWithdrawn(start.rollout, start.cluster, refusal))
    return play.pass_time(4 * HOUR)


@pytest.mark.parametrize("refusal", ["", "403: forbidden"], ids=["given up", "refused"])
@pytest.mark.parametrize("later", [timedelta(0), 4 * DAY], ids=["at night", "days later"])
def test_a_change_by_hand_has_not_failed_by_the_deadline_of_an_old_start(refusal: str, later: timedelta) -> None:
    """
    Bob asks for the very release hours after our write: its time begins when that is seen, and no release is suspect.
    """
    play = given_up(refusal).pass_time(later)
    play.cycles(1)
    play.show("p-2", UPGRADED_BY_BOB)

    entries = play.cycles(20)

    assert [] == only(ClusterFailed, entries)
    assert [] == only(Stopped, entries)
    expected = ClusterState.PENDING if refusal else ClusterState.STARTED
    assert expected is play.record_of("p-2").state


def test_a_write_that_was_taken_late_still_has_a_deadline() -> None:
    """
    Its own: as long as that of any other start.
    """
    play = given_up("")
    play.cycles(1)
    play.show("p-2", UPGRADED_BY_BOB).cycles(1)

    assert [] == only(ClusterFailed, play.pass_time(2 * HOUR).cycles(1))
    assert ["sim/p-2"] == [entry.cluster for entry in only(ClusterFailed, play.pass_time(HOUR).cycles(1))]


@pytest.mark.parametrize("late_comers", [0, 1, 3, 5])
def test_what_others_took_down_waits_for_a_person_whoever_goes_meanwhile(late_comers: int) -> None:
    """
    Safety: also while a rollout of the group runs, and after so many others that its own is forgotten.
    """
    play = Play(a_group(strategy=a_strategy(waves=AT_ONCE))).live("p-1", "p-2")
    play.run(6)
    for number in range(late_comers):
        play.live(f"q-{number}").run(6)
    if late_comers:
        play.live("p-9").take(play.cycle())

    play.show("p-1", TAKEN_DOWN_BY_BOB)
    plans = [play.cycle() for _ in range(6)]

    assert "p-1" not in [name for plan in plans for name in started(plan)]
    (stop,) = only(Stopped, [entry for plan in plans for entry in plan.entries])
    assert (StopKind.CHANGED_BY_OTHERS, "sim/p-1") == (stop.kind, stop.cluster)
    assert f"it reached {NEW} and now runs {OLD}: bob changed it" == stop.detail
    assert HoldReason.CHANGED_BY_OTHERS in play.reasons()
