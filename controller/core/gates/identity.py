"""The identity gate: a cluster is touched only by the one group and the one fleet that it belongs to."""

from controller.model.observation import Reading
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def identity(reading: Reading, fleet: str, claimed_by: tuple[str, ...], *, seen_twice: bool) -> Verdict:
    """Hold for a cluster claimed or seen twice, marked by another fleet, or owned by another tool."""
    if len(claimed_by) > 1:
        return Hold(HoldReason.CLAIMED_TWICE, f"groups {' and '.join(claimed_by)} claim it; leave it to one of them")
    if seen_twice:
        return Hold(HoldReason.SEEN_TWICE, f"another live cluster shows the same Kafka cluster id {reading.kafka_id}")
    if reading.fleet is not None and reading.fleet != fleet:
        return Hold(
            HoldReason.OWNED_ELSEWHERE,
            f"its mark wavefleet.io/fleet says {reading.fleet}, this fleet is {fleet}; remove the mark to take it over",
        )
    if reading.owner is not None:
        return Hold(HoldReason.OWNED_ELSEWHERE, reading.owner)
    return PASS


def belonging(group: str, owner: str | None) -> Verdict:
    """Hold a cluster that ``group`` does not claim any more: it leaves the group's rollout before anything else."""
    if owner == group:
        return PASS
    who = "no group claims it" if owner is None else f"{owner} claims it"
    return Hold(HoldReason.CLUSTER_UNSETTLED, f"{who} now; it leaves the rollout of {group} in the next cycle")
