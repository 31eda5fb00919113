"""Cluster names: full (``source/namespace/name``) for memory, short for people where that is unambiguous."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

NAMES_SHOWN = 5


def last_part(full: str) -> str:
    """Return the cluster's own name, the last part of its full name."""
    return full.rsplit("/", 1)[-1]


def source_of(full: str) -> str:
    """Return the source of a cluster, the first part of its full name."""
    return full.split("/", 1)[0]


def short_names(full_names: Iterable[str]) -> Mapping[str, str]:
    """Return each full name's short form: its last part where no other cluster has the same, else itself."""
    parts = {full: full.rpartition("/")[2] for full in full_names}
    if len(set(parts.values())) == len(parts):
        return parts
    counts = Counter(parts.values())
    return {full: part if counts[part] == 1 else full for full, part in parts.items()}


def listed(names: Sequence[str]) -> str:
    """Return the first of ``names`` for people, and how many more there are."""
    more = f" (+{len(names) - NAMES_SHOWN} more)" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
