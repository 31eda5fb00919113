"""Chooses the loopback ports of a lab, once and for its whole life.

They lie below the range from which systems give ports to outgoing connections, since a broker that is being rolled
leaves its ports free for some seconds, and nobody else may get one meanwhile. It reserves nothing.
"""

from __future__ import annotations

import random
import socket

from controller.errors import LabError

LOOPBACK = "127.0.0.1"
PORT_LOWEST = 20000
PORT_HIGHEST = 29999
"""Linux gives out 32768 and higher by itself (``net.ipv4.ip_local_port_range``)."""


def choose_ports(count: int, *, taken: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """``count`` different ports nobody listens on now; LabError when there are not so many.

    They are drawn by chance, so that labs which are down, or just being made, seldom meet on one.
    """
    chosen: list[int] = []
    candidates = [port for port in range(PORT_LOWEST, PORT_HIGHEST + 1) if port not in taken]
    for port in random.sample(candidates, len(candidates)):
        if len(chosen) == count:
            break
        if is_free(port):
            chosen.append(port)
    if len(chosen) < count:
        raise LabError(f"ports: found {len(chosen)} free from {PORT_LOWEST} to {PORT_HIGHEST}, expected {count}")
    return tuple(chosen)


def is_free(port: int) -> bool:
    """Whether a program could listen on ``port`` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closing connections are no hindrance
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
