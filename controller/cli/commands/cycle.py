"""``wavefleet cycle``: exactly one cycle, for schedulers other than our own and for a first look."""

import typer

from controller.cli.exits import Exit
from controller.cli.options import FailOnHold, Output, OutputOption
from controller.cli.speech import complain, say
from controller.settings import Settings

DELIVER_SECONDS = 60.0
"""How long messages may take to go out before the command leaves them to the next cycle."""


def cycle(*, output: OutputOption = Output.TEXT, fail_on_hold: FailOnHold = False, settings: Settings) -> None:
    """Run one cycle: observe, plan, record, apply, report."""
    from controller.cli.render import to_json
    from controller.cli.render_plan import Document, is_held, plan_json, plan_text
    from controller.wiring.running import assemble

    running = assemble(settings)
    try:
        if not running.ledger.acquire(running.owner, running.clock.now()):
            complain(f"wavefleet: the ledger is held by {running.ledger.holder()}; nothing was done")
            raise typer.Exit(Exit.OUTSIDE)
        plan = running.controller.run_cycle()
        if not running.delivery.drain(DELIVER_SECONDS):
            complain("wavefleet: not every message could be delivered; they wait in the ledger")
    finally:
        running.close()
    if plan is not None:
        say(to_json(plan_json(Document(plan))) if output is Output.JSON else plan_text(Document(plan)))
    for problem in running.controller.problems:
        complain(str(problem))
    if running.controller.unreachable is not None:
        complain(f"wavefleet: {running.controller.unreachable}")
        raise typer.Exit(Exit.OUTSIDE)
    if running.controller.problems:
        raise typer.Exit(Exit.WRONG_INPUT)
    if plan is not None and fail_on_hold and is_held(plan):
        raise typer.Exit(Exit.HELD)
