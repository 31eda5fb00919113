"""Whose a cluster is: each live cluster belongs to exactly one group, to none, or is claimed twice and held.

Linear in clusters: labels are indexed once, and each group asks the index.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from controller.model.declaration import ClusterGroup
from controller.model.membership import Membership
from controller.model.names import short_names
from controller.model.observation import ObservedCluster, Reading


def assign(
    groups: Sequence[ClusterGroup], clusters: Mapping[str, ObservedCluster], known_ids: Mapping[str, str]
) -> Membership:
    """Return whose each of ``clusters`` is; ``known_ids`` are the Kafka cluster ids that were seen last."""
    ids = _ids(clusters, known_ids)
    short = short_names(clusters)
    labels = _index_labels(clusters) if any(group.selector.match_labels for group in groups) else {}
    by_last_part = _index_names(short) if any(group.selector.names for group in groups) else {}
    claims: dict[str, list[str]] = defaultdict(list)
    missing: dict[str, tuple[str, ...]] = {}
    for group in groups:
        if group.selector.names:
            found, missing[group.name] = _by_names(group.selector.names, clusters, by_last_part)
        else:
            found = _by_labels(group.selector.match_labels, labels)
        for cluster in found:
            claims[cluster].append(group.name)
    owner = {cluster: names[0] for cluster, names in claims.items() if len(names) == 1}
    twice = sorted(cluster for cluster, names in claims.items() if len(names) > 1)
    return Membership(
        groups=_by_group(owner),
        owner=owner,
        claimed_twice={cluster: tuple(claims[cluster]) for cluster in twice},
        missing={group: names for group, names in missing.items() if names},
        unclaimed=tuple(sorted(clusters.keys() - claims.keys())),
        seen_twice=_seen_twice(ids),
        ids=ids,
        short=short,
    )


def belongs_as_before(cluster: ObservedCluster, known: ObservedCluster, before: Membership) -> bool:
    """Tell whether what a cluster shows now leaves everybody's membership as it was."""
    is_same_by_labels = cluster.labels is known.labels or cluster.labels == known.labels
    return is_same_by_labels and _shown_id(cluster, before.ids) == before.ids.get(cluster.name)


def _index_labels(clusters: Mapping[str, ObservedCluster]) -> Mapping[tuple[str, str], set[str]]:
    index: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, cluster in clusters.items():
        for label in cluster.labels.items():
            index[label].add(name)
    return index


def _index_names(short: Mapping[str, str]) -> Mapping[str, str]:
    """Return the full name behind each last part; one that several clusters have is left out, since it names none."""
    return {part: name for name, part in short.items()}


def _by_names(
    names: tuple[str, ...], clusters: Mapping[str, ObservedCluster], by_last_part: Mapping[str, str]
) -> tuple[set[str], tuple[str, ...]]:
    found, missing = set(), []
    for name in names:
        match = name if name in clusters else by_last_part.get(name)
        if match is not None:
            found.add(match)
        else:
            missing.append(name)
    return found, tuple(missing)


def _by_labels(wanted: Mapping[str, str], labels: Mapping[tuple[str, str], set[str]]) -> set[str]:
    matches = sorted((labels.get(label, set()) for label in wanted.items()), key=len)
    return set.intersection(*matches) if matches else set()


def _by_group(owner: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    members: dict[str, list[str]] = defaultdict(list)
    for cluster, group in owner.items():
        members[group].append(cluster)
    return {group: tuple(sorted(names)) for group, names in members.items()}


def _ids(clusters: Mapping[str, ObservedCluster], known: Mapping[str, str]) -> Mapping[str, str]:
    shown = ((name, _shown_id(cluster, known)) for name, cluster in clusters.items())
    return {name: kafka_id for name, kafka_id in shown if kafka_id is not None}


def _shown_id(cluster: ObservedCluster, known: Mapping[str, str]) -> str | None:
    """Return Kafka's cluster id, as it was seen last where the cluster cannot be read."""
    return cluster.reading.kafka_id if isinstance(cluster.reading, Reading) else known.get(cluster.name)


def _seen_twice(ids: Mapping[str, str]) -> frozenset[str]:
    counts = Counter(ids.values())
    return frozenset(name for name, shown in ids.items() if counts[shown] > 1)
