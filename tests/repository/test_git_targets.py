"""A group's target is traced to the commit that declared it: the merge of a pull request, whatever lies in between."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.gitcommand import GitCommand, GitRemote
from controller.repository.git_cache import GitCache
from controller.repository.git_targets import COMMITS_MAX, TargetHistory
from tests.real.repositories import FleetRepository
from tests.repository.git_histories import add_commits


def group(name: str, kafka_version: str, metadata_version: str | None = None, extra: str = "") -> str:
    """One group's document, as much of it as matters here."""
    level = f"  metadataVersion: {metadata_version}\n" if metadata_version else ""
    return f"kind: ClusterGroup\nmetadata: {{name: {name}}}\nspec:\n  kafkaVersion: {kafka_version}\n{level}{extra}"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepository:
    """Two groups in two files."""
    repository = FleetRepository(tmp_path)
    repository.publish(
        {"fleet.yaml": "x: 1\n", "groups/a.yaml": group("a", "4.1.2"), "groups/b.yaml": group("b", "4.1.2")}
    )
    return repository


def declared_by(fleet: FleetRepository, since: str, *, depth: int = 2_000) -> Mapping[str, str]:
    """Who declared what changed after ``since``, up to what is pushed."""
    cache = GitCache(fleet.bare.parent / "cache", GitCommand(GitRemote(fleet.url)))
    with cache.locked():
        head = cache.fetch_branch("main", depth=depth)
        return TargetHistory(cache).declared_by(since, head)


def test_a_bump_is_traced_past_later_commits(fleet: FleetRepository) -> None:
    """
    The commit that changed the version is named, not the newer ones that changed other things.
    """
    since = fleet.pushed
    bump = fleet.publish({"groups/a.yaml": group("a", "4.3.1")})
    fleet.publish({"groups/a.yaml": group("a", "4.3.1", extra="  after: [b]\n")})
    fleet.publish({"README.md": "words\n"})

    assert {"a": bump} == declared_by(fleet, since)


def test_the_newest_of_several_bumps_counts(fleet: FleetRepository) -> None:
    """
    Two bumps between two looks: the one that declared the present target is named, for each group its own.
    """
    since = fleet.pushed
    fleet.publish({"groups/a.yaml": group("a", "4.2.1")})
    other = fleet.publish({"groups/b.yaml": group("b", "4.2.1")})
    newest = fleet.publish({"groups/a.yaml": group("a", "4.3.1")})

    assert {"a": newest, "b": other} == declared_by(fleet, since)


def test_a_pull_request_is_named_by_its_merge(fleet: FleetRepository) -> None:
    """
    Commits of a merged branch are not on the first-parent line; the merge is, and statuses belong there.
    """
    since = fleet.pushed
    fleet.branch("bump")
    fleet.publish({"groups/a.yaml": group("a", "4.2.1")})
    fleet.publish({"groups/a.yaml": group("a", "4.3.1")})
    fleet.switch("main")
    fleet.publish({"README.md": "words\n"})
    merge = fleet.merge_pull_request("bump")
    fleet.publish({"README.md": "more words\n"})

    assert {"a": merge} == declared_by(fleet, since)


def test_a_merge_of_older_work_declares_nothing(fleet: FleetRepository) -> None:
    """
    A branch that began before the bump and is merged after it has not bumped anything.
    """
    since = fleet.pushed
    fleet.branch("docs")
    fleet.publish({"README.md": "words\n"})
    fleet.switch("main")
    bump = fleet.publish({"groups/a.yaml": group("a", "4.3.1")})
    fleet.merge_pull_request("docs")

    assert {"a": bump} == declared_by(fleet, since)


def test_the_metadata_version_counts_and_its_default_does_not(fleet: FleetRepository) -> None:
    """
    Another metadataVersion is another target; writing out the default ``auto`` is none.
    """
    since = fleet.pushed
    hold = fleet.publish({"groups/a.yaml": group("a", "4.1.2", "hold")})
    fleet.publish({"groups/b.yaml": group("b", "4.1.2", "auto")})

    assert {"a": hold} == declared_by(fleet, since)


