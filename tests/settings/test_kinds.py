"""What the text of each setting may be, at its bounds."""

from pathlib import Path

import pytest

from controller.settings import Address
from tests.settings.builders import a_toml_file, loaded, refusal


@pytest.mark.parametrize(
    "url", ["https://ana:pa55@git.example/f", "https://pa55@git.example/f", "ssh://git:pa55@git.example/f"]
)
def test_a_repository_with_credentials_is_refused_without_showing_them(url: str) -> None:
    """
    Credentials in a URL end up in logs and process lists, so they are refused, and told where they go.
    """
    said = refusal({"WAVEFLEET_REPOSITORY": url})

    assert said.startswith("WAVEFLEET_REPOSITORY: found ")
    assert "WAVEFLEET_GIT_TOKEN" in said
    assert "pa55" not in said


@pytest.mark.parametrize(
    "repository",
    [
        "/srv/fleet.git",
        "fleet.git",
        "./odd:name",
        "file:///srv/fleet.git",
        "https://git.example/acme/fleet.git",
        "http://127.0.0.1:3000/acme/fleet.git",
        "ssh://git@git.example:2222/acme/fleet.git",
        "git@git.example:acme/fleet.git",
    ],
)
def test_a_repository_is_taken_as_git_would(repository: str) -> None:
    """
    Every form that Git has and that carries no credentials is taken as it is written.
    """
    assert repository == loaded({"WAVEFLEET_REPOSITORY": repository}).repository


@pytest.mark.parametrize(
    "repository",
    [
        "--upload-pack=touch /tmp/x",
        "ext::sh -c id",
        "git://git.example/fleet.git",
        "https:///fleet.git",
        "https://git.example",
        "https://git.example/fleet.git?x=1",
        "https://git.example:99999/fleet.git",
        "ssh://-oProxyCommand=id/fleet.git",
        "one\ntwo",
    ],
)
def test_a_repository_that_is_an_option_or_a_command_is_refused(repository: str) -> None:
    """
    What Git would take as an option or run as a command never reaches it.
    """
    assert refusal({"WAVEFLEET_REPOSITORY": repository}).startswith("WAVEFLEET_REPOSITORY: found ")


@pytest.mark.parametrize("branch", ["-f", "a..b", "a b", "a~1", "x.lock", "/a", "a/", "@", "a@{1}", "one\ntwo"])
def test_a_branch_that_git_would_refuse_is_refused(branch: str) -> None:
    """
    A branch's name follows Git's own rules, and never looks like an option.
    """
    assert "expected a branch's name" in refusal({"WAVEFLEET_BRANCH": branch})


def test_a_branch_may_have_slashes_and_dots() -> None:
    """
    Names that Git allows are allowed.
    """
    assert "release/v1.2" == loaded({"WAVEFLEET_BRANCH": "release/v1.2"}).branch


@pytest.mark.parametrize(
    ("interval", "taken"), [("99ms", False), ("100ms", True), ("1s", True), ("1h", True), ("61m", False), ("60", False)]
)
def test_the_interval_has_bounds(interval: str, *, taken: bool) -> None:
    """
    From 100 milliseconds to one hour, both included; a number without a unit is none.
    """
    environment = {"WAVEFLEET_INTERVAL": interval, "WAVEFLEET_STALE_AFTER": "1d"}
    if taken:
        assert loaded(environment).interval
    else:
        assert (
            f"WAVEFLEET_INTERVAL: found '{interval}', expected a duration from 100ms to 1h such as 90s, 5m or 1h"
            == refusal(environment)
        )


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("0.0.0.0:8080", Address("0.0.0.0", 8080)),  # noqa: S104 - what a container listens on
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:9000", Address("::1", 9000)),
        ("off", None),
    ],
)
def test_an_address_is_host_and_port_or_off(listen: str, address: Address | None) -> None:
    """
    IPv4, IPv6 in brackets, a name; ``off`` serves nothing; an address prints as it was written.
    """
    settings = loaded({"WAVEFLEET_LISTEN": listen})

    assert address == settings.listen
    assert listen == (str(settings.listen) if settings.listen else "off")


@pytest.mark.parametrize(
    "listen", ["8080", ":8080", "localhost", "localhost:", "localhost:65536", "::1:80", "a b:80", "h:-1"]
)
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    """
    A host alone, a port alone and an IPv6 address without brackets are refused.
    """
    assert "expected HOST:PORT such as 127.0.0.1:8080, or off" in refusal({"WAVEFLEET_LISTEN": listen})


def test_a_word_of_no_list_is_refused_with_the_list() -> None:
    """
    The choices are part of the sentence.
    """
    assert "WAVEFLEET_MODE: found 'dry-run', expected one of apply, observe" == refusal({"WAVEFLEET_MODE": "dry-run"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITEA_URL", "git.example"),
        ("GITEA_URL", "https://ana:pa55@git.example"),
        ("GITHUB_URL", "ftp://git.example"),
        ("SLACK_URL", "https://slack.example/api?x=1"),
        ("FORGE_REPOSITORY", "fleet"),
        ("FORGE_REPOSITORY", "../fleet"),
        ("SLACK_CHANNEL", "two words"),
        ("SSH_KEY", "/nowhere/id_ed25519"),
        ("LEDGER", "postgresql://db/ledger"),
        ("GIT_USERNAME", "ana\nbob"),
        ("GIT_TIMEOUT", "0s"),
    ],
)
def test_what_a_setting_cannot_be_is_refused(name: str, value: str) -> None:
    """
    Each kind refuses what would only fail later, or mean something else.
    """
    said = refusal({f"WAVEFLEET_{name}": value})

    assert said.startswith(f"WAVEFLEET_{name}: found ")
    assert "pa55" not in said


def test_a_path_may_begin_in_the_home_folder(tmp_path: Path) -> None:
    """
    TOML knows no shell, so ``~`` is opened here.
    """
    settings = loaded(toml=a_toml_file(tmp_path, "ledger = '~/ledger.db'\n"))

    assert Path("~/ledger.db").expanduser() == settings.ledger
    assert settings.ledger.parent / "git" == settings.cache
