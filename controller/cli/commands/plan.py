"""``wavefleet plan``: what would happen now, from the controller's own judgement, and nothing is written."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from controller import wiring
from controller.cli.exits import Exit
from controller.cli.moments import parse_moment
from controller.cli.options import PlanOutput
from controller.cli.render import plan_json, plan_markdown, plan_text, to_json
from controller.core.plan import plan_cycle
from controller.settings import Settings


def plan(
    *,
    path: Annotated[
        Path | None, typer.Option(help="Plan what this folder declares, instead of the branch's head.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=parse_moment, metavar="TIME", help="Plan for this moment, such as 2026-03-02T09:00Z."),
    ] = None,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print.")] = PlanOutput.TEXT,
    fail_on_hold: Annotated[bool, typer.Option(help="Exit with 3 where something is held or halted.")] = False,
    settings: Settings,
) -> None:
    """Print each group's waves with their clusters, and every hold with its reason and next look."""
    snapshot = wiring.look_at_folder(settings, path, at) if path is not None else wiring.look_at_live(settings, at)
    planned = plan_cycle(snapshot)
    match output:
        case PlanOutput.JSON:
            typer.echo(to_json(plan_json(planned)))
        case PlanOutput.MARKDOWN:
            typer.echo(plan_markdown(planned))
        case PlanOutput.TEXT:
            typer.echo(plan_text(planned))
    if fail_on_hold and (planned.holds or any(group.holds for group in planned.groups)):
        raise typer.Exit(Exit.HELD)
