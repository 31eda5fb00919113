"""What asking any external gate promises (``ports.ExternalGates``): yes, no or unanswered, in time, and never raising.

The same suite runs on a webhook, on Prometheus's query API as documented, and on a real Prometheus.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from controller.external.gates import OutsideGates
from controller.external.prometheus import Prometheus
from controller.external.webhook import Webhooks
from controller.model.declaration import ExternalGate
from controller.model.observation import GateReading
from tests.builders import NOON
from tests.external.builders import HASTY_SECONDS, PATIENT_SECONDS, a_query, a_question, a_webhook
from tests.fakes.gate_servers import SECRET, TOKEN, FakePrometheus, FakeWebhook, vector
from tests.fakes.loopback import Answer, FakeServer, Trouble
from tests.real import prometheus as real
from tests.real.ssh_server import free_port

SENTENCE_CHARACTERS_MAX = 600
SLACK_SECONDS = 5.0
"""How much later than its limit a question may end on a busy machine."""


class World(ABC):
    """One system that gates ask, and how it is made to answer."""

    @abstractmethod
    def gates(self, seconds: float) -> OutsideGates:
        """What asks it, with a time limit for each question."""

    @abstractmethod
    def gate(self) -> ExternalGate:
        """A gate that asks this system."""

    @abstractmethod
    def say(self, *, passes: bool) -> None:
        """Let the gate's answer be yes or no from now on."""

    @abstractmethod
    def hang(self) -> None:
        """Take questions and answer none."""

    @abstractmethod
    def recover(self) -> None:
        """Answer again."""

    @abstractmethod
    def stop(self) -> None:
        """Be gone."""

    def ask(self, seconds: float = PATIENT_SECONDS) -> GateReading:
        """Ask once."""
        return self.gates(seconds).ask(self.gate(), a_question())


class FakedWorld(World):
    """Behind a fake server."""

    server: FakeServer

    def hang(self) -> None:
        """Fall silent."""
        self.server.hang(times=1000)

    def recover(self) -> None:
        """Answer as always."""
        self.server.recover()

    def stop(self) -> None:
        """Free the port."""
        self.server.stop()


class WebhookWorld(FakedWorld):
    """A webhook's other side, which checks signatures."""

    def __init__(self, server: FakeWebhook) -> None:
        self.server: FakeWebhook = server

    def gates(self, seconds: float) -> OutsideGates:
        """With the secret that both sides know."""
        return OutsideGates(Prometheus(None, None, limit_seconds=seconds), Webhooks(SECRET, limit_seconds=seconds))

    def gate(self) -> ExternalGate:
        """By its URL."""
        return a_webhook(f"{self.server.origin}/changes")

    def say(self, *, passes: bool) -> None:
        """In the field ``pass``."""
        self.server.reply = Answer.json({"pass": passes})


class PrometheusWorld(FakedWorld):
    """Prometheus's API with a token."""

    def __init__(self, server: FakePrometheus) -> None:
        self.server: FakePrometheus = server

    def gates(self, seconds: float) -> OutsideGates:
        """With the token."""
        return OutsideGates(
            Prometheus(self.server.origin, TOKEN, limit_seconds=seconds), Webhooks(None, limit_seconds=seconds)
        )

    def gate(self) -> ExternalGate:
        """By a query."""
        return a_query()

    def say(self, *, passes: bool) -> None:
        """By a number on either side of the bound."""
        self.server.reply = vector("0.1" if passes else "0.3")


class RealPrometheusWorld(World):
    """A Prometheus as a process."""

    def __init__(self, server: real.Prometheus) -> None:
        self._server = server
        self._query = "max(brokers:up)"
        self._port: int | None = None

    def gates(self, seconds: float) -> OutsideGates:
        """Without a token."""
        url = self._server.url if self._port is None else f"http://127.0.0.1:{self._port}"
        return OutsideGates(Prometheus(url, None, limit_seconds=seconds), Webhooks(None, limit_seconds=seconds))

    def gate(self) -> ExternalGate:
        """By a query."""
        return a_query(self._query)

    def say(self, *, passes: bool) -> None:
        """By a query whose answer lies on either side of the bound."""
        self._query = "produce:latency:p99" if passes else "max(brokers:up)"

    def hang(self) -> None:
        """Stop the process."""
        self._server.freeze()

    def recover(self) -> None:
        """Let it go on, until it has fresh samples again."""
        self._server.thaw()
        self._server.await_series("produce:latency:p99", "brokers:up")

    def stop(self) -> None:
        """Ask where nobody listens: the process serves other tests too."""
        self._port = free_port()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Prometheus]:
    """One real Prometheus for this file."""
    with real.Prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


