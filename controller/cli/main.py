"""The command ``wavefleet``: which commands there are. Each stands in a file of its own.

A command's file imports only what its options need; the rest is imported when the command runs, so that ``--help``
and completion are quick.
"""

import sys
import traceback
from typing import Annotated

import typer

from controller import __version__
from controller.cli.commands import (
    check,
    cycle,
    demo,
    explain,
    halt,
    history,
    lab,
    plan,
    run,
    simulate,
    status,
    validate,
)
from controller.cli.exits import Exit
from controller.cli.options import (
    OF_ALL,
    OF_THE_BROKERS,
    OF_THE_LEDGER,
    OF_THE_REPOSITORY,
    SettingsCommand,
    with_settings,
)
from controller.cli.speech import complain, drop_the_rest, forgive_encodings, say

app = typer.Typer(
    name="wavefleet",
    help="Upgrades fleets of Kafka clusters from a Git repository, one safe wave per cycle.",
    epilog="Exit codes: 0 good, 1 wrong input, 2 wrong usage, 3 something is held (where asked with --fail-on-hold), "
    "4 an outside system or the ledger failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(value: bool) -> None:  # noqa: FBT001 - Typer's form
    if value:
        say(f"wavefleet {__version__}")
        raise typer.Exit(Exit.GOOD)


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    del version  # its callback has left


for _command, _shown, _short_help in (
    (run.run, OF_ALL, "Run the daemon: cycles until told to stop."),
    (cycle.cycle, OF_ALL, "Run exactly one cycle."),
    (plan.plan, OF_THE_REPOSITORY, "Print what would happen now; nothing is written."),
    (status.status, OF_THE_LEDGER, "Print how each group stands."),
    (explain.explain, OF_THE_BROKERS, "Print why a cluster does not move."),
    (history.history, OF_THE_LEDGER, "Print what was decided, and when."),
    (halt.halt, OF_THE_LEDGER, "Stop every start in a group, or in the fleet."),
    (halt.resume, OF_THE_LEDGER, "Lift halts and quarantines."),
    (check.check, OF_ALL, "Try everything that the daemon needs."),
):
    _answers = _command not in (run.run, cycle.cycle)
    app.command(cls=SettingsCommand, short_help=_short_help)(with_settings(_command, _shown, answers=_answers))
app.command(short_help="Check the files of a fleet repository.")(validate.validate)
app.command(short_help="Play what a folder declares, in virtual time.")(simulate.simulate)
app.command(short_help="Show a rollout over the example fleet.")(demo.demo)
app.add_typer(lab.app, name="lab", short_help="Run real Kafka brokers as local processes.")


def main() -> None:
    """Run the command line. Refuses to run without assertions, since they are safety here."""
    forgive_encodings()
    if not __debug__:
        complain("wavefleet: started with -O or PYTHONOPTIMIZE; assertions are safety here, start it without")
        sys.exit(Exit.WRONG_USAGE)
    try:
        app(prog_name="wavefleet")  # also as `python -m controller`, so that completion fits
    except BrokenPipeError:
        drop_the_rest(sys.stdout)
    except Exception:  # noqa: BLE001 - whatever was not foreseen, told apart from wrong input by its exit code
        traceback.print_exc()
        complain("wavefleet: this is a bug; please report it with the lines above")
        sys.exit(Exit.BUG)
