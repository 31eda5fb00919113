"""The outbox in a database: what the delivering threads ask for and remember, each in one short transaction.

A message is marked in doubt before it is sent, so that a crash in between is known afterwards. Only the holder of the
lease delivers: a controller that was passed over learns it before it says a thing twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from controller.ledger import message_rows as rows
from controller.ledger.database import Database
from controller.ledger.encoding import write_moment
from controller.ledger.lease import Lease
from controller.model.outbox import CommitStatus, Delivery, Posted


class SqlOutbox:
    """See ``ports.Outbox``. Reading needs no lease; what writes raises LeaseLost without it."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease

    def due(self, channel: str, now: datetime) -> Delivery | None:
        """Return the oldest message of ``channel`` if its time has come; from then on it is not replaced."""
        return next(iter(self.due_together(channel, now, 1)), None)

    def due_together(self, channel: str, now: datetime, most: int) -> tuple[Delivery, ...]:
        """Return the oldest message as ``due`` does, with those right behind it, at most ``most`` in all."""
        with self._database.reading() as connection:
            if not rows.due(connection, channel, now, 1):
                return ()
        with self._database.writing() as connection:
            self._lease.require(connection)
            return rows.hand_out(connection, rows.due(connection, channel, now, most))

    def attempt(self, delivery: Delivery, now: datetime) -> None:
        """Remember that delivery is being tried; until its end is told it is in doubt."""
        with self._database.writing() as connection:
            self._lease.require(connection)
            tries = {"attempts": delivery.attempts + 1, "tried_at": write_moment(now)}
            rows.change(connection, delivery, in_doubt=True, **tries)

    def delivered(self, delivery: Delivery, reference: str, now: datetime) -> None:
        """Remember that the channel took it, under the name ``reference``."""
        end = {"state": rows.DELIVERED, "in_doubt": False, "done_at": write_moment(now), "reference": reference}
        with self._database.writing() as connection:
            self._lease.require(connection)
            if rows.change(connection, delivery, **end):
                rows.keep_reference(connection, delivery, reference)

    def postponed(self, delivery: Delivery, until: datetime, why: str, *, in_doubt: bool = False) -> None:
        """Try again at ``until``; ``in_doubt`` where the channel may have taken it all the same."""
        with self._database.writing() as connection:
            self._lease.require(connection)
            rows.change(connection, delivery, not_before=write_moment(until), why=why, in_doubt=in_doubt)

    def dropped(self, delivery: Delivery, why: str, now: datetime) -> None:
        """Never try again."""
        end = {"state": rows.DROPPED, "in_doubt": False, "done_at": write_moment(now), "why": why}
        with self._database.writing() as connection:
            self._lease.require(connection)
            rows.change(connection, delivery, **end)

    def reference(self, channel: str, key: str) -> str | None:
        """Return the channel's name for the delivered message ``key``; it is kept for ever."""
        with self._database.reading() as connection:
            return rows.reference(connection, channel, key)

    def waiting(self) -> Mapping[str, int]:
        """Return how many messages wait for each channel."""
        with self._database.reading() as connection:
            return rows.waiting(connection)

    def unfinished(self, channel: str) -> Sequence[CommitStatus]:
        """Return the commit statuses that are the last word on their topic and neither success nor error."""
        with self._database.reading() as connection:
            return rows.unfinished(connection, channel)

    def posted(self, channel: str, topic: str) -> Posted | None:
        """Return what was queued last for ``topic``."""
        with self._database.reading() as connection:
            return rows.posted(connection, channel, topic)
