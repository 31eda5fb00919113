"""Asks every gate about a wave or a cluster, and hands on all answers.

The one place that knows which gates there are and what each needs to know. Order is that of the design: what stops
the whole fleet first, then the group, then the wave; a cluster's own gates apart.
"""

from collections.abc import Iterator
from datetime import timedelta

from controller.core import calendar
from controller.core.barred import identity_of
from controller.core.draft import Draft
from controller.core.drift import drift_of
from controller.core.gates.approval import approval
from controller.core.gates.breaker import breaker
from controller.core.gates.external import external
from controller.core.gates.freeze import freeze
from controller.core.gates.halt import fleet_halt, group_halt
from controller.core.gates.health import health
from controller.core.gates.held import held
from controller.core.gates.limits import domains
from controller.core.gates.observation import observation
from controller.core.gates.operator import refusal
from controller.core.gates.order import Predecessor, order
from controller.core.gates.release import release
from controller.core.gates.revision import revision
from controller.core.gates.settled import arrived, settled
from controller.core.gates.soak import PreviousWave, soak
from controller.core.gates.stopped import stopped
from controller.core.gates.suspect import suspect
from controller.core.gates.together import together
from controller.core.gates.whole import whole
from controller.core.gates.window import room, window
from controller.core.soak import has_begun, soak_of
from controller.core.steps import expected_duration, finalizes_at, has_failed, is_awaited, level_of, not_whole
from controller.core.urgency import expedited
from controller.core.ways import taken_here, way_back, way_on
from controller.history.entries import OrderPassed
from controller.history.records import ClusterState, RolloutKind, RolloutRecord, Stop, StopKind, Way
from controller.model.declaration import ClusterGroup, Wave
from controller.model.durations import counted
from controller.model.observation import Reading
from controller.model.requests import FLEET
from controller.model.verdict import Answer, Hold, Verdict
from controller.versions import KafkaVersion, MetadataVersion, Target

RETRY_INTERVALS = 5
"""Poll intervals after which a refused write is tried again."""
DURATION_DEFAULT = timedelta(minutes=30)
"""How long one cluster's upgrade is expected to take before any was recorded."""
BREAKER = "breaker"

_REACHED = (ClusterState.CONVERGED, ClusterState.SOAKED)


def holds_of(answers: tuple[Answer, ...]) -> tuple[Hold, ...]:
    """Return the answers that hold."""
    return tuple(answer.verdict for answer in answers if isinstance(answer.verdict, Hold))


def fleet_answers(draft: Draft, *, downwards: bool = False) -> tuple[Answer, ...]:
    """Ask what concerns the whole fleet; the breaker does not stop what goes ``downwards``."""
    snapshot = draft.snapshot
    halts = tuple(draft.open_stops(FLEET, StopKind.HALT))
    answers = (
        Answer("revision", revision(snapshot.standing, draft.now, snapshot.stale_after)),
        Answer("fleet halt", fleet_halt(declared=snapshot.declaration.halted, halts=halts)),
    )
    if downwards:
        return answers
    percent = snapshot.declaration.limits.unavailable_percent
    return (*answers, Answer(BREAKER, breaker(draft.unavailable, draft.claimed, percent)))


def group_answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None) -> tuple[Answer, ...]:
    """Ask what concerns every start of the group in ``rollout``; without one, on its way to its release."""
    target: Target = group.target if rollout is None else rollout.target
    way = Way.FORWARD if rollout is None else rollout.way
    answers = [halt_answer(draft, group), *_target_answers(draft, group, target), *time_answers(draft, group, rollout)]
    if way is not Way.DOWN:
        answers.append(Answer("group order", order(target, _predecessors(draft, group, target, way))))
    if rollout is not None and way is not Way.DOWN:
        answers.extend(_external(draft, group, target))
    if way is Way.FINALIZE:
        answers.append(whole_answer(draft, group))
    return tuple(answers)


def _target_answers(draft: Draft, group: ClusterGroup, target: Target) -> Iterator[Answer]:
    others = [
        stop
        for stop in draft.recall.stops.values()
        if stop.scope != group.name and stop.kind is StopKind.HALT and stop.acknowledged_at is None
    ]
    for each in dict.fromkeys((target, group.target)):
        yield Answer("release suspect", suspect(each, others, group.accept_risks))
        if isinstance(each, KafkaVersion):
            yield Answer("release", release(each, draft.catalog, group.accept_risks))


def time_answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None) -> tuple[Answer, ...]:
    """Ask whether this is a time in which the group may be touched, and long enough."""
    now = draft.now
    urgent = expedited(draft, group, rollout)
    freezes = calendar.freezes_over(draft.snapshot.declaration.freezes, group.name, now)
    if any(each.ignore_freezes for each in urgent):
        freezes = ()
    windows = () if any(each.ignore_windows for each in urgent) else group.windows
    hours = draft.opening(windows)
    answers = (
        Answer("freeze", freeze(freezes, now)),
        Answer("window", window(is_open=hours.is_open, opens_at=hours.opens_at, now=now)),
    )
    if not windows or not hours.is_open or rollout is None:
        return answers
    expected = expected_duration(draft, group, rollout, DURATION_DEFAULT)
    return (*answers, Answer("room", room(hours.closes_at, hours.opens_at, expected, now)))


