"""Whether brokers answer, by the smallest question there is: which requests they know (ApiVersions, version 0).

A broker that was stopped still accepts connections, so only an answer counts. Over TLS the question comes after the
handshake, which checks the broker's certificate; no password is needed for it. It asks all brokers at the same time,
and changes nothing.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from controller.errors import LabError
from controller.labfiles import credentials_of, read_clusters

ANSWER_SECONDS_MAX = 2.0
AT_ONCE = 16

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""Length, key, version, correlation and no client id."""


def answering(directory: Path) -> Mapping[str, frozenset[int]]:
    """By cluster of the lab in ``directory``: ids of the brokers that answer. LabError where files cannot be read."""
    clusters = read_clusters(directory)
    asked = [(cluster, place) for cluster in clusters for place in cluster.brokers]
    authorities = credentials_of(directory).authorities
    contexts = {cluster.name: _context(authorities) if cluster.secure else None for cluster in clusters}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = threads.map(lambda it: answers_at(it[1].host, it[1].port, contexts[it[0].name]), asked)
        there = [(cluster.name, place.id) for (cluster, place), it in zip(asked, answers, strict=True) if it]
    return {cluster.name: frozenset(broker for name, broker in there if name == cluster.name) for cluster in clusters}


def answers_at(host: str, port: int, context: ssl.SSLContext | None) -> bool:
    """Whether a broker answers there within the time limit; ``context`` where it speaks TLS."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), ANSWER_SECONDS_MAX) as plain:
        plain.settimeout(ANSWER_SECONDS_MAX)
        if context is None:
            return _ask(plain)
        with context.wrap_socket(plain, server_hostname=host) as secured:
            return _ask(secured)
    return False


def _ask(connection: socket.socket) -> bool:
    connection.sendall(_API_VERSIONS)
    return bool(connection.recv(4))


def _context(authorities: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise LabError(f"{authorities}: cannot be read as certificates; put it back, or make another lab") from error
