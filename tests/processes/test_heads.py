"""Bad days of the fleet repository, seen by the daemon as a process: it fails static, says so, and recovers."""

from pathlib import Path

from tests.processes.worlds import GROUP, NEW, OLD, World, group
from tests.real.git_server import GitServer

INVALID = "apiVersion: wavefleet.io/v1\nkind: ClusterGroup\nmetadata: {name: web}\nspec: {kafkaVersion: 4.10}\n"


def test_an_invalid_head_is_told_and_holds_until_the_next_commit(tmp_path: Path) -> None:
    """
    Its status has file, line and field; nothing new starts meanwhile, not even what an earlier commit asked for.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        invalid = world.repository.publish({GROUP: INVALID})
        config = "wavefleet/config"
        daemon.await_for(world.has(invalid, f"error: {GROUP}:4: spec", config), "the refusal")
        daemon.await_for(lambda: daemon.metric("wavefleet_holds", reason="RevisionInvalid") > 0, "the hold")
        assert 0 == daemon.metric("wavefleet_revision_valid")
        assert [] == world.started()

        mended = world.bump()

        daemon.await_for(world.has(mended, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert world.notes(mended)[config].startswith("success: ")
        assert world.notes(invalid)[config].startswith("error: ")
        assert 0 == daemon.stop()


def test_a_remote_that_vanishes_holds_once_the_head_is_stale_and_recovers(tmp_path: Path) -> None:
    """
    What was merged before it vanished and not seen waits; the hold says since when.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        bring_back = world.take_repository_away()
        daemon.await_for(lambda: daemon.metric("wavefleet_holds", reason="RevisionStale") > 0, "the hold")
        assert daemon.metric("wavefleet_calls_total", system="git", outcome="failed") > 0
        bring_back()
        daemon.await_for(lambda: daemon.metric("wavefleet_holds", reason="RevisionStale") == 0, "the end of the hold")

        merged = world.bump()

        daemon.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert 0 == daemon.stop()


def test_a_remote_that_hangs_holds_within_its_time_limit_and_recovers(tmp_path: Path) -> None:
    """
    In the middle of a rollout: what is in flight is followed to its end, and the next wave waits.
    """
    world = World(tmp_path, git_timeout="1s")
    with GitServer(tmp_path / "remote") as server, world.daemon(repository=server.url("fleet.git")) as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        world.bump()
        daemon.await_for(lambda: bool(world.started()), "a cluster in flight")
        server.hang()
        daemon.await_for(lambda: daemon.metric("wavefleet_holds", reason="RevisionStale") > 0, "the hold")
        daemon.await_for(lambda: daemon.metric("wavefleet_group_clusters_done", group="web") == 1, "the canary's end")
        assert 1 == len(world.started())

        server.behave()

        daemon.await_for(lambda: daemon.metric("wavefleet_group_clusters_done", group="web") == 3, "the fleet's end")
        assert 0 == daemon.stop()


def test_a_rewritten_history_holds_until_a_person_accepts_it(tmp_path: Path) -> None:
    """
    The new head's status says so, and ``resume --revision`` goes on from it.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        world.repository.publish({GROUP: group(OLD, soak="700ms")}, "Soak longer")
        daemon.await_for(world.has(world.repository.head, "success", "wavefleet/fleet"), "the commit to be in force")
        world.repository.reset(world.first)
        world.repository.write({GROUP: group(NEW)})
        rewritten = world.repository.commit("Upgrade, on another history")
        world.repository.push(force=True)
        daemon.await_for(world.has(rewritten, "error: history was rewritten", "wavefleet/config"), "the refusal")
        assert daemon.metric("wavefleet_holds", reason="HistoryRewritten") > 0
        assert [] == world.started()

        said = world.cli("resume", "--revision", rewritten[:12], "--reason", "looked at it")

        assert f"revision {rewritten[:12]} is accepted" in said
        daemon.await_for(world.has(rewritten, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert 0 == daemon.stop()


def test_a_daemon_whose_remote_was_never_there_says_so_and_waits(tmp_path: Path) -> None:
    """
    It is alive and not ready, and begins as soon as the repository comes.
    """
    world = World(tmp_path)
    bring_back = world.take_repository_away()
    with world.daemon() as daemon:
        daemon.await_for(daemon.not_ready_for("fleet.git"), "the reason")
        assert 200 == daemon.get("/healthz")[0]
        assert daemon.lines("cycle_failed")
        bring_back()

        daemon.await_for(daemon.is_ready, "the first cycle")
        assert 0 == daemon.stop()
