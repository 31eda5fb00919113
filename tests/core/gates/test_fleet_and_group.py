"""The gates that stop the fleet or a group: both sides of each boundary, the reason, and the next look."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.core.gates.breaker import breaker
from controller.core.gates.freeze import freeze
from controller.core.gates.halt import fleet_halt, group_halt
from controller.core.gates.order import Predecessor, order
from controller.core.gates.release import release
from controller.core.gates.revision import revision
from controller.core.gates.suspect import suspect
from controller.core.gates.window import room, window
from controller.errors import Problem
from controller.model.verdict import PASS, HoldReason
from tests import builders as b
from tests.builders import HOUR, MINUTE, MOMENT, NOON
from tests.builders_core import REVISION, a_freeze, a_standing, a_stop, catalog, held_for

STALE = 10 * MINUTE
PROBLEM = Problem("groups/prod.yaml", 7, "spec.kafkaVersion", "'3.9'", "a release such as 3.9.1")


def test_a_head_is_stale_exactly_at_its_limit() -> None:
    """
    One microsecond before ``staleAfter`` the head still counts as confirmed; at it nothing starts any more.
    """
    standing = a_standing(confirmed_at=NOON)

    assert PASS == revision(standing, NOON + STALE - MOMENT, STALE)
    hold = held_for(revision(standing, NOON + STALE, STALE))
    assert (HoldReason.REVISION_STALE, None) == (hold.reason, hold.recheck_at)


def test_a_head_never_confirmed_is_stale() -> None:
    """
    After a restart nothing starts until this process itself has seen the head; why it could not is told.
    """
    standing = a_standing(confirmed_at=None, unreachable="connection refused")

    hold = held_for(revision(standing, NOON, STALE))
    assert HoldReason.REVISION_STALE == hold.reason
    assert "connection refused" in hold.detail


def test_a_clock_that_steps_back_makes_no_head_stale() -> None:
    """
    A head confirmed in what is now the future was confirmed.
    """
    assert PASS == revision(a_standing(confirmed_at=NOON + HOUR), NOON, STALE)


def test_a_refused_head_holds_with_its_first_problem() -> None:
    """
    An invalid head holds however fresh it is; the hold names file, line and field, and how many more there are.
    """
    standing = a_standing(problems=(PROBLEM, replace(PROBLEM, line=9)), head="b" * 40)

    hold = held_for(revision(standing, NOON, STALE))
    assert HoldReason.REVISION_INVALID == hold.reason
    assert "groups/prod.yaml:7: spec.kafkaVersion" in hold.detail
    assert "(+1 more)" in hold.detail


def test_a_rewritten_history_holds_first_of_all() -> None:
    """
    A head that does not descend from what was in force says how a person accepts it, whatever else is wrong.
    """
    standing = a_standing(rewritten_from="c" * 40, problems=(PROBLEM,), confirmed_at=None)

    hold = held_for(revision(standing, NOON, STALE))
    assert HoldReason.HISTORY_REWRITTEN == hold.reason
    assert f"wavefleet resume --revision {REVISION[:10]}" in hold.detail


def test_the_fleet_halts_by_commit_or_by_command() -> None:
    """
    Either alone is enough; without both the gate passes.
    """
    assert PASS == fleet_halt(declared=False, halts=())
    for verdict in (
        fleet_halt(declared=True, halts=()),
        fleet_halt(declared=False, halts=(a_stop(scope="fleet"),)),
    ):
        hold = held_for(verdict)
        assert (HoldReason.FLEET_HALTED, None) == (hold.reason, hold.recheck_at)


def test_a_halted_group_names_what_to_acknowledge() -> None:
    """
    Every open halt is named by its id, ready to be written under ``acknowledge``.
    """
    assert PASS == group_halt("prod", declared=False, halts=())
    assert HoldReason.GROUP_HALTED == held_for(group_halt("prod", declared=True, halts=())).reason

    hold = held_for(group_halt("prod", declared=False, halts=(a_stop(3), a_stop(4))))
    assert HoldReason.GROUP_HALTED == hold.reason
    assert "acknowledge: [prod-3, prod-4]" in hold.detail


def test_a_release_is_suspect_until_its_halt_is_accepted_by_name() -> None:
    """
    A halt speaks against its own release alone, and only acceptance of that very halt lifts it here.
    """
    target = b.release("4.3.1")
    halt = a_stop(7, "staging", suspect=target)

    assert PASS == suspect(b.release("4.3.2"), [halt], frozenset())
    assert PASS == suspect(target, [a_stop(7, "staging", suspect=None)], frozenset())
    assert PASS == suspect(target, [halt], frozenset({"staging-7"}))
    hold = held_for(suspect(target, [halt, a_stop(8, "dev", suspect=target)], frozenset({"staging-7"})))
    assert HoldReason.RELEASE_SUSPECT == hold.reason
    assert "acceptRisks: [dev-8]" in hold.detail


@pytest.mark.parametrize(
    ("target", "accepted", "reason"),
    [
        ("4.3.1", frozenset[str](), None),
        ("4.2.0", frozenset({"KAFKA-20322", "KAFKA-20505"}), None),
        ("4.2.0", frozenset({"KAFKA-20322"}), HoldReason.RISK_NOT_ACCEPTED),
        ("4.2.0", frozenset[str](), HoldReason.RISK_NOT_ACCEPTED),
        ("9.9.9", frozenset[str](), HoldReason.RELEASE_BLOCKED),
        ("4.1.2", frozenset({"KAFKA-20322"}), HoldReason.RELEASE_BLOCKED),
    ],
)
def test_a_release_passes_only_with_each_of_its_bugs_accepted(
    target: str, accepted: frozenset[str], reason: HoldReason | None
) -> None:
    """
    A known-bad release needs every broker bug by name; a blocked one, or one that nobody knows, goes nowhere.
    """
    known = replace(catalog(), blocked={b.release("4.1.2"): "breaks our quota plugin"})

    verdict = release(b.release(target), known, accepted)
    assert reason == (None if verdict == PASS else held_for(verdict).reason)


def test_a_client_bug_holds_nothing() -> None:
    """
    What only clients suffer from warns, and does not hold.
    """
    row = catalog().releases[b.release("4.3.0")]

    assert row.client_bugs
    assert PASS == release(row.version, catalog(), frozenset())


def test_freezes_hold_until_the_last_of_them_ends() -> None:
    """
    The next look is when the last freeze ends; without any the gate passes.
    """
    first, last = a_freeze("first", until=NOON + HOUR), a_freeze("last", until=NOON + 2 * HOUR)

    assert PASS == freeze([], NOON)
    hold = held_for(freeze([last, first], NOON))
    assert (HoldReason.FROZEN, NOON + 2 * HOUR) == (hold.reason, hold.recheck_at)


@pytest.mark.parametrize("opens_at", [NOON + HOUR, None])
def test_a_closed_window_says_when_it_opens(opens_at: datetime | None) -> None:
    """
    The next look is the next opening; None where none comes within a week.
    """
    assert PASS == window(is_open=True, opens_at=None, now=NOON)

    hold = held_for(window(is_open=False, opens_at=opens_at, now=NOON))
    assert (HoldReason.OUTSIDE_WINDOW, opens_at) == (hold.reason, hold.recheck_at)


def a_predecessor(**parts: object) -> Predecessor:
    """A group under ``after`` that has converged on 4.3.1."""
    good = Predecessor(
        "staging",
        target=b.release("4.3.1"),
        halted=False,
        has_clusters=True,
        converged=True,
        sentence="3 of 3 clusters run 4.3.1",
    )
    return replace(good, **parts)  # type: ignore[arg-type] # a test names the part that it is about


def test_order_passes_where_every_predecessor_has_converged() -> None:
    """
    The same release or a later one serves; a group that waits for nobody passes.
    """
    later = a_predecessor(target=b.release("4.3.2"))

    assert PASS == order(b.release("4.3.1"), [])
    assert PASS == order(b.release("4.3.1"), [a_predecessor(), later])


@pytest.mark.parametrize(
    "part",
    [{"has_clusters": False}, {"target": b.release("4.3.0")}, {"halted": True}, {"converged": False}],
)
def test_order_holds_for_anything_that_a_predecessor_lacks(part: dict[str, object]) -> None:
    """
    No clusters, a lower target, a halt, or an unfinished rollout: each holds alone, and the group is named.
    """
    hold = held_for(order(b.release("4.3.1"), [a_predecessor(), a_predecessor(**part)]))

    assert HoldReason.GROUP_ORDER == hold.reason
    assert "after staging" in hold.detail


def test_a_stale_head_tells_its_age() -> None:
    """
    The hold says how long ago the head was confirmed, and the limit.
    """
    hold = held_for(revision(a_standing(NOON - timedelta(minutes=12)), NOON, STALE))

    assert "12m ago" in hold.detail
    assert "limit is 10m" in hold.detail


@pytest.mark.parametrize(
    ("unavailable", "claimed", "percent", "passes"),
    [
        (5, 100, 5, True),
        (6, 100, 5, False),
        (5, 99, 5, False),
        (1, 1, 5, True),
        (1, 3, 0, True),
        (2, 3, 0, False),
        (0, 0, 0, True),
        (2, 2, 100, True),
    ],
)
def test_the_breaker_opens_past_its_percentage_and_past_one_cluster(
    unavailable: int, claimed: int, percent: int, *, passes: bool
) -> None:
    """
    Exactly the percentage is allowed, and one cluster always.
    """
    verdict = breaker(tuple(f"p-{number}" for number in range(unavailable)), claimed, percent)

    assert passes == (verdict == PASS)
    if not passes:
        assert (HoldReason.BREAKER_OPEN, None) == (held_for(verdict).reason, held_for(verdict).recheck_at)


def test_the_breaker_names_five_clusters_and_counts_the_rest() -> None:
    """
    The sentence stays short, and leaves none out in silence.
    """
    names = tuple(f"p-{number}" for number in range(7))

    assert held_for(breaker(names, 7, 5)).detail.endswith("p-4 (+2 more)")
    assert held_for(breaker(names[:5], 7, 5)).detail.endswith("p-3, p-4")


@pytest.mark.parametrize(
    ("closes_at", "passes"), [(NOON + HOUR, True), (NOON + HOUR + MOMENT, True), (NOON + HOUR - MOMENT, False)]
)
def test_an_upgrade_must_be_done_by_the_moment_its_window_closes(closes_at: datetime, *, passes: bool) -> None:
    """
    Exactly as long as it takes is long enough; else the next look is when a window opens again.
    """
    verdict = room(closes_at, NOON + 24 * HOUR, HOUR, NOON)

    assert passes == (verdict == PASS)
    if not passes:
        hold = held_for(verdict)
        assert (HoldReason.WINDOW_TOO_SHORT, NOON + 24 * HOUR) == (hold.reason, hold.recheck_at)
    assert PASS == room(None, None, 1000 * HOUR, NOON)
