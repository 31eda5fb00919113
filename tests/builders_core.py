"""Builders of what the core judges: waves, groups, declarations, standings, snapshots, and plays of several cycles.

A usable whole by default: one group ``prod`` on its way from ``OLD`` to ``NEW``, always open, with the head just
confirmed. Each test names the one thing that it is about. The catalog is the one that comes with the product.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack
from zoneinfo import ZoneInfo

from controller.errors import Problem
from controller.history.records import RolloutKind, Stop, StopKind
from controller.model.calendar import Freeze, Window
from controller.model.catalog import Catalog
from controller.model.declaration import (
    Approval,
    ClusterGroup,
    ClusterHold,
    Declaration,
    DomainLimit,
    Expedite,
    ExternalGate,
    Finalize,
    Limits,
    OnFailure,
    PrometheusGate,
    Selector,
    Size,
    Strategy,
    Wave,
)
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.model.requests import Command, Request
from controller.model.snapshot import Standing
from controller.model.verdict import Hold, Verdict
from controller.repository.catalog import built_in_catalog
from controller.versions import KafkaVersion, MetadataVersion, Target
from tests.builders import DAY, HOUR, NEW, NOON, a_reading, place, release

FLEET_NAME = "acme"
SOURCE = "sim"
REVISION = "a" * 40
EVERY_DAY = range(7)


def catalog() -> Catalog:
    """The release catalog of the product."""
    return built_in_catalog()


def releases_between(first: str, last: str) -> tuple[KafkaVersion, ...]:
    """The catalog's releases from one to another, as an operator would support them."""
    return tuple(sorted(each for each in catalog().releases if release(first) <= each <= release(last)))


def a_size(text: str) -> Size:
    """A size as people write it: ``1``, ``10%`` or ``rest``."""
    if text == "rest":
        return Size()
    return Size(percent=int(text[:-1])) if text.endswith("%") else Size(count=int(text))


def a_wave(
    name: str = "canary", size: str = "1", soak: timedelta = HOUR, *, most: int = 5, approval: bool = False
) -> Wave:
    """A wave; ``most`` is how many of it may be in flight."""
    return Wave(name, a_size(size), soak, most, approval, place())


def choosing(wave: Wave, **labels: str) -> Wave:
    """The same wave, for clusters with ``labels`` first."""
    return replace(wave, select=labels)


TWO_WAVES = (a_wave("canary", "1"), a_wave("broad", "rest"))


class StrategyParts(TypedDict, total=False):
    """What a test may say of a strategy."""

    waves: tuple[Wave, ...]
    budget: str
    deadline: timedelta
    on_failure: OnFailure


def a_strategy(**parts: Unpack[StrategyParts]) -> Strategy:
    """Two waves, no failure budget, three hours for each cluster."""
    return Strategy(
        parts.get("waves", TWO_WAVES),
        a_size(parts.get("budget", "0")),
        parts.get("deadline", 3 * HOUR),
        parts.get("on_failure", OnFailure.HALT),
    )


class GroupParts(TypedDict, total=False):
    """What a test may say of a group beside its name and target."""

    selector: Selector
    strategy: Strategy
    after: tuple[str, ...]
    windows: tuple[Window, ...]
    samples: int
    holds: tuple[ClusterHold, ...]
    approvals: tuple[Approval, ...]
    accept_risks: frozenset[str]
    acknowledge: frozenset[int]
    halted: bool
    metadata_version: Finalize | MetadataVersion
    finalize_soak: timedelta
    gates: tuple[ExternalGate, ...]
    health: Health


def a_group(name: str = "prod", target: str = NEW, **parts: Unpack[GroupParts]) -> ClusterGroup:
    """A group that claims the clusters labelled ``group: NAME``; one healthy observation makes a sample."""
    filled: GroupParts = {
        "selector": Selector(match_labels={"group": name}),
        "strategy": a_strategy(),
        "samples": 1,
        "metadata_version": Finalize.HOLD,
        **parts,
    }
    where = place(file=f"groups/{name}.yaml")
    return ClusterGroup(
        name=name,
        target=release(target),
        place=where,
        target_place=replace(where, line=5),
        **filled,
    )


class DeclarationParts(TypedDict, total=False):
    """What a test may say of a declaration beside its groups."""

    catalog: Catalog
    limits: Limits
    freezes: tuple[Freeze, ...]
    halted: bool
    expedite: tuple[Expedite, ...]


def a_declaration(*groups: ClusterGroup, **parts: Unpack[DeclarationParts]) -> Declaration:
    """A valid revision with ``groups``, by default with ``prod`` alone."""
    filled: DeclarationParts = {"catalog": catalog(), "limits": Limits(unavailable_percent=100), **parts}
    ordered = tuple(sorted(groups or (a_group(),), key=lambda group: group.name))
    return Declaration(FLEET_NAME, (), ordered, **filled)


def a_window(from_: str = "09:00", until: str = "16:00", zone: str = "UTC", days: Iterable[int] = EVERY_DAY) -> Window:
    """A window by the clock of ``zone``; ``until`` may be ``24:00``."""
    return Window(frozenset(days), minutes(from_), minutes(until), ZoneInfo(zone), zone, place())


