"""Puts the plan into words: one sentence per group, the commit statuses, and what is said in a rollout's thread.

Every channel shows these sentences and makes none of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.core.admission import Turn
from controller.core.draft import Draft
from controller.core.drift import Drift
from controller.core.questions import previous_wave
from controller.model import entries as e
from controller.model.declaration import ClusterGroup
from controller.model.durations import counted, format_moment
from controller.model.history import ClusterState, Outcome, RolloutKind, RolloutRecord, StopKind
from controller.model.names import last_part
from controller.model.outbox import CommitStatus, StatusState, ThreadHead, ThreadReply
from controller.model.snapshot import Standing
from controller.model.verdict import Hold, HoldReason
from controller.model.versions import Target
from controller.model.view import GroupView, WaveView

CONTEXT = "wavefleet"
STATUS_LENGTH_MAX = 140
"""Forges refuse longer descriptions (reporting facts, 1.2)."""
NAMES_SHOWN = 5

NEEDS_PERSON = frozenset(
    {
        HoldReason.HISTORY_REWRITTEN,
        HoldReason.APPROVAL_MISSING,
        HoldReason.RISK_NOT_ACCEPTED,
        HoldReason.RELEASE_BLOCKED,
        HoldReason.RELEASE_SUSPECT,
        HoldReason.NO_LEGAL_HOP,
        HoldReason.CLAIMED_TWICE,
        HoldReason.SEEN_TWICE,
        HoldReason.OWNED_ELSEWHERE,
        HoldReason.OPERATOR_UNSUPPORTED,
        HoldReason.WRITE_REFUSED,
        HoldReason.UNKNOWN_PAST_DEADLINE,
    }
)
"""Reasons that only a person can lift; halts and quarantines are told when they happen."""


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
    head = f"{subject.group.name} → {subject.target}"
    if rollout is not None and rollout.is_running:
        via = f" via {rollout.target}" if rollout.target != subject.target else ""
        return f"{head}{via}: " + _running(draft, rollout, judgement)
    return f"{head}: " + _resting(draft, judgement)


def _resting(draft: Draft, judgement: Judgement) -> str:
    subject, holds, state = judgement.subject, judgement.holds, judgement.state
    rollout, drift = subject.rollout, subject.drift
    if drift.of == 0:
        return "selects no live cluster" + (f"; {_hold(holds[0], draft)}" if holds else "")
    if subject.kind is RolloutKind.METADATA and (rollout is None or state is StatusState.PENDING):
        return f"{drift.on_target} of {counted(drift.of)} finalized" + _waits(holds, draft)
    if rollout is not None and rollout.outcome is Outcome.FAILED and state is StatusState.FAILURE:
        stopped = [draft.short(stop.cluster or "") for stop in draft.open_stops(subject.group.name)]
        return f"ended with {len(stopped)} quarantined: {_names(stopped)}"
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
        return f"; {would} {_names([draft.short(name) for name in turn.started])}"
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


def _names(names: Sequence[str]) -> str:
    more = f" (+{len(names) - NAMES_SHOWN} more)" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def cut(text: str, length: int = STATUS_LENGTH_MAX) -> str:
    """Return ``text`` in at most ``length`` characters, with an ellipsis where it was longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def statuses_of(
    standing: Standing, views: Sequence[GroupView], fleet: Sequence[Hold], *, observe_only: bool
) -> tuple[CommitStatus, ...]:
    """Return every commit status as it should stand now."""
    note = "observe mode: " if observe_only else ""
    ways = [view for view in views if view.kind is RolloutKind.SOFTWARE]
    statuses = [config_status(standing, len(ways)), _fleet_status(standing, views, fleet, note)]
    for view in views:
        context = f"{CONTEXT}/{view.context}"
        description = cut(note + view.sentence)
        statuses.append(CommitStatus(view.revision, context, view.state, description))
        if view.state is not StatusState.SUCCESS and view.revision != standing.head:
            statuses.append(CommitStatus(standing.head, context, view.state, description))
    return tuple(statuses)


def config_status(standing: Standing, groups: int) -> CommitStatus:
    """Return whether the branch's head is valid, for ``wavefleet/config``."""
    context = f"{CONTEXT}/config"
    if standing.problems:
        more = f" (+{len(standing.problems) - 1} more)" if len(standing.problems) > 1 else ""
        first = cut(str(standing.problems[0]), STATUS_LENGTH_MAX - len(more))
        return CommitStatus(standing.head, context, StatusState.ERROR, first + more)
    if standing.rewritten_from is not None:
        text = f"history was rewritten: it does not descend from {standing.rewritten_from[:10]}, which was in force"
        return CommitStatus(standing.head, context, StatusState.ERROR, text)
    valid = f"valid, {groups} cluster group{'' if groups == 1 else 's'}"
    return CommitStatus(standing.head, context, StatusState.SUCCESS, valid)


def _fleet_status(standing: Standing, views: Sequence[GroupView], fleet: Sequence[Hold], note: str) -> CommitStatus:
    ways = [view for view in views if view.kind is RolloutKind.SOFTWARE]
    done, of = sum(view.done for view in ways), sum(view.of for view in ways)
    in_flight = sum(view.in_flight for view in views)
    under_way = [view for view in views if view.kind is RolloutKind.SOFTWARE or view.rollout is not None]
    moving = [view.context for view in under_way if view.state is StatusState.PENDING]
    failing = [view.context for view in under_way if view.state is StatusState.FAILURE]
    text = f"{note}{done} of {counted(of)} on target, {in_flight} in flight"
    text += f"; halted or failed: {_names(failing)}" if failing else ""
    text += f"; in motion: {_names(moving)}" if moving else ""
    text += f"; {fleet[0].reason}" if fleet else ""
    state = StatusState.FAILURE if failing else StatusState.PENDING if moving else StatusState.SUCCESS
    return CommitStatus(standing.head, f"{CONTEXT}/fleet", state, cut(text))


