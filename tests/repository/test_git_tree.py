"""Git's own tree gives what a folder with the same files gives, by two commands, and follows nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.gitcommand import GitCommand, GitError, GitRemote
from controller.repository.git_cache import GitCache
from controller.repository.git_tree import GitTree
from controller.repository.tree import (
    FILE_BYTES_MAX,
    MODE_EXECUTABLE,
    MODE_FILE,
    MODE_LINK,
    MODE_SUBMODULE,
    DirectoryTree,
    Tree,
)
from tests.real.repositories import FleetRepository

ASKED = ("fleet.yaml", "releases.yaml", "groups", "absent", "linked/x.yaml", "aside.yaml")


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepository:
    """A repository with every sort of entry that a tree can have."""
    repository = FleetRepository(tmp_path)
    repository.write(
        {
            "fleet.yaml": "kind: Fleet\n",
            "groups/payments.yaml": "kind: ClusterGroup\n",
            "groups/größe \t\"'.yaml": "kind: ClusterGroup # odd\n",
            "groups/deep/er.yaml": "x: 1\n",
            "groups/empty.yaml": "",
            "groups/large.yaml": b"x" * (FILE_BYTES_MAX + 1),
            "groups/run.sh": "true\n",
            "notes/other.txt": "not asked for\n",
        }
    )
    (repository.work_tree / "groups/run.sh").chmod(0o755)
    repository.link("groups/link.yaml", "../../../etc/passwd")
    repository.link("linked", "groups")
    repository.link("aside.yaml", "fleet.yaml")
    return repository


@pytest.fixture
def cache(fleet: FleetRepository, tmp_path: Path) -> Iterator[GitCache]:
    """Our copy of it, locked."""
    fleet.commit("Everything")
    fleet.push()
    copy = GitCache(tmp_path / "cache", GitCommand(GitRemote(fleet.url)))
    with copy.locked():
        copy.fetch_branch("main", depth=1)
        yield copy


def contents(tree: Tree) -> dict[str, bytes]:
    """Every file of a tree that has content, by path."""
    blobs = [blob for blob in tree.find(ASKED) if blob.id]
    return dict(zip((blob.path for blob in blobs), tree.read(blobs), strict=True))


def test_git_and_a_folder_say_the_same(cache: GitCache, fleet: FleetRepository) -> None:
    """
    Paths, ids, sizes, modes and contents are the same from the commit as from the checkout it was made of.
    """
    from_git, from_folder = GitTree(cache, fleet.head), DirectoryTree(fleet.work_tree)

    assert list(from_folder.find(ASKED)) == list(from_git.find(ASKED))
    assert contents(from_folder) == contents(from_git)
    assert 6 == len(contents(from_git))


def test_links_and_large_files_are_named_and_not_read(cache: GitCache, fleet: FleetRepository) -> None:
    """
    A symbolic link and a file that is too large are told by mode and size, without an id to read them by.
    """
    found = {blob.path: blob for blob in GitTree(cache, fleet.head).find(ASKED)}

    assert (MODE_LINK, "") == (found["groups/link.yaml"].mode, found["groups/link.yaml"].id)
    assert (MODE_LINK, "") == (found["aside.yaml"].mode, found["aside.yaml"].id)
    assert (FILE_BYTES_MAX + 1, "") == (found["groups/large.yaml"].size, found["groups/large.yaml"].id)
    assert MODE_EXECUTABLE == found["groups/run.sh"].mode
    assert MODE_FILE == found["fleet.yaml"].mode


def test_a_submodule_is_named(fleet: FleetRepository, tmp_path: Path) -> None:
    """
    A submodule is told as one and has nothing to read.
    """
    fleet.git("update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},groups/sub")
    fleet.git("commit", "--quiet", "--message=Add a submodule")
    fleet.push()
    cache = GitCache(tmp_path / "cache", GitCommand(GitRemote(fleet.url)))
    with cache.locked():
        head = cache.fetch_branch("main", depth=1)
        [found] = GitTree(cache, head).find(["groups/sub"])

    assert (MODE_SUBMODULE, "", 0) == (found.mode, found.id, found.size)


def test_nothing_asked_is_nothing_found(cache: GitCache, fleet: FleetRepository) -> None:
    """
    An empty question is not taken for the whole tree.
    """
    assert [] == list(GitTree(cache, fleet.head).find([]))
    assert [] == list(GitTree(cache, fleet.head).read([]))


def test_files_are_read_in_the_order_asked_for(cache: GitCache, fleet: FleetRepository) -> None:
    """
    Contents come in the order of the question, also where a file is asked for twice.
    """
    tree = GitTree(cache, fleet.head)
    blobs = [blob for blob in tree.find(["groups"]) if blob.id]
    read = list(tree.read([*reversed(blobs), *blobs]))

    assert list(reversed(read[len(blobs) :])) == read[: len(blobs)]


def test_what_is_not_here_is_told(cache: GitCache, fleet: FleetRepository) -> None:
    """
    A revision that is not here, and one whose file went missing, raise instead of giving less.
    """
    tree = GitTree(cache, fleet.head)
    [blob] = tree.find(["fleet.yaml"])
    with pytest.raises(GitError, match="our own copy"):
        GitTree(cache, "a" * 40).find(["fleet.yaml"])
    for stored in (cache.git_dir / "objects").glob(f"{blob.id[:2]}/{blob.id[2:]}"):
        stored.unlink()
    with pytest.raises(GitError, match="lacks the file content"):
        list(tree.read([blob]))
