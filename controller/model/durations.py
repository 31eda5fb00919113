"""Durations, times and counts as people write and read them: ``4h``, ``14:05 UTC``, ``2 clusters``."""

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(r"(0|[1-9][0-9]{0,8})(ms|s|m|h|d)")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def parse_duration(text: str) -> timedelta:
    """Read one whole number with a unit; raises ValueError where ``text`` is none."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration such as 30m, 4h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(duration: timedelta) -> str:
    """Write ``duration`` in the largest unit that divides it: ``24h`` reads ``1d``, ``90m`` stays ``90m``.

    What even a millisecond does not divide is rounded down to one.
    """
    for unit, length in _UNITS.items():
        if duration >= length and duration % length == timedelta(0):
            return f"{duration // length}{unit}"
    return f"{duration // _UNITS['ms']}ms" if duration else "0s"


def format_rough(duration: timedelta) -> str:
    """Write ``duration`` in its two largest units, for sentences: ``1d 4h``, ``3m 20s``."""
    seconds = int(duration.total_seconds())
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def format_moment(moment: datetime, now: datetime) -> str:
    """Write ``moment`` in UTC, with the date where it is not the day of ``now``."""
    moment = moment.astimezone(UTC)
    same_day = moment.date() == now.astimezone(UTC).date()
    return moment.strftime("%H:%M UTC" if same_day else "%a %Y-%m-%d %H:%M UTC")


def counted(clusters: int) -> str:
    """Return ``1 cluster``, ``2 clusters``."""
    return f"{clusters} cluster{'' if clusters == 1 else 's'}"
