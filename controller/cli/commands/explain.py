"""``wavefleet explain``: why does this cluster not move? Every gate's answer, and the line that declared its target."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from controller import wiring
from controller.cli.exits import Exit, complain
from controller.cli.moments import parse_moment
from controller.cli.options import Output, OutputOption
from controller.cli.render import explanation_json, explanation_text, to_json
from controller.core.inquiry import explain_cluster, matching
from controller.settings import Settings


def explain(
    cluster: Annotated[str, typer.Argument(help="The cluster's name, short or full.")],
    *,
    path: Annotated[Path | None, typer.Option(help="Ask of what this folder declares.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=parse_moment, metavar="TIME", help="Ask for this moment, such as 2026-03-02T09:00Z."),
    ] = None,
    output: OutputOption = Output.TEXT,
    settings: Settings,
) -> None:
    """Print every gate's answer for one cluster."""
    snapshot = wiring.look_at_folder(settings, path, at) if path is not None else wiring.look_at_live(settings, at)
    names = matching(snapshot, cluster)
    if len(names) != 1:
        found = "no cluster" if not names else f"{len(names)} clusters ({', '.join(names)})"
        complain(f"wavefleet: {cluster}: found {found}, expected one; write a full name, SOURCE/…/NAME")
        raise typer.Exit(Exit.WRONG_INPUT)
    explanation = explain_cluster(snapshot, names[0])
    if output is Output.JSON:
        typer.echo(to_json(explanation_json(explanation)))
    else:
        typer.echo(explanation_text(explanation, snapshot.now))
