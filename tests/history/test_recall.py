"""The fold from entries to History: one by one or all at once, never into what was handed out, and bounded."""

from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.history import entries as e
from controller.history.recall import ENDED_KEPT, Recall, remember
from controller.history.records import ClusterState, History, Outcome, RolloutKind, StopKind, Way
from tests.builders import DAY, HOUR, LEVEL_41, LEVEL_43, MINUTE, NEW, NOON, OLD, release
from tests.builders_core import SOFTWARE, TARGET
from tests.core.plays import Play

A, B = "sim/a-1", "sim/a-2"
REVISION = "b" * 40


def planned(number: int = 1, group: str = "prod", clusters: tuple[str, ...] = (A, B)) -> e.RolloutPlanned:
    """A rollout of two clusters."""
    return e.RolloutPlanned(number, group, SOFTWARE, TARGET, REVISION, len(clusters), clusters)


def ended(number: int = 1, outcome: Outcome = Outcome.CONVERGED, group: str = "prod", to: str = NEW) -> e.RolloutEnded:
    """The end of a rollout."""
    return e.RolloutEnded(number, group, SOFTWARE, release(to), REVISION, outcome)


def start(cluster: str = A, number: int = 1) -> e.ClusterStarted:
    """The start of a cluster."""
    return e.ClusterStarted(number, cluster, release(OLD), TARGET, "7", NOON + 2 * MINUTE)


def admitted(*clusters: str, number: int = 1) -> e.WaveAdmitted:
    """A wave with these clusters."""
    return e.WaveAdmitted(1, "prod", number, "canary", tail=False, clusters=clusters)


def fold(*entries: e.Entry, history: History | None = None) -> History:
    """Fold entries, a minute apart, from noon on."""
    recorded = [e.Recorded(place, NOON + place * MINUTE, entry) for place, entry in enumerate(entries)]
    return remember(history or History(), recorded)


STORY: tuple[e.Entry, ...] = (
    e.RevisionSeen(REVISION, REVISION),
    e.TargetDeclared("prod", TARGET, "auto", REVISION),
    planned(),
    admitted(A),
    start(),
    e.StartAccepted(1, A),
    e.ClusterConverged(1, A),
    e.SoakCredited(1, 1, HOUR),
    e.WaveSoaked(1, "prod", 1),
    e.ClusterSetAside(1, B, "held"),
    e.ClusterJoined(1, "sim/a-3"),
    admitted(B, "sim/a-3", number=2),
    start(B),
    e.StartWithdrawn(1, B, "409"),
    start(B),
    e.ClusterFailed(1, "prod", B, "too late"),
    e.Stopped("prod", 1, StopKind.QUARANTINE, "too late", "wavefleet", cluster=B, rollout=1),
    e.ClusterQuarantined(1, "prod", B, 1),
    e.SlotFreed(1, B),
    e.StopAcknowledged("prod", 1, "Git"),
    e.ClusterReleased(1, B),
    e.WaveFilled(1, 2, (B,)),
    e.ClusterLeft(1, "sim/a-3", "gone"),
    e.GroupJudged("prod", NEW, "prod goes on", 1, 0, 2, (("Soaking", "soaks", ""),)),
    e.RequestTaken(1, "nothing changed"),
    e.OrderPassed("prod", TARGET),
    start(B),
    e.ClusterFailed(1, "prod", B, "too late"),
    start(B),
    e.ClusterReturned(1, B),
    ended(),
    e.TargetReached("prod", release(NEW)),
    e.ClusterReplaced(A, "another"),
)
"""Every kind of entry at least once, in an order that can be."""


def test_the_story_has_every_kind_of_entry() -> None:
    """
    What is folded here is all that the ledger may hold.
    """
    kinds = {each.__name__ for each in e.Entry.__args__}

    assert kinds == {type(entry).__name__ for entry in STORY}


