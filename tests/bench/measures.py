"""The figures that the product promises, each a ratio within one run, with its bound."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from controller.core.plan import plan_cycle
from controller.gitcommand import GitCommand, GitRemote
from controller.model.snapshot import Snapshot
from controller.reports.logs import LogStyle, Redaction, set_up_logs
from controller.repository.blobs import BlobCache
from controller.repository.declare import load
from controller.repository.git_source import GitRepository
from controller.settings import load_settings
from controller.wiring.running import assemble
from tests.bench.fleets import snapshot_in_motion
from tests.real.repositories import FleetRepository

ROUNDS = 25
RESIDENT_MB_MAX = 250


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside what it may be at most."""

    name: str
    value: float
    bound: float
    how: str
    """The absolute numbers behind it, for scale."""

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.value <= self.bound


def best_of(rounds: int, run: Callable[[], object]) -> float:
    """Return the shortest of ``rounds`` runs in seconds: the machine's other work only ever adds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def judgement() -> Iterator[Figure]:
    """Measure ``plan_cycle`` against a loop that only compares, and against itself at other sizes."""
    handed_on = snapshot_in_motion(10_000)
    small, middle, large = (
        with_all_new(snapshot) for snapshot in (snapshot_in_motion(1_000), handed_on, snapshot_in_motion(100_000))
    )
    bare = best_of(9, lambda: bare_loop(middle))
    took = best_of(7, lambda: plan_cycle(middle))
    took_over = best_of(7, lambda: plan_cycle(handed_on))
    yield Figure(
        "plan_cycle, 10,000 clusters in 50 groups with ten rollouts in motion, against a bare comparing loop",
        took / bare,
        60,
        f"{took * 1e3:.0f} ms where every cluster is read anew, {took_over * 1e3:.0f} ms where none shows anything new,"
        f" against {bare * 1e3:.2f} ms",
    )
    per_small = best_of(9, lambda: plan_cycle(small)) / 1_000
    per_large = best_of(3, lambda: plan_cycle(large)) / 100_000
    yield Figure(
        "plan_cycle, cost per cluster at 100,000 against 1,000",
        per_large / per_small,
        2.5,
        f"{per_large * 1e6:.1f} µs against {per_small * 1e6:.1f} µs; 100,000 clusters take {per_large * 1e5:.2f} s",
    )


def with_all_new(snapshot: Snapshot) -> Snapshot:
    """Return ``snapshot`` with nothing to take over from the cycle before: every cluster counts as news."""
    return replace(snapshot, memory=replace(snapshot.memory, known={}, membership=None, waves={}, rested={}))


def bare_loop(snapshot: Snapshot) -> int:
    """Compare each cluster's observed release with its target, and nothing else."""
    targets = {group.name: group.target for group in snapshot.declaration.groups}
    drifted = 0
    for cluster in snapshot.observation.clusters.values():
        if cluster.reading.release != targets[cluster.labels["group"]]:  # type: ignore[union-attr]
            drifted += 1
    return drifted


def loading() -> Iterator[Figure]:
    """Measure loading 2,000 declared clusters in 200 files after a commit that changes one of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet = FleetRepository(folder)
        files = fleet_files(200, 10)
        head = fleet.publish(files)
        command = GitCommand(GitRemote(fleet.url))
        repository = GitRepository(command, branch="main", cache_directory=folder / "cache")
        repository.fetch(None)
        warm_cache = BlobCache()
        load(repository.tree(head), warm_cache)
        cold, warm = [], []
        for number in range(7):
            path = f"groups/g-{number:03}.yaml"
            head = fleet.publish({path: files[path].replace("4.1.2", "4.3.1")})
            repository.fetch(head)
            tree = repository.tree(head)
            cold.append(best_of(1, partial(load, tree, BlobCache())))
            warm.append(best_of(1, partial(load, tree, warm_cache)))
    yield Figure(
        "loading 200 files after one of them changed, against cold",
        min(warm) / min(cold),
        0.1,
        f"{min(warm) * 1e3:.0f} ms against {min(cold) * 1e3:.0f} ms, from Git's local objects in both",
    )


def fleet_files(groups: int, clusters_per_group: int) -> dict[str, str]:
    """Return a fleet repository's files by path."""
    head = "apiVersion: wavefleet.io/v1\nkind: "
    files = {
        "fleet.yaml": f"{head}Fleet\nmetadata: {{name: bench}}\nspec:\n"
        "  sources: [{name: sim, type: simulated, inventory: simulation/clusters.yaml}]\n",
        "simulation/clusters.yaml": f"{head}Inventory\nspec:\n  clusters:\n"
        f'    - {{generate: {{count: {groups * clusters_per_group}, name: "c-{{n:06}}"}}, kafkaVersion: 4.1.2}}\n',
    }
    for number in range(groups):
        first = number * clusters_per_group + 1
        names = ", ".join(f"c-{first + each:06}" for each in range(clusters_per_group))
        files[f"groups/g-{number:03}.yaml"] = (
            f"{head}ClusterGroup\nmetadata: {{name: g-{number:03}}}\nspec:\n"
            f"  kafkaVersion: 4.1.2\n  clusters: {{names: [{names}]}}\n"
        )
    return files


