"""Whose each live cluster is, as one cycle told it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Membership:
    """The live fleet, told apart by groups."""

    groups: Mapping[str, tuple[str, ...]]
    """By group: the live clusters that it alone claims, full names, sorted."""
    owner: Mapping[str, str]
    """By cluster: the one group that claims it."""
    claimed_twice: Mapping[str, tuple[str, ...]]
    """By cluster: the groups that claim it."""
    missing: Mapping[str, tuple[str, ...]]
    """By group: names that it declares and that are not live, or name more than one live cluster."""
    unclaimed: tuple[str, ...]
    seen_twice: frozenset[str]
    """Clusters whose Kafka cluster id another live cluster shows too, or showed when it was last read."""
    ids: Mapping[str, str]
    """By cluster: Kafka's cluster id, where its source tells it."""
    short: Mapping[str, str]
