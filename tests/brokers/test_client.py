"""What a connection to a broker promises before there is one; real brokers are in ``tests/system``."""

import io
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import pytest

from controller.brokers.client import BrokerClient, NoAnswerInTime, name_of
from controller.brokers.deadline import Deadline
from controller.brokers.sockets import Address, BrokerError, connect
from controller.fleets import kafka_questions as questions
from tests.brokers.speaking import Told, speaking


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


@dataclass
class Question:
    """A question of kafka-python's kind whose answer is decoded by ``decoding``; its header is its own too."""

    decoding: Callable[[], object]
    API_KEY: int = 60
    API_VERSION: int = 0
    correlation_id: int = 0

    @property
    def header(self) -> Self:
        """What goes before it."""
        return self

    def with_header(self, correlation_id: int, client_id: str) -> None:
        """Note its number."""
        del client_id
        self.correlation_id = correlation_id

    def encode(self, **_: bool) -> bytes:
        """Say it as a broker reads it."""
        asked = questions.cluster()
        asked.API_VERSION = 0
        asked.with_header(correlation_id=self.correlation_id, client_id="test")
        return bytes(asked.encode(framed=True, header=True))

    def get_response_class(self) -> Self:
        """Who decodes the answer."""
        return self

    def parse_header(self, _: io.BytesIO) -> Self:
        """Take it for the answer to this very question."""
        return self

    def decode(self, _: io.BytesIO) -> object:
        """Decode it."""
        return self.decoding()


@pytest.mark.parametrize("error", [AssertionError(), KeyError(7), RecursionError(), AttributeError(), ValueError()])
def test_an_answer_that_kafka_python_stumbles_over_is_the_brokers_fault(error: Exception) -> None:
    """
    It decodes what a stranger sent, and asserts here and there; whatever comes of that is told in a sentence.
    """

    def stumble() -> object:
        raise error

    with speaking(Told()) as address, BrokerClient(Address.parse(address), {}, Deadline.within(20)) as client:
        with pytest.raises(BrokerError, match="gives an answer that cannot be read: is it a Kafka broker"):
            client.ask(Question(stumble), Deadline.within(20))
        assert not client.usable


def test_answers_are_decoded_one_at_a_time() -> None:
    """
    Kafka-python compiles a decoder at its first use, and two threads that do so at once break it for good.
    """
    meeting, met = threading.Barrier(2, timeout=0.3), []

    def decode_slowly() -> None:
        try:
            meeting.wait()
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)

    def ask(address: str) -> None:
        with BrokerClient(Address.parse(address), {}, Deadline.within(20)) as client:
            client.ask(Question(decode_slowly), Deadline.within(20))

    with speaking(Told()) as address:
        asking = [threading.Thread(target=ask, args=(address,)) for _ in range(2)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()

    assert [False, False] == met


def test_errors_have_kafkas_own_names() -> None:
    """
    As people find them in its documentation, and a number where there is none.
    """
    assert "NOT_CONTROLLER" == name_of(41)
    assert "KAFKA_STORAGE_ERROR" == name_of(56)
    assert name_of(12345)
