"""As written becomes as used: every default filled in, every release looked up in the catalog.

Called only for what has no problem, so what a schema requires is simply there. A group takes whole fields from the
fleet's ``defaults``: a group with a ``strategy`` of its own takes nothing of theirs, but what the table says.
"""

from typing import TypeVar

from controller.model.calendar import Freeze
from controller.model.catalog import Catalog
from controller.model.declaration import (
    Approval,
    ClusterGroup,
    ClusterHold,
    DomainLimit,
    Expedite,
    ExternalGate,
    Finalize,
    Limits,
    PrometheusGate,
    Selector,
    Size,
    SourceDeclaration,
    Strategy,
    Wave,
    WebhookGate,
)
from controller.model.health import Health
from controller.model.places import Place
from controller.repository import defaults
from controller.repository.fields import Word
from controller.repository.group_rules import Ground
from controller.repository.written import (
    WrittenApproval,
    WrittenExpedite,
    WrittenFleet,
    WrittenGate,
    WrittenGroup,
    WrittenHold,
    WrittenLimits,
    WrittenStrategy,
    WrittenWave,
)
from controller.versions import KafkaVersion, MetadataVersion

T = TypeVar("T")


def complete_group(group: WrittenGroup, ground: Ground) -> ClusterGroup:
    """Return what a group without a problem declares."""
    fleet, catalog = _there(ground.defaults), _there(ground.catalog)
    target = _there(group.target)
    own = group.settings
    windows = own.windows if own.windows is not None else fleet.windows
    finalize = own.finalize or fleet.finalize
    health = own.health or fleet.health
    return ClusterGroup(
        name=_there(group.name).text,
        target=KafkaVersion.parse(target.text),
        metadata_version=_metadata_version(group.metadata_version, catalog),
        selector=Selector(tuple(name.text for name in group.names), group.labels),
        strategy=_strategy(own.strategy or fleet.strategy, group.place),
        place=group.place,
        target_place=target.place,
        after=tuple(name.text for name in group.after),
        finalize_soak=(finalize.soak if finalize is not None else None) or defaults.FINALIZE_SOAK,
        windows=windows or (),
        samples=(health.samples if health is not None else None) or defaults.SAMPLES,
        holds=tuple(_hold(hold) for hold in group.holds),
        approvals=tuple(_approval(approval, catalog) for approval in group.approvals),
        accept_risks=group.accept_risks,
        acknowledge=frozenset(int(word.text.rpartition("-")[2]) for word in group.acknowledge),
        halted=group.halted,
        gates=tuple(_gate(gate) for gate in group.gates),
        health=health.rules if health is not None else Health(),
    )


def complete_group_expedite(group: WrittenGroup) -> tuple[Expedite, ...]:
    """Return the expedited targets of a group without a problem, for that group alone."""
    return tuple(_expedite(it, (_there(group.name).text,)) for it in group.expedite)


def complete_fleet_expedite(fleet: WrittenFleet) -> tuple[Expedite, ...]:
    """Return the expedited targets of a fleet without a problem, without those of its groups."""
    return tuple(
        _expedite(it, tuple(pattern.text for pattern in it.groups) or defaults.EVERY_GROUP) for it in fleet.expedite
    )


def complete_limits(limits: WrittenLimits) -> Limits:
    """Return the limits of a fleet without a problem."""
    return Limits(
        clusters_in_flight=limits.clusters_in_flight or defaults.CLUSTERS_IN_FLIGHT,
        per_domain=tuple(DomainLimit(_there(it.label).text, _there(it.clusters)) for it in limits.per_domain),
        never_together=limits.never_together,
        unavailable_percent=limits.unavailable_percent or defaults.UNAVAILABLE_PERCENT,
    )


def complete_sources(fleet: WrittenFleet) -> tuple[SourceDeclaration, ...]:
    """Return the sources of a fleet without a problem, as they are ordered in it."""
    return tuple(
        SourceDeclaration(
            name=_there(source.name).text,
            type=_there(source.type),
            options=source.options,
            place=source.place,
            namespaces=source.namespaces,
            selector=source.selector,
            take_over=source.take_over,
            listeners=source.listeners,
        )
        for source in fleet.sources
    )


def complete_freezes(fleet: WrittenFleet) -> tuple[Freeze, ...]:
    """Return the freezes of a fleet without a problem."""
    return tuple(_there(freeze.freeze) for freeze in fleet.freezes)


def _strategy(written: WrittenStrategy | None, place: Place) -> Strategy:
    waves = written.waves if written is not None else None
    budget = written.failure_budget if written is not None else None
    return Strategy(
        waves=_default_waves(place) if waves is None else tuple(_wave(wave, it) for it, wave in enumerate(waves)),
        failure_budget=budget if budget is not None else defaults.FAILURE_BUDGET,
        deadline=(written.deadline if written is not None else None) or defaults.DEADLINE,
        on_failure=(written.on_failure if written is not None else None) or defaults.ON_FAILURE,
    )


def _default_waves(place: Place) -> tuple[Wave, ...]:
    return tuple(_built_wave(name, size, number, place) for number, (name, size) in enumerate(defaults.WAVES))


def _built_wave(name: str, size: Size, index: int, place: Place) -> Wave:
    soak = defaults.SOAK_OF_LATER_WAVES if index else defaults.SOAK_OF_FIRST_WAVE
    return Wave(name, size, soak, defaults.MAX_IN_FLIGHT, approval_required=False, place=place)


def _wave(wave: WrittenWave, index: int) -> Wave:
    return Wave(
        name=_there(wave.name).text,
        size=_there(wave.size),
        soak=wave.soak or (defaults.SOAK_OF_LATER_WAVES if index else defaults.SOAK_OF_FIRST_WAVE),
        max_in_flight=wave.max_in_flight or defaults.MAX_IN_FLIGHT,
        approval_required=wave.approval_required,
        place=wave.where.place,
        select=wave.select,
    )


def _hold(hold: WrittenHold) -> ClusterHold:
    return ClusterHold(_there(hold.cluster).text, _there(hold.reason), hold.until, hold.place)


def _approval(approval: WrittenApproval, catalog: Catalog) -> Approval:
    version, level = approval.version, approval.metadata_version
    target = KafkaVersion.parse(version.text) if version is not None else catalog.metadata_versions[_there(level).text]
    return Approval(_there(approval.wave).text, _there(approval.by), target, approval.until, approval.place)


def _metadata_version(word: Word | None, catalog: Catalog) -> Finalize | MetadataVersion:
    if word is None:
        return defaults.METADATA_VERSION
    level = catalog.metadata_versions.get(word.text)
    return level if level is not None else Finalize(word.text)


def _gate(gate: WrittenGate) -> ExternalGate:
    name = _there(gate.name).text
    if gate.url is not None:
        return WebhookGate(name, gate.url, gate.place)
    samples = gate.samples or defaults.GATE_SAMPLES
    return PrometheusGate(name, _there(gate.query), gate.below, gate.above, samples, gate.place)


def _expedite(written: WrittenExpedite, groups: tuple[str, ...]) -> Expedite:
    return Expedite(
        version=KafkaVersion.parse(_there(written.version).text),
        groups=groups,
        reason=_there(written.reason),
        by=_there(written.by),
        until=_there(written.until),
        place=written.place,
        soak=written.soak,
        ignore_windows=written.ignore_windows,
        ignore_freezes=written.ignore_freezes,
    )


def _there(value: T | None) -> T:
    """Return what a declaration without a problem has."""
    assert value is not None, "only what has no problem is completed"
    return value