def test_new_moved_and_removed_groups(fleet: FleetRepository) -> None:
    """
    A new group is declared by the commit that added it; a group that only moved to another file, and one that is
    gone, are not told.
    """
    since = fleet.pushed
    added = fleet.publish({"groups/c.yaml": group("c", "4.3.1")})
    fleet.publish(
        {"groups/a.yaml": None, "groups/moved.yaml": "---\n".join([group("a", "4.1.2"), group("d", "4.1.2")])}
    )
    fleet.publish({"groups/b.yaml": None})

    assert {"c", "d"} == declared_by(fleet, since).keys()
    assert added == declared_by(fleet, since)["c"]


def test_a_target_that_came_back_has_not_changed(fleet: FleetRepository) -> None:
    """
    Bumped and reverted between two looks: the target is still declared where it was before.
    """
    since = fleet.pushed
    fleet.publish({"groups/a.yaml": group("a", "4.3.1")})
    fleet.publish({"groups/a.yaml": group("a", "4.1.2")})

    assert {} == declared_by(fleet, since)


@pytest.mark.parametrize(
    "broken", ["kind: [\n", "\x00\x01", "- a\n- list\n", "metadata: 1\nspec: x\n", "&a [*a, *a]\n", b"\xff\xfe"]
)
def test_broken_commits_in_between_are_passed_over(fleet: FleetRepository, broken: str | bytes) -> None:
    """
    An invalid commit breaks nothing: the commit that made the target readable declared it.
    """
    since = fleet.pushed
    fleet.publish({"groups/a.yaml": broken})
    mended = fleet.publish({"groups/a.yaml": group("a", "4.3.1")})

    assert {"a": mended} == declared_by(fleet, since)


def test_files_that_are_no_group_files_do_not_count(fleet: FleetRepository) -> None:
    """
    Only ``groups/*.yaml`` declares groups; folders below, other endings and links do not.
    """
    since = fleet.pushed
    fleet.write({"groups/deep/x.yaml": group("x", "4.3.1"), "groups/y.yml": group("y", "4.3.1")})
    fleet.write({"z.yaml": group("z", "4.3.1")})
    fleet.link("groups/link.yaml", "../z.yaml")
    fleet.commit("Not groups")
    fleet.push()

    assert {} == declared_by(fleet, since)


def test_a_huge_file_in_between_is_not_looked_into(fleet: FleetRepository) -> None:
    """
    A file over a mebibyte was never in force; it is passed over by its size.
    """
    since = fleet.pushed
    fleet.publish({"groups/a.yaml": group("a", "4.2.1") + "#" * 1024 * 1024})
    mended = fleet.publish({"groups/a.yaml": group("a", "4.3.1")})

    assert {"a": mended} == declared_by(fleet, since)


def test_after_rewritten_history_the_new_line_is_searched(fleet: FleetRepository) -> None:
    """
    Where the last seen revision is no ancestor, what the new line declared differently is still traced.
    """
    base = fleet.pushed
    seen = fleet.publish({"groups/a.yaml": group("a", "4.2.1")})
    assert {"a": seen} == declared_by(fleet, base)
    fleet.reset(base)
    fleet.write({"groups/a.yaml": group("a", "4.3.1")})
    rewritten = fleet.commit("Another bump")
    fleet.push(force=True)

    assert {"a": rewritten} == declared_by(fleet, seen)


def test_a_target_declared_too_far_back_goes_to_the_head(fleet: FleetRepository) -> None:
    """
    The walk is bounded by commits that touched groups: beyond, the head stands in for the commit.
    """
    since = fleet.pushed
    fleet.publish({"groups/a.yaml": group("a", "4.3.1")})
    add_commits(fleet, "groups/b.yaml", [group("b", "4.1.2", extra=f"  # {n}\n") for n in range(COMMITS_MAX)])

    assert {"a": fleet.pushed} == declared_by(fleet, since)
