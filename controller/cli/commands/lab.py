"""``wavefleet lab``: real Kafka brokers as local processes, to try rollouts on before trusting us with a fleet."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import Exit, exit_codes
from controller.cli.moments import parse_span
from controller.cli.options import Output, OutputOption
from controller.cli.speech import complain, say

app = typer.Typer(
    help="Real Kafka brokers as local processes, and a small operator that rolls them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _names(ctx: typer.Context) -> list[str]:
    """The clusters of the lab in ``--dir``, for completion; none where there is no lab."""
    from controller.errors import LabError
    from controller.labfiles import read_lab

    directory = ctx.params.get("directory")
    try:
        return [] if directory is None else list(read_lab(Path(directory)).clusters)
    except LabError:
        return []


def _topic(text: str) -> str:
    from controller.errors import LabError
    from controller.lab.load import checked_topic

    try:
        return checked_topic(text)
    except LabError as error:
        raise typer.BadParameter(str(error)) from None


_Directory = Annotated[Path, typer.Option("--dir", help="The lab's folder; everything it makes is in there.")]
_Cluster = Annotated[str, typer.Argument(metavar="CLUSTER", help="A cluster of the lab.", autocompletion=_names)]
_Topic = Annotated[str, typer.Option(parser=_topic, metavar="TOPIC", help="The topic.")]
_TopicToMake = Annotated[str, typer.Option(parser=_topic, metavar="TOPIC", help="The topic; made where it is missing.")]
_Acked = Annotated[
    Path | None,
    typer.Option(
        "--acked", metavar="FILE", help="The file of acknowledged records.  [default: load/TOPIC.acked of the cluster]"
    ),
]
_TOPIC = "load"


@app.command("up", short_help="Fetch Kafka and start clusters and their operator.")
def up(
    *,
    directory: _Directory,
    clusters: Annotated[
        int | None, typer.Option(metavar="COUNT", min=1, help="How many clusters, all alike.  [default: 1]")
    ] = None,
    brokers: Annotated[
        int | None, typer.Option(metavar="COUNT", min=1, help="Brokers of each cluster.  [default: 3]")
    ] = None,
    release: Annotated[
        str | None, typer.Option(metavar="RELEASE", help="The Kafka release they start with.  [default: 4.1.2]")
    ] = None,
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RELEASE:BROKERS",
            help="One cluster, instead of --clusters; may be repeated. Parts can be left out.",
        ),
    ] = None,
    secure: Annotated[
        bool | None,
        typer.Option("--secure/--plain", help="Clients need TLS and a password, or nothing.  [default: plain]"),
    ] = None,
) -> None:
    """Fetch Kafka, format and start the clusters and their operator; start again what is missing.

    A lab that is there keeps its shape: leave the options out, or repeat them. Clients of secure listeners find what
    they need in the lab's folder credentials.
    """
    from controller.cli.render_lab import lab_text
    from controller.errors import LabError
    from controller.lab.shape import Asked
    from controller.lab.up import bring_up

    if cluster and clusters is not None:
        raise typer.BadParameter("found --clusters too, expected one of both", param_hint="--cluster")
    asked = Asked(clusters, brokers, release, tuple(cluster or ()), secure)
    try:
        asked.new_lab()
    except LabError as error:
        raise typer.BadParameter(str(error)) from None
    with exit_codes():
        state = bring_up(directory, asked, complain)
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
    from controller.labfiles import read_lab

    with exit_codes():
        if not directory.exists():
            read_lab(directory.resolve())  # says that there is none
        lab_down(directory, remove_files=remove_files)
    say(f"{directory}: stopped")


@app.command("status", short_help="Print clusters, brokers, faults and what the operator says.")
def status(*, directory: _Directory, output: OutputOption = Output.TEXT) -> None:
    """Print clusters, brokers and whether they answer, what is broken on purpose, and what the operator says."""
    from controller.cli.render import to_json
    from controller.cli.render_lab import lab_json, lab_text
    from controller.lab.status import lab_status, with_answers

    with exit_codes():
        state = with_answers(lab_status(directory))
    say(to_json(lab_json(state)) if output is Output.JSON else lab_text(state))


@app.command("break", short_help="Break one broker, or the quorum, on purpose.")
def break_(
    cluster: _Cluster,
    *,
    directory: _Directory,
    kill: Annotated[
        int | None, typer.Option("--kill", metavar="BROKER", help="Kill it; it stays down until it is mended.")
    ] = None,
    stop: Annotated[
        int | None, typer.Option("--stop", metavar="BROKER", help="SIGSTOP: it accepts connections, and never answers.")
    ] = None,
    fill_disk: Annotated[
        int | None,
        typer.Option(
            "--fill-disk",
            metavar="BROKER",
            help="Fill its log directory, which must be a file system of its own of at most 1 GiB.",
        ),
    ] = None,
    drop_quorum: Annotated[
        bool, typer.Option("--drop-quorum", help="Kill so many voters that the metadata quorum has no leader.")
    ] = False,
) -> None:
    """Break one broker of a cluster, or its quorum; the operator leaves it so until `lab mend CLUSTER`."""
    from controller.lab.breaking import break_broker
    from controller.lab.breaking import drop_quorum as drop
    from controller.lab.faults import Fault, FaultKind

    asked = {FaultKind.KILL: kill, FaultKind.STOP: stop, FaultKind.FILL_DISK: fill_disk}
    faults = [Fault(broker, kind) for kind, broker in asked.items() if broker is not None]
    if len(faults) + drop_quorum != 1:
        raise typer.BadParameter("expected exactly one of --kill, --stop, --fill-disk and --drop-quorum")
    with exit_codes():
        if drop_quorum:
            drop(directory, cluster, complain)
        else:
            break_broker(directory, cluster, faults[0], complain)


@app.command("mend", short_help="End every fault of a cluster.")
def mend(cluster: _Cluster, *, directory: _Directory) -> None:
    """End everything that was broken on purpose in a cluster, and wait until its brokers run; once more is harmless."""
    from controller.lab.breaking import mend as mend_cluster

    with exit_codes():
        mend_cluster(directory, cluster, complain)


@app.command("load", short_help="Write records, and remember those acknowledged.")
def load(
    cluster: _Cluster,
    *,
    directory: _Directory,
    topic: _TopicToMake = _TOPIC,
    rate: Annotated[int, typer.Option(metavar="COUNT", min=1, max=5000, help="Records a second.")] = 100,
    keys: Annotated[
        int, typer.Option(metavar="COUNT", min=1, max=10000, help="Keys; records of one key keep their order.")
    ] = 10,
    length: Annotated[
        timedelta | None,
        typer.Option("--for", parser=parse_span, metavar="DURATION", help="How long.  [default: until Ctrl-C]"),
    ] = None,
    acked: _Acked = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write records until Ctrl-C or SIGTERM, and append those that were acknowledged to a file, for `lab verify`.

    Exits with 4 where a record was not acknowledged in time: that one is not lost, its producer knows of it.
    """
    from controller.cli.render import to_json
    from controller.cli.render_lab import load_json, load_text
    from controller.lab.load import LoadOrder, acked_file, silence_client
    from controller.lab.load import load as write
    from controller.lab.reach import reach_of
    from controller.labfiles import cluster_folder, find_cluster
    from controller.model.durations import format_duration

    silence_client()
    with exit_codes():
        found = find_cluster(directory, cluster)
        folder = cluster_folder(directory.resolve(), cluster)
        file = acked or acked_file(folder, topic)
        seconds = None if length is None else length.total_seconds()
        end = "until Ctrl-C" if length is None else f"for {format_duration(length)}"
        complain(f"writing {rate} records a second to {topic} of {cluster} {end}")
        summary = write(reach_of(folder, found), LoadOrder(topic, rate, keys, seconds), file, complain)
    printed = load_json(cluster, topic, file, summary)
    say(to_json(printed) if output is Output.JSON else load_text(file, summary))
    if summary.failed:
        raise typer.Exit(Exit.OUTSIDE)


