"""When a server wants to be asked again: what it says with ``Retry-After`` holds for all that we ask of it."""

import threading
import time

from controller.kube.faults import Refused

WAIT_SECONDS_MIN = 0.5
WAIT_SECONDS_MAX = 60.0
"""Whatever it says: nobody is left alone for a day because of one answer."""


class Patience:
    """Keeps the time before which nothing is sent; for several threads at once."""

    def __init__(self) -> None:
        self._told: tuple[Refused, float] | None = None
        """What was said, and until when that holds."""
        self._closing = threading.Event()

    def note(self, refused: Refused) -> None:
        """Take in what a refusal says of the time to come."""
        seconds = refused.retry_after_seconds
        if seconds is not None:
            self._told = (refused, time.monotonic() + min(max(seconds, WAIT_SECONDS_MIN), WAIT_SECONDS_MAX))

    def wait(self, deadline: float) -> None:
        """Wait until it wants to be asked again.

        Raises Refused, as it was told, where that comes after ``deadline``, or where nobody is to wait any longer.
        """
        if self._told is None:
            return
        refused, until = self._told
        left = until - time.monotonic()
        if left > 0 and (until >= deadline or self._closing.wait(left)):
            raise Refused(str(refused), status=refused.status, retry_after_seconds=left)

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closing.set()
