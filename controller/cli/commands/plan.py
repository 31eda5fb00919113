"""``wavefleet plan``: what would happen now, from the controller's own judgement, and nothing is written."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import Exit
from controller.cli.moments import parse_moment
from controller.cli.options import FailOnHold, PlanOutput
from controller.cli.speech import say
from controller.settings import Settings

FolderOption = Annotated[
    Path | None, typer.Option("--path", help="Take what this folder declares, instead of the branch's head.")
]
MomentOption = Annotated[
    datetime | None,
    typer.Option(parser=parse_moment, metavar="TIME", help="Judge at this moment, such as 2026-03-02T09:00Z."),
]


def plan(
    *,
    path: FolderOption = None,
    at: MomentOption = None,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print.")] = PlanOutput.TEXT,
    fail_on_hold: FailOnHold = False,
    settings: Settings,
) -> None:
    """Print each group's waves with their clusters, and every hold with its reason and next look."""
    from controller.cli.render import is_held, plan_json, plan_markdown, plan_text, to_json
    from controller.core.plan import plan_cycle
    from controller.wiring.reading import look

    planned = plan_cycle(look(settings, path, at))
    match output:
        case PlanOutput.JSON:
            say(to_json(plan_json(planned)))
        case PlanOutput.MARKDOWN:
            say(plan_markdown(planned))
        case PlanOutput.TEXT:
            say(plan_text(planned))
    if fail_on_hold and is_held(planned):
        raise typer.Exit(Exit.HELD)
