"""When upgrades may start: against the core's calendar minute by minute, and by example at the edges."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from controller.core.calendar import is_open
from controller.model.calendar import Window
from controller.simulate.openings import Calendar, Openings
from tests.builders import DAY, HOUR, MINUTE, NOON
from tests.builders_core import a_freeze, a_window

WEEKDAYS = range(5)
SPRING = datetime(2026, 3, 28, tzinfo=UTC)
"""The clocks of Berlin go forward the next night, at 01:00 UTC."""
AUTUMN = datetime(2026, 10, 24, tzinfo=UTC)
"""They go back the next night, at 01:00 UTC."""


@pytest.mark.parametrize("since", [NOON, SPRING, AUTUMN])
@pytest.mark.parametrize(
    "windows",
    [
        (a_window("09:00", "16:00", "Europe/Berlin", WEEKDAYS),),
        (a_window("22:00", "04:00", "America/New_York"),),
        (a_window("02:30", "03:30", "Europe/Berlin"),),
        (a_window("00:00", "24:00", "Asia/Kolkata", [0, 2]), a_window("23:00", "01:00", "Pacific/Auckland", [2])),
    ],
)
def test_both_calendars_say_the_same(windows: tuple[Window, ...], since: datetime) -> None:
    """
    Worked out twice, apart from each other: every minute of three days, clock changes among them.
    """
    minutes = [since + number * MINUTE for number in range(3 * 24 * 60)]
    spans = spans_until(Openings((Calendar(windows),)), since, since + 3 * DAY)

    found = [any(begin <= minute < end for begin, end in spans) for minute in minutes]

    assert [is_open(windows, minute) for minute in minutes] == found


def spans_until(openings: Openings, since: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The open spans before ``end``, cut there."""
    spans = []
    for begin, closes in openings.spans(since):
        if begin >= end:
            break
        spans.append((begin, end if closes is None else closes))
        if closes is None:
            break
    return spans


def test_without_windows_it_is_always_open() -> None:
    """
    One span that does not end.
    """
    assert [(NOON, None)] == list(Openings().spans(NOON))


def test_a_freeze_cuts_the_time_in_two() -> None:
    """
    Half-open: closed at its first moment, open again at its last.
    """
    calendar = Calendar((), (a_freeze(from_=NOON + HOUR, until=NOON + DAY),))

    assert [(NOON, NOON + HOUR), (NOON + DAY, None)] == list(Openings((calendar,)).spans(NOON))


def test_several_groups_are_open_while_any_is() -> None:
    """
    Two windows that overlap are one span; the night between stays closed.
    """
    both = Openings((Calendar((a_window("09:00", "13:00"),)), Calendar((a_window("12:00", "16:00"),))))

    first, second = islice(both.spans(NOON), 2)

    assert (NOON, NOON + 4 * HOUR) == first
    assert (NOON + 21 * HOUR, NOON + 28 * HOUR) == second


def test_windows_that_never_close_are_one_span() -> None:
    """
    Day after day from midnight to midnight: it ends nowhere, and neither goes the search on for ever.
    """
    assert [(NOON, None)] == list(Openings((Calendar((a_window("00:00", "24:00"),)),)).spans(NOON))


def test_windows_that_never_open_have_no_span() -> None:
    """
    A freeze over all of them for longer than anybody plans: the search ends.
    """
    frozen = Calendar((a_window(),), (a_freeze(until=NOON + timedelta(days=36500)),))

    assert [] == list(Openings((frozen,)).spans(NOON))
