"""The legal moves of one cluster in one rollout, as one table. What is not in it cannot happen.

A cluster that leaves its rollout (gone, moved, on target by other hands) leaves the table as well. *Unknown* is no
state here: it is an observation, and a cluster that cannot be seen stays where it was.
"""

from collections.abc import Mapping

from controller.errors import IllegalTransition
from controller.history import entries as e
from controller.history.records import ClusterState as S

TRANSITIONS: Mapping[tuple[S, type], S] = {
    (S.PENDING, e.ClusterSetAside): S.PENDING,
    (S.PENDING, e.ClusterStarted): S.STARTED,
    (S.PENDING, e.StartAccepted): S.STARTED,  # a write given up as untaken was taken late
    (S.STARTED, e.StartAccepted): S.STARTED,
    (S.STARTED, e.StartWithdrawn): S.PENDING,
    (S.STARTED, e.ClusterConverged): S.CONVERGED,
    (S.STARTED, e.ClusterFailed): S.FAILED,
    (S.CONVERGED, e.WaveSoaked): S.SOAKED,
    (S.CONVERGED, e.ClusterFailed): S.FAILED,
    (S.SOAKED, e.ClusterFailed): S.FAILED,
    (S.CONVERGED, e.ClusterStarted): S.DOWNGRADING,
    (S.SOAKED, e.ClusterStarted): S.DOWNGRADING,
    (S.FAILED, e.SlotFreed): S.FAILED,
    (S.FAILED, e.ClusterQuarantined): S.QUARANTINED,
    (S.FAILED, e.ClusterStarted): S.DOWNGRADING,
    (S.FAILED, e.ClusterReleased): S.PENDING,  # it had converged, and its way back was called off with the halt
    (S.DOWNGRADING, e.StartAccepted): S.DOWNGRADING,
    (S.DOWNGRADING, e.SlotFreed): S.DOWNGRADING,
    (S.DOWNGRADING, e.StartWithdrawn): S.FAILED,
    (S.DOWNGRADING, e.ClusterFailed): S.FAILED,
    (S.DOWNGRADING, e.ClusterReturned): S.PENDING,
    (S.DOWNGRADING, e.ClusterQuarantined): S.QUARANTINED,
    (S.QUARANTINED, e.SlotFreed): S.QUARANTINED,
    (S.QUARANTINED, e.ClusterReleased): S.PENDING,
}


def after(state: S, entry: object, cluster: str) -> S:
    """Return the state that ``entry`` leads to; raises IllegalTransition where the table joins no two states."""
    moved = TRANSITIONS.get((state, type(entry)))
    if moved is None:
        raise IllegalTransition(
            f"{cluster}: {type(entry).__name__} while {state}; legal only as in history.transitions"
        )
    return moved


def drawing() -> str:
    """Return the table as a Mermaid state diagram, for the documentation."""
    moves = sorted({(old, new, entry.__name__) for (old, entry), new in TRANSITIONS.items() if old is not new})
    return "\n".join(["stateDiagram-v2", "    [*] --> pending", *(f"    {a} --> {b}: {name}" for a, b, name in moves)])
