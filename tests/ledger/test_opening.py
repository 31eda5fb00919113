"""A ledger that cannot be trusted is refused with what was found, what was expected and what to do."""

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from controller.errors import LedgerError, SettingsError
from controller.ledger import schema
from controller.ledger.encoding import checksum, write_moment
from controller.ledger.memory import MemoryLedger
from controller.ledger.opening import open_ledger
from controller.ledger.sqlite import open_engine
from tests.ledger.builders import NOON, a_rollout, a_start

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


def test_a_ledger_that_was_closed_opens_with_all_it_held(tmp_path: Path) -> None:
    """
    As a path, as text and as a URL it is the same ledger; only its lock stays beside it.
    """
    path = tmp_path / "ledger.db"
    entries = a_ledger_with_entries(path, "acme")

    for where in (path, str(path), f"sqlite:///{path}"):
        ledger = open_ledger(where, fleet="acme")
        assert entries == [item.entry for item in ledger.read()]
        assert "acme" == ledger.fleet()
        ledger.close()
    assert ["ledger.db", "ledger.db.lock"] == sorted(entry.name for entry in tmp_path.iterdir())


def test_a_ledger_in_memory_is_empty_every_time(tmp_path: Path) -> None:
    """
    It writes no file.
    """
    ledger = open_ledger(":memory:", fleet="acme")

    assert isinstance(ledger, MemoryLedger)
    assert "acme" == ledger.fleet()
    assert [] == list(tmp_path.iterdir())


def test_another_fleets_ledger_is_refused(tmp_path: Path) -> None:
    """
    Both fleets are named; the one it belongs to, and whoever does not say a name, may open it.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path, "acme")

    sentence = refusal(path, "other")

    assert f"{path}: found the ledger of fleet 'acme', expected one of 'other'" in sentence
    assert "give this fleet a ledger of its own" in sentence
    open_ledger(path).close()


def test_a_fleet_that_was_renamed_after_opening_is_refused_with_the_lease(tmp_path: Path) -> None:
    """
    Of two that opened an unbound ledger, the first to take the lease binds it; the other cannot take it after that.
    """
    first, second = (open_ledger(tmp_path / "ledger.db", fleet=fleet) for fleet in ("acme", "other"))
    assert first.acquire("first", NOON)
    first.release()

    with pytest.raises(LedgerError, match="found the ledger of fleet 'acme', expected one of 'other'"):
        second.acquire("second", NOON)

    assert not second.holds_lease()
    assert first.acquire("first", NOON)
    for ledger in (first, second):
        ledger.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """
    What a newer release wrote may mean what this one does not know.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    execute(path, "UPDATE ledger SET schema_version = 2")

    for create in (True, False):
        sentence = refusal(path, create=create)
        assert f"{path}: found schema version 2, expected at most 1" in sentence
        assert "a newer Wavefleet wrote it; run that one" in sentence


def test_an_older_schema_waits_for_the_daemon_or_has_no_way_here(tmp_path: Path) -> None:
    """
    People's commands bring nothing up to date; a version that no step starts from is refused by the daemon too.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    execute(path, "UPDATE ledger SET schema_version = 0")

    assert "found schema version 0, expected 1; start the daemon" in refusal(path, create=False)
    assert "found schema version 0, expected 1; this release knows no way from there" in refusal(path)


def test_an_older_schema_is_brought_up_step_by_step(tmp_path: Path) -> None:
    """
    Each step runs once, in order, and leaves its version behind.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    seen: list[int] = []

    engine = open_engine(path)
    with engine.begin() as connection:
        connection.execute(update(schema.ledger).values(schema_version=-1))
        steps = {number: (lambda _, number=number: seen.append(number)) for number in (-1, 0)}
        schema.migrate(connection, -1, steps)
    engine.dispose()

    assert [-1, 0] == seen
    open_ledger(path).close()


def test_people_do_not_make_a_ledger(tmp_path: Path) -> None:
    """
    A mistyped path must not look like an empty history, nor take a halt that no daemon will read.
    """
    path = tmp_path / "typo.db"

    assert f"{path}: found no ledger, expected one that a daemon made" in refusal(path, create=False)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.99999, 0.999, 0.9, 0.5, 0.1])
