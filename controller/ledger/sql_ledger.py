"""The ledger in a database. Reading and asking need no lease; recording and queueing do, checked as they write."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from threading import Event
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controller.errors import LedgerError
from controller.history.entries import Entry, Recorded
from controller.ledger import entry_rows, message_rows, schema
from controller.ledger.database import Database
from controller.ledger.encoding import read_moment, write_moment
from controller.ledger.lease import FileLock, Holder, Lease, begin_term, newest_holder
from controller.ledger.opened import another_fleet
from controller.ledger.outbox import SqlOutbox
from controller.model.outbox import Message
from controller.model.requests import Command, Request
from controller.ports import Clock

WAIT_SECONDS = 1.0
"""How often a waiting daemon looks whether the lease is free."""

_requests = schema.requests.c


class SqlLedger:
    """One fleet's ledger; see ``opened.OpenLedger``. Made by ``opening.open_ledger``."""

    def __init__(self, database: Database, lock: FileLock, fleet: str | None) -> None:
        self._database = database
        self._lock = lock
        self._fleet = fleet
        self._lease = Lease(database.path)
        self._outbox = SqlOutbox(database, self._lease)

    @property
    def outbox(self) -> SqlOutbox:
        """The queue of messages in this ledger."""
        return self._outbox

    @property
    def term(self) -> int | None:
        """This process's term; None while it never took the lease."""
        return self._lease.term

    def acquire(self, owner: str, at: datetime) -> bool:
        """Take the lease with a new term; False where another process holds it."""
        if self._lease.term is not None:
            if self.holds_lease():
                return True
            self.release()  # passed over: it waits like any other from here
        if not self._lock.take():
            return False
        try:
            self._lease.term = self._begin_term(owner, at)
        except BaseException:
            self._lock.drop()
            raise
        return True

    def _begin_term(self, owner: str, at: datetime) -> int:
        with self._database.writing() as connection:
            found: int = connection.execute(select(schema.ledger.c.schema_version)).scalar_one()
            schema.migrate(connection, found)
            if self._fleet is not None:
                self._bind(connection, self._fleet)
            return begin_term(connection, owner, at)

    def wait_for_lease(self, owner: str, clock: Clock, stop: Event, on_wait: Callable[[str], None]) -> bool:
        """Take the lease as soon as nobody else holds it; False where ``stop`` was set first."""
        told = ""
        while not stop.is_set():
            if self.acquire(owner, clock.now()):
                return True
            sentence = f"{self._database.path}: held by {self.holder() or 'another process'}; waiting until it ends"
            if sentence != told:
                on_wait(sentence)
                told = sentence
            stop.wait(WAIT_SECONDS)
        return False

    def release(self) -> None:
        """Let another process have the lease."""
        self._lease.term = None
        self._lock.drop()

    def holder(self) -> Holder | None:
        """Return who took the lease last; None before the first."""
        with self._database.reading() as connection:
            return newest_holder(connection)

    def holds_lease(self) -> bool:
        """Tell whether this process still holds the newest term."""
        with self._database.reading() as connection:
            return self._lease.is_newest(connection)

    def bind(self, fleet: str) -> None:
        """Make this the ledger of ``fleet``; LedgerError where it is another's."""
        if self.fleet() == fleet:
            return
        with self._database.writing() as connection:
            self._bind(connection, fleet)
            self._lease.require(connection)

    def _bind(self, connection: Connection, fleet: str) -> None:
        found = _fleet(connection)
        if found not in (None, fleet):
            raise LedgerError(another_fleet(str(self._database.path), str(found), fleet))
        connection.execute(update(schema.ledger).values(fleet=fleet))

    def fleet(self) -> str | None:
        """Return the fleet that this ledger belongs to; None before the first ``bind``."""
        with self._database.reading() as connection:
            return _fleet(connection)

    def record(self, entries: Sequence[Entry], at: datetime) -> None:
        """Append all of ``entries`` or none, as the holder of the newest term."""
        if not entries:
            return
        with self._database.writing() as connection:
            self._lease.require(connection)
            entry_rows.append(connection, entries, at)

    def read(self, after: int = 0) -> Iterator[Recorded]:
        """Yield the entries with a sequence number above ``after``, oldest first, a page at a time."""
        while True:
            with self._database.reading() as connection:
                page = entry_rows.page_after(connection, after)
            if not page:
                return
            yield from page
            after = page[-1].sequence

    def history(
        self, group: str | None = None, cluster: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[Recorded]:
        """Return the newest ``limit`` entries of a group, a cluster, both or all, oldest of them first."""
        with self._database.reading() as connection:
            newest = list(islice(entry_rows.newest_first(connection, group, cluster, before), limit))
        return newest[::-1]

    def ask(self, request: Request) -> int:
        """Append a person's command and return its id."""
        row = {
            "command": request.command.value,
            "scope": request.scope,
            "by": request.by,
            "reason": request.reason,
            "at": write_moment(request.at),
            "number": request.number,
            "revision": request.revision,
        }
        with self._database.writing() as connection:
            made = connection.execute(insert(schema.requests).values(row)).inserted_primary_key
            assert made is not None, "an insert of one row tells its key"
            return int(made[0])

    def requests(self) -> tuple[Request, ...]:
        """Return people's commands that no entry has taken in yet, oldest first."""
        query = select(schema.requests).where(_requests.outcome.is_(None)).order_by(_requests.id)
        with self._database.reading() as connection:
            return tuple(_request(row) for row in connection.execute(query))

    def answer(self, request: int) -> str | None:
        """Return what came of a command; None until a cycle took it in."""
        query = select(_requests.outcome).where(_requests.id == request)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise LedgerError(f"{self._database.path}: found no request {request}; ask again")
        outcome: str | None = row.outcome
        return outcome

    def queue(self, messages: Sequence[Message], reported: int, at: datetime) -> None:
        """Put messages into the outbox and remember that entries up to ``reported`` were told, all or nothing."""
        with self._database.writing() as connection:
            self._lease.require(connection)
            message_rows.queue(connection, messages, at)
            advanced = update(schema.ledger).where(schema.ledger.c.reported < reported)
            connection.execute(advanced.values(reported=reported))

    def reported(self) -> int:
        """Return the sequence number up to which entries were told to people."""
        with self._database.reading() as connection:
            return int(connection.execute(select(schema.ledger.c.reported)).scalar_one())

    def close(self) -> None:
        """Release the lease and the file."""
        self.release()
        self._database.close()


def _fleet(connection: Connection) -> str | None:
    found: str | None = connection.execute(select(schema.ledger.c.fleet)).scalar_one()
    return found


def _request(row: Row[Any]) -> Request:
    return Request(
        id=row.id,
        command=Command(row.command),
        scope=row.scope,
        by=row.by,
        reason=row.reason,
        at=read_moment(row.at),
        number=row.number,
        revision=row.revision,
    )
