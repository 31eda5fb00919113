"""Asks every gate about a wave or a cluster, and hands on all answers.

The one place that knows which gates there are and what each needs to know. Order is that of the design: what stops
the whole fleet first, then the group, then the wave; a cluster's own gates apart.
"""

from collections.abc import Iterator
from datetime import timedelta

from controller.core import calendar, hops
from controller.core.draft import Draft
from controller.core.gates.approval import approval
from controller.core.gates.freeze import freeze
from controller.core.gates.halt import fleet_halt, group_halt
from controller.core.gates.health import health
from controller.core.gates.held import held
from controller.core.gates.hop import hop
from controller.core.gates.identity import belonging, identity
from controller.core.gates.observation import observation
from controller.core.gates.operator import operator, refusal
from controller.core.gates.order import Predecessor, order
from controller.core.gates.release import release
from controller.core.gates.revision import revision
from controller.core.gates.settled import settled
from controller.core.gates.soak import PreviousWave, soak
from controller.core.gates.stopped import stopped
from controller.core.gates.suspect import suspect
from controller.core.gates.window import window
from controller.core.soak import has_begun
from controller.core.waves import definition_of
from controller.model.declaration import ClusterGroup, ClusterHold, Wave
from controller.model.entries import OrderPassed
from controller.model.history import ClusterState, RolloutKind, RolloutRecord, Stop, StopKind
from controller.model.names import last_part
from controller.model.observation import Reading
from controller.model.requests import FLEET
from controller.model.verdict import Answer, Hold, HoldReason, Verdict
from controller.model.versions import KafkaVersion

RETRY_INTERVALS = 5
"""Poll intervals after which a refused write is tried again."""

_REACHED = (ClusterState.CONVERGED, ClusterState.SOAKED)


def holds_of(answers: tuple[Answer, ...]) -> tuple[Hold, ...]:
    """Return the answers that hold."""
    return tuple(answer.verdict for answer in answers if isinstance(answer.verdict, Hold))


def fleet_answers(draft: Draft) -> tuple[Answer, ...]:
    """Ask what concerns the whole fleet."""
    snapshot = draft.snapshot
    halts = tuple(draft.open_stops(FLEET, StopKind.HALT))
    return (
        Answer("revision", revision(snapshot.standing, draft.now, snapshot.stale_after)),
        Answer("fleet halt", fleet_halt(declared=snapshot.declaration.halted, halts=halts)),
    )


def group_answers(draft: Draft, group: ClusterGroup) -> tuple[Answer, ...]:
    """Ask what concerns every start of the group."""
    now, declaration = draft.now, draft.snapshot.declaration
    others = [
        stop
        for stop in draft.recall.stops.values()
        if stop.scope != group.name and stop.kind is StopKind.HALT and stop.acknowledged_at is None
    ]
    is_open = calendar.is_open(group.windows, now)
    opens_at = None if is_open else calendar.next_opening(group.windows, now)
    return (
        halt_answer(draft, group),
        Answer("release suspect", suspect(group.target, others, group.accept_risks)),
        Answer("release", release(group.target, declaration.catalog, group.accept_risks)),
        Answer("freeze", freeze(calendar.freezes_over(declaration.freezes, group.name, now), now)),
        Answer("window", window(is_open=is_open, opens_at=opens_at, now=now)),
        Answer("group order", order(group.target, _predecessors(draft, group))),
    )


def halt_answer(draft: Draft, group: ClusterGroup) -> Answer:
    """Ask whether the group is halted, which is told also where nothing of it waits to start."""
    halts = tuple(draft.open_stops(group.name, StopKind.HALT))
    return Answer("group halt", group_halt(group.name, declared=group.halted, halts=halts))


def wave_answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, wave: Wave) -> tuple[Answer, ...]:
    """Ask what concerns a wave that is not admitted yet; limits are asked when its turn comes."""
    return (
        Answer("soak", soak(previous_wave(draft, group, rollout), _others_in_flight(draft, rollout), draft.now)),
        refill_answer(draft, group, rollout, wave),
    )


def refill_answer(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, wave: Wave) -> Answer:
    """Ask what concerns a wave that is admitted already: whether it is still approved."""
    return Answer("approval", approval(wave, rollout.target, group.approvals, draft.now))


def previous_wave(draft: Draft, group: ClusterGroup, rollout: RolloutRecord) -> PreviousWave | None:
    """Return how the wave admitted last stands; None before the first."""
    wave = rollout.wave
    if wave is None:
        return None
    states = [record.state for _, record in rollout.members(wave.number)]
    memory = draft.soaks.get((rollout.id, wave.number))
    return PreviousWave(
        name=wave.name,
        has_soaked=wave.soaked_at is not None,
        has_begun=has_begun(rollout, wave),
        done=sum(state in _REACHED for state in states),
        of=len(states),
        soaked=wave.soaked if memory is None else memory.soaked,
        soak=definition_of(wave, group).soak,
    )


def _others_in_flight(draft: Draft, rollout: RolloutRecord) -> int:
    return sum(
        len(other.in_flight)
        for other in draft.followed()
        if other.id != rollout.id and other.group == rollout.group and other.kind is RolloutKind.SOFTWARE
    )


