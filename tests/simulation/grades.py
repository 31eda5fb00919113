"""What a finding is worth to the group that claims its cluster, and whose consumers fell behind: as the docs say it.

Written from ``docs/health.md`` for the checkers; shares no code with the core.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller.model.declaration import ClusterGroup
from controller.model.health import Health
from controller.model.observation import Finding, ObservedCluster, Reading, Severity
from tests.simulation.scene import claims

ONLY_WITH_OTHERS = ("at_min_isr", "no_headroom", "rf1_topics")
"""Checks that one broker alone can never pass: they warn there."""


def rules_for(cluster: ObservedCluster, groups: Iterable[ClusterGroup]) -> Health | None:
    """Return the rules of the group that claims a cluster; of several, the first that asks brokers."""
    rules = [each.health for each in groups if claims(each, cluster.name, cluster.labels)]
    asking = [each for each in rules if each.asks_brokers]
    return (asking or rules or [None])[0]


def as_worth(cluster: ObservedCluster, reading: Reading, rules: Health | None) -> Reading:
    """Return the reading with each finding as ``rules`` have it, those left out that they hold against nobody."""
    if rules is None:
        return reading
    expected = cluster.endpoints.expected if cluster.endpoints else None
    alone = expected is not None and len(expected) == 1
    worth = [(each, _severity(each, rules, alone=alone)) for each in reading.findings]
    return replace(reading, findings=tuple(replace(each, severity=severity) for each, severity in worth if severity))


def _severity(finding: Finding, rules: Health, *, alone: bool) -> Severity | None:
    severity = rules.severities.get(finding.id, finding.severity)
    level = finding.level
    if severity is None or (finding.id == "consumer_lag" and level is not None and level <= rules.lag_above):
        return None
    if finding.id == "disk_usage" and level is not None and level < rules.disk_block:
        return Severity.WARN if level >= rules.disk_warn else None
    return Severity.WARN if alone and finding.id in ONLY_WITH_OTHERS else severity


def behind(rules: Health, before: Mapping[str, int], reading: Reading | None) -> list[str]:
    """Return the listed consumer groups that are further behind than before, and by more than nobody minds.

    With them are those that were read before and that the brokers, though asked, do not tell of now.
    """
    if reading is None:
        return []
    now = reading.lag
    allowed = {group: max(before[group], rules.lag_above) if group in before else rules.lag_above for group in now}
    grown = {group for group in now if now[group] > allowed[group]}
    untold = before.keys() - now.keys() if reading.by_brokers else set()
    return [group for group in rules.consumer_groups if group in grown | untold]
