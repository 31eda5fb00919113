"""The main job by the daemon as a process: a merged bump goes through the fleet, whatever happens to the process."""

from pathlib import Path

from controller.history.entries import ClusterConverged, ClusterStarted, StartAccepted, WaveAdmitted, WaveSoaked
from tests.processes.worlds import CLUSTERS, NEW, OLD, World
from tests.real.git_server import GitServer


def test_a_merged_bump_goes_through_the_fleet_wave_by_wave(tmp_path: Path) -> None:
    """
    The commit's notes end with success, the second wave followed the first one's soak, and SIGTERM is a clean end.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(world.has(world.first, f"success: web → {OLD}: all 3 clusters on target"), "a first success")
        merged = world.bump()
        daemon.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged and soaked"), "success")
        daemon.await_for(world.has(merged, "success: 3 of 3 clusters", "wavefleet/fleet"), "the fleet's success")
        status = world.status()
        assert 0 == daemon.stop()

    assert f"Upgrade to {NEW}\nsuccess wavefleet/config: valid" in world.log_with_notes()
    assert (NEW, 3, 0, 3, []) == tuple(status[name] for name in ("target", "done", "inFlight", "of", "holds"))
    assert sorted(CLUSTERS) == sorted(world.started())
    entries = world.entries()
    soaked = [entry.wave for entry in entries if isinstance(entry, WaveSoaked)]
    admitted = {entry.wave: entries.index(entry) for entry in entries if isinstance(entry, WaveAdmitted)}
    first_soaked = next(place for place, entry in enumerate(entries) if isinstance(entry, WaveSoaked))
    assert [1, 2] == soaked
    assert admitted[1] < first_soaked < admitted[2]


def test_sigterm_finishes_the_cycle_in_hand(tmp_path: Path) -> None:
    """
    A start that the cycle was about to make is recorded, taken and known to be; then the process leaves.
    """
    world = World(tmp_path)
    with GitServer(tmp_path / "remote") as server, world.daemon(repository=server.url("fleet.git")) as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        server.slow(2)
        world.bump()
        server.forget()
        server.await_requests(1)
        daemon.ask_to_leave()
        daemon.await_for(lambda: bool(daemon.lines("daemon_stopping")), "the daemon to hear of it")
        server.behave()

        assert 0 == daemon.stop()

    assert [True] == [line["cycle_in_hand"] for line in daemon.lines("daemon_stopping")]
    (started,) = world.started()
    assert [started] == [entry.cluster for entry in world.entries() if isinstance(entry, StartAccepted)]


def test_kill_9_in_the_middle_of_a_wave_changes_nothing_but_the_time(tmp_path: Path) -> None:
    """
    Killed with a cluster in flight, and again with the wave soaking: every cluster is started once, in order.
    """
    world = World(tmp_path)
    with world.daemon() as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        merged = world.bump()
        daemon.await_for(world.has_entry(ClusterStarted), "a cluster in flight")
        daemon.kill()
        daemon.start()
        daemon.await_for(world.has_entry(ClusterConverged), "a soaking wave")
        daemon.kill()
        daemon.start()
        daemon.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert 0 == daemon.stop()

    assert sorted(CLUSTERS) == sorted(world.started())
    assert [1, 2] == [entry.wave for entry in world.entries() if isinstance(entry, WaveAdmitted)]
    assert [1, 2] == [entry.wave for entry in world.entries() if isinstance(entry, WaveSoaked)]


def test_observe_mode_starts_nothing_and_says_so_everywhere(tmp_path: Path) -> None:
    """
    How people come to trust it first: the plan is in the statuses, and the fleet is as it was.
    """
    world = World(tmp_path, mode="observe")
    with world.daemon() as daemon:
        merged = world.bump()
        daemon.await_for(world.has(merged, "pending: observe mode: "), "a status")
        cycles = daemon.metric("wavefleet_cycles_total", result="ok")
        daemon.await_for(lambda: daemon.metric("wavefleet_cycles_total", result="ok") > cycles + 3, "more cycles")
        told = world.notes(merged)
        assert 0 == daemon.stop()

    assert [] == world.started()
    assert "would start web-" in told["wavefleet/web"]
    assert all("observe mode: " in text for context, text in told.items() if context != "wavefleet/config"), told
    threads = [line for line in daemon.lines() if line["event"] in {"rollout_told", "rollout_reply"}]
    assert all("starting" not in str(line) for line in threads), threads
