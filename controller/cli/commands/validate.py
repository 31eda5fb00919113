"""``wavefleet validate``: is what a folder declares valid? Prints one problem a line, where an editor can jump."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import Exit, exit_codes
from controller.cli.options import Output, OutputOption
from controller.cli.speech import say


def validate(
    path: Annotated[
        Path, typer.Argument(help="The folder that holds fleet.yaml.", metavar="PATH", show_default=".")
    ] = Path(),
    *,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check a fleet repository's files: fleet.yaml, releases.yaml, groups/*.yaml and the inventories they name."""
    from controller.cli.render import problem_json, to_json
    from controller.wiring.folder import problems_in

    with exit_codes():
        problems = problems_in(path)
    if output is Output.JSON:
        say(to_json([problem_json(problem) for problem in problems]))
    else:
        say("\n".join(str(problem) for problem in problems) or f"{path}: valid")
    if problems:
        raise typer.Exit(Exit.WRONG_INPUT)
