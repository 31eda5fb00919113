"""The order gate: a group waits for the groups that it declares under ``after``."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.model.verdict import PASS, Hold, HoldReason, Verdict
from controller.versions import Target


@dataclass(frozen=True, slots=True)
class Predecessor:
    """How a group named under ``after`` stands."""

    name: str
    target: Target | None
    """What it declares now; None where it declares that its metadata.version stays."""
    halted: bool
    has_clusters: bool
    converged: bool
    """Its rollout to its target, or a later one, has converged, but for clusters held in Git."""
    sentence: str
    """How far it is, for people."""


def order(target: Target, predecessors: Iterable[Predecessor]) -> Verdict:
    """Hold until every predecessor has converged on ``target`` or a later release."""
    waiting = [why for each in predecessors if (why := _why_not(each, target)) is not None]
    if waiting:
        return Hold(HoldReason.GROUP_ORDER, "; ".join(waiting))
    return PASS


def _why_not(group: Predecessor, target: Target) -> str | None:
    if group.target is None:
        return None
    if not group.has_clusters:
        return f"after {group.name}, which has no live clusters"
    if group.target < target:  # type: ignore[operator]  # both are releases, or both are levels
        return f"after {group.name}, which declares only {group.target}"
    if group.halted:
        return f"after {group.name}, which is halted"
    if not group.converged:
        return f"after {group.name}, which has not converged: {group.sentence}"
    return None
