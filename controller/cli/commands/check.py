"""``wavefleet check``: tries everything that the daemon will need, with its rights, and says what is missing."""

import typer

from controller.cli.exits import Exit
from controller.cli.options import Output, OutputOption
from controller.cli.speech import say
from controller.settings import Settings


def check(*, output: OutputOption = Output.TEXT, settings: Settings) -> None:
    """Try the repository, its declaration, every source, the ledger and every channel."""
    from controller.cli.render import to_json
    from controller.wiring.checking import check_everything

    results = []
    for result in check_everything(settings):
        results.append(result)
        if output is Output.TEXT:
            say(f"{'ok     ' if result.problem is None else 'MISSING'} {result.name}: {result.sentence}")
    if output is Output.JSON:
        say(to_json([{"name": each.name, "ok": each.problem is None, "sentence": each.sentence} for each in results]))
    if any(result.problem is not None for result in results):
        raise typer.Exit(Exit.OUTSIDE)
