"""When a plan's waves are likely to start and to have soaked, and how far a fault would reach: by arithmetic.

No cycle is played, so it is there at once for a fleet of any size. A cluster is taken to need as long as the longest
recorded upgrade of its group, and each group to have the fleet's slots for itself: what really happens also depends on
the other groups, on faults and on people. ``wavefleet simulate`` plays all of that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from controller.core.questions import DURATION_DEFAULT
from controller.history.records import RolloutKind
from controller.model.declaration import ClusterGroup, Wave
from controller.model.outbox import StatusState
from controller.model.plan import Plan
from controller.model.snapshot import Snapshot
from controller.model.verdict import Hold, HoldReason
from controller.model.view import GroupView, WaveView
from controller.simulate.lengths import DELAYS
from controller.simulate.openings import Calendar, Openings

BY_THEMSELVES = frozenset(
    {
        HoldReason.FROZEN,
        HoldReason.OUTSIDE_WINDOW,
        HoldReason.WINDOW_TOO_SHORT,
        HoldReason.GROUP_ORDER,
        HoldReason.GROUP_NOT_ON_TARGET,
        HoldReason.WAVE_UNDER_WAY,
        HoldReason.SOAKING,
        HoldReason.APPROVAL_MISSING,
        HoldReason.GATE_UNANSWERED,
        HoldReason.LIMIT_REACHED,
        HoldReason.OTHER_WAVE_FIRST,
        HoldReason.NOT_OBSERVED,
    }
)
"""Holds that the forecast reckons with, or that a cycle lifts; any other hold of a whole group ends it."""


@dataclass(frozen=True, slots=True)
class WaveForecast:
    """One wave's likely times; None where they hang on a person, or on what never opens."""

    number: int
    starts_at: datetime | None
    done_at: datetime | None
    soaked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """One view's likely times."""

    waves: tuple[WaveForecast, ...]
    ends_at: datetime | None
    """When the last wave has soaked."""
    waits_for: str
    """What a person must do first; empty where nobody has to."""
    blast_radius: Mapping[str, int]
    """By delay: how many clusters are started before a fault is seen that shows itself so long after an upgrade."""


HORIZON = timedelta(days=366)
"""What does not open long enough within a year never does."""
_NOTHING = Forecast((), None, "", {})


def forecasts_of(snapshot: Snapshot, plan: Plan) -> Mapping[str, Forecast]:
    """Return what is likely for each view of ``plan``, by what people call it (its context)."""
    views = {view.context: view for view in plan.groups}
    found: dict[str, Forecast] = {}
    for context in views:
        _fill(snapshot, views, context, found)
    return found


def _fill(snapshot: Snapshot, views: Mapping[str, GroupView], context: str, found: dict[str, Forecast]) -> None:
    """Put the forecast of ``context`` into ``found``, after those that it waits for; circles are not declared."""
    if context in found:
        return
    view = views[context]
    group = snapshot.declaration.group(view.name)
    assert group is not None, view
    found[context] = _NOTHING
    suffix = "" if view.kind is RolloutKind.SOFTWARE else "/metadata"
    awaited = [f"{name}{suffix}" for name in group.after if f"{name}{suffix}" in views]
    for each in awaited:
        _fill(snapshot, views, each, found)
    ends = [snapshot.now if views[each].state is StatusState.SUCCESS else found[each].ends_at for each in awaited]
    late = [each for each, end in zip(awaited, ends, strict=True) if end is None]
    begins = max((end for end in ends if end is not None), default=snapshot.now)
    found[context] = _Reckoning(snapshot, group, view).forecast(begins, f"{late[0]} ends" if late else "")


