"""What Prometheus is told in the middle of a wave, over real HTTP: each number that people alert on, with its value."""

import time
from pathlib import Path

from controller.history.entries import ClusterStarted
from tests.processes.worlds import INVENTORY, Daemon, World

STATES = ("pending", "started", "converged", "soaked", "failed", "downgrading", "quarantined", "unknown")


def clusters_by_state(daemon: Daemon) -> dict[str, float]:
    """Return how many clusters of the group's rollout stand in each state; states of none are left out."""
    counts = {state: daemon.metric("wavefleet_clusters", group="web", state=state) for state in STATES}
    return {state: count for state, count in counts.items() if count}


def test_the_metrics_of_a_wave_under_way_are_as_the_fleet_stands(tmp_path: Path) -> None:
    """
    Clusters by state and group, holds by reason, calls by outside system, the age and the time of cycles.
    """
    world = World(tmp_path)
    slow = INVENTORY.replace("perBroker: 400ms", "perBroker: 1h")
    world.repository.publish({"simulation/clusters.yaml": slow}, "Be slow")
    began = time.time()  # noqa: TID251 - what the metrics' times are compared with
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        merged = world.bump()
        daemon.await_for(world.has_entry(ClusterStarted), "a cluster in flight")
        daemon.await_for(lambda: daemon.metric("wavefleet_group_clusters_in_flight", group="web") == 1, "its metric")
        daemon.await_for(world.has(merged, "pending"), "a status")

        assert {"pending": 2, "started": 1} == clusters_by_state(daemon)
        assert (3, 0) == (
            daemon.metric("wavefleet_group_clusters", group="web"),
            daemon.metric("wavefleet_group_clusters_done", group="web"),
        )
        assert (1, 0) == (
            daemon.metric("wavefleet_group_state", group="web", state="pending"),
            daemon.metric("wavefleet_group_state", group="web", state="success"),
        )
        daemon.await_for(lambda: daemon.metric("wavefleet_holds", reason="WaveUnderWay") > 0, "the next wave's hold")
        assert 0 == daemon.metric("wavefleet_holds", reason="RevisionStale")
        for system in ("git", "source", "ledger", "notes", "log"):
            assert daemon.metric("wavefleet_calls_total", system=system, outcome="ok") > 0, system
            assert daemon.metric("wavefleet_call_duration_seconds_count", system=system) > 0, system
            assert 0 == daemon.metric("wavefleet_calls_total", system=system, outcome="failed"), system
        assert 1 == daemon.metric("wavefleet_leader")
        assert daemon.metric("wavefleet_cycles_total", result="ok") > 1
        assert 0 == daemon.metric("wavefleet_cycles_total", result="failed")
        names = ("cycle_last_start", "cycle_last_end", "cycle_last_success", "revision_confirmed")
        moments = {name: daemon.metric(f"wavefleet_{name}_timestamp_seconds") for name in names}
        ended = time.time()  # noqa: TID251 - what the metrics' times are compared with
        assert all(began <= moment <= ended for moment in moments.values()), moments
        assert 0 < daemon.metric("wavefleet_cycle_duration_seconds_sum") < ended - began
        assert 0 == daemon.stop()
