"""People and programs beside a running daemon: commands that are answered, and what is served over HTTP."""

from pathlib import Path

from tests.processes.worlds import NEW, World


def test_a_running_daemon_answers_halt_and_resume(tmp_path: Path) -> None:
    """
    The command waits for the daemon's next cycle and prints what came of it.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        assert "web is halted as web-1\n" == world.cli("halt", "web", "--reason", "INC-4711", "--by", "ana")
        merged = world.bump()
        daemon.await_for(world.has(merged, "failure: web → 4.3.1: "), "the halt to be told")
        assert "halted as web-1 by ana: INC-4711" in world.notes(merged)["wavefleet/web"]
        assert [] == world.started()

        assert "resumed web-1\n" == world.cli("resume", "web", "--reason", "fixed")

        daemon.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert "nothing changed: web is not halted\n" == world.cli("resume", "web", code=1)
        assert "nothing changed: no group is called nobody\n" == world.cli("halt", "nobody", "--reason", "x", code=1)
        assert 0 == daemon.stop()


def test_probes_and_metrics_are_served_while_cycles_run(tmp_path: Path) -> None:
    """
    Alive, ready once a cycle has ended well, and metrics that count.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        assert (200, {"alive": True}) == daemon.get("/healthz")
        assert (200, {"ready": True}) == daemon.get("/readyz")
        assert 404 == daemon.get("/secrets")[0]
        assert (3, 3) == (
            daemon.metric("wavefleet_group_clusters", group="web"),
            daemon.metric("wavefleet_group_clusters_done", group="web"),
        )
        cycles = daemon.metric("wavefleet_cycles_total", result="ok")
        daemon.await_for(lambda: daemon.metric("wavefleet_cycles_total", result="ok") > cycles, "another cycle")
        assert 0 == daemon.stop()


def test_a_port_that_is_taken_is_told_at_the_start(tmp_path: Path) -> None:
    """
    As a setting to be mended, and no cycle is run.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        world.settings |= {"listen": daemon.lines("web_started")[-1]["address"], "ledger": tmp_path / "other.db"}

        world.cli("run", code=2)
