"""Questions to outside systems, and whether a window leaves enough time, as whole cycles ask them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.core.steps import expected_duration
from controller.history import entries as e
from controller.history.records import RolloutKind
from controller.model.declaration import Finalize
from controller.model.observation import GateReading
from controller.model.verdict import HoldReason
from controller.versions import Target
from tests.builders import HOUR, LEVEL_41, LEVEL_43, MINUTE, NEW, NOON, OLD, a_reading, release
from tests.builders_core import REVISION, SOFTWARE, TARGET, a_gate, a_group, a_strategy, a_wave, a_window
from tests.core.plays import Play, started

TWO = a_gate("p99", samples=2)
ONCE = a_gate("lag")
DEFAULT = 30 * MINUTE


def guarded(*gates: object) -> Play:
    """Two clusters of a group that asks outside systems."""
    return Play(a_group(gates=gates or (TWO,))).live("p-1", "p-2")  # type: ignore[arg-type]


def says(play: Play, passed: bool | None, gate: str = "p99", about: Target = TARGET) -> Play:  # noqa: FBT001 - its word
    """Let an outside system answer in the next cycles."""
    play.gates["prod", gate] = GateReading(passed, "0.1", about)
    return play


def test_nothing_starts_before_a_gate_was_asked_and_passed_often_enough() -> None:
    """
    The first cycle asks for it; each yes in a row counts, and the one that is enough lets the wave start.
    """
    play = guarded()
    assert not started(play.cycle())
    assert [HoldReason.GATE_UNANSWERED] == play.reasons()
    says(play, passed=True)
    assert not started(play.cycle())
    assert "passed 1 of 2 times in a row" in play.hold(HoldReason.GATE_UNANSWERED).detail

    assert ["p-2"] == started(play.cycle())


@pytest.mark.parametrize(
    ("passed", "reason"), [(False, HoldReason.GATE_FAILED), (None, HoldReason.GATE_UNANSWERED)], ids=["no", "no answer"]
)
def test_a_no_and_no_answer_begin_the_count_anew(passed: bool | None, reason: HoldReason) -> None:  # noqa: FBT001 - its word
    """
    A yes before it does not count any more.
    """
    play = says(guarded(), passed=True)
    play.cycle()
    says(play, passed).cycle()
    assert [reason] == play.reasons()
    says(play, passed=True)
    assert not started(play.cycle())
    assert started(play.cycle())


def test_a_cycle_without_an_answer_begins_the_count_anew() -> None:
    """
    So does a restart: samples are not recorded.
    """
    play = says(guarded(), passed=True)
    play.cycle()
    play.gates.clear()
    play.cycle()
    says(play, passed=True)
    assert not started(play.cycle())
    play.restart()

    assert not started(play.cycle())
    assert started(play.cycle())


def test_an_answer_about_another_target_is_no_answer() -> None:
    """
    What was asked about one release does not serve for the next.
    """
    play = says(guarded(ONCE), passed=True, gate="lag", about=release("4.3.2"))

    assert not started(play.cycle())
    assert [HoldReason.GATE_UNANSWERED] == play.reasons()


def test_every_gate_of_the_group_must_pass() -> None:
    """
    Each with its own name.
    """
    play = says(says(guarded(ONCE, a_gate("errors")), passed=True, gate="lag"), passed=False, gate="errors")

    assert not started(play.cycle())
    assert "errors says no" in play.hold(HoldReason.GATE_FAILED).detail
    says(play, passed=True, gate="errors")
    assert started(play.cycle())


def test_a_gate_is_asked_again_for_every_cluster_of_its_wave() -> None:
    """
    A refill waits for it too.
    """
    group = a_group(gates=(ONCE,), strategy=a_strategy(waves=(a_wave("all", "rest", most=1),)))
    play = says(Play(group).live("p-1", "p-2"), passed=True, gate="lag")
    (first,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(first)
    says(play, passed=False, gate="lag")
    assert not started(play.cycle())
    says(play, passed=True, gate="lag")

    assert started(play.cycle())


def test_only_a_group_with_somebody_to_start_is_asked_about() -> None:
    """
    Of a group at rest no outside system is asked.
    """
    assert ["prod"] == list(guarded().cycle().ask)
    assert [] == list(guarded(ONCE).reach("p-1", "p-2").cycle().ask)
    assert [] == list(Play(a_group()).live("p-1").cycle().ask)


def test_a_group_that_waits_for_time_is_asked_about_just_before_it_is_over() -> None:
    """
    As many cycles before as its gates need samples; nobody is asked in the middle of a long soak.
    """
    waves = (a_wave("canary", "1", 6 * MINUTE), a_wave("rest", "rest"))
    play = says(Play(a_group(gates=(TWO,), strategy=a_strategy(waves=waves))).live("p-1", "p-2"), passed=True)
    play.cycle()
    play.run(1)
    asked = [bool(play.cycle().ask) for _ in range(6)]

    assert asked[0] is False
    assert asked[-1] is True
    assert sorted(asked) == asked


# Long enough before the window closes.


def in_window(until: str, runs: str = OLD) -> Play:
    """One cluster of a group whose window closes at ``until``."""
    group = a_group(windows=(a_window("09:00", until),), strategy=a_strategy(waves=(a_wave("all", "rest", most=1),)))
    return Play(group).live("p-1", "p-2", reading=a_reading(runs))


@pytest.mark.parametrize(("until", "starts"), [("12:30", True), ("12:29", False)])
def test_before_any_was_recorded_an_upgrade_takes_half_an_hour(until: str, *, starts: bool) -> None:
    """
    Exactly as long as is left is long enough.
    """
    play = in_window(until)

    assert starts == bool(started(play.cycle()))
    if not starts:
        hold = play.hold(HoldReason.WINDOW_TOO_SHORT)
        assert NOON + 21 * HOUR == hold.recheck_at
        assert "an upgrade takes about 30m, and the window closes 12:29 UTC" == hold.detail


def test_what_was_recorded_is_what_the_next_one_is_expected_to_take() -> None:
    """
    The first took an hour and a minute; with less than that left the next one waits.
    """
    play = in_window("14:00")
    (first,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.now = NOON + 61 * MINUTE
    play.arrive(first)

    assert not started(play.cycle())
    assert "takes about 1h 1m" in play.hold(HoldReason.WINDOW_TOO_SHORT).detail


def test_a_window_that_does_not_close_leaves_all_the_time_in_the_world() -> None:
    """
    So does one that another continues.
    """
    always = Play(a_group(windows=(a_window("00:00", "24:00"),))).live("p-1")
    two = Play(a_group(windows=(a_window("09:00", "12:10"), a_window("12:05", "18:00")))).live("p-1")

    assert started(always.cycle())
    assert started(two.cycle())


def begun(group: str, number: int, target: Target) -> list[e.Entry]:
    """A rollout of the past with one cluster in flight."""
    name = f"sim/{group}-x"
    kind = SOFTWARE if target == TARGET else RolloutKind.METADATA
    before = release(OLD) if target == TARGET else LEVEL_41
    return [
        e.RolloutPlanned(number, group, kind, target, REVISION, 1, (name,)),
        e.WaveAdmitted(number, group, 1, "all", tail=False, clusters=(name,)),
        e.ClusterStarted(number, name, before, target, "1", NOON),
        e.StartAccepted(number, name),
    ]


def remembered(play: Play, length: timedelta, group: str = "prod", number: int = 7, target: Target = TARGET) -> Play:
    """Let a cluster of the past have taken so long."""
    play.record(*begun(group, number, target), at=NOON - 10 * HOUR)
    play.record(e.ClusterConverged(number, f"sim/{group}-x"), at=NOON - 10 * HOUR + length)
    return play


def expected(play: Play, target: Target = TARGET) -> timedelta:
    """How long an upgrade of prod is expected to take."""
    draft = play.draft()
    rollouts = [r for r in draft.recall.rollouts.values() if r.group == "prod" and r.is_running]
    rollout = next(r for r in rollouts if r.target == target)
    return expected_duration(draft, draft.groups["prod"], rollout, DEFAULT)


def test_the_longest_of_the_own_group_counts_before_that_of_the_fleet() -> None:
    """
    Else the longest of any other group; else the default.
    """
    play = Play(a_group()).live("p-1")
    play.cycle()
    assert DEFAULT == expected(play)
    remembered(remembered(play, 2 * HOUR, "dev", 7), 3 * HOUR, "qa", 8)
    assert 3 * HOUR == expected(play)
    remembered(remembered(play, HOUR, "prod", 9), HOUR / 2, "prod", 10)

    assert HOUR == expected(play)


def test_what_took_longer_than_the_deadline_says_nothing_of_the_next_one() -> None:
    """
    Nobody watched it, as while the controller was down.
    """
    play = Play(a_group()).live("p-1")
    play.cycle()
    remembered(remembered(play, 4 * HOUR, "prod", 9), 2 * HOUR, "dev", 10)

    assert 2 * HOUR == expected(play)


def test_finalizations_are_measured_apart_from_upgrades() -> None:
    """
    One takes seconds, the other hours.
    """
    play = Play(replace(a_group(), metadata_version=Finalize.AUTO, finalize_soak=timedelta(0)))
    play.live("p-1", reading=a_reading(NEW))
    play.cycles(2)
    remembered(remembered(play, 2 * HOUR, "dev", 7), MINUTE, "qa", 8, LEVEL_43)

    assert MINUTE == expected(play, LEVEL_43)