def test_a_torn_file_is_refused(tmp_path: Path, share: float) -> None:
    """
    Wherever the file was cut, the daemon does not start on what is left of it.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    os.truncate(path, int(path.stat().st_size * share))

    sentence = refusal(path)

    assert f"{path}: found it damaged" in sentence
    assert "bring back a backup, or move it away" in sentence


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """
    A ledger is never empty, so an empty file lost what it held; it is not taken for a new one.
    """
    path = tmp_path / "ledger.db"
    path.touch()

    assert f"{path}: found an empty file, expected a ledger" in refusal(path)
    assert 0 == path.stat().st_size


def test_every_page_is_read_before_the_daemon_starts(tmp_path: Path) -> None:
    """
    A page that was overwritten in the middle of the file is found at once, not when its entries are needed.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(b"\xff" * 4096)

    assert f"{path}: found it damaged" in refusal(path)


def test_an_entry_that_was_changed_is_found_by_its_checksum(tmp_path: Path) -> None:
    """
    A file whose structure is whole may still hold another word than was recorded.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"cluster":"eu/7"', b'"cluster":"eu/8"'))
    ledger = open_ledger(path)

    with pytest.raises(LedgerError, match=r"ledger\.db: entry 9: found it changed since it was written"):
        list(ledger.read())

    ledger.close()


def test_entries_that_are_torn_off_the_end_are_missed(tmp_path: Path) -> None:
    """
    The ledger knows the number of its newest entry apart from the entry itself.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path)
    execute(path, "DROP TRIGGER entries_are_never_deleted", "DELETE FROM entries WHERE sequence > 390")

    assert f"{path}: found entry 390 as the newest, expected 401: entries are torn off" in refusal(path)


def test_a_kind_of_a_newer_release_stops_the_reading(tmp_path: Path) -> None:
    """
    An entry that this program cannot read is never passed over, and is named by its number.
    """
    path = tmp_path / "ledger.db"
    a_ledger_with_entries(path, count=1)
    at = write_moment(NOON)
    newer = {"sequence": 3, "at": at, "kind": "ClusterMoved", "body": "{}"}
    engine = open_engine(path)
    with engine.begin() as connection:
        connection.execute(insert(schema.entries).values(**newer, checksum=checksum(3, at, "ClusterMoved", "{}")))
        connection.execute(update(schema.ledger).values(last_sequence=3))
    engine.dispose()
    ledger = open_ledger(path)

    with pytest.raises(LedgerError, match=r"ledger\.db: entry 3: found the kind 'ClusterMoved'"):
        list(ledger.read())

    ledger.close()


@pytest.mark.parametrize("content", [b"kind: Fleet\n", b"\x00" * 5000, b"SQLite format 3\x00" + b"\x01" * 4080])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """
    Another program's file is not written to.
    """
    path = tmp_path / "ledger.db"
    path.write_bytes(content)

    assert f"{path}: found" in refusal(path)
    assert content == path.read_bytes()


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """
    A database without our table is no ledger.
    """
    path = tmp_path / "ledger.db"
    execute(path, "CREATE TABLE bookmarks (url TEXT)")

    assert f"{path}: found a database that is no ledger" in refusal(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """
    The path has to be a file's.
    """
    assert f"{tmp_path}: found no regular file" in refusal(tmp_path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """
    Folders are not made: a mistyped path must not begin with an empty ledger.
    """
    path = tmp_path / "missing" / "ledger.db"

    assert f"{path}: cannot be made: found No such file or directory" in refusal(path)


def test_a_database_that_is_not_supported_is_a_wrong_setting() -> None:
    """
    The sentence names the kind alone: an address may hold a password.
    """
    with pytest.raises(SettingsError) as refused:
        open_ledger("postgresql://ana:secret@db/ledger")

    assert "found a 'postgresql' database" in str(refused.value)
    assert "secret" not in str(refused.value)
