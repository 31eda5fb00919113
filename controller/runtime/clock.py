"""The clocks: the system's, and a virtual one that only moves when told. The only place that reads the time."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place


class VirtualClock:
    """A time that stands still until it is moved; what demo and simulations live in."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the virtual time in UTC."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Let ``by`` pass."""
        self._now += by
