"""One writer: of all controllers on one ledger, only the holder of the newest term changes anything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from controller.errors import LeaseLost, LedgerError
from controller.ledger.lease import this_process
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from tests.ledger.builders import NOON, SLACK, HandClock, Heard, a_reply, a_request, a_start
from tests.ledger.processes import ControllerProcess


@contextmanager
def opened(path: Path) -> Iterator[OpenLedger]:
    """A ledger of this process, closed at the end."""
    ledger = open_ledger(path)
    try:
        yield ledger
    finally:
        ledger.close()


def test_a_second_controller_hears_who_holds_the_ledger_and_goes_on_when_that_one_dies(tmp_path: Path) -> None:
    """
    It waits, says once for whom, with host, process and since when, and takes over with a higher term after a kill.
    """
    path = tmp_path / "ledger.db"
    with ControllerProcess(path, "hold") as first, opened(path) as second:
        assert "term 1" == first.hear()
        told = Event()
        heard = Heard(then=told.set)
        waiting = Thread(target=second.wait_for_lease, args=("this test", HandClock(), Event(), heard))
        waiting.start()
        assert told.wait(30)
        assert not second.holds_lease()
        first.kill()
        waiting.join(30)

        assert not waiting.is_alive()
        assert second.holds_lease()
        assert 2 == second.term
    (sentence,) = heard.sentences
    assert f"process {first.pid} since 2026-03-02 12:00:00 UTC (term 1)" in sentence
    assert str(path) in sentence


def test_a_wait_for_the_lease_can_be_stopped(tmp_path: Path) -> None:
    """
    A daemon that is told to end while it waits ends without the lease.
    """
    with opened(tmp_path / "ledger.db") as first, opened(tmp_path / "ledger.db") as second:
        assert first.acquire("first", NOON)
        stop = Event()

        assert not second.wait_for_lease("second", HandClock(), stop, Heard(then=stop.set))
        assert first.holds_lease()
        assert second.term is None


def test_a_held_lease_is_refused_without_waiting(tmp_path: Path) -> None:
    """
    Also in one process: two ledgers on one file are two controllers. A released one is free.
    """
    with opened(tmp_path / "ledger.db") as first, opened(tmp_path / "ledger.db") as second:
        assert first.acquire("first", NOON)
        assert not second.acquire("second", NOON)

        first.release()

        assert second.acquire("second", NOON)
        assert not first.acquire("first", NOON)
        assert [] == list(first.read())


def test_a_holder_that_was_passed_over_can_change_nothing_more(tmp_path: Path) -> None:
    """
    Where the lock file was deleted and another took the lease, the older term loses it at its next write, hears who
    has it, and cannot take it back.
    """
    path = tmp_path / "ledger.db"
    with opened(path) as stale, opened(path) as newest:
        assert stale.acquire("stale", NOON)
        stale.queue([a_reply("r1")], 1, NOON)
        delivery = stale.outbox.due(SLACK, NOON)
        assert delivery is not None
        (tmp_path / "ledger.db.lock").unlink()
        assert newest.acquire("newest", NOON)

        with pytest.raises(LeaseLost, match=r"found it held by newest since .*\(term 2\), expected term 1"):
            stale.record([a_start()], NOON)
        with pytest.raises(LeaseLost):
            stale.outbox.attempt(delivery, NOON)
        assert not stale.holds_lease()
        assert not stale.acquire("stale", NOON)

        newest.record([a_start()], NOON)
        assert [a_start()] == [item.entry for item in stale.read()]
        assert 2 == newest.term


def test_commands_and_reading_need_no_lease(tmp_path: Path) -> None:
    """
    People ask and look while a daemon holds the ledger.
    """
    path = tmp_path / "ledger.db"
    with opened(path) as daemon:
        assert daemon.acquire("daemon", NOON)
        daemon.record([a_start()], NOON)
        people = open_ledger(path, create=False)
        asked = people.ask(a_request())

        assert [asked] == [request.id for request in daemon.requests()]
        assert [a_start()] == [item.entry for item in people.history()]
        people.close()


def test_a_lock_that_cannot_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    """
    A folder in the lock's place is an error to mend, not a lease that somebody holds.
    """
    (tmp_path / "ledger.db.lock").mkdir()
    with opened(tmp_path / "ledger.db") as ledger:
        with pytest.raises(LedgerError, match=r"ledger\.db\.lock: cannot be opened: found Is a directory"):
            ledger.acquire("this test", NOON)
        assert not ledger.holds_lease()


def test_this_process_is_named_by_host_and_number() -> None:
    """
    Whoever has to look for the holder finds it.
    """
    assert this_process().endswith(f" process {os.getpid()}")
