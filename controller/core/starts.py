"""Starts: the one place where an intention to touch a cluster is made, and the way back of a wave that failed.

A wave that broke its group's budget returns to where each of its clusters came from, where the group declares
``onFailure: downgrade``: what failed first, then what had converged. Nothing else starts in a halted group.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.core.draft import Draft
from controller.core.gates.limits import limits
from controller.core.gates.together import together
from controller.core.questions import (
    busy_twins,
    domain_answer,
    fleet_answers,
    holds_of,
    lifetime_of_start,
    return_answers,
    time_answers,
)
from controller.core.waves import definition_of
from controller.history.entries import ClusterStarted
from controller.history.records import ClusterState, RolloutRecord, StopKind, WaveRecord, Way
from controller.model.declaration import ClusterGroup, OnFailure
from controller.model.observation import Reading
from controller.model.plan import Start
from controller.model.verdict import Hold, Verdict
from controller.versions import KafkaVersion, Target

_GOES_BACK = (ClusterState.FAILED, ClusterState.CONVERGED, ClusterState.SOAKED)


@dataclass(frozen=True, slots=True)
class Returns:
    """The ways back of this cycle."""

    starts: tuple[Start, ...]
    holds: dict[str, tuple[Hold, ...]]
    """By group: what holds clusters that should go back."""


def send_back(draft: Draft) -> Returns:
    """Start the downgrade of waves that broke their group's budget."""
    starts: list[Start] = []
    held: dict[str, tuple[Hold, ...]] = {}
    fleet = holds_of(fleet_answers(draft, downwards=True))
    for group in draft.groups.values():
        for rollout, wave in _broken(draft, group):
            shared = (*fleet, *holds_of(time_answers(draft, group, rollout)))
            for name in _going_back(rollout, wave):
                holds = shared or _holds(draft, group, rollout, wave, name)
                if holds:
                    held[group.name] = (*held.get(group.name, ()), *(hold.of(name) for hold in holds))
                elif not draft.snapshot.observe_only:
                    target = rollout.clusters[name].release_from
                    assert target is not None, (name, rollout)
                    starts.append(start_cluster(draft, rollout, name, target))
                    draft.soaks.pop((rollout.id, wave.number), None)  # no quiet time while one of it is moved
    return Returns(tuple(starts), held)


def _broken(draft: Draft, group: ClusterGroup) -> Iterator[tuple[RolloutRecord, WaveRecord]]:
    """Yield the waves whose failures halted the group, unless a person halted it too."""
    halts = tuple(draft.open_stops(group.name, StopKind.HALT))
    if group.strategy.on_failure is not OnFailure.DOWNGRADE or group.halted:
        return
    if any(stop.suspect is None for stop in halts):
        return
    for stop in halts:
        rollout = draft.recall.rollouts.get(stop.rollout or 0)
        if rollout is not None and rollout.is_running and rollout.way is Way.FORWARD:
            yield from ((rollout, wave) for wave in rollout.waves if wave.number == stop.wave)


def _going_back(rollout: RolloutRecord, wave: WaveRecord) -> tuple[str, ...]:
    """Return the clusters of the wave that are to go back, what failed first."""
    members = [
        (record.state is not ClusterState.FAILED, name)
        for name, record in rollout.members(wave.number)
        if record.state in _GOES_BACK and not record.sent_back and isinstance(record.release_from, KafkaVersion)
    ]
    return tuple(name for _, name in sorted(members))


def _holds(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, wave: WaveRecord, name: str) -> tuple[Hold, ...]:
    holds = holds_of(return_answers(draft, group, rollout, name))
    if holds or name in draft.in_flight:
        return holds  # what failed has its slot already
    room: list[Verdict] = [
        limits(
            fleet=draft.in_flight_count(),
            fleet_max=draft.snapshot.declaration.limits.clusters_in_flight,
            group=draft.in_flight_count(group.name),
            wave_max=definition_of(wave, rollout, group).max_in_flight,
        ),
        domain_answer(draft, name),
        together(busy_twins(draft, name)),
    ]
    return tuple(verdict for verdict in room if isinstance(verdict, Hold))


def start_cluster(draft: Draft, rollout: RolloutRecord, name: str, target: Target) -> Start:
    """Decide that the live fleet is asked for ``target``, on the condition that the cluster is still as it was seen."""
    reading = draft.reading(name)
    assert isinstance(reading, Reading), (name, reading)
    assert reading.full, (name, reading)
    software = isinstance(target, KafkaVersion)
    release_from = reading.release if software else reading.metadata_version
    assert release_from is not None, (name, reading)
    snapshot = draft.snapshot
    start = Start(
        rollout=rollout.id,
        group=rollout.group,
        cluster=name,
        kind=rollout.kind,
        release_from=release_from,
        target=target,
        token=reading.token,
        expires_at=draft.now + lifetime_of_start(snapshot.poll_interval, snapshot.write_limit),
        fleet=snapshot.declaration.fleet,
        pinned=reading.metadata_version if software else None,
    )
    was = (reading.kafka_id, reading.lag)
    draft.add(ClusterStarted(rollout.id, name, release_from, target, start.token, start.expires_at, *was))
    draft.take_slot(rollout.group, name)
    draft.moving[name] = target
    return start
