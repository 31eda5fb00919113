"""What the text of a setting may be, and the value it becomes.

Every kind says what it expects in words that fit behind "expected", and raises ValueError for everything else. It
sees the text alone: where that was written is added by ``loading``. No kind asks the network or the clock; those of
files look whether the file is there, since a key that is missing should be told at start and not at the first fetch.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from controller.model.durations import format_duration, parse_duration

PORT_MAX = 65535

_BRANCH_BANNED = re.compile(r"[ ~^:?*\[\\]|\.\.|//|@\{|/\.|\.lock(/|$)|^[-/.]|[/.]$|^@$")
"""What Git refuses in a branch's name (git-check-ref-format), and a leading ``-``, which would be read as an option."""
_SCP_FORM = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!/{2})\S+")
_FORGE_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_.][\w.-]*)+", re.ASCII)
_IPV6_HOST = re.compile(r"//(?:[A-Za-z0-9._-]+@)?\[[0-9A-Fa-f:.]+\]")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SWITCH = {"true": True, "false": False}
_SLACK_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,20}|#[^\s,#@]{1,80}")


class Mode(StrEnum):
    """What the daemon does with its plans."""

    APPLY = "apply"
    OBSERVE = "observe"
    """It plans and reports, and writes nothing to any cluster."""


class StatusChannel(StrEnum):
    """Where commit statuses go."""

    NOTES = "notes"
    GITEA = "gitea"
    GITHUB = "github"
    NONE = "none"


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    """Text on a terminal, JSON elsewhere."""
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Secret:
    """A secret's text, which nothing shows by accident: no print, no log, no ``asdict``.

    It is no dataclass on purpose: ``dataclasses.asdict`` would open it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; for the one module that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int
    """0 = any free one."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Kind:
    """How the text of one setting becomes its value."""

    expected: str
    """Fits behind "expected"."""
    parse: Callable[[str], object]
    """Raises ValueError where the text is something else."""


def duration(least: timedelta, most: timedelta) -> Kind:
    """Return the kind of durations from ``least`` to ``most``, both included."""

    def parse(text: str) -> timedelta:
        value = parse_duration(text)
        _demand(least <= value <= most)
        return value

    return Kind(f"a duration from {format_duration(least)} to {format_duration(most)} such as 90s, 5m or 1h", parse)


def choice(words: type[StrEnum]) -> Kind:
    """Return the kind of the words of one enumeration."""
    return Kind("one of " + ", ".join(words), words)


def is_plain_http_elsewhere(address: str) -> bool:
    """Tell whether ``address`` is a URL by which secrets would leave this machine unencrypted."""
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def _demand(condition: object) -> None:
    if not condition:
        raise ValueError


def _words(text: str) -> str:
    _demand(text.isprintable())
    return text


def _path(text: str) -> Path:
    _demand(text.isprintable() and "://" not in text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ``~`` of a user that has no home
        raise ValueError from error


def _switch(text: str) -> bool:
    _demand(text in _SWITCH)
    return _SWITCH[text]


def _existing_file(text: str) -> Path:
    path = _path(text)
    _demand(path.is_file())
    return path


def _branch(text: str) -> str:
    _demand(text.isprintable() and not _BRANCH_BANNED.search(text))
    return text


def _repository(text: str) -> str:
    """Refuse what Git would take for an option, a command (``ext::``) or a place for credentials."""
    _demand(text.isprintable() and not text.startswith("-") and "::" not in _IPV6_HOST.sub("//", text))
    if "://" not in text:
        _demand(":" not in text.partition("/")[0] or _SCP_FORM.fullmatch(text))
        return str(_path(text)) if text.startswith("~") else text
    parts = urlsplit(text)
    _demand(parts.scheme in {"file", "http", "https", "ssh"})
    _demand(parts.password is None and (parts.username is None or parts.scheme == "ssh"))
    _demand((parts.hostname or parts.scheme == "file") and not (parts.query or parts.fragment))
    _demand(parts.path.strip("/") and parts.port != 0 and not parts.netloc.startswith("-"))
    return text


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    _demand(parts.scheme in {"http", "https"} and parts.hostname and text.isprintable() and " " not in text)
    _demand("@" not in parts.netloc and not (parts.query or parts.fragment) and parts.port != 0)
    return text.rstrip("/")


def _listen(text: str) -> Address | None:
    if text == "off":
        return None
    host, colon, port = text.rpartition(":")
    _demand(colon and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= PORT_MAX)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        _demand(re.fullmatch(r"[0-9A-Fa-f:.]+(%\w+)?", host))
    else:
        _demand(re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", host))
    return Address(host, int(port))


def _full_match(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        _demand(pattern.fullmatch(text))
        return text

    return parse


def _secret(text: str) -> Secret:
    # A line break or a space would end up in a header or a prompt and be told as a wrong password.
    _demand(text.isascii() and text.isprintable() and " " not in text)
    return Secret(text)


WORDS = Kind("text without control characters", _words)
PATH = Kind("a path on this machine", _path)
EXISTING_FILE = Kind("the path of a file that is there", _existing_file)
SWITCH = Kind("one of true, false", _switch)
BRANCH = Kind("a branch's name such as main", _branch)
REPOSITORY = Kind(
    "a path, or a URL with https, http, ssh or file and without credentials (those are WAVEFLEET_GIT_TOKEN)",
    _repository,
)
WEB_ADDRESS = Kind("a URL with https or http, without credentials, query or fragment", _web_address)
LISTEN = Kind("HOST:PORT such as 127.0.0.1:8080, or off", _listen)
FORGE_REPOSITORY = Kind("OWNER/NAME", _full_match(_FORGE_REPOSITORY))
SLACK_CHANNEL = Kind("a channel's id such as C0123456789, or #NAME", _full_match(_SLACK_CHANNEL))
SECRET = Kind("a secret in printable ASCII without spaces", _secret)
