"""The Git source costs one ls-remote where nothing changed, sees bad days through, and keeps to its bounds."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.errors import RepositoryError, SettingsError
from controller.gitcommand import GitCommand, GitError, GitFault, GitRemote
from controller.ports import Head
from controller.repository.git_source import FAR_COMMITS, NEAR_COMMITS, GitRepository
from tests.real.git_server import GitRequest, GitServer
from tests.real.repositories import FleetRepository, run_git
from tests.real.ssh_server import free_port
from tests.repository.git_histories import add_commits
from tests.repository.git_worlds import SECRET, GitWorld, a_fleet, a_group, bump, git_world, rewrite


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitWorld]:
    """A small fleet behind an HTTP server that remembers what it was asked."""
    with git_world("http", tmp_path) as made:
        yield made


def asked(world: GitWorld) -> list[str]:
    """What the server was asked since this was asked last."""
    assert world.server is not None
    commands = list(world.server.commands)
    world.server.forget()
    return commands


def test_an_idle_fetch_is_one_ls_remote_and_nothing_else(world: GitWorld) -> None:
    """
    While the head stays, each look is one ls-remote, and our copy is not even opened.
    """
    repository = world.repository()
    head = repository.fetch(None)
    repository.load(head.revision)
    asked(world)
    world.cache.rename(world.cache.with_name("away"))
    for since in (head.revision, None, head.revision):
        assert head == repository.fetch(since)
        assert ["ls-refs"] == asked(world)
        assert "acme" == repository.load(head.revision).fleet
        assert {} == repository.declared_by(head.revision, head.revision)

    assert [] == asked(world)
    assert not world.cache.exists()


def test_an_idle_cycle_starts_one_program(world: GitWorld, tmp_path: Path) -> None:
    """
    The look at the remote is the only program that an idle cycle starts.
    """
    started = tmp_path / "started"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$1" >> {started}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    environment = {**os.environ, "PATH": os.pathsep.join([str(wrapper.parent), os.environ["PATH"]])}
    command = [sys.executable, "-c", IDLE_CYCLE, world.remote.url, str(world.cache), str(started)]
    subprocess.run(command, env=environment, check=True, timeout=60)

    assert "ls-remote\n" == started.read_text()


IDLE_CYCLE = """
import pathlib, sys
from controller.gitcommand import GitCommand, GitRemote
from controller.repository.git_source import GitRepository

