"""Builders of plans and histories, as metrics are told of them."""

from datetime import UTC, datetime

from controller.history.records import ClusterRecord, ClusterState, History, RolloutKind, RolloutRecord, Stop, StopKind
from controller.model.memory import Memory
from controller.model.outbox import StatusState
from controller.model.plan import Plan
from controller.model.verdict import Hold
from controller.model.view import GroupView
from controller.versions import KafkaVersion

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TARGET = KafkaVersion.parse("4.3.1")
RECORDS = {
    "sim/a": ClusterRecord(ClusterState.CONVERGED),
    "sim/b": ClusterRecord(ClusterState.STARTED),
    "sim/c": ClusterRecord(),
    "sim/d": ClusterRecord(),
}


def a_group(name: str = "prod", *, rollout: int | None = 1, holds: tuple[Hold, ...] = ()) -> GroupView:
    """A group on its way, one of four clusters done and one in flight."""
    return GroupView(
        name=name,
        target=TARGET,
        rollout=rollout,
        kind=RolloutKind.SOFTWARE,
        state=StatusState.PENDING,
        sentence="…",
        done=1,
        in_flight=1,
        of=4,
        holds=holds,
    )


def a_plan(*groups: GroupView, holds: tuple[Hold, ...] = (), unclaimed: tuple[str, ...] = ()) -> Plan:
    """A plan that says something of groups and does nothing."""
    return Plan(
        entries=(),
        starts=(),
        groups=groups,
        memory=Memory(),
        holds=holds,
        unclaimed=unclaimed,
    )


def a_history(*stops: Stop) -> History:
    """One rollout of ``prod`` with four clusters, and what stopped."""
    rollout = RolloutRecord(1, "prod", RolloutKind.SOFTWARE, TARGET, "abc", NOON, 4, clusters=RECORDS)
    return History(rollouts={1: rollout}, stops={(stop.scope, stop.number): stop for stop in stops})


def a_stop(scope: str = "prod", number: int = 1, *, acknowledged: bool = False) -> Stop:
    """A halt of a group or of the fleet."""
    acknowledged_at = NOON if acknowledged else None
    return Stop(scope, number, StopKind.HALT, "1 of 4 failed", "wavefleet", NOON, acknowledged_at=acknowledged_at)
