"""The lab's tour: a merged bump upgrades two real clusters under load, wave by wave, and no record is lost.

The same parts as in production: the daemon as a process of its own, a bare repository served over HTTP by Git's own
back end, commit statuses as Git notes, real brokers rolled by the lab's operator.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from controller.cli.playground import Playground
from controller.cli.render_lab import verify_text
from controller.errors import LabError
from controller.lab.down import lab_down
from controller.lab.git_http import Export, GitHttpServer
from controller.lab.load import verify
from controller.lab.status import ClusterState
from controller.lab.up import lab_up
from controller.labfiles import lab_file

OLD, NEW = "4.1.2", "4.3.1"
LIMIT_SECONDS = 600.0
LEAVE_SECONDS = 60.0
TOPIC = "tour"

_FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {{name: lab}}
spec:
  sources:
    - {{name: lab, type: lab, directory: "{directory}"}}
"""
_GROUP = f"""\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {{name: real}}
spec:
  kafkaVersion: {OLD}
  clusters: {{names: [lab-1, lab-2]}}
  strategy:
    waves:
      - {{name: canary, size: 1, soak: 20s}}
      - {{name: rest, size: rest, soak: 10s}}
    deadline: 10m
"""


def take_tour(directory: Path | None) -> None:
    """Run the tour and print what happens; raises LabError where it cannot, or where it does not end well."""
    with tempfile.TemporaryDirectory(prefix="wavefleet-tour-") as temporary:
        folder = (directory or Path(temporary)).absolute()
        lab = folder / "lab"
        try:
            state = lab_up(lab, clusters=2, brokers=3, release=OLD, progress=_say)
            _upgrade(folder, lab, state.clusters)
        finally:
            if lab_file(lab).exists():
                lab_down(lab)
                _say("the lab is down")


def _upgrade(folder: Path, lab: Path, clusters: tuple[ClusterState, ...]) -> None:
    playground = Playground(folder)
    playground.commit("The lab as it is", {"fleet.yaml": _FLEET.format(directory=lab), "groups/real.yaml": _GROUP})
    with (
        GitHttpServer(Export(folder)) as server,
        _daemon(folder, server.url("fleet.git")) as daemon,
        _load(folder, clusters[0]) as acknowledged,
    ):
        _await(lambda: "success wavefleet/real:" in playground.log_with_notes(), daemon, "the first judgement")
        _say(f"merging the bump to {NEW}")
        playground.edit(f"Upgrade to {NEW}", "groups/real.yaml", OLD, NEW)
        done = f"success wavefleet/real: real → {NEW}"
        _await(lambda: done in playground.log_with_notes(), daemon, f"both clusters on {NEW}")
    report = verify(clusters[0].bootstrap, TOPIC, acknowledged)
    _say(verify_text(report).splitlines()[0])
    typer.echo("\n$ git log --notes=wavefleet\n")
    typer.echo(playground.log_with_notes())
    if not report.is_good:
        raise LabError(f"not every record is there once and in order: {', '.join(report.examples)}; please report this")


@contextmanager
def _daemon(folder: Path, url: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WAVEFLEET_")}
    environment |= {
        "WAVEFLEET_REPOSITORY": url,
        "WAVEFLEET_LEDGER": str(folder / "ledger.db"),
        "WAVEFLEET_INTERVAL": "2s",
        "WAVEFLEET_LISTEN": "off",
        "WAVEFLEET_LOG_FORMAT": "text",
    }
    with _ended([sys.executable, "-m", "controller", "run"], environment) as process:
        yield process


@contextmanager
def _load(folder: Path, cluster: ClusterState) -> Iterator[Path]:
    acknowledged = folder / "acknowledged"
    command = [sys.executable, "-m", "controller.lab.load", "--bootstrap", cluster.bootstrap, "--topic", TOPIC]
    with _ended([*command, "--rate", "200", "--acked", str(acknowledged)], dict(os.environ)):
        yield acknowledged


@contextmanager
def _ended(command: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run ``command`` beside the body, and end it, that very process, afterwards."""
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own program
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(is_reached: Callable[[], bool], daemon: "subprocess.Popen[bytes]", what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_reached():
        if daemon.poll() is not None:
            raise LabError(f"the daemon ended with exit code {daemon.returncode} while waiting for {what}")
        if time.monotonic() > deadline:
            raise LabError(
                f"found nothing after {LIMIT_SECONDS:g} s, expected {what}; look at the daemon's lines above"
            )
        time.sleep(0.5)


def _say(sentence: str) -> None:
    typer.echo(f"── {sentence}")
