"""``wavefleet history``: what was decided, a sentence each, and as JSON with every field."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from controller.cli.render_history import NAMES_SHOWN, history_json, history_text
from controller.history import entries as e
from controller.history.records import Outcome, RolloutKind, StopKind, Way
from controller.versions import KafkaVersion
from tests.cli.worlds import NEW, OLD, STAGING, Desk, check_schema

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_SAMPLES: dict[object, object] = {
    int: 7,
    bool: True,
    str: "words",
    datetime: NOON,
    timedelta: timedelta(minutes=90),
    KafkaVersion: KafkaVersion(4, 3, 1),
    RolloutKind: RolloutKind.SOFTWARE,
    Outcome: Outcome.CONVERGED,
    StopKind: StopKind.HALT,
    Way: Way.FORWARD,
}


def a(kind: type[e.Entry]) -> e.Entry:
    """Return an entry of one kind, every field filled."""
    hints = get_type_hints(kind)
    filled: dict[str, Any] = {field.name: sample(hints[field.name]) for field in fields(kind)}
    return kind(**filled)


def sample(hint: object) -> object:
    """Return a value of a field's type: of a union the first, of a tuple one of each."""
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        return tuple(sample(part) for part in parts if part is not Ellipsis)
    return sample(parts[0]) if parts else _SAMPLES[hint]


def recorded(*entries: e.Entry) -> list[e.Recorded]:
    """Return entries as the ledger gives them back."""
    return [e.Recorded(number, NOON, entry) for number, entry in enumerate(entries, start=1)]


@pytest.mark.parametrize("kind", get_args(e.Entry), ids=lambda kind: kind.__name__)
def test_every_kind_of_entry_has_a_sentence(kind: type[e.Entry]) -> None:
    """
    One line, with time and zone, of which no placeholder is left; and its JSON is as the schema says.
    """
    told = history_text(recorded(a(kind)))

    assert told.startswith("     1  2026-03-02 12:00:00 UTC  ")
    assert "{" not in told
    assert 1 == len(told.splitlines())
    (printed,) = history_json(recorded(a(kind)))
    assert kind.__name__ == printed["entry"]
    assert {"sequence", "at", "entry", *(field.name for field in fields(kind))} == printed.keys()
    check_schema("history", [printed])


def test_long_lists_of_clusters_are_cut_and_counted() -> None:
    """
    A wave of thousands stays one line.
    """
    names = tuple(f"eu/c-{number}" for number in range(NAMES_SHOWN + 3))
    entry = e.WaveAdmitted(1, "prod", 2, "early", tail=False, clusters=names)

    told = history_text(recorded(entry))

    assert told.endswith("prod  wave 2 early admitted: c-0, c-1, c-2, c-3, c-4, c-5 (+3 more)"), told


def test_an_empty_field_adds_nothing() -> None:
    """
    A start that was not refused ends without a colon.
    """
    told = history_text(recorded(e.StartWithdrawn(1, "eu/a"), e.StartWithdrawn(1, "eu/a", "not allowed")))

    assert ["a  start withdrawn, to be planned anew", "a  start withdrawn, to be planned anew: not allowed"] == [
        line.partition("UTC  ")[2] for line in told.splitlines()
    ]


def test_what_a_cycle_decided_is_listed_oldest_first(desk: Desk) -> None:
    """
    A start is recorded before it is taken by the live fleet.
    """
    desk.bump(STAGING)
    desk.run("cycle")

    listed = desk.read("history", "history", "staging")

    kinds = [entry["entry"] for entry in listed]
    assert [
        "TargetDeclared",
        "RolloutPlanned",
        "WaveAdmitted",
        "ClusterStarted",
        "GroupJudged",
        "StartAccepted",
    ] == kinds
    sequences = [entry["sequence"] for entry in listed]
    assert sorted(sequences) == sequences
    assert f"start {OLD} → {NEW} recorded" in desk.run("history", "staging").out


def test_one_clusters_entries_are_found_by_its_short_name(desk: Desk) -> None:
    """
    A name that fits none is told with the nearest.
    """
    desk.bump(STAGING)
    desk.run("cycle")
    started = next(it["cluster"] for it in desk.read("history", "history") if it["entry"] == "ClusterStarted")

    entries = desk.read("history", "history", "--cluster", started.rpartition("/")[2])

    assert {started} == {entry["cluster"] for entry in entries if "cluster" in entry}
    assert "ClusterStarted" in {entry["entry"] for entry in entries}
    assert "no such cluster, expected one such as staging-" in desk.run("history", "--cluster", "stagin-1", code=1).err


def test_history_is_paged_backwards(desk: Desk) -> None:
    """
    ``--limit`` shows the newest, ``--before`` goes on from there.
    """
    desk.run("cycle")
    everything = desk.read("history", "history")

    newest = desk.read("history", "history", "--limit", "2")
    older = desk.read("history", "history", "--before", str(newest[0]["sequence"]))

    assert everything == [*older, *newest]
    desk.run("history", "--limit", "0", code=2)


def test_an_unknown_group_has_no_history(desk: Desk) -> None:
    """
    It is told with those there are; ``fleet`` is always known, for its halts.
    """
    desk.run("cycle")

    assert (
        "nobody: found no such group, expected one such as prod, staging" in desk.run("history", "nobody", code=1).err
    )
    assert [] == desk.read("history", "history", "fleet")
    assert "the ledger has no such entry yet\n" == desk.run("history", "fleet").out
