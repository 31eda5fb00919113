"""Over the fleet: one wave is admitted per cycle, refills go first, and limits count within the cycle."""

from controller.model.declaration import Limits
from controller.model.verdict import HoldReason
from tests.builders import MINUTE, NEW, NOON, a_reading, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave, a_window
from tests.core.plays import Play, started


def test_over_the_fleet_one_wave_is_admitted_per_cycle() -> None:
    """
    The others hold with a word on who was first; each gets its turn.
    """
    names = ("blue", "green", "red")
    play = Play(*(a_group(name) for name in names))
    for name in names:
        play.live(f"{name}-1", group=name)

    assert [["blue-1"], ["green-1"], ["red-1"]] == [started(play.cycle()) for _ in range(3)]
    play = Play(*(a_group(name) for name in names)).live("b-1", group="blue").live("g-1", group="green")
    play.cycle()
    assert "blue admits a wave in this cycle" == play.hold(HoldReason.OTHER_WAVE_FIRST, "green").detail


def test_who_waits_longest_is_admitted_first() -> None:
    """
    Since its rollout was planned, or since its last wave had soaked; the name decides among equals.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("rest", "rest", MINUTE))
    zebra = a_group("zebra", strategy=a_strategy(waves=waves), windows=(a_window("12:10", "13:30"),))
    play = Play(zebra).live("z-1", "z-2", group="zebra")
    play.cycle()
    late = a_group("ant", windows=(a_window("12:10", "13:30"),))
    play.live("a-1", group="ant").declare(zebra, late).cycle()
    play.now = NOON + 10 * MINUTE

    assert [["z-2"], ["a-1"]] == [started(play.cycle()) for _ in range(2)]


def test_a_group_that_something_holds_costs_the_others_nothing() -> None:
    """
    A halted or full one does not use up the one wave of the cycle.
    """
    play = Play(a_group("a", halted=True), a_group("b", windows=(a_window("13:00", "14:00"),)), a_group("c"))
    for name in ("a", "b", "c"):
        play.live(f"{name}-1", group=name)

    assert ["c-1"] == started(play.cycle())


def test_refills_go_before_admissions() -> None:
    """
    The one free slot of the fleet goes to the wave that is under way.
    """
    green = a_group("green", strategy=a_strategy(waves=(a_wave("all", "rest"),)))
    play = Play(declaration=a_declaration(green, limits=Limits(1, unavailable_percent=100))).live(
        "g-1", "g-2", group="green"
    )
    (first,) = started(play.cycle())
    play.live("b-1", group="blue").declare(a_group("blue"), green)
    plan = play.reach(first).cycle()

    assert {"g-1", "g-2"} - {first} == set(started(plan))
    assert [HoldReason.LIMIT_REACHED] == play.reasons("blue")


def test_a_quarantined_cluster_that_is_still_sick_keeps_its_slot_and_no_wave() -> None:
    """
    The wave after it is admitted, into the slots that are left.
    """
    waves = (a_wave("canary", "1", MINUTE), a_wave("early", "2", MINUTE), a_wave("rest", "rest", most=2))
    play = Play(a_group(strategy=a_strategy(waves=waves, budget="1"))).live(*(f"p-{number}" for number in range(1, 7)))
    play.cycle()
    play.reach("p-2").cycles(2)
    play.show("p-6", a_reading(wanted=release(NEW), settled=False, refused="no")).reach("p-1").cycle()

    assert ["p-4"] == started(play.cycle())
    assert play.record_of("p-6").holds_slot


def test_slots_are_counted_within_the_cycle_that_gives_them() -> None:
    """
    A refill and an admission of one cycle together stay within the fleet's limit.
    """
    green = a_group("green", strategy=a_strategy(waves=(a_wave("all", "rest", most=2),)))
    blue = a_group("blue", strategy=a_strategy(waves=(a_wave("all", "rest", most=5),)))
    play = Play(declaration=a_declaration(green, limits=Limits(3, unavailable_percent=100))).live(
        "g-1", "g-2", "g-3", group="green"
    )
    first = started(play.cycle())
    play.live("b-1", "b-2", "b-3", "b-4", group="blue").declare(blue, green)
    plan = play.reach(first[0]).cycle()

    assert 1 == sum(name.startswith("g") for name in started(plan))
    assert 1 == sum(name.startswith("b") for name in started(plan))
