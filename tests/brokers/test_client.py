"""What a connection to a broker promises before there is one; real brokers are in ``tests/system``."""

import socket
import threading
import time

import pytest

from controller.brokers.client import BrokerClient, NoAnswerInTime, name_of
from controller.brokers.deadline import Deadline
from controller.brokers.sockets import Address, BrokerError, connect


def test_a_deadline_is_never_moved_later() -> None:
    """
    What is handed on may only be sooner; once it is over nothing is left.
    """
    late = Deadline.within(60)

    assert late == late.sooner(120)
    assert late.sooner(1).left <= 1
    assert 0 == Deadline.within(-1).left
    assert 0 == Deadline.within(-1).sooner(5).left


@pytest.mark.parametrize(
    ("text", "host", "port"), [("b-1.example:9092", "b-1.example", 9092), ("[::1]:9092", "::1", 9092), ("h:1", "h", 1)]
)
def test_an_address_reads_as_it_is_written(text: str, host: str, port: int) -> None:
    """
    Names and numbers, those of IPv6 in brackets.
    """
    assert Address(host, port) == Address.parse(text)
    assert text == str(Address.parse(text))


def test_a_deadline_that_is_over_costs_nothing() -> None:
    """
    Nobody waits for what can no longer be used; no connection is left open.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        began = time.monotonic()

        with pytest.raises(BrokerError, match="does not answer in time"):
            BrokerClient(address, {}, Deadline.within(-1))

    assert time.monotonic() - began < 1


def test_a_broker_that_says_nothing_is_told_from_one_that_hangs_up() -> None:
    """
    Only the first may still be thinking.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        with pytest.raises(NoAnswerInTime, match=f"^{address}: does not answer in time$"):
            BrokerClient(address, {}, Deadline.within(0.1))

    with pytest.raises(BrokerError, match="connection refused"):
        BrokerClient(address, {}, Deadline.within(5))


def test_a_name_is_resolved_on_a_thread_that_ends() -> None:
    """
    Not in ours, since the system's resolver knows no time limit.
    """
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect(Address("localhost", server.getsockname()[1]), None, Deadline.within(20)).close()

    assert set(threading.enumerate()) <= before


def test_errors_have_kafkas_own_names() -> None:
    """
    As people find them in its documentation, and a number where there is none.
    """
    assert "NOT_CONTROLLER" == name_of(41)
    assert "KAFKA_STORAGE_ERROR" == name_of(56)
    assert name_of(12345)
