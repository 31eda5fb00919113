"""Builders of messages and deliveries, and a clock that moves only when a courier wants to wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from controller.model.outbox import Body, CommitStatus, Delivery, Message, StatusState, ThreadHead, ThreadReply
from controller.runtime.delivery import Courier
from tests.builders import NOON
from tests.fakes.loopback import ManualClock

REVISION = "3f2a91c0de4b5a6978877665544332211009f8e7"
OTHER_REVISION = "a" * 40
GROUP_CONTEXT = "wavefleet/prod-eu"
SENTENCE = "prod-eu → 4.3.1: wave 2/3 early, 3 of 8 clusters done, 2 in flight; next: 14:05 UTC (soak)"
THREAD = "rollout-12"


class StatusParts(TypedDict, total=False):
    """What a test may say of a status beside its words."""

    revision: str
    context: str
    state: StatusState


def a_status(description: str = "wave 2/3 early, 3 of 8 clusters done", **parts: Unpack[StatusParts]) -> CommitStatus:
    """A pending status of one group."""
    filled: StatusParts = {"revision": REVISION, "context": GROUP_CONTEXT, "state": StatusState.PENDING, **parts}
    return CommitStatus(description=description, **filled)


class HeadParts(TypedDict, total=False):
    """What a test may say of a thread's first message beside its sentence."""

    thread: str
    title: str
    done: int
    of: int
    state: StatusState
    revision: str
    observe_only: bool


def a_head(sentence: str = SENTENCE, **parts: Unpack[HeadParts]) -> ThreadHead:
    """The first message of a rollout's thread, under way."""
    filled: HeadParts = {
        "thread": THREAD,
        "title": "prod-eu → 4.3.1",
        "done": 3,
        "of": 8,
        "state": StatusState.PENDING,
        "revision": REVISION,
        **parts,
    }
    return ThreadHead(sentence=sentence, **filled)


def a_reply(
    text: str = "wave 1 canary has soaked for 1h", *, thread: str = THREAD, needs_person: bool = False
) -> ThreadReply:
    """A reply in that thread."""
    return ThreadReply(thread, text, needs_person)


def a_message(body: Body, key: str, channel: str = "slack") -> Message:
    """A message with the topic that its body has."""
    match body:
        case CommitStatus():
            topic = f"{body.revision} {body.context}"
        case ThreadHead():
            topic = f"head {body.thread}"
        case ThreadReply():
            topic = f"reply {key}"
    return Message(channel, key, topic, body)


class DeliveryParts(TypedDict, total=False):
    """What a test may say of a delivery beside its body."""

    attempts: int
    in_doubt: bool
    thread_reference: str | None


def a_delivery(body: Body, key: str = "key-1", **parts: Unpack[DeliveryParts]) -> Delivery:
    """A message that is due for the first time, with no doubt about it."""
    filled: DeliveryParts = {"attempts": 0, "in_doubt": False, "thread_reference": None, **parts}
    return Delivery(1, a_message(body, key), **filled)


class SteppedClock:
    """``ports.Clock`` for couriers and, by ``manual``, the clock of a fake's limits: both move together."""

    def __init__(self) -> None:
        self.manual = ManualClock(0.0)

    def now(self) -> datetime:
        """Noon, and what was let pass since."""
        return NOON + timedelta(seconds=self.manual.seconds)


def carry_all(courier: Courier, clock: SteppedClock, *, steps_max: int = 100) -> Sequence[float]:
    """Step until nothing is due, letting time pass as the courier asks; the waits, in order.

    Fails where that takes more steps than any message here can need.
    """
    waits: list[float] = []
    for _ in range(steps_max):
        wait = courier.step()
        if wait is None:
            return waits
        waits.append(wait)
        clock.manual.advance(wait)
    raise AssertionError(f"still delivering after {steps_max} steps; waited {waits}")
