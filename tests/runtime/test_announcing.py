"""The words: commit statuses, threads and replies; every channel shows these and makes none of its own."""

from dataclasses import replace

import pytest

from controller.errors import Problem
from controller.history import entries as e
from controller.history.records import Outcome, StopKind
from controller.model.durations import counted
from controller.model.names import NAMES_SHOWN
from controller.model.outbox import CommitStatus, StatusState
from controller.model.requests import Command
from controller.model.verdict import HoldReason
from controller.runtime.announcing import (
    NEEDS_PERSON,
    STATUS_LENGTH_MAX,
    closing_statuses,
    config_status,
    cut,
    reply_of,
    statuses_of,
    thread_id,
    threads_of,
)
from tests.builders import MINUTE, NEW, NOON, OLD, a_reading, release
from tests.builders_core import REVISION, SOFTWARE, TARGET, a_group, a_request, a_standing, a_strategy, a_wave
from tests.core.plays import Play

PROBLEM = Problem("groups/prod.yaml", 7, "spec.kafkaVersion", "'3.9'", "a release such as 3.9.1")
HEAD = "b" * 40


def all_statuses(play: Play) -> tuple[CommitStatus, ...]:
    """What the last plan says on commits."""
    assert play.plan is not None
    return statuses_of(play.standing, play.plan.groups, play.plan.holds, observe_only=play.observe_only)


def statuses(play: Play) -> dict[tuple[str, str], CommitStatus]:
    """A plan's statuses by the first letter of their revision and what follows ``wavefleet/``."""
    return {(status.revision[0], status.context.removeprefix("wavefleet/")): status for status in all_statuses(play)}


def test_a_group_in_motion_is_told_on_its_own_commit_and_on_the_head() -> None:
    """
    On the commit that declared its target, and, until it is a success, on the newest one too.
    """
    play = Play(a_group("prod"), a_group("rest")).live("p-1", "p-2").live("r-1", group="rest", reading=a_reading(NEW))
    play.cycle()
    play.standing = a_standing(head=HEAD, in_force=HEAD)
    play.cycle()

    told = statuses(play)
    assert {("b", "config"), ("b", "fleet"), ("a", "prod"), ("b", "prod"), ("a", "rest")} == set(told)
    assert told["a", "prod"].description == told["b", "prod"].description == play.view().sentence
    assert [StatusState.PENDING, StatusState.SUCCESS] == [told["a", "prod"].state, told["a", "rest"].state]


def test_no_status_is_told_twice() -> None:
    """
    Where the head itself declared the target, one commit has one status for each context.
    """
    play = Play(a_group("prod"), a_group("rest")).live("p-1", "p-2").live("r-1", group="rest", reading=a_reading(NEW))
    play.cycle()
    places = [(status.revision, status.context) for status in all_statuses(play)]

    assert len(places) == len(set(places))


def test_no_description_is_longer_than_forges_take() -> None:
    """
    It is cut with an ellipsis, not refused by the forge.
    """
    play = Play(a_group("g" * 60, halted=False)).live(*(f"{'c' * 60}-{number}" for number in range(30)), group="g" * 60)
    play.cycle(a_request(Command.HALT, scope="g" * 60, reason="w" * 300))
    assert play.plan is not None

    assert all(len(status.description) <= STATUS_LENGTH_MAX for status in all_statuses(play))
    assert any(status.description.endswith("…") for status in all_statuses(play))


@pytest.mark.parametrize(
    ("text", "told"), [("a" * 140, "a" * 140), ("a" * 141, "a" * 139 + "…"), ("", ""), ("ab", "ab")]
)
def test_a_text_is_cut_only_where_it_is_too_long(text: str, told: str) -> None:
    """
    Exactly at the limit it is left alone.
    """
    assert told == cut(text)


def test_a_refused_head_names_its_first_problem_however_long() -> None:
    """
    File, line, field, and how many more; the count survives the cut.
    """
    long = replace(PROBLEM, found="x" * 300)

    one = config_status(a_standing(problems=(PROBLEM,)), 2)
    many = config_status(a_standing(problems=(long, PROBLEM, PROBLEM)), 2)

    assert (StatusState.ERROR, str(PROBLEM)) == (one.state, one.description)
    assert many.description.startswith("groups/prod.yaml:7: spec.kafkaVersion: found xxx")
    assert many.description.endswith("… (+2 more)")
    assert STATUS_LENGTH_MAX == len(many.description)


@pytest.mark.parametrize(("groups", "told"), [(0, "0 cluster groups"), (1, "1 cluster group"), (2, "2 cluster groups")])
def test_a_valid_head_counts_its_groups(groups: int, told: str) -> None:
    """
    So that an author sees that all files were read.
    """
    assert f"valid, {told}" == config_status(a_standing(), groups).description


def test_a_rewritten_head_is_an_error_on_that_very_commit() -> None:
    """
    It names what was in force.
    """
    status = config_status(a_standing(head=HEAD, rewritten_from=REVISION), 1)

    assert (HEAD, StatusState.ERROR) == (status.revision, status.state)
    assert f"it does not descend from {REVISION[:10]}, which was in force" in status.description


