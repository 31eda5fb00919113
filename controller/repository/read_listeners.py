"""Reads how the brokers of a source's clusters are reached, and refuses what can never work.

An address that no broker can have, a pattern that fits no cluster of its source, and a listener behind one that fits
them all would be believed in vain: nobody would ask those brokers, and every start would wait for their answer.
"""

import re
from collections.abc import Callable, Mapping

from controller.model.declaration import Listener
from controller.model.places import Place
from controller.repository import values
from controller.repository.fields import Fields

PORT_MAX = 65_535
HOST_CHARACTERS_MAX = 253

_ADDRESS = "HOST:PORT, such as {name}-kafka-bootstrap.{namespace}.svc:9093"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""One part of a host's name (source: RFC 1123, 2.1)."""
_EVERY = "*"
_FITS_ALL = (_EVERY, "*/*")


def read_listeners(source: Fields, kind: str | None) -> tuple[Listener, ...]:
    """Return the listeners of a source of this kind, in the order in which they are tried."""
    before: dict[str, Place] = {}
    listeners = []
    for fields in source.each("listeners"):
        clusters = _EVERY if fields.is_absent("clusters") else fields.read("clusters", _CLUSTERS.get(kind or "", str))
        if clusters is not None:
            _refuse_unreached(fields, clusters, before)
            before.setdefault(clusters, fields.place)
        listeners.append(_listener(fields, clusters or _EVERY, _lab_address if kind == "lab" else _address))
    return tuple(listeners)


def _listener(fields: Fields, clusters: str, address: Callable[[str], str]) -> Listener:
    sasl, credentials = fields.word("sasl"), fields.word("credentials")
    read = (fields.parsed(word, address) for word in fields.words("bootstrap"))
    listener = Listener(
        clusters=clusters,
        bootstrap=tuple(text for text in read if text is not None),
        tls=fields.read("tls", values.flag) or False,
        sasl=sasl.text if sasl is not None else None,
        credentials=credentials.text if credentials is not None else None,
    )
    if credentials is not None and not listener.tls and sasl is None:
        fields.note("credentials", "credentials for brokers that ask for none", "tls: true or sasl beside them")
    return listener


def _refuse_unreached(fields: Fields, clusters: str, before: Mapping[str, Place]) -> None:
    """Note the problem of a listener that no cluster comes to, since one before it fits all that it fits."""
    first = next((each for each in before if each in (*_FITS_ALL, clusters)), None)
    if first is not None:
        found = f"a listener that is never reached: that for {first} in {before[first]} fits first"
        fields.note("clusters", found, "this one before that one, or other clusters")


def _address(text: str) -> str:
    """Read an address; raises ValueError where no cluster's name makes one of it that can be reached."""
    host, _, port = text.rpartition(":")
    if not 1 <= int(port) <= PORT_MAX:
        raise ValueError(f"HOST:PORT with a port from 1 to {PORT_MAX}")
    filled = host.replace("{name}", "x").replace("{namespace}", "x").removesuffix(".")
    if len(filled) > HOST_CHARACTERS_MAX or not all(_LABEL.fullmatch(part) for part in filled.split(".")):
        raise ValueError(
            f"{_ADDRESS}: a host's name has parts of 1 to 63 letters, digits and '-', not at their ends, and at most"
            f" {HOST_CHARACTERS_MAX} characters"
        )
    return text


def _lab_address(text: str) -> str:
    if "{namespace}" in text:
        raise ValueError("an address without {namespace}: a cluster of a lab has none")
    return _address(text)


def _clusters_of_a_lab(text: str) -> str:
    if "/" in text:
        raise ValueError("a cluster of a lab, or a pattern such as orders-*: its name has no '/'")
    return text


def _clusters_on_kubernetes(text: str) -> str:
    """Read a pattern; one with a star or a question mark and no slash may fit, since those stand for a slash, too."""
    parts = text.split("/")
    is_fit = len(parts) == 2 and all(parts) if len(parts) > 1 else any(sign in text for sign in "*?")
    if not is_fit:
        raise ValueError("NAMESPACE/NAME, a pattern of it such as kafka-*/orders-*, or *")
    return text


_CLUSTERS: dict[str, Callable[[str], str]] = {"lab": _clusters_of_a_lab, "strimzi": _clusters_on_kubernetes}
