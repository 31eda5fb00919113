"""A copy that was damaged is made anew by whoever finds out, once, and nobody has to be called."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.ports import Head
from tests.repository.git_worlds import GitWorld, bump, git_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitWorld]:
    """A small fleet behind an HTTP server that remembers what it was asked."""
    with git_world("http", tmp_path) as made:
        yield made


TEARS = [
    "empty objects",
    "half objects",
    "no HEAD",
    "no objects",
    "bad ref",
    "bad shallow",
    "no folder",
    "empty folder",
]


def tear(git_dir: Path, how: str) -> None:
    """Damage our copy, as a full disk, a crash or a careless person would."""
    for stored in [path for path in (git_dir / "objects").rglob("*") if path.is_file()]:
        stored.chmod(0o644)
        if how == "empty objects":
            stored.write_bytes(b"")
        elif how == "half objects":
            stored.write_bytes(stored.read_bytes()[: stored.stat().st_size // 2])
        elif how == "no objects":
            stored.unlink()
    if how == "no HEAD":
        (git_dir / "HEAD").unlink()
    elif how == "bad ref":
        (git_dir / "refs/wavefleet/head").write_text("nonsense\n")
    elif how == "bad shallow":
        (git_dir / "shallow").write_text("nonsense\n")
    elif how == "no folder":
        git_dir.rename(git_dir.with_name("away.git"))
    elif how == "empty folder":
        git_dir.rename(git_dir.with_name("away.git"))
        git_dir.mkdir()


@pytest.mark.parametrize("how", TEARS)
def test_a_torn_copy_is_made_anew_by_the_next_fetch(world: GitWorld, how: str) -> None:
    """
    Whatever became of our copy, a look after it brings the head, and it can be read.
    """
    seen = world.repository().fetch(None).revision
    tear(world.cache / "repository.git", how)
    bumped = bump(world.fleet, "4.3.1")
    repository = world.repository()

    assert Head(bumped, descends=True) == repository.fetch(seen)
    assert "4.3.1" == str(repository.load(bumped).groups[0].target)
    assert {"payments": bumped} == repository.declared_by(seen, bumped)


@pytest.mark.parametrize("how", TEARS)
def test_a_torn_copy_is_made_anew_by_the_next_load(world: GitWorld, how: str) -> None:
    """
    A copy that proves torn only when a revision is read is made anew then, once.
    """
    repository = world.repository()
    head = repository.fetch(None)
    tear(world.cache / "repository.git", how)

    assert "acme" == repository.load(head.revision).fleet
    assert world.server is not None
    world.server.forget()
    assert head == repository.fetch(head.revision)
    assert ["ls-refs"] == world.server.commands
