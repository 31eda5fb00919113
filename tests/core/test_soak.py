"""The soak: only time in which every converged cluster of the wave was observed healthy, a cycle at a time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.core.soak import CREDIT_EVERY, has_begun
from controller.history.entries import SoakCredited, WaveSoaked
from controller.history.records import ClusterState
from controller.model.declaration import OnFailure
from controller.model.observation import Reading, Severity, Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, MOMENT, NEW, a_finding, a_reading, release
from tests.builders_core import a_group, a_strategy, a_wave, a_window
from tests.core.plays import Play, half_rolled, only

SECOND = timedelta(seconds=1)


def soaking(soak: timedelta = HOUR, names: tuple[str, ...] = ("p-1",), poll: timedelta = MINUTE) -> Play:
    """One wave, whose clusters have just converged: its soak begins with this cycle."""
    strategy = a_strategy(waves=(a_wave("all", "rest", soak),))
    play = Play(a_group(strategy=strategy, samples=2)).live(*names)
    play.poll = poll
    play.cycle()
    play.reach(*names)
    play.cycles(2)
    assert all(play.record_of(name).state is ClusterState.CONVERGED for name in names)
    return play


def soaked(play: Play) -> timedelta:
    """How far the wave has come by memory."""
    return play.memory.soaks[1, 1].soaked


def test_each_cycle_adds_the_time_since_the_last_one() -> None:
    """
    The cycle in which the last cluster converged adds nothing yet.
    """
    play = soaking()
    assert timedelta(0) == soaked(play)

    play.cycle()
    play.pass_time(30 * SECOND).cycle()

    assert 2 * MINUTE + 30 * SECOND == soaked(play)


@pytest.mark.parametrize(
    ("gap", "added"),
    [(MINUTE, MINUTE), (2 * MINUTE, 2 * MINUTE), (2 * MINUTE + MOMENT, 2 * MINUTE), (5 * HOUR, 2 * MINUTE)],
)
def test_a_cycle_adds_two_poll_intervals_at_most(gap: timedelta, added: timedelta) -> None:
    """
    An hour that nobody saw proves nothing, however healthy its two ends were.
    """
    play = soaking()
    play.pass_time(gap - play.poll).cycle()

    assert added == soaked(play)


@pytest.mark.parametrize("step", [-5 * HOUR, -2 * MINUTE, -MINUTE])
def test_a_clock_that_steps_back_adds_nothing(step: timedelta) -> None:
    """
    Nor does it take anything away; from the new time on it counts as ever.
    """
    play = soaking()
    play.cycles(3)
    play.pass_time(step).cycle()
    stood = soaked(play)
    play.cycle()

    assert 3 * MINUTE == stood
    assert 4 * MINUTE == soaked(play)


UNSEEN: list[Reading | Unknown] = [
    Unknown("no broker answers"),
    a_reading(NEW, full=False),
    a_reading(NEW, settled=False),
    half_rolled(NEW, "4.3.2"),
]


@pytest.mark.parametrize("reading", UNSEEN, ids=["unknown", "not in full", "unsettled", "being changed"])
def test_what_is_not_seen_well_pauses_the_soak(reading: Reading | Unknown) -> None:
    """
    Both ends of a span have to be seen healthy: a blind cycle costs the span before it and the one after.
    """
    play = soaking()
    play.cycles(5)
    play.show("p-1", reading).cycle()
    paused = soaked(play)
    play.reach("p-1").cycle()
    first = soaked(play)
    play.cycle()

    assert [5 * MINUTE, 5 * MINUTE, 6 * MINUTE] == [paused, first, soaked(play)]


def test_a_cluster_that_is_not_listed_pauses_the_soak_until_it_counts_as_gone() -> None:
    """
    One unlisted cycle is not yet gone.
    """
    play = soaking(names=("p-1", "p-2"))
    play.cycles(5)
    gone = play.clusters.pop("sim/p-2")
    play.cycle()
    assert 5 * MINUTE == soaked(play)

    play.clusters[gone.name] = gone
    play.cycles(2)
    assert 6 * MINUTE == soaked(play)


@pytest.mark.parametrize(
    ("reading", "restarts"),
    [
        (a_reading(NEW, findings=(a_finding(),)), True),
        (a_reading(NEW, settled=False, findings=(a_finding(),)), True),
        (a_reading(NEW, findings=(a_finding(Severity.WAIT),)), True),
        (a_reading(NEW, settled=False, findings=(a_finding(Severity.WAIT),)), False),
        (a_reading(NEW, findings=(a_finding(Severity.WARN),)), False),
    ],
    ids=["blocking", "blocking in a roll", "waiting at rest", "waiting in a roll", "warning"],
)
def test_only_what_no_roll_explains_begins_a_soak_anew(reading: Reading, *, restarts: bool) -> None:
    """
    One unhealthy reading is enough to lose all credit, recorded too; a warning costs nothing.
    """
    play = soaking()
    play.cycles(5)
    entries = play.show("p-1", reading).cycle().entries

    if restarts:
        assert [SoakCredited(1, 1, timedelta(0))] == only(SoakCredited, entries)
        assert timedelta(0) == soaked(play) == play.rollout().waves[0].soaked
    else:
        assert soaked(play) >= 5 * MINUTE


def test_one_sick_cluster_among_unseen_ones_begins_the_soak_anew() -> None:
    """
    The worst that was seen of the wave counts.
    """
    play = soaking(names=("p-1", "p-2"))
    play.cycles(5)
    play.show("p-1", Unknown("no broker answers")).show("p-2", a_reading(NEW, findings=(a_finding(),))).cycle()

    assert timedelta(0) == soaked(play)


def test_a_soak_is_full_to_the_microsecond() -> None:
    """
    Half-open: one microsecond before its end it soaks on; at its end the wave has soaked, and its clusters with it.
    """
    play = soaking(soak=10 * MINUTE)
    play.cycles(9)
    short = play.pass_time(-MOMENT).cycle()
    assert [] == only(WaveSoaked, short.entries)
    assert HoldReason.SOAKING in play.reasons()
    assert play.now - play.poll + MOMENT == play.hold(HoldReason.SOAKING).recheck_at

    full = play.pass_time(MOMENT - play.poll).cycle()
    assert [WaveSoaked(1, "prod", 1)] == only(WaveSoaked, full.entries)
    assert ClusterState.SOAKED == play.record_of("p-1").state


def test_a_wave_that_need_not_soak_has_not_soaked_while_it_is_ill() -> None:
    """
    Safety: without any soak the wave is still seen to be well once.
    """
    strategy = a_strategy(waves=(a_wave("all", "rest", timedelta(0)),))
    play = Play(a_group(strategy=strategy, samples=2)).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1").cycles(2)
    play.reach("p-2").cycles(1)
    ill = play.show("p-1", a_reading(NEW, findings=(a_finding(),))).cycle()

    assert ClusterState.CONVERGED is play.record_of("p-2").state
    assert [] == only(WaveSoaked, ill.entries)


def test_credit_is_recorded_a_minute_apart_and_at_the_end() -> None:
    """
    However often cycles come; what is not recorded yet is all that a restart can cost.
    """
    play = soaking(soak=5 * MINUTE, poll=20 * SECOND)
    entries = play.cycles(15)

    recorded = [entry.soaked for entry in only(SoakCredited, entries)]
    assert [number * CREDIT_EVERY for number in (1, 2, 3, 4, 5)] == recorded
    assert 1 == len(only(WaveSoaked, entries))


def test_a_restart_goes_on_from_what_was_recorded() -> None:
    """
    The first cycle after it adds nothing: nobody knows what was seen before.
    """
    play = soaking()
    play.cycles(5)
    play.restart().pass_time(3 * HOUR).cycle()
    first = soaked(play)
    play.cycle()

    assert [5 * MINUTE, 6 * MINUTE] == [first, soaked(play)]


def test_a_shorter_soak_counts_at_once_and_a_longer_one_too() -> None:
    """
    The present declaration rules, for the wave that soaks as well.
    """
    play = soaking(soak=HOUR)
    play.cycles(10)
    play.declare(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", 2 * HOUR),))))
    assert [] == only(WaveSoaked, play.cycle().entries)

    play.declare(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", 11 * MINUTE),))))
    assert 1 == len(only(WaveSoaked, play.cycle().entries))


def test_a_soak_waits_for_the_last_cluster_of_its_wave() -> None:
    """
    It begins when the last of them has come to rest, not when the first has.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest"),)))).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1").cycles(5)
    assert {} == play.memory.soaks
    assert not has_begun(play.draft(), play.rollout(), play.rollout().waves[0])

    play.reach("p-2").cycle()
    play.cycle()
    assert MINUTE == soaked(play)


