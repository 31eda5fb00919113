"""Puts the plan into words: one sentence per group.

Every channel shows these sentences and makes none of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.core.admission import Turn
from controller.core.draft import Draft
from controller.core.questions import previous_wave
from controller.history.records import ClusterState, Outcome, RolloutKind, RolloutRecord
from controller.model.declaration import ClusterGroup
from controller.model.drift import Drift
from controller.model.durations import counted, format_moment
from controller.model.names import listed
from controller.model.outbox import StatusState
from controller.model.verdict import Hold, HoldReason
from controller.model.view import WaveView
from controller.versions import Target


@dataclass(frozen=True, slots=True)
class Subject:
    """What a view speaks of: a group on its way to its release, or to its metadata.version."""

    group: ClusterGroup
    kind: RolloutKind
    target: Target
    drift: Drift
    rollout: RolloutRecord | None
    """The running one, else the last one to the target."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that was judged of a subject in this cycle."""

    subject: Subject
    turn: Turn | None
    waves: Sequence[WaveView]
    holds: Sequence[Hold]
    state: StatusState


def sentence_of(draft: Draft, judgement: Judgement) -> str:
    """Return the subject's one sentence of this cycle."""
    subject = judgement.subject
    rollout = subject.rollout
    # First, since what is too long for a commit status loses its end.
    unasked = "" if subject.group.health.asks_brokers else " (health from resource only)"
    head = f"{subject.group.name} → {subject.target}{unasked}"
    if rollout is not None and rollout.is_running:
        via = f" via {rollout.target}" if rollout.target != subject.target else ""
        return f"{head}{via}: " + _running(draft, rollout, judgement)
    return f"{head}: " + _resting(draft, judgement)


def _resting(draft: Draft, judgement: Judgement) -> str:
    subject, holds, state = judgement.subject, judgement.holds, judgement.state
    rollout, drift = subject.rollout, subject.drift
    if drift.of == 0:
        unread = f", as far as is known: not read yet is {listed(draft.unlisted)}" if draft.unlisted else ""
        return f"selects no live cluster{unread}" + (f"; {_hold(holds[0], draft)}" if holds else "")
    if subject.kind is RolloutKind.METADATA and (rollout is None or state is StatusState.PENDING):
        return f"{drift.on_target} of {counted(drift.of)} finalized" + _waits(holds, draft)
    if rollout is not None and rollout.outcome is Outcome.FAILED and state is StatusState.FAILURE:
        stopped = [draft.short(stop.cluster or "") for stop in draft.open_stops(subject.group.name)]
        return f"ended with {len(stopped)} quarantined: {listed(stopped)}"
    if state is StatusState.SUCCESS:
        soaked = rollout is not None and rollout.outcome is Outcome.CONVERGED and rollout.clusters
        everybody = "its one cluster" if drift.of == 1 else f"all {counted(drift.of)}"
        return f"{everybody} {'converged and soaked' if soaked else 'on target'}"
    rest = f"{drift.on_target} of {counted(drift.of)} on target"
    unread = f"; not read since this process started: {', '.join(draft.unlisted)}" if draft.unlisted else ""
    return rest + (f"; {_hold(holds[0], draft)}" if holds else f", {len(drift.unknown)} unknown{unread}")


def _running(draft: Draft, rollout: RolloutRecord, judgement: Judgement) -> str:
    group, waves = judgement.subject.group, judgement.waves
    previous = previous_wave(draft, group, rollout)
    admitted = [wave for wave in waves if wave.admitted]
    if not admitted:
        text = f"wave 1/{len(waves)} {waves[0].name if waves else ''} not started"
    else:
        wave = admitted[-1]
        in_flight = sum(draft.in_flight.get(name) == group.name for name in rollout.clusters)
        text = f"wave {wave.number}/{len(waves)} {wave.name}, {wave.done} of {counted(len(wave.clusters))} done"
        text += f", {in_flight} in flight" if in_flight else ""
        back = sum(record.state is ClusterState.DOWNGRADING for record in rollout.clusters.values())
        text += f", {back} of them on the way back" if back else ""
        text += ", soaked" if wave.has_soaked else ""
        text += ", soaking" if previous is not None and previous.has_begun and not wave.has_soaked else ""
    return text + _next(draft, judgement.turn, under_way=bool(admitted))


def _next(draft: Draft, turn: Turn | None, *, under_way: bool) -> str:
    """Say what is waited for: a person first, else the time of the next look."""
    assert turn is not None, "a running rollout of a declared group has its turn in every cycle"
    if turn.started:
        would = "would start" if draft.snapshot.observe_only else "starting"
        return f"; {would} {listed([draft.short(name) for name in turn.started])}"
    busy = under_way and draft.in_flight_count(turn.group.name) > 0
    holds = [
        hold
        for hold in turn.holds or turn.candidates.holds
        if not (busy and hold.reason in (HoldReason.WAVE_UNDER_WAY, HoldReason.LIMIT_REACHED))
    ]
    return _waits(holds, draft)


def _waits(holds: Sequence[Hold], draft: Draft) -> str:
    """Say what ``holds`` wait for: what only an event can lift, else the latest of their times."""
    if not holds:
        return ""
    timed = [hold for hold in holds if hold.recheck_at is not None]
    first = holds[0] if len(timed) < len(holds) else max(timed, key=lambda hold: hold.recheck_at or draft.now)
    if len(timed) == len(holds) and first.recheck_at is not None:
        of = f" of {draft.short(first.cluster)}" if first.cluster else ""
        what = _WAITING_FOR.get(first.reason, first.reason)
        return f"; next: {format_moment(first.recheck_at, draft.now)} ({what}{of})"
    untimed = next(hold for hold in holds if hold.recheck_at is None)
    return f"; {_hold(untimed, draft)}"


_WAITING_FOR = {
    HoldReason.SOAKING: "soak",
    HoldReason.OUTSIDE_WINDOW: "window",
    HoldReason.WINDOW_TOO_SHORT: "window",
    HoldReason.FROZEN: "freeze",
    HoldReason.CLUSTER_HELD: "hold",
    HoldReason.WRITE_REFUSED: "another try",
}


def _hold(hold: Hold, draft: Draft) -> str:
    of = f" {draft.short(hold.cluster)}" if hold.cluster else ""
    return f"held{of} ({hold.reason}): {hold.detail}"
