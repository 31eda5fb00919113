"""Finalization in whole cycles: once, after the whole group proved its release, in waves and with words of its own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.core.steps import not_whole
from controller.history import entries as e
from controller.history.entries import RolloutPlanned, TargetReached
from controller.history.records import Outcome, RolloutKind, StopKind
from controller.model.declaration import Finalize, Selector
from controller.model.observation import Reading, Unknown
from controller.model.verdict import HoldReason
from controller.versions import MetadataVersion
from tests.builders import HOUR, LEVEL_41, LEVEL_43, MINUTE, MOMENT, NEW, NOON, a_finding, a_reading, release
from tests.builders_core import (
    a_declaration,
    a_hold,
    a_strategy,
    a_wave,
    a_window,
    an_expedite,
    approval_of,
    catalog,
)
from tests.core.plays import Play, only, started
from tests.core.proving import arrived, due, finalizations, finalizing

DARK = Unknown("no broker answers")
LEVEL_42 = catalog().metadata_versions["4.2-IV1"]


def test_finalization_begins_exactly_when_its_soak_is_over() -> None:
    """
    Counted from the cycle in which this ledger first saw the whole group healthy on its release; half-open.
    """
    play = arrived()
    assert play.plan is not None
    assert [TargetReached("prod", release(NEW))] == only(TargetReached, play.plan.entries)

    play.now = NOON + HOUR - MOMENT
    play.cycle()
    assert [] == finalizations(play)
    assert HoldReason.SOAKING in play.reasons("prod/metadata")
    play.now = NOON + HOUR
    plan = play.cycle()
    (planned,) = finalizations(play)

    assert (RolloutKind.METADATA, LEVEL_43, 3) == (planned.kind, planned.target, len(planned.clusters))
    (start,) = plan.starts
    assert (RolloutKind.METADATA, LEVEL_41, LEVEL_43) == (start.kind, start.release_from, start.target)
    assert None is start.pinned


def test_a_finalization_goes_in_the_groups_waves_and_ends_converged() -> None:
    """
    A canary, its soak, the rest; nothing is told to be raised that was not seen raised.
    """
    play = due()
    entries = play.run(30)

    assert ["canary", "rest"] == [entry.name for entry in only(e.WaveAdmitted, entries)]
    (end,) = only(e.RolloutEnded, entries)
    assert (Outcome.CONVERGED, RolloutKind.METADATA, LEVEL_43) == (end.outcome, end.kind, end.target)
    assert [] == only(RolloutPlanned, play.run(3))


def test_a_software_start_pins_the_level_that_is_finalized() -> None:
    """
    In the same write, so that no operator raises it early.
    """
    (start,) = Play(finalizing()).live("p-1").cycle().starts

    assert (release(NEW), LEVEL_41) == (start.target, start.pinned)


def test_the_software_rollout_is_soaked_before_finalize_soak_begins() -> None:
    """
    Its last wave and its end come first.
    """
    play = Play(finalizing()).live("p-1")
    entries = play.run(5)
    assert [] == only(TargetReached, entries)
    entries = play.run(5)

    assert [e.RolloutEnded, TargetReached] == [
        type(x) for x in entries if isinstance(x, e.RolloutEnded | TargetReached)
    ]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (a_reading(), "p-1 is below it"),
        (a_reading("4.3.2"), "p-1 is above it"),
        (DARK, "p-1 is unknown"),
        (a_reading(NEW, findings=(a_finding(),)), "p-1 is unhealthy"),
    ],
    ids=["below", "above", "unknown", "unhealthy"],
)
def test_one_cluster_that_is_not_there_holds_the_whole_finalization(shown: Reading | Unknown, why: str) -> None:
    """
    It cannot be undone, so it needs the whole group; who is missing is named.
    """
    play = due()
    play.show("p-1", shown)
    play.cycle()

    assert [] == finalizations(play)
    assert any(why in sentence for sentence in not_whole(play.draft(), play.declaration.groups[0]))
    if why != "p-1 is below it":  # then the group has a rollout to tell of, and no word of its level yet
        assert why in play.hold(HoldReason.GROUP_NOT_ON_TARGET, "prod/metadata").detail


def test_a_group_that_was_never_whole_does_not_begin_to_soak() -> None:
    """
    ``finalize.soak`` begins once everybody was seen healthy, not before.
    """
    play = Play(finalizing()).live("p-1", "p-2", reading=a_reading(NEW))
    play.show("p-1", a_reading(NEW, findings=(a_finding(),)))
    play.cycle()
    assert play.plan is not None
    assert [] == only(TargetReached, play.plan.entries)
    play.show("p-1", a_reading(NEW, settled=False))
    assert [] == only(TargetReached, play.cycle().entries)
    assert "was not yet seen healthy" in play.hold(HoldReason.GROUP_NOT_ON_TARGET, "prod/metadata").detail
    play.show("p-1", a_reading(NEW))

    assert 1 == len(only(TargetReached, play.cycle().entries))


def test_a_name_that_is_not_live_holds_it_and_one_held_in_git_does_not() -> None:
    """
    Missing is not whole; who is held in Git, on whatever release, is left out and not finalized.
    """
    names = Selector(names=("p-1", "p-2", "p-9"))
    play = due(finalizing(selector=names), "p-1", "p-2")
    assert ["p-9 is missing"] == list(not_whole(play.draft(), play.declaration.groups[0]))

    held = due(finalizing(selector=names, holds=(a_hold("p-9"), a_hold("p-2"))), "p-1", "p-2")
    held.cycle()
    (planned,) = finalizations(held)
    assert ("sim/p-1",) == planned.clusters


def test_a_cluster_held_by_its_annotation_is_not_finalized_itself() -> None:
    """
    It runs its release, so that the others are; it waits.
    """
    play = due()
    play.show("p-1", a_reading(NEW, held="INC-4711"))
    play.cycle()
    (planned,) = finalizations(play)

    assert {"sim/p-2", "sim/p-3"} == set(planned.clusters)


def test_a_quarantined_cluster_holds_finalization_until_its_number_is_acknowledged() -> None:
    """
    However well it looks by now.
    """
    play = due()
    play.record(e.Stopped("prod", 1, StopKind.QUARANTINE, "it failed", "wavefleet", cluster="sim/p-1"))
    assert ["p-1 is stopped (prod-1)"] == list(not_whole(play.draft(), play.declaration.groups[0]))
    play.cycle()
    assert [] == finalizations(play)
    play.declare(finalizing(acknowledge=frozenset({1}))).cycle()

    assert 1 == len(finalizations(play))


def test_a_source_that_was_never_read_holds_it() -> None:
    """
    Who else belongs to the group, nobody knows.
    """
    play = due()
    play.unreachable["eu"] = "connection refused"
    sentences = list(not_whole(play.draft(), play.declaration.groups[0]))

    assert ["source eu was not read since this process started"] == sentences


def test_an_empty_group_has_nothing_to_finalize() -> None:
    """
    And says why.
    """
    play = Play(finalizing())

    assert ["it has no live cluster"] == list(not_whole(play.draft(), play.declaration.groups[0]))


def beside_a_held_one() -> Play:
    """Two clusters on their release, and one below it that is held in Git."""
    play = Play(finalizing(holds=(a_hold("p-1"),))).live("p-1").live("p-2", "p-3", reading=a_reading(NEW))
    play.cycle()
    return play


def test_a_rollout_of_held_clusters_alone_does_not_hold_it() -> None:
    """
    The rest of the group is on its release, soaked.
    """
    play = beside_a_held_one()
    play.now = NOON + HOUR
    play.cycle()
    (planned,) = finalizations(play)

    assert {"sim/p-2", "sim/p-3"} == set(planned.clusters)
    assert [] == list(not_whole(play.draft(), play.declaration.groups[0]))


def test_a_cluster_that_comes_after_its_hold_makes_the_group_soak_anew() -> None:
    """
    Safety: what the rest has soaked proves nothing of a cluster that was not there.
    """
    play = beside_a_held_one()
    play.now = NOON + 45 * MINUTE
    play.declare(finalizing())
    entries = play.run(9)
    (end,) = only(e.RolloutEnded, entries)
    assert Outcome.CONVERGED == end.outcome
    play.now = NOON + HOUR
    play.cycle()
    assert [] == finalizations(play)
    play.now = NOON + 2 * HOUR
    play.cycle()

    assert 1 == len(finalizations(play))


@pytest.mark.parametrize(
    ("declared", "level"),
    [(Finalize.AUTO, LEVEL_43), (Finalize.HOLD, None), (LEVEL_42, LEVEL_42), (LEVEL_41, None)],
    ids=["auto", "hold", "a level", "what is finalized"],
)
def test_what_is_declared_is_finalized_and_never_lowered(
    declared: Finalize | MetadataVersion, level: MetadataVersion | None
) -> None:
    """
    ``auto`` is the level of the release, ``hold`` leaves it, and a level is that one.
    """
    play = due(finalizing(metadata_version=declared))
    play.cycle()

    assert ([] if level is None else [level]) == [planned.target for planned in finalizations(play)]


def test_clusters_with_the_level_are_in_no_wave_and_latecomers_go_to_the_tail() -> None:
    """
    As in every rollout.
    """
    play = due()
    play.finalize("p-1").cycle()
    (planned,) = finalizations(play)
    assert "sim/p-1" not in planned.clusters

    play.live("p-4", reading=a_reading(NEW))
    assert [e.ClusterJoined(1, "sim/p-4")] == only(e.ClusterJoined, play.cycle().entries)


def test_a_cluster_on_zookeeper_has_no_level_and_one_that_hides_it_is_unknown() -> None:
    """
    The first has nothing to finalize; the second is not finalized on a guess.
    """
    play = due()
    play.show("p-1", a_reading(NEW, metadata_version=None, zookeeper=True))
    play.show("p-2", a_reading(NEW, metadata_version=None)).cycle()
    (planned,) = finalizations(play)

    assert ("sim/p-3",) == planned.clusters


def test_a_finalization_has_approvals_of_its_own() -> None:
    """
    An approval of the wave for the release does not serve for its level.
    """
    waves = (a_wave("all", "rest", approval=True),)
    group = finalizing(strategy=a_strategy(waves=waves), approvals=(approval_of("all", release(NEW)),))
    play = due(group)
    assert not started(play.cycle())
    assert "metadataVersion: 4.3-IV0" in play.hold(HoldReason.APPROVAL_MISSING, "prod/metadata").detail
    level = replace(approval_of("all", release(NEW)), target=LEVEL_43)
    play.declare(replace(group, approvals=(level,)))

    assert started(play.cycle())


def test_nothing_expedites_a_finalization() -> None:
    """
    Neither its soak nor its windows: it cannot be undone.
    """
    group = finalizing(windows=(a_window("14:00", "16:00"),))
    play = Play(declaration=a_declaration(group, expedite=(an_expedite(soak=timedelta(0), ignore_windows=True),)))
    play.live("p-1", "p-2", reading=a_reading(NEW)).cycle()
    play.now = NOON + HOUR
    play.cycle()
    assert HoldReason.OUTSIDE_WINDOW in play.reasons("prod/metadata")
    play.now = NOON + 2 * HOUR
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(start)
    play.cycle()
    assert not started(play.cycle())

    assert HoldReason.SOAKING in play.reasons("prod/metadata")


def test_trouble_in_the_middle_of_a_finalization_holds_the_rest_of_it() -> None:
    """
    The whole group is asked for again before every start.
    """
    play = due(finalizing(strategy=a_strategy(waves=(a_wave("all", "rest", most=1),))))
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    play.arrive(start)
    others = [name for name in ("p-1", "p-2", "p-3") if f"sim/{name}" != start.cluster]
    play.show(others[0], a_reading(NEW, findings=(a_finding(),)))

    assert not started(play.cycle())
    assert HoldReason.GROUP_NOT_ON_TARGET in play.reasons("prod/metadata")
