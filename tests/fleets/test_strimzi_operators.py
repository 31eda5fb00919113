"""What the operators on a real API server tell: who looks after whom, whether it runs, and what it supports."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from controller.fleets.strimzi.operators import Operator, decode_operators, operator_of, supported_for
from controller.fleets.strimzi.resources import KafkaResource, decode_resource
from controller.fleets.strimzi.source import StrimziSource
from controller.model.observation import Reading
from controller.versions import KafkaVersion
from tests.builders import NOON, release
from tests.contracts.strimzi_world import StrimziWorld
from tests.real.kubernetes import ApiServer

NAMESPACES = count()
IMAGES = "4.3.0=registry.example/strimzi/kafka:1.2.0-kafka-4.3.0\n4.2.1=registry.example/strimzi/kafka:x\n\n"
OPERATOR = Operator("ops/strimzi", "1.2.0", ("*",), (), (release("4.2.1"), release("4.3.0")), 1, 1)


def a_deployment(place: str, image: str = "registry.example/strimzi/operator:1.2.0", **variables: object) -> Any:  # noqa: ANN401 - a document
    """The Deployment of an operator; a variable that is None takes its value from the pod's own namespace."""
    env: list[dict[str, Any]] = [
        {"name": f"STRIMZI_{name.upper()}", "value": value}
        if value is not None
        else {"name": f"STRIMZI_{name.upper()}", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
        for name, value in {"kafka_images": IMAGES, **variables}.items()
    ]
    labels = {"name": "strimzi-cluster-operator"}
    return {
        "metadata": {"name": "strimzi", "namespace": place, "labels": {"app": "strimzi"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "operator", "image": image, "env": env}]},
            },
        },
        "status": {"availableReplicas": 1},
    }


def decoded(*deployments: Any) -> tuple[Operator, ...]:  # noqa: ANN401 - documents
    """What a list of Deployments says."""
    return tuple(decode_operators(json.dumps({"items": deployments}).encode()))


def a_resource(*conditions: dict[str, str], operator: str = "1.2.0", **labels: str) -> KafkaResource:
    """A resource of the namespace ``kafka``, last looked after by ``operator``."""
    metadata = {"name": "orders", "namespace": "kafka", "labels": labels}
    status = {"operatorLastSuccessfulVersion": operator, "conditions": conditions}
    return decode_resource(json.dumps({"metadata": metadata, "status": status}).encode())


def releases(*texts: str) -> tuple[KafkaVersion, ...]:
    """Several of them."""
    return tuple(map(release, texts))


def test_an_operator_is_read_from_its_deployment() -> None:
    """
    Its release by the image, the releases that it has images for lowest first, and the replicas that are there.
    """
    other = a_deployment("web")
    other["spec"]["template"]["spec"]["containers"][0]["env"] = []

    assert (replace(OPERATOR, watches=("ops",)),) == decoded(a_deployment("ops", namespace=None), other)


@pytest.mark.parametrize(
    ("variables", "watches"),
    [
        ({}, ("*",)),
        ({"namespace": "*"}, ("*",)),
        ({"namespace": ""}, ("*",)),
        ({"namespace": "kafka, streams"}, ("kafka", "streams")),
        ({"namespace": None}, ("ops",)),
    ],
)
def test_the_namespaces_that_it_watches_are_told_by_a_variable(
    variables: dict[str, str | None], watches: tuple[str, ...]
) -> None:
    """
    All of them, several, or its own.
    """
    assert watches == decoded(a_deployment("ops", **variables))[0].watches


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("registry.example/strimzi/operator:1.2.0@sha256:00", "1.2.0"),
        ("registry.example/strimzi/operator:1.2.0-acme1", "1.2.0"),
        ("registry.example:5000/strimzi/operator:latest", None),
        ("registry.example/strimzi/operator@sha256:00", None),
    ],
)
def test_its_release_is_that_of_its_image(image: str, told: str | None) -> None:
    """
    Where the tag has one.
    """
    assert told == decoded(a_deployment("ops", image))[0].release


def test_of_several_operators_it_is_the_one_that_watches_and_selects() -> None:
    """
    Another namespace's, and one for other labels, are not its own; two that both may be tell nothing.
    """
    resource = a_resource(shard="a")
    elsewhere = replace(OPERATOR, watches=("streams",))
    here = replace(OPERATOR, watches=("kafka",))
    shard_a, shard_b, unclear = (
        decoded(a_deployment("ops", custom_resource_selector=selector))[0]
        for selector in ("shard=a", "shard==b", "shard in (a, b)")
    )

    assert here == operator_of(resource, [elsewhere, here])
    assert shard_a == operator_of(resource, [shard_b, shard_a, unclear])
    assert operator_of(resource, [OPERATOR, here]) is None
    assert operator_of(resource, [elsewhere]) is None


