"""The ledger's tables and their version, in SQL that SQLite and PostgreSQL share.

Entries are append-only but for compacted soak credit (``sqlite`` guards that with triggers). Everything else is a
queue or a cursor beside them. A change of these tables needs a new ``SCHEMA_VERSION`` and a step in ``STEPS``.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    insert,
    update,
)

SCHEMA_VERSION = 1
"""What this program writes; a ledger of a higher one is refused, one of a lower one is brought here by ``migrate``."""

Step = Callable[[Connection], None]
"""Brings the tables from one version to the next, inside the transaction that the caller holds."""

STEPS: Mapping[int, Step] = {}
"""By the version that a step starts from. There is only version 1 yet, so there is nothing to bring up."""

tables = MetaData()

ledger = Table(
    "ledger",
    tables,
    Column("schema_version", Integer, nullable=False),
    Column("fleet", Text),  # null until the first use binds it
    Column("last_sequence", Integer, nullable=False),  # of the newest entry: one that was torn off is missed
    Column("reported", Integer, nullable=False),
)
"""One row."""

terms = Table(
    "terms",
    tables,
    Column("term", Integer, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("since", Text, nullable=False),
)
"""Every controller that ever held the lease; the highest term is the one that may write."""

entries = Table(
    "entries",
    tables,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rollout", Integer),
    Column("wave", Integer),
    Column("group_name", Text),
    Column("cluster", Text),
    Column("body", Text, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Index("entries_by_kind", "kind", "rollout", "wave"),
    Index("entries_by_group", "group_name", "sequence"),
    Index("entries_by_cluster", "cluster", "sequence"),
)

requests = Table(
    "requests",
    tables,
    Column("id", Integer, primary_key=True),
    Column("command", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("number", Integer),
    Column("revision", Text),
    Column("outcome", Text),  # null until a RequestTaken entry is recorded, in the same transaction
)

message_keys = Table(
    "message_keys",
    tables,
    Column("channel", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("reference", Text),
)
"""Every key that a channel was ever given; kept when the message is gone, so that nothing is said twice."""

messages = Table(
    "messages",
    tables,
    Column("id", Integer, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("thread", Text),
    Column("body", Text, nullable=False),
    Column("queued_at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("handed_out", Boolean, nullable=False),  # a channel's thread has it: it is replaced no more
    Column("attempts", Integer, nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("tried_at", Text),
    Column("not_before", Text),
    Column("why", Text, nullable=False),
    Column("done_at", Text),
    Column("reference", Text),
    UniqueConstraint("channel", "key"),
    Index("messages_by_state", "channel", "state", "id"),
    Index("messages_by_topic", "channel", "topic", "id"),
    Index("messages_by_thread", "channel", "thread", "id"),
    Index("messages_by_end", "done_at"),
)


def build(connection: Connection) -> None:
    """Make the tables of an empty ledger."""
    tables.create_all(connection)
    connection.execute(insert(ledger).values(schema_version=SCHEMA_VERSION, fleet=None, last_sequence=0, reported=0))


def migrate(connection: Connection, found: int, steps: Mapping[int, Step] = STEPS) -> None:
    """Bring the tables from version ``found`` to ``SCHEMA_VERSION``, one step at a time."""
    for version in range(found, SCHEMA_VERSION):
        steps[version](connection)
        connection.execute(update(ledger).values(schema_version=version + 1))