def minutes(text: str) -> int:
    """``HH:MM`` as minutes after midnight."""
    hours, _, rest = text.partition(":")
    return 60 * int(hours) + int(rest)


def a_freeze(
    name: str = "peak",
    groups: tuple[str, ...] = ("*",),
    from_: datetime = NOON,
    until: datetime = NOON + DAY,
) -> Freeze:
    """A freeze of ``groups``, by default of all from noon for a day."""
    return Freeze(name, from_, until, UTC, "UTC", groups, "peak trade", place(file="fleet.yaml"))


class ExpediteParts(TypedDict, total=False):
    """What a test may say of what is urgent beside the release."""

    groups: tuple[str, ...]
    until: datetime
    soak: timedelta | None
    ignore_windows: bool
    ignore_freezes: bool


def an_expedite(version: str = NEW, **parts: Unpack[ExpediteParts]) -> Expedite:
    """Ana's word that a release is urgent, by default for all groups and for a day."""
    filled: ExpediteParts = {"groups": ("*",), "until": NOON + DAY, **parts}
    return Expedite(release(version), reason="CVE", by="ana", place=place(file="fleet.yaml"), **filled)


def a_gate(name: str = "p99", samples: int = 1) -> PrometheusGate:
    """A question to an outside system."""
    return PrometheusGate(name, "histogram_quantile(0.99, x)", 0.25, None, samples, place())


def apart(label: str, *more: str, most: int = 5) -> Limits:
    """Limits under which clusters that share one of these labels are never in flight together."""
    return Limits(clusters_in_flight=most, never_together=(label, *more), unavailable_percent=100)


def domains_of(label: str, clusters: int = 1, most: int = 10) -> Limits:
    """Limits under which so many clusters of each domain may be in flight."""
    return Limits(clusters_in_flight=most, per_domain=(DomainLimit(label, clusters),), unavailable_percent=100)


def a_hold(cluster: str, until: datetime | None = None) -> ClusterHold:
    """A hold in Git."""
    return ClusterHold(cluster, "INC-4711", until, place())


def an_approval(wave: str = "canary", target: str = NEW, until: datetime | None = None) -> Approval:
    """Ana's approval of a wave for one release, as people write it."""
    return approval_of(wave, release(target), until)


def approval_of(wave: str, target: KafkaVersion, until: datetime | None = None) -> Approval:
    """Ana's approval of a wave for one release."""
    return Approval(wave, "ana", target, until, place())


class StopParts(TypedDict, total=False):
    """What a test may say of a stop beside its id and kind."""

    cluster: str | None
    suspect: Target | None
    rollout: int | None
    wave: int | None
    acknowledged_at: datetime | None


def a_stop(number: int = 1, scope: str = "prod", kind: StopKind = StopKind.HALT, **parts: Unpack[StopParts]) -> Stop:
    """A numbered stop that nobody acknowledged."""
    return replace(Stop(scope, number, kind, "1 of 3 clusters failed", "failure budget", NOON), **parts)


class StandingParts(TypedDict, total=False):
    """What a test may say of how the declaration in force stands to its branch."""

    head: str
    in_force: str
    problems: tuple[Problem, ...]
    unreachable: str | None
    rewritten_from: str | None
    declared_by: Mapping[str, str]


def a_standing(confirmed_at: datetime | None = NOON, **parts: Unpack[StandingParts]) -> Standing:
    """The head is in force and was confirmed."""
    return replace(Standing(head=REVISION, in_force=REVISION, confirmed_at=confirmed_at), **parts)


class RequestParts(TypedDict, total=False):
    """What a test may say of a person's command."""

    scope: str
    number: int | None
    revision: str | None
    reason: str


def a_request(command: Command = Command.HALT, id: int = 1, **parts: Unpack[RequestParts]) -> Request:  # noqa: A002 - its name
    """Ana's command, by default to halt ``prod``."""
    filled: RequestParts = {"scope": "prod", "reason": "looks odd", **parts}
    return Request(id, command, by="ana", at=NOON, **filled)


def a_member(
    name: str, reading: Reading | Unknown | None = None, group: str = "prod", **labels: str
) -> ObservedCluster:
    """An observed cluster by its short name, labelled into ``group``."""
    return ObservedCluster(f"{SOURCE}/{name}", {"group": group, **labels}, a_reading() if reading is None else reading)


def members(count: int, reading: Reading | Unknown | None = None, group: str = "prod") -> Mapping[str, ObservedCluster]:
    """``count`` clusters of one group, named ``GROUP-1`` and on."""
    made = (a_member(f"{group}-{number}", reading, group) for number in range(1, count + 1))
    return {cluster.name: cluster for cluster in made}


def held_for(verdict: Verdict) -> Hold:
    """The hold that ``verdict`` is; fails where it passes."""
    assert isinstance(verdict, Hold), verdict
    return verdict


SOFTWARE = RolloutKind.SOFTWARE
TARGET: Target = KafkaVersion.parse(NEW)
