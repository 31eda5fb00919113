"""The health gate: a start needs a cluster in which nothing is wrong, however overdue it is."""

from controller.model.observation import Reading, Severity
from controller.model.verdict import PASS, Hold, HoldReason, Verdict

_SHOWN = 3


def health(reading: Reading) -> Verdict:
    """Hold for every finding that blocks, and for those that only a roll under way explains."""
    findings = [finding for finding in reading.findings if finding.severity is not Severity.WARN]
    if not findings:
        return PASS
    more = f" (+{len(findings) - _SHOWN} more)" if len(findings) > _SHOWN else ""
    details = "; ".join(f"{finding.detail} ({finding.id})" for finding in findings[:_SHOWN])
    return Hold(HoldReason.CLUSTER_UNHEALTHY, f"{details}{more}")
