"""Why does this cluster not move: for every kind of cluster, what is told of it and which gates were asked."""

from dataclasses import replace

import pytest

from controller.core.inquiry import matching
from controller.history.records import ClusterState
from controller.model.declaration import Selector
from controller.model.observation import Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, NEW, NOON, a_finding, a_reading, release
from tests.builders_core import a_group, a_hold, a_strategy, a_wave, a_window
from tests.core.plays import Play, half_rolled

FLEET = ["revision", "fleet halt", "breaker"]
GROUP = ["group halt", "release suspect", "release", "freeze", "window", "group order"]
LIMITS = ["limits", "domains"]
CLUSTER = ["observation", "held", "stopped", "identity", "settled", "health", "hop", "operator", "never together"]
DARK = Unknown("no broker answers")


def gates(play: Play, name: str) -> list[str]:
    """Names of the gates that were asked."""
    return [answer.gate for answer in play.explain(name).answers]


def reasons(play: Play, name: str) -> list[HoldReason]:
    """Why a cluster does not move."""
    return [hold.reason for hold in play.explain(name).holds]


def two() -> Play:
    """Two clusters; the canary p-2 was just started."""
    play = Play(a_group()).live("p-1", "p-2")
    play.cycle()
    return play


def test_a_pending_cluster_is_told_every_gate_of_its_wave_to_come() -> None:
    """
    Of the fleet, the group, the wave and the cluster, in this order; its state, its wave and its line.
    """
    play = two()
    told = play.explain("p-1")

    assert [*FLEET, *GROUP, "soak", "approval", *LIMITS, *CLUSTER, "refusal"] == gates(play, "p-1")
    assert (ClusterState.PENDING, "broad", "prod") == (told.state, told.wave, told.group)
    assert (release(NEW), "groups/prod.yaml:5") == (told.target, str(told.place))
    assert [HoldReason.WAVE_UNDER_WAY] == reasons(play, "p-1")


def test_a_pending_cluster_of_an_admitted_wave_is_not_asked_for_a_soak() -> None:
    """
    Its wave is under way: only whether it is still approved.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", most=1),)))).live("p-1", "p-2")
    play.cycle()

    assert [*FLEET, *GROUP, "approval", *LIMITS, *CLUSTER, "refusal"] == gates(play, "p-1")
    assert "all" == play.explain("p-1").wave


def test_a_cluster_in_flight_is_told_since_when_and_how_long() -> None:
    """
    No gate is asked of it but whether it is seen.
    """
    play = two()
    play.show("p-2", half_rolled())
    told = play.explain("p-2")

    assert (ClusterState.STARTED, "canary", ["observation"]) == (told.state, told.wave, gates(play, "p-2"))
    assert (
        "it was started 12:00 UTC and has until 15:00 UTC to be healthy on 4.3.1: "
        "runs 4.1.2 to 4.3.1; still changing (1 of 3 brokers)" == told.sentence
    )
    play.show("p-2", DARK)
    assert [HoldReason.NOT_OBSERVED] == reasons(play, "p-2")


def test_a_cluster_on_target_is_told_so() -> None:
    """
    Whether it came there by a rollout or was there; what is wrong with it is told too.
    """
    play = two()
    play.reach("p-2").cycle()
    assert ("it runs its target, 4.3.1", ClusterState.CONVERGED) == (
        play.explain("p-2").sentence,
        play.explain("p-2").state,
    )

    play.show("p-2", a_reading(NEW, findings=(a_finding(),)))
    assert [HoldReason.CLUSTER_UNHEALTHY] == reasons(play, "p-2")
    rest = Play(a_group()).live("p-1", reading=a_reading(NEW))
    assert (None, "") == (rest.explain("p-1").state, rest.explain("p-1").wave)


def test_an_unclaimed_cluster_is_never_touched() -> None:
    """
    It has no group, no target and no line.
    """
    play = Play(a_group()).live("stray", group="nobody")
    told = play.explain("stray")

    assert "no group claims it: it is reported, and never touched" == told.sentence
    assert (None, None, None, None) == (told.group, told.target, told.place, told.state)
    assert FLEET == gates(play, "stray")


def test_a_cluster_claimed_twice_has_no_target() -> None:
    """
    Both groups are named; nothing is asked that needs a target.
    """
    play = Play(a_group(), a_group("dev", selector=Selector(names=("p-1",)))).live("p-1")
    told = play.explain("p-1")

    assert "groups dev and prod claim it: neither moves it" == told.sentence
    assert (None, None) == (told.group, told.target)
    assert [HoldReason.CLAIMED_TWICE] == reasons(play, "p-1")
    assert not {"hop", "operator"} & set(gates(play, "p-1"))


def test_an_unknown_cluster_is_told_why_it_cannot_be_read() -> None:
    """
    What needs a reading is not asked.
    """
    play = Play(a_group()).live("p-1").live("p-2", reading=DARK)
    play.cycle()
    hold = play.explain("p-2").holds[-1]

    assert (HoldReason.NOT_OBSERVED, "it could not be read: no broker answers") == (hold.reason, hold.detail)
    assert not {"identity", "settled", "health", "hop"} & set(gates(play, "p-2"))


def test_a_cluster_above_its_target_is_left_there() -> None:
    """
    The same reason as in its group's holds.
    """
    play = Play(a_group()).live("p-1", reading=a_reading("4.3.2"))
    play.cycle()

    assert [HoldReason.AHEAD_OF_TARGET] == reasons(play, "p-1") == play.reasons()


def test_a_quarantined_cluster_names_its_number() -> None:
    """
    And nothing of when it would be next.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("canary", "1", MINUTE), a_wave("rest", "rest")), budget="1")))
    play.live("p-1", "p-2", "p-3").cycle()
    play.reach("p-2").cycles(2)
    play.show("p-1", a_reading(wanted=release(NEW), settled=False, refused="no")).cycle()
    play.show("p-1", a_reading())
    told = play.explain("p-1")

    assert (ClusterState.QUARANTINED, [HoldReason.CLUSTER_QUARANTINED]) == (told.state, [told.holds[0].reason])
    assert "acknowledge: [prod-1]" in told.holds[0].detail


