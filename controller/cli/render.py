"""Plans and explanations as text, Markdown and JSON; the sentences themselves are the core's."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from controller.errors import Problem
from controller.model.durations import counted, format_duration, format_moment
from controller.model.history import RolloutKind
from controller.model.observation import Reading, Unknown
from controller.model.outbox import StatusState
from controller.model.plan import Explanation, GroupView, Passage, Plan, WaveView
from controller.model.verdict import Answer, Hold

NAMES_PER_WAVE = 12
"""Clusters that the text form lists for one wave; JSON and Markdown list them all."""

_MARKS = {
    StatusState.SUCCESS: "✓",
    StatusState.PENDING: "…",
    StatusState.FAILURE: "✗",
    StatusState.ERROR: "✗",
}


def to_json(value: object) -> str:
    """Return ``value`` as JSON for people and programs alike."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def moment_json(moment: datetime | None) -> str | None:
    """Return ``moment`` as RFC 3339 in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def problem_json(problem: Problem) -> dict[str, Any]:
    """Return one problem of a declaration by schemas/validate.schema.json."""
    return {
        "file": problem.file,
        "line": problem.line,
        "field": problem.field,
        "found": problem.found,
        "expected": problem.expected,
        "message": problem.message,
    }


def is_held(plan: Plan) -> bool:
    """Tell whether anything is held or halted, for ``--fail-on-hold``."""
    return bool(plan.holds) or any(group.holds for group in plan.groups)


def plan_json(plan: Plan, passages: Sequence[Passage] = ()) -> dict[str, Any]:
    """Return the plan by schemas/plan.schema.json; clusters by their short names."""
    return {
        "groups": [_group_json(group, plan, passages) for group in plan.groups],
        "starts": [
            {
                "group": start.group,
                "cluster": plan.short.get(start.cluster, start.cluster),
                "from": str(start.release_from),
                "to": str(start.target),
            }
            for start in plan.starts
        ],
        "holds": [_hold_json(hold, plan) for hold in plan.holds],
        "unclaimed": [plan.short.get(name, name) for name in plan.unclaimed],
    }


def _passages_of(group: GroupView, passages: Sequence[Passage]) -> list[Passage]:
    return [each for each in passages if each.group == group.name and group.kind is RolloutKind.SOFTWARE]


def _passage_json(passage: Passage, plan: Plan) -> dict[str, Any]:
    return {
        "release": str(passage.release),
        "metadataVersion": None if passage.level is None else str(passage.level),
        "way": [str(step) for step in passage.way],
        "whyNot": passage.why_not or None,
        "clusters": [plan.short.get(name, name) for name in passage.clusters],
    }


def _group_json(group: GroupView, plan: Plan, passages: Sequence[Passage]) -> dict[str, Any]:
    return {
        "name": group.name,
        "target": str(group.target),
        "rollout": None if group.rollout is None else group.kind.value,
        "state": group.state.value,
        "sentence": group.sentence,
        "done": group.done,
        "inFlight": group.in_flight,
        "of": group.of,
        "waves": [
            {
                "number": wave.number,
                "name": wave.name,
                "clusters": [plan.short.get(name, name) for name in wave.clusters],
                "soak": format_duration(wave.soak),
                "admitted": wave.admitted,
                "done": wave.done,
                "soaked": wave.has_soaked,
            }
            for wave in group.waves
        ],
        "holds": [_hold_json(hold, plan) for hold in group.holds],
        "hops": [_passage_json(each, plan) for each in _passages_of(group, passages)],
        "via": None if group.via is None else str(group.via),
        "warnings": list(group.warnings),
    }


def _hold_json(hold: Hold, plan: Plan) -> dict[str, Any]:
    return {
        "reason": hold.reason.value,
        "detail": hold.detail,
        "cluster": None if hold.cluster is None else plan.short.get(hold.cluster, hold.cluster),
        "recheckAt": moment_json(hold.recheck_at),
    }


def plan_text(plan: Plan, passages: Sequence[Passage] = ()) -> str:
    """Return the plan for a terminal."""
    return "\n".join(_plan_lines(plan, passages))


def _plan_lines(plan: Plan, passages: Sequence[Passage]) -> Iterator[str]:
    for hold in plan.holds:
        yield f"fleet held ({hold.reason}): {hold.detail}"
    for group in plan.groups:
        yield from _group_lines(group, plan, passages)
    for start in plan.starts:
        name = plan.short.get(start.cluster, start.cluster)
        yield f"start {name}: {start.release_from} → {start.target} ({start.group})"
    if plan.unclaimed:
        yield f"claimed by no group, never touched: {_names(plan.unclaimed, plan)}"
    if not plan.groups:
        yield "no cluster group is declared"


def _group_lines(group: GroupView, plan: Plan, passages: Sequence[Passage]) -> Iterator[str]:
    yield f"{_MARKS[group.state]} {group.sentence}"
    for passage in _passages_of(group, passages):
        yield f"    {_hop_line(passage)}: {_names(passage.clusters, plan)}"
    for warning in group.warnings:
        yield f"    note: {warning}"
    for wave in group.waves:
        yield f"    {_wave_line(wave, plan)}"
    for hold in group.holds:
        if hold not in plan.holds:
            yield f"    {_hold_line(hold, plan)}"


def _hop_line(passage: Passage) -> str:
    level = "" if passage.level is None else f" ({passage.level})"
    way = " → ".join(str(step) for step in passage.way) or f"no way: {passage.why_not}"
    return f"hop {passage.release}{level} → {way}, {counted(len(passage.clusters))}"


def _wave_line(wave: WaveView, plan: Plan) -> str:
    state = "soaked" if wave.has_soaked else f"{wave.done} done" if wave.admitted else "to come"
    head = f"wave {wave.number} {wave.name}: {counted(len(wave.clusters))}, soak {format_duration(wave.soak)}, {state}"
    return f"{head}: {_names(wave.clusters, plan)}"


def _names(names: Sequence[str], plan: Plan) -> str:
    more = f" (+{len(names) - NAMES_PER_WAVE} more)" if len(names) > NAMES_PER_WAVE else ""
    return ", ".join(plan.short.get(name, name) for name in names[:NAMES_PER_WAVE]) + more


def _hold_line(hold: Hold, plan: Plan) -> str:
    of = "" if hold.cluster is None else f" {plan.short.get(hold.cluster, hold.cluster)}"
    again = "" if hold.recheck_at is None else f" (next look {moment_json(hold.recheck_at)})"
    return f"held{of} ({hold.reason}): {hold.detail}{again}"


def plan_markdown(plan: Plan, passages: Sequence[Passage] = ()) -> str:
    """Return the plan as a document, for a pull request or a wiki."""
    return "\n".join(_markdown_lines(plan, passages))


def _markdown_lines(plan: Plan, passages: Sequence[Passage]) -> Iterator[str]:
    yield "# Plan"
    for hold in plan.holds:
        yield f"\n**Fleet held ({hold.reason})**: {_escaped(hold.detail)}"
    for group in plan.groups:
        yield from _markdown_of(group, plan, passages)
    if plan.unclaimed:
        names = ", ".join(f"`{plan.short.get(name, name)}`" for name in plan.unclaimed)
        yield f"\n## Claimed by no group\n\n{names}"


def _markdown_of(group: GroupView, plan: Plan, passages: Sequence[Passage]) -> Iterator[str]:
    yield f"\n## {group.context}\n\n{_escaped(group.sentence)}"
    ways = _passages_of(group, passages)
    if ways:
        yield "\n| runs | metadata.version | way | clusters |\n|---|---|---|---|"
    for each in ways:
        way = " → ".join(str(step) for step in each.way) or f"none: {_escaped(each.why_not)}"
        yield f"| {each.release} | {each.level or ''} | {way} | {len(each.clusters)} |"
    for warning in group.warnings:
        yield f"\n> {_escaped(warning)}"
    if group.waves:
        yield "\n| wave | clusters | soak | state | which |\n|---|---|---|---|---|"
    for wave in group.waves:
        state = "soaked" if wave.has_soaked else f"{wave.done} done" if wave.admitted else "to come"
        names = ", ".join(f"`{plan.short.get(name, name)}`" for name in wave.clusters)
        soak = format_duration(wave.soak)
        yield f"| {wave.number} {wave.name} | {len(wave.clusters)} | {soak} | {state} | {names} |"
    if group.holds:
        yield "\n| held | reason | why | next look |\n|---|---|---|---|"
    for hold in group.holds:
        cluster = "" if hold.cluster is None else f"`{plan.short.get(hold.cluster, hold.cluster)}`"
        yield f"| {cluster} | {hold.reason} | {_escaped(hold.detail)} | {moment_json(hold.recheck_at) or ''} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation by schemas/explain.schema.json."""
    return {
        "cluster": explanation.cluster,
        "group": explanation.group,
        "target": None if explanation.target is None else str(explanation.target),
        "declaredAt": None if explanation.place is None else str(explanation.place),
        "state": None if explanation.state is None else explanation.state.value,
        "wave": explanation.wave or None,
        "runs": _runs(explanation),
        "sentence": explanation.sentence,
        "answers": [_answer_json(answer) for answer in explanation.answers],
    }