@given(st.lists(st.integers(0, len(STORY)), max_size=6))
def test_folding_at_once_or_in_parts_gives_the_same(cuts: list[int]) -> None:
    """
    Safety: a restart in the middle of the ledger changes nothing, wherever it falls.
    """
    recorded = [e.Recorded(place, NOON + place * MINUTE, entry) for place, entry in enumerate(STORY)]
    bounds = [0, *sorted(cuts), len(recorded)]
    history = History()
    for begin, end in pairwise(bounds):
        history = remember(history, recorded[begin:end])

    assert remember(History(), recorded) == history


def test_no_entry_changes_a_history_that_was_handed_out() -> None:
    """
    Safety: each prefix's history is still the same after all that follows was folded from it.
    """
    recall = Recall(History())
    handed_out: list[tuple[int, History]] = []
    for place, entry in enumerate(STORY):
        recall.take(entry, NOON + place * MINUTE)
        handed_out.append((place + 1, recall.history()))

    for count, history in handed_out:
        assert fold(*STORY[:count]) == history, STORY[count - 1]


def test_a_history_handed_out_shares_no_mapping_with_the_one_it_came_from() -> None:
    """
    Both may be kept: neither can be changed through the other.
    """
    before = fold(*STORY)
    after = Recall(before).history()

    assert before == after
    for field in fields(History):
        value = getattr(before, field.name)
        assert not isinstance(value, dict) or value is not getattr(after, field.name)


def test_an_illegal_entry_leaves_everything_as_it_was() -> None:
    """
    What the fold refuses, it refuses whole.
    """
    before = fold(planned())
    recall = Recall(before)

    with pytest.raises(Exception, match="ClusterConverged while pending"):
        recall.take(e.ClusterConverged(1, A), NOON)

    assert before == recall.history()


def test_the_end_of_a_start_is_remembered_with_its_reason() -> None:
    """
    A refusal stands until the next start; the slot is free meanwhile.
    """
    history = fold(planned(), admitted(A), start(), e.StartWithdrawn(1, A, "409"))
    record = history.rollouts[1].clusters[A]

    assert (ClusterState.PENDING, "409", False, 1) == (record.state, record.refusal, record.holds_slot, record.wave)
    assert "" == fold(start(), history=history).rollouts[1].clusters[A].refusal


def test_a_filled_wave_soaks_from_the_beginning() -> None:
    """
    What was credited to those who are gone is not theirs.
    """
    history = fold(
        planned(), admitted(A), e.SoakCredited(1, 1, HOUR), e.ClusterLeft(1, A, "gone"), e.WaveFilled(1, 1, (B,))
    )

    assert 0 == history.rollouts[1].waves[0].soaked.total_seconds()
    assert 1 == history.rollouts[1].clusters[B].wave


def test_numbers_are_counted_with_what_is_acknowledged() -> None:
    """
    A number that only Git knows counts as used, and a stop of that number is none.
    """
    history = fold(e.StopAcknowledged("prod", 7, "Git"), e.Stopped("dev", 2, StopKind.HALT, "odd", "ana"))

    assert {"prod": 7, "dev": 2} == history.highest_number
    assert [("dev", 2)] == list(history.stops)


def test_acknowledging_a_halt_forgives_the_failures_of_that_group_alone() -> None:
    """
    Failed clusters give their slots back, and count towards the budget no more.
    """
    failing: list[e.Entry] = [planned(), admitted(A), start(), e.ClusterFailed(1, "prod", A, "late")]
    elsewhere: list[e.Entry] = [
        planned(2, "dev", ("sim/d-1",)),
        e.ClusterStarted(2, "sim/d-1", release(OLD), TARGET, "1", NOON),
        e.ClusterFailed(2, "dev", "sim/d-1", "late"),
    ]
    halt = e.Stopped("prod", 1, StopKind.HALT, "1 failed", "failure budget", suspect=TARGET, rollout=1)

    before = fold(*failing, *elsewhere, halt)
    after = fold(e.StopAcknowledged("prod", 1, "Git"), history=before)

    assert {A} == before.rollouts[1].failed
    assert (frozenset(), ()) == (after.rollouts[1].failed, after.rollouts[1].in_flight)
    assert {"sim/d-1"} == after.rollouts[2].failed == set(after.rollouts[2].in_flight)
    assert NOON == after.stops["prod", 1].acknowledged_at