def test_a_cluster_that_is_gone_can_still_be_asked_about() -> None:
    """
    While a rollout remembers it: no source lists it.
    """
    play = two()
    del play.clusters["sim/p-1"]
    told = play.explain("p-1")

    assert ("sim/p-1",) == matching(play.snapshot(), "p-1")
    assert (None, None, "no source lists it any more") == (told.reading, told.group, told.sentence)
    assert [HoldReason.CLUSTER_MISSING] == reasons(play, "p-1")


def test_a_cluster_whose_source_was_not_read_since_a_restart_is_unknown_and_not_gone() -> None:
    """
    Nobody says that no source lists it before each of them was read; its group's holds say the same.
    """
    play = two()
    play.clusters.clear()
    play.unreachable["sim"] = "connection refused"
    play.restart().cycle()
    told = play.explain("p-1")
    why = "it could not be read: source sim was not read since this process started: connection refused"

    assert "whose it is shows once its source is read" == told.sentence
    assert [why] == [hold.detail for hold in told.holds]
    assert HoldReason.CLUSTER_MISSING not in play.reasons()


def test_a_cluster_before_any_rollout_is_asked_for_what_it_is() -> None:
    """
    A group that has not been judged yet has no wave to tell.
    """
    play = Play(a_group(halted=True)).live("p-1")
    told = play.explain("p-1")

    assert [HoldReason.GROUP_HALTED] == reasons(play, "p-1")
    assert "canary" == told.wave


def test_a_cluster_in_no_rollout_is_told_what_its_group_holds_for() -> None:
    """
    An unknown one, in a group that has nowhere to go.
    """
    play = Play(a_group(windows=(a_window("13:00", "14:00"),))).live("p-1", reading=DARK)

    assert [HoldReason.OUTSIDE_WINDOW, HoldReason.NOT_OBSERVED] == reasons(play, "p-1")
    assert [*FLEET, *GROUP, "observation", "held", "stopped", "never together"] == gates(play, "p-1")


def test_all_gates_answer_and_not_only_the_first_to_hold() -> None:
    """
    Whoever mends one reason reads the next one beside it.
    """
    reading = a_reading("3.9.2", held="x", findings=(a_finding(),), supported=(release("3.9.0"), release("4.2.2")))
    group = a_group(halted=True, windows=(a_window("13:00", "14:00"),), holds=(a_hold("p-1"),))
    play = Play(group).live("p-1", reading=reading)

    assert [
        HoldReason.GROUP_HALTED,
        HoldReason.OUTSIDE_WINDOW,
        HoldReason.CLUSTER_HELD,
        HoldReason.CLUSTER_UNHEALTHY,
        HoldReason.RISK_NOT_ACCEPTED,
        HoldReason.OPERATOR_UNSUPPORTED,
    ] == reasons(play, "p-1")
    assert NOON + HOUR == play.explain("p-1").holds[1].recheck_at


def test_asking_changes_nothing() -> None:
    """
    A person may ask as often as they like.
    """
    play = two()
    snapshot, before = play.snapshot(), replace(play.snapshot())
    for name in ("p-1", "p-2"):
        play.explain(name)

    assert before == snapshot == play.snapshot()


@pytest.mark.parametrize(
    ("name", "found"),
    [("p-1", ("eu/p-1", "sim/p-1")), ("sim/p-1", ("sim/p-1",)), ("p-2", ("sim/p-2",)), ("nobody", ())],
)
def test_a_name_may_mean_none_one_or_several(name: str, found: tuple[str, ...]) -> None:
    """
    Short names may be ambiguous, full ones never.
    """
    play = Play(a_group()).live("p-1", "p-2")
    play.clusters["eu/p-1"] = replace(play.clusters["sim/p-1"], name="eu/p-1")

    assert found == matching(play.snapshot(), name)
