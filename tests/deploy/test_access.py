"""The rights in ``deploy/`` are those that the code asks for: all of them, and no more, asked of a real API server."""

from collections.abc import Iterable, Iterator
from itertools import count, product
from pathlib import Path

import pytest
import yaml

from controller.fleets.strimzi import rights
from controller.fleets.strimzi.source import Place, StrimziSource, open_source
from controller.model.observation import Reading
from tests.builders import NEW, NOON, a_start, release
from tests.builders_core import catalog
from tests.contracts.strimzi_world import StrimziWorld
from tests.deploy.manifests import ACCESS, ACCOUNT, NAMESPACE, Document, guide, overlay, rendered, the
from tests.deploy.pods import token_of
from tests.real.kubernetes import ApiServer

NUMBERS = count()
ROLE = "wavefleet-strimzi"
NEEDED = {*rights.RIGHTS, *rights.OPTIONAL}
FORBIDDEN = """\
get secrets, list secrets, get configmaps, list namespaces, list nodes, get nodes/proxy, list serviceaccounts
get pods, watch pods, create pods, patch pods, update pods, delete pods, deletecollection pods
get pods/log, create pods/exec, create pods/portforward, create pods/eviction, patch pods/status
create events, list events, patch events, list events.events.k8s.io, patch events.events.k8s.io
create serviceaccounts/token, impersonate serviceaccounts, impersonate users, impersonate groups
get deployments.apps, create deployments.apps, patch deployments.apps, update deployments.apps/scale
list statefulsets.apps, delete statefulsets.apps, create leases.coordination.k8s.io
create kafkas.kafka.strimzi.io, update kafkas.kafka.strimzi.io, delete kafkas.kafka.strimzi.io
deletecollection kafkas.kafka.strimzi.io, patch kafkas.kafka.strimzi.io/status, update kafkas.kafka.strimzi.io/status
get kafkanodepools.kafka.strimzi.io, patch kafkanodepools.kafka.strimzi.io, patch kafkanodepools.kafka.strimzi.io/scale
list kafkatopics.kafka.strimzi.io, list kafkausers.kafka.strimzi.io, delete kafkatopics.kafka.strimzi.io
list strimzipodsets.core.strimzi.io, patch strimzipodsets.core.strimzi.io, delete strimzipodsets.core.strimzi.io
create rolebindings.rbac.authorization.k8s.io, create clusterrolebindings.rbac.authorization.k8s.io
bind clusterroles.rbac.authorization.k8s.io, escalate clusterroles.rbac.authorization.k8s.io
patch customresourcedefinitions.apiextensions.k8s.io, create tokenreviews.authentication.k8s.io
get *, list *.*, * kafkas.kafka.strimzi.io, * *.*
"""
"""``VERB RESOURCE.GROUP/SUBRESOURCE``: what could do harm, or show what is none of our concern."""


class Account:
    """A ServiceAccount, by a token of its own."""

    def __init__(self, server: ApiServer, name: str = ACCOUNT) -> None:
        self.server = server
        self._token = token_of(server, account=name)

    def may(self, right: rights.Right, namespace: str = "") -> bool:
        """Ask the server whether it may, in one namespace or in all of them."""
        group, resource, verb = right
        resource, _, part = resource.partition("/")
        asked = {"group": group, "resource": resource, "subresource": part, "verb": verb, "namespace": namespace}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        body = {**review, "spec": {"resourceAttributes": asked}}
        return bool(self.server.call("POST", path, body, token=self._token)["status"]["allowed"])

    def source(self, folder: Path, namespace: str) -> StrimziSource:
        """A source that comes from another Kubernetes cluster, with the kubeconfig and the files of the guide."""
        (folder / "eu.token").write_text(f"{self._token}\n")
        (folder / "eu.crt").write_bytes(self.server.certificate.read_bytes())
        content = guide("tokenFile")
        content["clusters"][0]["cluster"]["server"] = self.server.url
        (folder / "kubeconfig").write_text(yaml.safe_dump(content))
        place = Place("eu", folder / "kubeconfig", (namespace,))
        return open_source("eu", place, catalog().metadata_versions, 10.0)


@pytest.fixture
def world(deployed: ApiServer) -> Iterator[StrimziWorld]:
    """Two clusters at rest in a namespace of their own."""
    made = StrimziWorld(deployed, f"deploy-{next(NUMBERS)}")
    yield made
    made.close()


