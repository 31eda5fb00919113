"""What the checkers see of one cycle: what was declared, what the sources showed, and what was recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.history.entries import Entry
from controller.model.declaration import ClusterGroup, Declaration
from controller.model.observation import ObservedCluster, Reading
from controller.model.plan import Plan
from controller.versions import MetadataVersion
from tests.simulation.fleet import Cluster


@dataclass(frozen=True, slots=True)
class Scene:
    """One cycle, as somebody sees it who stands beside the controller."""

    now: datetime
    """The controller's one reading of the clock."""
    declaration: Declaration
    """What is in force."""
    trusted: bool
    """The head is valid, descends from what was in force or was accepted, and was confirmed a short while ago."""
    seen: Mapping[str, ObservedCluster]
    """Clusters that a source, which could be read, listed in this cycle."""
    unreachable: frozenset[str]
    """Sources that could not be read."""
    entries: tuple[Entry, ...]
    """What this cycle recorded, in order."""
    poll: timedelta
    plan: Plan | None = None
    """None where the cycle did not come to its end."""
    truth: Mapping[str, Cluster] = field(default_factory=dict)
    """Every cluster as it truly is."""
    known: frozenset[str] = frozenset()
    """Sources that could be read since the process began."""
    gates: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By group and outside gate: how often in a row it said yes, up to this scene."""

    def group(self, name: str) -> ClusterGroup | None:
        """Return a declared group."""
        return self.declaration.group(name)

    def reading(self, cluster: str) -> Reading | None:
        """Return what a cluster showed; None where it was not seen."""
        observed = self.seen.get(cluster)
        return observed.reading if observed is not None and isinstance(observed.reading, Reading) else None


def is_well(reading: Reading | None) -> bool:
    """Tell whether a cluster was seen in full, settled, and with nothing wrong."""
    if reading is None or not reading.full or not reading.settled:
        return False
    return all(finding.severity.value == "warn" for finding in reading.findings)


def is_sick(reading: Reading | None) -> bool:
    """Tell whether a cluster was seen in full and with something wrong that no roll explains."""
    if reading is None or not reading.full:
        return False
    kinds = {finding.severity.value for finding in reading.findings}
    return "block" in kinds or ("wait" in kinds and reading.settled)


def runs(reading: Reading | None, target: object) -> bool:
    """Tell whether every broker was seen to run the release, or the level, or a higher one, to be finalized."""
    if reading is None:
        return False
    if isinstance(target, MetadataVersion):
        level = reading.metadata_version
        return reading.zookeeper or (level is not None and level.level >= target.level)
    return reading.release == target and reading.highest == target


def claims(group: ClusterGroup, cluster: str, labels: Mapping[str, str]) -> bool:
    """Tell whether a group claims a cluster."""
    names = group.selector.names
    if names:
        return cluster in names or cluster.rsplit("/", 1)[-1] in names
    return group.selector.match_labels.items() <= labels.items()


def is_held(group: ClusterGroup, cluster: str, now: datetime) -> bool:
    """Tell whether a hold in Git is in force for a cluster."""
    short = cluster.rsplit("/", 1)[-1]
    return any(hold.cluster in (cluster, short) and (hold.until is None or now < hold.until) for hold in group.holds)


def source_of(cluster: str) -> str:
    """Return the source of a cluster, the first part of its full name."""
    return cluster.split("/", maxsplit=1)[0]
