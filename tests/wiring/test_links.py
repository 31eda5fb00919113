"""The link to a commit: there for the forges whose addresses are known, and nowhere else."""

from collections.abc import Mapping

import pytest

from controller.reports.slack import SlackChannel
from controller.settings import load_settings
from controller.wiring.links import commit_url

HOME = {"HOME": "/home/ana"}
TOKEN = "0123456789abcdef"
GITEA = {"WAVEFLEET_GITEA_TOKEN": TOKEN}
GITHUB = {"WAVEFLEET_GITHUB_TOKEN": TOKEN}


def link(repository: str, environment: Mapping[str, str] | None = None) -> str:
    """The link for a repository and what else is set."""
    return commit_url(load_settings({}, {**HOME, "WAVEFLEET_REPOSITORY": repository, **(environment or {})}))


@pytest.mark.parametrize(
    "repository",
    ["https://github.com/acme/fleet.git", "git@github.com:acme/fleet.git", "ssh://git@github.com/acme/fleet"],
)
def test_a_repository_on_github_is_linked_however_it_is_reached(repository: str) -> None:
    """
    With a token for statuses or without one, the same page shows the commit.
    """
    expected = "https://github.com/acme/fleet/commit/{revision}"

    assert expected == link(repository)
    assert expected == link(repository, GITHUB)


@pytest.mark.parametrize(
    ("repository", "environment", "expected"),
    [
        ("https://git.example/acme/fleet.git", GITEA, "https://git.example/acme/fleet/commit/{revision}"),
        ("https://git.example/git/acme/fleet", GITEA, "https://git.example/git/acme/fleet/commit/{revision}"),
        (
            "ssh://git@git.example:2222/acme/fleet.git",
            {**GITEA, "WAVEFLEET_GITEA_URL": "https://git.example"},
            "https://git.example/acme/fleet/commit/{revision}",
        ),
        (
            "https://ghe.example/acme/fleet.git",
            {**GITHUB, "WAVEFLEET_GITHUB_URL": "https://ghe.example/api/v3"},
            "https://ghe.example/acme/fleet/commit/{revision}",
        ),
    ],
)
def test_a_forge_of_ones_own_is_linked_where_it_gets_the_statuses(
    repository: str, environment: Mapping[str, str], expected: str
) -> None:
    """
    Gitea below whatever path, and a GitHub Enterprise Server.
    """
    assert expected == link(repository, environment)


@pytest.mark.parametrize(
    ("repository", "environment"),
    [
        ("/srv/git/fleet.git", {}),
        ("https://gitlab.example/acme/fleet.git", {}),
        ("git@git.example:acme/fleet.git", {}),
        ("https://github.com.evil.example/acme/fleet.git", {}),
        ("https://ghe.example/acme/fleet", {**GITHUB, "WAVEFLEET_GITHUB_URL": "https://gateway.example/github"}),
        ("/srv/git/fleet.git", {**GITEA, "WAVEFLEET_GITEA_URL": "https://git.example"}),
        (
            "https://git.example/acme/fleet",
            {**GITEA, "WAVEFLEET_GITEA_URL": "https://git.example/{revision}|x"},
        ),
    ],
)
def test_where_no_forge_is_known_there_is_no_link(repository: str, environment: Mapping[str, str]) -> None:
    """
    The revision is then shown alone; nothing is guessed from a host's name.
    """
    assert not link(repository, environment)


def test_slack_takes_every_link_that_is_made() -> None:
    """
    What the settings allow never stops the daemon at the channel's own check.
    """
    for repository in ("https://github.com/acme/fleet", "git@github.com:acme/fleet.git", "/srv/fleet.git"):
        assert "slack" == SlackChannel(TOKEN, "C00000001", commit_url=link(repository)).name