def threads_of(views: Sequence[GroupView], *, observe_only: bool) -> tuple[ThreadHead, ...]:
    """Return the first message of each group's latest rollout as it should read now."""
    return tuple(_head_of(view, view.rollout, observe_only=observe_only) for view in views if view.rollout is not None)


def _head_of(view: GroupView, rollout: int, *, observe_only: bool) -> ThreadHead:
    """Return a first message; a rollout to what lies on the way counts its own clusters."""
    done, of = view.done, view.of
    if view.via is not None:
        done, of = sum(wave.done for wave in view.waves), sum(len(wave.clusters) for wave in view.waves)
    return ThreadHead(
        thread=thread_id(rollout),
        title=f"{view.name} → {view.target}{'' if view.via is None else f' via {view.via}'}",
        sentence=view.sentence,
        done=done,
        of=of,
        state=view.state,
        revision=view.revision,
        observe_only=observe_only,
    )


def thread_id(rollout: int) -> str:
    """Return the stable id of a rollout's thread."""
    return f"rollout-{rollout}"


def reply_of(entry: e.Entry) -> ThreadReply | None:
    """Return what a rollout's thread is told of a recorded entry; None where it is no news to people."""
    rollout: int | None = getattr(entry, "rollout", None)
    text = _news(entry)
    if rollout is None or not text:
        return None
    needs_person = isinstance(entry, e.Stopped | e.GroupJudged) or (
        isinstance(entry, e.RolloutEnded) and entry.outcome is Outcome.FAILED
    )
    return ThreadReply(thread_id(rollout), text, needs_person)


def _news(entry: e.Entry) -> str:
    """Return what is new in ``entry``; empty where that is no news."""
    text = ""
    match entry:
        case e.WaveAdmitted():
            names = _names([last_part(name) for name in entry.clusters])
            text = f"wave {entry.wave} {entry.name} admitted, {counted(len(entry.clusters))}: {names}"
        case e.ClusterReturned():
            text = f"{last_part(entry.cluster)} is back where it came from"
        case e.WaveSoaked():
            text = f"wave {entry.wave} has soaked"
        case e.ClusterFailed():
            text = f"{last_part(entry.cluster)} failed: {entry.cause}"
        case e.Stopped():
            text = _stopped(entry)
        case e.StopAcknowledged():
            text = f"{entry.scope}-{entry.number} acknowledged by {entry.by}"
        case e.RolloutEnded():
            text = _ended(entry)
        case e.GroupJudged():
            text = _held_for_person(entry)
    return text


def _stopped(entry: e.Stopped) -> str:
    number = f"{entry.scope}-{entry.number}"
    match entry.kind:
        case StopKind.HALT:
            what = f"{entry.scope} halted as {number} by {entry.by}: {entry.detail}"
            what += f"\n{entry.suspect} is suspect: other groups with it wait too" if entry.suspect else ""
        case StopKind.QUARANTINE:
            what = f"{last_part(entry.cluster or '')} quarantined as {number}: {entry.detail}"
        case _:
            what = f"{last_part(entry.cluster or '')} held as {number}: {entry.detail}"
    return f"{what}\nTo go on, merge acknowledge: [{number}] in group {entry.scope}"


def _ended(entry: e.RolloutEnded) -> str:
    is_software = entry.kind is RolloutKind.SOFTWARE
    arrived = f"{entry.group} runs {entry.target}" if is_software else f"{entry.group} has finalized {entry.target}"
    return {
        Outcome.CONVERGED: f"done: {arrived}, the last wave has soaked ({entry.detail})",
        Outcome.FAILED: f"ended without all clusters: {entry.detail}",
        Outcome.SUPERSEDED: f"superseded: {entry.detail}",
        Outcome.WITHDRAWN: f"withdrawn: {entry.detail}; what is in flight is followed to its end",
    }[entry.outcome]


def _held_for_person(entry: e.GroupJudged) -> str:
    lines = [
        f"held ({reason}){f' {last_part(cluster)}' if cluster else ''}: {detail}"
        for reason, detail, cluster in entry.begun
        if HoldReason(reason) in NEEDS_PERSON
    ]
    more = [f"(+{len(lines) - NAMES_SHOWN} more)"] if len(lines) > NAMES_SHOWN else []
    return "\n".join([*lines[:NAMES_SHOWN], *more])


def closing_statuses(entry: e.Entry) -> Iterator[CommitStatus]:
    """Yield the commit status that closes a superseded or withdrawn rollout's revision."""
    if isinstance(entry, e.RolloutEnded) and entry.outcome in (Outcome.SUPERSEDED, Outcome.WITHDRAWN):
        description = cut(f"{entry.group} → {entry.target}: {entry.outcome}: {entry.detail}")
        context = entry.group if entry.kind is RolloutKind.SOFTWARE else f"{entry.group}/metadata"
        yield CommitStatus(entry.revision, f"{CONTEXT}/{context}", StatusState.ERROR, description)
