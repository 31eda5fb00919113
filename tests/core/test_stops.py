"""Halts, quarantines, and what lifts them: budgets, numbers, and what is acknowledged in Git."""

from dataclasses import replace

import pytest

from controller.history.entries import (
    ClusterQuarantined,
    ClusterReleased,
    StopAcknowledged,
    Stopped,
    WaveFilled,
)
from controller.history.records import ClusterState, StopKind
from controller.model.observation import Reading
from controller.model.requests import Command
from controller.model.verdict import HoldReason
from tests.builders import MINUTE, NEW, a_finding, a_reading
from tests.builders_core import TARGET, a_declaration, a_group, a_request, a_strategy, a_wave, an_approval
from tests.core.plays import NAMES, REFUSED, Play, fail, only, second_wave, started

SICK = a_reading(NEW, findings=(a_finding(),))


def test_any_failure_in_the_first_wave_halts_whatever_the_budget() -> None:
    """
    The canary is there to be believed.
    """
    play = Play(a_group(strategy=a_strategy(budget="100%"))).live(*NAMES)
    play.cycle()

    (stop,) = only(Stopped, fail(play, "p-2"))
    assert (StopKind.HALT, TARGET, 1, "failure budget") == (stop.kind, stop.suspect, stop.number, stop.by)
    assert "1 of 6 clusters failed, any failure in the first wave halts: p-2: its operator refused: no" == stop.detail


@pytest.mark.parametrize(("budget", "halts"), [("0", True), ("1", True), ("2", False), ("30%", True), ("34%", False)])
def test_a_budget_is_spent_by_one_failure_more_than_it_allows(budget: str, *, halts: bool) -> None:
    """
    A percentage is of the live clusters at rollout start, rounded down: 30% of six is one.
    """
    play = second_wave(budget)

    stops = only(Stopped, fail(play, "p-1", "p-4"))
    assert ([StopKind.HALT] if halts else [StopKind.QUARANTINE] * 2) == [stop.kind for stop in stops]


def test_a_budget_of_no_percentage_of_few_is_none() -> None:
    """
    Unlike a wave's size, a budget is not raised to one.
    """
    assert [StopKind.HALT] == [stop.kind for stop in only(Stopped, fail(second_wave("10%"), "p-1"))]


def test_a_failure_within_budget_is_quarantined_in_that_cycle() -> None:
    """
    With a number of its own, naming the cluster and why.
    """
    entries = fail(second_wave("2"), "p-1", "p-4")

    assert [(1, "sim/p-1"), (2, "sim/p-4")] == [(stop.number, stop.cluster) for stop in only(Stopped, entries)]
    assert [("sim/p-1", 1), ("sim/p-4", 2)] == [
        (each.cluster, each.number) for each in only(ClusterQuarantined, entries)
    ]
    assert [None, None] == [stop.suspect for stop in only(Stopped, entries)]


def test_the_budget_counts_all_waves_together_and_each_cluster_once() -> None:
    """
    A cluster that fails, comes back and fails again has failed once.
    """
    play = second_wave("1")
    fail(play, "p-1")
    for name in ("p-6", "p-4", "p-3", "p-5"):
        play.reach(name)
    play.show("p-1", a_reading()).cycle()
    play.declare(replace(play.declaration.groups[0], acknowledge=frozenset({1})))
    play.cycles(2)
    assert ClusterState.STARTED == play.record_of("p-1").state

    (stop,) = only(Stopped, fail(play, "p-1"))
    assert (StopKind.QUARANTINE, 2) == (stop.kind, stop.number)


def test_acknowledging_a_quarantine_forgives_no_failure() -> None:
    """
    Only a halt's number does: the cluster comes back, and its failure still counts.
    """
    play = second_wave("1")
    fail(play, "p-1")
    play.declare(replace(play.declaration.groups[0], acknowledge=frozenset({1}))).cycle()

    assert [StopKind.HALT] == [stop.kind for stop in only(Stopped, fail(play, "p-4"))]


