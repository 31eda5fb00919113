"""Where a group goes next: back, forward over what lies between, to its release, and then to its metadata.version.

One step is one rollout. The way to the declared release and its finalization are told apart: the second begins once
the whole group runs that release, soaked, and never holds the next release up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.core.barred import is_barred, is_held
from controller.core.draft import Draft
from controller.core.drift import drift_of, is_well
from controller.core.hops import DeadEnd, Hop, Position, illegal_return
from controller.history.entries import TargetReached
from controller.history.records import ClusterRecord, ClusterState, RolloutRecord, Way
from controller.model.declaration import ClusterGroup, Finalize
from controller.model.observation import Reading
from controller.versions import KafkaVersion, MetadataVersion, Target


@dataclass(frozen=True, slots=True)
class Step:
    """One rollout that a group needs."""

    way: Way
    target: Target
    members: tuple[str, ...]
    """Full names; never empty."""


def step_to_release(draft: Draft, group: ClusterGroup) -> Step | None:
    """Return the next step to the declared release; None where no cluster needs one that can be had."""
    if not draft.drifts[group.name].above and not draft.drifts[group.name].below:
        return None
    back = [name for name in draft.drifts[group.name].above if can_return(draft, group, name)]
    if back:
        return Step(Way.DOWN, group.target, tuple(back))
    stopped = draft.stopped()
    below = [name for name in draft.drifts[group.name].below if name not in stopped]
    hops = {name: hop for name in below if isinstance(hop := hop_of(draft, group, name), Hop)}
    detours = {name: hop for name, hop in hops.items() if hop.target != group.target}
    between = {name: hop for name, hop in detours.items() if not is_barred(draft, group, name, hop.target)}
    if between:
        first = min(between.values(), key=_lowest_release_first)
        return Step(Way.FORWARD, first.target, tuple(name for name, hop in between.items() if hop == first))
    direct = tuple(name for name in below if name not in detours)
    return Step(Way.FORWARD, group.target, (*direct, *draft.drifts[group.name].unknown)) if direct else None


def _is_kept_back(draft: Draft, group: ClusterGroup, name: str, target: Target) -> bool:
    return is_barred(draft, group, name, target) or name in draft.stopped()


def _lowest_release_first(hop: Hop) -> tuple[bool, Target]:
    """Releases before levels, so that those who arrive may be finalized together."""
    return (isinstance(hop.target, MetadataVersion), hop.target)


def hop_of(draft: Draft, group: ClusterGroup, name: str) -> Hop | DeadEnd | None:
    """Return the cluster's first move on its way to the group's release; None while it cannot be seen."""
    reading = draft.reading(name)
    return draft.hop_of(group, reading) if isinstance(reading, Reading) else None


def can_return(draft: Draft, group: ClusterGroup, name: str) -> bool:
    """Tell whether the cluster above its target may go down: its own group took it there, and the way is open."""
    reading = draft.reading(name)
    assert isinstance(reading, Reading), (name, reading)
    ours = was_taken_to(draft, name, reading.highest, by=group.name)
    return ours and illegal_return(Position.of(reading), group.target, draft.catalog) is None


def was_taken_to(draft: Draft, name: str, release: KafkaVersion, *, by: str | None = None) -> bool:
    """Tell whether this ledger took the cluster to ``release`` or beyond, ``by`` this group where one is given.

    A group takes down only whom it took up itself: a move never downgrades.
    """
    taken = draft.recall.taken.get(name)
    return taken is not None and taken[0] >= release and by in (None, taken[1])


def why_not_in(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, name: str) -> str | None:
    """Return why a cluster that waits does not belong in the rollout, or None where it does."""
    reading = draft.reading(name)
    if not isinstance(reading, Reading) or rollout.way is Way.FINALIZE:
        return None
    if rollout.way is Way.DOWN:
        if reading.highest <= group.target:
            return f"it runs {reading.release}"
        return None if can_return(draft, group, name) else "its way down is shut"
    hop = draft.hop_of(group, reading)
    passes_through = rollout.target != group.target
    if isinstance(hop, Hop) and hop.target != rollout.target:
        return f"it goes to {hop.target} next"
    if passes_through and (isinstance(hop, DeadEnd) or _is_kept_back(draft, group, name, rollout.target)):
        return "nothing waits for a cluster that is held on the way"
    return None


def late_comers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord) -> Iterator[str]:
    """Yield the clusters outside the running ``rollout`` that belong in it."""
    if rollout.way is Way.FINALIZE:
        candidates: tuple[str, ...] = _below_level(draft, group, rollout.target)
    elif rollout.way is Way.DOWN:
        candidates = tuple(name for name in draft.drifts[group.name].above if can_return(draft, group, name))
    else:
        candidates = draft.drifts[group.name].below
    for name in candidates:
        if name not in rollout.clusters and why_not_in(draft, group, rollout, name) is None:
            yield name


def level_of(draft: Draft, group: ClusterGroup) -> MetadataVersion | None:
    """Return the metadata.version that the group is to have; None where it stays as it is."""
    declared = group.metadata_version
    if isinstance(declared, MetadataVersion):
        return declared
    row = draft.catalog.releases.get(group.target)
    return row.metadata_version if declared is Finalize.AUTO and row is not None else None


def step_to_level(draft: Draft, group: ClusterGroup) -> Step | None:
    """Return the group's finalization, once nothing stands in its way and any cluster is below its level."""
    level, begins = level_of(draft, group), finalizes_at(draft, group)
    if level is None or begins is None or draft.now < begins or any(not_whole(draft, group)):
        return None
    below = _below_level(draft, group, level)
    return Step(Way.FINALIZE, level, below) if below else None


