"""What people are told of what speaks against a target, and of a finalization."""

from dataclasses import replace

import pytest

from controller.core.hops import is_older
from controller.core.inquiry import passages_of
from controller.history import entries as e
from controller.history.records import ClusterState
from controller.model.declaration import Finalize, OnFailure
from controller.model.observation import Unknown
from controller.model.outbox import StatusState
from controller.model.verdict import HoldReason
from tests.builders import HOUR, LEVEL_43, MINUTE, NEW, NOON, OLD, a_reading, release
from tests.builders_core import a_group, a_strategy, a_wave, an_expedite, apart, catalog
from tests.core.plays import Play, only, started

ALL = (a_wave("all", "rest", 5 * MINUTE, most=10),)
DARK = Unknown("no broker answers")
LEVELS = catalog().metadata_versions
PROVEN = replace(a_group(strategy=a_strategy(waves=ALL)), metadata_version=Finalize.AUTO, finalize_soak=HOUR)


@pytest.mark.parametrize(
    ("target", "runs", "older"),
    [
        ("4.0.0", "3.9.2", True),
        ("4.0.2", "3.9.2", False),
        ("4.3.2", "4.2.2", False),
        ("4.3.1", "4.2.2", True),
        ("3.9.2", "3.9.2", False),
        ("9.9.9", "3.9.2", False),
        ("4.0.0", "9.9.9", False),
    ],
)
def test_a_target_is_older_where_it_came_out_before(target: str, runs: str, *, older: bool) -> None:
    """
    By the day where both are confirmed, else by the month; what has no date is not said to be older.
    """
    assert older == is_older(release(target), release(runs), catalog())


def test_what_speaks_against_a_target_is_told_while_anybody_has_to_go_there() -> None:
    """
    CVEs, client bugs, an older date and an urgent word warn; none of them holds.
    """
    group = a_group(target="4.1.0")
    play = (
        Play(group)
        .live("p-1", reading=a_reading("4.0.2", metadata_version=LEVELS["4.0-IV3"]))
        .live("p-2", reading=DARK)
    )
    play.declaration = replace(play.declaration, expedite=(an_expedite("4.1.0"),))
    assert started(play.cycle())
    warnings = play.view().warnings

    assert any(text.startswith("4.1.0 has known CVEs: ") for text in warnings)
    assert "4.1.0 ships clients with known bugs: KAFKA-19748, KAFKA-19479" in warnings
    assert "4.1.0 came out before 4.0.2, which runs now, and may lack fixes that it has" in warnings
    assert any("4.1.0 is expedited by ana" in text for text in warnings)
    play.show("p-1", a_reading("4.1.0")).show("p-2", a_reading("4.1.0")).cycle()
    assert () == play.view().warnings


def test_a_target_that_nothing_speaks_against_has_no_warnings() -> None:
    """
    Neither has one that the catalog does not know: its gate says so.
    """
    assert () == Play(a_group(target="4.4.0")).live("p-1", reading=a_reading("4.3.1")).cycle().groups[0].warnings
    assert () == Play(a_group(target="9.9.9")).live("p-1").cycle().groups[0].warnings


def test_a_level_below_what_is_finalized_is_told_to_change_nothing() -> None:
    """
    A level is never lowered; whoever declares less is told so.
    """
    play = Play(a_group(metadata_version=LEVELS["4.2-IV1"])).live("p-1").finalize("p-1")
    play.live("p-2", reading=DARK).live("p-3", reading=a_reading(NEW, metadata_version=None))
    play.cycle()

    (warning,) = play.view().warnings
    assert "metadataVersion 4.2-IV1 changes nothing where 4.3-IV0 is finalized: it is never lowered" == warning


def test_a_finished_finalization_warns_of_nothing() -> None:
    """
    Only one that was superseded with a cluster still below its level.
    """
    play = Play(PROVEN).live("p-1", reading=a_reading(NEW))
    play.cycle()
    play.now = NOON + HOUR
    play.cycle()
    play.finalize("p-1")
    play.declare(replace(PROVEN, target=release("4.3.2"))).cycle()

    assert not any("was not finished" in text for text in play.view().warnings)


def test_a_finalization_is_told_beside_the_groups_way_to_its_release() -> None:
    """
    With a state, counts and a sentence of its own, before it begins, while it runs and until the next one.
    """
    play = Play(PROVEN).live("p-1", "p-2", reading=a_reading(NEW))
    play.cycle()
    assert "next: 13:00 UTC (soak)" in play.view("prod/metadata").sentence
    assert (0, 2, StatusState.PENDING) == (
        play.view("prod/metadata").done,
        play.view("prod/metadata").of,
        play.view("prod/metadata").state,
    )
    assert StatusState.SUCCESS == play.view().state
    play.now = NOON + HOUR
    play.take(play.cycle())
    assert (2, 0) == (play.view("prod/metadata").in_flight, play.view().in_flight)
    play.finalize("p-1", "p-2").cycles(9)

    assert (2, StatusState.SUCCESS) == (play.view("prod/metadata").done, play.view("prod/metadata").state)
    assert play.plan is not None
    assert ["prod", "prod/metadata"] == [view.context for view in play.plan.groups]