def halt_answer(draft: Draft, group: ClusterGroup) -> Answer:
    """Ask whether the group is halted, which is told also where nothing of it waits to start."""
    halts = tuple(draft.open_stops(group.name, StopKind.HALT))
    return Answer("group halt", group_halt(group.name, declared=group.halted, halts=halts))


def whole_answer(draft: Draft, group: ClusterGroup) -> Answer:
    """Ask whether the whole group proved its release, so that its level may be finalized."""
    return Answer("whole", whole(tuple(not_whole(draft, group)), finalizes_at(draft, group), draft.now))


def _external(draft: Draft, group: ClusterGroup, target: Target) -> Iterator[Answer]:
    for gate in group.gates:
        reading = draft.snapshot.observation.gates.get((group.name, gate.name))
        asked = reading if reading is not None and reading.about == target else None
        yield Answer(gate.name, external(gate, asked, draft.passed_gates.get((group.name, gate.name, target), 0)))


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
        has_begun=has_begun(draft, rollout, wave),
        paused="" if memory is None or memory.healthy else memory.behind or "not all of it is seen healthy",
        done=sum(state in _REACHED for state in states),
        of=len(states),
        soaked=wave.soaked if memory is None else memory.soaked,
        soak=soak_of(draft, group, rollout, wave),
    )


def _others_in_flight(draft: Draft, rollout: RolloutRecord) -> int:
    """Count what is in flight for an earlier target; on the way down, what failed is the reason to go."""
    return sum(
        record.holds_slot and (rollout.way is not Way.DOWN or record.is_moving)
        for other in draft.recall.rollouts_of(rollout.group)
        if other.id != rollout.id
        for record in other.clusters.values()
    )


def cluster_answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None, name: str) -> tuple[Answer, ...]:
    """Ask every gate of one cluster; the later ones have an answer only where it could be read."""
    down = rollout is not None and rollout.way is Way.DOWN
    reading = draft.reading(name)
    stops = (stop for stop in _stops_of(draft, name) if not (down and stop.kind is StopKind.QUARANTINE))
    answers = [
        Answer("observation", observation(reading)),
        _held(draft, group, name),
        Answer("stopped", stopped(stops, group.name, draft.groups)),
    ]
    if isinstance(reading, Reading):
        answers.append(Answer("identity", identity_of(draft, group, name, reading)))
        if down:
            answers.extend(_quiet(draft, name, reading, failed=has_failed(draft, group.name, name)))
            answers.extend(way_back(draft, name, reading, group.target))
        else:
            answers.extend((*_quiet(draft, name, reading), *way_on(draft, group, rollout, name)))
    answers.append(Answer("never together", together(busy_twins(draft, name))))
    if rollout is not None and name in rollout.clusters:
        answers.append(Answer("refusal", _refusal(draft, rollout, name)))
    return tuple(answers)


def return_answers(draft: Draft, group: ClusterGroup, rollout: RolloutRecord, name: str) -> tuple[Answer, ...]:
    """Ask what must be so before a cluster of a wave that broke the budget goes back to where it came from."""
    record, reading = rollout.clusters[name], draft.reading(name)
    answers = [Answer("observation", observation(reading)), _held(draft, group, name)]
    if isinstance(reading, Reading) and isinstance(record.release_from, KafkaVersion):
        answers.append(Answer("identity", identity_of(draft, group, name, reading)))
        answers.extend(_quiet(draft, name, reading, failed=record.has_failed))
        answers.append(Answer("taken", taken_here(reading, rollout.target)))
        answers.extend(way_back(draft, name, reading, record.release_from))
    answers.append(Answer("refusal", _refusal(draft, rollout, name)))
    return tuple(answers)


def _held(draft: Draft, group: ClusterGroup, name: str) -> Answer:
    reading = draft.reading(name)
    annotation = reading.held if isinstance(reading, Reading) else None
    return Answer("held", held(draft.holds_in_git(group, name), annotation, draft.now))


def _quiet(draft: Draft, name: str, reading: Reading, *, failed: bool = False) -> Iterator[Answer]:
    """Ask whether nothing is wrong with it or changed in it; what ``failed`` goes down for that very reason."""
    if failed:
        yield Answer("settled", arrived(draft.moving.get(name)))
        return
    yield Answer("settled", settled(reading, in_flight=name in draft.in_flight))
    yield Answer("health", health(reading))


