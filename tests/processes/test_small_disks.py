"""The ledger on disks of its own, real mounts: read-only, full, or with a file that was torn. Nothing is applied."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

import pytest

from tests.processes.test_ledgers import wishes
from tests.processes.worlds import NEW, World
from tests.real_parts import require

DISK = "size=3m"
_CHUNK = bytes(4096)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes, for a test that root runs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    require(os.geteuid() == 0, "a disk of its own takes root's right to mount")
    mounted = run("mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder))
    require(mounted.returncode == 0, f"a disk of its own takes the right to mount: {mounted.stderr.strip()}")
    yield folder
    run("umount", "--lazy", str(folder))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the machine."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def world_on(folder: Path, disk: Path) -> World:
    """Return a fleet whose ledger lies on ``disk``; Git's objects do not."""
    world = World(folder, ledger=disk / "ledger.db", cache=folder / "cache")
    world.ledger = disk / "ledger.db"
    return world


def has_room_for(file: RawIOBase, chunk: bytes) -> bool:
    """Write a chunk; tell whether the disk took it."""
    try:
        return bool(file.write(chunk))
    except OSError:
        return False


@contextmanager
def a_full(disk: Path) -> Iterator[None]:
    """Let there be no room left, until the end."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while has_room_for(file, _CHUNK):
            pass
    yield
    ballast.unlink()


def test_while_the_disk_is_full_nothing_is_applied(tmp_path: Path, disk: Path) -> None:
    """
    The reason is told by ``/readyz``, the process lives, and goes on by itself when there is room.
    """
    world = world_on(tmp_path, disk)
    with world.daemon() as daemon:
        daemon.await_for(world.has(world.first, "success"), "a first success")
        with a_full(disk):
            merged = world.bump()
            daemon.await_for(daemon.not_ready_for("ledger.db"), "the reason")
            assert any("found the disk full" in line["why"] for line in daemon.lines("cycle_failed"))
            assert (200, {"alive": True}) == daemon.get("/healthz")
            assert [] == wishes(world)
            assert [] == world.started()

        daemon.await_for(world.has(merged, f"success: web → {NEW}: all 3 clusters converged"), "success")
        assert 0 == daemon.stop()


def test_on_a_read_only_disk_the_daemon_does_not_begin(tmp_path: Path, disk: Path) -> None:
    """
    Exit code 4 and a sentence that names the file and what to mend.
    """
    world = world_on(tmp_path, disk)
    world.cli("cycle")
    remounted = run("mount", "-o", "remount,ro", str(disk))
    assert 0 == remounted.returncode, remounted.stderr
    world.bump()

    daemon = world.daemon()
    daemon.start()

    assert 4 == daemon.wait()
    assert f"wavefleet: {world.ledger}" in daemon.text()
    assert "expected a file in a folder that this user may read and write" in daemon.text()
    assert "Traceback" not in daemon.text()
    assert [] == wishes(world)


def test_a_torn_file_ends_the_daemon_at_its_start(tmp_path: Path) -> None:
    """
    A copy that was cut off by a full disk, say: exit code 4, what was found and what to do, and nothing is applied.
    """
    world = World(tmp_path)
    world.cli("cycle")
    os.truncate(world.ledger, world.ledger.stat().st_size // 2)
    world.bump()

    daemon = world.daemon()
    daemon.start()

    assert 4 == daemon.wait()
    assert f"wavefleet: {world.ledger}: found it damaged" in daemon.text()
    assert "bring back a backup" in daemon.text()
    assert [] == wishes(world)