def test_a_wave_with_a_failure_that_nobody_looked_at_does_not_end() -> None:
    """
    Its converged clusters run quietly on; full, it still holds, and says that time will not help.
    """
    waves = (a_wave("canary", "1", 3 * MINUTE), a_wave("rest", "rest", 3 * MINUTE))
    play = Play(a_group(strategy=a_strategy(waves=waves))).live("p-1", "p-2", "p-3")
    play.cycle()
    play.reach("p-2").cycles(4)
    play.reach("p-1").show("p-3", a_reading(wanted=release(NEW), settled=False, refused="no")).cycle()
    entries = play.cycles(10)

    assert [] == only(WaveSoaked, entries)
    assert HoldReason.WAVE_UNDER_WAY in play.reasons()


def test_a_cluster_that_fails_begins_the_soak_of_the_others_anew() -> None:
    """
    Also where one reading of it is enough to fail: what was quiet before says nothing of the release any more.
    """
    group = a_group(strategy=a_strategy(waves=(a_wave("all", "rest", HOUR),), budget="1"), samples=1)
    play = Play(group).live("p-1", "p-2", "p-3")
    play.cycle()
    play.reach("p-1", "p-2", "p-3").cycles(10)
    assert 9 * MINUTE == soaked(play)

    play.show("p-2", a_reading(NEW, findings=(a_finding(),))).cycle()
    assert timedelta(0) == soaked(play)
    assert timedelta(0) == play.rollout().waves[0].soaked, "a restart does not bring it back"


def test_a_wave_on_its_way_back_does_not_soak() -> None:
    """
    However quiet it is meanwhile, as while a window is shut; once a person goes on, what stayed up soaks.
    """
    strategy = a_strategy(waves=(a_wave("all", "rest", 2 * MINUTE),), on_failure=OnFailure.DOWNGRADE)
    group = a_group(strategy=strategy, windows=(a_window("12:00", "13:00"),))
    play = Play(group).live("p-1", "p-2")
    play.cycle()
    play.reach("p-1").show("p-2", a_reading(NEW, refused="out of disk", settled=False))
    play.now += HOUR
    entries = play.cycles(30)
    assert [] == only(WaveSoaked, entries)
    assert HoldReason.SOAKING not in play.reasons()

    play.declare(replace(group, acknowledge=frozenset({1})))
    assert [1] == [entry.wave for entry in only(WaveSoaked, play.cycles(30))]
