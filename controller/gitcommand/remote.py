"""Where a Git remote is and how to prove who we are: checked once, before any command is started.

An address is let through by an allow-list and never repaired: Git gives some spellings a meaning of their own
(``ext::`` runs a program, a leading dash is an option), and a password in an address ends up in process lists and logs.
Secrets travel to Git by environment only, as a header bound to this one server. Nothing here contacts the remote.
"""

import base64
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.errors import SettingsError

_EXPECTED = "https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or file:///PATH"
_USER = r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?"
_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_PATH = r"[A-Za-z0-9._~%/+@=,:-]+"
_URL = re.compile(rf"(?P<scheme>https|ssh|http|file)://{_USER}(?:{_HOST}(?P<port>:[0-9]{{1,5}})?)?/{_PATH}")
_SHORT_SSH = re.compile(rf"(?P<scheme>){_USER}{_HOST}:(?!-|//|:){_PATH}")
_SECRET_IN_URL = re.compile(r"://.*:.*@|^(?!ssh://).*://.*@")
"""A password before the ``@``, or anything where it is not SSH: tokens are given as the user's name too."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_URL_LENGTH_MAX = 1000
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+=#@-]{0,199}")
_BRANCH_NEVER = re.compile(r"\.\.|//|/\.|@\{|\.lock(/|$)|[/.]$")
_FILE = re.compile(r"/[A-Za-z0-9._/+=,@-]+")


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """What a remote is shown to let us in; all of it optional. Secrets are kept out of ``repr``."""

    username: str = "x-access-token"
    """For HTTP beside the password; forges ignore it when the password is a token, so the default serves them."""
    password: str | None = field(default=None, repr=False)
    """A token or password for HTTP; None sends none."""
    ssh_key: Path | None = None
    """A private key without a passphrase, for SSH."""
    known_hosts: Path | None = None
    """The servers' host keys in OpenSSH's format; None = SSH's own files. No other server is ever talked to."""

    @property
    def basic(self) -> str | None:
        """The user name and password as HTTP basic authentication encodes them (RFC 7617); None without a password."""
        if self.password is None:
            return None
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be shown to anybody."""
        return tuple(secret for secret in (self.password, self.basic) if secret)


@dataclass(frozen=True, slots=True)
class GitRemote:
    """One remote. Raises SettingsError where its address or credentials cannot be used, or must not."""

    url: str
    """Safe to show: it never contains a password."""
    credentials: GitCredentials = field(default_factory=GitCredentials)
    allow_plain_http: bool = False
    """Whether ``http://`` may leave this machine; anybody on the way reads and changes what it carries."""

    def __post_init__(self) -> None:
        match = _checked_match(self.url)
        scheme = self.scheme
        if scheme == "http" and match["host"] not in _LOOPBACK and not self.allow_plain_http:
            raise SettingsError(
                f"{self.url}: found http to another machine, expected https; on a network that you trust "
                "set WAVEFLEET_ALLOW_HTTP to true"
            )
        if scheme == "ssh":
            _check_ssh(self.url, self.credentials)
        if any(character in (self.credentials.password or "") + self.credentials.username for character in "\r\n\0"):
            raise SettingsError(f"{self.url}: the user name or password has a line end in it; store it without")

    @property
    def scheme(self) -> str:
        """One of ``https``, ``ssh``, ``http`` and ``file``."""
        return self.url.partition("://")[0] if "://" in self.url else "ssh"

    def environment(self) -> Mapping[str, str]:
        """Return the variables that let Git reach this remote, and by its protocol alone."""
        allowed = {"GIT_ALLOW_PROTOCOL": self.scheme}
        if self.scheme == "ssh":
            allowed |= {"GIT_SSH_COMMAND": self._ssh_command(), "GIT_SSH_VARIANT": "ssh"}
        return allowed

    def configuration(self) -> Mapping[str, str]:
        """Return Git's settings for this remote, to be handed over by environment; one of them may be a secret."""
        basic = self.credentials.basic
        if basic is None or self.scheme not in {"http", "https"}:
            return {}
        origin = "/".join(self.url.split("/")[:3])
        # Git would go on to send the header to wherever the server redirects us.
        return {f"http.{origin}/.extraHeader": f"Authorization: Basic {basic}", "http.followRedirects": "false"}

    def redacted(self, text: str) -> str:
        """Return ``text`` without secrets, also those that are not ours, such as a proxy's."""
        for secret in self.credentials.secrets:
            text = text.replace(secret, "***")
        return re.sub(r"://[^/\s@]*@", "://***@", text)

    def _ssh_command(self) -> str:
        known_hosts = self.credentials.known_hosts
        trusted = [f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null"] if known_hosts else []
        options = [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "StrictHostKeyChecking=yes",
            *trusted,
            "ServerAliveInterval=15",  # an SSH whose Wavefleet was killed ends by this
            "ServerAliveCountMax=2",
        ]
        key = str(self.credentials.ssh_key)
        return shlex.join(["ssh", "-F", "/dev/null", "-i", key, *(f"-o{option}" for option in options)])


def as_url(repository: str) -> str:
    """Return the address for what people may also write as a path of this machine; others are left as they are."""
    is_path = "://" not in repository and not _SHORT_SSH.fullmatch(repository)
    return Path(repository).absolute().as_uri() if is_path else repository


def checked_branch(branch: str) -> str:
    """Return ``branch`` where it is a plain branch name; raises SettingsError (source: ``git check-ref-format``)."""
    if not _BRANCH.fullmatch(branch) or _BRANCH_NEVER.search(branch) or branch.startswith("refs/"):
        raise SettingsError(f"branch {branch[:200]!r}: expected a branch name such as main, without refs/heads/")
    return branch


def checked_ref(ref: str) -> str:
    """Return ``ref`` where it may name a branch, a tag, a pull request's head or a revision; raises SettingsError."""
    if not _BRANCH.fullmatch(ref) or _BRANCH_NEVER.search(ref):
        raise SettingsError(
            f"ref {ref[:200]!r}: expected a branch, a tag, a ref such as refs/pull/12/head, or the full id of a commit"
        )
    return ref


def _checked_match(url: str) -> re.Match[str]:
    if _SECRET_IN_URL.search(url):
        raise SettingsError(
            "the repository's address has a password or token in it, where process lists and logs show it; "
            "take it out, and give user name and token by their own settings"
        )
    match = _URL.fullmatch(url) or _SHORT_SSH.fullmatch(url)
    if match is None or len(url) > _URL_LENGTH_MAX or (match["host"] is None) != (match["scheme"] == "file"):
        raise SettingsError(f"repository {url[:200]!r}: expected {_EXPECTED}")
    return match


def _check_ssh(url: str, credentials: GitCredentials) -> None:
    if credentials.ssh_key is None:
        raise SettingsError(f"{url}: SSH needs a private key, found none; name its file")
    for what, path in (("the private key", credentials.ssh_key), ("the known_hosts file", credentials.known_hosts)):
        if path is None:
            continue
        if not _FILE.fullmatch(str(path)):  # OpenSSH expands some characters in file names
            raise SettingsError(f"{url}: {what} at {str(path)!r}: expected an absolute path of plain characters")
        if not path.is_file():
            raise SettingsError(f"{url}: {what} at {path}: found no such file; mount it or name another")
