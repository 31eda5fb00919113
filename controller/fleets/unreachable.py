"""Stands for a source of live clusters that cannot be set up at present: it answers as one that is out of reach.

So a Kubernetes that is gone, or a lab that is not mounted, makes its own clusters unknown and never fails the cycle of
the others. Whoever opens sources tries anew to set the real one up; nothing here tries anything.
"""

from datetime import datetime

from controller.errors import ApplyRefused, ObservationError
from controller.model.observation import SourceReading
from controller.model.plan import Start


class UnreachableSource:
    """A FleetSource that says ``why`` whatever it is asked."""

    def __init__(self, name: str, why: str) -> None:
        self._name = name
        self._why = f"source {name} cannot be set up: {why}"

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Raise ObservationError: nothing can be read."""
        del full, now
        raise ObservationError(self._why)

    def start(self, start: Start, now: datetime) -> None:
        """Raise ApplyRefused: nothing began."""
        del now
        raise ApplyRefused(f"{start.cluster}: {self._why}")
