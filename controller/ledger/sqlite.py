"""All that is SQLite's own: the file, its pragmas, its triggers, and what its errors mean to a person.

The file is made aside and linked into place whole, so an empty one at its path is damage, never a beginning. Every
commit is synced (``synchronous=FULL``); the write-ahead log lets readers and the writer go on side by side.
Connections never create the file: one that is deleted under a running daemon is missed, not replaced by an empty one.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from controller.errors import LedgerError
from controller.ledger.place import MISSING, obstacle

BUSY_SECONDS = 10.0
"""How long a transaction waits for another program's; ours take milliseconds."""
CONNECTIONS_MAX = 16
"""Of one process: the cycle, one thread per channel, the web pages."""
DETAIL_CHARACTERS_MAX = 200

WRITES = "wavefleet_writes"
"""Execution option of a connection whose transactions write: they take SQLite's write lock when they begin."""

_PRAGMAS = ("PRAGMA synchronous=FULL", "PRAGMA trusted_schema=OFF", f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")

_TRIGGERS = (
    """CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END""",
    """CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
    WHEN OLD.kind <> 'SoakCredited' OR NOT EXISTS (
        SELECT 1 FROM entries AS newer WHERE newer.kind = 'SoakCredited'
        AND newer.rollout = OLD.rollout AND newer.wave = OLD.wave AND newer.sequence > OLD.sequence)
    BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END""",
)
"""The one exception is soak credit that a newer entry of the same wave has taken over."""

_DAMAGED = (
    "found it damaged ({detail}), expected a whole ledger; bring back a backup, or move it away and begin with an"
    " empty one (then nothing counts as soaked)"
)
_FULL = "found the disk full, expected room for the next entry; free some space (nothing was recorded)"
_SENTENCES = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_READONLY: (
        "found it read-only ({place}), expected a file and a folder that this user may write; mend their permissions"
        " or the mount"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened: found that {place}, expected a file in a folder that this user may read and write; mend the"
        " path, the permissions or the mount"
    ),
    sqlite3.SQLITE_BUSY: (
        f"found it locked by another program for {BUSY_SECONDS:g} seconds, expected milliseconds; look for a backup or"
        " a shell that keeps it open"
    ),
    sqlite3.SQLITE_LOCKED: ("found a table locked ({detail}), expected it free; look for a program that keeps it open"),
    sqlite3.SQLITE_IOERR: (
        "found the disk failing ({name}: {detail}), expected to read and write; mend the disk or the mount, and see"
        " that it is not full"
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""By SQLite's result code, the extended one first (source: sqlite.org/rescode.html)."""
_UNFORESEEN = "found {name} ({detail}), expected no error; look at the file and its disk"


def open_engine(path: Path) -> Engine:
    """Return an engine on the file at ``path``, which has to be there; it opens nothing yet."""
    uri = f"file:{quote(str(path))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def create_file(path: Path, build: Callable[[Connection], None]) -> None:
    """Make the file at ``path`` with what ``build`` puts into it; one that another program made first is left alone.

    Raises LedgerError where the folder or the disk does not allow it.
    """
    try:
        with _temporary_beside(path) as temporary:
            _build(temporary, build)
            _link(temporary, path)
    except OSError as error:
        why = _folder_obstacle(path) or f"{path.parent} is in order now"
        raise LedgerError(
            f"{path}: cannot be made: found {error.strerror or error} ({why}), expected a folder that this user may"
            " write; make the folder, mend its permissions or the mount, or name another path"
        ) from error
    except SQLAlchemyError as error:
        raise LedgerError(f"{path}: {explain(error, path)}") from error


def _folder_obstacle(path: Path) -> str | None:
    """Return what keeps a file from being made at ``path``; that it is not there yet is no obstacle."""
    why = obstacle(path)
    return None if why == MISSING else why


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    try:
        yield temporary
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + ending).unlink(missing_ok=True)


def _build(path: Path, build: Callable[[Connection], None]) -> None:
    """Fill a new file. Not by way of the log: a disk that is full shows at the commit, not unseen when it is closed."""
    engine = open_engine(path)
    try:
        with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            build(connection)
            for trigger in _TRIGGERS:
                connection.exec_driver_sql(trigger)
        use_write_ahead_log(engine)
    finally:
        engine.dispose()


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def use_write_ahead_log(engine: Engine) -> None:
    """Keep the file in write-ahead mode, also one that was restored without it; raises SQLAlchemyError."""
    statement = "PRAGMA journal_mode=WAL"
    connection = engine.raw_connection()
    try:
        connection.cursor().execute(statement)  # SQLite changes it outside a transaction only
    except sqlite3.Error as error:
        raise DatabaseError(statement, None, error) from error
    finally:
        connection.close()


def damage(connection: Connection, path: Path) -> str | None:
    """Read the whole file and return what is broken in its structure; None where nothing is."""
    found: str = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    detail = _shortened(found) if found != "ok" else _missing(connection, path)
    return None if detail is None else _DAMAGED.format(detail=detail)


def _missing(connection: Connection, path: Path) -> str | None:
    """Say how much of the file is cut off; None where nothing is.

    With nothing in the log the file is what this transaction sees, and cannot change before it ends. A page of which
    only the end is gone still has a structure that is whole.
    """
    pages: int = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page_bytes: int = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    found, expected = _bytes_of(path), pages * page_bytes
    if found == expected or _bytes_of(path.with_name(path.name + "-wal")) > 0:
        return None
    return f"{found} bytes of {expected}"


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def explain(error: SQLAlchemyError, path: Path) -> str:
    """Say what was found of the ledger at ``path``, what was expected and what to do, without SQL and values."""
    if isinstance(error, PoolTimeoutError):
        return f"found all {CONNECTIONS_MAX} connections in use for {BUSY_SECONDS:g} seconds; this is a bug, report it"
    cause = getattr(error, "orig", None) or error
    name = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
    code = getattr(cause, "sqlite_errorcode", None) or 0
    detail = _shortened(str(cause) if code else type(cause).__name__)
    sentence = _SENTENCES.get(code) or _SENTENCES.get(code & 0xFF, _UNFORESEEN)
    place = (obstacle(path) or detail) if "{place}" in sentence else ""
    return sentence.format(name=name, detail=detail, place=place)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= DETAIL_CHARACTERS_MAX else line[: DETAIL_CHARACTERS_MAX - 1] + "…"
