"""Short transactions on the ledger's database, from any thread; every failure leaves as a LedgerError.

Writers of one process take turns at a lock, so that only other programs are waited for in the database. Nothing
here knows what is stored.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from controller.errors import LedgerError
from controller.ledger.encoding import Unreadable
from controller.ledger.sqlite import BUSY_SECONDS, WRITES, explain

_TURN_SECONDS = 2 * BUSY_SECONDS
"""How long a thread waits for the other threads of this process."""


class Database:
    """An engine, and where it stands, for error messages."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the ledger and changes nothing. Raises LedgerError."""
        with self.translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed whole, or not at all where its body raises. Raises LedgerError."""
        with self._one_at_a_time(), self.translated(), self._engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection that no thread is using."""
        self._engine.dispose()

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise LedgerError(f"{self.path}: found another thread writing for {_TURN_SECONDS:g} seconds; try again")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the database and unreadable rows raise into LedgerError."""
        try:
            yield
        except SQLAlchemyError as error:
            raise LedgerError(f"{self.path}: {explain(error, self.path)}") from error
        except Unreadable as error:
            raise LedgerError(f"{self.path}: {error}") from error
