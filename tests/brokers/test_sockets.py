"""Connections that never come to be: whatever is in the way, it is told as a sentence, and ends nothing else."""

import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.brokers.deadline import Deadline
from controller.brokers.sockets import Address, BrokerError, connect, said

IN_TIME = 20


@pytest.mark.parametrize(
    "host", ["kafka..example.com", ".x", "demo-kafka-bootstrap..svc", "a" * 64 + ".example.com", "\ud800"]
)
def test_a_host_that_no_name_can_be_is_told(host: str) -> None:
    """
    An empty label, one that is too long, or what stands in no name: Python refuses it before any resolver is asked.
    """
    with pytest.raises(BrokerError) as caught:
        connect(Address.parse(f"{host}:9092"), None, Deadline.within(IN_TIME))

    assert f"{host}:9092: is no host name" == str(caught.value)


@contextmanager
def no_file_to_spare() -> Iterator[None]:
    """Whatever opens a file or a socket within the block is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("host", "why"), [("127.0.0.1", "too many open files"), ("localhost", "its name cannot be resolved: ")]
)
def test_a_process_that_has_no_socket_to_spare_says_so(host: str, why: str) -> None:
    """
    For a number as for a name, on the thread that resolves it too.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(host, server.getsockname()[1])
        connect(address, None, Deadline.within(IN_TIME)).close()  # what is imported at first use is there now

        with no_file_to_spare(), pytest.raises(BrokerError) as caught:
            connect(address, None, Deadline.within(IN_TIME))

    assert str(caught.value).startswith(f"{address}: {why}")


@pytest.mark.parametrize(
    ("alert", "sentence"),
    [
        *(
            (alert, f"does not accept our certificate ({words}): check the client certificate and its key")
            for alert, words in (
                ("SSLV3_ALERT_BAD_CERTIFICATE", "sslv3 alert bad certificate"),
                ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "sslv3 alert certificate expired"),
                ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "tlsv13 alert certificate required"),
                ("TLSV1_ALERT_UNKNOWN_CA", "tlsv1 alert unknown ca"),
                ("TLSV1_ALERT_ACCESS_DENIED", "tlsv1 alert access denied"),
            )
        ),
        (
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            (
                "refuses our TLS (sslv3 alert handshake failure): look at its TLS versions and ciphers,"
                " and at the client certificate"
            ),
        ),
        (
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "refuses our TLS (tlsv1 alert protocol version): look at its TLS versions and ciphers",
        ),
        ("UNEXPECTED_EOF_WHILE_READING", "the TLS connection broke: unexpected eof while reading"),
    ],
)
def test_a_tls_alert_is_told_by_what_it_is_about(alert: str, sentence: str) -> None:
    """
    Our certificate is named where the broker speaks of certificates, and where it does not say what it dislikes.
    """
    error = ssl.SSLError(1, "as OpenSSL has it")
    error.reason = alert

    assert sentence == said(error)
