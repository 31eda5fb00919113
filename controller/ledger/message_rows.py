"""Messages as rows: queued once per key, replaced in place while nobody has them, in one order per channel.

A row's id is its place in its channel's order; a replacement keeps the place, so that a thread's head never falls
behind its replies. Every function works inside the transaction of its caller and may raise Unreadable.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, or_, select, update

from controller.ledger import schema
from controller.ledger.encoding import decode_body, encode, read_moment, write_moment
from controller.model.outbox import CommitStatus, Delivery, Message, Posted, ThreadHead, ThreadReply

KEPT = timedelta(days=30)
"""How long a message stays readable after its end; its key and reference stay for ever."""

QUEUED = "queued"
DELIVERED = "delivered"
DROPPED = "dropped"

_messages = schema.messages.c
_keys = schema.message_keys.c


def queue(connection: Connection, messages: Sequence[Message], at: datetime) -> None:
    """Append ``messages`` that are new to their channels, and forget old ones that nobody needs."""
    for message in messages:
        if _is_new(connection, message):
            _put(connection, message, at)
    _prune(connection, at)


def _is_new(connection: Connection, message: Message) -> bool:
    seen = select(_keys.key).where(_keys.channel == message.channel, _keys.key == message.key)
    if connection.execute(seen).first() is not None:
        return False
    connection.execute(insert(schema.message_keys).values(channel=message.channel, key=message.key))
    return True


def _put(connection: Connection, message: Message, at: datetime) -> None:
    kind, body = encode(message.body)
    row = {
        "key": message.key,
        "kind": kind,
        "thread": getattr(message.body, "thread", None),
        "body": body,
        "queued_at": write_moment(at),
    }
    if not _replace(connection, message, row):
        beginning = {"state": QUEUED, "handed_out": False, "attempts": 0, "in_doubt": False, "why": ""}
        place = {"channel": message.channel, "topic": message.topic}
        connection.execute(insert(schema.messages).values(**place, **row, **beginning))


def _replace(connection: Connection, message: Message, row: dict[str, Any]) -> bool:
    if not isinstance(message.body, CommitStatus | ThreadHead):
        return False
    waiting = update(schema.messages).where(
        _messages.channel == message.channel,
        _messages.topic == message.topic,
        _messages.kind == row["kind"],
        _messages.state == QUEUED,
        _messages.handed_out.is_(False),
    )
    return connection.execute(waiting.values(row)).rowcount > 0


def _prune(connection: Connection, at: datetime) -> None:
    """Delete what ended long ago: replies, and what a later delivery about the same topic has overtaken."""
    later = schema.messages.alias("later")
    overtaken = exists().where(
        later.c.channel == _messages.channel,
        later.c.topic == _messages.topic,
        later.c.id > _messages.id,
        later.c.state == DELIVERED,
    )
    needless = or_(_messages.kind == ThreadReply.__name__, overtaken)
    connection.execute(delete(schema.messages).where(_messages.done_at < write_moment(at - KEPT), needless))


def due(connection: Connection, channel: str, now: datetime, most: int) -> list[Row[Any]]:
    """Return the messages of ``channel`` whose turn it is, at most ``most``: the first that must wait ends the list."""
    waiting = select(schema.messages).where(_messages.channel == channel, _messages.state == QUEUED)
    rows = connection.execute(waiting.order_by(_messages.id).limit(most)).all()
    return list(takewhile(lambda row: row.not_before is None or read_moment(row.not_before) <= now, rows))


def hand_out(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Delivery, ...]:
    """Return the rows as deliveries; from here on they are not replaced any more."""
    ids = [row.id for row in rows]
    connection.execute(update(schema.messages).where(_messages.id.in_(ids)).values(handed_out=True))
    return tuple(_delivery(connection, row) for row in rows)


def _delivery(connection: Connection, row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        message=Message(row.channel, row.key, row.topic, decode_body(row.kind, row.body)),
        attempts=row.attempts,
        in_doubt=row.in_doubt,
        thread_reference=None if row.thread is None else _head_reference(connection, row.channel, row.thread),
    )


def _head_reference(connection: Connection, channel: str, thread: str) -> str | None:
    heads = select(_messages.reference).where(
        _messages.channel == channel,
        _messages.thread == thread,
        _messages.kind == ThreadHead.__name__,
        _messages.state == DELIVERED,
    )
    found: str | None = connection.execute(heads.order_by(_messages.id.desc()).limit(1)).scalar()
    return found


def change(connection: Connection, delivery: Delivery, **values: object) -> bool:
    """Change a message that is still queued; False where it has already come to its end."""
    queued = update(schema.messages).where(_messages.id == delivery.id, _messages.state == QUEUED)
    return connection.execute(queued.values(**values)).rowcount > 0


def keep_reference(connection: Connection, delivery: Delivery, reference: str) -> None:
    """Remember the channel's name for a delivered message beside its key."""
    message = delivery.message
    of_message = (_keys.channel == message.channel, _keys.key == message.key)
    connection.execute(update(schema.message_keys).where(*of_message).values(reference=reference))


def reference(connection: Connection, channel: str, key: str) -> str | None:
    """Return the channel's name for the message ``key``; None where it was not delivered."""
    found: str | None = connection.execute(
        select(_keys.reference).where(_keys.channel == channel, _keys.key == key)
    ).scalar()
    return found


def posted(connection: Connection, channel: str, topic: str) -> Posted | None:
    """Return what was queued last about ``topic``."""
    about_topic = select(schema.messages).where(_messages.channel == channel, _messages.topic == topic)
    row = connection.execute(about_topic.order_by(_messages.id.desc()).limit(1)).first()
    return None if row is None else Posted(decode_body(row.kind, row.body), read_moment(row.queued_at))


def waiting(connection: Connection) -> dict[str, int]:
    """Return how many messages wait for each channel."""
    counted = select(_messages.channel, func.count()).where(_messages.state == QUEUED).group_by(_messages.channel)
    return {row[0]: row[1] for row in connection.execute(counted)}


def unfinished(connection: Connection, channel: str) -> list[CommitStatus]:
    """Return the commit statuses that are the last word on their topic and no final one."""
    statuses = (_messages.channel == channel, _messages.kind == CommitStatus.__name__)
    newest = select(func.max(_messages.id)).where(*statuses).group_by(_messages.topic)
    rows = connection.execute(select(schema.messages).where(_messages.id.in_(newest)).order_by(_messages.id))
    bodies = [decode_body(row.kind, row.body) for row in rows]
    return [body for body in bodies if isinstance(body, CommitStatus) and not body.is_final]
