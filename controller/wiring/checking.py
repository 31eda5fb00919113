"""For ``wavefleet check``: everything the daemon will need is tried with the rights it will need."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from controller import __version__
from controller.core.membership import assign
from controller.errors import ControllerError, LedgerError, ObservationError
from controller.ledger.opening import open_ledger
from controller.model.declaration import Declaration
from controller.model.durations import counted
from controller.model.observation import Observation, Unknown
from controller.ports import FleetSource, NeedsRights
from controller.reports.metrics import Metrics
from controller.runtime.clock import SystemClock
from controller.runtime.examining import Examiner, Rounds
from controller.settings import Settings
from controller.wiring.gates import check_gates
from controller.wiring.listeners import broker_health
from controller.wiring.parts import DeclaredSources, channels_of, repository_of

BROKERS_ASKED_MAX = 20
"""Clusters of a source whose brokers are asked, the first by name."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one trial."""

    name: str
    sentence: str
    problem: ControllerError | None = None


def check_everything(settings: Settings) -> Iterator[Checked]:
    """Try repository, declaration, ledger, sources, gates and channels, one after another; each yields its result."""
    declaration = None
    for checked, declared in _check_repository(settings):
        declaration = declared
        yield checked
    yield _try("ledger", lambda: _check_ledger(settings, declaration))
    if declaration is not None:
        yield from _check_sources(settings, declaration)
    yield from _check_gates(settings, declaration)
    yield from _check_channels(settings)


def _try(name: str, trial: Callable[[], str]) -> Checked:
    try:
        return Checked(name, trial())
    except ControllerError as error:
        return Checked(name, str(error), error)


def _check_repository(settings: Settings) -> Iterator[tuple[Checked, Declaration | None]]:
    try:
        repository = repository_of(settings)
        head = repository.fetch(None)
    except ControllerError as error:
        yield Checked("repository", str(error), error), None
        return
    yield Checked("repository", f"{settings.repository}, branch {settings.branch} at {head.revision[:10]}"), None
    try:
        declaration = repository.load(head.revision)
    except ControllerError as error:
        yield Checked("declaration", str(error), error), None
        return
    groups = f"{len(declaration.groups)} groups, {len(declaration.sources)} sources"
    yield Checked("declaration", f"fleet {declaration.fleet}: {groups}"), declaration


def _check_ledger(settings: Settings, declaration: Declaration | None) -> str:
    if not _is_there(settings.ledger):
        return _check_place(settings.ledger)
    fleet = None if declaration is None else declaration.fleet
    ledger = open_ledger(settings.ledger, fleet=fleet)
    try:
        if not ledger.acquire("wavefleet check", SystemClock().now()):
            return f"{settings.ledger}, held by {ledger.holder()}, which is well if that is the daemon"
        return f"{settings.ledger}, readable and writable"
    finally:
        ledger.close()


def _is_there(ledger: Path) -> bool:
    try:
        return ledger.exists()
    except OSError:
        return True  # what stands in the way is told by whoever opens it


def _check_place(ledger: Path) -> str:
    """Prove that a ledger could be made, and make none: by its absence commands know that a path is mistyped."""
    folder = next(each for each in ledger.absolute().parents if each.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return f"{ledger}, not there yet; the daemon makes it"
    except OSError as error:
        raise LedgerError(f"{ledger}: cannot be made: {folder}: {error.strerror}; choose another place") from error


def _check_sources(settings: Settings, declaration: Declaration) -> Iterator[Checked]:
    now = SystemClock().now()
    sources = DeclaredSources(settings, read_only=True)
    try:
        opened = sources.open(declaration)
    except ControllerError as error:
        yield Checked("sources", str(error), error)
        return
    for source in opened:
        checked = _try(f"source {source.name}", partial(_check_source, source, now))
        yield checked
        if checked.problem is None:
            yield from _check_brokers(settings, declaration, source, now)


def _check_source(source: FleetSource, now: datetime) -> str:
    clusters = counted(len(source.read(frozenset(), now).clusters))
    if not isinstance(source, NeedsRights):
        return clusters
    missing = source.missing_rights()
    if missing:
        raise ObservationError(f"{clusters}, but this controller may not {', nor '.join(missing)}")
    return "; ".join([clusters, *(f"it may not {each}" for each in source.missing_sights())])


def _check_brokers(
    settings: Settings, declaration: Declaration, source: FleetSource, now: datetime
) -> Iterator[Checked]:
    """Ask the brokers of some of a source's clusters, where any group wants them asked."""
    observation = Observation(source.read(frozenset(), now).clusters)
    rounds = Rounds(assign(declaration.groups, observation.clusters, {}), declaration)
    rules = rounds.of(observation.clusters, sorted(observation.clusters))
    if not rules:
        return
    asked = dict(islice(rules.items(), BROKERS_ASKED_MAX))
    examiner = Examiner(settings.source_timeout, Metrics(__version__))
    seen, _ = examiner.examine(observation, asked, broker_health(settings)(declaration))
    silent = [(name, seen.clusters[name].reading) for name in asked]
    whys = [f"{name}: {reading.why}" for name, reading in silent if isinstance(reading, Unknown)]
    told = f"{len(asked)} of {counted(len(rules))} asked"
    name = f"brokers of {source.name}"
    if whys:
        detail = f"{told}, {len(whys)} unknown, such as {whys[0]}"
        yield Checked(name, detail, ObservationError(detail))
    else:
        yield Checked(name, f"{told}, none unknown")


def _check_gates(settings: Settings, declaration: Declaration | None) -> Iterator[Checked]:
    for name, reading in check_gates(settings, declaration):
        problem = None if reading.passed else ObservationError(reading.detail)
        yield Checked(name, reading.detail, problem)


def _check_channels(settings: Settings) -> Iterator[Checked]:
    try:
        told = channels_of(settings)
    except ControllerError as error:
        yield Checked("channels", str(error), error)
        return
    for channel, _ in told:
        yield _try(f"channel {channel.name}", channel.check)