def test_failures_of_one_cycle_are_judged_together() -> None:
    """
    Two at once past a budget of one halt: none of them is quarantined first.
    """
    entries = fail(second_wave("1"), "p-1", "p-4")

    assert [StopKind.HALT] == [stop.kind for stop in only(Stopped, entries)]
    assert [] == only(ClusterQuarantined, entries)


def test_a_halt_names_three_failures_and_counts_the_rest() -> None:
    """
    The sentence stays short, and leaves none out in silence.
    """
    (stop,) = only(Stopped, fail(second_wave("0"), "p-6", "p-1", "p-4", "p-3", "p-5"))

    assert stop.detail.startswith("5 of 6 clusters failed, the budget is 0: p-6: ")
    assert stop.detail.endswith("(+2 more)")
    assert "p-3" not in stop.detail


def test_one_halt_is_made_for_failures_that_follow_it() -> None:
    """
    More failures while it is open make no second number.
    """
    play = second_wave("0")
    fail(play, "p-1")

    assert [] == only(Stopped, fail(play, "p-4"))
    assert [] == only(Stopped, play.cycles(3))


def test_a_persons_halt_does_not_hide_that_a_release_is_suspect() -> None:
    """
    A failure past the budget makes a halt of its own, also where a person halted the group before.
    """
    play = second_wave("0")
    play.cycle(a_request(Command.HALT))

    (stop,) = only(Stopped, fail(play, "p-1"))
    assert (2, TARGET) == (stop.number, stop.suspect)


def test_a_budget_lowered_in_the_middle_counts_at_once() -> None:
    """
    What was within budget when it failed may be past it now.
    """
    play = second_wave("1")
    fail(play, "p-1")
    play.declare(a_group(strategy=a_strategy(waves=play.declaration.groups[0].strategy.waves, budget="0")))

    (stop,) = only(Stopped, play.cycle().entries)
    assert (StopKind.HALT, 2) == (stop.kind, stop.number)
    assert stop.detail.startswith("1 of 6 clusters failed, the budget is 0: p-1: ")


def test_what_fails_after_its_group_is_gone_halts_that_name() -> None:
    """
    A group that is declared no more has no budget, and its release is suspect for others.
    """
    play = second_wave("100%", most=1)
    play.declaration = a_declaration(a_group("other"))
    play.cycle()

    (stop,) = only(Stopped, fail(play, "p-6"))
    assert ("prod", StopKind.HALT, TARGET) == (stop.scope, stop.kind, stop.suspect)


def test_acknowledged_the_failed_clusters_are_quarantined_and_the_rollout_goes_on() -> None:
    """
    The halt's number forgives; each failed cluster then has a number of its own.
    """
    play = second_wave("0", most=1)
    fail(play, "p-6")
    assert ["GroupHalted"] == [reason.value for reason in play.reasons()]

    play.declare(replace(play.declaration.groups[0], acknowledge=frozenset({1})))
    plan = play.cycle()
    assert [StopAcknowledged("prod", 1, "Git", 1)] == only(StopAcknowledged, plan.entries)
    assert [("sim/p-6", 2)] == [(each.cluster, each.number) for each in only(ClusterQuarantined, plan.entries)]
    assert ["p-1"] == started(plan)


def test_a_wave_whose_clusters_are_all_quarantined_is_filled_again() -> None:
    """
    It never counts as soaked; the next pending ones take their places, and soak in its name.
    """
    play = Play(a_group()).live(*NAMES)
    play.cycle()
    fail(play, "p-2")
    play.declare(a_group(acknowledge=frozenset({1})))

    plan = play.cycle()
    assert [WaveFilled(1, 1, ("sim/p-6",))] == only(WaveFilled, plan.entries)
    assert ["p-6"] == started(plan)


def test_a_quarantined_cluster_comes_back_once_its_number_is_acknowledged() -> None:
    """
    It goes to the tail, as if it had never been started.
    """
    play = second_wave("1")
    fail(play, "p-1")
    play.declare(replace(play.declaration.groups[0], acknowledge=frozenset({1})))

    assert [ClusterReleased(1, "sim/p-1")] == only(ClusterReleased, play.show("p-1", a_reading()).cycle().entries)
    record = play.record_of("p-1")
    assert (ClusterState.PENDING, True, None, False) == (record.state, record.tail, record.wave, record.holds_slot)


