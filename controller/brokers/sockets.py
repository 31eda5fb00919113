"""A connected socket to one broker, plain or within TLS, or a sentence on why there is none.

Names are resolved on a thread of their own, since the system's resolver knows no time limit: one that hangs is left
behind, and ends by itself.
"""

import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

from controller.brokers.deadline import Deadline
from controller.errors import ObservationError

_AUTHORITY_UNKNOWN = {18, 19, 20, 21}
"""OpenSSL's numbers for certificates that lead to no authority of ours."""
_EXPIRED = {10}
_NAMED_OTHERWISE = {62, 64}
_OF_CERTIFICATES = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
"""Parts of OpenSSL's names of alerts that are about the certificate that we showed, or did not show."""
_NO_ANSWER = "does not answer in time"

_Place = Any
"""An address as sockets have it, which differs from family to family."""
Resolved = list[tuple[socket.AddressFamily, _Place]]


class BrokerError(ObservationError):
    """A broker cannot be reached, or gives no answer that can be used; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens."""

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> "Address":
        """Read ``HOST:PORT``; BrokerError where it is none."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or int(port) not in range(1, 65536):
            raise BrokerError(f"{text}: expected HOST:PORT")
        return Address(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def connect(address: Address, context: ssl.SSLContext | None, deadline: Deadline) -> socket.socket:
    """Return a socket that is connected, and has proven who it is where ``context`` is there; BrokerError if not."""
    resolved = _resolve(address, deadline)
    why = "its name leads nowhere"
    for number, (family, place) in enumerate(resolved):
        share = deadline.left / (len(resolved) - number)
        try:
            plain = _connected(family, place, max(share, 0.001))
        except OSError as error:
            why = said(error)
            continue
        return plain if context is None else _secured(plain, address, context, deadline)
    raise BrokerError(f"{address}: {why}")


def _connected(family: socket.AddressFamily, place: _Place, seconds: float) -> socket.socket:
    """Return a socket that is connected. Raises OSError, also where the system has no socket of that family to give."""
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.settimeout(seconds)
        plain.connect(place)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        plain.close()
        raise
    return plain


def said(error: OSError) -> str:
    """Return what the system says, as the end of a sentence."""
    if isinstance(error, TimeoutError):
        return _NO_ANSWER
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return _objection(error.reason, _words(error))
    if isinstance(error, ssl.SSLError):
        return f"the TLS connection broke: {_words(error)}"
    return (error.strerror or type(error).__name__).lower()


def _objection(alert: str, words: str) -> str:
    """Return what a broker dislikes of our side of TLS, by the alert that it sent."""
    if any(part in alert for part in _OF_CERTIFICATES):
        return f"does not accept our certificate ({words}): check the client certificate and its key"
    # Some send it also where they want a certificate and get none.
    too = ", and at the client certificate" if "HANDSHAKE_FAILURE" in alert else ""
    return f"refuses our TLS ({words}): look at its TLS versions and ciphers{too}"


def _secured(plain: socket.socket, address: Address, context: ssl.SSLContext, deadline: Deadline) -> socket.socket:
    """Put TLS on a connection; it is closed where that fails."""
    try:
        plain.settimeout(max(deadline.left, 0.001))
        return context.wrap_socket(plain, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise BrokerError(f"{address}: {_refused(error)}") from error
    except OSError as error:
        plain.close()
        if isinstance(error, TimeoutError) or (isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")):
            raise BrokerError(f"{address}: {said(error)}") from error
        raise BrokerError(
            f"{address}: speaks no TLS there ({_words(error)}): use its TLS port, or no TLS for this cluster"
        ) from error


def _refused(error: ssl.SSLCertVerificationError) -> str:
    mends = (
        (_AUTHORITY_UNKNOWN, "give the file of the authority that it comes from"),
        (_EXPIRED, "renew it"),
        (_NAMED_OTHERWISE, "use an address that is in it, or have it made for this one"),
    )
    mend = next((mend for codes, mend in mends if error.verify_code in codes), "have it replaced")
    return f"its certificate is refused ({error.verify_message.rstrip('.').lower()}): {mend}"


def _words(error: OSError) -> str:
    """Return an error's own words; OpenSSL's are names with underscores."""
    words = (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__
    return words.replace("_", " ").lower()


def _resolve(address: Address, deadline: Deadline) -> Resolved:
    """Return where a name leads, each place once; BrokerError where that is nowhere, or takes too long."""
    try:
        # A number needs no resolver, and thus no thread.
        return _places(address, socket.AI_NUMERICHOST)
    except OSError:
        pass
    except UnicodeError as error:
        # Python itself encodes names, and refuses those with an empty or an over-long label.
        raise BrokerError(f"{address}: is no host name") from error
    found: list[Resolved | OSError] = []

    def ask() -> None:
        try:
            found.append(_places(address, 0))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=ask, name="resolve-broker", daemon=True)
    thread.start()
    thread.join(deadline.left)
    if not found:
        raise BrokerError(f"{address}: its name is not resolved in time: look at DNS")
    if isinstance(found[0], OSError):
        raise BrokerError(f"{address}: its name cannot be resolved: {(found[0].strerror or 'no answer').lower()}")
    return found[0]


def _places(address: Address, flags: int) -> Resolved:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, place) for family, _, _, _, place in found]