def busy_twins(draft: Draft, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield who of the cluster's never-together sets is in flight or soaking: label, value and short name."""
    for label, value in draft.shares(name):
        for other in sorted(draft.apart.get((label, value), ())):
            if other != name:
                yield label, value, draft.short(other)


def domain_answer(draft: Draft, name: str) -> Verdict:
    """Ask whether each failure domain of the cluster has room for it."""
    labels = draft.terrain.labels_of(name)
    counts = [
        (limit.label, labels[limit.label], draft.flying[limit.label, labels[limit.label]], limit.clusters)
        for limit in draft.snapshot.declaration.limits.per_domain
        if limit.label in labels
    ]
    return domains(counts, draft.unplaced if counts or draft.shares(name) else ())


def _stops_of(draft: Draft, name: str) -> Iterator[Stop]:
    return (stop for stop in draft.cluster_stops if stop.cluster == name)


def _refusal(draft: Draft, rollout: RolloutRecord, name: str) -> Verdict:
    record = rollout.clusters[name]
    tried_at = record.started_at or draft.now
    return refusal(record.refusal, tried_at + RETRY_INTERVALS * draft.snapshot.poll_interval, draft.now)


def _predecessors(draft: Draft, group: ClusterGroup, target: Target, way: Way) -> Iterator[Predecessor]:
    for name in group.after:
        other = draft.groups[name]
        aim = level_of(draft, other) if isinstance(target, MetadataVersion) else other.target
        on_target, of = _counts(draft, other, aim)
        passed = _has_passed(draft, name, target) or (way is Way.FORWARD and _has_level(draft, other, target))
        yield Predecessor(
            name=name,
            target=aim,
            halted=other.halted or any(draft.open_stops(name, StopKind.HALT)),
            has_clusters=of > 0,
            converged=passed,
            sentence=f"{on_target} of {counted(of)} on {aim}",
        )


def _has_level(draft: Draft, group: ClusterGroup, target: Target) -> bool:
    """Tell whether a level that lies on the way of others is behind every live cluster of the group already."""
    if not isinstance(target, MetadataVersion) or draft.unlisted:
        return False
    drift = drift_of(draft.members(group.name), draft.clusters, target)
    return all(draft.holds_in_git(group, name) for name in (*drift.below, *drift.unknown))


def _counts(draft: Draft, group: ClusterGroup, aim: Target | None) -> tuple[int, int]:
    drift = draft.drifts[group.name]
    if isinstance(aim, MetadataVersion):
        drift = drift_of(draft.members(group.name), draft.clusters, aim)
    return drift.on_target, drift.of


def note_order(draft: Draft) -> None:
    """Record which groups named under ``after`` have converged; for that release or level they then stay passed."""
    for name in sorted({name for group in draft.groups.values() for name in group.after}):
        group = draft.groups[name]
        if not _has_passed(draft, name, group.target) and _has_converged(draft, group):
            draft.add(OrderPassed(name, group.target))
        level = level_of(draft, group)
        if level is not None and not _has_passed(draft, name, level) and _has_finalized(draft, group, level):
            draft.add(OrderPassed(name, level))


def _has_passed(draft: Draft, name: str, target: Target) -> bool:
    kind = RolloutKind.SOFTWARE if isinstance(target, KafkaVersion) else RolloutKind.METADATA
    passed = draft.recall.passed.get((name, kind))
    return passed is not None and passed >= target  # type: ignore[operator]  # of one kind


def _has_finalized(draft: Draft, group: ClusterGroup, level: MetadataVersion) -> bool:
    """Tell whether every live cluster of the group has the level, but for those held in Git."""
    running = draft.running(group.name, finalizing=True)
    if running is not None and any(is_awaited(draft, group, *member) for member in running.clusters.items()):
        return False
    if any(not_whole(draft, group)):
        return False
    drift = drift_of(draft.members(group.name), draft.clusters, level)
    return all(draft.holds_in_git(group, name) for name in (*drift.below, *drift.unknown))


def _has_converged(draft: Draft, group: ClusterGroup) -> bool:
    """Tell whether every live cluster of the group is through, but for those held in Git."""
    drift, running = draft.drifts[group.name], draft.running(group.name)
    if draft.unlisted or not drift.of:
        return False
    records = {} if running is None else running.clusters
    moving = [name for name, record in records.items() if record.state is not ClusterState.SOAKED]
    if any(records[name].state is not ClusterState.PENDING for name in moving):
        return False
    ours = (name for name in draft.stopped() if draft.membership.owner.get(name) == group.name)
    outside = (name for name in (*drift.below, *drift.unknown, *ours) if name not in records)
    return all(draft.holds_in_git(group, name) for name in (*moving, *outside))


def lifetime_of_start(poll_interval: timedelta, write_limit: timedelta) -> timedelta:
    """Return how long an intention may wait to be written: two poll intervals.

    Never less than one time limit for outside calls, which looking at the fleet alone may take: with a short interval
    every intention would else be too old by the time it is written.
    """
    return max(2 * poll_interval, write_limit)
