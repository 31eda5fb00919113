"""What every Repository promises, however the remote is reached."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import DeclarationError, RepositoryError
from controller.ports import Head, Repository
from controller.versions import KafkaVersion
from tests.repository.git_worlds import TRANSPORTS, GitWorld, a_group, bump, git_world, rewrite


@pytest.fixture(params=TRANSPORTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GitWorld]:
    """A small fleet, reached in each way."""
    with git_world(request.param, tmp_path) as made:
        yield made


def target(repository: Repository, revision: str) -> str:
    """What a revision declares for ``payments``."""
    group = repository.load(revision).group("payments")
    assert group is not None
    return str(group.target)


def test_the_first_look_brings_the_head(world: GitWorld) -> None:
    """
    With no revision to compare with, the head is the branch's newest, and nothing speaks against it.
    """
    repository: Repository = world.repository()
    head = repository.fetch(None)

    assert Head(world.fleet.pushed, descends=True) == head
    assert "4.1.2" == target(repository, head.revision)
    assert head == repository.fetch(head.revision)


def test_a_new_head_descends_from_the_last_one(world: GitWorld) -> None:
    """
    Commits, several at once, and a merge commit all descend from the revision seen last, and can be loaded.
    """
    repository = world.repository()
    seen = repository.fetch(None).revision
    bump(world.fleet, "4.2.1")
    several = bump(world.fleet, "4.3.1")
    assert Head(several, descends=True) == repository.fetch(seen)
    world.fleet.branch("other")
    world.fleet.publish({"README.md": "words\n"})
    merged = world.fleet.merge_pull_request("other")

    assert Head(merged, descends=True) == repository.fetch(several)
    assert Head(merged, descends=True) == repository.fetch(seen)
    assert "4.3.1" == target(repository, merged)


def test_rewritten_history_is_told_and_loses_nothing(world: GitWorld) -> None:
    """
    After a forced push the head does not descend; what was in force stays readable, after a restart too.
    """
    repository = world.repository()
    first = repository.fetch(None).revision
    in_force = bump(world.fleet, "4.3.1")
    repository.fetch(first)
    assert "4.3.1" == target(repository, in_force)
    rewritten = rewrite(world.fleet, first, "4.2.1")

    for asked in (repository, world.repository()):
        assert Head(rewritten, descends=False) == asked.fetch(in_force)
        assert Head(rewritten, descends=True) == asked.fetch(first)
        assert "4.3.1" == target(asked, in_force)
        assert "4.2.1" == target(asked, rewritten)


def test_an_invalid_revision_is_refused_each_time(world: GitWorld) -> None:
    """
    What a revision declares wrong is told with file and line, each time it is asked for; the last valid one stays.
    """
    repository = world.repository()
    valid = repository.fetch(None).revision
    invalid = world.fleet.publish({"groups/payments.yaml": a_group("payments", "4.10")})
    assert Head(invalid, descends=True) == repository.fetch(valid)
    for _ in range(2):
        with pytest.raises(DeclarationError, match=r"groups/payments\.yaml:5: spec.kafkaVersion: found '4.10'"):
            repository.load(invalid)

    assert "4.1.2" == target(repository, valid)


def test_a_symbolic_link_is_refused_and_not_followed(world: GitWorld) -> None:
    """
    A link in the repository reaches the loader as what it is, and is refused with its path.
    """
    world.fleet.link("groups/linked.yaml", "/etc/hostname")
    revision = world.fleet.commit("Link")
    world.fleet.push()
    repository = world.repository()
    repository.fetch(None)
    with pytest.raises(DeclarationError, match=r"groups/linked\.yaml:1: .*found a symbolic link"):
        repository.load(revision)


def test_targets_are_traced_to_their_commits(world: GitWorld) -> None:
    """
    The commit that changed a target is named, newer ones are not; where the last look is unknown, nothing is.
    """
    repository = world.repository()
    since = repository.fetch(None).revision
    bumped = bump(world.fleet, "4.3.1")
    newest = world.fleet.publish({"README.md": "words\n"})
    repository.fetch(since)

    assert {"payments": bumped} == dict(repository.declared_by(since, newest))
    assert {} == dict(repository.declared_by(newest, newest))
    assert {} == dict(repository.declared_by("a" * 40, newest))
    assert KafkaVersion.parse("4.3.1") == repository.load(newest).groups[0].target


def test_a_revision_that_is_not_here_is_told(world: GitWorld) -> None:
    """
    Nothing is made up for a revision that is neither here nor on the remote.
    """
    repository = world.repository()
    repository.fetch(None)
    for revision in ("a" * 40, "main", "--help"):
        with pytest.raises(RepositoryError, match="revision"):
            repository.load(revision)


def test_a_branch_that_is_missing_is_told_with_those_there_are(world: GitWorld) -> None:
    """
    A wrong branch name is told beside the names that would have been right.
    """
    with pytest.raises(RepositoryError, match="found no branch trunk, found main; push it, or name another"):
        world.repository(branch="trunk").fetch(None)
