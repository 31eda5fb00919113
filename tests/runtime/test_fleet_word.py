"""What holds the whole fleet is in the ledger, also while every group is at rest: when it begins and when it ends."""

from controller.history.entries import GroupJudged
from controller.model.requests import FLEET
from tests.builders import MINUTE, NEW
from tests.runtime.worlds import Stage, a_model


def a_stage_at_rest() -> Stage:
    """A fleet whose clusters all run the target, and a first cycle."""
    stage = Stage(clusters=0)
    stage.fleet.add(a_model("prod-1", NEW))
    stage.cycle()
    return stage


def words(stage: Stage) -> list[tuple[str, ...]]:
    """The reasons of each word that was recorded of the fleet."""
    judged = [entry for entry in stage.entries if isinstance(entry, GroupJudged) and entry.group == FLEET]
    return [tuple(reason for reason, _, _ in entry.holds) for entry in judged]


def test_a_branch_that_is_not_confirmed_for_too_long_is_recorded_once() -> None:
    """
    At ``staleAfter`` and not before, however long it lasts, over restarts too; and its end is recorded.
    """
    stage = a_stage_at_rest()
    stage.repository.unreachable = "the remote is gone"
    limit = stage.pace.stale_after // MINUTE
    stage.cycles(limit - 1)
    assert [] == words(stage)

    stage.cycles(5)
    assert [("RevisionStale",)] == words(stage)
    stage.restart()
    stage.cycles(5)
    assert [("RevisionStale",)] == words(stage)
    stage.repository.unreachable = None
    stage.cycles(5)

    assert [("RevisionStale",), ()] == words(stage)


def test_a_fleet_that_nothing_holds_has_no_word() -> None:
    """
    A quiet fleet records nothing.
    """
    stage = a_stage_at_rest()
    recorded = len(stage.entries)

    stage.cycles(20)

    assert recorded == len(stage.entries)
    assert [] == words(stage)


def test_the_word_of_the_fleet_names_reason_and_detail() -> None:
    """
    As ``status`` and ``history`` show it.
    """
    stage = a_stage_at_rest()
    stage.repository.unreachable = "the remote is gone"
    stage.cycles(stage.pace.stale_after // MINUTE)

    last = stage.entries[-1]

    assert isinstance(last, GroupJudged)
    assert last.sentence.startswith("fleet: held (RevisionStale): the head was last confirmed 10m ago")
    assert last.sentence.endswith("the remote is gone")
    assert (last.holds, (1, 0, 1)) == (last.begun, (last.done, last.in_flight, last.of))