def test_the_fleets_status_sums_up() -> None:
    """
    Failure where any group fails, pending where any moves, success where all are on target; halts of the fleet named.
    """
    play = Play(a_group("a"), a_group("b"), a_group("c", halted=True))
    for name in ("a", "b", "c"):
        play.live(f"{name}-1", f"{name}-2", group=name)
    play.cycle()
    assert ("0 of 6 clusters on target, 1 in flight; halted or failed: c; in motion: a, b", StatusState.FAILURE) == (
        statuses(play)["a", "fleet"].description,
        statuses(play)["a", "fleet"].state,
    )

    play.declare(a_group("a"), a_group("b"), a_group("c")).cycle(a_request(Command.HALT, scope="fleet"))
    assert StatusState.PENDING == statuses(play)["a", "fleet"].state
    assert statuses(play)["a", "fleet"].description.endswith("in motion: a, b, c; FleetHalted")

    rest = Play(a_group()).live("p-1", reading=a_reading(NEW))
    rest.cycle()
    assert ("1 of 1 cluster on target, 0 in flight", StatusState.SUCCESS) == (
        statuses(rest)["a", "fleet"].description,
        statuses(rest)["a", "fleet"].state,
    )


def test_observe_mode_is_said_in_every_status() -> None:
    """
    Nobody shall take a judgement for a deed.
    """
    play = Play(a_group()).live("p-1")
    play.observe_only = True
    play.cycle()

    told = statuses(play)
    assert all(told["a", name].description.startswith("observe mode: ") for name in ("prod", "fleet"))
    assert play.plan is not None
    assert [True] == [thread.observe_only for thread in threads_of(play.plan.groups, observe_only=True)]


def test_each_rollout_has_a_thread_and_a_group_without_one_has_none() -> None:
    """
    Its id is stable; the head says what the group's sentence says.
    """
    play = Play(a_group("prod"), a_group("rest")).live("p-1").live("r-1", group="rest", reading=a_reading(NEW))
    plan = play.cycle()

    (head,) = threads_of(plan.groups, observe_only=False)
    assert ("rollout-1", "prod → 4.3.1", play.view().sentence) == (head.thread, head.title, head.sentence)
    assert (0, 1, StatusState.PENDING, REVISION) == (head.done, head.of, head.state, head.revision)
    assert "rollout-7" == thread_id(7)


def names(count: int) -> tuple[str, ...]:
    """Full names of clusters."""
    return tuple(f"sim/p-{number}" for number in range(1, count + 1))


HELD = (HoldReason.APPROVAL_MISSING.value, "wave broad waits for approval", "")
LONELY = (HoldReason.CLUSTER_HELD.value, "INC-4711", "sim/p-1")
OWNED = (HoldReason.OWNED_ELSEWHERE.value, "its mark says umbrella", "sim/p-1")


def judged(*begun: tuple[str, str, str]) -> e.GroupJudged:
    """A judgement with holds that have begun."""
    return e.GroupJudged("prod", NEW, "prod waits", 0, 0, 1, holds=begun, begun=begun, rollout=1)


def the_end(outcome: Outcome, detail: str) -> e.RolloutEnded:
    """The end of a rollout."""
    return e.RolloutEnded(1, "prod", SOFTWARE, TARGET, REVISION, outcome, detail)


@pytest.mark.parametrize(
    ("entry", "text", "needs_person"),
    [
        (
            e.WaveAdmitted(1, "prod", 2, "early", tail=False, clusters=names(2)),
            "wave 2 early admitted, 2 clusters: p-1, p-2",
            False,
        ),
        (
            e.WaveAdmitted(1, "prod", 1, "canary", tail=False, clusters=names(1)),
            "wave 1 canary admitted, 1 cluster: p-1",
            False,
        ),
        (
            e.WaveAdmitted(1, "prod", 3, "rest", tail=False, clusters=names(7)),
            "wave 3 rest admitted, 7 clusters: p-1, p-2, p-3, p-4, p-5 (+2 more)",
            False,
        ),
        (e.WaveSoaked(1, "prod", 2), "wave 2 has soaked", False),
        (e.ClusterFailed(1, "prod", "sim/p-1", "too late"), "p-1 failed: too late", False),
        (
            e.Stopped("prod", 3, StopKind.HALT, "2 failed", "failure budget", suspect=TARGET, rollout=1),
            (
                "prod halted as prod-3 by failure budget: 2 failed\n4.3.1 is suspect: other groups with it wait too\n"
                "To go on, merge acknowledge: [prod-3] in group prod"
            ),
            True,
        ),
        (
            e.Stopped("prod", 4, StopKind.QUARANTINE, "too late", "wavefleet", cluster="sim/p-1", rollout=1),
            "p-1 quarantined as prod-4: too late\nTo go on, merge acknowledge: [prod-4] in group prod",
            True,
        ),
        (
            e.Stopped("prod", 5, StopKind.CHANGED_BY_OTHERS, "somebody changed it", "observed", "sim/p-1", rollout=1),
            "p-1 held as prod-5: somebody changed it\nTo go on, merge acknowledge: [prod-5] in group prod",
            True,
        ),
        (e.StopAcknowledged("prod", 5, "Git", 1), "prod-5 acknowledged by Git", False),
        (
            the_end(Outcome.CONVERGED, "clusters: 3"),
            "done: prod runs 4.3.1, the last wave has soaked (clusters: 3)",
            False,
        ),
        (
            the_end(Outcome.FAILED, "1 quarantined: p-1"),
            "ended without all clusters: 1 quarantined: p-1",
            True,
        ),
        (the_end(Outcome.SUPERSEDED, "prod now declares 4.3.2"), "superseded: prod now declares 4.3.2", False),
        (
            the_end(Outcome.WITHDRAWN, "prod is not declared any more"),
            "withdrawn: prod is not declared any more; what is in flight is followed to its end",
            False,
        ),
        (judged(HELD, LONELY), "held (ApprovalMissing): wave broad waits for approval", True),
        (judged(OWNED), "held (OwnedElsewhere) p-1: its mark says umbrella", True),
    ],
)
def test_a_thread_is_told_what_is_news(entry: e.Entry, text: str, *, needs_person: bool) -> None:
    """
    In short names, and marked where somebody must act.
    """
    reply = reply_of(entry)

    assert reply is not None
    assert ("rollout-1", text, needs_person) == (reply.thread, reply.text, reply.needs_person)


