"""The stand-in for Strimzi's operator does as the vendor's: what it writes at each step of an upgrade, and refuses."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.real.kubernetes import ApiServer
from tests.real.operators import running_operator

NAMESPACES = count()
SECONDS_MAX = 60.0
READY = [{"type": "Ready", "status": "True"}]

Document = dict[str, Any]


@pytest.fixture(scope="module")
def operated(kubernetes: ApiServer) -> Iterator[ApiServer]:
    """A server that an operator works on."""
    with running_operator(kubernetes, "operated-"):
        yield kubernetes


class Resource:
    """One Kafka resource in a namespace of its own."""

    def __init__(self, server: ApiServer, **annotations: str) -> None:
        self.server = server
        self.namespace = f"operated-{next(NAMESPACES)}"
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        kafkas = f"/apis/kafka.strimzi.io/v1/namespaces/{self.namespace}/kafkas"
        metadata = {"name": "orders", "annotations": {f"test.wavefleet.io/{k}": v for k, v in annotations.items()}}
        spec = {"kafka": {"version": "4.2.1", "metadataVersion": "4.2-IV1"}}
        manifest = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": metadata, "spec": spec}
        server.call("POST", kafkas, manifest)
        self.path = f"{kafkas}/orders"
        self.await_status(lambda status: status.get("conditions") == READY)

    def ask(self, **kafka: str | None) -> int:
        """Ask for something else; return the new generation."""
        generation: int = self.server.patch(self.path, {"spec": {"kafka": kafka}})["metadata"]["generation"]
        return generation

    @property
    def status(self) -> Document:
        """What is said of it."""
        status: Document = self.server.call("GET", self.path).get("status", {})
        return status

    def await_status(self, condition: Callable[[Document], bool]) -> Document:
        """Wait until its status is as ``condition`` wants it."""
        deadline = time.monotonic() + SECONDS_MAX
        while not condition(self.status):
            assert time.monotonic() < deadline, self.status
            time.sleep(0.02)
        return self.status

    def releases(self) -> list[str]:
        """What its operator noted on its pods."""
        pods = self.server.call("GET", f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return sorted(pod["metadata"]["annotations"]["strimzi.io/kafka-version"] for pod in pods)


def test_a_roll_goes_pod_by_pod_and_the_status_comes_at_its_end(operated: ApiServer) -> None:
    """
    Until then it is that of the generation before; the pinned level stays, with a warning.
    """
    kafka = Resource(operated, slow="1")
    generation = kafka.ask(version="4.3.1")
    deadline = time.monotonic() + SECONDS_MAX
    while kafka.releases() not in (["4.2.1", "4.2.1", "4.3.1"], ["4.2.1", "4.3.1", "4.3.1"]):
        assert time.monotonic() < deadline, kafka.releases()
    assert (generation - 1, "4.2.1") == (kafka.status["observedGeneration"], kafka.status["kafkaVersion"])
    assert READY == kafka.status["conditions"]

    after = kafka.await_status(lambda status: status["observedGeneration"] == generation)
    assert ("4.3.1", "4.2-IV1") == (after["kafkaVersion"], after["kafkaMetadataVersion"])
    assert [("Ready", None), ("Warning", "KafkaMetadataVersion")] == [
        (each["type"], each.get("reason")) for each in after["conditions"]
    ]
    assert ["4.3.1"] * 3 == kafka.releases()


def test_the_level_is_raised_by_the_look_after_the_roll(operated: ApiServer) -> None:
    """
    To what is asked for; with nothing asked for, to the release's own.
    """
    for level in ("4.3-IV0", None):
        kafka = Resource(operated)
        kafka.ask(version="4.3.1")
        kafka.await_status(lambda status: status["kafkaVersion"] == "4.3.1")
        generation = kafka.ask(metadataVersion=level)
        after = kafka.await_status(lambda status: status["kafkaMetadataVersion"] == "4.3-IV0")
        assert (generation, READY) == (after["observedGeneration"], after["conditions"])


def test_what_it_does_not_support_is_refused_and_no_pod_is_touched(operated: ApiServer) -> None:
    """
    With the releases that it does support.
    """
    kafka = Resource(operated)
    generation = kafka.ask(version="4.4.0")
    after = kafka.await_status(lambda status: status["observedGeneration"] == generation)
    (condition,) = after["conditions"]

    assert ("NotReady", "UnsupportedKafkaVersionException") == (condition["type"], condition["reason"])
    assert condition["message"].startswith("Unsupported Kafka.spec.kafka.version: 4.4.0. Supported versions are: [")
    assert ("4.2.1", ["4.2.1"] * 3) == (after["kafkaVersion"], kafka.releases())


def test_a_roll_that_sticks_fails_and_is_tried_again(operated: ApiServer) -> None:
    """
    The status keeps the release before; once mended the roll comes to its end.
    """
    kafka = Resource(operated, stick="1")
    kafka.ask(version="4.3.1")
    stuck = kafka.await_status(lambda status: status["conditions"][0]["type"] == "NotReady")
    assert ("FatalProblem", "4.2.1") == (stuck["conditions"][0]["reason"], stuck["kafkaVersion"])

    kafka.server.patch(kafka.path, {"metadata": {"annotations": {"test.wavefleet.io/stick": None}}})
    kafka.await_status(lambda status: status["kafkaVersion"] == "4.3.1")


def test_a_pod_that_vanished_is_made_anew(operated: ApiServer) -> None:
    """
    As after a roll that was cut off between its end and its new beginning.
    """
    kafka = Resource(operated)
    kafka.server.call("DELETE", f"/api/v1/namespaces/{kafka.namespace}/pods/orders-broker-1?gracePeriodSeconds=0")

    deadline = time.monotonic() + SECONDS_MAX
    while kafka.releases() != ["4.2.1"] * 3:
        assert time.monotonic() < deadline, kafka.releases()
        time.sleep(0.02)


def test_a_paused_resource_is_left_alone_and_its_release_vanishes_from_the_status(operated: ApiServer) -> None:
    """
    Only its id and the generation before are kept.
    """
    kafka = Resource(operated)
    kafka.server.patch(kafka.path, {"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}})
    paused = kafka.await_status(lambda status: status["conditions"][0]["type"] == "ReconciliationPaused")

    assert {"conditions", "observedGeneration", "clusterId"} == paused.keys()
