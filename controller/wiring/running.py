"""A controller with everything around it: ledger, channels, daemon, and what probes ask."""

from dataclasses import dataclass

from controller import __version__
from controller.ledger.lease import this_process
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.ports import Clock
from controller.reports.metrics import Metrics
from controller.runtime.clock import SystemClock
from controller.runtime.cycle import Controller, World
from controller.runtime.daemon import Daemon, Rhythm
from controller.runtime.delivery import DeliveryLoop, Desk
from controller.settings import Settings
from controller.wiring.gates import external_gates
from controller.wiring.listeners import broker_health
from controller.wiring.parts import DeclaredSources, channels_of, make_ledger_folder, pace_of, repository_of

LEAVE_SECONDS = 10.0
"""How long a process that leaves waits for messages in hand."""


@dataclass(frozen=True, slots=True)
class Running:
    """A controller with everything around it; close it at the end."""

    controller: Controller
    daemon: Daemon
    delivery: DeliveryLoop
    ledger: OpenLedger
    metrics: Metrics
    clock: Clock

    @property
    def owner(self) -> str:
        """What this process is called in the ledger's lease."""
        return this_process()

    def close(self) -> None:
        """Let messages in hand end, and give the ledger back."""
        self.delivery.stop(LEAVE_SECONDS)
        self.ledger.close()


class Pulse:
    """What probes and Prometheus are told of a running controller."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def why_not_alive(self) -> str | None:
        """Return why the process should be restarted; None while all is well."""
        return self._running.daemon.why_not_alive()

    def why_not_ready(self) -> str | None:
        """Return why nothing is being judged at present; None while cycles succeed."""
        return self._running.daemon.why_not_ready()

    def metrics(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return self._running.metrics.render()


def assemble(settings: Settings) -> Running:
    """Build the controller that the settings describe. Raises SettingsError, LedgerError."""
    make_ledger_folder(settings)
    told = channels_of(settings)
    repository = repository_of(settings)
    metrics, clock = Metrics(__version__), SystemClock()
    ledger = open_ledger(settings.ledger)
    desk = Desk(ledger.outbox, clock, observe=metrics.observe_call, may_deliver=ledger.holds_lease)
    delivery = DeliveryLoop([channel for channel, _ in told], desk)
    world = World(
        repository=repository,
        sources=DeclaredSources(settings),
        ledger=ledger,
        outbox=ledger.outbox,
        clock=clock,
        metrics=metrics,
        audiences=tuple(audience for _, audience in told),
        wake=delivery.wake,
        gates=external_gates(settings),
        brokers=broker_health(settings),
    )
    controller = Controller(world, pace_of(settings))
    rhythm = Rhythm(settings.interval, settings.jitter)
    # Messages in hand end first: that they arrived can only be recorded under the lease.
    daemon = Daemon(controller.run_cycle, rhythm, clock, metrics, lambda: delivery.stop(LEAVE_SECONDS))
    return Running(controller, daemon, delivery, ledger, metrics, clock)
