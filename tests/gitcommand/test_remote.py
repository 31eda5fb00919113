"""Addresses and credentials are let through by an allow-list, and secrets stay out of sight."""

from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.gitcommand import GitCredentials, GitRemote, as_url, checked_branch

SECRET = "s3cr3t-of-ours"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/acme/fleet.git",
        "https://git.example.com:8443/acme/fleet",
        "http://127.0.0.1:3000/acme/fleet.git",
        "http://localhost/fleet.git",
        "http://[::1]:8080/fleet.git",
        "file:///srv/git/fleet.git",
        "file:///srv/with%20space/fleet.git",
    ],
)
def test_plain_addresses_are_taken(url: str) -> None:
    """
    Addresses of the four kinds are taken as they are.
    """
    assert url == GitRemote(url).url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/git/fleet.git",
        "--upload-pack=/bin/sh",
        "ext::sh -c true",
        "ext::https://git.example.com/fleet.git",
        "git://git.example.com/fleet.git",
        "ftp://git.example.com/fleet.git",
        "https://-oProxyCommand=x/fleet.git",
        "ssh://-oProxyCommand=x/fleet.git",
        "git@-oProxyCommand=x:fleet.git",
        "git@example.com:-fleet.git",
        "https:///fleet.git",
        "https://git.example.com",
        "https://git.example.com/",
        "https://git.example.com/fleet.git?x=1",
        "https://git.example.com/fleet.git#main",
        "https://git.example.com/fl eet.git",
        "https://git.example.com/fleet.git\n",
        "https://git.example.com/fl\x00eet.git",
        "https://git.example.com/$HOME",
        "file://server/fleet.git",
        "https://git.example.com/" + "x" * 1000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """
    What Git would take for an option, a program or another protocol never reaches it; the sentence says what is right.
    """
    with pytest.raises(SettingsError, match="expected https://HOST/PATH"):
        GitRemote(url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://ana:{SECRET}@git.example.com/fleet.git",
        f"https://{SECRET}@git.example.com/fleet.git",
        f"https://ana:{SECRET}/with/slashes@git.example.com/fleet.git",
        f"https://ana:{SECRET}@with@git.example.com/fleet.git",
        f"ssh://ana:{SECRET}@git.example.com/fleet.git",
        f"http://:{SECRET}@127.0.0.1/fleet.git",
    ],
)
def test_a_secret_in_the_address_is_refused_without_repeating_it(url: str) -> None:
    """
    A password or token in the address is refused, with what to do, and is not printed by the refusal itself.
    """
    with pytest.raises(SettingsError, match="by their own settings") as refused:
        GitRemote(url)

    assert SECRET not in str(refused.value)


def test_http_stays_on_this_machine_unless_allowed() -> None:
    """
    Plain http to another machine needs a word of its own.
    """
    with pytest.raises(SettingsError, match="expected https"):
        GitRemote("http://git.example.com/fleet.git")

    assert "http" == GitRemote("http://git.example.com/fleet.git", allow_plain_http=True).scheme


def test_ssh_needs_a_key_and_files_that_are_there(tmp_path: Path) -> None:
    """
    SSH without a key, with a file that is missing, or with one that OpenSSH would expand, is refused at once.
    """
    key = tmp_path / "key"
    key.touch()
    url = "ssh://git@git.example.com/fleet.git"
    with pytest.raises(SettingsError, match="needs a private key"):
        GitRemote(url)
    with pytest.raises(SettingsError, match="found no such file"):
        GitRemote(url, GitCredentials(ssh_key=tmp_path / "other"))
    with pytest.raises(SettingsError, match="found no such file"):
        GitRemote(url, GitCredentials(ssh_key=key, known_hosts=tmp_path / "known"))
    with pytest.raises(SettingsError, match="plain characters"):
        GitRemote(url, GitCredentials(ssh_key=Path("/keys/%h ${HOME}")))

    for taken in (url, "git@git.example.com:acme/fleet.git", "git.example.com:fleet.git"):
        assert "ssh" == GitRemote(taken, GitCredentials(ssh_key=key, known_hosts=key)).scheme


