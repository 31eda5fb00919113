"""What an entry is about, for the history that people ask for by group and cluster."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.history.entries import Entry, RequestTaken, WaveAdmitted, WaveFilled

NAMES_MANY = (WaveAdmitted, WaveFilled)
"""Entries that concern each cluster they name, beside those with a cluster of their own."""


@dataclass(frozen=True, slots=True)
class About:
    """The words under which an entry is found again."""

    rollout: int | None
    wave: int | None
    group: str | None
    """The group, or ``fleet`` for a stop of the whole fleet; None where an entry concerns no group."""
    cluster: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """Where an entry's group is found if it does not name one."""

    group_of_rollout: Callable[[int], str | None]
    scope_of_request: Callable[[int], str | None]


def about(entry: Entry, context: Context) -> About:
    """Return what ``entry`` is about."""
    rollout: int | None = getattr(entry, "rollout", None)
    group: str | None = getattr(entry, "group", None) or getattr(entry, "scope", None)
    if group is None and rollout is not None:
        group = context.group_of_rollout(rollout)
    if isinstance(entry, RequestTaken):
        group = context.scope_of_request(entry.request)
    return About(rollout, getattr(entry, "wave", None), group, getattr(entry, "cluster", None))


def concerns(entry: Entry, cluster: str) -> bool:
    """Tell whether ``entry`` concerns the cluster of this full name."""
    if isinstance(entry, NAMES_MANY):
        return cluster in entry.clusters
    return getattr(entry, "cluster", None) == cluster
