"""``wavefleet explain``: why does this cluster not move? Every gate's answer, and the line that declared its target."""

from typing import Annotated

import typer

from controller.cli.commands.plan import FolderOption, MomentOption, RefOption, instead_of_head
from controller.cli.exits import Exit
from controller.cli.options import Output, OutputOption
from controller.cli.speech import complain, say
from controller.settings import Settings


def explain(
    cluster: Annotated[str, typer.Argument(help="The cluster's name, short or full.", metavar="CLUSTER")],
    *,
    path: FolderOption = None,
    ref: RefOption = None,
    at: MomentOption = None,
    output: OutputOption = Output.TEXT,
    settings: Settings,
) -> None:
    """Print every gate's answer for one cluster."""
    from controller.cli.names import not_one
    from controller.cli.render import explanation_json, explanation_text, to_json
    from controller.core.inquiry import explain_cluster, matching
    from controller.wiring.reading import look

    snapshot = look(settings, instead_of_head(path, ref), at, closely=cluster)
    names = matching(snapshot, cluster)
    if len(names) != 1:
        complain(f"wavefleet: {not_one('cluster', cluster, names, snapshot.observation.clusters)}")
        raise typer.Exit(Exit.WRONG_INPUT)
    explanation = explain_cluster(snapshot, names[0])
    if output is Output.JSON:
        say(to_json(explanation_json(explanation)))
    else:
        say(explanation_text(explanation, snapshot.now))
