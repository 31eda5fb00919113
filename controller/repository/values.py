"""Text as people write it in a declaration, and the value it stands for.

Every function takes text that the schema has passed, and raises ValueError with what was expected instead where
no schema can tell: a day that does not exist, a time zone that nobody has, a duration of centuries.
"""

import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from controller.model.calendar import DAY_MINUTES
from controller.model.declaration import Size
from controller.model.durations import parse_duration
from controller.repository.schema import nearest

DURATION_MAX = timedelta(days=3650)
DAYS: Mapping[str, int] = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}

_LEADING_ZEROS = re.compile(r"^0+(?=[0-9])")
_NOT_A_PLACE = frozenset({"localtime", "posixrules", "Factory"})
"""Names in some machines' databases that mean something else on the next machine."""


def whole_number(text: str) -> int:
    """Read ASCII digits; zeros in front mean nothing."""
    return int(text)


def percent(text: str) -> int:
    """Read ``5%``."""
    return int(text.removesuffix("%"))


def size(text: str) -> Size:
    """Read a wave's size or a failure budget: ``3``, ``10%`` or ``rest``."""
    if text == "rest":
        return Size()
    return Size(percent=percent(text)) if text.endswith("%") else Size(count=int(text))


def flag(text: str) -> bool:
    """Read ``true`` or ``false``."""
    return text == "true"


def on(text: str) -> bool:
    """Read ``on`` or ``off``."""
    return text == "on"


def duration(text: str) -> timedelta:
    """Read ``4h``; also ``0s``, where the schema lets it."""
    read = parse_duration(_LEADING_ZEROS.sub("", text))
    if read > DURATION_MAX:
        raise ValueError(f"a duration of at most {DURATION_MAX.days}d")
    return read


def time_of_day(text: str) -> int:
    """Read ``09:00`` as minutes after midnight; ``24:00`` is the day's end."""
    hours, minutes = text.split(":")
    return min(int(hours) * 60 + int(minutes), DAY_MINUTES)


def words(text: str) -> str:
    """Read words for people: one line, without what cannot be printed."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("words that can be printed, without control characters")
    return line


def query(text: str) -> str:
    """Read a query, of one line or of several; what surrounds it means nothing."""
    stripped = text.strip()
    if not all(line.isprintable() for line in stripped.split("\n")):
        raise ValueError("a query of characters that can be printed, without control characters")
    return stripped


@lru_cache(maxsize=1024)
def zone(text: str) -> tzinfo:
    """Read the name of a time zone of the IANA database."""
    if text == "UTC":
        return UTC
    if text not in _zone_names():
        near = nearest(text, _zone_names())
        raise ValueError(f"a time zone of the IANA database such as {near or 'Europe/Berlin or UTC'}")
    return zoneinfo.ZoneInfo(text)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NOT_A_PLACE)


def beginning(text: str, local: tzinfo) -> datetime:
    """Read the moment at which something begins; a bare day means its start."""
    return _moment(text, local, days_on=0)


def end(text: str, local: tzinfo) -> datetime:
    """Read the moment at which something ends; a bare day means its end, which is the start of the next."""
    return _moment(text, local, days_on=1)


def _moment(text: str, local: tzinfo, *, days_on: int) -> datetime:
    """Return the moment in UTC.

    Where clocks go back and a local time comes twice, it is the first; where they go forward and a local time
    never comes, it is read by the offset before the change (Python's ``fold=0``), so as late as clocks would have
    shown it.
    """
    try:
        if len(text) == len("2026-12-24"):
            day = date.fromisoformat(text) + timedelta(days=days_on)
            return datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("a day that the calendar has") from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=local)).astimezone(UTC)
