"""How outside answers are told to people: bounded, printable, and without what may be a secret."""

from http import HTTPStatus
from urllib.parse import urlsplit

from controller.model.observation import GateReading

SHOWN_CHARACTERS_MAX = 300
"""So much of another's words is shown to people."""


def unanswered(why: str) -> GateReading:
    """Return the reading of a gate that gave no usable answer; ``why`` is the whole sentence."""
    return GateReading(passed=None, detail=why)


def shown(text: str) -> str:
    """Return another's words in one bounded line of printable text."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= SHOWN_CHARACTERS_MAX else line[: SHOWN_CHARACTERS_MAX - 1].rstrip() + "…"


def host_of(url: str) -> str:
    """Return host and port of a URL, all of it that sentences show: path and query may hold secrets. Empty if none."""
    try:
        return shown(urlsplit(url).netloc.rpartition("@")[2])
    except ValueError:
        return ""


def status_words(status: int) -> str:
    """Return a status as people know it: ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
