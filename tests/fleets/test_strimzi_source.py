"""Strimzi's clusters on a real API server on bad days: what is refused, what is told, and what nobody may spoil."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest
import requests

from controller.errors import ApplyRefused
from controller.fleets.strimzi.listing import Listing, Scope
from controller.fleets.strimzi.reading import Reader
from controller.fleets.strimzi.source import StrimziSource
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.model.observation import Endpoints, Reading, Unknown
from tests.builders import LEVEL_41, NEW, NOON, OLD, a_start, release
from tests.builders_core import catalog
from tests.contracts.strimzi_world import StrimziWorld
from tests.real.kubernetes import ApiServer

NAMESPACES = count()
READ = [
    {"apiGroups": ["kafka.strimzi.io"], "resources": ["kafkas", "kafkanodepools"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
]
PATCH = {"apiGroups": ["kafka.strimzi.io"], "resources": ["kafkas"], "verbs": ["patch"]}


@pytest.fixture
def world(kubernetes: ApiServer) -> Iterator[StrimziWorld]:
    """Two clusters at rest on ``OLD``."""
    made = StrimziWorld(kubernetes, f"source-{next(NAMESPACES)}")
    yield made
    made.close()


def reading_of(world: StrimziWorld, cluster: str, source: StrimziSource | None = None) -> Reading:
    """What a cluster shows in full."""
    found = (source or world.source).read(frozenset({cluster}), NOON).clusters[cluster].reading
    assert isinstance(found, Reading), found
    return found


def bind(world: StrimziWorld, user: str, rules: list[dict[str, Any]]) -> None:
    """Let a user do as ``rules`` say in the world's namespace."""
    place = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}"
    name = {"metadata": {"name": f"may-{user}"}}
    world.server.call("POST", f"{place}/roles", {**name, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": f"may-{user}"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
    world.server.call("POST", f"{place}/rolebindings", {**name, "roleRef": role, "subjects": subjects})


def source_as(world: StrimziWorld, user: str) -> StrimziSource:
    """A source that is somebody on the server."""
    api = KubeApi(partial(connect, Where("fleet", world.server.kubeconfig(user))), "context fleet", 10.0)
    reader = Reader(catalog().metadata_versions)
    return StrimziSource("eu", api, [Listing(api, Scope(namespace=world.namespace))], reader, ["*"])


def stored(world: StrimziWorld, cluster: str) -> Any:  # noqa: ANN401 - a document
    """The resource as the server has it."""
    name = cluster.rpartition("/")[2]
    return world.server.call("GET", f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/{name}")


def events(world: StrimziWorld) -> list[Any]:
    """The Events in the namespace."""
    items: list[Any] = world.server.call("GET", f"/apis/events.k8s.io/v1/namespaces/{world.namespace}/events")["items"]
    return items


def test_release_and_level_are_one_write_with_an_event_beside_it(world: StrimziWorld) -> None:
    """
    Tried first, written once, under our name; whoever looks at the resource sees what was asked for, and by whom.
    """
    cluster = world.clusters[0]
    start = a_start(cluster, token=reading_of(world, cluster).token, pinned=LEVEL_41)
    world.source.start(start, NOON)

    kafka = stored(world, cluster)
    assert {"version": NEW, "metadataVersion": "4.1-IV1"} == kafka["spec"]["kafka"]
    assert "acme" == kafka["metadata"]["annotations"]["wavefleet.io/fleet"]
    assert "wavefleet" == reading_of(world, cluster).changed_by
    (event,) = events(world)
    assert f"Kafka {OLD} to {NEW}, asked for by fleet acme, group prod" == event["note"]
    assert ("Kafka", "a-1") == (event["regarding"]["kind"], event["regarding"]["name"])
    patches = [
        each["requestURI"].partition("?")[2]
        for each in world.server.audited()
        if each["verb"] == "patch" and each["userAgent"] == "wavefleet" and f"/{world.namespace}/" in each["requestURI"]
    ]
    assert ["fieldManager=wavefleet&dryRun=All", "fieldManager=wavefleet"] == patches


def test_a_user_who_may_only_read_is_refused_and_changes_nothing(world: StrimziWorld) -> None:
    """
    Observing works; the write is held with the server's own sentence.
    """
    bind(world, "reader", READ)
    source, cluster = source_as(world, "reader"), world.clusters[0]
    before = reading_of(world, cluster, source)

    with pytest.raises(ApplyRefused, match=r'403: .*User "reader" cannot patch resource "kafkas"'):
        source.start(a_start(cluster, token=before.token), NOON)
    assert before == reading_of(world, cluster, source)
    source.close()


def test_rights_that_are_missing_are_told_before_they_are_needed(world: StrimziWorld) -> None:
    """
    The server is asked, and nothing is tried; who may do everything lacks nothing.
    """
    bind(world, "person", READ)
    source = source_as(world, "person")

    assert [] == world.source.missing_rights()
    assert [] == world.source.missing_sights()
    assert [
        f"list deployments.apps in namespace {world.namespace}, so whether operators run is not seen"
    ] == source.missing_sights()
    assert [
        f"patch kafkas.kafka.strimzi.io in namespace {world.namespace}",
        f"create events.events.k8s.io in namespace {world.namespace}",
    ] == source.missing_rights()
    source.close()


def test_without_the_right_to_tell_it_still_writes(world: StrimziWorld) -> None:
    """
    An Event is worth no failure.
    """
    bind(world, "operator", [*READ, PATCH])
    source, cluster = source_as(world, "operator"), world.clusters[0]
    source.start(a_start(cluster, token=reading_of(world, cluster, source).token), NOON)

    assert release(NEW) == reading_of(world, cluster, source).wanted
    assert [] == events(world)
    source.close()


def test_what_admission_refuses_is_refused_before_anything_began(world: StrimziWorld) -> None:
    """
    By the dry run, in the words of whoever made the rule.
    """
    rule = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"no-{world.namespace}"},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
                "resourceRules": [
                    {
                        "apiGroups": ["kafka.strimzi.io"],
                        "apiVersions": ["*"],
                        "resources": ["kafkas"],
                        "operations": ["UPDATE"],
                    }
                ],
            },
            "validations": [
                {
                    "expression": f"object.spec.kafka.version != '{NEW}'",
                    "message": "the change board has not approved this release",
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"no-{world.namespace}"},
        "spec": {"policyName": f"no-{world.namespace}", "validationActions": ["Deny"]},
    }
    world.server.apply_all([rule, binding])
    cluster = world.clusters[0]
    _await_rule(world)
    start = a_start(cluster, token=reading_of(world, cluster).token)

    with pytest.raises(ApplyRefused, match="the change board has not approved this release"):
        world.source.start(start, NOON)
    assert OLD == stored(world, cluster)["spec"]["kafka"]["version"]


def _await_rule(world: StrimziWorld) -> None:
    """Wait until the server keeps the rule, which it takes in a little later."""
    path = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/a-2?dryRun=All"
    for _ in range(600):
        try:
            world.server.patch(path, {"spec": {"kafka": {"version": NEW}}})
        except requests.HTTPError:
            return
    raise AssertionError("the rule is not kept")


def test_a_cluster_made_anew_under_its_old_name_is_another_one(world: StrimziWorld) -> None:
    """
    With an id of its own; a start that was judged on the old one is refused.
    """
    cluster = world.clusters[0]
    before = reading_of(world, cluster)
    kafkas = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas"
    world.server.call("DELETE", f"{kafkas}/a-1")
    manifest = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "a-1"}}
    world.server.call("POST", kafkas, {**manifest, "spec": {"kafka": {"version": OLD}}})

    with pytest.raises(ApplyRefused, match="was changed since it was read"):
        world.source.start(a_start(cluster, token=before.token), NOON)
    found = world.source.read(frozenset({cluster}), NOON).clusters[cluster].reading
    assert isinstance(found, Unknown)
    assert "has not said anything" in found.why


