"""The demo's story: the daemon's own cycle over the example fleet, in virtual time.

A bump is merged, waves run and soak, a fault shows itself late and halts its group, a person acknowledges it, the
rollout ends, and metadata.version is finalized where that is due: as the thread and the commit statuses that people
would see. Everything lives in a temporary folder.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from controller.cli.exits import Exit
from controller.cli.playground import Playground, example_files
from controller.cli.speech import complain
from controller.model.outbox import StatusState
from controller.model.plan import Plan
from controller.model.view import GroupView
from controller.wiring.rehearsal import Rehearsal, Stage

STARTS_AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
"""A Monday morning inside production's window, far from the example's freeze."""
INTERVAL = timedelta(minutes=5)
CYCLES_MAX = 2000
OLD, NEW = "4.1.2", "4.3.1"
STAGING, PRODUCTION = "groups/staging.yaml", "groups/prod-eu.yaml"


def play(*, statuses: bool) -> None:
    """Tell the story on standard output; ``statuses`` prints every commit status as it is posted, too."""
    with tempfile.TemporaryDirectory(prefix="wavefleet-demo-") as folder:
        _Demo(Path(folder), statuses=statuses).run()


class _Demo:
    def __init__(self, folder: Path, *, statuses: bool) -> None:
        self._playground = Playground(folder)
        self._merge("The fleet as it is", example_files())
        stage = Stage(folder, self._playground.bare, STARTS_AT, INTERVAL)
        self._rehearsal = Rehearsal(stage, sys.stdout, statuses=statuses)

    def run(self) -> None:
        self._until(lambda plan: all(group.state is StatusState.SUCCESS for group in plan.groups))
        self._say(f"Ana merges the bump to {NEW} for staging and production")
        text = {path: self._playground.text(path).replace(OLD, NEW) for path in (STAGING, PRODUCTION)}
        self._merge(f"Upgrade to Kafka {NEW}", text)
        self._until(lambda plan: _of(plan, "prod-eu").state is StatusState.FAILURE)
        self._say("production halted by itself; nothing starts there until a person has looked. An hour passes")
        self._pass(timedelta(hours=1))
        self._say("Ana found a worn disk, had it replaced, and merges the acknowledgement")
        self._acknowledge("prod-eu-1", "Disk of team-eu-05 replaced, go on")
        self._until(lambda plan: any(hold.reason == "ClusterQuarantined" for hold in _of(plan, "prod-eu").holds))
        self._say("the rollout goes on; the failed cluster itself stays apart until it is acknowledged, too")
        self._pass(timedelta(hours=3))
        self._acknowledge("prod-eu-1, prod-eu-2", "team-eu-05 is healthy again, take it back")
        self._until(lambda plan: all(_is_done(plan, name) for name in ("staging", "prod-eu")))
        self._say(
            "both groups run it. Staging's quiet day is over, too: its metadata.version is being finalized, in waves,"
            " for there is no way back"
        )
        self._until(lambda plan: _is_done(plan, "staging/metadata"))
        self._say("production waits out its own seven quiet days")
        self._close()

    def _say(self, sentence: str) -> None:
        typer.echo(f"\n── {self._rehearsal.clock.now():%A %H:%M} UTC: {sentence} ──")

    def _merge(self, message: str, files: dict[str, str]) -> None:
        revision = self._playground.commit(message, files)
        typer.echo(f"\n● {revision[:10]} merged: {message}")

    def _acknowledge(self, ids: str, message: str) -> None:
        text = "".join(
            line for line in self._playground.text(PRODUCTION).splitlines(keepends=True) if "acknowledge:" not in line
        )
        self._merge(message, {PRODUCTION: f"{text}  acknowledge: [{ids}]\n"})

    def _until(self, is_reached: Callable[[Plan], bool]) -> None:
        for _ in range(CYCLES_MAX):
            if is_reached(self._rehearsal.cycle()):
                return
        complain("wavefleet demo: it did not get where it should; please report this")
        raise typer.Exit(Exit.OUTSIDE)

    def _pass(self, duration: timedelta) -> None:
        for _ in range(duration // INTERVAL):
            self._rehearsal.cycle()

    def _close(self) -> None:
        took = self._rehearsal.clock.now() - STARTS_AT
        self._say(f"done, after {took.days * 24 + took.seconds // 3600} virtual hours. What the repository shows now:")
        typer.echo("\n$ git log --notes=wavefleet --format='%h %s%n%N'\n")
        typer.echo(self._playground.log_with_notes())


def _of(plan: Plan, name: str) -> GroupView:
    return next(group for group in plan.groups if group.context == name)


def _is_done(plan: Plan, name: str) -> bool:
    return _of(plan, name).state is StatusState.SUCCESS
