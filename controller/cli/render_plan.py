"""Plans as text, Markdown and JSON; the sentences themselves are the core's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from controller.cli.render import moment_json
from controller.history.records import RolloutKind
from controller.model.durations import counted, format_duration
from controller.model.outbox import StatusState
from controller.model.plan import Passage, Plan
from controller.model.verdict import Hold
from controller.model.view import GroupView, WaveView
from controller.simulate.forecast import Forecast, WaveForecast

NAMES_PER_WAVE = 12
"""Clusters that the text form lists for one wave; JSON and Markdown list them all."""

_MARKS = {
    StatusState.SUCCESS: "✓",
    StatusState.PENDING: "…",
    StatusState.FAILURE: "✗",
    StatusState.ERROR: "✗",
}
_NO_WAVE = WaveForecast(0, None, None, None)


@dataclass(frozen=True, slots=True)
class Document:
    """A plan with what is worked out beside it."""

    plan: Plan
    passages: Sequence[Passage] = ()
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    """By the views' contexts."""

    def ways(self, view: GroupView) -> list[Passage]:
        """Return how the clusters below the group's release get there."""
        return [each for each in self.passages if each.group == view.name and view.kind is RolloutKind.SOFTWARE]

    def forecast(self, view: GroupView) -> Forecast:
        """Return the view's likely times."""
        return self.forecasts.get(view.context, Forecast((), None, "", {}))

    def times(self, view: GroupView, wave: WaveView) -> WaveForecast:
        """Return the wave's likely times."""
        return next((each for each in self.forecast(view).waves if each.number == wave.number), _NO_WAVE)

    def short(self, name: str) -> str:
        """Return a cluster's name for people."""
        return self.plan.short.get(name, name)

    def names(self, names: Sequence[str]) -> str:
        """Return the first of ``names`` for people."""
        more = f" (+{len(names) - NAMES_PER_WAVE} more)" if len(names) > NAMES_PER_WAVE else ""
        return ", ".join(self.short(name) for name in names[:NAMES_PER_WAVE]) + more


def is_held(plan: Plan) -> bool:
    """Tell whether anything is held or halted, for ``--fail-on-hold``."""
    return bool(plan.holds) or any(group.holds for group in plan.groups)


def plan_json(document: Document) -> dict[str, Any]:
    """Return the plan by schemas/plan.schema.json; clusters by their short names."""
    plan = document.plan
    return {
        "groups": [_group_json(view, document) for view in plan.groups],
        "starts": [
            {
                "group": start.group,
                "cluster": document.short(start.cluster),
                "from": str(start.release_from),
                "to": str(start.target),
            }
            for start in plan.starts
        ],
        "holds": [_hold_json(hold, document) for hold in plan.holds],
        "unclaimed": [document.short(name) for name in plan.unclaimed],
    }


def _group_json(view: GroupView, document: Document) -> dict[str, Any]:
    forecast = document.forecast(view)
    return {
        "name": view.name,
        "target": str(view.target),
        "rollout": None if view.rollout is None else view.kind.value,
        "state": view.state.value,
        "sentence": view.sentence,
        "done": view.done,
        "inFlight": view.in_flight,
        "of": view.of,
        "waves": [_wave_json(wave, view, document) for wave in view.waves],
        "holds": [_hold_json(hold, document) for hold in view.holds],
        "hops": [_passage_json(each, document) for each in document.ways(view)],
        "via": None if view.via is None else str(view.via),
        "warnings": list(view.warnings),
        "endsAt": moment_json(forecast.ends_at),
        "waitsFor": forecast.waits_for or None,
        "blastRadius": dict(forecast.blast_radius),
    }


def _wave_json(wave: WaveView, view: GroupView, document: Document) -> dict[str, Any]:
    times = document.times(view, wave)
    return {
        "number": wave.number,
        "name": wave.name,
        "clusters": [document.short(name) for name in wave.clusters],
        "soak": format_duration(wave.soak),
        "admitted": wave.admitted,
        "done": wave.done,
        "soaked": wave.has_soaked,
        "startsAt": moment_json(times.starts_at),
        "soakedAt": moment_json(times.soaked_at),
    }


def _passage_json(passage: Passage, document: Document) -> dict[str, Any]:
    return {
        "release": str(passage.release),
        "metadataVersion": None if passage.level is None else str(passage.level),
        "way": [str(step) for step in passage.way],
        "whyNot": passage.why_not or None,
        "clusters": [document.short(name) for name in passage.clusters],
    }


def _hold_json(hold: Hold, document: Document) -> dict[str, Any]:
    return {
        "reason": hold.reason.value,
        "detail": hold.detail,
        "cluster": None if hold.cluster is None else document.short(hold.cluster),
        "recheckAt": moment_json(hold.recheck_at),
    }


def plan_text(document: Document) -> str:
    """Return the plan for a terminal."""
    return "\n".join(_plan_lines(document))


def _plan_lines(document: Document) -> Iterator[str]:
    plan = document.plan
    for hold in plan.holds:
        yield f"fleet held ({hold.reason}): {hold.detail}"
    for view in plan.groups:
        yield from _group_lines(view, document)
    for start in plan.starts:
        yield f"start {document.short(start.cluster)}: {start.release_from} → {start.target} ({start.group})"
    if plan.unclaimed:
        yield f"claimed by no group, never touched: {document.names(plan.unclaimed)}"
    if not plan.groups:
        yield "no cluster group is declared"