def cluster_answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None, name: str) -> tuple[Answer, ...]:
    """Ask every gate of one cluster; the later ones have an answer only where it could be read."""
    reading = draft.reading(name)
    answers = [
        Answer("observation", observation(reading)),
        Answer("held", held(git_holds(group, name), _annotation(reading), draft.now)),
        Answer("stopped", stopped(_stops_of(draft, name))),
    ]
    if isinstance(reading, Reading):
        answers.extend(_reading_answers(draft, group, name, reading))
    if rollout is not None and name in rollout.clusters:
        answers.append(Answer("refusal", _refusal(draft, rollout, name)))
    return tuple(answers)


def _reading_answers(draft: Draft, group: ClusterGroup, name: str, reading: Reading) -> Iterator[Answer]:
    membership, declaration = draft.membership, draft.snapshot.declaration
    claimed_by = membership.claimed_twice.get(name, ())
    twice = name in membership.seen_twice
    verdict = identity(reading, declaration.fleet, claimed_by, seen_twice=twice)
    if not isinstance(verdict, Hold) and not claimed_by:
        verdict = belonging(group.name, membership.owner.get(name))
    yield Answer("identity", verdict)
    yield Answer("settled", settled(reading, in_flight=name in draft.in_flight))
    yield Answer("health", health(reading))
    if reading.release >= group.target:
        yield Answer("hop", ahead_of_target(reading, group.target))
    else:
        illegal = hops.illegal_hop(reading, group.target, declaration.catalog)
        risk = hops.OLD_CLIENTS_RISK if hops.crosses_to_4x(reading, group.target) else None
        yield Answer("hop", hop(illegal, risk, group.accept_risks))
    yield Answer("operator", operator(group.target, reading.supported))


def ahead_of_target(reading: Reading, target: KafkaVersion) -> Hold:
    """Return the hold of a cluster that runs more than its target: it is left there."""
    detail = f"it runs {reading.highest}, above the target {target}, and is left there"
    return Hold(HoldReason.AHEAD_OF_TARGET, detail)


def git_holds(group: ClusterGroup, name: str) -> tuple[ClusterHold, ...]:
    """Return the group's declared holds that name this cluster."""
    if not group.holds:
        return ()
    return tuple(hold for hold in group.holds if hold.cluster in (name, last_part(name)))


def is_held_in_git(draft: Draft, group: ClusterGroup, name: str) -> bool:
    """Tell whether a declared hold of this cluster is in force."""
    return any(hold.until is None or draft.now < hold.until for hold in git_holds(group, name))


def _annotation(reading: object) -> str | None:
    return reading.held if isinstance(reading, Reading) else None


def _stops_of(draft: Draft, name: str) -> Iterator[Stop]:
    return (stop for stop in draft.cluster_stops if stop.cluster == name)


def _refusal(draft: Draft, rollout: RolloutRecord, name: str) -> Verdict:
    record = rollout.clusters[name]
    tried_at = record.started_at or draft.now
    return refusal(record.refusal, tried_at + RETRY_INTERVALS * draft.snapshot.poll_interval, draft.now)


def _predecessors(draft: Draft, group: ClusterGroup) -> Iterator[Predecessor]:
    for name in group.after:
        other = draft.groups[name]
        drift = draft.drifts[name]
        yield Predecessor(
            name=name,
            target=other.target,
            halted=other.halted or any(draft.open_stops(name, StopKind.HALT)),
            has_clusters=drift.of > 0,
            converged=_has_passed(draft, name, group.target),
            sentence=f"{drift.on_target} of {drift.of} clusters run {other.target}",
        )


def note_order(draft: Draft) -> None:
    """Record which groups named under ``after`` have converged; for that release they then stay passed."""
    for name in sorted({name for group in draft.groups.values() for name in group.after}):
        group = draft.groups[name]
        if not _has_passed(draft, name, group.target) and _has_converged(draft, group):
            draft.add(OrderPassed(name, group.target))


def _has_passed(draft: Draft, name: str, target: KafkaVersion) -> bool:
    passed = draft.recall.passed.get(name)
    return isinstance(passed, KafkaVersion) and passed >= target


def _has_converged(draft: Draft, group: ClusterGroup) -> bool:
    """Tell whether every live cluster of the group is through, but for those held in Git."""
    drift, running = draft.drifts[group.name], draft.running(group.name)
    if draft.unlisted or not drift.of:
        return False
    records = {} if running is None else running.clusters
    moving = [name for name, record in records.items() if record.state is not ClusterState.SOAKED]
    if any(records[name].state is not ClusterState.PENDING for name in moving):
        return False
    stopped = (stop.cluster for stop in draft.cluster_stops if stop.cluster is not None)
    ours = (name for name in stopped if draft.membership.owner.get(name) == group.name)
    outside = (name for name in (*drift.below, *drift.unknown, *ours) if name not in records)
    return all(is_held_in_git(draft, group, name) for name in (*moving, *outside))


def lifetime_of_start(poll_interval: timedelta, write_limit: timedelta) -> timedelta:
    """Return how long an intention may wait to be written: two poll intervals.

    Never less than one time limit for outside calls, which looking at the fleet alone may take: with a short interval
    every intention would else be too old by the time it is written.
    """
    return max(2 * poll_interval, write_limit)
