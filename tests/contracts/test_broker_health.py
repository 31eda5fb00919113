"""What asking a cluster's brokers promises (``ports.BrokerHealth``): more than its source showed, or unknown; no error.

The same suite runs on real brokers and on those of the simulation.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.brokers.access import Reach
from controller.fleets.kafka_health import KafkaHealth
from controller.model.health import CHECKS, Health
from controller.model.observation import Endpoints, Finding, ObservedCluster, Reading, Severity, Unknown
from controller.ports import BrokerHealth
from tests.builders import LEVEL_43, NEW, a_finding, a_reading, release
from tests.real.kafka import Kafka, Shape
from tests.simulation.fleet import Cluster, Fleet, ModelBrokers

LIMIT_SECONDS = 5.0
SLACK_SECONDS = 5.0
"""How much later than its limit a question may end on a busy machine."""
NAME = "eu/orders"
LISTED = ("billing", "audit")
SHOWN = a_reading(NEW, token="7", findings=(a_finding(),), held="INC-1", progress="1 of 1 brokers", fleet="demo")
"""What its source shows of the cluster."""


class World(ABC):
    """One cluster with brokers, of which a finding is told and one consumer group is ten records behind."""

    found: str
    """The id of that finding."""

    @property
    @abstractmethod
    def brokers(self) -> BrokerHealth:
        """Who asks them."""

    @abstractmethod
    def silence(self) -> None:
        """Let no broker answer any more, though its source shows the cluster as ever."""

    @abstractmethod
    def speak(self) -> None:
        """Let them answer again."""

    def ask(self, health: Health, reading: Reading | Unknown = SHOWN) -> Reading | Unknown:
        """Ask once."""
        return self.brokers.examine(ObservedCluster(NAME, {}, reading, self._endpoints), health)

    @property
    def _endpoints(self) -> Endpoints:
        return Endpoints()


class ModelWorld(World):
    """A cluster of the simulation."""

    found = "reassignment"

    def __init__(self) -> None:
        fleet = Fleet(datetime(2026, 3, 2, tzinfo=UTC))
        told = Finding(self.found, Severity.BLOCK, "1 partition is being moved")
        new = release(NEW)
        self._cluster = Cluster(NAME, {}, [new], new, LEVEL_43, brokers_tell=(told,), lag={"billing": 10, "other": 3})
        fleet.add(self._cluster)
        self._brokers = ModelBrokers(fleet)

    @property
    def brokers(self) -> BrokerHealth:
        """Those that know the truth."""
        return self._brokers

    def silence(self) -> None:
        """By the model's own fault."""
        self._cluster.brokers_silent = True

    def speak(self) -> None:
        """Without it."""
        self._cluster.brokers_silent = False


class RealWorld(World):
    """A real broker with a topic of one copy."""

    found = "rf1_topics"

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    @property
    def brokers(self) -> BrokerHealth:
        """Over its plain listener."""
        return KafkaHealth(lambda _: Reach(self._kafka.bootstrap), {LEVEL_43.level: LEVEL_43}, LIMIT_SECONDS)

    def silence(self) -> None:
        """Frozen, it takes connections and says nothing."""
        self._kafka.freeze(1)

    def speak(self) -> None:
        """Thawed, it answers as soon as it listens."""
        self._kafka.thaw(1)
        self._kafka.await_listening(1)

    @property
    def _endpoints(self) -> Endpoints:
        return Endpoints(self._kafka.bootstrap, frozenset(self._kafka.brokers))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One real broker for this file."""
    folder: Path = tmp_path_factory.mktemp("kafka") / "kafka"
    with Kafka(folder, Shape(NEW)) as cluster:
        with cluster.admin() as admin:
            topics: dict[str, Any] = {"orders": {"assignments": {0: [1]}, "configs": {}}}
            admin.create_topics(topics, wait_for_metadata=True)
        cluster.produce("orders", 12)
        cluster.commit("billing", "orders", 2)
        cluster.commit("other", "orders", 9)
        yield cluster


@pytest.fixture(params=["model", pytest.param("real", marks=[pytest.mark.system, pytest.mark.timeout(300)])])
def world(request: pytest.FixtureRequest) -> World:
    """Each world in turn."""
    return ModelWorld() if request.param == "model" else RealWorld(request.getfixturevalue("kafka"))


def ids(reading: Reading | Unknown) -> list[str]:
    """What is found, by id."""
    assert isinstance(reading, Reading), reading
    return [finding.id for finding in reading.findings]


def test_what_the_source_showed_stays_and_the_brokers_add_to_it(world: World) -> None:
    """
    Release, token, marks and findings are the source's; the brokers' own findings stand beside them.
    """
    answer = world.ask(Health())

    assert isinstance(answer, Reading), answer
    assert SHOWN.findings == answer.findings[: len(SHOWN.findings)]
    assert world.found in ids(answer)
    kept = replace(
        answer,
        findings=SHOWN.findings,
        lag=SHOWN.lag,
        kafka_id=SHOWN.kafka_id,
        metadata_version=SHOWN.metadata_version,
    )
    assert kept == SHOWN


@pytest.mark.parametrize(
    ("listed", "expected"),
    [((), {}), (("billing",), {"billing": 10}), (LISTED, {"billing": 10, "audit": 0})],
    ids=["none", "one", "one that never was"],
)
def test_lag_is_told_of_the_groups_that_are_listed(
    world: World, listed: tuple[str, ...], expected: Mapping[str, int]
) -> None:
    """
    Of those and no others; a consumer group that never read is not behind.
    """
    answer = world.ask(Health(consumer_groups=listed))

    assert isinstance(answer, Reading), answer
    assert expected == answer.lag


def test_what_a_finding_does_is_not_decided_here(world: World) -> None:
    """
    Whatever a group's severities say, the finding comes as it is where a group says nothing.
    """
    for severity in (Severity.BLOCK, Severity.WARN, None):
        answer = world.ask(Health(severities=dict.fromkeys(CHECKS, severity)))

        assert isinstance(answer, Reading), answer
        told = next(finding for finding in answer.findings if finding.id == world.found)
        assert CHECKS[world.found] is told.severity


def test_brokers_that_do_not_answer_make_it_unknown_in_time(world: World) -> None:
    """
    Unknown with a sentence, within the time limit, and nothing raised; once they answer it is seen again.
    """
    world.silence()
    try:
        began = time.monotonic()
        answer = world.ask(Health(consumer_groups=LISTED))
        took = time.monotonic() - began
    finally:
        world.speak()

    assert isinstance(answer, Unknown), answer
    assert answer.why
    assert answer.why.isprintable()
    assert took < LIMIT_SECONDS + SLACK_SECONDS
    assert world.found in ids(world.ask(Health()))


def test_who_is_unknown_to_its_source_stays_unknown(world: World) -> None:
    """
    Nobody knows which cluster its brokers should be.
    """
    assert Unknown("its source is gone") == world.ask(Health(), Unknown("its source is gone"))


def test_many_may_ask_at_once(world: World) -> None:
    """
    Each gets the answer that one alone gets.
    """
    alone = world.ask(Health(consumer_groups=LISTED))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(world.ask, [Health(consumer_groups=LISTED)] * 16))

    assert [alone] * 16 == answers
