"""Who may write: a lock that the kernel drops when its holder dies, and a term that outlives every lock.

The lock keeps a second daemon waiting, also after ``kill -9`` of the first. The term is what safety rests on: it grows
with every holder and is compared inside each writing transaction, so a holder that was passed over (its lock file was
deleted) can write nothing more. A database on another machine will need a lock with a time limit in place of
``FileLock``, with the same two methods; terms stay as they are.
"""

import fcntl
import os
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from controller.errors import LeaseLost, LedgerError
from controller.ledger import schema
from controller.ledger.encoding import read_moment, write_moment


@dataclass(frozen=True, slots=True)
class Holder:
    """Who took the lease last."""

    term: int
    owner: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.owner} since {self.since:%Y-%m-%d %H:%M:%S} UTC (term {self.term})"


def this_process() -> str:
    """Return this process as others should hear of it: its host and process id."""
    return f"{socket.gethostname()} process {os.getpid()}"


class FileLock:
    """An exclusive lock on a file beside the ledger, for as long as this process lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock, or tell that another holds it; never waits. Raises LedgerError where it cannot be made."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerError(
                f"{self._path}: cannot be opened: found {error.strerror}, expected a folder that this user may write;"
                " mend its permissions"
            ) from error
        return self._lock(descriptor)

    def drop(self) -> None:
        """Let others have it; the file stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            raise LedgerError(
                f"{self._path}: cannot be locked: found {error.strerror}, expected a local disk that knows flock;"
                " keep the ledger on one"
            ) from error
        if not self._is_at_its_path(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _is_at_its_path(self, descriptor: int) -> bool:
        """Tell whether others would find the locked file too: it may have been deleted in between."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False


def begin_term(connection: Connection, owner: str, at: datetime) -> int:
    """Make the caller the newest holder and return its term."""
    newest: int | None = connection.execute(select(func.max(schema.terms.c.term))).scalar_one()
    term = (newest or 0) + 1
    connection.execute(insert(schema.terms).values(term=term, owner=owner, since=write_moment(at)))
    return term


def newest_holder(connection: Connection) -> Holder | None:
    """Return who took the lease last; None before the first."""
    terms = schema.terms.c
    row = connection.execute(select(terms.term, terms.owner, terms.since).order_by(terms.term.desc()).limit(1)).first()
    return None if row is None else Holder(row.term, row.owner, read_moment(row.since))


class Lease:
    """This process's own term, asked inside every writing transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.term: int | None = None
        """None until this process took the lease."""

    def is_newest(self, connection: Connection) -> bool:
        """Tell whether nobody has taken the lease since this process did."""
        newest: int | None = connection.execute(select(func.max(schema.terms.c.term))).scalar_one()
        return self.term is not None and newest == self.term

    def require(self, connection: Connection) -> None:
        """Raise LeaseLost unless this process holds the newest term."""
        if self.is_newest(connection):
            return
        if self.term is None:
            raise LeaseLost(f"{self._path}: found no lease of this process, expected it to be taken before writing")
        raise LeaseLost(
            f"{self._path}: found it held by {newest_holder(connection)}, expected term {self.term} of this process;"
            " this one must stop writing and wait"
        )
