"""``wavefleet status``: how each group stands, as the last cycle recorded it. Needs nothing but the ledger."""

import sys
from typing import Annotated

import typer

from controller.cli.exits import Exit
from controller.cli.options import FailOnHold, Output, OutputOption
from controller.cli.speech import complain, say
from controller.settings import Settings


def status(
    group: Annotated[str | None, typer.Argument(help="Only this group.", metavar="GROUP")] = None,
    *,
    output: OutputOption = Output.TEXT,
    fail_on_hold: FailOnHold = False,
    settings: Settings,
) -> None:
    """Print what holds the fleet as a whole, the sentence of each group, and what holds it."""
    from controller.cli.names import not_one
    from controller.cli.render import to_json
    from controller.cli.render_status import Shown, groups_of, print_status, status_json, status_text
    from controller.wiring.reading import recorded_history

    history = recorded_history(settings, required=True)
    if group is not None and group not in groups_of(history):
        complain(f"wavefleet: {not_one('group', group, (), groups_of(history))}")
        raise typer.Exit(Exit.WRONG_INPUT)
    shown = Shown.of(history, group)
    if output is Output.JSON:
        say(to_json(status_json(shown)))
    elif sys.stdout.isatty():
        print_status(shown)
    else:
        say(status_text(shown))
    if fail_on_hold and shown.is_held:
        raise typer.Exit(Exit.HELD)
