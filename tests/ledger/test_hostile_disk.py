"""A disk that is full, read-only, emptied under us, or shared: told in words, and nothing recorded is lost."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError

from controller.errors import LedgerError
from controller.history.entries import ClusterConverged
from controller.ledger import schema
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.ledger.sqlite import DETAIL_CHARACTERS_MAX, create_file, explain
from tests.ledger.builders import NOON, a_request, a_rollout, a_start

NOBODY = 65534


def a_ledger_with_entries(path: Path, fleet: str | None = None, count: int = 400) -> list[object]:
    """Make a ledger at ``path`` of many pages, close it, and return its entries."""
    ledger = open_ledger(path, fleet=fleet)
    assert ledger.acquire("this test", NOON)
    ledger.record([a_rollout(), *(a_start(1, f"eu/{number}") for number in range(count))], NOON)
    entries: list[object] = [item.entry for item in ledger.read()]
    ledger.close()
    return entries


def refusal(path: Path | str, fleet: str | None = None, *, create: bool = True) -> str:
    """Open what must be refused and return the sentence."""
    with pytest.raises(LedgerError) as refused:
        open_ledger(path, fleet=fleet, create=create).close()
    return str(refused.value)


def execute(path: Path, *statements: str) -> None:
    """Change a closed ledger behind its back."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@contextmanager
def an_open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user whom permissions bind: they do not bind root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_read_only_ledger_is_refused_by_the_daemon_and_read_by_people() -> None:
    """
    A file that cannot be written is told at the start, not at the first entry; looking at it is still possible.
    """
    with an_open_folder() as folder:
        path = folder / "ledger.db"
        entries = a_ledger_with_entries(path, count=3)
        path.chmod(0o444)
        with as_nobody():
            sentence = refusal(path)
            people = open_ledger(path, create=False)
            read = [item.entry for item in people.read()]
            with pytest.raises(LedgerError, match="found it read-only"):
                people.ask(a_request())
            people.close()

        assert f"{path}: found it read-only" in sentence
        assert "mend their permissions" in sentence
        assert entries == read


def test_a_read_only_folder_is_told() -> None:
    """
    Both a new ledger and one that is there need a folder that may be written.
    """
    with an_open_folder() as folder:
        path = folder / "ledger.db"
        folder.chmod(0o555)
        with as_nobody():
            sentence = refusal(path)
        folder.chmod(0o777)
        a_ledger_with_entries(path, count=3)
        path.chmod(0o666)
        folder.chmod(0o555)
        with as_nobody():
            there = refusal(path)

        assert f"{path}: cannot be made: found Permission denied" in sentence
        assert f"{path}: " in there
        assert "expected a file" in there


@contextmanager
def a_disk_of(pages: int) -> Iterator[None]:
    """Let no database grow past so many pages: SQLite then answers as on a full disk."""

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


def fill(ledger: OpenLedger) -> tuple[int, str]:
    """Record batches until the disk is full; return how many were recorded, and the refusal."""
    for number in range(1000):
        try:
            ledger.record([ClusterConverged(number, f"eu/{index}") for index in range(100)], NOON)
        except LedgerError as refused:
            return number, str(refused)
    pytest.fail("the disk never was full")


def test_a_full_disk_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    """
    The batch that has no room is refused whole; once there is room the ledger goes on after the last whole one.
    """
    path = tmp_path / "ledger.db"
    open_ledger(path).close()
    with a_disk_of(pages=200):
        ledger = open_ledger(path)
        assert ledger.acquire("this test", NOON)
        batches, sentence = fill(ledger)
        ledger.close()

    ledger = open_ledger(path)
    assert ledger.acquire("this test", NOON)
    assert batches * 100 == len(list(ledger.read()))
    ledger.record([a_start()], NOON)
    assert batches * 100 + 1 == ledger.history(limit=1)[0].sequence
    ledger.close()

    assert f"{path}: found the disk full" in sentence
    assert "free some space (nothing was recorded)" in sentence


def test_a_ledger_for_which_the_disk_has_no_room_is_not_begun(tmp_path: Path) -> None:
    """
    Nothing half made stays at its path or beside it.
    """
    with a_disk_of(pages=5):
        assert "found the disk full" in refusal(tmp_path / "ledger.db")

    assert [] == list(tmp_path.iterdir())


def test_a_ledger_that_is_deleted_under_a_daemon_is_missed(tmp_path: Path) -> None:
    """
    A connection never makes the file anew: an empty ledger in the place of a lost one would forget every halt.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path, count=1)
    people = open_ledger(path, create=False)
    people.close()
    shutil.move(path, tmp_path / "elsewhere.db")

    with pytest.raises(LedgerError, match=r"ledger\.db: cannot be opened: found that the file does not exist"):
        people.reported()

    assert not path.exists()


def test_two_daemons_may_begin_one_ledger_at_once(tmp_path: Path) -> None:
    """
    A ledger that another made in between is used as it is.
    """
    path = tmp_path / "ledger.db"
    entries = a_ledger_with_entries(path, count=2)
    create_file(path, schema.build)

    ledger = open_ledger(path)
    assert entries == [item.entry for item in ledger.read()]
    ledger.close()


def test_a_lock_of_another_program_is_explained(tmp_path: Path) -> None:
    """
    The sentence says how long was waited and what to look for; SQL and values stay out of it.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path, count=1)
    backup, impatient = sqlite3.connect(path), sqlite3.connect(path, timeout=0)
    backup.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as busy:
        impatient.execute("BEGIN IMMEDIATE")
    backup.close()
    impatient.close()

    sentence = explain(DatabaseError("SELECT secret", {"a": "secret"}, busy.value), path)

    assert "found it locked by another program for 10 seconds" in sentence
    assert "secret" not in sentence


def test_an_error_nobody_foresaw_is_named_and_shortened() -> None:
    """
    However long another program's words are, a sentence stays one.
    """
    sentence = explain(
        DatabaseError("SELECT 1", None, sqlite3.OperationalError("no such\ntable " + "x" * 5000)), Path("ledger.db")
    )

    assert "found OperationalError" in sentence
    assert len(sentence) < 2 * DETAIL_CHARACTERS_MAX