def test_forgiving_leaves_what_was_started_again_in_flight() -> None:
    """
    A cluster that failed once, was released and is on its way again keeps its slot.
    """
    again: list[e.Entry] = [
        planned(),
        admitted(A),
        start(),
        e.ClusterFailed(1, "prod", A, "late"),
        e.Stopped("prod", 1, StopKind.QUARANTINE, "late", "wavefleet", cluster=A, rollout=1),
        e.ClusterQuarantined(1, "prod", A, 1),
        e.ClusterReleased(1, A),
        admitted(A, number=2),
        start(),
        e.Stopped("prod", 2, StopKind.HALT, "odd", "ana"),
        e.StopAcknowledged("prod", 2, "ana"),
    ]

    rollout = fold(*again).rollouts[1]

    assert ((A,), frozenset()) == (rollout.in_flight, rollout.failed)


def test_the_highest_release_passed_is_remembered() -> None:
    """
    By an ended rollout or by being seen through; a lower one later takes nothing back, a failed one gives nothing.
    """
    history = fold(
        planned(1),
        ended(1, to="4.2.1"),
        planned(2),
        ended(2, Outcome.FAILED, to="4.3.1"),
        e.OrderPassed("prod", release("4.3.0")),
        e.OrderPassed("prod", release("4.1.2")),
        e.OrderPassed("dev", release("4.1.2")),
    )

    assert {("prod", SOFTWARE): release("4.3.0"), ("dev", SOFTWARE): release("4.1.2")} == history.passed


def test_only_the_last_ended_rollouts_are_remembered() -> None:
    """
    Bounded for each group; one with a cluster in flight stays until that has come to rest.
    """
    in_flight: list[e.Entry] = [planned(1), admitted(A), start(), ended(1, Outcome.SUPERSEDED)]
    later: list[e.Entry] = [each for number in range(2, 8) for each in (planned(number), ended(number))]

    history = fold(*in_flight, *later, planned(8), planned(9, "dev"))

    kept = sorted(history.rollouts)
    assert [1, *range(8 - ENDED_KEPT, 10)] == kept
    assert 10 == history.next_rollout


def test_entries_of_a_forgotten_rollout_are_passed_over() -> None:
    """
    An old ledger's late word on what nobody remembers is no error.
    """
    late: list[e.Entry] = [
        ended(99),
        e.ClusterLeft(99, A, "gone"),
        e.SoakCredited(99, 1, HOUR),
        e.StartAccepted(99, A),
        e.StartWithdrawn(99, A),
    ]

    for entry in late:
        assert fold(planned()).rollouts == fold(planned(), entry).rollouts


def test_a_cluster_that_left_meanwhile_is_no_error_for_the_outcome_of_its_write() -> None:
    """
    The write's outcome is recorded after the plan that let the cluster go.
    """
    history = fold(planned(), e.ClusterLeft(1, A, "gone"))

    assert history == fold(e.StartAccepted(1, A), e.StartWithdrawn(1, A), e.ClusterLeft(1, A, "twice"), history=history)


def test_what_a_plan_decided_is_what_its_entries_fold_to() -> None:
    """
    The history in the making, which a cycle judges by, is the one that the next cycle remembers.
    """
    play = Play().live("p-1", "p-2")
    play.cycle()
    play.reach("p-2")
    play.cycle()

    assert ClusterState.CONVERGED == play.record_of("p-2").state
    assert NOON + MINUTE == play.record_of("p-2").converged_at
    assert DAY > play.now - NOON


def test_who_is_back_begins_anew_and_keeps_where_it_came_from() -> None:
    """
    It goes to the tail, in no wave and without a slot; that its way back was tried is forgotten with it.
    """
    history = fold(
        planned(), admitted(A), start(), e.StartAccepted(1, A), e.ClusterFailed(1, "prod", A, "late"), start()
    )
    sent = history.rollouts[1].clusters[A]
    assert (ClusterState.DOWNGRADING, True, True) == (sent.state, sent.holds_slot, sent.sent_back)
    back = fold(e.ClusterReturned(1, A), history=history).rollouts[1].clusters[A]

    assert (ClusterState.PENDING, True, None, False, False, "") == (
        back.state, back.tail, back.wave, back.holds_slot, back.sent_back, back.cause
    )  # fmt: skip
    assert release(OLD) == back.release_from