def _group_lines(view: GroupView, document: Document) -> Iterator[str]:
    yield f"{_MARKS[view.state]} {view.sentence}"
    for passage in document.ways(view):
        yield f"    {_hop_line(passage)}: {document.names(passage.clusters)}"
    for warning in view.warnings:
        yield f"    note: {warning}"
    for wave in view.waves:
        yield f"    {_wave_line(wave, view, document)}"
    yield from (f"    {line}" for line in _outlook(document.forecast(view)))
    for hold in view.holds:
        if hold not in document.plan.holds:
            yield f"    {_hold_line(hold, document)}"


def _outlook(forecast: Forecast) -> Iterator[str]:
    """Yield when all of it is likely to be over, and how far a fault would reach."""
    if forecast.waits_for:
        yield f"likely end: only once {forecast.waits_for}"
    elif forecast.ends_at is not None:
        yield f"likely end: {_likely(forecast.ends_at)}"
    if forecast.blast_radius:
        reach = ", ".join(f"{count} after {delay}" for delay, count in forecast.blast_radius.items())
        yield f"blast radius, clusters started before a fault shows itself: {reach}"


def _likely(moment: datetime) -> str:
    """Return a likely time, to the minute above: more it is not."""
    up = moment if not moment.second and not moment.microsecond else moment.replace(second=0) + timedelta(minutes=1)
    return up.strftime("%a %Y-%m-%d %H:%M UTC")


def _hop_line(passage: Passage) -> str:
    level = "" if passage.level is None else f" ({passage.level})"
    way = " → ".join(str(step) for step in passage.way) or f"no way: {passage.why_not}"
    return f"hop {passage.release}{level} → {way}, {counted(len(passage.clusters))}"


def _wave_line(wave: WaveView, view: GroupView, document: Document) -> str:
    state = "soaked" if wave.has_soaked else f"{wave.done} done" if wave.admitted else "to come"
    starts_at = document.times(view, wave).starts_at
    likely = f", likely {_likely(starts_at)}" if starts_at is not None and not wave.admitted else ""
    head = f"wave {wave.number} {wave.name}: {counted(len(wave.clusters))}, soak {format_duration(wave.soak)}"
    return f"{head}, {state}{likely}: {document.names(wave.clusters)}"


def _hold_line(hold: Hold, document: Document) -> str:
    of = "" if hold.cluster is None else f" {document.short(hold.cluster)}"
    again = "" if hold.recheck_at is None else f" (next look {moment_json(hold.recheck_at)})"
    return f"held{of} ({hold.reason}): {hold.detail}{again}"


def plan_markdown(document: Document) -> str:
    """Return the plan as a document, for a pull request or a wiki."""
    return "\n".join(_markdown_lines(document))


def _markdown_lines(document: Document) -> Iterator[str]:
    plan = document.plan
    yield "# Plan"
    for hold in plan.holds:
        yield f"\n**Fleet held ({hold.reason})**: {_escaped(hold.detail)}"
    for view in plan.groups:
        yield from _markdown_of(view, document)
    if plan.unclaimed:
        names = ", ".join(f"`{document.short(name)}`" for name in plan.unclaimed)
        yield f"\n## Claimed by no group\n\n{names}"


def _markdown_of(view: GroupView, document: Document) -> Iterator[str]:
    yield f"\n## {view.context}\n\n{_escaped(view.sentence)}"
    yield from (f"\n> {_escaped(warning)}" for warning in view.warnings)
    if document.ways(view):
        yield "\n| runs | metadata.version | way | clusters |\n|---|---|---|---|"
    for each in document.ways(view):
        way = " → ".join(str(step) for step in each.way) or f"none: {_escaped(each.why_not)}"
        yield f"| {each.release} | {each.level or ''} | {way} | {len(each.clusters)} |"
    if view.waves:
        yield "\n| wave | clusters | soak | state | likely start | which |\n|---|---|---|---|---|---|"
    for wave in view.waves:
        yield _markdown_wave(wave, view, document)
    yield from (f"\n{line[0].upper()}{line[1:]}." for line in _outlook(document.forecast(view)))
    if view.holds:
        yield "\n| held | reason | why | next look |\n|---|---|---|---|"
    for hold in view.holds:
        cluster = "" if hold.cluster is None else f"`{document.short(hold.cluster)}`"
        yield f"| {cluster} | {hold.reason} | {_escaped(hold.detail)} | {moment_json(hold.recheck_at) or ''} |"


def _markdown_wave(wave: WaveView, view: GroupView, document: Document) -> str:
    state = "soaked" if wave.has_soaked else f"{wave.done} done" if wave.admitted else "to come"
    names = ", ".join(f"`{document.short(name)}`" for name in wave.clusters)
    starts_at = None if wave.admitted else document.times(view, wave).starts_at
    likely = "" if starts_at is None else _likely(starts_at)
    soak = format_duration(wave.soak)
    return f"| {wave.number} {wave.name} | {len(wave.clusters)} | {soak} | {state} | {likely} | {names} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
