"""The outbox of a ledger in memory; the same promises as the one in a database, kept by a lock and some dicts."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from controller.model.outbox import Body, CommitStatus, Delivery, Message, Posted, ThreadHead


@dataclass(slots=True)
class _Waiting:
    """A message in its place, until its end."""

    message: Message
    handed_out: bool = False
    attempts: int = 0
    in_doubt: bool = False
    not_before: datetime | None = None
    why: str = ""


class MemoryOutbox:
    """See ``ports.Outbox``; ``require`` raises LeaseLost where nothing may be written."""

    def __init__(self, turn: threading.RLock, require: Callable[[], None]) -> None:
        self._turn = turn
        self._require = require
        self._ids = 0
        self._waiting: dict[str, dict[int, _Waiting]] = defaultdict(dict)
        """By channel and id, oldest first."""
        self._seen: set[tuple[str, str]] = set()
        self._posted: dict[tuple[str, str], Posted] = {}
        self._references: dict[tuple[str, str], str] = {}
        self._heads: dict[tuple[str, str], str] = {}
        """Channel and thread to the reference of its head."""
        self.dropped_messages: list[tuple[Message, str]] = []
        """Messages never tried again, with why."""

    def put(self, messages: Sequence[Message], at: datetime) -> None:
        """Append the messages that are new to their channels."""
        for message in messages:
            if (message.channel, message.key) in self._seen:
                continue
            self._seen.add((message.channel, message.key))
            self._posted[message.channel, message.topic] = Posted(message.body, at)
            if not self._replace(message):
                self._ids += 1
                self._waiting[message.channel][self._ids] = _Waiting(message)

    def _replace(self, message: Message) -> bool:
        if not isinstance(message.body, CommitStatus | ThreadHead):
            return False
        for waiting in self._waiting[message.channel].values():
            same = (waiting.message.topic, type(waiting.message.body)) == (message.topic, type(message.body))
            if same and not waiting.handed_out:
                waiting.message = message
                return True
        return False

    def due(self, channel: str, now: datetime) -> Delivery | None:
        """Return the oldest message of ``channel`` if its time has come; from then on it is not replaced."""
        return next(iter(self.due_together(channel, now, 1)), None)

    def due_together(self, channel: str, now: datetime, most: int) -> tuple[Delivery, ...]:
        """Return the oldest message as ``due`` does, with those right behind it, at most ``most`` in all."""
        with self._turn:
            oldest = islice(self._waiting[channel].items(), most)
            due = list(takewhile(lambda item: item[1].not_before is None or item[1].not_before <= now, oldest))
            if due:
                self._require()
            return tuple(self._hand_out(number, waiting) for number, waiting in due)

    def _hand_out(self, number: int, waiting: _Waiting) -> Delivery:
        waiting.handed_out = True
        message = waiting.message
        head = self._heads.get((message.channel, _thread(message.body)))
        return Delivery(number, message, waiting.attempts, waiting.in_doubt, head)

    def attempt(self, delivery: Delivery, now: datetime) -> None:
        """Remember that delivery is being tried; until its end is told it is in doubt."""
        del now
        with self._turn:
            self._require()
            waiting = self._find(delivery)
            if waiting is not None:
                waiting.attempts = delivery.attempts + 1
                waiting.in_doubt = True

    def delivered(self, delivery: Delivery, reference: str, now: datetime) -> None:
        """Remember that the channel took it, under the name ``reference``."""
        del now
        with self._turn:
            self._require()
            if self._find(delivery) is None:
                return
            message = delivery.message
            del self._waiting[message.channel][delivery.id]
            self._references[message.channel, message.key] = reference
            if isinstance(message.body, ThreadHead):
                self._heads[message.channel, message.body.thread] = reference

    def postponed(self, delivery: Delivery, until: datetime, why: str, *, in_doubt: bool = False) -> None:
        """Try again at ``until``; ``in_doubt`` where the channel may have taken it all the same."""
        with self._turn:
            self._require()
            waiting = self._find(delivery)
            if waiting is not None:
                waiting.not_before, waiting.why, waiting.in_doubt = until, why, in_doubt

    def dropped(self, delivery: Delivery, why: str, now: datetime) -> None:
        """Never try again."""
        del now
        with self._turn:
            self._require()
            if self._waiting[delivery.message.channel].pop(delivery.id, None) is not None:
                self.dropped_messages.append((delivery.message, why))

    def reference(self, channel: str, key: str) -> str | None:
        """Return the channel's name for the delivered message ``key``."""
        return self._references.get((channel, key))

    def waiting(self) -> Mapping[str, int]:
        """Return how many messages wait for each channel."""
        with self._turn:
            return {channel: len(waiting) for channel, waiting in self._waiting.items()}

    def unfinished(self, channel: str) -> Sequence[CommitStatus]:
        """Return the commit statuses that are the last word on their topic and neither success nor error."""
        with self._turn:
            bodies = [posted.body for (each, _), posted in self._posted.items() if each == channel]
        return [body for body in bodies if isinstance(body, CommitStatus) and not body.is_final]

    def posted(self, channel: str, topic: str) -> Posted | None:
        """Return what was queued last for ``topic``."""
        return self._posted.get((channel, topic))

    def _find(self, delivery: Delivery) -> _Waiting | None:
        return self._waiting[delivery.message.channel].get(delivery.id)


def _thread(body: Body) -> str:
    return "" if isinstance(body, CommitStatus) else body.thread
