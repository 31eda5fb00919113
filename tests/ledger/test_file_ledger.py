"""What only a ledger in a file has to keep: append-only rows, bounds, whole transactions, and many threads."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Connection, delete, event, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from controller.errors import LedgerError
from controller.history.entries import ClusterConverged, SoakCredited
from controller.ledger import schema
from controller.ledger.message_rows import KEPT
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.ledger.sqlite import open_engine
from tests.ledger.builders import (
    DAY,
    GIT,
    MINUTE,
    NOON,
    SLACK,
    a_head,
    a_reply,
    a_request,
    a_rollout,
    a_start,
    a_status,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger of a test stands; its name needs quoting in a URL."""
    return tmp_path / "fleet %41?#é.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[OpenLedger]:
    """A ledger whose lease this process holds."""
    opened = open_ledger(path)
    assert opened.acquire("this test", NOON)
    yield opened
    opened.close()


@pytest.fixture
def behind(path: Path, ledger: OpenLedger) -> Iterator[Connection]:
    """A connection behind the ledger's back, as a person with a database shell has it."""
    assert ledger.term
    engine = open_engine(path)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_rows_of_entries_are_neither_changed_nor_deleted(ledger: OpenLedger, behind: Connection) -> None:
    """
    Append-only holds in the database itself, not only for those who ask politely.
    """
    ledger.record([a_rollout(), SoakCredited(1, 1, MINUTE), SoakCredited(1, 1, 2 * MINUTE)], NOON)

    for statement in (
        update(schema.entries).values(at="2026-01-01T00:00:00.000000Z"),
        delete(schema.entries).where(schema.entries.c.kind == "RolloutPlanned"),
        delete(schema.entries).where(schema.entries.c.kind == "SoakCredited"),
    ):
        with pytest.raises(SQLAlchemyError, match="entries are append-only"):
            behind.execute(statement)
        behind.rollback()

    assert [a_rollout(), SoakCredited(1, 1, 2 * MINUTE)] == [item.entry for item in ledger.read()]


