"""``wavefleet lab``: real Kafka brokers as local processes, to try rollouts on before trusting us with a fleet."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import exit_codes
from controller.cli.options import Output, OutputOption
from controller.cli.speech import complain, say

app = typer.Typer(
    help="Real Kafka brokers as local processes, and a small operator that rolls them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Directory = Annotated[Path, typer.Option("--dir", help="The lab's folder; everything it makes is in there.")]


@app.command("up", short_help="Fetch Kafka and start clusters and their operator.")
def up(
    *,
    directory: _Directory,
    clusters: Annotated[int, typer.Option(metavar="COUNT", min=1, help="How many clusters.")] = 1,
    brokers: Annotated[int, typer.Option(metavar="COUNT", min=1, help="Brokers of each cluster.")] = 3,
    release: Annotated[str, typer.Option(metavar="RELEASE", help="The Kafka release they start with.")] = "4.1.2",
) -> None:
    """Fetch Kafka, format and start the clusters and their operator; start again what is missing."""
    from controller.cli.render_lab import lab_text
    from controller.lab.up import lab_up

    with exit_codes():
        state = lab_up(directory, clusters=clusters, brokers=brokers, release=release, progress=complain)
    say(lab_text(state))


@app.command("down", short_help="Stop what `lab up` started, and nothing else.")
def down(
    *,
    directory: _Directory,
    remove_files: Annotated[
        bool, typer.Option("--remove-files", help="Remove what the lab made in its folder, too.")
    ] = False,
) -> None:
    """Stop what `lab up` started, and nothing else."""
    from controller.lab.down import lab_down

    with exit_codes():
        lab_down(directory, remove_files=remove_files)
    say(f"{directory}: stopped")


@app.command("status")
def status(*, directory: _Directory, output: OutputOption = Output.TEXT) -> None:
    """Print clusters, brokers and what the operator says."""
    from controller.cli.render import to_json
    from controller.cli.render_lab import lab_json, lab_text
    from controller.lab.status import lab_status

    with exit_codes():
        state = lab_status(directory)
    say(to_json(lab_json(state)) if output is Output.JSON else lab_text(state))


@app.command("tour", short_help="Upgrade two real clusters under load, wave by wave.")
def tour(
    *, directory: Annotated[Path | None, typer.Option("--dir", help="Keep everything in this folder.")] = None
) -> None:
    """Upgrade two real clusters from a Git repository, under load, and show that no record is lost."""
    from controller.cli.lab_tour import take_tour

    with exit_codes():
        take_tour(directory)
