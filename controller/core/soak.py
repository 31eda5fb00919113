"""How long a wave has run quietly: only time in which every converged cluster was seen healthy counts.

A cycle adds the time since the last one, at most two poll intervals, if both saw the whole wave healthy. What could
not be seen pauses the soak, and so do listed consumers that fell behind since their cluster was started; what was
seen sick, or fails, begins it anew. Windows and freezes do not stop it.
"""

from datetime import timedelta
from enum import Enum, auto

from controller.core.draft import Draft
from controller.core.drift import is_sick, is_well, runs
from controller.core.health import fallen_behind
from controller.core.urgency import expedited
from controller.core.waves import definition_of
from controller.history.entries import ClusterFailed, SoakCredited, WaveSoaked
from controller.history.records import ClusterState, RolloutRecord, StopKind, WaveRecord
from controller.model.declaration import ClusterGroup, OnFailure
from controller.model.memory import Soak
from controller.model.observation import Reading

CREDIT_EVERY = timedelta(minutes=1)
"""Soak credit is recorded so often at most."""

_AT_REST = (ClusterState.CONVERGED, ClusterState.FAILED, ClusterState.QUARANTINED)


class _Sight(Enum):
    WELL = auto()
    UNSEEN = auto()
    SICK = auto()


def credit_soaks(draft: Draft) -> None:
    """Credit the wave that each running rollout soaks, and mark it soaked once that is full."""
    for rollout in draft.followed():
        wave = rollout.wave
        if rollout.is_running and wave is not None and wave.soaked_at is None and has_begun(draft, rollout, wave):
            _credit(draft, rollout, wave)


def has_begun(draft: Draft, rollout: RolloutRecord, wave: WaveRecord) -> bool:
    """Tell whether every cluster of the wave has come to rest, at least one of them converged, and is to stay there."""
    states = [record.state for _, record in rollout.members(wave.number)]
    rests = ClusterState.CONVERGED in states and all(state in _AT_REST for state in states)
    return rests and not _goes_back(draft, rollout, wave)


def _goes_back(draft: Draft, rollout: RolloutRecord, wave: WaveRecord) -> bool:
    """Tell whether the wave broke its group's budget and returns to where it came from: it proves nothing any more."""
    if draft.groups[rollout.group].strategy.on_failure is not OnFailure.DOWNGRADE:
        return False
    halts = draft.open_stops(rollout.group, StopKind.HALT)
    return any((stop.rollout, stop.wave) == (rollout.id, wave.number) for stop in halts)


def soak_of(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, wave: WaveRecord) -> timedelta:
    """Return how long the wave must soak now: as declared, or less where the release is expedited."""
    declared = definition_of(wave, rollout, group).soak
    shortened = [each.soak for each in expedited(draft, group, rollout) if each.soak is not None]
    return min([declared, *shortened])


def _credit(draft: Draft, rollout: RolloutRecord, wave: WaveRecord) -> None:
    sight = _sight(draft, rollout, wave)
    behind = _behind(draft, rollout, wave)
    sight = _Sight.UNSEEN if behind and sight is _Sight.WELL else sight
    before = draft.snapshot.memory.soaks.get((rollout.id, wave.number))
    soaked = wave.soaked if before is None else before.soaked
    if sight is _Sight.SICK:
        soaked = timedelta(0)
    elif before is not None and before.healthy and sight is _Sight.WELL:
        since = max(draft.now - before.at, timedelta(0))
        soaked += min(since, 2 * draft.snapshot.poll_interval)
    credited_at = draft.now if before is None else before.credited_at
    group = draft.groups[rollout.group]
    full = soaked >= soak_of(draft, group, rollout, wave) and not _has_failed(rollout, wave) and not behind
    full = full and sight is not _Sight.SICK
    restarted = soaked < wave.soaked
    if soaked != wave.soaked and (full or restarted or draft.now - credited_at >= CREDIT_EVERY):
        draft.add(SoakCredited(rollout.id, wave.number, soaked))
        credited_at = draft.now
    if full:
        draft.add(WaveSoaked(rollout.id, rollout.group, wave.number))
    else:
        healthy = sight is _Sight.WELL
        draft.soaks[rollout.id, wave.number] = Soak(soaked, draft.now, healthy, credited_at, behind)


def _behind(draft: Draft, rollout: RolloutRecord, wave: WaveRecord) -> str:
    """Say whose consumers are further behind than before the wave; empty where nobody's are."""
    health = draft.groups[rollout.group].health
    for name, record in rollout.members(wave.number) if health.consumer_groups else ():
        reading = draft.reading(name)
        if isinstance(reading, Reading) and (behind := fallen_behind(reading, record, health)):
            return f"on {draft.short(name)} {behind}"
    return ""


def _has_failed(rollout: RolloutRecord, wave: WaveRecord) -> bool:
    return any(record.state is ClusterState.FAILED for _, record in rollout.members(wave.number))


def _sight(draft: Draft, rollout: RolloutRecord, wave: WaveRecord) -> _Sight:
    """Return the worst that was seen of the wave's converged clusters, those included that failed in this cycle."""
    failing = {entry.cluster for entry in draft.entries if isinstance(entry, ClusterFailed)}
    worst = _Sight.WELL
    for name, record in rollout.members(wave.number):
        if name in failing and record.converged_at is not None:
            return _Sight.SICK
        if record.state is not ClusterState.CONVERGED:
            continue
        reading = draft.reading(name)
        if isinstance(reading, Reading) and reading.full:
            if is_sick(reading):
                return _Sight.SICK
            if is_well(reading) and runs(reading, rollout.target):
                continue
        worst = _Sight.UNSEEN
    return worst
