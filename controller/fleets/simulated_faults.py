"""Which clusters the faults of an inventory hit, and when: without chance, so that a simulation can be run again.

Which clusters belong to a ``share`` follows from a hash of the fault's position and their names. What a fault does
while it lasts stands in ``simulated_clusters``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.model.inventory import Fault, Inventory
from controller.versions import KafkaVersion


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open time."""

    begin: datetime
    end: datetime | None
    """None = it does not end."""

    def covers(self, now: datetime) -> bool:
        """Tell whether ``now`` lies in it."""
        return self.begin <= now and (self.end is None or now < self.end)

    @property
    def ends(self) -> tuple[datetime, ...]:
        """Its begin, and its end where it has one."""
        return (self.begin,) if self.end is None else (self.begin, self.end)


def faults_by_cluster(inventory: Inventory) -> Mapping[str, tuple[Fault, ...]]:
    """Return the faults that hit each cluster, in the inventory's order; clusters without any are left out."""
    hits: dict[str, tuple[Fault, ...]] = {}
    for position, fault in enumerate(inventory.faults):
        for name in _hit(fault, position):
            hits[name] = (*hits.get(name, ()), fault)
    return hits


def concerns(fault: Fault, release: KafkaVersion) -> bool:
    """Tell whether a fault can hit a cluster that is asked for ``release``."""
    return fault.release is None or fault.release == release


def begin_of(fault: Fault, started_at: datetime) -> datetime | None:
    """Return when a fault that happens at a time begins; None = never, for its time lies beyond every calendar."""
    return later(started_at, fault.at or timedelta(0))


def span_of(fault: Fault, begin: datetime | None) -> Span | None:
    """Return how long a fault lasts that begins at ``begin``; None where it never begins."""
    return None if begin is None else Span(begin, later(begin, fault.lasts))


def later(moment: datetime | None, duration: timedelta | None, times: int = 1) -> datetime | None:
    """Return the moment ``times`` durations later; None, which is never, where either is, or calendars end before."""
    if moment is None or duration is None:
        return None
    try:
        return moment + duration * times
    except OverflowError:
        return None


def _hit(fault: Fault, position: int) -> tuple[str, ...]:
    if fault.share >= 100:
        return fault.clusters
    count = max(1, len(fault.clusters) * fault.share // 100)
    return tuple(sorted(fault.clusters, key=lambda name: _lot(position, name))[:count])


def _lot(position: int, name: str) -> bytes:
    return hashlib.sha256(f"{position} {name}".encode()).digest()