def test_a_cluster_that_waits_for_its_finalization_is_told_what_it_waits_for() -> None:
    """
    It runs its release; what the whole group lacks is the answer of the gate.
    """
    play = Play(PROVEN).live("p-1", "p-2", reading=a_reading(NEW))
    play.cycle()
    told = play.explain("p-1")
    assert f"it runs its target, {NEW}, and has still to finalize 4.3-IV0" == told.sentence
    assert [HoldReason.SOAKING] == [hold.reason for hold in told.holds]
    play.show("p-2", a_reading(NEW, held="x", metadata_version=LEVEL_43))
    assert "has still to finalize" not in play.explain("p-2").sentence


def test_a_cluster_in_a_finalization_is_told_of_that() -> None:
    """
    Its target is the level, its gates are those of a finalization.
    """
    group = replace(PROVEN, strategy=a_strategy(waves=(a_wave("one", "1"), a_wave("rest", "rest"))))
    play = Play(group).live("p-1", "p-2", reading=a_reading(NEW))
    play.cycle()
    play.now = NOON + HOUR
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    other = "p-1" if start.cluster == "sim/p-2" else "p-2"
    told = play.explain(other)

    assert (LEVEL_43, ClusterState.PENDING, "rest") == (told.target, told.state, told.wave)
    assert "whole" in [answer.gate for answer in told.answers]
    assert "until 16:00 UTC to be healthy on 4.3-IV0" in play.explain(start.cluster.removeprefix("sim/")).sentence


def test_a_cluster_on_its_way_down_is_told_its_gates() -> None:
    """
    The breaker, the order and outside systems are not asked.
    """
    play = Play(a_group(strategy=a_strategy(waves=ALL))).live("p-1", "p-2")
    play.run(9)
    play.declare(a_group(target=OLD, strategy=a_strategy(waves=(a_wave("x", "rest", most=1),))))
    (start,) = play.cycle().starts
    other = "p-1" if start.cluster == "sim/p-2" else "p-2"
    gates = [answer.gate for answer in play.explain(other).answers]

    assert {"hop", "settled", "health", "operator", "window"} <= set(gates)
    assert not {"breaker", "group order", "soak"} & set(gates) - {"soak"}


def test_a_cluster_that_should_go_back_is_told_what_holds_it() -> None:
    """
    A wave that broke its budget, and a cluster of it that cannot go: the reason is told of that cluster.
    """
    group = a_group(strategy=a_strategy(waves=ALL, on_failure=OnFailure.DOWNGRADE))
    play = Play(group).live("p-1", "p-2")
    play.take(play.cycle())
    play.reach("p-1").cycle()
    play.show("p-1", a_reading(NEW, metadata_version=LEVEL_43)).show("p-2", a_reading(NEW, settled=False, refused="no"))
    play.cycle()

    told = play.explain("p-1")
    assert ("way back", HoldReason.NO_LEGAL_HOP) in [
        (answer.gate, hold.reason) for answer in told.answers for hold in (answer.verdict,) if hold in told.holds
    ]


def test_a_twin_is_told_whom_it_waits_for() -> None:
    """
    In the group's holds and to whoever asks.
    """
    play = Play(a_group(strategy=a_strategy(waves=ALL)))
    play.declaration = replace(play.declaration, limits=apart("pair"))
    play.live("p-1", "p-2", pair="x")
    (start,) = play.cycle().starts
    other = "p-1" if start.cluster == "sim/p-2" else "p-2"

    assert HoldReason.NEVER_TOGETHER in [hold.reason for hold in play.explain(other).holds]


def test_a_cluster_outside_of_a_running_rollout_is_told_that_it_goes_with_the_next() -> None:
    """
    While others are on their way over a release between.
    """
    group = a_group(metadata_version=Finalize.AUTO, accept_risks=frozenset({"KIP-896"}))
    play = Play(group).live("p-1", reading=a_reading("3.2.3", metadata_version=LEVELS["3.2-IV0"]))
    play.live("p-2", reading=a_reading("3.9.2", metadata_version=LEVELS["3.9-IV0"]))
    play.cycle()
    told = play.explain("p-2")

    assert None is told.state
    assert "the group's rollout to 3.9.2 has to end" in told.holds[0].detail


def test_what_others_change_below_a_target_they_passed_is_looked_at_once_for_each_time() -> None:
    """
    A stop that a person acknowledged is made again only for another change.
    """
    play = Play(a_group(strategy=a_strategy(waves=ALL))).live("p-1")
    play.run(9)
    play.show("p-1", a_reading(OLD, changed_by="kubectl")).cycle()
    (stop,) = play.history.stops.values()

    assert "kubectl changed it" in stop.detail
    assert [] == only(e.Stopped, play.cycle().entries)


def test_how_each_cluster_gets_to_its_target_is_told_before_anything_starts() -> None:
    """
    Those at the same point together: over what, and where the way is shut, why.
    """
    group = a_group(metadata_version=Finalize.AUTO, accept_risks=frozenset({"KIP-896"}))
    play = Play(group).live("p-1", "p-2", reading=a_reading("3.2.3", metadata_version=LEVELS["3.2-IV0"]))
    play.live("p-3", reading=a_reading("3.9.2", zookeeper=True, metadata_version=None)).live("p-4")
    over, shut, direct = passages_of(play.snapshot())

    assert (("sim/p-1", "sim/p-2"), ["3.9.2", "3.3-IV3", "4.3.1"]) == (over.clusters, [str(to) for to in over.way])
    assert (("sim/p-3",), ()) == (shut.clusters, shut.way)
    assert "a person must take it to 3.9 and migrate it to KRaft there" in shut.why_not
    assert (("sim/p-4",), [NEW]) == (direct.clusters, [str(to) for to in direct.way])
