"""Two daemons on one ledger: one writes, the other says whose turn it is, waits, and takes over."""

from pathlib import Path

from tests.processes.worlds import CLUSTERS, NEW, World


def test_a_second_daemon_stands_by_and_takes_over_when_the_first_is_killed(tmp_path: Path) -> None:
    """
    While it stands by it is alive, not ready, and says who holds the ledger; nothing is started twice.
    """
    world = World(tmp_path)
    with world.daemon("first") as first, world.daemon("second") as second:
        first.await_for(lambda: first.is_ready() or second.is_ready(), "one of them to hold the ledger")
        writer, waiting = (first, second) if first.is_ready() else (second, first)
        waiting.await_for(waiting.not_ready_for(f"process {writer.pid} "), "the other to name the holder")
        assert (200, {"alive": True}) == waiting.get("/healthz")
        assert (1, 0) == (writer.metric("wavefleet_leader"), waiting.metric("wavefleet_leader"))
        merged = world.bump()
        writer.await_for(lambda: bool(world.started()), "a cluster in flight")

        writer.kill()

        waiting.await_for(waiting.is_ready, "the other to take over")
        waiting.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert 1 == waiting.metric("wavefleet_leader")
        assert 0 == waiting.stop()

    assert sorted(CLUSTERS) == sorted(world.started())
    assert [True] == [f"process {writer.pid} " in line["why"] for line in waiting.lines("standing_by")]


def test_a_daemon_that_stands_by_leaves_when_told(tmp_path: Path) -> None:
    """
    It never wrote anything, and the other goes on.
    """
    world = World(tmp_path)
    with world.daemon("first") as first:
        first.await_for(first.is_ready, "the first to be ready")
        with world.daemon("second") as second:
            second.await_for(second.not_ready_for(f"process {first.pid} "), "the second to stand by")
            assert 0 == second.stop()
        assert first.is_ready()
