"""Windows and freezes against the clock on the wall: a slow oracle reads it minute by minute.

The spans are chosen around the changes of several zones' clocks: an hour that is skipped, one that comes twice, half an
hour (Lord Howe), at midnight (Beirut, Havana, Azores), and none at all (UTC, Kathmandu).
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.core.calendar import freezes_over, is_open, next_opening
from controller.model.calendar import DAY_MINUTES, Window
from tests.builders import DAY, HOUR, MINUTE, MOMENT, NOON, place
from tests.builders_core import a_freeze, a_window

CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "America/Havana": (datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)),
    "Asia/Beirut": (datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)),
    "Atlantic/Azores": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "Asia/Kathmandu": (datetime(2026, 3, 29, 1, tzinfo=UTC),),
    "UTC": (datetime(2026, 3, 29, 1, tzinfo=UTC),),
}
SPAN = 30 * HOUR


def reads(window: Window, moment: datetime) -> bool:
    """Tell whether the wall clock of the window's zone shows a time inside of it, a minute at a time."""
    local = moment.astimezone(window.zone)
    begun = local.replace(tzinfo=None) - timedelta(minutes=window.from_minute)
    length = window.until_minute - window.from_minute
    if length < 0:
        length += DAY_MINUTES
    inside = (local.hour * 60 + local.minute - window.from_minute) % DAY_MINUTES < length
    return inside and begun.weekday() in window.days


def opening_after(windows: tuple[Window, ...], now: datetime) -> datetime | None:
    """Find the first minute after ``now`` at which one of the windows is open, by looking at each."""
    moment = now.replace(second=0, microsecond=0)
    for _ in range(9 * DAY_MINUTES):
        moment += MINUTE
        if any(reads(window, moment) for window in windows):
            return moment
    return None


@st.composite
def windows_near_changes(draw: st.DrawFn) -> tuple[Window, datetime]:
    """A window in some zone, and a moment within a day of a change of that zone's clock."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    change = draw(st.sampled_from(CHANGES[zone]))
    near = st.integers(0, DAY_MINUTES - 1) | st.integers(0, 4 * 60)
    days = frozenset(draw(st.sets(st.integers(0, 6), min_size=1)))
    window = Window(days, draw(near), draw(near | st.just(DAY_MINUTES)), ZoneInfo(zone), zone, place())
    offset = draw(st.integers(-SPAN // MINUTE, SPAN // MINUTE))
    return window, change + offset * MINUTE + draw(st.sampled_from((timedelta(0), 59 * timedelta(seconds=1))))


@settings(max_examples=300)
@given(windows_near_changes())
def test_a_window_is_open_whenever_the_wall_clock_says_so(case: tuple[Window, datetime]) -> None:
    """
    Safety: open exactly when the local clock reads a time inside the window, also where its zone's clock changes.
    """
    window, now = case

    assert reads(window, now) == is_open((window,), now)


@settings(max_examples=60)
@given(windows_near_changes())
@example((a_window("02:15", "03:30", "Europe/Berlin"), datetime(2026, 3, 28, 12, tzinfo=UTC)))
@example((a_window("02:15", "02:45", "Europe/Berlin", days=[6]), datetime(2026, 3, 28, 12, tzinfo=UTC)))
@example((a_window("02:15", "02:45", "Europe/Berlin", days=[6]), datetime(2026, 10, 24, 23, 50, tzinfo=UTC)))
@example((a_window("02:15", "02:45", "Europe/Berlin", days=[6]), datetime(2026, 10, 25, 0, 50, tzinfo=UTC)))
@example((a_window("00:00", "02:01", "Europe/Berlin", days=[6]), datetime(2026, 10, 25, 0, 59, tzinfo=UTC)))
@example((a_window("00:10", "00:20", "Asia/Beirut", days=[6]), datetime(2026, 3, 28, 21, tzinfo=UTC)))
@example((a_window("22:00", "02:00", "America/Havana", days=[5]), datetime(2026, 11, 1, 2, tzinfo=UTC)))
def test_a_closed_window_names_its_next_opening(case: tuple[Window, datetime]) -> None:
    """
    Liveness: the moment that a closed window names is the first minute at which it is open.
    """
    window, now = case
    if not reads(window, now):
        assert opening_after((window,), now) == next_opening((window,), now)


def test_a_window_is_half_open() -> None:
    """
    Open at its first moment, closed at its last.
    """
    nine = datetime(2026, 3, 2, 9, tzinfo=UTC)
    windows = (a_window("09:00", "16:00"),)

    assert [False, True] == [is_open(windows, moment) for moment in (nine - MOMENT, nine)]
    four = nine + 7 * HOUR
    assert [True, False] == [is_open(windows, moment) for moment in (four - MOMENT, four)]
    assert nine + DAY == next_opening(windows, four)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """
    Friday's window goes on into Saturday morning, and does not open on Saturday evening.
    """
    windows = (a_window("22:00", "04:00", days=[4]),)
    friday = datetime(2026, 3, 6, tzinfo=UTC)

    assert not is_open(windows, friday + 3 * HOUR)
    assert is_open(windows, friday + 22 * HOUR)
    assert is_open(windows, friday + 28 * HOUR - MOMENT)
    assert not is_open(windows, friday + 28 * HOUR)
    assert not is_open(windows, friday + 46 * HOUR)


def test_a_window_until_midnight_ends_with_its_day() -> None:
    """
    ``24:00`` is the end of the day on which it begins.
    """
    windows = (a_window("20:00", "24:00", days=[0]),)
    tuesday = datetime(2026, 3, 3, tzinfo=UTC)

    assert is_open(windows, tuesday - MOMENT)
    assert not is_open(windows, tuesday)


@pytest.mark.parametrize("time", ["00:00", "09:00"])
def test_a_window_whose_ends_are_equal_is_never_open(time: str) -> None:
    """
    Neither for a moment nor for a day.
    """
    windows = (a_window(time, time),)

    assert not any(is_open(windows, NOON + number * HOUR) for number in range(48))
    assert None is next_opening(windows, NOON)


def test_no_windows_are_always_open() -> None:
    """
    A group that declares none may start at any time; of several, one open window is enough.
    """
    assert is_open((), NOON)
    assert is_open((a_window("01:00", "02:00"), a_window("11:00", "13:00")), NOON)
    assert not is_open((a_window("01:00", "02:00"), a_window("13:00", "14:00")), NOON)


def test_a_freeze_is_half_open_and_names_groups_by_pattern() -> None:
    """
    In force from its first moment, over at its last, and only for the groups that a pattern matches.
    """
    peak = a_freeze("peak", ("prod-*", "core"), NOON, NOON + HOUR)

    assert () == freezes_over([peak], "prod-eu", NOON - MOMENT)
    assert (peak,) == freezes_over([peak], "prod-eu", NOON)
    assert (peak,) == freezes_over([peak], "core", NOON + HOUR - MOMENT)
    assert () == freezes_over([peak], "core", NOON + HOUR)
    assert () == freezes_over([peak], "staging", NOON)
