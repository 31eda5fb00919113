"""What ``wavefleet simulate`` plays: a folder's declaration with an inventory for every source, and the play of it.

Clusters of live sources are taken as they are seen once; nothing is written to them.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from controller import __version__
from controller.atomic import read_bounded
from controller.errors import DeclarationError, ObservationError, RepositoryError
from controller.model.catalog import Catalog
from controller.model.declaration import Declaration
from controller.model.durations import counted, format_duration, format_moment
from controller.model.inventory import Inventory, SimulatedCluster
from controller.model.names import last_part, listed, source_of
from controller.model.observation import ObservedCluster, Reading
from controller.reports.logs import LogStyle, Redaction, set_up_logs
from controller.reports.metrics import Metrics
from controller.repository.defaults import BROKERS, PER_BROKER, SETTLE
from controller.repository.judge import judge_inventory
from controller.repository.tree import FILE_BYTES_MAX
from controller.runtime.clock import SystemClock
from controller.runtime.watching import Watcher
from controller.settings import load_settings
from controller.simulate.play import Play
from controller.simulate.stage import Scenario
from controller.wiring.folder import declared_in
from controller.wiring.parts import DeclaredSources

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A declaration all of whose clusters are simulated."""

    declaration: Declaration
    notes: tuple[str, ...] = ()
    """What a person should know of where the clusters came from."""


def declared_for_simulation(folder: Path, inventory: Path | None, environ: Mapping[str, str]) -> Rehearsed:
    """Return what ``folder`` declares, all of its live clusters simulated: those of ``inventory``, where one is given.

    Without it each source that is not simulated is read once, and its clusters begin as they are seen now. Raises
    DeclarationError, RepositoryError, SettingsError, and ObservationError where a source cannot be read.
    """
    declaration = declared_in(folder)
    if inventory is None:
        return _as_seen(declaration, environ)
    # One file stands for the whole live fleet, whatever sources it has: under the name of the first.
    first = declaration.sources[0]
    return Rehearsed(
        replace(
            declaration,
            sources=(replace(first, type=SIMULATED, options={}),),
            inventories={first.name: inventory_in(inventory, declaration.catalog)},
        )
    )


def _as_seen(declaration: Declaration, environ: Mapping[str, str]) -> Rehearsed:
    live = tuple(source for source in declaration.sources if source.type != SIMULATED)
    if not live:
        return Rehearsed(declaration)
    settings, now = load_settings({}, environ), SystemClock().now()
    sources = DeclaredSources(settings, read_only=True).open(replace(declaration, sources=live))
    observation = Watcher(settings.source_timeout, Metrics(__version__)).watch(sources, {}, frozenset(), now)
    for name, why in observation.unreachable.items():
        raise ObservationError(f"source {name}: {why}; give its inventory with --inventory FILE")
    inventories, notes = dict(declaration.inventories), []
    for source in live:
        seen = [each for name, each in observation.clusters.items() if source_of(name) == source.name]
        inventories[source.name] = inventory_of(seen)
        notes.append(_note(source.name, seen, now))
    simulated = tuple(
        replace(source, type=SIMULATED, options={}) if source in live else source for source in declaration.sources
    )
    return Rehearsed(replace(declaration, sources=simulated, inventories=inventories), tuple(notes))


def _note(source: str, seen: Sequence[ObservedCluster], now: datetime) -> str:
    dark = sorted(last_part(each.name) for each in seen if not isinstance(each.reading, Reading))
    left_out = f"; left out, since they could not be read: {listed(dark)}" if dark else ""
    pace = f"{BROKERS} brokers of {format_duration(PER_BROKER)} each and {format_duration(SETTLE)} to settle"
    return f"source {source}: {counted(len(seen))} as seen at {format_moment(now, now)}, taken to have {pace}{left_out}"


def inventory_of(seen: Sequence[ObservedCluster]) -> Inventory:
    """Return the clusters that could be read, as they stand, with the pace that an inventory has by default.

    One between two releases begins on its lower one.
    """
    return Inventory(
        tuple(
            SimulatedCluster(
                name=each.name.partition("/")[2],
                labels=each.labels,
                release=each.reading.release,
                metadata_version=each.reading.metadata_version,
                brokers=BROKERS,
                per_broker=PER_BROKER,
                settle=SETTLE,
            )
            for each in seen
            if isinstance(each.reading, Reading)
        )
    )


def inventory_in(file: Path, catalog: Catalog) -> Inventory:
    """Return the inventory in ``file``. Raises DeclarationError, RepositoryError where it cannot be read."""
    try:
        content = read_bounded(file, FILE_BYTES_MAX)
    except OSError as error:
        raise RepositoryError(f"{file}: cannot be read: {error.strerror}; name a file with an Inventory") from error
    judged = judge_inventory(catalog, str(file), content)
    if judged.problems:
        raise DeclarationError(judged.problems)
    assert judged.inventory is not None, "an inventory without problems is there"
    return judged.inventory


def play_of(scenario: Scenario) -> Play:
    """Return the play of ``scenario``, before its first cycle; what its cycles log is left out, but for errors."""
    set_up_logs(sys.stderr, LogStyle(json=False, level="error"), Redaction())
    return Play(scenario)
