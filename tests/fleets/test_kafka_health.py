"""The brokers' word held against the source's, and brokers that cannot be asked; real ones are in ``tests/system``."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
import structlog

from controller.brokers.access import Reach
from controller.errors import ObservationError
from controller.fleets.kafka_answers import Answers, Broker, Quorum
from controller.fleets.kafka_health import KafkaHealth, require_same, told_by
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.versions import MetadataVersion, Minor
from tests.builders import LEVEL_41, LEVEL_43, a_reading, release

LEVELS = {LEVEL_41.level: LEVEL_41, LEVEL_43.level: LEVEL_43}
GENEROUS_SECONDS = 10
"""Beyond any limit of these tests, on a machine that does other work too."""


def a_health(*bootstrap: str, seconds: float = 30) -> KafkaHealth:
    """Who asks the brokers at these addresses."""
    return KafkaHealth(lambda _: Reach(bootstrap), LEVELS, seconds)


def examine(health: KafkaHealth, reading: Reading | Unknown | None = None) -> str:
    """Why a cluster is unknown."""
    observed = health.examine(ObservedCluster("eu/a", {}, reading or a_reading()), Health())
    assert isinstance(observed, Unknown)
    return observed.why


def answering(*lines: Minor, level: int = 30) -> Answers:
    """A cluster whose brokers answer like these lines."""
    brokers = tuple(Broker(at, f"h:{at}", line=line) for at, line in enumerate(lines, 1))
    return Answers("id", level, brokers, (), Quorum(1))


def test_a_cluster_that_its_source_could_not_read_stays_unknown() -> None:
    """
    Its brokers are not asked: nobody knows which cluster they should be.
    """
    assert "gone" == examine(a_health("127.0.0.1:1"), Unknown("gone"))


def test_where_no_way_to_the_brokers_is_known_the_sentence_is_passed_on() -> None:
    """
    No address, no password: unknown holds, in the words of whoever looked for them.
    """

    def reach(cluster: ObservedCluster) -> Reach:
        raise ObservationError(f"{cluster.name}: no address")

    assert "eu/a: no address" == examine(KafkaHealth(reach, LEVELS, 5))


def test_whatever_goes_wrong_with_one_cluster_makes_it_unknown() -> None:
    """
    Safety (unknown-holds): what nobody foresaw ends neither the cycle nor the daemon; the log has where it came from.
    """

    def reach(_: ObservedCluster) -> Reach:
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as lines:
        why = examine(KafkaHealth(reach, LEVELS, 5))

    assert (
        "its brokers could not be asked, for a reason that nobody foresaw (ZeroDivisionError): look at the log" == why
    )
    assert [("look_failed", "eu/a", "error", True)] == [
        (line["event"], line["cluster"], line["log_level"], line["exc_info"]) for line in lines
    ]


@pytest.mark.parametrize("address", ["broker", "broker:", ":9092", "broker:x", "broker:0", "broker:65536"])
def test_an_address_that_is_none_is_named(address: str) -> None:
    """
    As it was written, with what was expected.
    """
    assert f"no broker answers: {address}: expected HOST:PORT" == examine(a_health(address))


@contextmanager
def no_thread_left() -> Iterator[None]:
    """No thread may be there that was not before."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@contextmanager
def listening(answer: bytes | None = None, *, hangs_up: bool = False) -> Iterator[str]:
    """A port that takes connections and says ``answer`` to what comes, or nothing; it may hang up then."""
    with socket.create_server(("127.0.0.1", 0)) as server, suppress(OSError):
        taken: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    taken.append(client)
                    if answer is not None and client.recv(65536):
                        client.sendall(answer)
                    if hangs_up:
                        client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for client in taken:
                client.close()


