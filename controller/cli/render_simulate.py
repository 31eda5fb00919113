"""Prints a simulation: its timeline as it goes, and at the end how long everything took; as text and as JSON."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from controller.cli.options import SimulateOutput
from controller.cli.render import moment_json, to_json
from controller.cli.speech import say
from controller.history.records import RolloutKind
from controller.model.durations import format_duration, format_rough
from controller.model.names import listed
from controller.simulate.events import Event, EventKind
from controller.simulate.lengths import DELAYS, Length, RolloutSummary, Summary
from controller.simulate.play import Play
from controller.simulate.stage import Scenario

NOTHING = "nothing to do: no cluster is below its target"
_HEADINGS = ("rollout", "to", "outcome", "clusters", "length", "lower bound", "ratio")


def play_out(play: Play, scenario: Scenario, output: SimulateOutput) -> None:
    """Play, and print what is asked for."""
    if output is SimulateOutput.TEXT:
        say(_heading(scenario))
    with _progress(scenario, output) as progress:
        for events in play.cycles():
            for event in events:
                if output is SimulateOutput.TEXT:
                    say(event_line(event))
                elif output is SimulateOutput.JSONL:
                    say(json.dumps(event_json(event), ensure_ascii=False))
            progress(play.now)
    if output is SimulateOutput.TEXT:
        say(summary_text(play, scenario))
    elif output is SimulateOutput.JSON:
        say(to_json(summary_json(play, scenario)))


def event_json(event: Event) -> dict[str, Any]:
    """Return one event by schemas/simulate-event.schema.json."""
    return {
        "at": moment_json(event.at),
        "cycle": event.cycle,
        "event": event.kind.value,
        "group": event.group,
        "rollout": None if event.rollout is None else event.rollout.value,
        "wave": event.wave,
        "cluster": event.cluster,
        "from": event.from_,
        "to": event.to,
        "reason": event.reason,
    }


def event_line(event: Event) -> str:
    """Return one event as a line of the timeline."""
    who = _rollout_name(event.group or "fleet", event.rollout)
    wave = None if event.wave is None else f"wave {event.wave}"
    in_wave = f"({wave})" if event.cluster and wave else wave
    to = event.to if event.from_ is None else f"{event.from_} → {event.to}"
    what = [event.kind.value, event.cluster, in_wave, to]
    line = f"{_shown(event.at)}  {who}: {' '.join(part for part in what if part)}"
    if event.kind is EventKind.HELD:
        return f"{line} {event.reason}: {event.detail}"
    return f"{line}: {event.reason}" if event.reason else line


def summary_json(play: Play, scenario: Scenario) -> dict[str, Any]:
    """Return the summary by schemas/simulate.schema.json; lengths in seconds."""
    summary = play.summary()
    return {
        "seed": scenario.seed,
        "from": moment_json(scenario.start),
        "until": moment_json(scenario.until),
        "end": moment_json(play.now),
        "endedEarly": play.ended_early,
        "interval": _seconds(scenario.interval),
        "rollouts": [_rollout_json(rollout) for rollout in summary.rollouts],
        **_length_json(summary.took),
    }


def _rollout_json(rollout: RolloutSummary) -> dict[str, Any]:
    return {
        "group": rollout.group,
        "kind": rollout.kind.value,
        "to": str(rollout.target),
        "outcome": None if rollout.outcome is None else rollout.outcome.value,
        "clusters": rollout.clusters,
        "plannedAt": moment_json(rollout.planned_at),
        "endedAt": moment_json(rollout.ended_at),
        **_length_json(rollout.took),
        "blastRadius": dict(rollout.blast_radius),
    }


def _length_json(took: Length) -> dict[str, Any]:
    ratio = None if took.ratio is None else round(took.ratio, 4)
    length = None if took.length is None else _seconds(took.length)
    return {"length": length, "lowerBound": _seconds(took.lower_bound), "ratio": ratio}


def _seconds(duration: timedelta) -> float:
    """Return ``duration`` in seconds, a whole number where it is one."""
    seconds = duration.total_seconds()
    return int(seconds) if seconds == int(seconds) else round(seconds, 3)


def summary_text(play: Play, scenario: Scenario) -> str:
    """Return how the play ended, and the table of its rollouts."""
    summary = play.summary()
    why = "nothing can change any more" if play.ended_early else f"--until {_shown(scenario.until)}"
    lines = [f"{_shown(play.now)}  end: {why}", ""]
    return "\n".join(lines + (_table_of(summary) if summary.rollouts else []) + _notes_of(play, scenario))


def _notes_of(play: Play, scenario: Scenario) -> list[str]:
    """Return why nothing was to do, where that was so, and which groups had no cluster."""
    empty = play.groups_without_clusters
    if len(empty) == len(scenario.declaration.groups) and empty:
        return [f"nothing to do: no group selects a cluster: {listed(empty)}"]
    nothing = [] if play.summary().rollouts else [NOTHING]
    return nothing + ([f"selects no cluster: {listed(empty)}"] if empty else [])


def _table_of(summary: Summary) -> list[str]:
    rows = [[*_HEADINGS, *DELAYS]]
    for rollout in summary.rollouts:
        radius = [str(rollout.blast_radius[delay]) for delay in DELAYS]
        name = _rollout_name(rollout.group, rollout.kind)
        outcome = "not ended" if rollout.outcome is None else rollout.outcome.value
        rows.append([name, str(rollout.target), outcome, str(rollout.clusters), *_length_cells(rollout.took), *radius])
    rows.append(["all", "", "", str(sum(it.clusters for it in summary.rollouts)), *_length_cells(summary.took)])
    note = "10m to 1w: blast radius, clusters started before a fault is seen that shows itself so long after an upgrade"
    return [*_aligned(rows), note]


def _length_cells(took: Length) -> Sequence[str]:
    length = "-" if took.length is None else format_rough(took.length)
    return (length, format_rough(took.lower_bound), "-" if took.ratio is None else f"{took.ratio:.3f}")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    columns = len(rows[0])
    widths = [max(len(row[at]) for row in rows if at < len(row)) for at in range(columns)]
    return ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows)


def _rollout_name(group: str, kind: RolloutKind | None) -> str:
    return f"{group}/metadata" if kind is RolloutKind.METADATA else group


def _heading(scenario: Scenario) -> str:
    every = format_duration(scenario.interval)
    return f"{scenario.declaration.fleet}: simulated from {_shown(scenario.start)}, every {every}, seed {scenario.seed}"


def _shown(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC" if moment.second else "%Y-%m-%d %H:%M UTC")


class _Progress(Protocol):
    def __call__(self, now: datetime) -> None: ...


@contextmanager
def _progress(scenario: Scenario, output: SimulateOutput) -> Iterator[_Progress]:
    """Show a bar on standard error, where that is a terminal and no timeline runs over it."""
    if not sys.stderr.isatty() or (output is not SimulateOutput.JSON and sys.stdout.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    length = (scenario.until - scenario.start).total_seconds()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("simulating", total=length)
        yield lambda now: bar.update(task, completed=(now - scenario.start).total_seconds())
