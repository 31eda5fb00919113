"""How the lab's own tools speak with the brokers of one of its clusters, plain or secure: one way for all of them.

Where listeners are secure, the client checks the brokers' certificates and names against the lab's own authority, and
proves itself by SCRAM. Passwords are read when a connection is made and stand in nothing that is printed.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from controller import atomic
from controller.brokers.access import Access, Login, Reach, Sasl, Tls
from controller.errors import LabError, ObservationError
from controller.labfiles import ClusterFile, Credentials, credentials_of

CONNECT_SECONDS_MAX = 3.0
SECRET_BYTES_MAX = 4096


def reach_of(cluster_dir: Path, cluster: ClusterFile) -> Reach:
    """Return where the brokers are and how to speak with them; LabError where a name cannot be read."""
    return Reach(cluster.bootstrap, access_of(cluster_dir, cluster))


def access_of(cluster_dir: Path, cluster: ClusterFile) -> Access:
    """Return how to speak with the brokers of the cluster in ``cluster_dir``; LabError where a name cannot be read."""
    if not cluster.secure:
        return Access()
    files = credentials_of(cluster_dir.parents[1])
    return Access(Tls(files.authorities, files.certificate, files.key), _login(files))


def _login(files: Credentials) -> Login:
    return Login(Sasl.SCRAM_512, read_secret(files.username), lambda: read_secret(files.password))


def read_secret(path: Path) -> str:
    """Return the one word that ``path`` holds; LabError, without the word, where there is none."""
    try:
        word = atomic.read_bounded(path, SECRET_BYTES_MAX).decode("ascii").strip()
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}; put it back, or make another lab") from error
    except UnicodeDecodeError:
        word = ""
    if not word:
        raise LabError(f"{path}: found no word in ASCII, expected what `wavefleet lab up` wrote there")
    return word


def client_options(access: Access) -> dict[str, Any]:
    """Return what each client of kafka-python takes for it; LabError where a certificate or password cannot be had."""
    try:
        return access.options()
    except ObservationError as error:
        raise LabError(str(error)) from None


def knock(reach: Reach) -> None:
    """Raise LabError at once where nobody listens; Kafka's client would try for long, and leave a thread behind."""
    for address in reach.bootstrap:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS_MAX).close()
        except (OSError, ValueError):
            continue
        return
    raise LabError(f"{','.join(reach.bootstrap)}: nobody answers there; expected HOST:PORT of running brokers")
