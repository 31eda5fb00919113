"""Carry what is queued to the channels: one thread per channel, beside the cycle and never in its way.

The order is the promise: a try is remembered before it is made, and its end before the next one begins, so a crash
leaves at most one message per channel in doubt, and the channel looks before it says that one again. Messages of one
channel keep their order: while the oldest waits, the later ones wait behind it. Nothing is given up for its age; only a
channel that refuses a message for good drops it, with its reason.

What goes wrong here is logged and counted, never said on a channel: a report about a broken channel would be the next
thing that the channel fails to take.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import structlog

from controller.errors import ControllerError, ReportDelayed, ReportRefused
from controller.model.outbox import Delivery
from controller.ports import Channel, Clock, JoiningChannel, Outbox, PacedChannel

IDLE_SECONDS = 15.0
"""How long a thread with nothing to do sleeps when nobody wakes it; also its pause after the ledger failed."""
BACKOFF_SECONDS = 1.0
"""The longest wait after the first failure; it doubles with every further one."""
BACKOFF_SECONDS_MAX = 300.0
RETRY_AFTER_SECONDS_MAX = 3600.0
"""A server that asks for more is asked again after an hour: what limits us for a day may be lifted sooner."""
RETRY_AFTER_JITTER_SECONDS = 1.0

_DOUBLINGS_MAX = 16

Observe = Callable[[str, str, float], None]
"""Told of every call: the outside system, ``delivered``, ``delayed``, ``refused`` or ``failed``, and its seconds."""

_log = structlog.get_logger(__name__)


def _ignore(_system: str, _outcome: str, _seconds: float) -> None:
    """Count nothing."""


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Desk:
    """What every courier works with."""

    outbox: Outbox
    clock: Clock
    observe: Observe = _ignore
    may_deliver: Callable[[], bool] = _always
    """False while another process holds the ledger's lease: only one of them may speak."""
    chance: Random = field(default_factory=Random)


def seconds_before_retry(attempts: int, asked_seconds: float | None, chance: Random) -> float:
    """Return how long to wait after a failure that ``attempts`` others preceded.

    The wait doubles up to a ceiling, and chance takes up to half of it away; it is never shorter than what the channel
    asked for, and then a little longer, so that two of us do not come back together.
    """
    longest = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2 ** min(attempts, _DOUBLINGS_MAX))
    backoff = float(longest * chance.uniform(0.5, 1.0))
    if asked_seconds is None:
        return backoff
    asked = min(asked_seconds, RETRY_AFTER_SECONDS_MAX) + chance.uniform(0, RETRY_AFTER_JITTER_SECONDS)
    return max(backoff, asked)


@dataclass(frozen=True, slots=True)
class _Rest:
    """A time in which a channel is left alone; a clock that steps back ends it, so that it cannot last for years."""

    began: datetime | None = None
    seconds: float = 0.0

    def seconds_left(self, now: datetime) -> float:
        if self.began is None or now < self.began:
            return 0.0
        return max(0.0, self.seconds - (now - self.began).total_seconds())


