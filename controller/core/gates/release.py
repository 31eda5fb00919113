"""The release gate: a blocked release goes nowhere, a known-bad one only where each of its bugs was accepted."""

from controller.model.catalog import Catalog
from controller.model.verdict import PASS, Hold, HoldReason, Verdict
from controller.versions import KafkaVersion


def release(target: KafkaVersion, catalog: Catalog, accepted: frozenset[str]) -> Verdict:
    """Hold while ``target`` is blocked, or has broker bugs that the group does not accept by name."""
    blocked = catalog.blocked.get(target)
    if blocked is not None:
        return Hold(HoldReason.RELEASE_BLOCKED, f"{target} is blocked in releases.yaml: {blocked}")
    row = catalog.releases.get(target)
    if row is None:
        return Hold(HoldReason.RELEASE_BLOCKED, f"{target} is not in the release catalog; add it to releases.yaml")
    open_bugs = [bug for bug in row.broker_bugs if bug not in accepted]
    if open_bugs:
        return Hold(
            HoldReason.RISK_NOT_ACCEPTED,
            f"{target} is known-bad ({', '.join(open_bugs)}); choose another release, or accept each bug with "
            f"acceptRisks: [{', '.join(open_bugs)}]",
        )
    return PASS
