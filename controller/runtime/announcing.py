"""What channels are told: commit statuses, the first message of each rollout's thread, and what is said below it.

Made of a plan's views and of recorded entries; the judging and its sentences are the core's.
"""

from collections.abc import Iterator, Sequence

from controller.history import entries as e
from controller.history.records import Outcome, RolloutKind, StopKind
from controller.model.durations import counted
from controller.model.names import NAMES_SHOWN, last_part, listed
from controller.model.outbox import CommitStatus, StatusState, ThreadHead, ThreadReply
from controller.model.snapshot import Standing
from controller.model.verdict import Hold, HoldReason
from controller.model.view import GroupView

CONTEXT = "wavefleet"
STATUS_LENGTH_MAX = 140
"""Forges refuse longer descriptions (reporting facts, 1.2)."""
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
    text += f"; halted or failed: {listed(failing)}" if failing else ""
    text += f"; in motion: {listed(moving)}" if moving else ""
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
            names = listed([last_part(name) for name in entry.clusters])
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
