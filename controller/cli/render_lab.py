"""The lab's clusters and brokers as text and as JSON."""

from typing import Any

from controller.lab.status import ClusterState, LabState


def lab_text(state: LabState) -> str:
    """Return clusters, what their operator says, and brokers, for a terminal."""
    lines = []
    for cluster in state.clusters:
        says = "not yet" if cluster.operator_says is None else cluster.operator_says.value
        message = f": {cluster.message}" if cluster.message else ""
        lines.append(f"{cluster.name} at {cluster.bootstrap}: wants {cluster.wanted}, operator {says}{message}")
        lines.append(f"    metadata.version: {_level(cluster)}")
        for broker in cluster.brokers:
            where = "stopped" if broker.pid is None else f"process {broker.pid}"
            lines.append(f"    broker {broker.id} at {broker.address}: {broker.release}, {where}")
    if state.operator_pid is None:
        lines.append(
            "no operator runs, so nothing is rolled and what it said is old; `wavefleet lab up` starts it again"
        )
    return "\n".join(lines)


def _level(cluster: ClusterState) -> str:
    finalized = "not seen yet" if cluster.level is None else f"finalized at level {cluster.level}"
    if cluster.wanted_level is None or (cluster.level is not None and cluster.level >= cluster.wanted_level):
        return finalized
    return f"{finalized}, wants level {cluster.wanted_level}"


def lab_json(state: LabState) -> dict[str, Any]:
    """Return the same by schemas/lab-status.schema.json."""
    return {
        "operatorPid": state.operator_pid,
        "clusters": [
            {
                "name": cluster.name,
                "bootstrap": cluster.bootstrap,
                "wanted": cluster.wanted,
                "wantedMetadataLevel": cluster.wanted_level,
                "metadataLevel": cluster.level,
                "generation": cluster.generation,
                "operator": None if cluster.operator_says is None else cluster.operator_says.value,
                "message": cluster.message,
                "brokers": [
                    {"id": broker.id, "address": broker.address, "release": broker.release, "pid": broker.pid}
                    for broker in cluster.brokers
                ],
            }
            for cluster in state.clusters
        ],
    }