def test_ssh_trusts_no_host_by_itself(tmp_path: Path) -> None:
    """
    Whatever else is set, SSH asks nobody, checks the host's key, and reads no configuration.
    """
    key = tmp_path / "key"
    key.touch()
    remote = GitRemote("ssh://git@git.example.com/fleet.git", GitCredentials(ssh_key=key, known_hosts=key))
    command = remote.environment()["GIT_SSH_COMMAND"].split()

    assert ["ssh", "-F", "/dev/null", "-i", str(key)] == command[:5]
    assert {"-oStrictHostKeyChecking=yes", "-oBatchMode=yes", "-oIdentitiesOnly=yes"} <= set(command)
    assert f"-oUserKnownHostsFile={key}" in command
    assert "ssh" == remote.environment()["GIT_ALLOW_PROTOCOL"]


def test_secrets_are_in_no_text() -> None:
    """
    Neither ``repr`` nor a redacted line shows a password, in plain or as the header encodes it.
    """
    credentials = GitCredentials("ana", SECRET)
    remote = GitRemote("https://git.example.com/fleet.git", credentials)
    line = f"sent {credentials.basic} for {SECRET} by https://u:other@proxy.example.com/x"

    assert SECRET not in repr(remote)
    assert "sent *** for *** by https://***@proxy.example.com/x" == remote.redacted(line)


def test_a_header_cannot_be_split() -> None:
    """
    A line end in a password would smuggle a header of its own; it is refused without showing it.
    """
    with pytest.raises(SettingsError, match="line end") as refused:
        GitRemote("https://git.example.com/fleet.git", GitCredentials("ana", f"{SECRET}\nX-Evil: 1"))

    assert SECRET not in str(refused.value)


def test_a_header_goes_to_its_server_alone() -> None:
    """
    The header is set for this one server, and redirects are then not followed.
    """
    remote = GitRemote("https://git.example.com:8443/acme/fleet.git", GitCredentials(password=SECRET))
    keys = list(remote.configuration())

    assert ["http.https://git.example.com:8443/.extraHeader", "http.followRedirects"] == keys
    assert {} == GitRemote("https://git.example.com/fleet.git").configuration()
    assert {} == GitRemote("file:///srv/fleet.git", GitCredentials(password=SECRET)).configuration()


def test_paths_become_addresses(tmp_path: Path) -> None:
    """
    People may write a path of this machine; addresses and SSH's short form stay as they are.
    """
    assert (tmp_path / "a b.git").as_uri() == as_url(str(tmp_path / "a b.git"))
    assert (Path.cwd() / "fleet.git").as_uri() == as_url("fleet.git")
    assert "https://git.example.com/fleet.git" == as_url("https://git.example.com/fleet.git")
    assert "git@git.example.com:fleet.git" == as_url("git@git.example.com:fleet.git")


@pytest.mark.parametrize("branch", ["main", "release/4.3", "ana+fleet", "x@y", "1"])
def test_branch_names_are_taken(branch: str) -> None:
    """
    Ordinary branch names are taken as they are.
    """
    assert branch == checked_branch(branch)


UNFIT_BRANCHES = """
-main --upload-pack=x refs/heads/main a..b a//b a/ a/.b a.lock a.lock/b @ a@{1} a~1 a^ a:b a? a* a[b a\\b a. +main
"""


@pytest.mark.parametrize("branch", ["", "a b", "a\nb", "x" * 300, *UNFIT_BRANCHES.split()])
def test_other_branch_names_are_refused(branch: str) -> None:
    """
    What Git would refuse as a branch, or take for something else, never reaches it.
    """
    with pytest.raises(SettingsError, match="expected a branch name such as main"):
        checked_branch(branch)
