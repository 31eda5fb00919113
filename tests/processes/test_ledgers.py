"""A ledger that cannot be trusted or written: the daemon says so, and touches no cluster."""

import json
import resource
import sqlite3
from pathlib import Path

import pytest

from tests.processes.worlds import FLEET, NEW, World

FRAME_BYTES = 4096
"""No entry of the ledger fits into so few bytes, and every object of a small commit does."""


def test_a_full_disk_stops_starts_and_is_recovered_from(tmp_path: Path) -> None:
    """
    What cannot be recorded is not applied: no cluster is asked for anything until there is room again.
    """
    world = World(tmp_path)
    with world.daemon().leaving_bytecode_alone() as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (FRAME_BYTES, resource.RLIM_INFINITY))
        merged = world.bump()
        daemon.await_for(daemon.not_ready_for("ledger.db"), "the reason")
        assert [] == wishes(world)
        assert [] == world.started()

        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, limits)

        daemon.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert 0 == daemon.stop()


def wishes(world: World) -> list[str]:
    """Return the clusters that the simulated fleet was ever asked to upgrade."""
    state = json.loads((world.ledger.parent / "ledger.sim.simulated.json").read_text())
    return sorted(state["clusters"])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE ledger SET schema_version = 99", "found schema version 99"),
        ("UPDATE ledger SET last_sequence = last_sequence + 1", "entries are torn off"),
        ("DROP TABLE ledger", "found a database that is no ledger"),
    ],
)
def test_a_ledger_that_cannot_be_trusted_ends_the_daemon_at_its_start(
    tmp_path: Path, damage: str, sentence: str
) -> None:
    """
    Exit code 4, one sentence with the file, and no cycle.
    """
    world = World(tmp_path, listen="off")
    world.cli("cycle")
    with sqlite3.connect(world.ledger) as connection:
        connection.execute(damage)
    connection.close()
    merged = world.bump()

    daemon = world.daemon()
    daemon.start()

    assert 4 == daemon.wait()
    assert f"wavefleet: {world.ledger}: " in daemon.text()
    assert sentence in daemon.text()
    assert "Traceback" not in daemon.text()
    assert {} == world.notes(merged)
    assert [] == wishes(world)


def test_another_fleets_ledger_is_never_written_to(tmp_path: Path) -> None:
    """
    A repository that was mistaken for another: the daemon is not ready and says whose ledger it is.
    """
    world = World(tmp_path)
    world.cli("cycle")
    before = world.entries()
    world.repository.publish({"fleet.yaml": FLEET.replace("acme", "other")})
    with world.daemon() as daemon:
        world.bump()
        daemon.await_for(
            daemon.not_ready_for("found the ledger of fleet 'acme', expected one of 'other'"), "the reason"
        )
        assert 0 == daemon.stop()

    assert before == world.entries()
    assert [] == wishes(world)
