"""How groups stand, as the ledger remembers it: as text, as JSON, and as a coloured table on a terminal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.cli.render import moment_json
from controller.cli.speech import printable
from controller.history.records import GroupState, History
from controller.model.names import short_names
from controller.model.requests import FLEET

NOTHING_YET = "no cycle has judged a group yet"
_RED = frozenset({"FleetHalted", "GroupHalted", "ClusterQuarantined", "RevisionInvalid", "HistoryRewritten"})
"""Holds that only a person lifts, and that say that something went wrong."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The groups to be shown, and how clusters are called in them."""

    groups: Mapping[str, GroupState]
    short: Mapping[str, str]
    fleet: GroupState | None = None
    """What was said last of the fleet as a whole; None where nothing ever held it."""

    @staticmethod
    def of(history: History, group: str | None) -> "Shown":
        """Return what is remembered of ``group``, or of all, in the order of their names."""
        groups = {name: state for name, state in sorted(groups_of(history).items()) if group in (None, name)}
        known = {name for rollout in history.rollouts.values() for name in rollout.clusters}
        held = {cluster for state in history.groups.values() for _, _, cluster in state.holds if cluster}
        return Shown(groups, short_names(known | held), history.groups.get(FLEET))

    @property
    def is_held(self) -> bool:
        """Tell whether anything that is shown is held or halted."""
        return bool(self.fleet is not None and self.fleet.holds) or any(state.holds for state in self.groups.values())


def groups_of(history: History) -> Mapping[str, GroupState]:
    """Return the groups that are remembered, without what is remembered of the fleet under its own name."""
    return {name: state for name, state in history.groups.items() if name != FLEET}


def status_json(shown: Shown) -> dict[str, Any]:
    """Return the fleet's holds and the groups by schemas/status.schema.json."""
    return {
        "holds": [
            {"reason": reason, "detail": detail, "since": moment_json(since)} for reason, detail, since in _fleet(shown)
        ],
        "groups": [
            {
                "name": name,
                "target": state.target,
                "sentence": state.sentence,
                "done": state.done,
                "inFlight": state.in_flight,
                "of": state.of,
                "holds": [
                    {"reason": reason, "detail": detail, "cluster": shown.short[cluster] if cluster else None}
                    for reason, detail, cluster in state.holds
                ],
                "since": moment_json(state.at),
            }
            for name, state in shown.groups.items()
        ],
    }


def _fleet(shown: Shown) -> Iterator[tuple[str, str, datetime]]:
    if shown.fleet is not None:
        for reason, detail, _ in shown.fleet.holds:
            yield reason, detail, shown.fleet.at


def _fleet_lines(shown: Shown) -> Iterator[str]:
    for reason, detail, since in _fleet(shown):
        yield f"{FLEET}: held since {moment_json(since)} ({reason}): {detail}"


def status_text(shown: Shown) -> str:
    """Return text for a pipe: what holds the fleet, then the groups, a sentence a line, and what holds each below."""
    return "\n".join((*_fleet_lines(shown), *_lines(shown))) or NOTHING_YET


def _lines(shown: Shown) -> Iterator[str]:
    for state in shown.groups.values():
        yield state.sentence
        for hold in _holds(state, shown):
            yield f"    {hold}"


def _holds(state: GroupState, shown: Shown) -> Iterator[str]:
    for reason, detail, cluster in state.holds:
        of = f" {shown.short[cluster]}" if cluster else ""
        yield f"held{of} ({reason}): {detail}"


def print_status(shown: Shown) -> None:
    """Print the groups as a table, coloured: green at rest, yellow in motion, red where a person must act."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for line in _fleet_lines(shown):
        console.print(Text(printable(line), style="red"), soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("group", "target", "done", "in flight", "how it stands"):
        table.add_column(heading, overflow="fold", justify="right" if heading in {"done", "in flight"} else "left")
    for name, state in shown.groups.items():
        sentence = state.sentence.removeprefix(f"{name} → {state.target}: ")
        words = (name, state.target, f"{state.done}/{state.of}", str(state.in_flight), sentence)
        table.add_row(*(Text(printable(word), style=_style(state)) for word in words))
    console.print(table if shown.groups else NOTHING_YET)
    for name, state in shown.groups.items():
        for hold in _holds(state, shown):
            console.print(Text(printable(f"{name}: {hold}"), style="dim"), soft_wrap=True)


def _style(state: GroupState) -> str:
    if any(reason in _RED for reason, _, _ in state.holds):
        return "red"
    at_rest = state.done == state.of and not state.in_flight and not state.holds
    return "green" if at_rest else "yellow"
