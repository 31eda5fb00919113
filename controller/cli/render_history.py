"""The ledger's entries as people read them, a sentence each, and as JSON with every field."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from controller.cli.render import moment_json
from controller.history import entries as e
from controller.model.durations import format_duration, format_rough
from controller.model.names import last_part

NAMES_SHOWN = 6
NOTHING_YET = "the ledger has no such entry yet"
_REVISION_SHOWN = 10

_SENTENCES: Mapping[type[e.Entry], str] = {
    e.RevisionSeen: "head {revision} seen; in force is {in_force}",
    e.TargetDeclared: "target {target} declared by {revision}; metadata.version: {metadata_version}",
    e.RequestTaken: "request {request} taken in: {outcome}",
    e.RolloutPlanned: "rollout {rollout} ({kind}, {way}) to {target} planned: {clusters}",
    e.RolloutEnded: "rollout {rollout} ({kind}) to {target} {outcome}",
    e.OrderPassed: "converged on {target}: groups after it may follow",
    e.TargetReached: "the whole group runs {target}, soaked: finalize.soak begins",
    e.ClusterJoined: "joined late: goes to the tail wave",
    e.ClusterLeft: "left the rollout: {why}",
    e.ClusterReplaced: "another cluster has this name now (Kafka's id {kafka_id}); what was remembered is forgotten",
    e.ClusterSetAside: "goes to the tail wave: {why}",
    e.WaveAdmitted: "wave {wave} {name} admitted: {clusters}",
    e.WaveFilled: "wave {wave} filled again: {clusters}",
    e.SoakCredited: "wave {wave} has soaked for {soaked}",
    e.WaveSoaked: "wave {wave} soaked",
    e.ClusterStarted: "start {release_from} → {target} recorded",
    e.StartAccepted: "start taken by the live fleet",
    e.StartWithdrawn: "start withdrawn, to be planned anew",
    e.ClusterConverged: "converged",
    e.ClusterReturned: "back where it came from: goes to the tail wave",
    e.ClusterFailed: "failed: {cause}",
    e.SlotFreed: "counts as in flight no more",
    e.ClusterQuarantined: "quarantined as {group}-{number}",
    e.ClusterReleased: "released from quarantine: goes to the tail wave",
    e.Stopped: "{kind} {scope}-{number} by {by}: {detail}",
    e.StopAcknowledged: "{scope}-{number} acknowledged by {by}",
    e.GroupJudged: "{sentence}",
}
"""What happened, by kind of entry, from its own fields."""
_ENDINGS: Mapping[type[e.Entry], tuple[tuple[str, str], ...]] = {
    e.RevisionSeen: (("problems", "; refused: {problems}"), ("accepted_rewrite", "; its new history was accepted")),
    e.RolloutEnded: (("detail", " ({detail})"),),
    e.StartWithdrawn: (("refusal", ": {refusal}"),),
    e.Stopped: (("suspect", "; {suspect} is suspect"),),
}
"""What is added where a field says something."""


def history_json(entries: Sequence[e.Recorded]) -> list[dict[str, Any]]:
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


def history_text(entries: Sequence[e.Recorded]) -> str:
    """Return entries for a terminal, one a line: number, time, whom it concerns, what happened."""
    whom = [_whom(each.entry) for each in entries]
    width = max(map(len, whom), default=0)
    lines = (
        f"{each.sequence:>6}  {each.at:%Y-%m-%d %H:%M:%S} UTC  {name:<{width}}  {_sentence(each.entry)}"
        for each, name in zip(entries, whom, strict=True)
    )
    return "\n".join(lines) or NOTHING_YET


def _whom(entry: e.Entry) -> str:
    """Return whom an entry concerns: a cluster, else a group, else a rollout, else the whole fleet."""
    if isinstance(entry, e.Stopped | e.StopAcknowledged):
        return entry.scope
    if cluster := getattr(entry, "cluster", None):
        return last_part(cluster)
    if group := getattr(entry, "group", None):
        return str(group)
    return f"rollout {entry.rollout}" if hasattr(entry, "rollout") else "fleet"


def _sentence(entry: e.Entry) -> str:
    words = {field.name: _word(getattr(entry, field.name), field.name) for field in fields(entry)}
    endings = (text for name, text in _ENDINGS.get(type(entry), ()) if getattr(entry, name))
    return "".join((_SENTENCES[type(entry)], *endings)).format_map(words)


def _word(value: object, field: str) -> str:
    if isinstance(value, timedelta):
        return format_rough(value)
    if isinstance(value, tuple):
        more = f" (+{len(value) - NAMES_SHOWN} more)" if len(value) > NAMES_SHOWN else ""
        names = map(last_part, map(str, value[:NAMES_SHOWN])) if field == "clusters" else map(str, value[:NAMES_SHOWN])
        return ", ".join(names) + more
    if field in {"revision", "in_force"}:
        return str(value)[:_REVISION_SHOWN] or "none"
    return str(value)


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
