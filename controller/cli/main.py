"""The command ``wavefleet``: which commands there are. Each stands in a file of its own."""

import sys
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
    status,
    validate,
)
from controller.cli.exits import Exit, complain
from controller.cli.options import with_settings

app = typer.Typer(
    name="wavefleet",
    help="Upgrades fleets of Kafka clusters from a Git repository, one safe wave per cycle.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False
) -> None:
    if version:
        typer.echo(f"wavefleet {__version__}")
        raise typer.Exit(Exit.GOOD)


app.command("run")(with_settings(run.run))
app.command("cycle")(with_settings(cycle.cycle))
app.command("validate")(validate.validate)
app.command("plan")(with_settings(plan.plan))
app.command("status")(with_settings(status.status))
app.command("explain")(with_settings(explain.explain))
app.command("history")(with_settings(history.history))
app.command("halt")(with_settings(halt.halt))
app.command("resume")(with_settings(halt.resume))
app.command("check")(with_settings(check.check))
app.command("demo")(demo.demo)
app.add_typer(lab.app, name="lab")


def main() -> None:
    """Run the command line. Refuses to run without assertions, since they are safety here."""
    if not __debug__:
        complain("wavefleet: started with -O or PYTHONOPTIMIZE; assertions are safety here, start it without")
        sys.exit(Exit.WRONG_USAGE)
    app()
