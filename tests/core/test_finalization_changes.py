"""What happens in the middle of a finalization: another declaration, a failure, and the groups that wait for it."""

from dataclasses import replace

import pytest

from controller.history import entries as e
from controller.history.records import Outcome, StopKind
from controller.model.declaration import ClusterGroup, Finalize, Selector
from controller.model.observation import Reading
from controller.model.outbox import StatusState
from controller.model.verdict import HoldReason
from controller.versions import MetadataVersion
from tests.builders import DAY, HOUR, LEVEL_43, NEW, NOON, a_reading, release
from tests.builders_core import (
    a_group,
    a_strategy,
    a_wave,
    catalog,
)
from tests.core.plays import Play, only, started
from tests.core.proving import arrived, due, finalizing

LEVEL_42 = catalog().metadata_versions["4.2-IV1"]


@pytest.mark.parametrize(
    ("declared", "detail"),
    [
        (a_group(target="4.3.2", metadata_version=Finalize.AUTO), "prod now declares 4.3.2"),
        (a_group(metadata_version=Finalize.HOLD), "prod now declares metadataVersion: hold"),
        (a_group(metadata_version=LEVEL_42), "prod now declares metadataVersion: 4.2-IV1"),
    ],
    ids=["another release", "hold", "another level"],
)
def test_a_finalization_is_superseded_by_what_is_declared_since(declared: ClusterGroup, detail: str) -> None:
    """
    A new release goes first; another level is another rollout.
    """
    play = due()
    play.cycle()
    play.declare(declared)
    (ended,) = only(e.RolloutEnded, play.cycle().entries)

    assert (Outcome.SUPERSEDED, detail) == (ended.outcome, ended.detail)


def test_an_unfinished_finalization_warns_and_does_not_hold_the_next_release() -> None:
    """
    The next release starts; that a level was not finished is told beside it.
    """
    play = due()
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(start)
    play.cycle()
    play.declare(replace(finalizing(), target=release("4.3.2")))
    plan = play.cycle()

    assert started(plan)
    assert "the finalization of 4.3-IV0 was not finished" in play.view().warnings


def test_another_release_begins_finalize_soak_anew() -> None:
    """
    What was proven of one release proves nothing of the next.
    """
    play = arrived()
    assert "prod" in play.history.reached
    play.declare(replace(finalizing(), target=release("4.3.2"))).cycle()

    assert "prod" not in play.history.reached


def test_a_level_that_hurt_one_group_is_not_given_to_another() -> None:
    """
    A failure in the first wave halts, and makes that level suspect, not the release.
    """
    groups = finalizing(name="prod"), finalizing(name="tail", selector=Selector(match_labels={"group": "tail"}))
    play = Play(*groups).live("p-1", "p-2", reading=a_reading(NEW)).live("t-1", group="tail", reading=a_reading(NEW))
    play.cycle()
    play.now = NOON + HOUR
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    asked = play.clusters[start.cluster].reading
    assert isinstance(asked, Reading)
    play.show(start.cluster.removeprefix("sim/"), replace(asked, refused="no such feature"))
    play.cycle()

    assert not started(play.cycle())
    assert HoldReason.RELEASE_SUSPECT in play.reasons("tail/metadata")
    assert StatusState.FAILURE == play.view("prod/metadata").state


def test_the_level_of_a_release_that_hurt_another_group_is_not_finalized() -> None:
    """
    Safety: it would shut the way back from that very release, for good.
    """
    other = a_group("other", strategy=a_strategy(waves=(a_wave("all", "rest", HOUR),)))
    play = due(finalizing(), other).live("o-1", group="other")
    play.show("o-1", a_reading(wanted=release(NEW), settled=False, refused="no"))
    play.record(e.Stopped("other", 1, StopKind.HALT, "it failed", "failure budget", suspect=release(NEW)))

    plan = play.cycle()

    assert [] == [name for name in started(plan) if name.startswith("p-")]
    assert HoldReason.RELEASE_SUSPECT in play.reasons("prod/metadata")
    assert "4.3.1 is suspect since other halted" in play.hold(HoldReason.RELEASE_SUSPECT, "prod/metadata").detail


def test_a_release_that_serves_no_such_level_is_held() -> None:
    """
    The last look before a start: what runs must serve what is to be finalized.
    """
    play = due(finalizing(metadata_version=catalog().metadata_versions["4.4-IV0"]))

    assert not started(play.cycle())
    hold = play.hold(HoldReason.NO_LEGAL_HOP, "prod/metadata")
    assert "it runs 4.3.1, which serves at most 4.3-IV0, not 4.4-IV0" == hold.detail


def test_groups_behind_wait_for_the_finalization_of_those_before() -> None:
    """
    For a level the level is asked; a group that declares that its level stays lets others pass.
    """
    first = finalizing(name="first", finalize_soak=DAY, selector=Selector(match_labels={"group": "first"}))
    second = finalizing(after=("first",))
    play = Play(first, second).live("f-1", group="first", reading=a_reading(NEW)).live("p-1", reading=a_reading(NEW))
    play.cycle()
    play.now = NOON + HOUR
    assert not started(play.cycle())
    hold = play.hold(HoldReason.GROUP_ORDER, "prod/metadata")
    assert hold.detail.startswith("after first, which has not converged: 0 of 1 cluster")
    assert hold.detail.endswith("4.3-IV0")

    play.declare(replace(first, metadata_version=Finalize.HOLD), second)
    assert ["p-1"] == started(play.cycle())
    again = Play(first, second).live("f-1", group="first").live("p-1", reading=a_reading(NEW)).finalize("f-1")
    again.cycle()
    again.now = NOON + HOUR
    assert ["p-1"] == started(again.cycle())


@pytest.mark.parametrize(
    ("level", "words"),
    [(None, "its metadata.version could not be read"), (LEVEL_43, "its metadata.version is 4.3-IV0 already")],
    ids=["not told", "there already"],
)
def test_a_level_is_raised_only_from_a_lower_one_that_was_read(level: MetadataVersion | None, words: str) -> None:
    """
    Whoever hides its level in the middle of a finalization, or is being changed with the level there, is not started.
    """
    play = due(finalizing(strategy=a_strategy(waves=(a_wave("all", "rest", most=1),))), "p-1", "p-2")
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(start)
    other = "p-1" if start.cluster == "sim/p-2" else "p-2"
    play.show(other, a_reading(NEW, metadata_version=level, settled=False))

    assert not started(play.cycle())
    assert words in play.hold(HoldReason.NO_LEGAL_HOP, "prod/metadata").detail


def test_a_cluster_whose_level_reads_lower_again_leaves_its_wave_and_comes_back_in_the_tail() -> None:
    """
    Somebody made another cluster of it; its wave does not soak for it, and it is finalized like any latecomer.
    """
    play = due()
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(start).cycle()
    play.show(start.cluster.removeprefix("sim/"), a_reading(NEW))
    entries = play.cycles(2)

    (left,) = only(e.ClusterLeft, entries)
    assert (start.cluster, "changed by others: its metadata.version is 4.1-IV1") == (left.cluster, left.why)
    assert [start.cluster] == [entry.cluster for entry in only(e.ClusterJoined, entries)]