def test_a_cluster_whose_resource_is_being_deleted_is_held(world: StrimziWorld) -> None:
    """
    A finalizer keeps it for a while, and nothing is begun in that time; in a person's words where there are some.
    """
    cluster, path = world.clusters[0], f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/a-1"
    world.server.patch(path, {"metadata": {"finalizers": ["test.wavefleet.io/kept"]}})
    assert reading_of(world, cluster).held is None
    world.server.call("DELETE", path)
    assert "its resource is being deleted" == reading_of(world, cluster).held

    world.server.patch(path, {"metadata": {"annotations": {"wavefleet.io/hold": "INC-4711"}}})
    assert "INC-4711" == reading_of(world, cluster).held
    world.server.patch(path, {"metadata": {"finalizers": None}})


def test_a_name_with_dots_and_a_resource_of_a_mebibyte_are_clusters_like_others(world: StrimziWorld) -> None:
    """
    Whatever people keep in their annotations is none of our concern.
    """
    world.make("orders.eu.v2")
    kafkas = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas"
    text = {f"listener-{number}": "x" * 1000 for number in range(900)}
    world.server.patch(f"{kafkas}/orders.eu.v2", {"spec": {"kafka": {"config": text}}})
    world.roll("orders.eu.v2")
    cluster = f"eu/{world.namespace}/orders.eu.v2"

    reading = reading_of(world, cluster, world.reopened())
    assert reading.settled
    world.source.start(a_start(cluster, token=reading.token), NOON)
    assert NEW == stored(world, cluster)["spec"]["kafka"]["version"]


