"""``wavefleet cycle``: exactly one cycle, for schedulers other than our own and for a first look."""

from typing import Annotated

import typer

from controller import wiring
from controller.cli.exits import Exit, complain
from controller.cli.options import Output, OutputOption
from controller.cli.render import plan_json, plan_text, to_json
from controller.settings import Settings

DELIVER_SECONDS = 60.0
"""How long messages may take to go out before the command leaves them to the next cycle."""


def cycle(
    *,
    output: OutputOption = Output.TEXT,
    fail_on_hold: Annotated[bool, typer.Option(help="Exit with 3 where something is held or halted.")] = False,
    settings: Settings,
) -> None:
    """Run one cycle: observe, plan, record, apply, report."""
    running = wiring.assemble(settings)
    try:
        if not running.ledger.acquire(running.owner, running.clock.now()):
            complain(f"wavefleet: the ledger is held by {running.ledger.holder()}; nothing was done")
            raise typer.Exit(Exit.OUTSIDE)
        plan = running.controller.run_cycle()
        if not running.delivery.drain(DELIVER_SECONDS):
            complain("wavefleet: not every message could be delivered; they wait in the ledger")
    finally:
        running.close()
    problems = running.controller.problems
    for problem in problems:
        complain(str(problem))
    if plan is not None:
        typer.echo(to_json(plan_json(plan)) if output is Output.JSON else plan_text(plan))
    if problems:
        raise typer.Exit(Exit.WRONG_INPUT)
    if plan is not None and fail_on_hold and (plan.holds or any(group.holds for group in plan.groups)):
        raise typer.Exit(Exit.HELD)
