"""Declarations and live fleets of any size, with rollouts in motion, for measuring the judgement."""

from datetime import UTC, datetime, timedelta

from controller.core.plan import plan_cycle
from controller.history.entries import Recorded
from controller.history.recall import remember
from controller.history.records import History
from controller.model.catalog import Catalog, Release
from controller.model.declaration import (
    ClusterGroup,
    Declaration,
    Finalize,
    Limits,
    OnFailure,
    Selector,
    Size,
    Strategy,
    Wave,
)
from controller.model.memory import Memory
from controller.model.observation import Observation, ObservedCluster, Reading
from controller.model.places import Place
from controller.model.snapshot import Snapshot, Standing
from controller.versions import KafkaVersion, MetadataVersion

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OLD, NEW = KafkaVersion(4, 1, 2), KafkaVersion(4, 3, 1)
_LEVEL = MetadataVersion(27, "4.1-IV1")
_PLACE = Place("groups/bench.yaml", 1)
_WAVES = (
    Wave("canary", Size(count=1), timedelta(hours=1), 5, approval_required=False, place=_PLACE),
    Wave("early", Size(percent=10), timedelta(hours=1), 5, approval_required=False, place=_PLACE),
    Wave("rest", Size(), timedelta(hours=1), 5, approval_required=False, place=_PLACE),
)


def snapshot_in_motion(clusters: int, groups: int = 50, moving: int = 10) -> Snapshot:
    """Return a snapshot of ``groups`` groups, ``moving`` of which are in the middle of a rollout to another release."""
    names = [f"sim/cluster-{number:06}" for number in range(clusters)]
    live = {}
    for number, name in enumerate(names):
        group = number % groups
        runs = OLD if group < moving else NEW
        labels = {"group": f"g-{group:03}", "env": "prod", "region": f"r-{number % 7}"}
        reading = Reading(runs, runs, runs, token="1", metadata_version=_LEVEL)
        live[name] = ObservedCluster(name, labels, reading)
    snapshot = Snapshot(
        now=NOON,
        standing=Standing(head="a" * 40, in_force="a" * 40, confirmed_at=NOON),
        declaration=_declaration(groups),
        observation=Observation(live),
    )
    return _played(snapshot, moving)


def _declaration(groups: int) -> Declaration:
    rows = [_release(OLD), _release(NEW)]
    catalog = Catalog({row.version: row for row in rows}, {_LEVEL.name: _LEVEL}, MetadataVersion(7, "3.3-IV3"))
    return Declaration("bench", (), tuple(_group(number) for number in range(groups)), catalog, Limits(1000))


def _release(version: KafkaVersion) -> Release:
    return Release(version, "2026-01-01", _LEVEL, kraft_from=((3, 3), (4, 2)), zookeeper_from=None)


def _group(number: int) -> ClusterGroup:
    return ClusterGroup(
        name=f"g-{number:03}",
        target=NEW,
        metadata_version=Finalize.HOLD,
        selector=Selector(match_labels={"group": f"g-{number:03}", "env": "prod"}),
        strategy=Strategy(_WAVES, Size(count=0), timedelta(hours=3), OnFailure.HALT),
        place=_PLACE,
        target_place=_PLACE,
    )


def _played(snapshot: Snapshot, cycles: int) -> Snapshot:
    """Run so many cycles, each admitting one wave, so that the rollouts are under way."""
    history, memory = History(), Memory()
    for cycle in range(cycles + 1):
        now = NOON + cycle * MINUTE
        standing = Standing(head="a" * 40, in_force="a" * 40, confirmed_at=now)
        snapshot = Snapshot(now, standing, snapshot.declaration, snapshot.observation, history, memory)
        plan = plan_cycle(snapshot)
        history = remember(history, (Recorded(0, now, entry) for entry in plan.entries))
        memory = plan.memory
    return Snapshot(now + MINUTE, standing, snapshot.declaration, snapshot.observation, history, memory)
