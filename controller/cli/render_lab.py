"""The lab's clusters and brokers, its load and what became of it, as text and as JSON."""

from pathlib import Path
from typing import Any

from controller.lab.acknowledged import LoadReport
from controller.lab.load import LoadSummary
from controller.lab.status import BrokerState, ClusterState, LabState


def lab_text(state: LabState) -> str:
    """Return clusters, what their operator says, and brokers, for a terminal."""
    lines = []
    for cluster in state.clusters:
        says = "not yet" if cluster.operator_says is None else cluster.operator_says.value
        message = f": {cluster.message}" if cluster.message else ""
        lines.append(
            f"{cluster.name} at {cluster.bootstrap}{_over(cluster)}: wants {cluster.wanted}, operator {says}{message}"
        )
        lines.append(f"    metadata.version: {_level(cluster)}")
        lines += [f"    broker {it.id} at {it.address}: {it.release}, {_how(it)}" for it in cluster.brokers]
    if state.operator_pid is None:
        lines.append(
            "no operator runs, so nothing is rolled and what it said is old; `wavefleet lab up` starts it again"
        )
    return "\n".join(lines)


def _over(cluster: ClusterState) -> str:
    return " over TLS and SCRAM" if cluster.secure else ""


def _how(broker: BrokerState) -> str:
    process = "no process" if broker.pid is None else f"process {broker.pid}"
    answers = {None: "", True: ", answers", False: ", does not answer"}[broker.reachable]
    faults = ", ".join(kind.value for kind in broker.faults)
    return process + answers + (f"; broken on purpose: {faults}" if faults else "")


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
                "listeners": "secure" if cluster.secure else "plain",
                "operator": None if cluster.operator_says is None else cluster.operator_says.value,
                "message": cluster.message,
                "brokers": [
                    {
                        "id": broker.id,
                        "address": broker.address,
                        "port": broker.port,
                        "release": broker.release,
                        "pid": broker.pid,
                        "reachable": broker.reachable,
                        "faults": [kind.value for kind in broker.faults],
                    }
                    for broker in cluster.brokers
                ],
            }
            for cluster in state.clusters
        ],
    }


def load_text(file: Path, summary: LoadSummary) -> str:
    """Return what a load did, for a terminal."""
    failed = f", {summary.failed} never acknowledged" if summary.failed else ""
    return f"{summary.acknowledged} of {summary.sent} records acknowledged{failed}; they are in {file}"


def load_json(cluster: str, topic: str, file: Path, summary: LoadSummary) -> dict[str, Any]:
    """Return the same by schemas/lab-load.schema.json."""
    return {
        "cluster": cluster,
        "topic": topic,
        "file": str(file),
        "sent": summary.sent,
        "acknowledged": summary.acknowledged,
        "failed": summary.failed,
    }


def verify_text(report: LoadReport) -> str:
    """Return what became of acknowledged records, for a terminal."""
    counts = f"{report.lost} lost, {report.duplicated} twice, {report.out_of_order} out of order"
    return "\n".join(
        [f"{report.acknowledged} records acknowledged: {counts}", *(f"    {it}" for it in report.examples)]
    )


def verify_json(cluster: str, topic: str, report: LoadReport) -> dict[str, Any]:
    """Return the same by schemas/lab-verify.schema.json."""
    return {
        "cluster": cluster,
        "topic": topic,
        "acknowledged": report.acknowledged,
        "lost": report.lost,
        "duplicated": report.duplicated,
        "outOfOrder": report.out_of_order,
        "examples": list(report.examples),
    }
