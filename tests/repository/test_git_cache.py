"""Our copy of the repository is shared, heals, stays small, and does not lose what may still be in force."""

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import RepositoryError
from controller.gitcommand import GitCommand, GitError, GitRemote
from controller.repository.git_cache import KEPT_MAX, PACKS_MAX, GitCache
from tests.real.repositories import FleetRepository
from tests.repository.git_histories import add_commits


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepository:
    """A repository with one commit."""
    repository = FleetRepository(tmp_path)
    repository.publish({"fleet.yaml": "x: 1\n"})
    return repository


@pytest.fixture
def cache(fleet: FleetRepository, tmp_path: Path) -> GitCache:
    """Our copy of it, not made yet."""
    return a_cache(fleet, tmp_path / "cache")


@pytest.fixture
def locked(cache: GitCache) -> Iterator[GitCache]:
    """Our copy of it, fetched and locked."""
    with cache.locked():
        cache.fetch_branch("main", depth=1)
        yield cache


def a_cache(fleet: FleetRepository, directory: Path, *, limit_seconds: float = 60) -> GitCache:
    """A copy of ``fleet``."""
    return GitCache(directory, GitCommand(GitRemote(fleet.url), limit_seconds=limit_seconds))


def test_only_one_at_a_time(cache: GitCache, fleet: FleetRepository, tmp_path: Path) -> None:
    """
    Who finds the copy in use waits for it, and no longer than its time limit.
    """
    hasty = a_cache(fleet, tmp_path / "cache", limit_seconds=0.2)
    patient = a_cache(fleet, tmp_path / "cache")
    entered = threading.Event()

    def enter() -> None:
        with patient.locked():
            entered.set()

    waiting = threading.Thread(target=enter)
    with cache.locked():
        with (
            pytest.raises(RepositoryError, match=r"another Wavefleet has been reading here for 0\.2 s"),
            hasty.locked(),
        ):
            pytest.fail("it is locked")
        waiting.start()
        assert not entered.is_set()
    waiting.join(10)

    assert entered.is_set()


def test_what_a_killed_process_left_is_cleared(cache: GitCache, fleet: FleetRepository) -> None:
    """
    Lock files and half a pack of a process that was killed are gone when the next one begins.
    """
    with cache.locked():
        cache.fetch_branch("main", depth=1)
    leftovers = [
        cache.git_dir / "shallow.lock",
        cache.git_dir / "packed-refs.lock",
        cache.git_dir / "refs/wavefleet/head.lock",
        cache.git_dir / "objects/pack/tmp_pack_x1",
    ]
    for leftover in leftovers:
        leftover.touch()
    with cache.locked():
        assert [] == [leftover for leftover in leftovers if leftover.exists()]
        assert fleet.publish({"fleet.yaml": "x: 2\n"}) == cache.fetch_branch("main", depth=1)


def test_a_replacement_that_fails_is_taken_back(locked: GitCache, fleet: FleetRepository) -> None:
    """
    The old copy goes only when the new one works; if the process dies in between, the next one takes it back.
    """
    with pytest.raises(GitError), locked.replaced():
        locked.fetch_branch("absent", depth=1)
    assert locked.has(fleet.pushed)
    with locked.replaced():
        assert not locked.has(fleet.pushed)
    assert not locked.has(fleet.pushed)
    assert ["lock", "repository.git"] == sorted(path.name for path in locked.git_dir.parent.iterdir())


def test_a_process_killed_while_replacing_loses_nothing(cache: GitCache, fleet: FleetRepository) -> None:
    """
    A copy that was set aside by a process that then died is used again.
    """
    with cache.locked():
        cache.fetch_branch("main", depth=1)
    cache.git_dir.rename(cache.git_dir.with_name("torn.git"))
    cache.git_dir.mkdir()
    with cache.locked():
        assert cache.has(fleet.pushed)


def test_kept_revisions_outlive_tidying(locked: GitCache, fleet: FleetRepository) -> None:
    """
    A revision that the remote rewrote away stays readable while it is kept, and goes when it is not.
    """
    kept = fleet.publish({"fleet.yaml": "x: 2\n"})
    locked.fetch_branch("main", depth=1)
    locked.keep("valid", kept)
    fleet.reset("HEAD~1")
    fleet.write({"fleet.yaml": "x: 3\n"})
    dropped = fleet.commit("Other")
    fleet.push(force=True)
    locked.fetch_branch("main", depth=1)
    fleet.reset("HEAD~1")
    fleet.write({"fleet.yaml": "x: 4\n"})
    fleet.commit("Another")
    fleet.push(force=True)
    locked.fetch_branch("main", depth=1)
    many_small_packs(locked)
    locked.tidy()

    assert locked.has(kept)
    assert not locked.has(dropped)
    assert len(list((locked.git_dir / "objects/pack").glob("*.pack"))) <= 2


def test_the_newest_are_kept_and_shelves_do_not_push_each_other(locked: GitCache, fleet: FleetRepository) -> None:
    """
    Each shelf holds so many revisions; keeping one again renews it.
    """
    add_commits(fleet, "fleet.yaml", [f"x: {number}\n" for number in range(KEPT_MAX + 3)])
    locked.fetch_branch("main", depth=100)
    revisions = fleet.git("rev-list", "--reverse", "HEAD").splitlines()[1:]
    locked.keep("since", revisions[0])
    locked.keep("valid", revisions[0])
    locked.keep("valid", revisions[1])
    locked.keep("valid", revisions[0])
    for revision in revisions[2:]:
        locked.keep("valid", revision)
        locked.keep("valid", revision)
    held = locked.run("for-each-ref", "--format=%(objectname)", "refs/wavefleet/valid/").splitlines()

    assert revisions[-KEPT_MAX:] == held
    assert revisions[0] == locked.run("for-each-ref", "--format=%(objectname)", "refs/wavefleet/since/")


def test_a_disk_that_cannot_be_used_is_told(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A cache directory that is no folder is told with its path and what it must be.
    """
    (tmp_path / "file").touch()
    with (
        pytest.raises(RepositoryError, match="cache directory cannot be used"),
        a_cache(fleet, tmp_path / "file").locked(),
    ):
        pytest.fail("there is no folder")


def test_the_lock_goes_with_its_process(cache: GitCache) -> None:
    """
    The lock is the kernel's: a lock file that lies there means nothing.
    """
    with cache.locked():
        pass
    with (cache.git_dir.parent / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def many_small_packs(cache: GitCache) -> None:
    """Leave the copy as many fetches would: in need of tidying."""
    for number in range(PACKS_MAX + 1):
        blob = cache.run("hash-object", "-w", "--stdin", stdin=f"filler {number}".encode())
        cache.run("pack-objects", "--quiet", str(cache.git_dir / "objects/pack/pack"), stdin=f"{blob}\n".encode())
