"""What every ledger promises: the one in a file and the one in memory pass the same suite."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from controller.errors import LeaseLost, LedgerError
from controller.history.entries import (
    ClusterConverged,
    Entry,
    Recorded,
    RequestTaken,
    RevisionSeen,
    SoakCredited,
    Stopped,
    WaveFilled,
    WaveSoaked,
)
from controller.history.records import StopKind
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.requests import FLEET, Command
from tests.ledger.builders import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    HandClock,
    Heard,
    a_reply,
    a_request,
    a_rollout,
    a_start,
    a_status,
    a_wave,
)


@pytest.fixture(params=["file", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """A ledger whose lease this process holds."""
    opened = open_ledger(tmp_path / "ledger.db" if request.param == "file" else ":memory:")
    assert opened.acquire("this test", NOON)
    yield opened
    opened.close()


def recorded(ledger: OpenLedger, after: int = 0) -> list[Entry]:
    """The entries alone."""
    return [item.entry for item in ledger.read(after)]


def test_entries_come_back_in_the_order_in_which_they_were_recorded(ledger: OpenLedger) -> None:
    """
    Each has its time and a sequence number that grows; reading goes on after any of them.
    """
    ledger.record([a_rollout(), a_wave()], NOON)
    ledger.record([a_start()], NOON + MINUTE)

    first, second, third = ledger.read()

    assert [a_rollout(), a_wave(), a_start()] == [first.entry, second.entry, third.entry]
    assert 0 < first.sequence < second.sequence < third.sequence
    assert [NOON, NOON, NOON + MINUTE] == [first.at, second.at, third.at]
    assert [third] == list(ledger.read(second.sequence))
    assert [] == list(ledger.read(third.sequence))


def test_a_new_ledger_is_empty(ledger: OpenLedger) -> None:
    """
    Nothing is recorded, asked, reported or said before somebody does it.
    """
    assert [] == list(ledger.read())
    assert () == ledger.requests()
    assert 0 == ledger.reported()
    assert [] == ledger.history()
    assert ledger.outbox.due("slack", NOON) is None


def test_recording_nothing_changes_nothing(ledger: OpenLedger) -> None:
    """
    A cycle without entries leaves no trace.
    """
    ledger.record([], NOON)

    assert [] == list(ledger.read())


def test_more_entries_than_one_page_are_read_whole(ledger: OpenLedger) -> None:
    """
    Reading in pages neither skips nor repeats an entry.
    """
    entries = [ClusterConverged(1, f"eu/{number}") for number in range(2500)]
    ledger.record(entries, NOON)

    assert entries == recorded(ledger)


def test_reading_may_go_on_while_entries_are_recorded(ledger: OpenLedger) -> None:
    """
    Whoever reads does not stop the one who records.
    """
    ledger.record([ClusterConverged(1, "eu/a"), ClusterConverged(1, "eu/b")], NOON)
    reading = iter(ledger.read())
    next(reading)
    ledger.record([ClusterConverged(1, "eu/c")], NOON)

    assert ClusterConverged(1, "eu/b") == next(reading).entry


def test_of_soak_credit_only_the_newest_of_each_wave_is_kept(ledger: OpenLedger) -> None:
    """
    Superseded credit goes, the credit of other waves and every other entry stays, and no number is given twice.
    """
    ledger.record([a_rollout(), SoakCredited(1, 1, MINUTE), SoakCredited(2, 1, MINUTE)], NOON)
    ledger.record([SoakCredited(1, 1, 2 * MINUTE), SoakCredited(1, 2, MINUTE)], NOON)
    ledger.record([SoakCredited(1, 1, 0 * MINUTE)], NOON)
    ledger.record([WaveSoaked(rollout=1, group="prod-eu", wave=1)], NOON)

    kept = list(ledger.read())

    expected = [a_rollout(), SoakCredited(2, 1, MINUTE), SoakCredited(1, 2, MINUTE)]
    assert [*expected, SoakCredited(1, 1, 0 * MINUTE), WaveSoaked(rollout=1, group="prod-eu", wave=1)] == [
        item.entry for item in kept
    ]
    assert [1, 3, 5, 6, 7] == [item.sequence for item in kept]


def test_without_the_lease_nothing_is_recorded_queued_or_delivered(ledger: OpenLedger) -> None:
    """
    One writer: a process that does not hold the lease can read, and changes nothing.
    """
    ledger.queue([a_reply("k1")], 1, NOON)
    delivery = ledger.outbox.due("slack", NOON)
    assert delivery is not None
    ledger.release()

    outbox = ledger.outbox
    writes: tuple[Callable[[], object], ...] = (
        lambda: ledger.record([a_start()], NOON),
        lambda: ledger.queue([a_status("k2")], 2, NOON),
        lambda: ledger.bind("acme"),
        lambda: outbox.attempt(delivery, NOON),
        lambda: outbox.delivered(delivery, "ts-1", NOON),
        lambda: outbox.postponed(delivery, NOON + HOUR, "429"),
        lambda: outbox.dropped(delivery, "gone", NOON),
        lambda: outbox.due("slack", NOON),
    )
    for write in writes:
        with pytest.raises(LeaseLost, match="expected it to be taken"):
            write()

    assert not ledger.holds_lease()
    assert ledger.term is None
    assert ([], 1, None) == (list(ledger.read()), ledger.reported(), ledger.fleet())
    assert ledger.acquire("this test", NOON)
    assert delivery == ledger.outbox.due("slack", NOON)


def test_taking_the_lease_again_begins_a_higher_term(ledger: OpenLedger) -> None:
    """
    A term is never used twice; asking for the lease while holding it changes nothing.
    """
    first = ledger.term
    assert first is not None
    assert ledger.acquire("this test", NOON + HOUR)
    assert first == ledger.term

    ledger.release()
    assert ledger.acquire("another owner", NOON + HOUR)

    assert ledger.term is not None
    assert first < ledger.term
    assert ledger.holds_lease()
    assert f"another owner since 2026-03-02 13:00:00 UTC (term {ledger.term})" == str(ledger.holder())


def test_waiting_for_a_free_lease_ends_at_once(ledger: OpenLedger) -> None:
    """
    Nobody is told of a wait that did not happen; one that was stopped beforehand takes nothing.
    """
    heard, stop = Heard(), Event()
    ledger.release()

    assert ledger.wait_for_lease("this test", HandClock(), stop, heard)
    assert [] == heard.sentences
    assert ledger.holds_lease()

    ledger.release()
    stop.set()
    assert not ledger.wait_for_lease("this test", HandClock(), stop, heard)
    assert not ledger.holds_lease()


def test_a_ledger_belongs_to_the_first_fleet_that_uses_it(ledger: OpenLedger) -> None:
    """
    It is bound once, may be bound to the same name again, and refuses another with both names.
    """
    assert ledger.fleet() is None
    ledger.bind("acme")
    ledger.bind("acme")

    with pytest.raises(LedgerError, match=r"found the ledger of fleet 'acme', expected one of 'other'"):
        ledger.bind("other")

    assert "acme" == ledger.fleet()


def test_a_command_is_pending_until_an_entry_takes_it_in(ledger: OpenLedger) -> None:
    """
    It comes back as it was asked, needs no lease, and its outcome can be waited for.
    """
    ledger.release()
    halt = ledger.ask(a_request(Command.HALT))
    resume = ledger.ask(a_request(Command.RESUME, number=7))
    assert halt < resume
    assert ledger.acquire("this test", NOON)

    assert [(halt, Command.HALT, None), (resume, Command.RESUME, 7)] == [
        (request.id, request.command, request.number) for request in ledger.requests()
    ]
    assert ("prod-eu", "ana", "INC-4711", NOON) == (
        ledger.requests()[0].scope,
        ledger.requests()[0].by,
        ledger.requests()[0].reason,
        ledger.requests()[0].at,
    )
    assert ledger.answer(halt) is None

    ledger.record([RequestTaken(halt, "prod-eu is halted (prod-eu-8)")], NOON)

    assert "prod-eu is halted (prod-eu-8)" == ledger.answer(halt)
    assert [resume] == [request.id for request in ledger.requests()]


def test_a_command_nobody_asked_has_no_answer(ledger: OpenLedger) -> None:
    """
    Waiting for it would never end, so it is refused.
    """
    with pytest.raises(LedgerError, match="found no request 17"):
        ledger.answer(17)


def test_a_revision_to_resume_from_is_kept(ledger: OpenLedger) -> None:
    """
    A resume after rewritten history names its revision.
    """
    asked = a_request(Command.RESUME, FLEET)
    ledger.ask(type(asked)(0, asked.command, FLEET, "ana", "rebased", NOON, revision="4f2a"))

    assert "4f2a" == ledger.requests()[0].revision


def shown(entries: list[Recorded]) -> list[str]:
    """The kinds of what was found."""
    return [type(item.entry).__name__ for item in entries]


def a_told_story(ledger: OpenLedger) -> None:
    """Two groups with a rollout each, a halt of the fleet, and a command."""
    number = ledger.ask(a_request(Command.HALT, "prod-us"))
    halt = Stopped(FLEET, 1, StopKind.HALT, "button", "ana")
    other = ("us/a", 'us/"b"', "us/A")
    ledger.record([RevisionSeen("4f2a", "4f2a"), a_rollout(1, "prod-eu"), a_rollout(2, "prod-us", other)], NOON)
    ledger.record([a_wave(1), a_start(1, "eu/a"), a_wave(2, 1, other, "prod-us"), a_start(2, "us/a")], NOON)
    ledger.record([RequestTaken(number, "done"), halt, ClusterConverged(2, "us/a")], NOON)
    ledger.record([WaveFilled(2, 1, ('us/"b"',)), ClusterConverged(1, "eu/a")], NOON)


def test_the_history_of_a_group_has_its_rollouts_waves_clusters_and_commands(ledger: OpenLedger) -> None:
    """
    Also entries that name only a rollout or a request belong to its group; those of others do not.
    """
    a_told_story(ledger)

    eu = ["RolloutPlanned", "WaveAdmitted", "ClusterStarted", "ClusterConverged"]
    us = ["RolloutPlanned", "WaveAdmitted", "ClusterStarted", "RequestTaken", "ClusterConverged", "WaveFilled"]
    assert eu == shown(ledger.history("prod-eu"))
    assert us == shown(ledger.history("prod-us"))
    assert ["Stopped"] == shown(ledger.history(FLEET))
    assert [] == ledger.history("prod-asia")
    assert 12 == len(ledger.history())


def test_the_history_of_a_cluster_has_the_waves_that_name_it(ledger: OpenLedger) -> None:
    """
    Names are compared whole and letter by letter, also one that needs quoting.
    """
    a_told_story(ledger)

    assert ["WaveAdmitted", "ClusterStarted", "ClusterConverged"] == shown(ledger.history(cluster="us/a"))
    assert ["WaveAdmitted"] == shown(ledger.history(cluster="us/A"))
    assert ["WaveAdmitted", "WaveFilled"] == shown(ledger.history(cluster='us/"b"'))
    assert [] == ledger.history(cluster="us/")
    assert [] == ledger.history(cluster="us/%")
    assert [] == ledger.history("prod-eu", "us/a")


def test_history_is_shown_backwards_in_pages_that_read_forwards(ledger: OpenLedger) -> None:
    """
    The newest come first, each page in the order in which it happened; the pages together are the whole.
    """
    a_told_story(ledger)
    newest = ledger.history(limit=5)
    older = ledger.history(limit=100, before=newest[0].sequence)

    assert list(ledger.read()) == older + newest
    assert [] == ledger.history(before=1)
    assert [] == ledger.history(limit=0)


def test_a_start_of_an_unplanned_rollout_is_found_by_its_cluster(ledger: OpenLedger) -> None:
    """
    It has no group, and is recorded all the same: the ledger judges nothing.
    """
    ledger.record([a_start(9, "eu/z")], NOON + SECOND)

    assert ["ClusterStarted"] == shown(ledger.history(cluster="eu/z"))
    assert [] == ledger.history("prod-eu")
