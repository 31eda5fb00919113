"""The ports of a lab: different, free, and outside the range a system gives away by itself."""

import socket

import pytest

from controller.errors import LabError
from controller.lab.ports import PORT_HIGHEST, PORT_LOWEST, choose_ports, is_free


def test_chosen_ports_are_different_free_and_in_range() -> None:
    """
    A cluster of nine needs eighteen.
    """
    ports = choose_ports(18)

    assert 18 == len({*ports})
    assert all(PORT_LOWEST <= port <= PORT_HIGHEST for port in ports)


def test_ports_that_are_taken_are_not_chosen() -> None:
    """
    Neither those another cluster of the lab has, nor those somebody listens on.
    """
    here, there, listening = PORT_LOWEST, PORT_LOWEST + 1, choose_ports(1)[0]
    taken = frozenset(range(PORT_LOWEST, PORT_HIGHEST + 1)) - {here, there, listening}
    with socket.socket() as server:
        server.bind(("127.0.0.1", listening))
        server.listen()

        assert not is_free(listening)
        with pytest.raises(LabError, match=r"ports: found [0-2] free from 20000 to 29999, expected 3"):
            choose_ports(3, taken=taken)
