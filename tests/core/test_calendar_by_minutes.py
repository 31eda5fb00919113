"""Windows over two years, minute by minute: for every zone the weeks around each change of its clock, and one between.

The oracle writes down what the wall clock reads in each minute of a stretch of time, marks the minutes that lie inside
of some window, and looks for the next mark one minute after the other. It knows nothing of offsets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from controller.core.calendar import closes_at, is_open, next_opening
from controller.model.calendar import Window
from tests.builders import DAY, MINUTE, MOMENT
from tests.builders_core import a_window

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 2 * 365
SEEN_AHEAD = 8 * DAY
"""How far the oracle looks: a week, and a day for those who live ahead of UTC."""
ASKED = 5 * DAY / 2
"""About this long a stretch is asked about."""
WORKDAYS, WEEKEND = range(5), (5, 6)


def some_windows(zone: str) -> Mapping[str, tuple[Window, ...]]:
    """Every shape of windows, by the clock of ``zone``."""
    return {
        "office hours": (a_window("09:00", "16:00", zone, WORKDAYS),),
        "over midnight": (a_window("22:30", "03:30", zone, WEEKEND),),
        "when clocks change": (a_window("01:45", "02:20", zone),),
        "to the end of the day": (a_window("20:00", "24:00", zone, (6,)), a_window("00:00", "02:30", zone, (0,))),
        "never": (a_window("09:00", "09:00", zone), a_window("00:00", "00:00", zone)),
        "always": (a_window("00:00", "24:00", zone),),
        "all but a minute": (a_window("00:00", "02:29", zone), a_window("02:30", "24:00", zone)),
        "overlapping": (a_window("01:00", "02:30", zone), a_window("02:00", "05:00", zone), a_window("04:59", "06:00")),
        "two zones": (a_window("23:00", "01:10", zone), a_window("01:00", "04:00", "America/New_York")),
    }


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
SHAPES = tuple(some_windows("UTC"))


@dataclass(frozen=True)
class Stretch:
    """The minutes of some days: which of them lie inside of a window."""

    begins: datetime
    inside: tuple[bool, ...]

    def first(self, after: datetime, *, inside: bool) -> datetime | None:
        """Return the first whole minute after ``after`` that is inside, or outside; looks at one after the other."""
        number = (after - self.begins) // MINUTE + 1
        while number < len(self.inside):
            if self.inside[number] is inside:
                return self.begins + number * MINUTE
            number += 1
        return None


def clock_reads(zone: ZoneInfo, begins: datetime, minutes: int) -> list[tuple[int, int]]:
    """Return what the wall clock shows in each minute: the day of the week, and how many minutes of it are over."""
    shown = ((begins + number * MINUTE).astimezone(zone) for number in range(minutes))
    return [(local.weekday(), 60 * local.hour + local.minute) for local in shown]


def lies_inside(window: Window, day: int, minute: int) -> bool:
    """Tell whether a reading of the wall clock lies inside of a window that began on its day, or on the day before."""
    ends = window.until_minute if window.until_minute >= window.from_minute else window.until_minute + 24 * 60
    if day in window.days and window.from_minute <= minute < ends:
        return True
    return (day - 1) % 7 in window.days and window.from_minute <= minute + 24 * 60 < ends


def stretches_of(zone: str) -> Iterator[datetime]:
    """Yield where stretches begin: two days before each change of the clock, and one where nothing changes."""
    there = ZoneInfo(zone)
    offsets = [(BEGIN + number * DAY).astimezone(there).utcoffset() for number in range(DAYS)]
    yield from (BEGIN + (number - 2) * DAY for number in range(1, DAYS) if offsets[number - 1] != offsets[number])
    yield BEGIN + Random(zone).randrange(DAYS) * DAY


class Wall:
    """What the wall clocks showed, each stretch of each zone read once."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, datetime], list[tuple[int, int]]] = {}

    def stretch(self, windows: tuple[Window, ...], begins: datetime) -> Stretch:
        """Return which minutes from ``begins`` on lie inside of ``windows``."""
        count = (ASKED + SEEN_AHEAD) // MINUTE
        inside = [False] * count
        for window in windows:
            key = (window.zone_name, begins)
            if key not in self._read:
                self._read[key] = clock_reads(ZoneInfo(window.zone_name), begins, count)
            for number, (day, minute) in enumerate(self._read[key]):
                inside[number] = inside[number] or lies_inside(window, day, minute)
        return Stretch(begins, tuple(inside))


@pytest.fixture(scope="module", name="wall")
def _wall() -> Wall:
    """One wall for all zones."""
    return Wall()


def worth_asking(stretch: Stretch, random: Random) -> Iterator[datetime]:
    """Yield the moments around every edge, and a few anywhere."""
    count = ASKED // MINUTE
    edges = [number for number in range(1, count) if stretch.inside[number - 1] is not stretch.inside[number]]
    for number in random.sample(edges, min(len(edges), 6)):
        yield from (stretch.begins + number * MINUTE + by for by in (-MOMENT, timedelta(0), 30 * timedelta(seconds=1)))
    yield from (stretch.begins + random.randrange(count) * MINUTE for _ in range(6))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("zone", ZONES)
def test_windows_are_what_the_clock_on_the_wall_says_for_two_years(wall: Wall, zone: str, shape: str) -> None:
    """
    Safety: open, opening and closing in exactly the minute in which the wall clock says so, also where it is changed.
    """
    windows = some_windows(zone)[shape]
    random = Random(f"{zone} {shape}")
    for begins in stretches_of(zone):
        stretch = wall.stretch(windows, begins)
        for now in worth_asking(stretch, random):
            inside = stretch.inside[(now - begins) // MINUTE]
            assert inside == is_open(windows, now), now
            if inside:
                assert stretch.first(now, inside=False) == closes_at(windows, now), now
            else:
                assert stretch.first(now, inside=True) == next_opening(windows, now), now