url, cache, started = sys.argv[1:]
repository = GitRepository(GitCommand(GitRemote(url)), branch="main", cache_directory=pathlib.Path(cache))
revision = repository.fetch(None).revision
repository.load(revision)
pathlib.Path(started).unlink()
assert revision == repository.fetch(revision).revision
repository.load(revision)
repository.declared_by(revision, revision)
"""


def test_a_restart_with_the_head_here_fetches_nothing(world: GitWorld) -> None:
    """
    What a process before us fetched is used: the first look is one ls-remote too.
    """
    head = world.repository().fetch(None)
    asked(world)

    assert head == world.repository().fetch(head.revision)
    assert ["ls-refs"] == asked(world)


def test_a_held_rewrite_is_found_out_once(world: GitWorld) -> None:
    """
    While rewritten history waits for a person, every further look is one ls-remote.
    """
    repository = world.repository()
    first = repository.fetch(None).revision
    seen = bump(world.fleet, "4.3.1")
    repository.fetch(first)
    rewritten = rewrite(world.fleet, first, "4.2.1")
    repository.fetch(seen)
    asked(world)

    assert Head(rewritten, descends=False) == repository.fetch(seen)
    assert ["ls-refs"] == asked(world)


def test_a_small_change_is_one_fetch(world: GitWorld) -> None:
    """
    A new commit costs one ls-remote and one fetch.
    """
    repository = world.repository()
    seen = repository.fetch(None).revision
    asked(world)
    bumped = bump(world.fleet, "4.3.1")

    assert Head(bumped, descends=True) == repository.fetch(seen)
    assert ["ls-refs", "ls-refs", "fetch"] == asked(world)[:3]
    assert 1 == len(
        [path for path in (world.cache / "repository.git/refs/wavefleet").rglob("*") if path.name == "head"]
    )


@pytest.mark.parametrize("commits", [NEAR_COMMITS - 1, NEAR_COMMITS + 1, FAR_COMMITS - 1])
def test_history_is_deepened_to_the_last_seen_head(world: GitWorld, commits: int) -> None:
    """
    However many commits came, up to the bound, the descent is found, and who declared what.
    """
    repository = world.repository()
    seen = repository.fetch(None).revision
    bumped = bump(world.fleet, "4.3.1")
    add_commits(world.fleet, "README.md", [f"{number}\n" for number in range(commits - 1)])
    head = repository.fetch(seen)

    assert Head(world.fleet.pushed, descends=True) == head
    assert {"payments": bumped} == repository.declared_by(seen, head.revision)


def test_a_history_beyond_the_bound_counts_as_rewritten(world: GitWorld) -> None:
    """
    Five thousand commits since the last look are not read: that holds, which is safe, and costs what the bound costs.
    """
    repository = world.repository()
    seen = repository.fetch(None).revision
    add_commits(world.fleet, "README.md", [f"{number}\n" for number in range(5_000)])
    head = repository.fetch(seen)
    here = run_git(world.cache / "repository.git", "rev-list", "--count", "refs/wavefleet/head")

    assert Head(world.fleet.pushed, descends=False) == head
    assert FAR_COMMITS == int(here)
    assert "acme" == repository.load(seen).fleet
    assert "acme" == repository.load(head.revision).fleet


class _MovingServer(GitServer):
    """Moves the branch on between the look at it and the fetch."""

    move: Callable[[], object] = staticmethod(lambda: None)

    def note(self, request: GitRequest) -> None:
        """After the two requests of an ls-remote comes the first one of the fetch."""
        super().note(request)
        if len(self.requests) == 3:
            self.move()


def test_a_branch_that_moves_while_it_is_fetched_is_taken_as_fetched(tmp_path: Path) -> None:
    """
    The revision told is the one that is here, which may be newer than the one that ls-remote named.
    """
    fleet = a_fleet(tmp_path)
    with _MovingServer(fleet.bare.parent) as server:
        server.move = lambda: bump(fleet, "4.3.1")
        world = GitWorld(fleet, GitRemote(server.url("fleet.git")), tmp_path / "cache", server)
        head = world.repository().fetch(None)

    assert "4.3.1" == str(world.repository().load(head.revision).groups[0].target)
    assert Head(fleet.pushed, descends=True) == head


def test_an_empty_repository_is_told(tmp_path: Path) -> None:
    """
    A repository without a commit is told as empty, with what to do.
    """
    empty = FleetRepository(tmp_path)
    repository = GitRepository(GitCommand(GitRemote(empty.url)), branch="main", cache_directory=tmp_path / "cache")
    with pytest.raises(RepositoryError, match="the repository is empty; push a branch main"):
        repository.fetch(None)


def test_a_branch_that_vanishes_is_told(world: GitWorld) -> None:
    """
    A branch deleted after it was followed is told like one that never was; what was read stays.
    """
    repository = world.repository()
    head = repository.fetch(None)
    run_git(world.fleet.bare, "update-ref", "refs/heads/other", head.revision)
    run_git(world.fleet.bare, "update-ref", "-d", "refs/heads/main")
    with pytest.raises(RepositoryError, match="found no branch main, found other"):
        repository.fetch(head.revision)

    assert "acme" == repository.load(head.revision).fleet


def test_an_unreachable_remote_is_told_and_loses_nothing(world: GitWorld) -> None:
    """
    While the remote is away the last valid revision is readable, and the next good look goes on from there.
    """
    head = world.repository().fetch(None)
    world.repository().load(head.revision)
    away = GitRemote(f"http://127.0.0.1:{free_port()}/fleet.git")
    repository = GitRepository(GitCommand(away), branch="main", cache_directory=world.cache)
    with pytest.raises(GitError, match=f"{away.url}: cannot be reached") as failed:
        repository.fetch(head.revision)

    assert GitFault.UNREACHABLE == failed.value.fault
    assert "acme" == repository.load(head.revision).fleet
    assert head == world.repository().fetch(head.revision)


def test_a_hanging_remote_costs_one_time_limit(world: GitWorld) -> None:
    """
    However many commands a fetch would need, it comes back within one time limit.
    """
    assert world.server is not None
    repository = world.repository(limit_seconds=1)
    seen = repository.fetch(None).revision
    bump(world.fleet, "4.3.1")
    world.server.hang()
    with pytest.raises(GitError, match="time limit of 1 s") as failed:
        repository.fetch(seen)
    world.server.behave()

    assert GitFault.TIME_LIMIT == failed.value.fault
    assert repository.fetch(seen).descends


def test_a_remote_that_wants_to_know_us_is_told(tmp_path: Path) -> None:
    """
    Without credentials a guarded remote is told as 401; with them it is read, and they are in no error.
    """
    with git_world("guarded http", tmp_path) as world:
        stranger = GitRepository(
            GitCommand(GitRemote(world.remote.url)), branch="main", cache_directory=tmp_path / "other"
        )
        with pytest.raises(GitError, match="answered 401") as failed:
            stranger.fetch(None)
        assert GitFault.DENIED == failed.value.fault
        with pytest.raises(RepositoryError) as missing:
            world.repository(branch="absent").fetch(None)
        assert SECRET not in str(missing.value)


def test_a_branch_name_that_is_an_option_is_refused() -> None:
    """
    What is no branch name is refused before Git sees it.
    """
    with pytest.raises(SettingsError, match="expected a branch name"):
        GitRepository(GitCommand(GitRemote("file:///x")), branch="--upload-pack=x", cache_directory=Path("/nowhere"))


def test_a_lost_copy_gets_back_what_was_rewritten_away(world: GitWorld) -> None:
    """
    Where the copy is lost and the branch was rewritten, the revision in force is asked for by its id.
    """
    first = world.repository().fetch(None).revision
    in_force = bump(world.fleet, "4.3.1")
    rewritten = rewrite(world.fleet, first, "4.2.1")
    repository = world.repository()

    assert Head(rewritten, descends=False) == repository.fetch(in_force)
    assert "4.3.1" == str(repository.load(in_force).groups[0].target)


def push_invalid(world: GitWorld, onto: str, number: int) -> str:
    """Rewrite the branch to an invalid revision on top of ``onto``; the new revision."""
    world.fleet.reset(onto)
    world.fleet.write({"groups/payments.yaml": a_group("payments", f"4.{number}")})
    revision = world.fleet.commit(f"Invalid {number}")
    world.fleet.push(force=True)
    return revision


def forget_what_nothing_holds(world: GitWorld) -> None:
    """Let Git drop, at the remote and here, every object that no ref leads to."""
    for git_dir in (world.fleet.bare, world.cache / "repository.git"):
        run_git(git_dir, "gc", "--quiet", "--prune=now")


def test_the_last_valid_revision_outlives_everything(world: GitWorld) -> None:
    """
    Forced pushes, invalid heads, tidying on both sides and a restart: what was loaded last can still be read.
    """
    repository = world.repository()
    first = repository.fetch(None).revision
    in_force = bump(world.fleet, "4.3.1")
    repository.fetch(first)
    repository.load(in_force)
    for number in range(3):
        push_invalid(world, first, number)
        repository.fetch(first)
    forget_what_nothing_holds(world)

    assert "4.3.1" == str(world.repository().load(in_force).groups[0].target)


def test_the_last_seen_revision_outlives_everything_too(world: GitWorld) -> None:
    """
    A head that was never valid, and that was rewritten away, can still be compared with.
    """
    repository = world.repository()
    first = repository.fetch(None).revision
    seen = push_invalid(world, first, 7)
    repository.fetch(first)
    rewritten = rewrite(world.fleet, first, "4.3.1")
    repository.fetch(seen)
    forget_what_nothing_holds(world)

    assert Head(rewritten, descends=False) == world.repository().fetch(seen)
    assert {"payments": rewritten} == world.repository().declared_by(seen, rewritten)


def test_an_unwritable_cache_is_told(world: GitWorld) -> None:
    """
    A cache directory that cannot be one is told with what it must be.
    """
    world.cache.touch()
    with pytest.raises(RepositoryError, match="must be a folder that we may write to"):
        world.repository().fetch(None)
