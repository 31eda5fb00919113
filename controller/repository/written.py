"""A fleet and its groups as written: every field optional, every value typed, nothing filled in.

These values depend on nothing but their file, so they are kept by blob; defaults, the catalog and the other files
come in ``complete`` and ``rules``. None means that a field was left out, or that it was refused already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.model.calendar import Freeze, Window
from controller.model.declaration import Listener, OnFailure, Size
from controller.model.health import Health
from controller.model.places import Place
from controller.repository.fields import Word


@dataclass(frozen=True, slots=True)
class WrittenWave:
    """One wave of a strategy."""

    name: Word | None
    size: Size | None
    soak: timedelta | None
    max_in_flight: int | None
    approval_required: bool
    select: Mapping[str, str]
    selects: Word | None
    """What it selects as a whole, for its problems; None where it selects nothing."""
    where: Word
    """The wave as a whole, for its problems."""


@dataclass(frozen=True, slots=True)
class WrittenStrategy:
    """A strategy, or what is written of it."""

    waves: tuple[WrittenWave, ...] | None
    failure_budget: Size | None
    deadline: timedelta | None
    on_failure: OnFailure | None
    where: Word
    """The list of waves as a whole, for its problems."""


@dataclass(frozen=True, slots=True)
class WrittenFinalize:
    """How metadata.version is raised, or what is written of it."""

    soak: timedelta | None


@dataclass(frozen=True, slots=True)
class WrittenHealth:
    """When a cluster counts as healthy."""

    samples: int | None
    rules: Health


@dataclass(frozen=True, slots=True)
class WrittenSettings:
    """What a group may take from the fleet's ``defaults``, each field as a whole."""

    strategy: WrittenStrategy | None = None
    windows: tuple[Window, ...] | None = None
    health: WrittenHealth | None = None
    finalize: WrittenFinalize | None = None


@dataclass(frozen=True, slots=True)
class WrittenHold:
    """A cluster held in Git."""

    cluster: Word | None
    reason: str | None
    until: datetime | None
    place: Place


@dataclass(frozen=True, slots=True)
class WrittenApproval:
    """A person's word that a wave may start; what it is for is read against the catalog later."""

    wave: Word | None
    by: str | None
    version: Word | None
    metadata_version: Word | None
    until: datetime | None
    place: Place


@dataclass(frozen=True, slots=True)
class WrittenGate:
    """A question to an outside system: to Prometheus where it has a query, else to a webhook."""

    name: Word | None
    query: str | None
    below: float | None
    above: float | None
    samples: int | None
    url: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class WrittenExpedite:
    """A person's word that a release is urgent, for the fleet or in one group."""

    version: Word | None
    groups: tuple[Word, ...]
    """Of the fleet's, the patterns that were written; a group's has none."""
    reason: str | None
    by: str | None
    until: datetime | None
    soak: timedelta | None
    ignore_windows: bool
    ignore_freezes: bool
    place: Place


@dataclass(frozen=True, slots=True)
class WrittenGroup:
    """A ClusterGroup."""

    name: Word | None
    target: Word | None
    metadata_version: Word | None
    names: tuple[Word, ...]
    labels: Mapping[str, str]
    claims: Word
    """What it claims as a whole, for its problems."""
    after: tuple[Word, ...]
    settings: WrittenSettings
    holds: tuple[WrittenHold, ...]
    approvals: tuple[WrittenApproval, ...]
    gates: tuple[WrittenGate, ...]
    expedite: tuple[WrittenExpedite, ...]
    accept_risks: frozenset[str]
    acknowledge: tuple[Word, ...]
    halted: bool
    place: Place
    broken: frozenset[str]
    """Fields with a problem somewhere in them: nothing may be concluded from what they lack."""


@dataclass(frozen=True, slots=True)
class WrittenSource:
    """A source of live clusters."""

    name: Word | None
    type: str | None
    options: Mapping[str, str]
    inventory: Word | None
    """The path of a simulated source's inventory, inside the repository."""
    place: Place
    namespaces: tuple[str, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    take_over: bool = False
    listeners: tuple[Listener, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenFreeze:
    """A freeze, and the groups that it names."""

    freeze: Freeze | None
    groups: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class WrittenDomainLimit:
    """A limit for each value of one label."""

    label: Word | None
    clusters: int | None


@dataclass(frozen=True, slots=True)
class WrittenLimits:
    """Limits over all groups."""

    clusters_in_flight: int | None
    per_domain: tuple[WrittenDomainLimit, ...]
    never_together: tuple[str, ...]
    unavailable_percent: int | None


@dataclass(frozen=True, slots=True)
class WrittenFleet:
    """The Fleet."""

    name: str | None
    sources: tuple[WrittenSource, ...]
    limits: WrittenLimits
    freezes: tuple[WrittenFreeze, ...]
    expedite: tuple[WrittenExpedite, ...]
    halted: bool
    defaults: WrittenSettings
    broken: frozenset[str]
    """As of a group."""
