"""How to reach the brokers of a cluster: where, over what, and who we say that we are.

What is secret is read when a connection is made, so that a renewed certificate or password counts at once; it stands
in no ``repr`` and no error.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from controller.errors import ObservationError


class Sasl(StrEnum):
    """Mechanisms by which a password proves who we are."""

    PLAIN = "PLAIN"
    SCRAM_256 = "SCRAM-SHA-256"
    SCRAM_512 = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Tls:
    """Proof of who the brokers are, and of who we are where they ask for a certificate."""

    authorities: Path | None = None
    """PEM file of the authorities that brokers' certificates must come from; None = the system's."""
    certificate: Path | None = None
    """PEM file of our own certificate, with what leads to its authority."""
    key: Path | None = None
    """PEM file of its key."""


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password."""

    mechanism: Sasl
    username: str
    password: Callable[[], str]
    """Reads it. Raises ObservationError where it cannot be had."""


@dataclass(frozen=True, slots=True)
class Access:
    """Everything but the address; the default speaks plainly to brokers that ask for nothing."""

    tls: Tls | None = None
    login: Login | None = None

    def options(self) -> dict[str, Any]:
        """Return what each client of kafka-python takes for it, certificates and passwords as they are now.

        Raises ObservationError where one of them cannot be had.
        """
        protocol = "SSL" if self.tls is not None else "PLAINTEXT"
        options: dict[str, Any] = {}
        if self.tls is not None:
            options["ssl_context"] = _context(self.tls)
        if self.login is not None:
            protocol = f"SASL_{protocol}"
            options["sasl_mechanism"] = self.login.mechanism.value
            options["sasl_plain_username"] = self.login.username
            options["sasl_plain_password"] = self.login.password()
        return {"security_protocol": protocol, **options}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the brokers of one cluster are, and how to speak with them."""

    bootstrap: tuple[str, ...]
    """``HOST:PORT`` of some or all."""
    access: Access = Access()


def _context(tls: Tls) -> ssl.SSLContext:
    """Return a context that checks both the brokers' certificates and their names."""
    try:
        context = ssl.create_default_context(cafile=tls.authorities)
    except (OSError, ssl.SSLError) as error:
        raise ObservationError(f"{tls.authorities}: no authorities can be read: {_why(error)}") from error
    if tls.certificate is not None:

        def refuse() -> str:
            # Without this, OpenSSL asks whoever sits at the terminal, and waits.
            raise ObservationError(
                f"{tls.key or tls.certificate}: the key must not be encrypted: give it without a pass phrase"
            )

        try:
            context.load_cert_chain(tls.certificate, tls.key, refuse)
        except (OSError, ssl.SSLError) as error:
            raise ObservationError(f"{tls.certificate}: no certificate and key can be read: {_why(error)}") from error
    return context


def _why(error: OSError) -> str:
    return error.reason if isinstance(error, ssl.SSLError) else error.strerror or type(error).__name__
