"""The manifests keep their promises: a real API server takes them, and they fit the image and the daemon."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests

from controller import __version__
from controller.settings import Mode, Settings, load_settings
from tests import test_dockerfile as image
from tests.deploy.manifests import (
    BASE,
    DEPLOY,
    EXAMPLE,
    NAMESPACE,
    Document,
    container,
    guide,
    overlay,
    rendered,
    the,
)
from tests.real.kubernetes import ApiServer

SECRETS = "/etc/wavefleet/secrets"


@pytest.fixture
def base(kubernetes: ApiServer) -> list[Document]:
    """Every object of the base."""
    return rendered(kubernetes, BASE)


def pod_of(documents: list[Document]) -> Document:
    """Return the pod that the Deployment asks for."""
    return dict(the(documents, "Deployment")["spec"]["template"])


def variables_of(documents: list[Document]) -> dict[str, str]:
    """Return the variables that a process in the container has: the image's, and what the manifests add."""
    (settings,) = (source["configMapRef"]["name"] for source in container(documents)["envFrom"])
    (found,) = (each["data"] for each in documents if each["metadata"]["name"] == settings)
    return image.environment() | found | {each["name"]: each["value"] for each in container(documents)["env"]}


def settings_of(documents: list[Document], secrets: Path) -> Settings:
    """Return the settings of a process in the container, with ``secrets`` in the place of its folder of secrets."""
    variables = {name: text.replace(SECRETS, str(secrets)) for name, text in variables_of(documents).items()}
    return load_settings({}, variables)


def mounts(documents: list[Document]) -> dict[str, str]:
    """Return where the container has each volume."""
    return {each["name"]: each["mountPath"] for each in container(documents)["volumeMounts"]}


@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=["base", "example"])
def test_applying_it_again_changes_nothing(kubernetes: ApiServer, folder: Path) -> None:
    """
    The server takes every object without a warning, and has it just as it is written.
    """
    kubernetes.kubectl("apply", "--kustomize", folder)

    told = kubernetes.kubectl("apply", "--kustomize", folder).splitlines()
    assert len(rendered(kubernetes, folder)) == len(told)
    assert [] == [line for line in told if not line.endswith(" unchanged")]
    assert "" == kubernetes.kubectl("diff", "--kustomize", folder)


def test_the_pod_is_let_in_by_the_strictest_profile(deployed: ApiServer, base: list[Document]) -> None:
    """
    The namespace enforces it; were one field of it missing, no pod would come.
    """
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All"
    pod = {"metadata": {"name": "tried"}, "spec": pod_of(base)["spec"]}
    deployed.call("POST", pods, pod)

    for field in ("runAsNonRoot", "seccompProfile"):
        context = {name: text for name, text in pod["spec"]["securityContext"].items() if name != field}
        with pytest.raises(requests.HTTPError, match="violates PodSecurity"):
            deployed.call("POST", pods, {**pod, "spec": {**pod["spec"], "securityContext": context}})


@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=["base", "example"])
def test_each_setting_is_one_that_the_daemon_knows(kubernetes: ApiServer, folder: Path, tmp_path: Path) -> None:
    """
    Its values too; it only observes until somebody wants more.
    """
    (tmp_path / "git-token").write_text("of-the-test\n")

    settings = settings_of(rendered(kubernetes, folder), tmp_path)

    assert re.match(r"https://git\.example/.+", settings.repository or "")
    assert Mode.OBSERVE == settings.mode
    assert (EXAMPLE == folder) == (settings.git_token is not None)


def test_a_changed_setting_starts_a_new_pod(kubernetes: ApiServer) -> None:
    """
    The pod names its settings by a digest of them.
    """
    names = {
        container(rendered(kubernetes, folder))["envFrom"][0]["configMapRef"]["name"] for folder in (BASE, EXAMPLE)
    }

    assert 2 == len(names)


def test_all_that_is_kept_goes_to_the_claimed_disk(base: list[Document], tmp_path: Path) -> None:
    """
    The image's volume is where the claim is mounted, and the ledger and all else that is kept lies in it.
    """
    (folder,) = (volume.arguments for volume in image.the(1, "VOLUME"))
    settings, variables = settings_of(base, tmp_path), variables_of(base)
    claims = {
        each["name"]: each["persistentVolumeClaim"]["claimName"] for each in volumes(base, "persistentVolumeClaim")
    }

    assert ({"ledger": "wavefleet-ledger"}, folder) == (claims, mounts(base)["ledger"])
    assert Path(folder) == settings.ledger.parent == settings.cache.parent
    assert folder == variables["HOME"] == variables["SQLITE_TMPDIR"]
    assert container(base)["securityContext"]["readOnlyRootFilesystem"]


def test_keys_that_become_files_stay_in_memory(base: list[Document]) -> None:
    """
    Those of a kubeconfig: a pod that is killed leaves none of them on the ledger's disk, or in a snapshot of it.
    """
    (scratch,) = volumes(base, "emptyDir")

    assert "Memory" == scratch["emptyDir"]["medium"]
    assert scratch["emptyDir"]["sizeLimit"]
    assert mounts(base)[scratch["name"]] == variables_of(base)["TMPDIR"]


