"""What a story says of a cycle: one line for each entry that is news to an operator, and one for each hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from controller.history import entries as e
from controller.history.records import History, Way
from controller.model.names import last_part
from controller.model.plan import Plan
from controller.model.verdict import Hold


def lines_of(entries: Sequence[e.Entry], history: History) -> Iterator[str]:
    """Yield a line for each entry that is news; ``history`` is what is remembered after them."""
    started = {entry.cluster for entry in entries if isinstance(entry, e.ClusterStarted)}
    for entry in entries:
        if isinstance(entry, e.StartAccepted) and entry.cluster in started:
            continue  # taken in the cycle that asked for it, as nearly always
        if isinstance(entry, e.TargetReached) and history.declared[entry.group].metadata_version == "hold":
            continue  # nothing will be finalized
        told = _TELL.get(type(entry))
        line = "" if told is None else told(entry, _group_of(entry, history))
        if line:
            yield line


def _group_of(entry: e.Entry, history: History) -> str:
    group = getattr(entry, "group", None)
    rollout = history.rollouts.get(getattr(entry, "rollout", None) or 0)
    return str(group) if group is not None else "" if rollout is None else rollout.group


def holds_of(plan: Plan) -> Iterator[str]:
    """Yield a line for each hold of the fleet and of each group."""
    for hold in plan.holds:
        yield f"fleet: hold {told_hold(hold)}"
    for view in plan.groups:
        for hold in view.holds:
            if hold not in plan.holds:
                yield f"{view.context}: hold {told_hold(hold)}"


def told_hold(hold: Hold) -> str:
    """Return a hold's reason and words, with its cluster and its next look."""
    of = f"{last_part(hold.cluster)} " if hold.cluster else ""
    at = "" if hold.recheck_at is None else f" (next look {hold.recheck_at:%a %H:%M})"
    return f"{of}{hold.reason}: {hold.detail}{at}"


def _names(full: Iterable[str]) -> str:
    return " ".join(last_part(name) for name in full)


def _planned(entry: e.RolloutPlanned, group: str) -> str:
    waves = " | ".join(f"{name} {_names(clusters)}" for name, clusters in entry.waves)
    down = "down " if entry.way is Way.DOWN else ""
    on = "" if entry.way is Way.FINALIZE or entry.target == entry.group_target else f", towards {entry.group_target},"
    return f"{group}: rollout {entry.rollout} {down}to {entry.target}{on} planned: {waves}"


def _stopped(entry: e.Stopped, _: str) -> str:
    of = f" of {last_part(entry.cluster)}" if entry.cluster else ""
    return f"{entry.scope}-{entry.number} {entry.kind}{of} by {entry.by}: {entry.detail}"


def _seen(entry: e.RevisionSeen, _: str) -> str:
    if entry.problems:
        return f"{entry.revision} is refused: {'; '.join(entry.problems)}"
    return f"{entry.revision} is in force{', rewritten history accepted' if entry.accepted_rewrite else ''}"


def _withdrawn(entry: e.StartWithdrawn, _: str) -> str:
    return f"{last_part(entry.cluster)}: start withdrawn{f': {entry.refusal}' if entry.refusal else ''}"


_TELL: dict[type, Callable[..., str]] = {
    e.RevisionSeen: _seen,
    e.RequestTaken: lambda entry, _: f"request {entry.request}: {entry.outcome}",
    e.RolloutPlanned: _planned,
    e.RolloutEnded: lambda entry, group: f"{group}: rollout {entry.rollout} {entry.outcome}: {entry.detail}",
    e.OrderPassed: lambda entry, group: f"{group}: converged on {entry.target}, for those after it",
    e.TargetReached: lambda entry, group: f"{group}: the whole group is well on {entry.target}, soaked",
    e.ClusterJoined: lambda entry, group: f"{group}: {last_part(entry.cluster)} joined, for the tail",
    e.ClusterLeft: lambda entry, group: f"{group}: {last_part(entry.cluster)} left: {entry.why}",
    e.ClusterSetAside: lambda entry, group: f"{group}: {last_part(entry.cluster)} goes to the tail: {entry.why}",
    e.WaveAdmitted: lambda entry, group: f"{group}: wave {entry.wave} {entry.name} admitted: {_names(entry.clusters)}",
    e.WaveFilled: lambda entry, group: f"{group}: wave {entry.wave} filled again: {_names(entry.clusters)}",
    e.SoakCredited: lambda entry, group: "" if entry.soaked else f"{group}: wave {entry.wave} begins to soak anew",
    e.WaveSoaked: lambda entry, group: f"{group}: wave {entry.wave} has soaked",
    e.ClusterStarted: lambda entry, _: f"{last_part(entry.cluster)}: start {entry.release_from} → {entry.target}",
    e.StartAccepted: lambda entry, _: f"{last_part(entry.cluster)}: was seen to be started",
    e.StartWithdrawn: _withdrawn,
    e.ClusterConverged: lambda entry, _: f"{last_part(entry.cluster)}: converged",
    e.ClusterReturned: lambda entry, _: f"{last_part(entry.cluster)}: is back where it came from",
    e.ClusterFailed: lambda entry, _: f"{last_part(entry.cluster)}: failed: {entry.cause}",
    e.SlotFreed: lambda entry, _: f"{last_part(entry.cluster)}: is well again and frees its slot",
    e.ClusterReleased: lambda entry, _: f"{last_part(entry.cluster)}: out of quarantine, for the tail",
    e.Stopped: _stopped,
    e.StopAcknowledged: lambda entry, _: f"{entry.scope}-{entry.number} acknowledged by {entry.by}",
}
"""What is left out is either no news (a judgement, soak credit) or told by another entry beside it."""


def explained(holds: Iterable[Hold]) -> Iterator[str]:
    """Yield a line for each hold of one cluster's explanation."""
    return (f"hold {told_hold(hold)}" for hold in holds)
