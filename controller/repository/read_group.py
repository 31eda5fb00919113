"""Reads a ClusterGroup as written, and the settings that groups and the fleet's ``defaults`` have in common."""

from controller.errors import Problem
from controller.model.calendar import Window
from controller.model.declaration import OnFailure
from controller.repository import values
from controller.repository.fields import Fields
from controller.repository.files import Document
from controller.repository.read_expedite import read_expedite
from controller.repository.read_gates import read_gates
from controller.repository.read_health import read_health
from controller.repository.read_zone import read_zone
from controller.repository.schema import check
from controller.repository.written import (
    WrittenApproval,
    WrittenFinalize,
    WrittenGroup,
    WrittenHold,
    WrittenSettings,
    WrittenStrategy,
    WrittenWave,
)


def read_group(document: Document) -> tuple[WrittenGroup, tuple[Problem, ...]]:
    """Return what the document says of a group, and what is wrong with it by itself."""
    verdict = check(document, "ClusterGroup")
    problems = list(verdict.problems)
    root = Fields.of(document, problems)
    spec = root.fields("spec")
    clusters = spec.fields("clusters")
    selector = clusters.fields("selector")
    group = WrittenGroup(
        name=root.fields("metadata").word("name"),
        target=spec.word("kafkaVersion"),
        metadata_version=spec.word("metadataVersion"),
        names=clusters.words("names"),
        labels=selector.texts("matchLabels"),
        claims=selector.where("matchLabels"),
        after=spec.words("after"),
        settings=read_settings(spec),
        holds=tuple(_hold(hold) for hold in spec.each("holds")),
        approvals=tuple(_approval(approval) for approval in spec.each("approvals")),
        gates=read_gates(spec),
        expedite=read_expedite(spec),
        accept_risks=frozenset(risk.text for risk in spec.words("acceptRisks")),
        acknowledge=spec.words("acknowledge"),
        halted=spec.read("halted", values.flag) or False,
        place=root.place,
        broken=verdict.broken,
    )
    return group, tuple(problems)


def read_settings(fields: Fields) -> WrittenSettings:
    """Return the settings among ``fields``; of what is left out, None."""
    windows = tuple(window for each in fields.each("windows") if (window := _window(each)) is not None)
    return WrittenSettings(
        strategy=_strategy(fields.fields("strategy")) if fields.has("strategy") else None,
        windows=windows if fields.has("windows") else None,
        health=read_health(fields.fields("health")) if fields.has("health") else None,
        finalize=_finalize(fields.fields("finalize")) if fields.has("finalize") else None,
    )


def _finalize(fields: Fields) -> WrittenFinalize:
    return WrittenFinalize(soak=fields.read("soak", values.duration))


def _strategy(fields: Fields) -> WrittenStrategy:
    return WrittenStrategy(
        waves=tuple(_wave(wave) for wave in fields.each("waves")) if fields.has("waves") else None,
        failure_budget=fields.read("failureBudget", values.size),
        deadline=fields.read("deadline", values.duration),
        on_failure=fields.read("onFailure", OnFailure),
        where=fields.where("waves"),
    )


def _wave(fields: Fields) -> WrittenWave:
    select = fields.fields("select")
    return WrittenWave(
        name=fields.word("name"),
        size=fields.read("size", values.size),
        soak=fields.read("soak", values.duration),
        max_in_flight=fields.read("maxInFlight", values.whole_number),
        approval_required=fields.has("approval"),
        select=select.texts("matchLabels"),
        selects=fields.where("select") if fields.has("select") else None,
        where=fields.where(),
    )


def _window(fields: Fields) -> Window | None:
    zone, zone_name = read_zone(fields)
    days = frozenset(values.DAYS[day.text] for day in fields.words("days"))
    begins = fields.read("from", values.time_of_day)
    ends = fields.read("until", values.time_of_day)
    if begins is None or ends is None:
        return None
    if begins == ends:
        found = f"a window that is never open: it ends when it begins, at {begins // 60:02}:{begins % 60:02}"
        fields.note("until", found, "another time than `from`; for a whole day write from 00:00 until 24:00")
    return Window(
        days=days or frozenset(values.DAYS.values()),
        from_minute=begins,
        until_minute=ends,
        zone=zone,
        zone_name=zone_name,
        place=fields.place,
    )


def _hold(fields: Fields) -> WrittenHold:
    zone, _ = read_zone(fields)
    return WrittenHold(
        cluster=fields.word("cluster"),
        reason=fields.read("reason", values.words),
        until=fields.read("until", lambda text: values.end(text, zone)),
        place=fields.place,
    )


def _approval(fields: Fields) -> WrittenApproval:
    zone, _ = read_zone(fields)
    return WrittenApproval(
        wave=fields.word("wave"),
        by=fields.read("by", values.words),
        version=fields.word("version"),
        metadata_version=fields.word("metadataVersion"),
        until=fields.read("until", lambda text: values.end(text, zone)),
        place=fields.place,
    )
