"""The repositories that tests build are real, and the same everywhere."""

from datetime import UTC, datetime
from pathlib import Path

from tests.real.repositories import FleetRepository, run_git


def test_the_same_steps_give_the_same_revisions(tmp_path: Path) -> None:
    """
    Authors, dates and configuration are fixed, so two repositories built alike have equal revisions.
    """
    revisions = {FleetRepository(tmp_path / name).publish({"fleet.yaml": "kind: Fleet\n"}) for name in ("a", "b")}

    assert 1 == len(revisions)


def test_a_merged_pull_request_has_two_parents(tmp_path: Path) -> None:
    """
    A pull request is published under its own ref and merged with a merge commit, as forges do.
    """
    fleet = FleetRepository(tmp_path)
    before = fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    fleet.branch("bump")
    fleet.write({"groups/payments.yaml": "kind: ClusterGroup\n", "fleet.yaml": None})
    proposed = fleet.commit("Bump payments")
    fleet.open_pull_request(1)
    merged = fleet.merge_pull_request("bump")

    assert merged == fleet.pushed
    assert f"{before} {proposed}" == run_git(fleet.bare, "show", "--no-patch", "--format=%P", merged)
    assert proposed == run_git(fleet.bare, "rev-parse", "refs/pull/1/head")
    assert "groups/payments.yaml" == run_git(fleet.bare, "ls-tree", "-r", "--name-only", merged)


def test_history_can_be_rewritten(tmp_path: Path) -> None:
    """
    A forced push leaves clients with a head that does not descend from the last one.
    """
    fleet = FleetRepository(tmp_path)
    first = fleet.publish({"fleet.yaml": "one\n"})
    second = fleet.publish({"fleet.yaml": "two\n"})
    fleet.reset(first)
    fleet.write({"fleet.yaml": "three\n"})
    third = fleet.commit("Instead", when=datetime(2026, 3, 1, 12, tzinfo=UTC))
    fleet.push(force=True)

    assert third == fleet.pushed
    assert second not in run_git(fleet.bare, "rev-list", "main")
    assert "2026-03-01T12:00:00+00:00" == run_git(fleet.bare, "show", "--no-patch", "--format=%cI", third)


def test_a_link_is_kept_as_a_link(tmp_path: Path) -> None:
    """
    A symbolic link is committed as one (mode 120000), not as what it points to.
    """
    fleet = FleetRepository(tmp_path)
    fleet.link("groups/stolen.yaml", "/etc/passwd")
    fleet.publish({"fleet.yaml": "kind: Fleet\n"})

    assert run_git(fleet.bare, "ls-tree", "-r", "main", "groups/").startswith("120000 ")


def test_notes_are_read_as_clients_see_them(tmp_path: Path) -> None:
    """
    A note that was pushed is found by its revision; a revision without one has an empty note.
    """
    fleet = FleetRepository(tmp_path)
    revision = fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    assert "" == fleet.notes("refs/notes/wavefleet", revision)
    fleet.git("notes", "--ref=refs/notes/wavefleet", "add", "--message=payments: done", revision)
    fleet.git("push", "--quiet", "origin", "refs/notes/wavefleet")

    assert "payments: done" == fleet.notes("refs/notes/wavefleet", revision)
