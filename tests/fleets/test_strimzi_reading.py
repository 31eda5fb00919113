"""What a Kafka resource shows at each step of an upgrade, read from bytes as the operator leaves them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from controller.fleets.strimzi.reading import Nodes, Reader
from controller.fleets.strimzi.resources import Pod, Pools, decode_page, decode_pods, decode_pools, decode_resource
from controller.model.observation import Reading, Severity, Unknown
from controller.versions import MetadataVersion
from tests.builders import release
from tests.builders_core import catalog

LEVELS = catalog().metadata_versions
READER = Reader(LEVELS)
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T08:01:44.123456789Z"}
BEHIND = {"type": "Warning", "status": "True", "reason": "KafkaMetadataVersion", "message": "Metadata version is older"}


def a_kafka(
    *,
    generation: int = 12,
    version: str | None = "4.2.1",
    level: str | None = "4.2-IV1",
    **status: Any,  # noqa: ANN401 - parts of a document
) -> Any:  # noqa: ANN401 - a document
    """A resource at rest, with what ``status`` says otherwise."""
    spec = {key: value for key, value in (("version", version), ("metadataVersion", level)) if value is not None}
    return {
        "metadata": {
            "name": "orders-eu1",
            "namespace": "kafka-prod",
            "generation": generation,
            "resourceVersion": "4711",
            "labels": {"env": "prod"},
        },
        "spec": {"kafka": spec},
        "status": {
            "observedGeneration": 12,
            "clusterId": "XP9FP2P-RByvEy0W4cOEUA",
            "kafkaVersion": "4.2.1",
            "kafkaMetadataVersion": "4.2-IV1",
            "operatorLastSuccessfulVersion": "1.2.0",
            "conditions": [READY],
            **status,
        },
    }


def shown(document: Any, nodes: Nodes | None = None, reader: Reader = READER) -> Reading:  # noqa: ANN401 - as above
    """What it shows, which is something."""
    reading = reader.read(decode_resource(json.dumps(document).encode()), nodes)
    assert isinstance(reading, Reading), reading
    return reading


def pods(*releases: str, ready: int | None = None) -> Nodes:
    """Nodes on ``releases``, the first ``ready`` of them ready."""
    count = len(releases) if ready is None else ready
    image = "registry.example/strimzi/kafka:1.2.0-kafka-{}"
    made = (Pod(f"orders-eu1-broker-{n}", each, image.format(each), n < count) for n, each in enumerate(releases))
    return Nodes(tuple(made), len(releases))


def test_a_cluster_at_rest_is_settled_and_healthy() -> None:
    """
    With everything that the resource tells.
    """
    reading = shown(a_kafka(), pods(*["4.2.1"] * 6))

    assert (release("4.2.1"),) * 3 == (reading.release, reading.highest, reading.wanted)
    assert reading.settled
    assert reading.healthy
    assert reading.full
    assert (LEVELS["4.2-IV1"], LEVELS["4.2-IV1"]) == (reading.metadata_version, reading.wanted_metadata)
    assert ("4711", "XP9FP2P-RByvEy0W4cOEUA") == (reading.token, reading.kafka_id)
    assert "" == reading.progress
    assert not reading.zookeeper


def test_from_the_list_alone_a_cluster_is_known_but_not_in_full() -> None:
    """
    Its pods were not asked for.
    """
    reading = shown(a_kafka())

    assert reading.settled
    assert not reading.full


def test_a_roll_under_way_shows_in_the_pods_while_the_status_is_old() -> None:
    """
    It still says Ready, of the generation before.
    """
    nodes = pods(*["4.3.1"] * 2, *["4.2.1"] * 4)
    reading = shown(a_kafka(generation=13, version="4.3.1"), nodes)

    assert (release("4.2.1"), release("4.3.1")) == (reading.release, reading.highest)
    assert release("4.3.1") == reading.wanted
    assert not reading.settled
    assert "2 of 6 brokers" == reading.progress
    assert not shown(a_kafka(generation=13, version="4.3.1")).settled


def test_a_node_that_is_not_ready_is_missing_and_waited_for() -> None:
    """
    A roll explains that; a start does not go with it.
    """
    (finding,) = shown(a_kafka(), pods(*["4.2.1"] * 3, ready=2)).findings

    assert ("nodes_missing", Severity.WAIT) == (finding.id, finding.severity)
    assert "2 of 3 nodes are ready: orders-eu1-broker-2" == finding.detail


def test_a_cluster_of_which_nobody_tells_how_many_nodes_it_has_is_waited_for() -> None:
    """
    Safety (unknown-holds): however well those are that are there.
    """
    reading = shown(a_kafka(), replace(pods(*["4.2.1"] * 3), wanted=0))

    assert [("nodes_missing", Severity.WAIT)] == [(finding.id, finding.severity) for finding in reading.findings]
    assert "neither a node pool nor spec.kafka.replicas" in reading.findings[0].detail
    assert "" == reading.progress


def test_after_the_roll_the_level_is_behind_on_purpose() -> None:
    """
    Settled and healthy: the operator's warning says no more than that the level is pinned.
    """
    after = a_kafka(generation=13, version="4.3.1", observedGeneration=13, kafkaVersion="4.3.1")
    after["status"]["conditions"] = [READY, BEHIND]
    reading = shown(after)

    assert reading.settled
    assert () == reading.findings
    assert LEVELS["4.2-IV1"] == reading.metadata_version


def test_a_level_that_is_asked_for_is_awaited() -> None:
    """
    By its full name or by its line; the operator raises it in the reconciliation after the next.
    """
    for name in ("4.3-IV0", "4.3"):
        waiting = a_kafka(generation=14, version="4.3.1", level=name, observedGeneration=14, kafkaVersion="4.3.1")
        assert not shown(waiting).settled
        assert "metadata.version 4.2-IV1 to become 4.3-IV0" == shown(waiting).progress
        assert LEVELS["4.3-IV0"] == shown(waiting).wanted_metadata
        waiting["status"]["kafkaMetadataVersion"] = "4.3-IV0"
        assert shown(waiting).settled


def test_a_level_that_no_known_release_has_is_awaited_until_its_operator_says_its_very_name() -> None:
    """
    Safety (unknown-holds): nobody here can tell whether another one is as high.
    """
    waiting = a_kafka(level="9.9-IV9")
    assert not shown(waiting).settled
    assert "metadata.version 4.2-IV1 to become 9.9-IV9, which no known release has" == shown(waiting).progress

    waiting["status"]["kafkaMetadataVersion"] = "9.9-IV9"
    assert shown(waiting).settled
    assert "" == shown(waiting).progress
    assert shown(waiting).metadata_version is None


def test_a_status_of_another_release_is_not_overruled_by_pods() -> None:
    """
    The reconciliation that changed them is not over before its status says so.
    """
    after = a_kafka(version="4.3.1", kafkaVersion="4.2.1")
    assert not shown(after, pods(*["4.3.1"] * 3)).settled

    after["status"]["kafkaVersion"] = "4.3.1"
    assert shown(after, pods(*["4.3.1"] * 3)).settled


def test_what_its_operator_does_not_support_is_refused_in_its_own_words() -> None:
    """
    And the releases that it does support are known beforehand.
    """
    said = "Unsupported Kafka.spec.kafka.version: 4.4.0. Supported versions are: [4.2.0, 4.2.1, 4.3.0, 4.3.1]"
    no = {"type": "NotReady", "status": "True", "reason": "UnsupportedKafkaVersionException", "message": said}
    reading = shown(a_kafka(generation=14, version="4.4.0", observedGeneration=14, conditions=[no]))

    assert said == reading.refused
    assert () == reading.findings
    assert not reading.settled
    assert tuple(map(release, ("4.2.0", "4.2.1", "4.3.0", "4.3.1"))) == reading.supported


def test_a_roll_that_sticks_is_tried_again_by_the_operator_and_blocks() -> None:
    """
    It took the wish, so that is no refusal.
    """
    said = "Error while waiting for restarted pod orders-eu1-broker-2 to become ready"
    no = {"type": "NotReady", "status": "True", "reason": "FatalProblem", "message": said}
    reading = shown(a_kafka(conditions=[no]))

    assert reading.refused is None
    assert [Severity.BLOCK] == [finding.severity for finding in reading.findings]
    assert said in reading.findings[0].detail
    assert not reading.settled


def test_an_error_of_an_older_generation_says_nothing_of_this_one() -> None:
    """
    It stays there while the next reconciliation runs.
    """
    no = {"type": "NotReady", "status": "True", "reason": "UnsupportedKafkaVersionException", "message": "no"}
    reading = shown(a_kafka(generation=15, conditions=[no]))

    assert reading.refused is None
    assert not reading.settled


def test_a_paused_cluster_is_held_and_its_pods_say_what_runs() -> None:
    """
    Its status says no release while it is paused, so that from the list alone nobody knows.
    """
    paused = a_kafka(conditions=[{"type": "ReconciliationPaused", "status": "True"}])
    paused["metadata"]["annotations"] = {"strimzi.io/pause-reconciliation": "true"}
    for key in ("kafkaVersion", "kafkaMetadataVersion"):
        del paused["status"][key]
    assert isinstance(READER.read(decode_resource(json.dumps(paused).encode()), None), Unknown)

    reading = shown(paused, pods("4.2.1", "4.2.1", "4.2.1"))
    assert release("4.2.1") == reading.release
    assert reading.held is not None
    assert "strimzi.io/pause-reconciliation" in reading.held
    assert not reading.settled


def test_peoples_annotation_holds_with_their_reason() -> None:
    """
    And the fleet's mark is read.
    """
    document = a_kafka()
    document["metadata"]["annotations"] = {"wavefleet.io/hold": "INC-4711", "wavefleet.io/fleet": "acme"}

    assert ("INC-4711", "acme") == (shown(document).held, shown(document).fleet)


@pytest.mark.parametrize(
    ("change", "zookeeper"),
    [
        ({"spec": {"kafka": {"version": "4.2.1"}, "zookeeper": {"replicas": 3}}}, True),
        ({"status": {**a_kafka()["status"], "kafkaMetadataState": "KRaftPostMigration"}}, True),
        ({"status": {**a_kafka()["status"], "kafkaMetadataState": "KRaft"}}, False),
        ({}, False),
    ],
)
def test_zookeeper_is_there_until_a_migration_is_over(change: dict[str, Any], *, zookeeper: bool) -> None:
    """
    The operator says in which state it is.
    """
    assert zookeeper is shown({**a_kafka(), **change}).zookeeper


@pytest.mark.parametrize(
    ("mark", "tool"),
    [
        ({"labels": {"argocd.argoproj.io/instance": "kafka"}}, "Argo CD"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "kafka:x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "kafka"}}, "Flux"),
        ({"managedFields": [{"manager": "helm-controller", "operation": "Update"}]}, "Flux"),
        ({"managedFields": [{"manager": "our-own-tool", "operation": "Apply"}]}, "our-own-tool"),
        ({"managedFields": [{"manager": "kubectl-edit", "operation": "Update"}]}, None),
        ({"managedFields": [{"manager": "wavefleet", "operation": "Update"}]}, None),
    ],
)
def test_whoever_applies_the_version_from_elsewhere_owns_it(mark: dict[str, Any], tool: str | None) -> None:
    """
    People who edited it by hand do not, nor do we; with ``takeOver`` nobody does.
    """
    document = a_kafka()
    fields = {"f:spec": {"f:kafka": {"f:version": {}}}}
    for each in mark.get("managedFields", ()):
        each.update(fieldsV1=fields, time="2026-11-20T08:00:00Z")
    document["metadata"].update(mark)
    owner = shown(document).owner

    assert (owner is None) is (tool is None)
    assert tool is None or (owner or "").startswith(f"{tool} writes its version")
    assert shown(document, reader=replace(READER, take_over=True)).owner is None


def test_a_writer_of_other_fields_owns_nothing() -> None:
    """
    Also where a field of that name lies elsewhere in the resource.
    """
    document = a_kafka()
    fields = {"f:spec": {"f:cruiseControl": {"f:version": {}}}}
    document["metadata"]["managedFields"] = [{"manager": "argocd-controller", "operation": "Apply", "fieldsV1": fields}]

    assert shown(document).owner is None


def test_an_image_of_its_own_would_make_another_version_do_nothing() -> None:
    """
    Taking over does not help there.
    """
    document = a_kafka()
    document["spec"]["kafka"]["image"] = "registry.example/kafka:mine"

    assert "spec.kafka.image" in (shown(document, reader=replace(READER, take_over=True)).owner or "")


@pytest.mark.parametrize(
    ("document", "nodes", "why"),
    [
        ({**a_kafka(), "status": None}, None, "its operator has not said anything"),
        (a_kafka(kafkaVersion="tomorrow's"), None, "does not say what it runs"),
        (a_kafka(version="latest"), None, "'latest', which is no release"),
        (a_kafka(), Nodes((Pod("p-0", "4.2.1", "x/kafka:1.2.0-kafka-4.3.1", is_ready=True),), 1), "do not agree"),
        (a_kafka(), Nodes((Pod("p-0", None, "x/kafka:mine", is_ready=True),), 1), "p-0 cannot be told"),
    ],
    ids=["no status", "no release", "no version", "two words of a pod", "no word of a pod"],
)
def test_what_cannot_be_told_is_unknown(document: Any, nodes: Nodes | None, why: str) -> None:  # noqa: ANN401 - as above
    """
    Safety (unknown-holds): with the reason.
    """
    reading = READER.read(decode_resource(json.dumps(document).encode()), nodes)

    assert isinstance(reading, Unknown)
    assert why in reading.why


def test_one_bad_item_spoils_no_other() -> None:
    """
    It keeps its name and its labels, so that it is still its group's.
    """
    bad = a_kafka()
    bad["metadata"]["name"], bad["spec"]["kafka"]["version"] = "bad", {"oops": 1}
    page = decode_page(
        json.dumps({"metadata": {"resourceVersion": "9", "continue": "c"}, "items": [a_kafka(), bad]}).encode()
    )

    good, broken = page.items
    assert ("9", "c") == (page.token, page.next)
    assert isinstance(READER.read(good, None), Reading)
    assert isinstance(READER.read(broken, None), Unknown)
    assert ("kafka-prod/bad", {"env": "prod"}) == (broken.path, broken.labels)


def test_an_unknown_level_is_no_level() -> None:
    """
    A newer operator may know one that this catalog does not.
    """
    reading = shown(a_kafka(kafkaMetadataVersion="9.9-IV9", level=None))

    assert reading.metadata_version is None
    assert isinstance(LEVELS["4.3-IV0"], MetadataVersion)


def test_pods_and_pools_are_read_for_what_matters() -> None:
    """
    A pod that is going is not ready, whatever it still says; replicas of all pools are wanted.
    """
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    note, image = {"strimzi.io/kafka-version": "4.3.1"}, {"containers": [{"name": "kafka", "image": "x:1-kafka-4.3.1"}]}
    items = [
        {"metadata": {"name": "a", "annotations": note}, "spec": image, "status": ready},
        {"metadata": {"name": "b", "deletionTimestamp": "2026-11-20T08:00:00Z"}, "spec": image, "status": ready},
        {"metadata": {"name": "c"}, "spec": {"containers": []}},
    ]
    made = decode_pods(json.dumps({"items": items}).encode())

    assert [("a", "4.3.1", True), ("b", None, False), ("c", None, False)] == [
        (pod.name, pod.release, pod.is_ready) for pod in made
    ]
    pools = [{"spec": {"replicas": 3, "roles": ["broker"]}}, {"spec": {"replicas": 3, "roles": ["controller"]}}]
    assert Pools(6, None) == decode_pools(json.dumps({"items": pools}).encode())


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([[0, 1], [5]], frozenset({0, 1, 5})), ([[0, 1], []], None), ([[0], [5]], None), ([None, None], None)],
)
def test_brokers_are_known_once_each_has_its_number(
    ids: list[list[int] | None], expected: frozenset[int] | None
) -> None:
    """
    Of every pool with brokers, also with those that are controllers too; pools of controllers alone have none.
    """
    roles = [["broker"], ["controller", "broker"], ["controller"]]
    pools = [
        {"spec": {"replicas": count, "roles": role}, **({} if found is None else {"status": {"nodeIds": found}})}
        for count, role, found in zip((2, 1, 3), roles, [*ids, [7, 8, 9]], strict=True)
    ]

    assert Pools(6, expected) == decode_pools(json.dumps({"items": pools}).encode())
