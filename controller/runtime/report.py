"""Report: what changed since the last word goes into the outbox, for every channel, once.

Replies follow from the ledger's entries and a cursor into them, so that nothing is skipped and nothing said twice,
whenever the process died. Statuses and thread heads follow from the plan, and are queued when their words changed: a
change of state at once, a change of words alone only every so often. A status that an earlier head was left with is
brought to its end with its group, so that nothing stays pending for ever; so is the first message of a rollout that
ended, of which the plan may speak no more. Nothing here waits for a channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.errors import LedgerError
from controller.history.entries import Recorded, RolloutEnded
from controller.history.records import Outcome
from controller.model.outbox import Body, CommitStatus, Message, Posted, StatusState, ThreadHead
from controller.ports import Ledger, Outbox
from controller.runtime.announcing import closing_statuses, reply_of, thread_id

WORDS_EVERY = timedelta(minutes=15)
"""A commit status whose state stays is posted again with other words so often at most."""
HEAD_EVERY = timedelta(seconds=20)
"""A thread's first message is edited for other words so often at most."""

_END_STATES = {
    Outcome.CONVERGED: StatusState.SUCCESS,
    Outcome.FAILED: StatusState.FAILURE,
    Outcome.SUPERSEDED: StatusState.ERROR,
    Outcome.WITHDRAWN: StatusState.ERROR,
}
"""How a rollout's first message ends."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A channel, and what it is told."""

    channel: str
    statuses: bool = False
    threads: bool = False

    def takes(self, body: Body) -> bool:
        """Tell whether the channel is told of ``body``."""
        return self.statuses if isinstance(body, CommitStatus) else self.threads


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is said; both numbers make its key, since a clock that steps back shows a time twice."""

    now: datetime
    upto: int
    """The last entry of the ledger that was there."""

    def __str__(self) -> str:
        return f"{self.now.isoformat()} {self.upto}"


class Reporter:
    """Queues what is news to people. Its memory may be lost: it is read back from the outbox."""

    def __init__(self, ledger: Ledger, outbox: Outbox, audiences: Sequence[Audience]) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._audiences = audiences
        self._posted: dict[tuple[str, str], Posted | None] = {}
        self._unfinished: dict[tuple[str, str], CommitStatus] | None = None
        """By channel and topic: the commit statuses that are not brought to their end yet."""
        self._reported: int | None = None

    def report(self, bodies: Sequence[Body], fleet: str, now: datetime) -> bool:
        """Queue everything that changed; tell whether there was anything. Raises LedgerError."""
        reported = self._ledger.reported() if self._reported is None else self._reported
        recorded = list(self._ledger.read(reported))
        upto = recorded[-1].sequence if recorded else reported
        moment = Moment(now, upto)
        ended = {thread_id(each.entry.rollout): each for each in recorded if isinstance(each.entry, RolloutEnded)}
        others = [body for body in bodies if not (isinstance(body, ThreadHead) and body.thread in ended)]
        messages = [
            *self._news(others, moment),
            *self._ended_heads(bodies, ended, fleet),
            *self._replies(recorded, {_topic(body) for body in bodies}, fleet),
            *self._endings(bodies, moment),
        ]
        if messages or upto != reported:
            self._queue(messages, moment)
        self._reported = upto
        self._remember(messages, {_topic(body) for body in bodies}, now)
        return bool(messages)

    def _queue(self, messages: Sequence[Message], moment: Moment) -> None:
        try:
            self._ledger.queue(messages, moment.upto, moment.now)
        except LedgerError:
            # Whether they were taken is for the ledger to say: the next report asks it anew.
            self._posted, self._unfinished, self._reported = {}, None, None
            raise

    def _remember(self, messages: Sequence[Message], topics: set[str], now: datetime) -> None:
        unfinished = self._known_unfinished()
        for message in messages:
            place = (message.channel, message.topic)
            self._posted[place] = Posted(message.body, now)
            if isinstance(message.body, CommitStatus):
                unfinished.pop(place, None)
                if not message.body.is_final:
                    unfinished[place] = message.body
        for place in [place for place in self._posted if place[1] not in topics]:
            del self._posted[place]

    def _known_unfinished(self) -> dict[tuple[str, str], CommitStatus]:
        if self._unfinished is None:
            self._unfinished = {
                (audience.channel, _topic(status)): status
                for audience in self._audiences
                if audience.statuses
                for status in self._outbox.unfinished(audience.channel)
            }
        return self._unfinished

    def _news(self, bodies: Sequence[Body], moment: Moment) -> Iterator[Message]:
        for body in bodies:
            topic = _topic(body)
            for audience in self._audiences:
                if audience.takes(body) and self._is_news(audience.channel, topic, body, moment.now):
                    yield Message(audience.channel, f"{topic} {moment}", topic, body)

    def _is_news(self, channel: str, topic: str, body: Body, now: datetime) -> bool:
        last = self._last(channel, topic)
        if last is None:
            return True
        if last.body == body or _is_last_word(last.body):
            return False
        is_fresh = timedelta(0) <= now - last.at < _words_every(body)  # a clock that stepped back waits for nothing
        return _stands_out(last.body, body) or not is_fresh

    def _last(self, channel: str, topic: str) -> Posted | None:
        if (channel, topic) not in self._posted:
            self._posted[channel, topic] = self._outbox.posted(channel, topic)
        return self._posted[channel, topic]

    def _replies(self, recorded: Sequence[Recorded], told: set[str], fleet: str) -> Iterator[Message]:
        """Yield what entries say to people; a status that the plan still speaks of is not closed beside it."""
        closed: dict[str, CommitStatus] = {}
        for each in recorded:
            reply = reply_of(each.entry)
            bodies: list[Body] = [] if reply is None else [reply]
            for status in closing_statuses(each.entry):
                if _topic(status) not in told and closed.get(_topic(status)) != status:
                    bodies.append(status)
                    closed[_topic(status)] = status
            for number, body in enumerate(bodies):
                key = f"{fleet} entry {each.sequence}.{number}"
                for audience in self._audiences:
                    if audience.takes(body) and not self._stands(audience.channel, body):
                        yield Message(audience.channel, key, _topic(body), body)

    def _stands(self, channel: str, body: Body) -> bool:
        """Tell whether a status is the channel's last word already; the same reply may be news again."""
        if not isinstance(body, CommitStatus):
            return False
        last = self._last(channel, _topic(body))
        return last is not None and last.body == body

    def _ended_heads(self, bodies: Sequence[Body], ended: Mapping[str, Recorded], fleet: str) -> Iterator[Message]:
        """Yield the end of each first message whose rollout ended since, in the plan's words where it has some."""
        heads = {body.thread: body for body in bodies if isinstance(body, ThreadHead)}
        for thread, each in ended.items():
            topic, head = f"head {thread}", heads.get(thread)
            for audience in self._audiences:
                last = self._last(audience.channel, topic) if audience.threads else None
                said = last.body if last is not None and isinstance(last.body, ThreadHead) else None
                base = said or head
                if base is None or not audience.threads or (said is not None and _is_last_word(said)):
                    continue
                body = _end_of(base, head, each)
                if body != said:
                    yield Message(audience.channel, f"{fleet} entry {each.sequence}.head", topic, body)

    def _endings(self, bodies: Sequence[Body], moment: Moment) -> Iterator[Message]:
        """Yield the end of statuses that earlier heads were left with, once their group has come to one."""
        statuses = [body for body in bodies if isinstance(body, CommitStatus)]
        topics = {_topic(status) for status in statuses}
        by_context = {status.context: status for status in statuses}
        for (channel, topic), last in self._known_unfinished().items():
            status = by_context.get(last.context)
            if topic in topics or status is None or status.state in (last.state, StatusState.PENDING):
                continue
            body = replace(status, revision=last.revision)
            yield Message(channel, f"{topic} {moment}", topic, body)


