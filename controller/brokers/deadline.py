"""A moment until which something has to be over, handed down to everything that waits on the way."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock."""

    at: float

    @staticmethod
    def within(seconds: float) -> "Deadline":
        """Return the moment so many seconds from now."""
        return Deadline(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then; 0 once it is over."""
        return max(0.0, self.at - time.monotonic())

    def sooner(self, seconds: float) -> "Deadline":
        """Return the moment so many seconds from now, or this one where it comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))
