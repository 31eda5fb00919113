"""How a simulated cluster's metadata.version is raised: once its brokers have rolled, in the time it takes to settle.

A finalization is one more wish beside the release, and arithmetic on moments like a roll. What holds it up are faults
that happen at a time and are bound to no release: those of upgrades leave it alone. It knows no catalog, so it
does not judge whether the release serves the level; it never lowers one.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.fleets.simulated_faults import Span, begin_of, later, span_of
from controller.fleets.simulated_rolls import LevelWish, Script, Wish, roll_of
from controller.model.inventory import FaultKind
from controller.versions import MetadataVersion


@dataclass(frozen=True, slots=True)
class Finalization:
    """The way of a cluster to a level that was not finalized when it was asked for."""

    level: MetadataVersion
    asked_at: datetime
    begins_at: datetime | None
    """Later than it was asked while the operator refuses; None = the operator refuses for good."""
    done_at: datetime | None
    """None = never."""

    @property
    def moments(self) -> tuple[datetime, ...]:
        """When it shows something new."""
        return tuple(moment for moment in (self.begins_at, self.done_at) if moment is not None)

    def is_done(self, now: datetime) -> bool:
        """Tell whether the level is finalized at ``now``."""
        return self.done_at is not None and self.done_at <= now

    def is_refused(self, now: datetime) -> bool:
        """Tell whether the operator refuses it at ``now``."""
        return self.begins_at != self.asked_at and (self.begins_at is None or now < self.begins_at)


def finalization_of(script: Script, wish: Wish) -> Finalization | None:
    """Return the finalization that ``wish`` brings about; None where nothing was left to do when it was asked."""
    level = wish.level
    if level is None or level.before >= level.level:
        return None
    begins_at: datetime | None = level.asked_at
    for span in _spans(script, FaultKind.REFUSED):
        if span.covers(level.asked_at):
            begins_at = span.end
    ready_at = _ready_at(script, wish, begins_at)
    done_at = later(ready_at, script.cluster.settle)
    for span in _spans(script, FaultKind.STUCK):
        done_at = _held_up(ready_at, done_at, span)
    return Finalization(level.level, level.asked_at, begins_at, done_at)


def level_at(script: Script, wish: Wish, now: datetime) -> MetadataVersion | None:
    """Return the level that is finalized at ``now``; None for a cluster of ZooKeeper."""
    if wish.level is None:
        return script.cluster.metadata_version
    finalization = finalization_of(script, wish)
    return wish.level.level if finalization is None or finalization.is_done(now) else wish.level.before


def level_left(script: Script, wish: Wish, now: datetime) -> LevelWish | None:
    """Return the level's wish beside another release: what is finalized at ``now`` stays, the rest is still to do."""
    finalization = finalization_of(script, wish)
    if wish.level is None or finalization is None or not finalization.is_done(now):
        return wish.level
    return replace(wish.level, before=wish.level.level)


def _ready_at(script: Script, wish: Wish, begins_at: datetime | None) -> datetime | None:
    """Return when every broker runs the release asked for and the operator turns to the level; None = never."""
    roll = roll_of(script, wish)
    if roll is None or begins_at is None:
        return begins_at
    return None if roll.ready_at is None else max(roll.ready_at, begins_at)


def _spans(script: Script, kind: FaultKind) -> list[Span]:
    """Return when faults of ``kind`` happen that are bound to a time alone."""
    faults = (fault for fault in script.faults if fault.kind is kind and fault.at is not None)
    bound_to_time = (fault for fault in faults if not fault.during_upgrade and fault.release is None)
    spans = (span_of(fault, begin_of(fault, script.started_at)) for fault in bound_to_time)
    return [span for span in spans if span is not None]


def _held_up(ready_at: datetime | None, done_at: datetime | None, span: Span) -> datetime | None:
    """Return when it is done, where nothing goes on in ``span``."""
    if ready_at is None or done_at is None or done_at <= span.begin:
        return done_at
    if span.end is None:
        return None
    return later(done_at, max(timedelta(0), span.end - max(ready_at, span.begin)))
