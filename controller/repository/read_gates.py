"""Reads the external gates of a group: what is asked of Prometheus, and of webhooks.

A gate asks from the inside of the operator's network with the controller's rights, so its address is judged here:
encrypted, unless it stays on this machine, and without a secret, since whoever reads the repository reads it too.
"""

from urllib.parse import SplitResult, urlsplit

from controller.repository import values
from controller.repository.fields import Fields
from controller.repository.written import WrittenGate

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def read_gates(spec: Fields) -> tuple[WrittenGate, ...]:
    """Return the gates of a group as they are ordered in it."""
    return tuple(_webhook(gate) if gate.has("webhook") else _prometheus(gate) for gate in spec.each("gates"))


def _prometheus(gate: Fields) -> WrittenGate:
    fields = gate.fields("prometheus")
    below, above = fields.read("below", float), fields.read("above", float)
    if below is not None and above is not None and above >= below:
        found = f"bounds between which no number lies: above {above:g} and below {below:g}"
        fields.note("above", found, "a number that is less than `below`")
    return WrittenGate(
        name=fields.word("name"),
        query=fields.read("query", values.query),
        below=below,
        above=above,
        samples=fields.read("samples", values.whole_number),
        url=None,
        place=gate.place,
    )


def _webhook(gate: Fields) -> WrittenGate:
    fields = gate.fields("webhook")
    return WrittenGate(
        name=fields.word("name"),
        query=None,
        below=None,
        above=None,
        samples=None,
        url=_url(fields),
        place=gate.place,
    )


def _url(fields: Fields) -> str | None:
    word = fields.word("url")
    parts = fields.parsed(word, _address) if word is not None else None
    if word is None or parts is None:
        return None
    if "@" in parts.netloc:
        # Told without the text: it may hold a password.
        fields.note("url", "a URL with a user or a password", "a URL without credentials: this repository is no secret")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        fields.note("url", "plain http to another machine", "https, or http to localhost, 127.0.0.1 or [::1]")
    return word.text


def _address(text: str) -> SplitResult:
    """Read a URL; ValueError where it names no machine, or a port that none has."""
    expected = "a URL that names a machine, such as https://changes.example.com/may-start"
    try:
        parts = urlsplit(text)
        named = parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(expected) from error
    if not named or parts.fragment:
        raise ValueError(expected)
    return parts