def volumes(documents: list[Document], kind: str) -> list[Document]:
    """Return the pod's volumes of a kind."""
    return [each for each in pod_of(documents)["spec"]["volumes"] if kind in each]


def test_secrets_are_files_that_need_not_be_there(base: list[Document], kubernetes: ApiServer) -> None:
    """
    They are mounted as whole folders, so that a renewed one is seen; what settings and KUBECONFIG name lies in them.
    """
    assert {"secrets", "kubernetes"} == {each["name"] for each in volumes(base, "secret") if each["secret"]["optional"]}
    assert SECRETS == mounts(base)["secrets"]
    assert Path(mounts(base)["kubernetes"]) == Path(variables_of(base)["KUBECONFIG"]).parent
    assert not [mount for mount in container(base)["volumeMounts"] if "subPath" in mount]
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for volume in volumes(base, "secret"):
        assert f"create secret generic {volume['secret']['secretName']} --namespace {NAMESPACE} " in guide
    files = [text for name, text in variables_of(rendered(kubernetes, EXAMPLE)).items() if name.endswith("_FILE")]
    assert [f"{SECRETS}/git-token"] == files


def test_credentials_of_brokers_get_to_the_pod_as_the_guide_says(kubernetes: ApiServer, tmp_path: Path) -> None:
    """
    A folder for each set, below the one that the setting names; and the network lets brokers be asked.
    """
    mine = {"resources": ["../base"], **guide("WAVEFLEET_KAFKA_CREDENTIALS")}
    found = rendered(kubernetes, overlay(tmp_path / "mine", mine))

    folder = variables_of(found)["WAVEFLEET_KAFKA_CREDENTIALS"]
    assert Path(folder) / "eu" == Path(mounts(found)["kafka-eu"])
    assert "kafka-eu" in {each["secret"]["secretName"] for each in volumes(found, "secret")}
    ranges = [port for rule in the(found, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert any(port["port"] <= 9092 and port.get("endPort", 0) >= 9094 for port in ranges)


def test_it_runs_as_the_images_user_and_the_disk_is_its_own(base: list[Document]) -> None:
    """
    Who has another number could not write what an earlier pod wrote.
    """
    context = pod_of(base)["spec"]["securityContext"]
    (user,) = (each.arguments for each in image.the(1, "USER"))

    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert context["runAsGroup"] == context["fsGroup"]


def test_two_pods_never_share_the_ledger(base: list[Document]) -> None:
    """
    One pod, which leaves before the next one comes, on a disk that one machine may write.
    """
    spec = the(base, "Deployment")["spec"]

    assert (1, {"type": "Recreate"}) == (spec["replicas"], spec["strategy"])
    assert ["ReadWriteOnce"] == the(base, "PersistentVolumeClaim", "wavefleet-ledger")["spec"]["accessModes"]


def test_everybody_means_the_port_that_the_image_listens_on(base: list[Document]) -> None:
    """
    Probes, the Service and the policy name it, so that there is one place to change it.
    """
    (port,) = container(base)["ports"]
    policy, found = the(base, "NetworkPolicy")["spec"], the(base, "Service")["spec"]["ports"]
    probes = {name: probe["httpGet"]["port"] for name, probe in container(base).items() if name.endswith("Probe")}

    assert [str(port["containerPort"])] == [each.arguments for each in image.the(1, "EXPOSE")]
    assert variables_of(base)["WAVEFLEET_LISTEN"].endswith(f":{port['containerPort']}")
    assert dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"), port["name"]) == probes
    assert [port["name"]] == [each["targetPort"] for each in found]
    assert [port["name"]] == [each["port"] for rule in policy["ingress"] for each in rule["ports"]]


def test_everybody_means_the_same_pod(base: list[Document]) -> None:
    """
    The Deployment, the Service and the policy find it by its labels; whatever is not named may not talk at all.
    """
    labels = pod_of(base)["metadata"]["labels"].items()
    selectors = [
        the(base, "Deployment")["spec"]["selector"]["matchLabels"],
        the(base, "Service")["spec"]["selector"],
        the(base, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    rest: dict[str, Any] = the(base, "NetworkPolicy", "default-deny")["spec"]

    assert [] == [each for each in selectors if not each or not each.items() <= labels]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == rest


def test_metrics_are_found_also_while_it_is_not_ready(base: list[Document]) -> None:
    """
    A cycle that fails is when one looks at them.
    """
    assert the(base, "Service")["spec"]["publishNotReadyAddresses"]


def test_the_release_of_the_image_is_the_projects(base: list[Document]) -> None:
    """
    The manifests of a release start that release, from a registry that everybody has to name for themselves.
    """
    assert f"registry.example/wavefleet:{__version__}" == container(base)["image"]