REAL = pytest.param("real prometheus", marks=pytest.mark.system)


@pytest.fixture(params=["webhook", "prometheus", REAL])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each world in turn."""
    with ExitStack() as stack:
        makers: dict[str, Callable[[], World]] = {
            "webhook": lambda: WebhookWorld(stack.enter_context(FakeWebhook(NOON))),
            "prometheus": lambda: PrometheusWorld(stack.enter_context(FakePrometheus(token=TOKEN))),
            "real prometheus": lambda: RealPrometheusWorld(request.getfixturevalue("prometheus")),
        }
        yield makers[request.param]()


@pytest.fixture(params=["webhook", "prometheus"])
def faked(request: pytest.FixtureRequest) -> Iterator[FakedWorld]:
    """Each world whose server can be told how to fail."""
    with ExitStack() as stack:
        if request.param == "webhook":
            yield WebhookWorld(stack.enter_context(FakeWebhook(NOON)))
        else:
            yield PrometheusWorld(stack.enter_context(FakePrometheus(token=TOKEN)))


def expect_unanswered(reading: GateReading) -> None:
    """See that a reading is neither yes nor no, and tells why in one bounded sentence without a secret."""
    assert reading.passed is None
    assert 0 < len(reading.detail) <= SENTENCE_CHARACTERS_MAX
    assert reading.detail.isprintable()
    assert not reading.detail.endswith(".")
    assert SECRET not in reading.detail
    assert TOKEN not in reading.detail


def test_yes_and_no_are_told_apart(world: World) -> None:
    """
    The same gate passes and does not, as its system says, and the sentence tells what it said.
    """
    for passes in (True, False, True):
        world.say(passes=passes)
        reading = world.ask()

        assert passes is reading.passed
        assert reading.detail


def test_a_system_that_is_gone_is_unanswered(world: World) -> None:
    """
    Nothing passes because nobody is there to say no.
    """
    world.say(passes=True)
    world.stop()

    reading = world.ask()

    expect_unanswered(reading)
    assert "refused the connection" in reading.detail


def test_a_system_that_hangs_is_given_up_at_the_limit(world: World) -> None:
    """
    The question ends in time, says so, and the next one is answered once the system is back.
    """
    world.say(passes=True)
    world.hang()
    began = time.monotonic()
    try:
        reading = world.ask(HASTY_SECONDS)
        took = time.monotonic() - began
    finally:
        world.recover()

    expect_unanswered(reading)
    assert reading.detail.endswith("did not answer within 0.5 s")
    assert took < HASTY_SECONDS + SLACK_SECONDS
    assert world.ask().passed


def test_many_threads_may_ask_at_once(world: World) -> None:
    """
    Each gets an answer of its own.
    """
    world.say(passes=True)
    gates = world.gates(PATIENT_SECONDS)

    with ThreadPoolExecutor(8) as pool:
        readings = list(pool.map(lambda number: gates.ask(world.gate(), a_question(f"group-{number}")), range(32)))

    assert [True] * 32 == [reading.passed for reading in readings]


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(answer=Answer(status, b'{"pass": true, "status": "success"}'))
        for status in (302, 400, 401, 403, 404, 429, 500, 502, 503)
    ]
    + [
        Trouble(answer=Answer(200, body))
        for body in (b"", b"true", b"<html>", b"{}", b"\x00\xff", b"[" * 50_000, b'{"a": 1, "a": 2}', b"x" * 300_000)
    ]
    + [Trouble(drops_call=True), Trouble(drops_answer=True)],
    ids=lambda trouble: "dropped" if trouble.answer is None else f"{trouble.answer.status}-{trouble.answer.body[:8]!r}",
)
def test_a_bad_day_is_unanswered_and_the_next_good_one_is_not(faked: FakedWorld, trouble: Trouble) -> None:
    """
    Safety: whatever comes that is no clear yes holds, and nothing of it lasts.
    """
    faked.say(passes=True)
    faked.server.suffer(Trouble(**{name: getattr(trouble, name) for name in Trouble.__slots__}))

    expect_unanswered(faked.ask())
    assert faked.ask().passed


def test_one_question_is_one_call(faked: FakedWorld) -> None:
    """
    Nothing is asked twice behind the caller's back: the next cycle asks again.
    """
    faked.server.fail(503)
    faked.ask()

    assert 1 == len(faked.server.calls)
