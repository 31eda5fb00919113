"""What is said to people, on its way: messages in the ledger's outbox until a channel has taken them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StatusState(StrEnum):
    """The state of a commit status; every forge knows these four."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One commit status; posting the same twice must change nothing."""

    revision: str
    context: str
    """Such as ``wavefleet/prod-eu``."""
    state: StatusState
    description: str
    """At most 140 characters."""

    @property
    def is_final(self) -> bool:
        """Success and error are last words; pending and failure are not."""
        return self.state in (StatusState.SUCCESS, StatusState.ERROR)


@dataclass(frozen=True, slots=True)
class ThreadHead:
    """The first message of a rollout's thread; a later one with the same thread replaces its text."""

    thread: str
    """Stable id of the thread, such as ``rollout-12``."""
    title: str
    sentence: str
    done: int
    of: int
    state: StatusState
    revision: str
    observe_only: bool = False


@dataclass(frozen=True, slots=True)
class ThreadReply:
    """One reply in a rollout's thread."""

    thread: str
    text: str
    needs_person: bool = False
    """Somebody must act; channels may show that."""


Body = CommitStatus | ThreadHead | ThreadReply


@dataclass(frozen=True, slots=True)
class Message:
    """Something to say on one channel, once."""

    channel: str
    key: str
    """Unique per channel for ever: a message with a key already seen is not said again."""
    topic: str
    """What it is about (``REVISION CONTEXT``, ``head rollout-12``): a newer one replaces what is still queued."""
    body: Body


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is due."""

    id: int
    message: Message
    attempts: int
    """Earlier tries."""
    in_doubt: bool
    """The last try began and never told its end, or ended in doubt."""
    thread_reference: str | None = None
    """The channel's name for the head of this message's thread, where that was delivered."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The last thing queued about a topic."""

    body: Body
    at: datetime