class Courier:
    """Carries the messages of one channel, one call at a time; it has no thread of its own."""

    def __init__(self, channel: Channel, desk: Desk) -> None:
        self.channel = channel
        self._desk = desk
        self._paced = _Rest()
        self._backing_off = _Rest()

    def step(self) -> float | None:
        """Make at most one call; return the seconds until the next can be made, None where nothing is due.

        Raises LedgerError; what was in hand is then in doubt, which the next step looks into.
        """
        now = self._desk.clock.now()
        if self._backing_off.seconds_left(now):
            return self._backing_off.seconds_left(now)
        deliveries = self._due(now) if self._desk.may_deliver() else ()
        if not deliveries:
            return None
        if self._paced.seconds_left(now):
            return self._paced.seconds_left(now)
        self._carry(deliveries)
        now = self._desk.clock.now()
        return max(self._paced.seconds_left(now), self._backing_off.seconds_left(now))

    def _due(self, now: datetime) -> tuple[Delivery, ...]:
        if isinstance(self.channel, JoiningChannel):
            return self._desk.outbox.due_together(self.channel.name, now, self.channel.most_together)
        oldest = self._desk.outbox.due(self.channel.name, now)
        return () if oldest is None else (oldest,)

    def _carry(self, deliveries: tuple[Delivery, ...]) -> None:
        for delivery in deliveries:
            self._desk.outbox.attempt(delivery, self._desk.clock.now())
        began = time.monotonic()
        try:
            reference = self._hand_over(deliveries)
        except ReportRefused as error:
            self._count("refused", began)
            self._refused(deliveries, error)
        except ReportDelayed as error:
            self._count("delayed", began)
            self._delayed(deliveries, error)
        except Exception:  # noqa: BLE001 - a channel that breaks its contract must neither end its thread nor lose words
            self._count("failed", began)
            _log.exception("channel_broken", channel=self.channel.name, key=deliveries[0].message.key)
            self._delayed(deliveries, ReportDelayed("the channel broke; see the log", in_doubt=True))
        else:
            self._count("delivered", began)
            self._delivered(deliveries, reference)

    def _hand_over(self, deliveries: tuple[Delivery, ...]) -> str:
        if len(deliveries) > 1:
            assert isinstance(self.channel, JoiningChannel), self.channel
            return self.channel.deliver_together(deliveries)
        return self.channel.deliver(deliveries[0])

    def _delivered(self, deliveries: tuple[Delivery, ...], reference: str) -> None:
        now = self._desk.clock.now()
        if isinstance(self.channel, PacedChannel):
            self._paced = _Rest(now, self.channel.seconds_between)
        for delivery in deliveries:
            self._desk.outbox.delivered(delivery, reference, now)
            _log.debug("report_delivered", channel=self.channel.name, key=delivery.message.key)

    def _refused(self, deliveries: tuple[Delivery, ...], error: ReportRefused) -> None:
        if len(deliveries) > 1:  # One of them is to blame; the others must not go down with it.
            for delivery in deliveries:
                self._carry((delivery,))
            return
        (delivery,) = deliveries
        self._desk.outbox.dropped(delivery, str(error), self._desk.clock.now())
        _log.error("report_dropped", channel=self.channel.name, key=delivery.message.key, why=str(error))

    def _delayed(self, deliveries: tuple[Delivery, ...], error: ReportDelayed) -> None:
        attempts = deliveries[0].attempts
        seconds = seconds_before_retry(attempts, error.retry_after_seconds, self._desk.chance)
        now = self._desk.clock.now()
        until = now + timedelta(seconds=seconds)
        self._backing_off = _Rest(now, seconds)
        for delivery in deliveries:
            self._desk.outbox.postponed(delivery, until, str(error), in_doubt=error.in_doubt)
        _log.warning(
            "report_delayed",
            channel=self.channel.name,
            key=deliveries[0].message.key,
            attempts=attempts + 1,
            until=until.isoformat(),
            why=str(error),
        )

    def _count(self, outcome: str, began: float) -> None:
        self._desk.observe(self.channel.name, outcome, time.monotonic() - began)


class DeliveryLoop:
    """A courier and, once started, a thread for each channel."""

    def __init__(self, channels: Sequence[Channel], desk: Desk) -> None:
        names = [channel.name for channel in channels]
        assert len(names) == len(set(names)), f"two channels share a name: {names}"
        self._couriers = tuple(Courier(channel, desk) for channel in channels)
        self._clock = desk.clock
        self._bells = tuple(threading.Event() for _ in channels)
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._stop_by: float | None = None

    def start(self) -> None:
        """Start one thread per channel; they deliver until ``stop``."""
        assert not self._threads, "started twice"
        for courier, bell in zip(self._couriers, self._bells, strict=True):
            # Daemon threads: a channel that hangs past its limit cannot keep the process alive.
            name = f"deliver-{courier.channel.name}"
            self._threads.append(threading.Thread(target=self._run, args=(courier, bell), name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Tell the threads that something was queued; waits for nothing."""
        for bell in self._bells:
            bell.set()

    def stop(self, limit_seconds: float) -> bool:
        """Let every call in hand end, then end; False where one did not within the limit, counted from the first call.

        What still waits stays in the ledger and goes out after the next start.
        """
        self._stopping.set()
        self.wake()
        if self._stop_by is None:
            self._stop_by = time.monotonic() + limit_seconds
        for thread in self._threads:
            thread.join(max(0.0, self._stop_by - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def drain(self, limit_seconds: float) -> bool:
        """Deliver in this thread what is due, for programs that end after one cycle.

        False where a message that was due could not be delivered within the limit; it stays queued.
        """
        assert not self._threads, "threads deliver already"
        deadline = time.monotonic() + limit_seconds
        emptied = [self._drain(courier, deadline) for courier in self._couriers]
        return all(emptied)

    def _drain(self, courier: Courier, deadline: float) -> bool:
        while True:
            seconds = self._step(courier)
            if seconds is None:
                return True
            if time.monotonic() + seconds >= deadline:
                return False
            before = self._clock.now()
            self._stopping.wait(seconds)
            if seconds and self._clock.now() <= before:
                return False  # A clock that others move, as the demo's, would be waited for in vain.

    def _run(self, courier: Courier, bell: threading.Event) -> None:
        while not self._stopping.is_set():
            seconds = self._step(courier)
            bell.wait(IDLE_SECONDS if seconds is None else seconds)
            bell.clear()

    def _step(self, courier: Courier) -> float | None:
        """One step that survives a ledger that fails; the cycle meets the same ledger and judges it."""
        try:
            return courier.step()
        except ControllerError as error:
            _log.error("outbox_failed", channel=courier.channel.name, error=str(error))
            return IDLE_SECONDS