def granted(role: Document) -> Iterable[rights.Right]:
    """Yield each right of a role; a rule has nothing but groups, resources and verbs."""
    for rule in role["rules"]:
        assert {"apiGroups", "resources", "verbs"} == rule.keys()
        yield from product(rule["apiGroups"], rule["resources"], rule["verbs"])


def forbidden() -> Iterable[rights.Right]:
    """Yield the rights of the table above."""
    for each in FORBIDDEN.replace("\n", ", ").strip(", ").split(", "):
        verb, what = each.split(" ")
        whole, slash, part = what.partition("/")
        resource, _, group = whole.partition(".")
        yield group, resource + slash + part, verb


def test_the_role_is_exactly_what_the_code_asks_for(kubernetes: ApiServer) -> None:
    """
    Each right once, no star among them; each is one that the code has a use for.
    """
    found = list(granted(the(rendered(kubernetes, ACCESS), "ClusterRole", ROLE)))

    assert sorted(NEEDED) == sorted(found)


def test_the_server_lets_it_do_what_it_needs_and_nothing_that_does_harm(deployed: ApiServer) -> None:
    """
    Asked with a token of the ServiceAccount, in all namespaces and in the one that its secrets are in.
    """
    account = Account(deployed)

    assert [] == [right for right in NEEDED if not account.may(right)]
    assert [] == [(right, place) for right in forbidden() for place in ("", NAMESPACE) if account.may(right, place)]


def test_with_a_short_lived_token_a_source_reads_and_upgrades(world: StrimziWorld, tmp_path: Path) -> None:
    """
    From a kubeconfig that names the token's file, with these rights alone; none is missing.
    """
    source, cluster = Account(world.server).source(tmp_path, world.namespace), world.clusters[0]
    before = source.read(frozenset({cluster}), NOON).clusters[cluster].reading
    assert isinstance(before, Reading), before
    assert [] == source.missing_rights()

    source.start(a_start(cluster, token=before.token), NOON)

    after = source.read(frozenset({cluster}), NOON).clusters[cluster].reading
    assert isinstance(after, Reading), after
    assert release(NEW) == after.wanted
    source.close()


def test_whoever_renews_the_token_needs_no_right_of_its_owner(deployed: ApiServer) -> None:
    """
    One right on one name, as the guide says; it is worth no token of another account.
    """
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [ACCOUNT], "verbs": ["create"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "renews", "namespace": NAMESPACE}}
    group = "rbac.authorization.k8s.io"
    who = {"subjects": [{"apiGroup": group, "kind": "User", "name": "person"}]}
    what = {"roleRef": {"apiGroup": group, "kind": "Role", "name": "renews"}}
    deployed.apply_all([{**role, "kind": "Role", "rules": [rule]}, {**role, "kind": "RoleBinding", **who, **what}])

    create = ("create", "token", f"--namespace={NAMESPACE}")
    assert deployed.kubectl(*create, ACCOUNT, user="person")
    with pytest.raises(AssertionError, match="forbidden"):
        deployed.kubectl(*create, "default", user="person")


def test_rights_in_one_namespace_end_there(world: StrimziWorld, tmp_path: Path) -> None:
    """
    As the guide has it nothing is granted in all namespaces, and everything in the one that the binding is put into.
    """
    suffix, server = f"-of-{world.namespace}", world.server
    elsewhere = StrimziWorld(server, f"deploy-{next(NUMBERS)}")
    content = guide("components:")
    content["patches"][0]["patch"] = content["patches"][0]["patch"].replace("payments", world.namespace)
    folder = overlay(tmp_path / "own", {**content, "resources": ["../access"], "nameSuffix": suffix})
    server.kubectl("apply", "--kustomize", folder)
    account = Account(server, ACCOUNT + suffix)

    assert not [each for each in rendered(server, folder) if "ClusterRoleBinding" == each["kind"]]
    assert [] == [right for right in NEEDED if not account.may(right, world.namespace)]
    assert [] == [right for right in NEEDED for place in ("", elsewhere.namespace) if account.may(right, place)]
    assert len(rights.RIGHTS) == len(account.source(tmp_path, elsewhere.namespace).missing_rights())
    source = account.source(tmp_path, world.namespace)
    assert set(world.clusters) == set(source.read(frozenset(), NOON).clusters)
    source.close()
    elsewhere.close()