class _Reckoning:
    """The arithmetic of one view."""

    def __init__(self, snapshot: Snapshot, group: ClusterGroup, view: GroupView) -> None:
        self._snapshot, self._group, self._view = snapshot, group, view
        urgent = [
            each
            for each in snapshot.declaration.expedite
            if each.version == view.target and any(fnmatchcase(group.name, name) for name in each.groups)
        ]
        freezes = [
            each for each in snapshot.declaration.freezes if any(fnmatchcase(group.name, p) for p in each.groups)
        ]
        self._openings = Openings(
            (
                Calendar(
                    () if any(each.ignore_windows for each in urgent) else group.windows,
                    () if any(each.ignore_freezes for each in urgent) else tuple(freezes),
                ),
            )
        )
        self._takes = _expected(snapshot, view) + (group.samples - 1) * snapshot.poll_interval
        self._starts: list[datetime] = []

    def forecast(self, begins: datetime, waits_for: str) -> Forecast:
        """Return the likely times from ``begins`` on, unless ``waits_for`` says that somebody must act first."""
        if self._view.state is StatusState.SUCCESS or self._view.rollout is None:
            return _NOTHING
        waits_for = waits_for or next(_persons(self._view.holds), "")
        moment: datetime | None = None if waits_for else begins
        waves = []
        for wave in self._view.waves:
            if not waits_for and not wave.admitted and self._lacks_approval(wave):
                waits_for, moment = f"somebody approves wave {wave.name}", None
            if wave.has_soaked:
                continue
            waves.append(self._wave(wave, moment))
            moment = waves[-1].soaked_at
        return Forecast(tuple(waves), moment, waits_for, self._blast_radius())

    def _wave(self, wave: WaveView, begins: datetime | None) -> WaveForecast:
        if begins is None:
            return WaveForecast(wave.number, None, None, None)
        limits = self._snapshot.declaration.limits
        slots = min(self._declared(wave).max_in_flight, limits.clusters_in_flight)
        left = len(wave.clusters) - wave.done
        first, done = begins, begins
        for gone in range(0, left, slots):
            start = self._next_start(done)
            if start is None:
                return WaveForecast(wave.number, first if gone else None, None, None)
            self._starts.extend([start] * min(slots, left - gone))
            first = first if gone else start
            done = start + self._takes
        return WaveForecast(wave.number, first, done, done + wave.soak)

    def _next_start(self, since: datetime) -> datetime | None:
        """Return the first moment from ``since`` on at which an upgrade may start and is likely to finish."""
        for opens, closes in self._openings.spans(since):
            start = max(opens, since)
            if start - since > HORIZON:
                break
            if closes is None or start + self._takes <= closes:
                return start
        return None

    def _declared(self, wave: WaveView) -> Wave:
        waves = self._group.strategy.waves
        return next((each for each in waves if each.name == wave.name), waves[-1])

    def _lacks_approval(self, wave: WaveView) -> bool:
        given = (
            each
            for each in self._group.approvals
            if each.wave == self._declared(wave).name and each.target == (self._view.via or self._view.target)
        )
        return self._declared(wave).approval_required and not any(given)

    def _blast_radius(self) -> Mapping[str, int]:
        if not self._starts:
            return {}
        shows = self._starts[0] + self._takes
        return {name: sum(start < shows + delay for start in self._starts) for name, delay in DELAYS.items()}


def _persons(holds: Sequence[Hold]) -> Iterator[str]:
    """Yield what a person must do before anything of the view starts."""
    for hold in holds:
        if hold.cluster is None and hold.reason not in BY_THEMSELVES:
            yield f"{hold.reason} is lifted"


def _expected(snapshot: Snapshot, view: GroupView) -> timedelta:
    """Return how long one cluster is likely to take: the longest recorded of its group, else of the fleet."""
    recorded: dict[bool, timedelta] = {}
    for rollout in snapshot.history.rollouts.values():
        for record in rollout.clusters.values():
            if rollout.kind is view.kind and record.started_at is not None and record.converged_at is not None:
                took, ours = record.converged_at - record.started_at, rollout.group == view.name
                recorded[ours] = max(took, recorded.get(ours, took))
    return recorded.get(True, recorded.get(False, DURATION_DEFAULT))
