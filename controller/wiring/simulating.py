"""What ``wavefleet simulate`` plays: a folder's declaration with an inventory for every source, and the play of it."""

import sys
from dataclasses import replace
from pathlib import Path

from controller.atomic import read_bounded
from controller.errors import DeclarationError, RepositoryError, SettingsError
from controller.model.catalog import Catalog
from controller.model.declaration import Declaration
from controller.model.inventory import Inventory
from controller.reports.logs import LogStyle, Redaction, set_up_logs
from controller.repository.judge import judge_inventory
from controller.repository.tree import FILE_BYTES_MAX
from controller.simulate.play import Play
from controller.simulate.stage import Scenario
from controller.wiring.folder import declared_in

SIMULATED = "simulated"


def declared_for_simulation(folder: Path, inventory: Path | None) -> Declaration:
    """Return what ``folder`` declares, all of its live clusters simulated: those of ``inventory``, where one is given.

    Raises DeclarationError, RepositoryError, and SettingsError where a source has no inventory.
    """
    declaration = declared_in(folder)
    if inventory is not None:
        # One file stands for the whole live fleet, whatever sources it has: under the name of the first.
        first = declaration.sources[0]
        return replace(
            declaration,
            sources=(replace(first, type=SIMULATED, options={}),),
            inventories={first.name: inventory_in(inventory, declaration.catalog)},
        )
    for source in declaration.sources:
        if source.type != SIMULATED:
            raise SettingsError(
                f"{source.place}: source {source.name}: found type {source.type}, expected {SIMULATED}: simulating from"
                " a live fleet's last observation is not yet supported; give its inventory with --inventory FILE"
            )
    return declaration


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
