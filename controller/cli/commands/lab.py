"""``wavefleet lab``: real Kafka brokers as local processes, to try rollouts on before trusting us with a fleet."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import complain, exit_codes
from controller.cli.lab_tour import take_tour
from controller.cli.options import Output, OutputOption
from controller.cli.render import to_json
from controller.lab.down import lab_down
from controller.lab.status import LabState, lab_status
from controller.lab.up import lab_up

app = typer.Typer(
    help="Real Kafka brokers as local processes, and a small operator that rolls them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Directory = Annotated[Path, typer.Option("--dir", help="The lab's folder; everything it makes is in there.")]


@app.command("up")
def up(
    *,
    directory: _Directory,
    clusters: Annotated[int, typer.Option(help="How many clusters.")] = 1,
    brokers: Annotated[int, typer.Option(help="Brokers of each cluster.")] = 3,
    release: Annotated[str, typer.Option(help="The Kafka release they start with.")] = "4.1.2",
) -> None:
    """Fetch Kafka, format and start the clusters and their operator; start again what is missing."""
    with exit_codes():
        state = lab_up(directory, clusters=clusters, brokers=brokers, release=release, progress=complain)
    typer.echo(_text(state))


@app.command("down")
def down(
    *,
    directory: _Directory,
    remove_files: Annotated[bool, typer.Option(help="Remove what the lab made in its folder, too.")] = False,
) -> None:
    """Stop what ``lab up`` started, and nothing else."""
    with exit_codes():
        lab_down(directory, remove_files=remove_files)
    typer.echo(f"{directory}: stopped")


@app.command("status")
def status(*, directory: _Directory, output: OutputOption = Output.TEXT) -> None:
    """Print clusters, brokers and what the operator says."""
    with exit_codes():
        state = lab_status(directory)
    typer.echo(to_json(_json(state)) if output is Output.JSON else _text(state))


@app.command("tour")
def tour(
    *, directory: Annotated[Path | None, typer.Option("--dir", help="Keep everything in this folder.")] = None
) -> None:
    """Upgrade two real clusters from a Git repository, under load, and show that no record is lost."""
    with exit_codes():
        take_tour(directory)


def _text(state: LabState) -> str:
    lines = []
    for cluster in state.clusters:
        says = "not yet" if cluster.operator_says is None else cluster.operator_says.value
        message = f": {cluster.message}" if cluster.message else ""
        lines.append(f"{cluster.name} at {cluster.bootstrap}: wants {cluster.wanted}, operator {says}{message}")
        for broker in cluster.brokers:
            where = "stopped" if broker.pid is None else f"process {broker.pid}"
            lines.append(f"    broker {broker.id} at {broker.address}: {broker.release}, {where}")
    return "\n".join(lines)


def _json(state: LabState) -> object:
    return {
        "clusters": [
            {
                "name": cluster.name,
                "bootstrap": cluster.bootstrap,
                "wanted": cluster.wanted,
                "generation": cluster.generation,
                "operator": None if cluster.operator_says is None else cluster.operator_says.value,
                "message": cluster.message,
                "brokers": [
                    {"id": broker.id, "address": broker.address, "release": broker.release, "pid": broker.pid}
                    for broker in cluster.brokers
                ],
            }
            for cluster in state.clusters
        ]
    }
