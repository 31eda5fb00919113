"""Windows and freezes as declared: times in which upgrades may start, and times in which none may."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from controller.model.places import Place

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly time in which upgrades may *start*; half-open."""

    days: frozenset[int]
    """Weekdays on which it begins, Monday is 0."""
    from_minute: int
    """Minutes after local midnight, 0..1439."""
    until_minute: int
    """Minutes after local midnight, 0..1440; below ``from_minute`` the window goes over midnight."""
    zone: tzinfo
    zone_name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Freeze:
    """A declared time in which nothing starts in the groups it names; half-open."""

    name: str
    from_: datetime
    """In UTC, as every datetime of the model."""
    until: datetime
    zone: tzinfo
    """The zone in which it was declared, for printing."""
    zone_name: str
    groups: tuple[str, ...]
    """Patterns such as ``prod-*``."""
    reason: str
    place: Place
