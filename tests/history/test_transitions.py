"""The table of a cluster's legal moves: each of them works, every other raises, and nothing has changed then."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import IllegalTransition
from controller.history import entries as e
from controller.history.recall import Recall, remember
from controller.history.records import ClusterRecord, ClusterState, History, RolloutKind, RolloutRecord, WaveRecord
from controller.history.transitions import TRANSITIONS, after, drawing
from tests.builders import DAY, NEW, NOON, OLD, release

CLUSTER = "sim/a-1"
ENTRIES: tuple[e.Entry, ...] = (
    e.ClusterSetAside(1, CLUSTER, "held in Git"),
    e.ClusterStarted(1, CLUSTER, release(OLD), release(NEW), "1", NOON + DAY),
    e.StartAccepted(1, CLUSTER),
    e.StartWithdrawn(1, CLUSTER),
    e.ClusterConverged(1, CLUSTER),
    e.ClusterReturned(1, CLUSTER),
    e.WaveSoaked(1, "prod", 1),
    e.ClusterFailed(1, "prod", CLUSTER, "past its deadline"),
    e.SlotFreed(1, CLUSTER),
    e.ClusterQuarantined(1, "prod", CLUSTER, 1),
    e.ClusterReleased(1, CLUSTER),
)
"""One entry of each kind that moves a cluster."""


def a_history(state: ClusterState) -> History:
    """One cluster in ``state``, in the first wave of one rollout."""
    record = ClusterRecord(state, wave=1, started_at=NOON, expires_at=NOON + DAY)
    rollout = RolloutRecord(
        id=1,
        group="prod",
        kind=RolloutKind.SOFTWARE,
        target=release(NEW),
        revision="a" * 40,
        planned_at=NOON,
        live=1,
        waves=(WaveRecord(1, "canary", tail=False, admitted_at=NOON),),
        clusters={CLUSTER: record},
    )
    return History(rollouts={1: rollout}, next_rollout=2)


def test_every_kind_of_entry_that_moves_a_cluster_is_tried_here() -> None:
    """
    The table knows no kind of entry that this file leaves out.
    """
    assert {kind for _, kind in TRANSITIONS} == {type(entry) for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
@pytest.mark.parametrize("state", ClusterState)
def test_an_entry_moves_a_cluster_as_the_table_says_or_raises(state: ClusterState, entry: e.Entry) -> None:
    """
    Legal moves arrive where the table says; an illegal one raises IllegalTransition and changes nothing.
    """
    before = a_history(state)
    recall = Recall(before)
    if (state, type(entry)) in TRANSITIONS:
        recall.take(entry, NOON)
        assert TRANSITIONS[state, type(entry)] == recall.rollouts[1].clusters[CLUSTER].state
    elif isinstance(entry, e.WaveSoaked):
        recall.take(entry, NOON)  # a soaked wave moves its converged clusters, and leaves the others
        assert state == recall.rollouts[1].clusters[CLUSTER].state
    else:
        with pytest.raises(IllegalTransition, match=CLUSTER):
            recall.take(entry, NOON)
        assert before == recall.history()


def test_a_downgrade_ends_where_a_quarantine_begins() -> None:
    """
    The states of a downgrade are in the table already: from failed, and to quarantined or back to failed.
    """
    downgrading = ClusterState.DOWNGRADING

    assert downgrading == after(ClusterState.FAILED, ENTRIES[1], CLUSTER)
    assert downgrading == after(downgrading, e.StartAccepted(1, CLUSTER), CLUSTER)
    assert ClusterState.QUARANTINED == after(downgrading, e.ClusterQuarantined(1, "prod", CLUSTER, 1), CLUSTER)


def test_no_state_is_a_dead_end_but_by_soaking() -> None:
    """
    From every state but *soaked* in a good wave there is a way on; every state can be reached.
    """
    assert set(ClusterState) == {state for state, _ in TRANSITIONS}
    assert set(ClusterState) == {*TRANSITIONS.values()}


def test_the_drawing_shows_every_move() -> None:
    """
    The documentation's diagram is made from the table, one line for each move between two states.
    """
    lines = drawing().splitlines()

    assert "stateDiagram-v2" == lines[0]
    moves = {(old, new, entry) for (old, entry), new in TRANSITIONS.items() if old is not new}
    assert len(moves) == len(lines) - 2
    assert "    failed --> quarantined: ClusterQuarantined" in lines


def test_the_documentation_shows_the_drawing() -> None:
    """
    docs/states.md has the diagram as the table gives it; the failure shows what to paste.
    """
    text = (Path(__file__).resolve().parents[2] / "docs" / "states.md").read_text(encoding="utf-8")

    assert drawing() == text.partition("```mermaid\n")[2].partition("\n```")[0]


def test_a_fold_leaves_the_history_before_it_untouched() -> None:
    """
    Histories are values: what a later entry changes is copied, not written into.
    """
    before = a_history(ClusterState.STARTED)
    copy = replace(before, rollouts={1: replace(before.rollouts[1], clusters=dict(before.rollouts[1].clusters))})

    remember(before, [e.Recorded(1, NOON, e.ClusterConverged(1, CLUSTER))])
    remember(before, [e.Recorded(1, NOON + timedelta(1), e.ClusterFailed(1, "prod", CLUSTER, "late"))])
    assert copy == before


def test_a_history_is_not_changed_by_what_is_taken_after_it() -> None:
    """
    The same while a plan is in the making: ``history`` hands out a value.
    """
    recall = Recall(a_history(ClusterState.PENDING))
    recall.take(ENTRIES[1], NOON)
    handed_out = recall.history()

    recall.take(e.ClusterFailed(1, "prod", CLUSTER, "late"), NOON)
    assert ClusterState.STARTED == handed_out.rollouts[1].clusters[CLUSTER].state
