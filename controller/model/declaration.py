"""What a revision of the fleet repository declares, complete: every default filled in, every value typed.

As written, a declaration has optional fields; ``repository`` turns that into these values. A rule that holds
for every valid declaration is asserted nowhere else: sizes are at least 1, waves reach ``rest``, names are
unique, every ``after`` names a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from controller.model.calendar import Freeze, Window
from controller.model.catalog import Catalog
from controller.model.health import Health
from controller.model.inventory import Inventory
from controller.model.places import Place
from controller.versions import KafkaVersion, MetadataVersion

REST = "rest"


@dataclass(frozen=True, slots=True)
class Size:
    """A number of clusters: absolute, in percent of a group's live clusters, or all that are left."""

    count: int | None = None
    percent: int | None = None

    @property
    def is_rest(self) -> bool:
        """True for ``rest``: every cluster that no earlier wave took."""
        return self.count is None and self.percent is None

    def of(self, live: int) -> int:
        """Return the number for a group of ``live`` clusters, percentages rounded down; not for ``rest``."""
        if self.count is not None:
            return self.count
        assert self.percent is not None, "the rest has no number of its own"
        return live * self.percent // 100

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent}%"
        return REST if self.count is None else str(self.count)


@dataclass(frozen=True, slots=True)
class Wave:
    """Clusters started together, as declared."""

    name: str
    size: Size
    soak: timedelta
    max_in_flight: int
    approval_required: bool
    place: Place
    select: Mapping[str, str] = field(default_factory=dict)
    """Labels of the clusters that go first in this wave; empty = any. Where none has them, the next ones go."""


class OnFailure(StrEnum):
    """What a group does once its failure budget is spent."""

    HALT = "halt"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a group is rolled out."""

    waves: tuple[Wave, ...]
    failure_budget: Size
    deadline: timedelta
    """Per cluster and hop, from its start to healthy on target."""
    on_failure: OnFailure


class Finalize(StrEnum):
    """What is declared of metadata.version where no level is named."""

    AUTO = "auto"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class ClusterHold:
    """A cluster held in Git."""

    cluster: str
    """Short or full name."""
    reason: str
    until: datetime | None
    place: Place


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word that a wave may start; for one release or one metadata.version, never for the other."""

    wave: str
    by: str
    target: KafkaVersion | MetadataVersion
    until: datetime | None
    place: Place


@dataclass(frozen=True, slots=True)
class PrometheusGate:
    """Holds unless the answer to a query lies within its bounds in enough consecutive cycles."""

    name: str
    query: str
    below: float | None
    above: float | None
    samples: int
    place: Place


@dataclass(frozen=True, slots=True)
class WebhookGate:
    """Holds unless another system says yes."""

    name: str
    url: str
    place: Place
    samples: int = 1


ExternalGate = PrometheusGate | WebhookGate


@dataclass(frozen=True, slots=True)
class Expedite:
    """A person's word that one release is urgent: shorter soaks, and no windows or freezes where it says so."""

    version: KafkaVersion
    groups: tuple[str, ...]
    """Patterns such as ``prod-*``."""
    reason: str
    by: str
    until: datetime
    place: Place
    soak: timedelta | None = None
    """The longest soak of a wave; None leaves them as declared."""
    ignore_windows: bool = False
    ignore_freezes: bool = False


@dataclass(frozen=True, slots=True)
class Selector:
    """Which clusters a group claims: by names, or by labels that all must match."""

    names: tuple[str, ...] = ()
    """Short or full names; empty where labels select."""
    match_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterGroup:
    """Clusters that share a target and a strategy."""

    name: str
    target: KafkaVersion
    metadata_version: Finalize | MetadataVersion
    selector: Selector
    strategy: Strategy
    place: Place
    """Where the group begins."""
    target_place: Place
    """The line of its kafkaVersion, which people merge."""
    after: tuple[str, ...] = ()
    finalize_soak: timedelta = timedelta(days=7)
    windows: tuple[Window, ...] = ()
    """Empty = always open."""
    samples: int = 3
    """Consecutive healthy observations that make a cluster converged, and unhealthy ones that make it failed."""
    holds: tuple[ClusterHold, ...] = ()
    approvals: tuple[Approval, ...] = ()
    accept_risks: frozenset[str] = frozenset()
    acknowledge: frozenset[int] = frozenset()
    """Numbers of this group's halts and quarantines that a person has looked at."""
    halted: bool = False
    gates: tuple[ExternalGate, ...] = ()
    """Questions to outside systems."""
    health: Health = field(default_factory=Health)


@dataclass(frozen=True, slots=True)
class Listener:
    """How to reach the brokers of some clusters of a source."""

    clusters: str
    """A pattern of their names, without the source."""
    bootstrap: tuple[str, ...]
    """``HOST:PORT``, with ``{name}`` and ``{namespace}`` for the cluster's own; empty = those that the source tells."""
    tls: bool
    sasl: str | None
    """The mechanism by which a password proves who we are, as Kafka writes it; None = no password."""
    credentials: str | None
    """The name of a set of files, kept by the controller's own settings."""


@dataclass(frozen=True, slots=True)
class SourceDeclaration:
    """Where live clusters are found; ``options`` are the keys of its type, as text."""

    name: str
    type: str
    options: Mapping[str, str]
    place: Place
    namespaces: tuple[str, ...] = ()
    """Patterns of the namespaces that are read; empty = all."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels that a cluster must have to be read."""
    take_over: bool = False
    """Write versions that another tool owns, too."""
    listeners: tuple[Listener, ...] = ()
    """The first that fits a cluster counts."""


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """How many clusters with one value of a label may be in flight at a time."""

    label: str
    clusters: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits over all groups."""

    clusters_in_flight: int = 10
    per_domain: tuple[DomainLimit, ...] = ()
    """The label of the first is the failure domain, over which waves are spread."""
    never_together: tuple[str, ...] = ()
    """Labels: clusters that share such a label's value are never in flight or soaking together."""
    unavailable_percent: int = 5
    """The breaker: with more of the claimed clusters unavailable than this, and more than one, nothing starts."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One valid revision of a fleet repository."""

    fleet: str
    sources: tuple[SourceDeclaration, ...]
    groups: tuple[ClusterGroup, ...]
    """In the order of their names."""
    catalog: Catalog
    limits: Limits = field(default_factory=Limits)
    freezes: tuple[Freeze, ...] = ()
    halted: bool = False
    inventories: Mapping[str, Inventory] = field(default_factory=dict, compare=False)
    """The inventories of simulated sources, by the source's name."""
    expedite: tuple[Expedite, ...] = ()
    """The fleet's, and each group's with its own name as the pattern."""

    def group(self, name: str) -> ClusterGroup | None:
        """Return the group called ``name``, or None where the revision declares no such group."""
        return next((group for group in self.groups if group.name == name), None)
