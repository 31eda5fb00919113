"""Applying: each intention is written once, in time, by whoever holds the lease; and what became of it is told."""

import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from controller.errors import ApplyInDoubt, ApplyRefused, LeaseLost
from controller.model.entries import Entry, StartAccepted, StartWithdrawn
from controller.model.observation import SourceReading
from controller.model.plan import Start
from controller.runtime.apply import WRITERS_MAX, Applier
from controller.runtime.clock import VirtualClock
from tests.builders import HOUR, MOMENT, NOON, a_start
from tests.simulation.process import Handle, NoMetrics, SharedLedger
from tests.simulation.quiet import no_logs

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Leave logs out."""
    with no_logs():
        yield


class Writes:
    """A source that notes what is asked of it, and answers as a test says."""

    name = "sim"

    def __init__(self, error: Exception | None = None, together: int = 1) -> None:
        self.error = error
        self.written: list[str] = []
        self._all_here = threading.Barrier(together, timeout=PATIENCE_SECONDS)

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Never called here."""
        raise NotImplementedError

    def start(self, start: Start, now: datetime) -> None:
        """Wait for as many writers as are to come together, then answer."""
        del now
        self._all_here.wait()
        self.written.append(start.cluster)
        if self.error is not None:
            raise self.error


class Desk:
    """An applier that holds the lease of a ledger, at noon."""

    def __init__(self) -> None:
        self.ledger = SharedLedger()
        self.clock = VirtualClock(NOON)
        self.applier = Applier(self.take_over(), self.clock, NoMetrics())

    def take_over(self) -> Handle:
        """Let a new process hold the lease."""
        return Handle(self.ledger, lambda _: None)

    def apply(self, source: Writes, *starts: Start) -> tuple[Entry, ...]:
        """Apply ``starts``, by default one that is good for an hour."""
        return self.applier.apply(starts or (a_start(expires_at=NOON + HOUR),), {source.name: source})


def test_a_start_that_is_taken_is_told_so() -> None:
    """
    One write, one entry.
    """
    source = Writes()

    assert (StartAccepted(1, "sim/a-1"),) == Desk().apply(source)
    assert ["sim/a-1"] == source.written


def test_a_refusal_withdraws_the_start_with_the_other_sides_sentence() -> None:
    """
    Nothing began, and people read why.
    """
    assert (StartWithdrawn(1, "sim/a-1", "409 conflict"),) == Desk().apply(Writes(ApplyRefused("409 conflict")))


def test_a_write_in_doubt_is_told_by_nothing_but_the_next_observation() -> None:
    """
    Neither taken nor not taken: no entry says either.
    """
    assert () == Desk().apply(Writes(ApplyInDoubt("no answer")))


@pytest.mark.parametrize(("before", "written"), [(MOMENT, ["sim/a-1"]), (0 * MOMENT, []), (-MOMENT, [])])
def test_an_intention_expires_exactly_at_its_time(before: object, written: list[str]) -> None:
    """
    A microsecond before its end it is still written; at its end it is withdrawn without a refusal.
    """
    source = Writes()

    entries = Desk().apply(source, a_start(expires_at=NOON + before))  # type: ignore[operator] # a timedelta
    assert written == source.written
    if not written:
        assert (StartWithdrawn(1, "sim/a-1"),) == entries


def test_nothing_is_written_once_the_lease_is_lost() -> None:
    """
    Safety: the term is looked at before each write; only the holder of the newest one writes.
    """
    desk, source = Desk(), Writes()
    desk.take_over()

    with pytest.raises(LeaseLost, match="sim/a-1 was not started"):
        desk.apply(source)
    assert [] == source.written


def test_a_start_of_a_source_that_is_declared_no_more_is_withdrawn() -> None:
    """
    There is nobody to ask; the entry says why.
    """
    (entry,) = Desk().apply(Writes(), a_start("gone/a-1", expires_at=NOON + HOUR))

    assert StartWithdrawn(1, "gone/a-1", "its source is not declared any more") == entry


def test_nothing_to_start_asks_nobody() -> None:
    """
    No write, no entry.
    """
    desk = Desk()

    assert () == desk.applier.apply((), {})


def test_several_starts_are_written_side_by_side_and_told_in_order() -> None:
    """
    A slow cluster does not make the others wait; outcomes come in the plan's order.
    """
    starts = [a_start(f"sim/a-{number}", expires_at=NOON + HOUR) for number in range(WRITERS_MAX)]
    source = Writes(together=WRITERS_MAX)

    entries = Desk().apply(source, *starts)
    assert [StartAccepted(1, start.cluster) for start in starts] == list(entries)
    assert {start.cluster for start in starts} == set(source.written)


def test_more_starts_than_writers_are_all_made() -> None:
    """
    The number of writers is bounded, the number of starts is not lost.
    """
    starts = [a_start(f"sim/a-{number}", expires_at=NOON + HOUR) for number in range(3 * WRITERS_MAX)]

    assert len(starts) == len(Desk().apply(Writes(), *starts))