def test_a_way_back_that_was_not_taken_is_not_a_try() -> None:
    """
    It keeps the slot of what failed, and is asked for again.
    """
    failed = fold(planned(), admitted(A), start(), e.ClusterFailed(1, "prod", A, "late"), start())
    record = fold(e.StartWithdrawn(1, A, "409"), history=failed).rollouts[1].clusters[A]

    assert (ClusterState.FAILED, True, False, "409") == (
        record.state, record.holds_slot, record.sent_back, record.refusal
    )  # fmt: skip


def test_what_the_live_fleet_took_is_remembered_beyond_its_rollout() -> None:
    """
    The release that a cluster was asked for last, there and back, and for which group; a level is none.
    """
    up = fold(planned(), admitted(A), start(), e.StartAccepted(1, A))
    assert {A: (TARGET, "prod")} == up.taken
    down = e.ClusterStarted(1, A, TARGET, release(OLD), "8", NOON + HOUR)
    back = fold(e.ClusterFailed(1, "prod", A, "late"), down, e.StartAccepted(1, A), history=up)
    assert {A: (release(OLD), "prod")} == back.taken
    level = fold(
        replace(planned(2), kind=RolloutKind.METADATA, target=LEVEL_43, way=Way.FINALIZE),
        e.WaveAdmitted(2, "prod", 1, "all", tail=False, clusters=(A,)),
        e.ClusterStarted(2, A, LEVEL_41, LEVEL_43, "9", NOON + HOUR),
        e.StartAccepted(2, A),
        history=back,
    )

    assert {A: (release(OLD), "prod")} == level.taken


def test_since_when_a_group_is_whole_is_forgotten_with_another_target_and_another_way_to_it() -> None:
    """
    A finalization does not forget it, nor the same target declared again.
    """
    whole = fold(e.TargetDeclared("prod", TARGET, "auto", REVISION), e.TargetReached("prod", release(NEW)))
    assert {"prod": (TARGET, NOON + MINUTE)} == whole.reached
    same = e.TargetDeclared("prod", TARGET, "hold", REVISION)
    finalization = replace(planned(2), kind=RolloutKind.METADATA, target=LEVEL_43, way=Way.FINALIZE)
    others = (e.TargetDeclared("prod", release("4.3.2"), "auto", REVISION), planned())

    assert whole.reached == fold(same, finalization, history=whole).reached
    assert [{}, {}] == [fold(entry, history=whole).reached for entry in others]


def test_an_old_entry_without_a_groups_target_is_read_as_one_to_it() -> None:
    """
    Ledgers from before there were targets between stay readable; a level has none to fall back on.
    """
    assert TARGET == fold(planned()).rollouts[1].group_target
    assert None is fold(replace(planned(), kind=RolloutKind.METADATA, target=LEVEL_43)).rollouts[1].group_target
    assert release(NEW) == fold(replace(planned(), target=release(OLD), group_target=TARGET)).rollouts[1].group_target


def test_software_and_levels_are_passed_apart_and_never_lowered() -> None:
    """
    The highest of each kind stays.
    """
    history = fold(e.OrderPassed("prod", TARGET), e.OrderPassed("prod", LEVEL_43), e.OrderPassed("prod", release(OLD)))

    assert {("prod", SOFTWARE): TARGET, ("prod", RolloutKind.METADATA): LEVEL_43} == history.passed


def test_a_groups_software_and_its_finalization_have_a_last_word_each() -> None:
    """
    One does not hide the other.
    """
    word = e.GroupJudged("prod", NEW, "prod goes on", 1, 0, 2)
    history = fold(word, replace(word, sentence="1 of 2 finalized", kind=RolloutKind.METADATA))

    assert {"prod": "prod goes on", "prod/metadata": "1 of 2 finalized"} == {
        name: state.sentence for name, state in history.groups.items()
    }
