"""How the live clusters of one group stand to a target."""

from collections.abc import Iterable, Mapping

from controller.model.drift import Drift
from controller.model.observation import ObservedCluster, Reading, Severity, Unknown
from controller.versions import KafkaVersion, MetadataVersion, Target


def drift_of(names: Iterable[str], clusters: Mapping[str, ObservedCluster], target: Target) -> Drift:
    """Compare what each of ``names`` runs with ``target``; a half-rolled cluster is below it.

    A KRaft cluster whose metadata.version could not be told is unknown where the target is a level.
    """
    on_target = 0
    below: list[str] = []
    above: list[str] = []
    unknown: list[str] = []
    sick: list[str] = []
    releases: dict[int, KafkaVersion] = {}
    lowest = None
    for name in names:
        reading = clusters[name].reading
        if isinstance(reading, Unknown):
            unknown.append(name)
            continue
        level = reading.metadata_version
        if level is not lowest and level is not None and (lowest is None or level < lowest):
            lowest = level
        if reading.findings and is_sick(reading):
            sick.append(name)
        if runs(reading, target):
            on_target += 1
        elif isinstance(target, MetadataVersion):
            (unknown if reading.metadata_version is None else below).append(name)
        elif reading.release < target:
            below.append(name)
            releases[id(reading.release)] = reading.release  # hashing each costs more than all the rest
        else:
            above.append(name)
    return Drift(
        on_target,
        below=tuple(below),
        above=tuple(above),
        unknown=tuple(unknown),
        sick=tuple(sick),
        releases=tuple(set(releases.values())),
        lowest=lowest,
    )


def runs(reading: Reading, target: Target) -> bool:
    """Tell whether every node of the cluster runs ``target``, or its finalized level is at least that.

    Identity is asked first: releases are read through a cache, so equal ones mostly are the same value. A ZooKeeper
    cluster has no level to raise.
    """
    if isinstance(target, KafkaVersion):
        lowest, highest = reading.release, reading.highest
        return (lowest is target or lowest == target) and (highest is target or highest == target)
    return reading.zookeeper or (reading.metadata_version is not None and reading.metadata_version >= target)


def asks_for(reading: Reading, target: Target) -> bool:
    """Tell whether the cluster's resource asks for ``target``, whoever wrote it."""
    wanted = reading.wanted if isinstance(target, KafkaVersion) else reading.wanted_metadata
    return wanted == target


def is_well(reading: Reading) -> bool:
    """Tell whether the cluster is settled and healthy."""
    return reading.settled and reading.healthy


def is_sick(reading: Reading) -> bool:
    """Tell whether something is wrong that a roll under way does not explain."""
    return any(
        finding.severity is Severity.BLOCK or (finding.severity is Severity.WAIT and reading.settled)
        for finding in reading.findings
    )


def describe(reading: Reading) -> str:
    """Say in a few words what a cluster shows that is not as it should be."""
    parts = [finding.detail for finding in reading.findings if finding.severity is not Severity.WARN]
    if not reading.settled:
        parts.insert(0, f"still changing{f' ({reading.progress})' if reading.progress else ''}")
    running = f"{reading.release}" if reading.release == reading.highest else f"{reading.release} to {reading.highest}"
    return "; ".join([f"runs {running}", *parts[:3]])
