"""Explanations and problems as text and JSON; the sentences themselves are the core's. Plans: ``render_plan``."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from controller.errors import Problem
from controller.model.durations import format_moment
from controller.model.observation import Finding, Reading, Unknown
from controller.model.plan import Explanation
from controller.model.verdict import Answer, Hold


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
        "findings": [_finding_json(finding) for finding in _findings(explanation)],
    }


def _findings(explanation: Explanation) -> tuple[Finding, ...]:
    return explanation.reading.findings if isinstance(explanation.reading, Reading) else ()


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "detail": finding.detail,
        "count": finding.count,
        "examples": list(finding.examples),
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
    for finding in _findings(explanation):
        yield f"    {finding.severity:<5} {finding.id}: {finding.detail}"
