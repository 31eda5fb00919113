"""Channels that do as a script says, and an outbox at noon to carry from."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from controller.errors import ReportRefused
from controller.ledger.memory import MemoryLedger
from controller.model.outbox import Body, Delivery
from controller.runtime.delivery import Desk
from tests.reports.messages import SteppedClock, a_message, a_reply
from tests.runtime.worlds import LIMIT_SECONDS


@dataclass
class ScriptedChannel:
    """Takes what it is given, but for the errors that stand in its script, one a call."""

    name: str = "slack"
    script: list[Exception] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Keys, in order."""
    offered: list[Delivery] = field(default_factory=list)

    def check(self) -> str:
        """Say something."""
        return "scripted"

    def deliver(self, delivery: Delivery) -> str:
        """Take a message, unless the script has an error left."""
        self.offered.append(delivery)
        if self.script:
            raise self.script.pop(0)
        self.taken.append(delivery.message.key)
        return f"reference-of-{delivery.message.key}"


@dataclass
class PacedScript(ScriptedChannel):
    """Wants a pause between two messages."""

    seconds_between: float = 2.0


@dataclass
class JoiningScript(ScriptedChannel):
    """Takes several at once; refuses the whole where one of them is refused."""

    most_together: int = 3
    refused: frozenset[str] = frozenset()
    batches: list[tuple[str, ...]] = field(default_factory=list)

    def deliver(self, delivery: Delivery) -> str:
        """Take one, unless it is one of the refused."""
        return self.deliver_together([delivery])

    def deliver_together(self, deliveries: Sequence[Delivery]) -> str:
        """Take all or none."""
        keys = tuple(delivery.message.key for delivery in deliveries)
        self.batches.append(keys)
        if self.script:
            raise self.script.pop(0)
        if self.refused & set(keys):
            raise ReportRefused("one of them is impossible")
        self.taken += keys
        return "together"


@dataclass
class HangingChannel:
    """Holds the first message in hand until it is let go."""

    name: str = "hanging"
    entered: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def check(self) -> str:
        """Say something."""
        return "hanging"

    def deliver(self, delivery: Delivery) -> str:
        """Wait, then take it."""
        self.entered.set()
        self.let_go.wait(LIMIT_SECONDS)
        return delivery.message.key


@dataclass
class Post:
    """A ledger's outbox, a clock and what was counted."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    counted: list[tuple[str, str]] = field(default_factory=list)
    may_deliver: bool = True

    @property
    def desk(self) -> Desk:
        """What couriers work with here."""
        return Desk(
            outbox=self.ledger.outbox,
            clock=self.clock,
            observe=lambda system, outcome, _seconds: self.counted.append((system, outcome)),
            may_deliver=lambda: self.may_deliver,
            chance=Random(7),
        )

    def queue(self, *keys: str, channel: str = "slack", body: Body | None = None) -> None:
        """Queue a message for each key."""
        messages = [a_message(body or a_reply(key), key, channel) for key in keys]
        self.ledger.queue(messages, 0, self.clock.now())

    def dropped(self) -> list[tuple[str, str]]:
        """Keys and reasons of what was dropped."""
        return [(message.key, why) for message, why in self.ledger.outbox.dropped_messages]
