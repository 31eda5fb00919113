"""Durations and moments as people write and read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.durations import format_duration, format_moment, format_rough, parse_duration
from tests.builders import DAY, HOUR, MINUTE, MOMENT, NOON, SECOND


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta()),
        ("250ms", SECOND / 4),
        ("90s", 90 * SECOND),
        ("90m", 90 * MINUTE),
        ("4h", 4 * HOUR),
        ("7d", 7 * DAY),
    ],
)
def test_a_duration_is_one_whole_number_with_a_unit(text: str, duration: timedelta) -> None:
    """
    In milliseconds, seconds, minutes, hours or days.
    """
    assert duration == parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "5", "h", "1.5h", "-1h", "1 h", "1h30m", "01h", "1H", "1w", "1000000000s", "٣h", "1h\n"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    """
    Nothing is guessed, and nothing overflows.
    """
    with pytest.raises(ValueError, match="is no duration such as 30m, 4h or 7d"):
        parse_duration(text)


@given(st.integers(0, 10**9 - 1), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_written_duration_reads_back_the_same(number: int, unit: str) -> None:
    """
    Whatever unit it is written in.
    """
    if unit == "d":
        number %= 999_999_999
    duration = parse_duration(f"{number}{unit}")

    assert duration == parse_duration(format_duration(duration))


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (DAY, "1d"),
        (25 * HOUR, "25h"),
        (90 * MINUTE, "90m"),
        (90 * SECOND, "90s"),
        (SECOND + timedelta(milliseconds=5), "1005ms"),
        (timedelta(milliseconds=5) + MOMENT, "5ms"),
        (MOMENT, "0ms"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(duration: timedelta, text: str) -> None:
    """
    What even a millisecond does not divide is rounded down to one.
    """
    assert text == format_duration(duration)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (MOMENT, "0s"),
        (59 * SECOND, "59s"),
        (200 * SECOND, "3m 20s"),
        (28 * HOUR, "1d 4h"),
        (DAY + MINUTE, "1d 1m"),
        (3 * DAY + 2 * HOUR + MINUTE + SECOND, "3d 2h"),
    ],
)
def test_a_rough_duration_has_two_units_at_most(duration: timedelta, text: str) -> None:
    """
    The largest ones, rounded down.
    """
    assert text == format_rough(duration)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "12:00 UTC"),
        (NOON + HOUR - MOMENT, "12:59 UTC"),
        (NOON + 12 * HOUR, "Tue 2026-03-03 00:00 UTC"),
        (NOON - 12 * HOUR - MOMENT, "Sun 2026-03-01 23:59 UTC"),
        (datetime(2026, 3, 3, 1, tzinfo=timezone(timedelta(hours=2))), "23:00 UTC"),
    ],
)
def test_a_moment_names_its_zone_and_its_day_where_that_is_another(moment: datetime, text: str) -> None:
    """
    In UTC, whatever zone it comes in.
    """
    assert text == format_moment(moment, NOON)
    assert text == format_moment(moment, NOON.astimezone(timezone(timedelta(hours=-11))))
    assert UTC == NOON.tzinfo