def _topic(body: Body) -> str:
    if isinstance(body, CommitStatus):
        return f"{body.revision} {body.context}"
    return f"head {body.thread}" if isinstance(body, ThreadHead) else f"reply {body.thread}"


def _is_last_word(body: Body) -> bool:
    """A first message that tells a rollout's good end, or that it was given up, is edited no more."""
    return isinstance(body, ThreadHead) and body.state in (StatusState.SUCCESS, StatusState.ERROR)


def _end_of(base: ThreadHead, head: ThreadHead | None, ended: Recorded) -> ThreadHead:
    """Return the plan's ``head`` where it says this end, else ``base`` with the words of the reply that tells it."""
    entry, reply = ended.entry, reply_of(ended.entry)
    assert isinstance(entry, RolloutEnded), ended
    assert reply is not None, ended
    state = _END_STATES[entry.outcome]
    if head is not None and head.state is state:
        return head
    done = base.of if entry.outcome is Outcome.CONVERGED else base.done
    return replace(base, sentence=f"{base.title}: {reply.text}", done=done, state=state)


def _stands_out(before: Body, after: Body) -> bool:
    """Tell whether more than words changed."""
    if isinstance(before, CommitStatus) and isinstance(after, CommitStatus):
        return before.state is not after.state
    if isinstance(before, ThreadHead) and isinstance(after, ThreadHead):
        return replace(before, sentence=after.sentence) != after
    return True


def _words_every(body: Body) -> timedelta:
    return WORDS_EVERY if isinstance(body, CommitStatus) else HEAD_EVERY
