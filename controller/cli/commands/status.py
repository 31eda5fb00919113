"""``wavefleet status``: how each group stands, as the last cycle recorded it. Needs nothing but the ledger."""

from typing import Annotated

import typer

from controller import wiring
from controller.cli.exits import Exit, complain
from controller.cli.options import Output, OutputOption
from controller.cli.render import to_json
from controller.cli.render_records import status_json, status_text
from controller.settings import Settings


def status(
    group: Annotated[str | None, typer.Argument(help="Only this group.")] = None,
    *,
    output: OutputOption = Output.TEXT,
    fail_on_hold: Annotated[bool, typer.Option(help="Exit with 3 where something is held or halted.")] = False,
    settings: Settings,
) -> None:
    """Print the sentence of each group, and what holds it."""
    groups = wiring.recorded_history(settings, required=True).groups
    if group is not None and group not in groups:
        complain(f"wavefleet: found no group called {group}, expected one of: {', '.join(sorted(groups)) or 'none'}")
        raise typer.Exit(Exit.WRONG_INPUT)
    shown = {name: state for name, state in sorted(groups.items()) if group in (None, name)}
    typer.echo(to_json(status_json(shown)) if output is Output.JSON else status_text(shown))
    if fail_on_hold and any(state.holds for state in shown.values()):
        raise typer.Exit(Exit.HELD)
