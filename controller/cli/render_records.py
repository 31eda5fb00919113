"""What the ledger remembers, as text and JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from controller.cli.render import moment_json
from controller.model.durations import format_duration
from controller.model.entries import Entry, Recorded
from controller.model.history import GroupState
from controller.model.names import last_part

LIST_SHOWN = 6


def status_json(groups: Mapping[str, GroupState]) -> dict[str, Any]:
    """Return the groups by schemas/status.schema.json."""
    return {
        "groups": [
            {
                "name": name,
                "target": state.target,
                "sentence": state.sentence,
                "done": state.done,
                "inFlight": state.in_flight,
                "of": state.of,
                "holds": [
                    {"reason": reason, "detail": detail, "cluster": last_part(cluster) or None}
                    for reason, detail, cluster in state.holds
                ],
                "since": moment_json(state.at),
            }
            for name, state in groups.items()
        ]
    }


def status_text(groups: Mapping[str, GroupState]) -> str:
    """Return the groups for a terminal."""
    return "\n".join(_status_lines(groups)) or "no cycle has judged a group yet"


def _status_lines(groups: Mapping[str, GroupState]) -> Iterator[str]:
    for state in groups.values():
        yield state.sentence
        for reason, detail, cluster in state.holds:
            of = f" {last_part(cluster)}" if cluster else ""
            yield f"    held{of} ({reason}): {detail}"


def history_json(entries: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return entries by schemas/history.schema.json: each has sequence, at, entry (its kind), and its own fields."""
    return [
        {
            "sequence": each.sequence,
            "at": moment_json(each.at),
            "entry": type(each.entry).__name__,
            **{field.name: _plain(getattr(each.entry, field.name)) for field in fields(each.entry)},
        }
        for each in entries
    ]


def history_text(entries: Sequence[Recorded]) -> str:
    """Return entries for a terminal, one a line."""
    return "\n".join(f"{each.sequence:>6} {moment_json(each.at)} {_line(each.entry)}" for each in entries)


def _line(entry: Entry) -> str:
    parts = [f"{field.name}={_short(getattr(entry, field.name))}" for field in fields(entry)]
    return f"{type(entry).__name__} " + " ".join(part for part in parts if not part.endswith("="))


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
    match value:
        case datetime():
            return moment_json(value)
        case timedelta():
            return format_duration(value)
        case Enum():
            return value.value
        case tuple() | list():
            return [_plain(item) for item in value]
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def _short(value: object) -> str:
    plain = _plain(value)
    if isinstance(plain, list):
        more = f" (+{len(plain) - LIST_SHOWN} more)" if len(plain) > LIST_SHOWN else ""
        return "[" + ", ".join(str(item) for item in plain[:LIST_SHOWN]) + "]" + more if plain else ""
    return "" if plain is None else str(plain)
