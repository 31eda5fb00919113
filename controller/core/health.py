"""What findings are worth in each group, by its own severities and thresholds; and whose consumers fell behind.

Whoever reads a cluster tells what it found and does not know of groups. Linear in clusters.
"""

from collections.abc import Mapping
from dataclasses import replace

from controller.history.records import ClusterRecord, ClusterState
from controller.model.declaration import ClusterGroup
from controller.model.health import NEEDS_A_SECOND_BROKER, Health
from controller.model.membership import Membership
from controller.model.observation import Finding, ObservedCluster, Reading, Severity


def health_of(name: str, membership: Membership, groups: Mapping[str, ClusterGroup]) -> Health | None:
    """Return the rules for a cluster: its group's, of two that claim it one that wants its brokers asked.

    None where no group claims it, or none in ``groups``.
    """
    owner = membership.owner.get(name)
    claiming = membership.claimed_twice.get(name, ()) if owner is None else (owner,)
    rules = [groups[each].health for each in claiming if each in groups]
    return next((each for each in rules if each.asks_brokers), rules[0] if rules else None)


def graded(
    clusters: Mapping[str, ObservedCluster], membership: Membership, groups: Mapping[str, ClusterGroup]
) -> Mapping[str, ObservedCluster]:
    """Return ``clusters``, those that a group claims with every finding as that group has it.

    Where it wants brokers asked, a reading without their word is not full.
    """
    changed: dict[str, ObservedCluster] = {}
    for name, cluster in clusters.items():
        reading = cluster.reading
        if isinstance(reading, Reading) and (reading.findings or (reading.full and cluster.endpoints is not None)):
            health = health_of(name, membership, groups)
            as_worth = reading if health is None else _as_worth(cluster, reading, health)
            if as_worth is not reading:
                changed[name] = replace(cluster, reading=as_worth)
    return {**clusters, **changed} if changed else clusters


def fallen_behind(reading: Reading, record: ClusterRecord, health: Health) -> str:
    """Say which of the listed consumer groups is further behind than before the cluster was started; else empty.

    Lag that was read then and cannot be read now is no proof that a group caught up; unasked brokers tell none anyway.
    Of a quarantined cluster nobody is: its wave soaks without it.
    """
    if record.state is ClusterState.QUARANTINED:
        return ""
    for name in health.consumer_groups:
        before, now = record.lag.get(name), reading.lag.get(name)
        if now is None:
            if before is not None and reading.by_brokers:
                return f"the lag of consumer group {name} cannot be read now"
        elif now > max(before or 0, health.lag_above):
            told = f", {before:,} before" if before is not None else "; it was not read before"
            return f"consumer group {name} is {now:,} records behind{told} the upgrade"
    return ""


def _as_worth(cluster: ObservedCluster, reading: Reading, health: Health) -> Reading:
    """Return the reading as ``health`` has it: one without the brokers' word is not full where they must be asked."""
    is_alone, findings = _is_alone(cluster), reading.findings
    worth = tuple(worth for each in findings if (worth := _worth(each, health, is_alone=is_alone))) if findings else ()
    unasked = reading.full and not reading.by_brokers and health.asks_brokers and cluster.endpoints is not None
    if worth == findings and not unasked:
        return reading
    return replace(reading, findings=worth, full=reading.full and not unasked)


def _is_alone(cluster: ObservedCluster) -> bool:
    expected = cluster.endpoints.expected if cluster.endpoints is not None else None
    return expected is not None and len(expected) == 1


def _worth(finding: Finding, health: Health, *, is_alone: bool) -> Finding | None:
    """Return the finding as ``health`` has it; None where it is not held against anybody."""
    severity = health.severities.get(finding.id, finding.severity)
    if finding.id == "disk_usage" and finding.level is not None and finding.level < health.disk_block:
        severity = None if severity is None or finding.level < health.disk_warn else Severity.WARN
    if finding.id == "consumer_lag" and finding.level is not None and finding.level <= health.lag_above:
        return None
    if severity is not None and is_alone and finding.id in NEEDS_A_SECOND_BROKER:
        severity = Severity.WARN
    if severity is None or severity is finding.severity:
        return None if severity is None else finding
    return replace(finding, severity=severity)
