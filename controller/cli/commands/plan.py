"""``wavefleet plan``: what would happen now, from the controller's own judgement, and nothing is written."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import Exit
from controller.cli.moments import parse_moment
from controller.cli.options import FailOnHold, PlanOutput
from controller.cli.speech import say
from controller.settings import Settings

if TYPE_CHECKING:
    from controller.wiring.reading import Instead

FolderOption = Annotated[
    Path | None, typer.Option("--path", help="Take what this folder declares, instead of the branch's head.")
]
RefOption = Annotated[
    str | None,
    typer.Option(
        "--ref", help="Take this branch, tag, ref (refs/pull/12/head) or commit of the remote, as if it were merged."
    ),
]
MomentOption = Annotated[
    datetime | None,
    typer.Option(parser=parse_moment, metavar="TIME", help="Judge at this moment, such as 2026-03-02T09:00Z."),
]


def instead_of_head(path: Path | None, ref: str | None) -> "Instead":
    """Return what to look at instead of the branch's head. Raises typer.BadParameter where both are named."""
    from controller.wiring.reading import Instead

    if path is not None and ref is not None:
        raise typer.BadParameter("name a folder with --path or a ref with --ref, not both")
    return Instead(path, ref)


def plan(
    *,
    path: FolderOption = None,
    ref: RefOption = None,
    at: MomentOption = None,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print.")] = PlanOutput.TEXT,
    fail_on_hold: FailOnHold = False,
    settings: Settings,
) -> None:
    """Print each group's waves with their clusters, and every hold with its reason and next look."""
    from controller.cli.render import to_json
    from controller.cli.render_plan import Document, is_held, plan_json, plan_markdown, plan_text
    from controller.core.inquiry import passages_of
    from controller.core.plan import plan_cycle
    from controller.simulate.forecast import forecasts_of
    from controller.wiring.reading import look

    snapshot = look(settings, instead_of_head(path, ref), at)
    planned = plan_cycle(snapshot)
    document = Document(planned, passages_of(snapshot), forecasts_of(snapshot, planned))
    match output:
        case PlanOutput.JSON:
            say(to_json(plan_json(document)))
        case PlanOutput.MARKDOWN:
            say(plan_markdown(document))
        case PlanOutput.TEXT:
            say(plan_text(document))
    if fail_on_hold and is_held(planned):
        raise typer.Exit(Exit.HELD)
