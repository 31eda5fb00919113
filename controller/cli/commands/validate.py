"""``wavefleet validate``: is what a folder declares valid? Prints one problem a line, where an editor can jump."""

from pathlib import Path
from typing import Annotated

import typer

from controller import wiring
from controller.cli.exits import Exit, exit_codes
from controller.cli.options import Output, OutputOption
from controller.cli.render import to_json


def validate(
    path: Annotated[Path, typer.Argument(help="The folder that holds fleet.yaml.", show_default=".")] = Path(),
    *,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check a fleet repository's files: fleet.yaml, releases.yaml, groups/*.yaml and the inventories they name."""
    with exit_codes():
        problems = wiring.problems_in(path)
    if output is Output.JSON:
        typer.echo(
            to_json(
                [
                    {
                        "file": problem.file,
                        "line": problem.line,
                        "field": problem.field,
                        "found": problem.found,
                        "expected": problem.expected,
                        "message": problem.message,
                    }
                    for problem in problems
                ]
            )
        )
    else:
        for problem in problems:
            typer.echo(str(problem))
        if not problems:
            typer.echo(f"{path}: valid")
    if problems:
        raise typer.Exit(Exit.WRONG_INPUT)
