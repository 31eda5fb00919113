"""The forge is a real one: it merges, remembers, and keeps every status that was posted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.real.gitea import Gitea
from tests.real.repositories import FleetRepository, run_git


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """One forge for this file; each test makes a repository of its own."""
    with Gitea(tmp_path_factory.mktemp("gitea")) as running:
        yield running


def test_a_pull_request_is_merged_on_the_forge(forge: Gitea, tmp_path: Path) -> None:
    """
    A pushed branch becomes a pull request with a ref of its own, and its merge is the new head of main.
    """
    fleet = FleetRepository(tmp_path)
    address = forge.create_repository("merged")
    fleet.git("remote", "set-url", "origin", forge.push_url("merged"))
    fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    fleet.branch("bump")
    proposed = fleet.publish({"fleet.yaml": "kind: Fleet # bumped\n"})
    number = forge.open_pull_request("merged", branch="bump", title="Bump payments")

    assert f"{proposed}\trefs/pull/{number}/head" in run_git(tmp_path, "ls-remote", address)
    merged = forge.merge_pull_request("merged", number)

    assert merged == forge.head("merged")
    assert f"{merged}\trefs/heads/main" == run_git(tmp_path, "ls-remote", "--heads", address, "main")


def test_every_status_is_kept_and_the_newest_counts(forge: Gitea, tmp_path: Path) -> None:
    """
    The same context posted again appends a row; a token that may only read posts none.
    """
    fleet = FleetRepository(tmp_path)
    forge.create_repository("statuses")
    fleet.git("remote", "set-url", "origin", forge.push_url("statuses"))
    revision = fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    path = f"{forge.url}/api/v1/repos/ana/statuses/statuses/{revision}"
    reader = forge.create_token("reader", ["read:repository"])
    answers = [
        requests.post(
            path,
            json={"state": state, "context": "wavefleet/payments", "description": f"wave {state}"},
            headers={"Authorization": f"token {token}"},
            timeout=10,
        ).status_code
        for state, token in (("pending", forge.token), ("success", forge.token), ("failure", reader))
    ]

    assert [201, 201, 403] == answers
    assert ["success", "pending"] == [row["status"] for row in forge.statuses("statuses", revision)]
    assert "success" == forge.state("statuses", revision, "wavefleet/payments")
    assert forge.state("statuses", revision, "wavefleet/other") is None


def test_a_private_repository_needs_a_login(forge: Gitea, tmp_path: Path) -> None:
    """
    Nobody reads a private repository without credentials; its owner's token opens it.
    """
    address = forge.create_repository("private", private=True)
    with pytest.raises(RuntimeError, match="could not read Username"):
        run_git(tmp_path, "ls-remote", address)

    assert "" == run_git(tmp_path, "ls-remote", forge.push_url("private"))


def test_a_stopped_forge_comes_back_as_it_was(tmp_path: Path) -> None:
    """
    After an outage the same address, token and repositories are there again.
    """
    with Gitea(tmp_path / "gitea") as forge:
        forge.create_repository("kept")
        forge.stop()
        with pytest.raises(requests.ConnectionError):
            forge.call("GET", "/repos/ana/kept")
        forge.start()

        assert "ana/kept" == forge.call("GET", "/repos/ana/kept")["full_name"]
