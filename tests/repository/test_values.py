"""What people's text stands for: sizes, durations, time zones and moments."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.model.declaration import Size
from controller.repository import values

BERLIN = ZoneInfo("Europe/Berlin")
BEIRUT = ZoneInfo("Asia/Beirut")


def test_sizes_are_numbers_percentages_or_the_rest() -> None:
    """
    Zeros in front mean nothing, and a failure budget of 0 is zero, not a default.
    """
    assert Size(count=10) == values.size("010")
    assert Size(percent=10) == values.size("10%")
    assert Size() == values.size("rest")
    assert Size(count=0) == values.size("0")


def test_durations_have_an_end() -> None:
    """
    Ten years are the longest; what is longer would lead out of the calendar.
    """
    assert timedelta(hours=4) == values.duration("04h")
    assert timedelta(0) == values.duration("0s")
    assert values.DURATION_MAX == values.duration("3650d")
    with pytest.raises(ValueError, match="at most 3650d"):
        values.duration("3651d")


def test_the_day_ends_at_twenty_four() -> None:
    """
    Minutes after midnight, both ends of the day included.
    """
    assert (0, 540, 1439, 1440) == tuple(map(values.time_of_day, ("00:00", "09:00", "23:59", "24:00")))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Europe/Berlim", "such as Europe/Berlin"),
        ("europe/berlin", "such as Europe/Berlin"),
        ("xyz", "such as Europe/Berlin or UTC"),
        ("localtime", "time zone"),
        ("../../etc/passwd", "time zone"),
    ],
)
def test_a_wrong_time_zone_is_told_with_the_nearest(text: str, hint: str) -> None:
    """
    A zone that the database does not have under exactly this name is refused, on every machine alike.
    """
    with pytest.raises(ValueError, match=hint):
        values.zone(text)


def test_a_bare_day_is_whole() -> None:
    """
    From its start to its end, in the zone it is read in.
    """
    assert datetime(2026, 11, 25, 23, tzinfo=UTC) == values.beginning("2026-11-26", BERLIN)
    assert datetime(2026, 11, 26, 23, tzinfo=UTC) == values.end("2026-11-26", BERLIN)
    assert datetime(2026, 11, 27, tzinfo=UTC) == values.end("2026-11-26", UTC)


@pytest.mark.parametrize("text", ["2026-11-26T09:00", "2026-11-26 09:00", "2026-11-26T09:00:00"])
def test_a_time_without_an_offset_is_local(text: str) -> None:
    """
    It is read in the item's zone, as a beginning and as an end alike.
    """
    assert datetime(2026, 11, 26, 8, tzinfo=UTC) == values.beginning(text, BERLIN)
    assert datetime(2026, 11, 26, 8, tzinfo=UTC) == values.end(text, BERLIN)


def test_an_offset_of_its_own_wins() -> None:
    """
    What says where it is needs no zone.
    """
    assert datetime(2026, 11, 26, 9, tzinfo=UTC) == values.end("2026-11-26T09:00Z", BERLIN)
    assert datetime(2026, 11, 26, 7, tzinfo=UTC) == values.end("2026-11-26T09:00+02:00", BERLIN)


def test_times_that_clocks_skip_or_repeat_mean_one_moment() -> None:
    """
    A skipped time is read by the offset before the change, a repeated one is the first of the two.
    """
    assert datetime(2026, 3, 29, 1, 30, tzinfo=UTC) == values.beginning("2026-03-29T02:30", BERLIN)
    assert datetime(2026, 10, 25, 0, 30, tzinfo=UTC) == values.beginning("2026-10-25T02:30", BERLIN)


def test_a_day_that_begins_with_a_skipped_hour_begins_when_clocks_go_on() -> None:
    """
    Where midnight itself is skipped, the day begins, and the day before it ends, at the change.
    """
    change = datetime(2022, 3, 26, 22, tzinfo=UTC)

    assert change == values.beginning("2022-03-27", BEIRUT)
    assert change == values.end("2022-03-26", BEIRUT)


def test_queries_keep_their_lines() -> None:
    """
    What surrounds a query means nothing, what is inside is kept as written; control characters are refused.
    """
    assert "sum(x)\n  by (y)" == values.query("\n sum(x)\n  by (y)\n")
    with pytest.raises(ValueError, match="printed"):
        values.query("up\x1b")


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "2026-00-10T09:00"])
def test_days_that_do_not_exist_are_refused(text: str) -> None:
    """
    The schema knows the form of a date, the calendar its days.
    """
    with pytest.raises(ValueError, match="a day that the calendar has"):
        values.end(text, UTC)


def test_words_are_one_line_that_can_be_printed() -> None:
    """
    Line ends become spaces; what would move a terminal's cursor is refused.
    """
    assert "peak trade, all of it" == values.words("peak trade,\n  all of it\n")
    with pytest.raises(ValueError, match="printed"):
        values.words("red \x1b[31m")