def test_numbers_are_never_used_twice() -> None:
    """
    Halts and quarantines of a group are numbered together, above any number recorded or acknowledged there.
    """
    play = second_wave("2")
    play.cycle(a_request(Command.HALT))
    fail(play, "p-1")
    assert [("prod", 1), ("prod", 2)] == sorted(play.history.stops)

    play.declare(replace(play.declaration.groups[0], acknowledge=frozenset({1, 2, 40})))
    play.cycle()
    play.cycle(a_request(Command.HALT, id=2))
    assert ("prod", 41) in play.history.stops


def test_a_lost_ledger_does_not_let_an_old_line_resume_a_new_halt() -> None:
    """
    What Git acknowledges was used, also where nothing of it is remembered.
    """
    play = Play(a_group(acknowledge=frozenset({1, 2}))).live("p-1")

    plan = play.cycle(a_request(Command.HALT))
    assert [3] == [stop.number for stop in only(Stopped, plan.entries)]
    assert HoldReason.GROUP_HALTED in play.reasons()
    assert [] == only(StopAcknowledged, play.cycle().entries)


def test_a_number_that_git_acknowledged_once_stays_used() -> None:
    """
    Also after its line was taken out.
    """
    play = Play(a_group(acknowledge=frozenset({40}))).live("p-1")
    play.cycle()
    play.declare(a_group()).cycle(a_request(Command.HALT))

    assert [("prod", 41)] == list(play.history.stops)


def test_the_numbers_of_a_group_are_its_own() -> None:
    """
    Another group's line does not lift them.
    """
    play = Play(a_group(), a_group("dev", acknowledge=frozenset({1}))).live("p-1")
    play.cycle(a_request(Command.HALT))
    play.cycle()

    assert HoldReason.GROUP_HALTED in play.reasons()


def test_a_halt_and_a_suspect_release_bind_in_the_cycle_of_the_failure() -> None:
    """
    Nothing starts in that group nor in another with the same target, in that very cycle; another target is free.
    """
    same = a_group("same", strategy=a_strategy(waves=(a_wave("w", "rest", approval=True),)))
    other = a_group("other", "4.2.1", strategy=same.strategy)
    play = Play(a_group(), same, other).live("p-1", "p-2")
    play.live("s-1", group="same").live("o-1", group="other")
    play.cycle()

    approvals = {"same": an_approval("w"), "other": an_approval("w", "4.2.1")}
    play.declare(a_group(), *(replace(group, approvals=(approvals[group.name],)) for group in (same, other)))
    play.show("p-2", REFUSED)
    plan = play.cycle()

    assert ["o-1"] == started(plan)
    assert HoldReason.GROUP_HALTED in play.reasons("prod")
    assert [HoldReason.RELEASE_SUSPECT] == play.reasons("same")


def test_an_acknowledged_halt_makes_a_release_suspect_no_more() -> None:
    """
    Other groups go on in that very cycle.
    """
    play = Play(a_group(), a_group("dev")).live("p-1", "p-2").live("d-1", group="dev")
    play.declare(a_group(), a_group("dev", halted=True)).cycle()
    fail(play, "p-2")
    play.declare(a_group(), a_group("dev")).cycle()
    assert [HoldReason.RELEASE_SUSPECT] == play.reasons("dev")

    play.declare(a_group(acknowledge=frozenset({1}), halted=True), a_group("dev"))
    assert ["d-1"] == started(play.cycle())


@pytest.mark.parametrize("reading", [SICK, REFUSED, a_reading()])
def test_a_halt_sticks_whatever_is_seen(reading: Reading) -> None:
    """
    Nothing lifts it but a person: not time, not health, not a restart, not another target.
    """
    play = Play().live(*NAMES)
    play.cycle()
    fail(play, "p-2")
    play.show("p-2", reading).restart().cycles(3)
    play.declare(a_group(target="4.3.2"))
    plan = play.pass_time(100 * MINUTE).cycle()

    assert [] == started(plan)
    assert HoldReason.GROUP_HALTED in play.reasons()
