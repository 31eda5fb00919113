"""A controller that is killed at any instant loses nothing that it was told is recorded."""

from pathlib import Path

from controller.history.entries import ClusterConverged, StartAccepted
from controller.ledger.opening import open_ledger
from tests.ledger.builders import NOON, SLACK, a_head, a_reply
from tests.ledger.processes import ControllerProcess

BATCHES_HEARD = 30


def test_a_killed_controller_leaves_a_prefix_of_what_it_recorded(tmp_path: Path) -> None:
    """
    Every batch whose recording returned is there, whole and in order; at most the one in hand is there beyond them.
    """
    path = tmp_path / "ledger.db"
    with ControllerProcess(path, "record") as killed:
        assert "term 1" == killed.hear()
        heard = [killed.hear() for _ in range(BATCHES_HEARD)]
        killed.kill()
        heard += killed.hear_rest()

    ledger = open_ledger(path)
    kept = [item.entry for item in ledger.read()]
    batches = len(kept) // 2
    ledger.close()

    assert [
        entry
        for number in range(1, batches + 1)
        for entry in (StartAccepted(number, "eu/a"), ClusterConverged(number, "eu/a"))
    ] == kept
    assert int(heard[-1]) <= batches <= int(heard[-1]) + 1


def test_the_next_controller_goes_on_where_a_killed_one_ended(tmp_path: Path) -> None:
    """
    The lease is free without anybody's help, and sequence numbers and terms grow on.
    """
    path = tmp_path / "ledger.db"
    with ControllerProcess(path, "record") as killed:
        [killed.hear() for _ in range(3)]
        killed.kill()

    ledger = open_ledger(path)
    assert ledger.acquire("this test", NOON)
    newest = ledger.history(limit=1)[0].sequence
    ledger.record([ClusterConverged(99, "eu/z")], NOON)
    last = ledger.history(limit=1)[0]
    term = ledger.term
    ledger.close()

    assert (newest + 1, ClusterConverged(99, "eu/z"), 2) == (last.sequence, last.entry, term)


def test_a_message_that_was_being_sent_is_in_doubt_after_the_crash(tmp_path: Path) -> None:
    """
    The next controller knows that it may have been taken; the one behind it was never tried.
    """
    path = tmp_path / "ledger.db"
    ledger = open_ledger(path)
    assert ledger.acquire("this test", NOON)
    ledger.queue([a_head("h1"), a_reply("r1")], 2, NOON)
    ledger.close()
    with ControllerProcess(path, "attempt") as killed:
        assert ["term 2", "attempted"] == [killed.hear(), killed.hear()]

    ledger = open_ledger(path)
    assert ledger.acquire("this test", NOON)
    first = ledger.outbox.due(SLACK, NOON)
    assert first is not None
    ledger.outbox.delivered(first, "ts-1", NOON)
    second = ledger.outbox.due(SLACK, NOON)
    assert second is not None
    ledger.close()

    assert ("h1", True, 1) == (first.message.key, first.in_doubt, first.attempts)
    assert ("r1", False, 0) == (second.message.key, second.in_doubt, second.attempts)