@pytest.mark.parametrize(
    "entry",
    [
        e.RevisionSeen(REVISION, REVISION),
        e.SoakCredited(1, 1, MINUTE),
        e.ClusterStarted(1, "sim/p-1", release(OLD), TARGET, "1", NOON),
        e.StartAccepted(1, "sim/p-1"),
        e.ClusterConverged(1, "sim/p-1"),
        judged(LONELY),
        e.Stopped("prod", 3, StopKind.HALT, "odd", "ana"),
        e.StopAcknowledged("fleet", 1, "ana"),
    ],
)
def test_a_thread_is_told_nothing_else(entry: e.Entry) -> None:
    """
    What follows from the head's own edits is no reply, nor what belongs to no rollout.
    """
    assert None is reply_of(entry)


def test_many_holds_for_a_person_are_cut() -> None:
    """
    A message stays readable, and leaves none out in silence.
    """
    many = [(HoldReason.SEEN_TWICE.value, "twice", name) for name in names(NAMES_SHOWN + 3)]
    reply = reply_of(judged(*many))

    assert reply is not None
    assert NAMES_SHOWN + 1 == len(reply.text.splitlines())
    assert reply.text.endswith("(+3 more)")


def test_who_must_act_is_known_for_reasons_that_only_a_person_lifts() -> None:
    """
    Time lifts none of these, nor does the rollout itself.
    """
    passing = {HoldReason.SOAKING, HoldReason.OUTSIDE_WINDOW, HoldReason.FROZEN, HoldReason.LIMIT_REACHED}

    assert HoldReason.APPROVAL_MISSING in NEEDS_PERSON
    assert not passing & NEEDS_PERSON


@pytest.mark.parametrize(("outcome", "closes"), [(each, each in ("superseded", "withdrawn")) for each in Outcome])
def test_a_superseded_commit_is_closed_with_an_error(outcome: Outcome, *, closes: bool) -> None:
    """
    Its status would stay pending for ever; one that converged or failed is closed by its group's own status.
    """
    told = list(closing_statuses(the_end(outcome, "why")))

    expected = CommitStatus(REVISION, "wavefleet/prod", StatusState.ERROR, f"prod → 4.3.1: {outcome}: why")
    assert ([expected] if closes else []) == told
    assert [] == list(closing_statuses(e.WaveSoaked(1, "prod", 1)))


@pytest.mark.parametrize(("count", "told"), [(0, "0 clusters"), (1, "1 cluster"), (2, "2 clusters")])
def test_clusters_are_counted_in_words(count: int, told: str) -> None:
    """
    One is one.
    """
    assert told == counted(count)


def test_the_last_rollout_to_the_present_target_is_the_one_that_is_told() -> None:
    """
    Not an older one to the same, nor a later one to another.
    """
    play = Play(a_group(strategy=a_strategy(waves=(a_wave("all", "rest", MINUTE),)))).live("p-1")
    play.cycle()
    play.reach("p-1").cycles(3)
    play.live("p-2").cycle()
    play.reach("p-2").cycles(3)

    assert 2 == play.view().rollout


def test_who_is_back_is_told_in_its_rollouts_thread() -> None:
    """
    By its short name, and as no call for a person: the halt is one already.
    """
    reply = reply_of(e.ClusterReturned(1, "sim/p-1"))

    assert reply is not None
    assert ("rollout-1", "p-1 is back where it came from", False) == (reply.thread, reply.text, reply.needs_person)