@contextmanager
def served_fleet(folder: Path, groups: int, clusters_per_group: int) -> Iterator[str]:
    """Serve a fleet repository over HTTP on loopback, from a process of its own, and yield its URL."""
    FleetRepository(folder).publish(fleet_files(groups, clusters_per_group))
    program = (
        "import sys, time; from pathlib import Path; from tests.real.git_server import GitServer\n"
        "server = GitServer(Path(sys.argv[1])); server.start(); print(server.url('fleet.git'), flush=True)\n"
        "sys.stdin.read(); server.stop()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(30)


def idle_cycle() -> Iterator[Figure]:
    """Measure a whole idle cycle against a bare ``git ls-remote`` of the same remote over HTTP."""
    with tempfile.TemporaryDirectory() as name, served_fleet(Path(name), 200, 10) as url:
        folder = Path(name)
        set_up_logs(sys.stderr, LogStyle(json=False, level="error"), Redaction())
        given = {"repository": url, "ledger": str(folder / "ledger.db"), "listen": "off", "status_channel": "none"}
        running = assemble(load_settings(given, {}))
        running.ledger.acquire("bench", running.clock.now())
        for _ in range(3):
            running.controller.run_cycle()
        bare, cycles = [], []
        for _ in range(ROUNDS):  # in turn, so that both see the same machine
            bare.append(best_of(1, lambda: ls_remote(url)))
            cycles.append(best_of(1, running.controller.run_cycle))
        running.close()
    one, other = statistics.median(cycles), statistics.median(bare)
    yield Figure(
        "an idle cycle at 2,000 clusters, against a bare git ls-remote over HTTP on loopback",
        one / other,
        2,
        f"{one * 1e3:.0f} ms against {other * 1e3:.0f} ms, medians of {ROUNDS} in turn",
    )


def ls_remote(url: str) -> None:
    """Ask the remote for its branch, as a person would."""
    subprocess.run(["git", "ls-remote", "--heads", url, "refs/heads/main"], check=True, capture_output=True)


def resident_memory() -> Iterator[Figure]:
    """Measure the resident memory of a daemon process that has run cycles over 10,000 clusters."""
    with tempfile.TemporaryDirectory() as name, served_fleet(Path(name), 200, 50) as url:
        highest = daemon_resident_mb(url, Path(name), seconds=25)
    yield Figure(
        "resident memory of the daemon at 10,000 clusters, in MB", highest, RESIDENT_MB_MAX, "over 25 s of cycles"
    )


def daemon_resident_mb(url: str, folder: Path, seconds: float) -> float:
    """Return the highest resident memory of a daemon process over the repository ``url``; its log is in ``folder``."""
    settings = {"REPOSITORY": url, "LEDGER": str(folder / "daemon.db"), "LISTEN": "off", "INTERVAL": "500ms"}
    environment = os.environ | {f"WAVEFLEET_{key}": value for key, value in settings.items()}
    command = [sys.executable, "-m", "controller", "run"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            return _highest_resident_mb(process, seconds)
        finally:
            process.terminate()
            process.wait(60)


def _highest_resident_mb(process: "subprocess.Popen[bytes]", seconds: float) -> float:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the daemon ended"
        time.sleep(0.5)
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no high-water mark")