def test_only_namespaces_that_match_a_pattern_are_read(world: StrimziWorld) -> None:
    """
    Others of the same server are somebody else's.
    """
    api = KubeApi(partial(connect, Where("fleet", world.server.kubeconfig())), "context fleet", 10.0)
    reader = Reader(catalog().metadata_versions)
    for pattern, seen in (("nobodys-*", set()), (world.namespace[:-1] + "*", set(world.clusters))):
        source = StrimziSource("eu", api, [Listing(api, Scope())], reader, [pattern])
        found = set(source.read(frozenset(), NOON).clusters)
        assert seen <= found
        assert all(name.split("/")[1].startswith(pattern[:-1]) for name in found)
    source.close()


def test_a_resource_that_did_not_change_gives_the_very_same_value(world: StrimziWorld) -> None:
    """
    So that a cycle can tell at once that nothing is new of it.
    """
    first, second = (world.source.read(frozenset(), NOON).clusters for _ in range(2))

    assert all(first[name] is second[name] for name in world.clusters)


def test_taking_over_reads_past_the_tool_that_owned_it(world: StrimziWorld) -> None:
    """
    Only where the source says so.
    """
    cluster = world.clusters[0]
    labels = {"metadata": {"labels": {"argocd.argoproj.io/instance": "kafka"}}}
    world.server.patch(f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkas/a-1", labels)
    assert "Argo CD writes its version" in (reading_of(world, cluster).owner or "")

    api = KubeApi(partial(connect, Where("fleet", world.server.kubeconfig())), "context fleet", 10.0)
    reader = replace(Reader(catalog().metadata_versions), take_over=True)
    source = StrimziSource("eu", api, [Listing(api, Scope(namespace=world.namespace))], reader, ["*"])
    assert reading_of(world, cluster, source).owner is None
    source.close()


def test_the_brokers_that_there_should_be_are_those_that_the_pools_have_numbers_for(world: StrimziWorld) -> None:
    """
    Known once a cluster is read in full; its address stands in no resource, so that a listener has to tell it.
    """
    cluster, other = world.clusters
    pools = f"/apis/kafka.strimzi.io/v1/namespaces/{world.namespace}/kafkanodepools"
    world.server.patch(f"{pools}/a-1-b/status", {"status": {"nodeIds": [0, 1, 2], "roles": ["broker"]}})

    listed = world.source.read(frozenset(), NOON).clusters
    full = world.source.read(frozenset(world.clusters), NOON).clusters

    assert [Endpoints()] * 2 == [listed[name].endpoints for name in (cluster, other)]
    assert Endpoints(expected=frozenset({0, 1, 2})) == full[cluster].endpoints
    assert Endpoints() == full[other].endpoints
