"""When a group's upgrades may start: its windows without its freezes, as spans of time.

Worked out apart from the core, whose calendar this checks by way of the lower bound: a day's moments of change are
listed generously, and between two of them nothing changes, so that one look at the wall clock tells of the whole piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from controller.model.calendar import Freeze, Window

LONG = timedelta(days=60)
"""What is open for so long is taken for open for ever after: that only ever allows more."""
NEVER = timedelta(days=4000)
"""What does not open for so long is taken never to open."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is declared of one group's times; no windows mean always."""

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def is_open(self, moment: datetime) -> bool:
        """Tell whether upgrades may start at ``moment``."""
        if any(freeze.from_ <= moment < freeze.until for freeze in self.freezes):
            return False
        return not self.windows or any(_covers(window, moment) for window in self.windows)

    def changes(self, since: datetime) -> Iterator[datetime]:
        """Yield, in order, every moment after ``since`` at which ``is_open`` may change, and perhaps some others."""
        ends = sorted({end for freeze in self.freezes for end in (freeze.from_, freeze.until) if end > since})
        if not self.windows:
            yield from ends
            return
        day = since.astimezone(UTC).date()
        while True:
            begin = datetime.combine(day, time(), UTC)
            moments = {end for end in ends if begin <= end < begin + _DAY}
            moments.update(moment for window in self.windows for moment in _changes_on(window, begin))
            yield from sorted(moment for moment in moments if moment > since)
            day += _DAY


@dataclass(frozen=True, slots=True)
class Openings:
    """The times in which any of some groups may start upgrades."""

    calendars: tuple[Calendar, ...] = (Calendar(),)

    def spans(self, since: datetime) -> Iterator[tuple[datetime, datetime | None]]:
        """Yield the open spans from ``since`` on, half-open, in order; one that does not end has no end."""
        begin = since if self._is_open(since) else None
        for moment in self._changes(since):
            if moment - (begin or since) > (LONG if begin else NEVER):
                break
            if self._is_open(moment):
                begin = moment if begin is None else begin
            elif begin is not None:
                yield begin, moment
                since, begin = moment, None
        if begin is not None:
            yield begin, None

    def _is_open(self, moment: datetime) -> bool:
        return any(calendar.is_open(moment) for calendar in self.calendars)

    def _changes(self, since: datetime) -> Iterator[datetime]:
        """Yield every calendar's moments in order; ends where nothing will open or close any more."""
        streams = [calendar.changes(since) for calendar in self.calendars]
        heads = [next(stream, None) for stream in streams]
        while None not in heads:  # one that changes no more has no windows, and is open from there on
            first = min(head for head in heads if head is not None)
            for number, head in enumerate(heads):
                if head == first:
                    heads[number] = next(streams[number], None)
            yield first


def _covers(window: Window, moment: datetime) -> bool:
    """Tell whether the wall clock in the window's zone reads a time inside it."""
    local = moment.astimezone(window.zone)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() + 6) % 7
    if window.until_minute >= window.from_minute:
        return today in window.days and window.from_minute <= minute < window.until_minute
    return (today in window.days and minute >= window.from_minute) or (
        yesterday in window.days and minute < window.until_minute
    )


def _changes_on(window: Window, begin: datetime) -> Iterator[datetime]:
    """Yield the moments of the UTC day from ``begin`` at which the window may open or close."""
    end = begin + _DAY
    for days in range(-2, 2):
        midnight = datetime.combine(begin.date() + timedelta(days=days), time())
        for minute in (window.from_minute, window.until_minute):
            local = midnight + timedelta(minutes=minute)
            for fold in (0, 1):
                moment = local.replace(tzinfo=window.zone, fold=fold).astimezone(UTC)
                if begin <= moment < end:
                    yield moment
    yield from _clock_changes(window.zone, begin)


def _clock_changes(zone: tzinfo, begin: datetime) -> Iterator[datetime]:
    """Yield the moment in the UTC day from ``begin`` at which the zone's clock is changed, where there is one."""
    low, high = begin, begin + _DAY
    if _offset(zone, low) == _offset(zone, high):
        return
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _offset(zone, middle) == _offset(zone, low):
            low = middle
        else:
            high = middle
    yield high.replace(microsecond=0)


def _offset(zone: tzinfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()