@app.command("verify", short_help="Read back every record that was acknowledged.")
def verify(
    cluster: _Cluster,
    *,
    directory: _Directory,
    topic: _Topic = _TOPIC,
    acked: _Acked = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Read the topic, and look for every acknowledged record: is it there, once, and in the order of its key?

    Exits with 1 where one is lost, there twice or out of order, and with 4 where that cannot be told.
    """
    from controller.cli.render import to_json
    from controller.cli.render_lab import verify_json, verify_text
    from controller.lab.load import acked_file, silence_client
    from controller.lab.load import verify as read_back
    from controller.lab.reach import reach_of
    from controller.labfiles import cluster_folder, find_cluster

    silence_client()
    with exit_codes():
        found = find_cluster(directory, cluster)
        folder = cluster_folder(directory.resolve(), cluster)
        report = read_back(reach_of(folder, found), topic, acked or acked_file(folder, topic), complain)
    say(to_json(verify_json(cluster, topic, report)) if output is Output.JSON else verify_text(report))
    if not report.is_good:
        raise typer.Exit(Exit.WRONG_INPUT)


@app.command("tour", short_help="Upgrade two real clusters under load, wave by wave.")
def tour(
    *, directory: Annotated[Path | None, typer.Option("--dir", help="Keep everything in this folder.")] = None
) -> None:
    """Upgrade two real clusters from a Git repository, under load, and show that no record is lost."""
    from controller.cli.lab_tour import take_tour

    with exit_codes():
        take_tour(directory)
