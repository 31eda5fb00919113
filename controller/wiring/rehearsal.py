"""The daemon's cycle in virtual time, for the demo: the same parts, but for the clock and who waits for whom."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from controller import __version__
from controller.ledger.opening import open_ledger
from controller.model.plan import Plan
from controller.ports import Channel
from controller.reports.logs import LogStyle, Redaction, set_up_logs
from controller.reports.metrics import Metrics
from controller.reports.notes import NotesChannel
from controller.reports.terminal import TerminalChannel
from controller.runtime.clock import VirtualClock
from controller.runtime.cycle import Controller, World
from controller.runtime.delivery import DeliveryLoop, Desk
from controller.runtime.report import Audience
from controller.settings import load_settings
from controller.wiring.gates import external_gates
from controller.wiring.parts import DeclaredSources, git_command, pace_of, repository_of

DELIVER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where and when a rehearsal plays."""

    folder: Path
    """Everything it makes is in there."""
    repository: Path
    start: datetime
    interval: timedelta


class Rehearsal:
    """A controller over a stage's repository, whose time passes one poll interval per cycle."""

    def __init__(self, stage: Stage, out: TextIO, *, statuses: bool) -> None:
        folder, interval, start = stage.folder, stage.interval, stage.start
        given = {
            "repository": str(stage.repository),
            "ledger": str(folder / "ledger.db"),
            "cache": str(folder / "cache"),
            "interval": f"{int(interval.total_seconds())}s",
        }
        settings = load_settings(given, {})
        set_up_logs(sys.stderr, LogStyle(json=False, level="error"), Redaction())
        self.clock = VirtualClock(start)
        self._interval = interval
        self._ledger = open_ledger(settings.ledger)
        terminal = TerminalChannel(out)
        channels: Sequence[Channel] = (NotesChannel(git_command(settings), settings.cache), terminal)
        self._delivery = DeliveryLoop(channels, Desk(self._ledger.outbox, self.clock))
        audiences = (Audience("notes", statuses=True), Audience(terminal.name, statuses=statuses, threads=True))
        world = World(
            repository=repository_of(settings),
            sources=DeclaredSources(settings),
            ledger=self._ledger,
            outbox=self._ledger.outbox,
            clock=self.clock,
            metrics=Metrics(__version__),
            audiences=audiences,
            gates=external_gates(settings),
        )
        self._controller = Controller(world, pace_of(settings))
        self._ledger.acquire("wavefleet demo", start)

    def cycle(self) -> Plan:
        """Run one cycle, deliver what it said, and let one interval pass."""
        plan = self._controller.run_cycle()
        assert plan is not None, "the demo's own declaration is valid"
        self._delivery.drain(DELIVER_SECONDS)
        self.clock.advance(self._interval)
        return plan
