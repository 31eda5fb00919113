"""When windows are open and freezes end, by the wall clock of each window's own zone.

A window is open whenever the local wall clock reads a time inside it: an hour that daylight saving repeats is
open twice, one that it skips is not there. Deny wins: freezes are asked apart from windows, and either holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase

from controller.model.calendar import Freeze, Window

_DAYS_AHEAD = 8  # a weekly window opens again within a week; one day more for zones ahead of UTC
_LOOKS = (1, _DAYS_AHEAD)
"""Days to look ahead: what happens within one mostly tells."""
_GAP_MINUTES_MAX = 180


@dataclass(frozen=True, slots=True)
class Opening:
    """How windows stand at one moment."""

    is_open: bool
    closes_at: datetime | None = None
    """When the open time ends; None where it is closed, or does not end within a week."""
    opens_at: datetime | None = None
    """When one opens, or opens again after it closed; None where that is not within a week."""


def opening_at(windows: Sequence[Window], now: datetime) -> Opening:
    """Return how ``windows`` stand now."""
    if not windows:
        return Opening(is_open=True)
    if not is_open(windows, now):
        return Opening(is_open=False, opens_at=next_opening(windows, now))
    closing = closes_at(windows, now)
    return Opening(
        is_open=True, closes_at=closing, opens_at=None if closing is None else next_opening(windows, closing)
    )


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Tell whether any of ``windows`` is open; none declared means always."""
    return not windows or any(_contains(window, now) for window in windows)


def _contains(window: Window, now: datetime) -> bool:
    local = now.astimezone(window.zone)
    minute = local.hour * 60 + local.minute
    if window.from_minute <= window.until_minute:
        return local.weekday() in window.days and window.from_minute <= minute < window.until_minute
    if minute >= window.from_minute:
        return local.weekday() in window.days
    return (local.weekday() - 1) % 7 in window.days and minute < window.until_minute


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return the first moment after ``now`` at which a window opens; None where none does within a week."""
    for days in _LOOKS:
        openings = (opening for window in windows for opening in _openings(window, now, days))
        first = min((opening for opening in openings if opening <= now + timedelta(days=days)), default=None)
        if first is not None:
            return first
    return None


def closes_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the open time around ``now`` ends; None where it does not within a week."""
    for days in _LOOKS:
        ends = {end for window in windows for end in _changes(window, now, days)}
        ahead = sorted(end for end in ends if now < end <= now + timedelta(days=days))
        closing = next((end for end in ahead if not is_open(windows, end)), None)
        if closing is not None:
            return closing
    return None


def _changes(window: Window, now: datetime, days: int) -> Iterator[datetime]:
    """Yield every moment of the next ``days`` at which the window may close, and perhaps some others."""
    today = now.astimezone(window.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for ahead in range(-1, days + 2):
        ends = today + timedelta(days=ahead, minutes=window.until_minute)
        for fold in (0, 1):
            yield ends.replace(tzinfo=window.zone, fold=fold).astimezone(UTC)
    yield from _clock_changes(window.zone, now, days)


def _openings(window: Window, now: datetime, days: int) -> Iterator[datetime]:
    today = now.astimezone(window.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for ahead in range(-1, days + 2):
        day = today + timedelta(days=ahead)
        if day.weekday() not in window.days:
            continue
        begins = day + timedelta(minutes=window.from_minute)
        for fold in (0, 1):
            opening = _first_open(window, begins.replace(tzinfo=window.zone, fold=fold).astimezone(UTC))
            if opening is not None and opening > now:
                yield opening
    yield from (change for change in _clock_changes(window.zone, now, days) if _contains(window, change))


def _clock_changes(zone: tzinfo, now: datetime, days: int) -> Iterator[datetime]:
    """Yield the moments ahead at which the clock of ``zone`` is changed: set back, it may read an open time again."""
    for ahead in range(days):
        before = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(days=ahead)
        after = before + timedelta(days=1)
        if _offset(zone, before) == _offset(zone, after):
            continue
        while after - before > timedelta(minutes=1):
            middle = before + (after - before) // timedelta(minutes=2) * timedelta(minutes=1)
            before, after = (middle, after) if _offset(zone, middle) == _offset(zone, before) else (before, middle)
        yield after


def _offset(zone: tzinfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _first_open(window: Window, candidate: datetime) -> datetime | None:
    """Return the first open minute from ``candidate`` on; it lies later only where the wall clock skips."""
    if _contains(window, candidate):
        return candidate
    minutes = (candidate + timedelta(minutes=step) for step in range(1, _GAP_MINUTES_MAX))
    return next((moment for moment in minutes if _contains(window, moment)), None)


def freezes_over(freezes: Iterable[Freeze], group: str, now: datetime) -> tuple[Freeze, ...]:
    """Return the freezes that hold ``group`` now."""
    return tuple(
        freeze
        for freeze in freezes
        if freeze.from_ <= now < freeze.until and any(fnmatchcase(group, pattern) for pattern in freeze.groups)
    )