def _below_level(draft: Draft, group: ClusterGroup, level: Target) -> tuple[str, ...]:
    drift = drift_of(draft.members(group.name), draft.clusters, level)
    return tuple(name for name in drift.below if not is_held(draft, group, name))


def reached_at(draft: Draft, group: ClusterGroup) -> datetime | None:
    """Return since when the whole group is on its release, soaked; None where it is not, or not yet."""
    reached = draft.recall.reached.get(group.name)
    return reached[1] if reached is not None and reached[0] == group.target else None


def finalizes_at(draft: Draft, group: ClusterGroup) -> datetime | None:
    """Return when the group may be finalized by time alone; None before it is on its release."""
    since = reached_at(draft, group)
    return None if since is None else since + group.finalize_soak


def not_whole(draft: Draft, group: ClusterGroup) -> Iterator[str]:
    """Yield who keeps the group from being whole on its release, with why; clusters held in Git aside."""
    drift = draft.drifts[group.name]
    if not drift.of:
        yield "it has no live cluster"
    for source in draft.unlisted:
        yield f"source {source} was not read since this process started"
    running = draft.running(group.name)
    if running is not None and any(is_awaited(draft, group, *member) for member in running.clusters.items()):
        yield f"its rollout to {running.target} has not ended"
    kinds = (
        (drift.below, "below it"),
        (drift.above, "above it"),
        (drift.unknown, "unknown"),
        (drift.sick, "unhealthy"),
    )
    for names, what in (*kinds, (draft.membership.missing.get(group.name, ()), "missing")):
        for name in names:
            if not draft.holds_in_git(group, name):
                yield f"{draft.short(name)} is {what}"
    for stop in draft.open_stops(group.name):
        if stop.cluster is not None and stop.cluster in draft.clusters:
            yield f"{draft.short(stop.cluster)} is stopped ({stop.id})"


def is_awaited(draft: Draft, group: ClusterGroup, name: str, record: ClusterRecord) -> bool:
    """Tell whether a member of a running rollout is not through, and does not just wait while it is held in Git."""
    waits = record.state is ClusterState.PENDING and draft.holds_in_git(group, name)
    return record.state is not ClusterState.SOAKED and not waits


def note_reached(draft: Draft) -> None:
    """Record which groups are whole on their release now: their ``finalize.soak`` begins."""
    for group in draft.groups.values():
        if reached_at(draft, group) is None and _is_whole(draft, group):
            draft.add(TargetReached(group.name, group.target))


def _is_whole(draft: Draft, group: ClusterGroup) -> bool:
    if any(not_whole(draft, group)):
        return False
    names = (name for name in draft.members(group.name) if not draft.holds_in_git(group, name))
    readings = [draft.reading(name) for name in names]
    return bool(readings) and all(isinstance(reading, Reading) and is_well(reading) for reading in readings)


def expected_duration(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, default: timedelta) -> timedelta:
    """Return how long one cluster's move takes: the median of those recorded of its group, else of the fleet.

    The median, since one cluster that took hours says little of the next. What took longer than the deadline was not
    watched, as while the controller was down, and says nothing.
    """
    kind, deadline = rollout.kind, group.strategy.deadline
    ours = draft.typical_duration(group.name, kind, deadline)
    return ours or draft.typical_duration(None, kind, deadline) or default


def has_failed(draft: Draft, group: str, name: str) -> bool:
    """Tell whether the cluster failed in the last rollout of the group that did anything to it."""
    records = (each.clusters[name] for each in draft.recall.rollouts_of(group) if name in each.clusters)
    last = None
    for record in records:
        last = last if record.state is ClusterState.PENDING else record
    return last is not None and last.has_failed
