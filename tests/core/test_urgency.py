"""What a person declared urgent: shorter soaks, and open windows and freezes where it says so, until it expires."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.core.soak import soak_of
from controller.core.urgency import expedited
from controller.model.declaration import Declaration, Expedite, Limits
from controller.model.verdict import HoldReason
from tests.builders import DAY, HOUR, MINUTE, MOMENT, NOON, a_finding, a_reading
from tests.builders_core import a_declaration, a_freeze, a_group, a_strategy, a_wave, a_window, an_expedite
from tests.core.plays import Play, started

LONG = (a_wave("canary", "1", 4 * HOUR), a_wave("rest", "rest", 4 * HOUR))
CLOSED = a_window("01:00", "02:00")
SHORT = 10 * MINUTE


def urgent(*expedite: Expedite, **parts: object) -> Declaration:
    """One group with long soaks, and what is urgent."""
    group = replace(a_group(strategy=a_strategy(waves=LONG)), **parts)  # type: ignore[arg-type]
    return a_declaration(group, expedite=expedite)


def soaking(*expedite: Expedite) -> Play:
    """A canary that has just converged."""
    play = Play(declaration=urgent(*expedite)).live("p-1", "p-2")
    play.cycle()
    play.reach("p-2").cycle()
    return play


def soak_now(play: Play) -> timedelta:
    """How long the canary must soak now."""
    draft, rollout = play.draft(), play.rollout()
    assert rollout.wave is not None
    return soak_of(draft, draft.groups["prod"], rollout, rollout.wave)


@pytest.mark.parametrize(
    ("expedite", "soak"),
    [
        ((), 4 * HOUR),
        ((an_expedite(soak=SHORT),), SHORT),
        ((an_expedite(soak=timedelta(0)),), timedelta(0)),
        ((an_expedite(soak=None),), 4 * HOUR),
        ((an_expedite(soak=DAY),), 4 * HOUR),
        ((an_expedite(soak=HOUR), an_expedite(soak=SHORT)), SHORT),
        ((an_expedite("4.3.2", soak=SHORT),), 4 * HOUR),
        ((an_expedite(soak=SHORT, groups=("dev", "pro?")),), SHORT),
        ((an_expedite(soak=SHORT, groups=("dev-*",)),), 4 * HOUR),
        ((an_expedite(soak=SHORT, until=NOON + 2 * MINUTE),), 4 * HOUR),
    ],
    ids=["none", "shorter", "zero", "no soak", "longer", "two", "other release", "pattern", "other group", "expired"],
)
def test_a_soak_is_shortened_and_never_prolonged(expedite: tuple[Expedite, ...], soak: timedelta) -> None:
    """
    For its release, its groups and its time alone; of several the shortest.
    """
    assert soak == soak_now(soaking(*expedite))


def test_what_is_urgent_ends_exactly_at_its_time() -> None:
    """
    Half-open: in force one microsecond before, over at its end.
    """
    play = Play(declaration=urgent(an_expedite(until=NOON + HOUR))).live("p-1")
    group = play.declaration.groups[0]
    play.now = NOON + HOUR - MOMENT
    assert 1 == len(expedited(play.draft(), group, None))
    play.now = NOON + HOUR

    assert () == expedited(play.draft(), group, None)


def test_the_shorter_soak_lets_the_next_wave_start() -> None:
    """
    And not before it is full.
    """
    play = soaking(an_expedite(soak=3 * MINUTE))
    assert not started(play.cycle())
    play.cycle()
    assert ["p-1"] == started(play.cycle())


@pytest.mark.parametrize(
    ("expedite", "windows", "frozen", "reasons"),
    [
        (an_expedite(), True, True, {HoldReason.OUTSIDE_WINDOW, HoldReason.FROZEN}),
        (an_expedite(ignore_windows=True), True, False, set()),
        (an_expedite(ignore_windows=True), True, True, {HoldReason.FROZEN}),
        (an_expedite(ignore_freezes=True), True, True, {HoldReason.OUTSIDE_WINDOW}),
        (an_expedite(ignore_freezes=True), False, True, set()),
    ],
    ids=["neither", "windows", "windows, but frozen", "freezes, but closed", "freezes"],
)
def test_windows_and_freezes_are_ignored_only_where_it_says_so(
    expedite: Expedite, reasons: set[HoldReason], *, windows: bool, frozen: bool
) -> None:
    """
    Each by its own word; else the urgent release waits like any other.
    """
    play = Play(declaration=urgent(expedite, windows=(CLOSED,) if windows else ())).live("p-1")
    play.declaration = replace(play.declaration, freezes=(a_freeze(),) if frozen else ())
    plan = play.cycle()

    assert reasons == set(play.reasons())
    assert (not reasons) == bool(started(plan))


def test_urgency_skips_no_health_limit_approval_or_order() -> None:
    """
    Safety: whatever is urgent, a sick cluster stays, a domain stays full, a person is asked, a group is awaited.
    """
    word = an_expedite(soak=timedelta(0), ignore_windows=True, ignore_freezes=True)
    sick = Play(declaration=urgent(word)).live("p-1", reading=a_reading(findings=(a_finding(),)))
    assert not started(sick.cycle())

    asked = Play(declaration=urgent(word, strategy=a_strategy(waves=(a_wave("all", "rest", approval=True),))))
    assert not started(asked.live("p-1").cycle())

    dev = a_group("dev")
    behind = Play(declaration=a_declaration(dev, a_group(after=("dev",)), expedite=(word,)))
    assert ["d-1"] == started(behind.live("d-1", group="dev").live("p-1").cycle())
    assert not started(behind.cycle())

    full = Play(declaration=urgent(word)).live("p-1", "p-2", "p-3")
    full.declaration = replace(full.declaration, limits=Limits(unavailable_percent=1))
    for name in ("p-2", "p-3"):
        full.show(name, a_reading(findings=(a_finding(),)))
    assert not started(full.cycle())


def test_what_is_urgent_is_admitted_before_what_waited_longer() -> None:
    """
    Behind what goes down, and before everything else.
    """
    play = Play(declaration=a_declaration(a_group("aa"), a_group("zz", "4.3.2"), expedite=(an_expedite("4.3.2"),)))
    play.live("a-1", group="aa").live("z-1", group="zz")

    assert ["z-1"] == started(play.cycle())
    assert ["a-1"] == started(play.cycle())


def test_an_expired_word_binds_the_present_soak_at_once() -> None:
    """
    What was soaked half a minute too short soaks on as declared.
    """
    play = soaking(an_expedite(soak=5 * MINUTE, until=NOON + 3 * MINUTE))
    assert 5 * MINUTE == soak_now(play)
    play.cycles(10)

    assert 4 * HOUR == soak_now(play)
    assert HoldReason.SOAKING in play.reasons()