def test_entries_are_recorded_together_or_not_at_all(ledger: OpenLedger, behind: Connection) -> None:
    """
    Where the second of two entries cannot be written, the first is not there either, and the ledger goes on.
    """
    refuse = (
        "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN NEW.cluster = 'eu/b' BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    behind.execute(text(refuse))
    behind.commit()

    with pytest.raises(LedgerError, match=r"fleet .*SQLITE_CONSTRAINT_TRIGGER \(no\)"):
        ledger.record([a_start(1, "eu/a"), a_start(1, "eu/b")], NOON)
    ledger.record([a_start(1, "eu/c")], NOON)

    assert [(1, a_start(1, "eu/c"))] == [(item.sequence, item.entry) for item in ledger.read()]


def test_messages_and_what_was_reported_are_kept_together_or_not_at_all(ledger: OpenLedger, behind: Connection) -> None:
    """
    A cursor that moved without its messages would lose them: nobody would queue them again.
    """
    behind.execute(text("CREATE TRIGGER refuse BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'no'); END"))
    behind.commit()

    with pytest.raises(LedgerError):
        ledger.queue([a_reply("r1")], 3, NOON)

    assert 0 == ledger.reported()
    assert ledger.outbox.due(SLACK, NOON) is None


def count_messages(behind: Connection) -> int:
    """How many messages are stored."""
    behind.rollback()
    return int(behind.execute(select(func.count()).select_from(schema.messages)).scalar_one())


def test_messages_that_ended_long_ago_are_forgotten_but_never_said_again(
    ledger: OpenLedger, behind: Connection
) -> None:
    """
    Old replies and overtaken statuses go; keys, references, the head of a thread and the last word on a topic stay,
    and so does whatever still waits.
    """
    ledger.queue([a_head("h1"), a_reply("r1"), a_status("s1", "wave 1")], 1, NOON)
    for channel in (SLACK, SLACK, GIT):
        deliver(ledger, channel)
    ledger.queue([a_status("s2", "wave 2")], 2, NOON)
    deliver(ledger, GIT)
    ledger.queue([a_reply("r2"), a_status("s3", "wave 3")], 3, NOON)
    deliver(ledger, GIT)

    ledger.queue([], 4, NOON + KEPT)
    assert 6 == count_messages(behind)
    ledger.queue([], 4, NOON + KEPT + timedelta(microseconds=1))

    assert 3 == count_messages(behind)
    ledger.queue([a_reply("r1"), a_status("s1"), a_status("s2")], 4, NOON + 40 * DAY)
    assert 3 == count_messages(behind)
    assert "about r1" == ledger.outbox.reference(SLACK, "r1")
    posted = ledger.outbox.posted(GIT, a_status("s3").topic)
    assert posted is not None
    assert a_status("s3", "wave 3").body == posted.body
    waiting = ledger.outbox.due(SLACK, NOON + 40 * DAY)
    assert waiting is not None
    assert ("r2", "about h1") == (waiting.message.key, waiting.thread_reference)


def deliver(ledger: OpenLedger, channel: str) -> None:
    """Deliver what is due on ``channel`` under a name of its own."""
    delivery = ledger.outbox.due(channel, NOON)
    assert delivery is not None
    ledger.outbox.attempt(delivery, NOON)
    ledger.outbox.delivered(delivery, f"about {delivery.message.key}", NOON)


def test_why_a_message_was_dropped_stays_readable(ledger: OpenLedger, behind: Connection) -> None:
    """
    Whoever looks for a message that never came finds the reason.
    """
    ledger.queue([a_reply("r1")], 1, NOON)
    delivery = ledger.outbox.due(SLACK, NOON)
    assert delivery is not None
    ledger.outbox.dropped(delivery, "msg_too_long", NOON)

    behind.rollback()
    assert ("dropped", "msg_too_long") == tuple(
        behind.execute(select(schema.messages.c.state, schema.messages.c.why)).one()
    )


def test_channels_deliver_while_the_cycle_records(ledger: OpenLedger) -> None:
    """
    Four channels deliver a hundred messages in their threads while entries are recorded in this one; none is lost,
    none is told twice, and nobody is refused for being busy.
    """
    channels = [f"channel-{number}" for number in range(4)]
    keys = [f"k{number}" for number in range(25)]
    told: dict[str, list[str]] = {channel: [] for channel in channels}
    ledger.queue([a_status(key, topic=f"4f2a {key}", channel=channel) for channel in channels for key in keys], 1, NOON)

    def deliver_all(channel: str) -> None:
        while (delivery := ledger.outbox.due(channel, NOON)) is not None:
            ledger.outbox.attempt(delivery, NOON)
            told[channel].append(delivery.message.key)
            ledger.outbox.delivered(delivery, "taken", NOON)

    threads = [Thread(target=deliver_all, args=(channel,)) for channel in channels]
    for thread in threads:
        thread.start()
    for number in range(50):
        ledger.record([ClusterConverged(number, "eu/a")], NOON)
    for thread in threads:
        thread.join(60)

    assert dict.fromkeys(channels, keys) == told
    assert 50 == len(list(ledger.read()))


def test_people_ask_while_the_cycle_records(ledger: OpenLedger, path: Path) -> None:
    """
    Two programs that write at once wait for each other: neither is refused, and nothing of either is lost.
    """
    people = open_ledger(path, create=False)
    asked: list[int] = []

    def ask_often() -> None:
        asked.extend(people.ask(a_request()) for _ in range(100))

    asking = Thread(target=ask_often)
    asking.start()
    for number in range(100):
        ledger.record([ClusterConverged(number, "eu/a")], NOON)
    asking.join(60)
    people.close()

    assert 100 == len(asked)
    assert asked == [request.id for request in ledger.requests()]
    assert 100 == len(list(ledger.read()))


def test_every_commit_is_synced_and_readers_do_not_stop_the_writer(ledger: OpenLedger, behind: Connection) -> None:
    """
    The file is in write-ahead mode with full synchronisation, in every connection.
    """
    assert ledger.term
    assert "wal" == behind.execute(text("PRAGMA journal_mode")).scalar_one()
    assert 2 == behind.execute(text("PRAGMA synchronous")).scalar_one()


def test_reading_a_long_ledger_holds_no_transaction_open(ledger: OpenLedger, path: Path) -> None:
    """
    A reader that pauses between two entries keeps no lock and no old state: the log can be moved into the file.
    """
    ledger.record([ClusterConverged(number, "eu/a") for number in range(10)], NOON)
    reading = iter(ledger.read())
    next(reading)

    engine = open_engine(path)
    checkpoints: list[tuple[int, ...]] = []
    event.listen(
        engine, "connect", lambda raw, _: checkpoints.append(raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    )
    with engine.connect():
        pass
    engine.dispose()

    assert [(0, 0, 0)] == checkpoints
    assert 9 == len(list(reading))
