"""Reads the Fleet as written: sources, limits, freezes, expedited targets and the defaults of every group."""

from datetime import datetime

from controller.errors import Problem
from controller.model.calendar import Freeze
from controller.repository import defaults, values
from controller.repository.fields import Fields, Word
from controller.repository.files import Document
from controller.repository.read_expedite import read_expedite
from controller.repository.read_group import read_settings
from controller.repository.read_listeners import read_listeners
from controller.repository.read_zone import read_zone
from controller.repository.schema import check
from controller.repository.written import (
    WrittenDomainLimit,
    WrittenFleet,
    WrittenFreeze,
    WrittenLimits,
    WrittenSource,
)

_OPTIONS = ("inventory", "directory", "context", "kubeconfig")


def read_fleet(document: Document) -> tuple[WrittenFleet, tuple[Problem, ...]]:
    """Return what the document says of the fleet, and what is wrong with it by itself."""
    verdict = check(document, "Fleet")
    problems = list(verdict.problems)
    root = Fields.of(document, problems)
    spec = root.fields("spec")
    name = root.fields("metadata").word("name")
    fleet = WrittenFleet(
        name=name.text if name is not None else None,
        sources=tuple(_source(source) for source in spec.each("sources")),
        limits=_limits(spec.fields("limits")),
        freezes=tuple(_freeze(freeze) for freeze in spec.each("freezes")),
        expedite=read_expedite(spec),
        halted=spec.read("halted", values.flag) or False,
        defaults=read_settings(spec.fields("defaults")),
        broken=verdict.broken,
    )
    return fleet, tuple(problems)


def inner_path(text: str) -> str:
    """Return the plain form of a path that stays inside the repository; raises ValueError where it does not."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if text.startswith("/") or ".." in parts or ".git" in parts or not parts:
        raise ValueError("a path inside this repository, without '..', such as simulation/clusters.yaml")
    return "/".join(parts)


def _source(fields: Fields) -> WrittenSource:
    kind = fields.word("type")
    written = {key: word.text for key in _OPTIONS if (word := fields.word(key)) is not None}
    inventory = fields.word("inventory")
    path = fields.read("inventory", inner_path)
    if inventory is not None and path is not None:
        written["inventory"] = path
        inventory = Word(path, inventory.place, inventory.field)
    return WrittenSource(
        name=fields.word("name"),
        type=kind.text if kind is not None else None,
        options=written,
        inventory=inventory if path is not None else None,
        place=fields.place,
        namespaces=tuple(word.text for word in fields.words("namespaces")),
        selector=fields.fields("selector").texts("matchLabels"),
        take_over=fields.read("takeOver", values.flag) or False,
        listeners=read_listeners(fields, kind.text if kind is not None else None),
    )


def _limits(fields: Fields) -> WrittenLimits:
    return WrittenLimits(
        clusters_in_flight=fields.read("clustersInFlight", values.whole_number),
        per_domain=tuple(
            WrittenDomainLimit(limit.word("label"), limit.read("clusters", values.whole_number))
            for limit in fields.each("perDomain")
        ),
        never_together=tuple(label.text for label in fields.words("neverTogether")),
        unavailable_percent=fields.read("unavailable", values.percent),
    )


def _freeze(fields: Fields) -> WrittenFreeze:
    zone, zone_name = read_zone(fields)
    name = fields.read("name", values.words)
    reason = fields.read("reason", values.words)
    begins = fields.read("from", lambda text: values.beginning(text, zone))
    ends = fields.read("until", lambda text: values.end(text, zone))
    groups = fields.words("groups")
    if name is None or reason is None or begins is None or ends is None:
        return WrittenFreeze(None, groups)
    if ends <= begins:
        found = f"an end that does not lie after the beginning ({_told(begins)} until {_told(ends)})"
        fields.note("until", found, "a later moment than `from`")
    freeze = Freeze(
        name=name,
        from_=begins,
        until=ends,
        zone=zone,
        zone_name=zone_name,
        groups=tuple(group.text for group in groups) or defaults.EVERY_GROUP,
        reason=reason,
        place=fields.place,
    )
    return WrittenFreeze(freeze, groups)


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
