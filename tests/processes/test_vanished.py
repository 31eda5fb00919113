"""A cluster that vanishes from its source in the middle of its wave: its slot is given on."""

from pathlib import Path

from controller.history.entries import ClusterConverged
from tests.processes.worlds import CLUSTERS, GROUP, INVENTORY, NEW, OLD, World, group

INVENTORY_FILE = "simulation/clusters.yaml"


def inventory_of(clusters: list[str]) -> str:
    """Return an inventory of these clusters alone, whose upgrades are quick."""
    rows = [f"    - {{name: {name}, labels: {{group: web}}, kafkaVersion: {OLD}}}\n" for name in clusters]
    return INVENTORY.partition("    - ")[0] + "".join(rows)


def test_a_cluster_that_vanishes_in_mid_wave_gives_its_slot_to_the_next(tmp_path: Path) -> None:
    """
    It has left after three readings without it, the others go on one at a time, and the rollout ends without it.
    """
    world = World(tmp_path)
    world.repository.publish({INVENTORY_FILE: INVENTORY.replace("perBroker: 400ms", "perBroker: 1h")}, "Be slow")
    one_at_a_time = "      - {name: all, size: rest, maxInFlight: 1, soak: 600ms}\n"
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        head, _, rest = group(NEW).partition("      - {name: canary")
        world.repository.publish({GROUP: head + one_at_a_time + rest.partition("\n")[2].partition("\n")[2]}, "Upgrade")
        daemon.await_for(lambda: bool(world.started()), "a cluster in flight")
        (vanished,) = world.started()
        others = sorted(set(CLUSTERS) - {vanished})

        gone = world.repository.publish({INVENTORY_FILE: inventory_of([name.partition("/")[2] for name in others])})

        daemon.await_for(world.has(gone, f"success: web → {NEW}: all 2 clusters"), "success")
        assert 0 == daemon.stop()

    assert [vanished, *others] == [world.started()[0], *sorted(world.started()[1:])]
    assert others == sorted(entry.cluster for entry in world.entries() if isinstance(entry, ClusterConverged))
