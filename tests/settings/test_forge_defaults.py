"""Settings that follow from others: the forge of a repository, and whose token goes where."""

from collections.abc import Mapping

import pytest

from controller.settings import Secret, StatusChannel
from tests.settings.builders import TOKEN, loaded, refusal


@pytest.mark.parametrize(
    ("repository", "gitea_url", "name"),
    [
        ("https://git.example/acme/fleet.git", "https://git.example", "acme/fleet"),
        ("http://127.0.0.1:3000/git/acme/fleet/", "http://127.0.0.1:3000/git", "acme/fleet"),
        ("ssh://git@git.example:2222/acme/fleet.git", None, "acme/fleet"),
        ("git@git.example:acme/fleet.git", None, "acme/fleet"),
        ("https://git.example/fleet.git", None, None),
        ("file:///srv/acme/fleet.git", None, None),
        ("/srv/acme/fleet.git", None, None),
    ],
)
def test_the_forge_follows_from_the_repository(repository: str, gitea_url: str | None, name: str | None) -> None:
    """
    Owner and name are the end of the URL, the forge's address is what stands before them; a path tells neither.
    """
    settings = loaded({"WAVEFLEET_REPOSITORY": repository})

    assert (gitea_url, name) == (settings.gitea_url, settings.forge_repository)


def test_what_is_said_of_the_forge_wins_over_the_repository() -> None:
    """
    A mirror has another address than the forge that shows the statuses.
    """
    settings = loaded(
        {
            "WAVEFLEET_REPOSITORY": "https://mirror.example/x/y.git",
            "WAVEFLEET_GITEA_URL": "https://git.example/",
            "WAVEFLEET_FORGE_REPOSITORY": "acme/fleet",
        }
    )

    assert ("https://git.example", "acme/fleet") == (settings.gitea_url, settings.forge_repository)


def test_statuses_go_where_a_token_is_set() -> None:
    """
    One forge's token is enough to post there; with two, a person says which; without, Git notes.
    """
    gitea, github = {"WAVEFLEET_GITEA_TOKEN": TOKEN}, {"WAVEFLEET_GITHUB_TOKEN": TOKEN}
    chosen = {"WAVEFLEET_STATUS_CHANNEL": "github"}

    assert StatusChannel.GITEA is loaded(gitea).status_channel
    assert StatusChannel.GITHUB is loaded(github).status_channel
    assert StatusChannel.GITHUB is loaded(gitea | github | chosen).status_channel
    assert refusal(gitea | github).startswith("WAVEFLEET_STATUS_CHANNEL: found nothing, beside tokens for Gitea and")


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"WAVEFLEET_REPOSITORY": "https://git.example/a/b", "WAVEFLEET_GITEA_TOKEN": TOKEN}, True),
        ({"WAVEFLEET_REPOSITORY": "https://github.com/a/b", "WAVEFLEET_GITHUB_TOKEN": TOKEN}, True),
        (
            {
                "WAVEFLEET_REPOSITORY": "https://ghe.example/a/b",
                "WAVEFLEET_GITHUB_TOKEN": TOKEN,
                "WAVEFLEET_GITHUB_URL": "https://ghe.example/api/v3",
            },
            True,
        ),
        ({"WAVEFLEET_REPOSITORY": "https://elsewhere.example/a/b", "WAVEFLEET_GITHUB_TOKEN": TOKEN}, False),
        (
            {
                "WAVEFLEET_REPOSITORY": "https://git.example.evil.example/a/b",
                "WAVEFLEET_GITEA_TOKEN": TOKEN,
                "WAVEFLEET_GITEA_URL": "https://git.example",
            },
            False,
        ),
        ({"WAVEFLEET_REPOSITORY": "git@github.com:a/b", "WAVEFLEET_GITHUB_TOKEN": TOKEN}, False),
        ({"WAVEFLEET_REPOSITORY": "/srv/a/b", "WAVEFLEET_GITEA_TOKEN": TOKEN}, False),
    ],
)
def test_a_forges_token_serves_git_on_the_same_server_alone(environment: Mapping[str, str], *, sent: bool) -> None:
    """
    One token is enough where one server serves both; no other server ever gets it.
    """
    assert (Secret(TOKEN) if sent else None) == loaded(environment).git_token


def test_a_token_for_git_wins_over_the_forges() -> None:
    """
    What is said is used.
    """
    settings = loaded(
        {
            "WAVEFLEET_REPOSITORY": "https://git.example/a/b",
            "WAVEFLEET_GITEA_TOKEN": TOKEN,
            "WAVEFLEET_GIT_TOKEN": "another",
        }
    )

    assert Secret("another") == settings.git_token