def _answer_json(answer: Answer) -> dict[str, Any]:
    if not isinstance(answer.verdict, Hold):
        return {"gate": answer.gate, "answer": "pass", "reason": None, "detail": None, "recheckAt": None}
    hold = answer.verdict
    return {
        "gate": answer.gate,
        "answer": "hold",
        "reason": hold.reason.value,
        "detail": hold.detail,
        "recheckAt": moment_json(hold.recheck_at),
    }


def _runs(explanation: Explanation) -> str | None:
    reading = explanation.reading
    if not isinstance(reading, Reading):
        return None
    same = reading.release == reading.highest
    return str(reading.release) if same else f"{reading.release} to {reading.highest}"


def explanation_text(explanation: Explanation, now: datetime) -> str:
    """Return the explanation for a terminal."""
    return "\n".join(_explanation_lines(explanation, now))


def _explanation_lines(explanation: Explanation, now: datetime) -> Iterator[str]:
    seen = _runs(explanation)
    why = explanation.reading.why if isinstance(explanation.reading, Unknown) else "not listed by any source"
    yield f"{explanation.cluster}: {'runs ' + seen if seen else 'unknown: ' + why}"
    yield f"    {explanation.sentence}"
    if explanation.group is not None:
        yield f"    target {explanation.target}, declared at {explanation.place}"
    if explanation.state is not None:
        where = f" in wave {explanation.wave}" if explanation.wave else ""
        yield f"    {explanation.state}{where}"
    for answer in explanation.answers:
        if isinstance(answer.verdict, Hold):
            hold = answer.verdict
            again = "" if hold.recheck_at is None else f"; next look {format_moment(hold.recheck_at, now)}"
            yield f"    hold  {answer.gate} ({hold.reason}): {hold.detail}{again}"
        else:
            yield f"    pass  {answer.gate}"
