"""Opens a ledger, or says why it cannot be trusted: missing, torn, newer, read-only, another fleet's.

The daemon opens with ``create=True``: the file is made where there is none, read through for damage, and proven
writable, before anything is started on its word. People's commands open what a daemon made, and never make one: a
mistyped path must not look like an empty history. Nothing is migrated here: that needs the lease.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, select, update

from controller.errors import LedgerError, SettingsError
from controller.ledger import entry_rows, schema
from controller.ledger.database import Database
from controller.ledger.lease import FileLock
from controller.ledger.memory import MemoryLedger
from controller.ledger.opened import OpenLedger, another_fleet
from controller.ledger.place import obstacle
from controller.ledger.sql_ledger import SqlLedger
from controller.ledger.sqlite import create_file, damage, open_engine, use_write_ahead_log

IN_MEMORY = ":memory:"
"""The place of a ledger that ends with its process."""

_SQLITE = "sqlite:///"


def open_ledger(where: str | Path, *, fleet: str | None = None, create: bool = True) -> OpenLedger:
    """Open the ledger at ``where``: a path, ``sqlite:///PATH``, or ``:memory:``.

    With ``fleet``, one that belongs to another fleet is refused, and one that belongs to none is bound when the lease
    is taken. ``create=False`` is for people's commands: it neither makes the file nor reads all of it. Raises
    LedgerError; SettingsError where ``where`` names a database that is not supported.
    """
    if str(where) == IN_MEMORY:
        return MemoryLedger(fleet)
    path = _path(where)
    if not _is_there(path):
        if not create:
            raise LedgerError(
                f"{path}: found no ledger, expected one that a daemon made; is it the path that the daemon uses"
                " (WAVEFLEET_LEDGER)?"
            )
        create_file(path, schema.build)
    return _open_file(path, fleet, create=create)


def _path(where: str | Path) -> Path:
    text = str(where)
    scheme, separator, _ = text.partition("://")
    if separator and not text.startswith(_SQLITE):
        raise SettingsError(
            f"ledger: found a {scheme!r} database, expected a path or sqlite:///PATH; not yet supported"
        )
    try:
        return Path(text.removeprefix(_SQLITE)).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise LedgerError(f"{text!r}: found no usable path ({error}), expected that of a file") from error


def _open_file(path: Path, fleet: str | None, *, create: bool) -> SqlLedger:
    _refuse_what_is_no_file(path)
    engine = open_engine(path)
    database = Database(engine, path)
    try:
        with database.reading() as connection:
            _refuse_unfit(connection, path, fleet, create=create)
        if create:
            with database.writing() as connection:
                connection.execute(update(schema.ledger).values(reported=schema.ledger.c.reported))
            with database.translated():
                use_write_ahead_log(engine)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database, FileLock(path.with_name(path.name + ".lock")), fleet)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unseen(path, error) from error
    return True


def _unseen(path: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"{path}: cannot be looked at: found {error.strerror} ({obstacle(path)}), expected a file in a folder that this"
        " user may read and write; mend the path, the permissions or the mount"
    )


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        is_file, size = path.is_file(), path.stat().st_size
    except OSError as error:
        raise _unseen(path, error) from error
    if not is_file:
        raise LedgerError(f"{path}: found no regular file, expected a ledger's; name a file")
    if size == 0:
        raise LedgerError(
            f"{path}: found an empty file, expected a ledger, which is never empty; bring back a backup, or delete it"
            " to begin with an empty one (then nothing counts as soaked)"
        )


def _refuse_unfit(connection: Connection, path: Path, fleet: str | None, *, create: bool) -> None:
    """Raise LedgerError where this file must not be used; the whole of it is read with ``create`` only."""
    broken = damage(connection, path) if create else None
    if broken is not None:
        raise LedgerError(f"{path}: {broken}")
    if not inspect(connection).has_table(schema.ledger.name):
        raise LedgerError(f"{path}: found a database that is no ledger, expected one of Wavefleet; name another file")
    _refuse_version(connection, path, create=create)
    bound, last = connection.execute(select(schema.ledger.c.fleet, schema.ledger.c.last_sequence)).one()
    if fleet is not None and bound not in (None, fleet):
        raise LedgerError(another_fleet(str(path), bound, fleet))
    newest = entry_rows.newest_sequence(connection)
    if newest != last:
        raise LedgerError(
            f"{path}: found entry {newest} as the newest, expected {last}: entries are torn off; bring back a backup"
        )


def _refuse_version(connection: Connection, path: Path, *, create: bool) -> None:
    found: int = connection.execute(select(schema.ledger.c.schema_version)).scalar_one()
    known = schema.SCHEMA_VERSION
    if found > known:
        raise LedgerError(
            f"{path}: found schema version {found}, expected at most {known}: a newer Wavefleet wrote it; run that one"
        )
    if found < known and not create:
        raise LedgerError(
            f"{path}: found schema version {found}, expected {known}; start the daemon of this release once, it brings"
            " the ledger up to date"
        )
    if found < known and found not in schema.STEPS:
        raise LedgerError(
            f"{path}: found schema version {found}, expected {known}; this release knows no way from there"
        )