def test_a_cluster_where_nothing_listens_is_told_at_once() -> None:
    """
    A refused connection needs no time limit; the sentence names who was asked, three at most.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    began = time.monotonic()

    with no_thread_left():
        why = examine(a_health(*[address] * 5, seconds=60))

    assert f"no broker answers: {'; '.join([f'{address}: connection refused: nothing listens there'] * 3)}" == why
    assert time.monotonic() - began < GENEROUS_SECONDS


def test_brokers_that_take_connections_and_say_nothing_cost_the_limit() -> None:
    """
    Several of them cost it once, not each: the limit is the cluster's.
    """
    with listening() as mute, no_thread_left():
        began = time.monotonic()
        why = examine(a_health(mute, mute, mute, seconds=1))
        took = time.monotonic() - began

    assert f"no broker answers: {'; '.join([f'{mute}: does not answer in time'] * 3)}" == why
    assert 0.9 < took < GENEROUS_SECONDS


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers in 1213486160 bytes, expected at most 100000000: is it a Kafka"),
        (b"\x15\x03\x03\x00\x02\x02\x50", "speaks TLS there: give this cluster TLS, or use its plain port"),
        (b"\x00\x00\x00\x00", "answers in 0 bytes"),
        (b"\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00", "gives an answer that cannot be read"),
        (b"\x00\x00\x00\x06\x00\x00\x00\x07\x00\x23", "gives an answer that cannot be read"),
        (b"\x00\x00\x00\x0c\x00\x00\x00\x07\x00\x23\x00\x00\x00\x00\x00\x00", "answers another question than was put"),
        (
            b"\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x23\x00\x00\x00\x00\x00\x00",
            "does not say what it knows: UNSUPPORTED",
        ),
        (b"", "hangs up on the first question: it speaks TLS, or is no Kafka broker"),
    ],
)
def test_what_is_no_kafka_broker_is_told_as_what_it_looks_like(answer: bytes, why: str) -> None:
    """
    A web server, TLS, rubbish, a broker from long ago: never a stack trace, never a wait.
    """
    with listening(answer or b"", hangs_up=not answer) as address, no_thread_left():
        assert examine(a_health(address)).startswith(f"no broker answers: {address}: {why}")


def test_a_broker_that_trickles_keeps_the_limit() -> None:
    """
    A byte now and then is no answer: each sub-wait is bounded by what is left.
    """
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server, no_thread_left():

        def serve() -> None:
            client, _ = server.accept()
            with client, suppress(OSError):
                client.sendall(b"\x00\x00\xff\xff")
                while not stop.wait(0.05):
                    client.sendall(b"\x00")

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        why = examine(a_health(f"127.0.0.1:{server.getsockname()[1]}", seconds=1))
        took = time.monotonic() - began
        stop.set()
        thread.join()

    assert why.endswith("does not answer in time")
    assert took < GENEROUS_SECONDS


def test_a_name_that_leads_nowhere_is_told() -> None:
    """
    The top-level domain ``invalid`` is there for this (RFC 6761); no thread outlives the answer.
    """
    with no_thread_left():
        assert examine(a_health("kafka.invalid:9092", seconds=20)).startswith(
            "no broker answers: kafka.invalid:9092: its name "
        )


def test_brokers_know_their_level_and_their_id_better_than_their_source() -> None:
    """
    A level that the catalog does not know has its number for a name.
    """
    shown = a_reading(metadata_version=LEVEL_41, kafka_id=None, settled=True)

    assert replace(shown, metadata_version=LEVEL_43, kafka_id="id") == told_by(shown, answering((4, 3)), LEVELS)
    assert MetadataVersion(99, "level 99") == told_by(shown, answering(level=99), LEVELS).metadata_version
    assert "level 99" == str(told_by(shown, answering(level=99), LEVELS).metadata_version)


@pytest.mark.parametrize(
    ("settled", "wanted", "finalized", "expected"),
    [
        (True, None, 27, True),
        (True, LEVEL_43, 30, True),
        (True, LEVEL_41, 30, True),
        (True, LEVEL_43, 27, False),
        (False, None, 30, False),
        (False, LEVEL_43, 30, False),
    ],
)
def test_a_cluster_is_settled_once_its_brokers_say_so_too(
    settled: bool,  # noqa: FBT001 - a parameter of the table
    wanted: MetadataVersion | None,
    finalized: int,
    expected: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """
    The level that is asked for has to be finalized, whatever its operator says.
    """
    shown = a_reading(settled=settled, wanted_metadata=wanted)

    assert expected is told_by(shown, answering(level=finalized), LEVELS).settled


def test_another_cluster_at_the_same_address_makes_it_unknown() -> None:
    """
    Safety: nobody judges one cluster by the health of another.
    """
    require_same(a_reading(kafka_id="id"), answering())
    require_same(a_reading(kafka_id=None), answering())
    with pytest.raises(ObservationError, match="found the cluster id, expected other"):
        require_same(a_reading(kafka_id="other"), answering())


@pytest.mark.parametrize(
    ("told", "answered", "fits"),
    [
        (("4.1.2", "4.1.2", "4.1.2"), (4, 1), True),
        (("4.1.2", "4.1.2", "4.1.2"), (4, 0), False),
        (("4.1.2", "4.1.2", "4.1.2"), (4, 2), False),
        (("4.1.2", "4.3.1", "4.3.1"), (4, 1), True),
        (("4.1.2", "4.3.1", "4.3.1"), (4, 3), True),
        (("4.1.2", "4.1.2", "4.3.1"), (4, 3), True),
        (("4.3.1", "4.3.1", "4.1.2"), (4, 1), True),
        (("4.3.1", "4.3.1", "4.1.2"), (4, 0), False),
        (("4.4.0", "4.4.0", "4.4.0"), (4, 3), True),
        (("4.3.1", "4.4.0", "4.4.0"), (4, 3), True),
        (("4.4.0", "4.4.0", "4.4.0"), (4, 2), False),
        (("3.5.0", "3.5.0", "3.5.0"), (3, 5), True),
        (("3.5.0", "3.5.0", "3.5.0"), (3, 3), False),
        (("3.4.0", "3.4.0", "3.4.0"), (3, 3), True),
        (("3.4.0", "3.4.0", "3.9.2"), (3, 9), True),
        (("3.4.0", "3.4.0", "3.4.0"), (3, 6), False),
    ],
)
def test_a_broker_of_a_line_that_nobody_told_makes_it_unknown(
    told: tuple[str, str, str],
    answered: Minor,
    fits: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """
    Safety: a roll goes from what runs to what is asked for, either way; newer than 4.3 and older than 3.5 look alike.
    """
    runs, highest, wanted = (release(text) for text in told)
    reading = replace(a_reading(), release=runs, highest=highest, wanted=wanted)

    if fits:
        require_same(reading, answering(answered))
    else:
        with pytest.raises(ObservationError, match="nobody knows what it runs"):
            require_same(reading, answering(answered))


def test_a_broker_that_did_not_answer_contradicts_nobody() -> None:
    """
    It is missing, and told so.
    """
    require_same(a_reading(), replace(answering(), brokers=(Broker(1, "h:1", silent="connection refused"),)))