def test_what_an_operator_says_of_itself_goes_before_its_images_and_these_before_the_table() -> None:
    """
    The sentence with which it refuses a release, the images that it has, the row of its release, nothing.
    """
    said = "Unsupported Kafka.spec.kafka.version: 4.4.0. Supported versions are: [4.2.0, 4.3.1, next]"
    refusal = {"type": "NotReady", "status": "True", "message": said}

    assert releases("4.2.0", "4.3.1") == supported_for(a_resource(refusal), OPERATOR)
    assert releases("4.2.1", "4.3.0") == supported_for(a_resource(), OPERATOR)
    assert releases("4.2.0", "4.2.1", "4.3.0", "4.3.1") == supported_for(a_resource(), None)
    assert supported_for(a_resource(operator="9.0.0"), None) is None


@pytest.fixture
def world(kubernetes: ApiServer) -> Iterator[StrimziWorld]:
    """Two clusters at rest, in a namespace of their own."""
    made = StrimziWorld(kubernetes, f"operators-{next(NAMESPACES)}")
    yield made
    made.close()


def install(world: StrimziWorld) -> None:
    """Install an operator that watches its own namespace, and let it run."""
    world.server.call("POST", _deployments(world), a_deployment(world.namespace, namespace=None))
    let_run(world, 1)


def let_run(world: StrimziWorld, count: int) -> None:
    """Let so many of its replicas be there."""
    status = {"replicas": 1, "readyReplicas": count, "availableReplicas": count}
    world.server.patch(f"{_deployments(world)}/strimzi/status", {"status": status})


def shown(source: StrimziSource, cluster: str) -> Reading:
    """What is seen of a cluster that may be next to start."""
    found = source.read(frozenset({cluster}), NOON).clusters[cluster].reading
    assert isinstance(found, Reading), found
    return found


def test_no_cluster_is_settled_while_its_operator_is_not_running(world: StrimziWorld) -> None:
    """
    What it asked for would be done by nobody; once the operator is back, so are they.
    """
    cluster = world.clusters[0]
    install(world)
    before = shown(world.reopened(), cluster)
    let_run(world, 0)
    away = shown(world.reopened(), cluster)
    let_run(world, 1)

    assert before.settled
    assert releases("4.2.1", "4.3.0") == before.supported
    assert not away.settled
    assert f"{world.namespace}/strimzi is not running (0 of 1 replicas)" == away.progress
    assert before == shown(world.reopened(), cluster)


def test_no_cluster_is_settled_before_an_upgraded_operator_was_done_with_it(world: StrimziWorld) -> None:
    """
    A newer operator rolls every cluster for its own sake, and no status tells before it is over.
    """
    cluster, other = world.clusters
    install(world)
    for name, by in (("a-1", "1.1.0"), ("a-2", "1.2.0")):
        path = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/{name}/status"
        world.server.patch(path, {"status": {"operatorLastSuccessfulVersion": by}})
    source = world.reopened()

    behind = shown(source, cluster)

    assert not behind.settled
    assert f"{world.namespace}/strimzi is 1.2.0 now, and 1.1.0 was the last to be done with it" == behind.progress
    assert shown(source, other).settled


def test_operators_are_asked_after_once_a_minute_and_never_for_a_fleet_at_rest(world: StrimziWorld) -> None:
    """
    The same operators spoil no value: who did not change gives the very same one again.
    """
    install(world)
    source = world.reopened()
    cluster, other = world.clusters

    source.read(frozenset(), NOON)
    assert 0 == asked(world)
    first, second = (source.read(frozenset({cluster}), NOON).clusters[other] for _ in range(2))
    assert first is second
    assert 1 == asked(world)


def asked(world: StrimziWorld) -> int:
    """How often the Deployments of the namespace were listed."""
    path = f"{_deployments(world)}?"
    return sum(each["requestURI"].startswith(path) and each["verb"] == "list" for each in world.server.audited())


def _deployments(world: StrimziWorld) -> str:
    return f"/apis/apps/v1/namespaces/{world.namespace}/deployments"
