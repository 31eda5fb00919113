"""The daemon in a pod: it finds the API server around it, comes with the pod's token, and has exactly those rights."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from controller.fleets.strimzi import rights
from tests.builders import NEW, NOON, OLD
from tests.builders_repository import group_text
from tests.contracts.strimzi_world import StrimziWorld
from tests.deploy.manifests import BASE, DEPLOY, container, rendered
from tests.deploy.pods import DaemonInPod, Pod
from tests.real.kubernetes import ApiServer
from tests.real.repositories import FleetRepository

NUMBERS = count()
NEEDED = {*rights.RIGHTS, *rights.OPTIONAL}
GROUP = "groups/prod.yaml"
STRATEGY = """\
  metadataVersion: hold
  strategy: {waves: [{name: all, size: rest, soak: 200ms}]}
  health: {samples: 1, brokers: off}
"""


class Site:
    """A fleet repository, two clusters at rest, and a pod."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.folder = folder
        self.world = StrimziWorld(server, f"pod-{next(NUMBERS)}")
        self.repository = FleetRepository(folder / "remote")
        self.pod = Pod(server, folder / "serviceaccount")
        source = f"{{name: here, type: strimzi, namespaces: [{self.world.namespace}]}}"
        fleet = "apiVersion: wavefleet.io/v1\nkind: Fleet\nmetadata: {name: acme}\nspec:\n"
        self.repository.publish({"fleet.yaml": f"{fleet}  sources: [{source}]\n"})
        self.declare(OLD)
        self.settings: dict[str, object] = {
            "repository": self.repository.url,
            "ledger": folder / "state" / "wavefleet-ledger.db",
            "interval": "200ms",
            "jitter": "0s",
            "stale_after": "5s",
            "listen": "127.0.0.1:0",
        }

    def declare(self, release: str) -> str:
        """Merge a release for all clusters; the revision."""
        text = group_text("prod", STRATEGY, version=release, clusters="{selector: {matchLabels: {env: prod}}}")
        return self.repository.publish({GROUP: text})

    def daemon(self) -> DaemonInPod:
        """A daemon in the pod that is not started yet."""
        return DaemonInPod(self.pod, self.settings, self.folder / "daemon.log")

    def wanted(self) -> set[str]:
        """Return the releases that the resources ask for."""
        kafkas = f"/apis/kafka.strimzi.io/v1/namespaces/{self.world.namespace}/kafkas"
        items = self.world.server.call("GET", kafkas)["items"]
        return {item["spec"]["kafka"]["version"] for item in items}

    def is_told(self, revision: str, state: str) -> bool:
        """Tell whether a commit has this status now, as clients of the remote see it."""
        return f"{state} wavefleet/prod: " in self.repository.notes("refs/notes/wavefleet", revision)

    def asked(self) -> list[Any]:
        """Return what was asked of the server with the token of the pod, as its audit log has it."""
        name = "authentication.kubernetes.io/pod-name"
        audited = list(self.world.server.audited())
        return [each for each in audited if each["user"].get("extra", {}).get(name) == [self.pod.name]]


@pytest.fixture
def site(deployed: ApiServer, tmp_path: Path) -> Iterator[Site]:
    """All clusters run what is declared."""
    made = Site(deployed, tmp_path)
    yield made
    made.world.close()


def test_a_check_in_the_pod_finds_everything_and_lacks_no_right(site: Site) -> None:
    """
    Without a kubeconfig it is the cluster around the pod.
    """
    assert "ok      source here: 2 clusters\n" in site.pod.run(site.settings, "check")


def test_a_whole_upgrade_needs_exactly_these_rights(site: Site) -> None:
    """
    The daemon starts it and sees its end; nothing that it asks for is refused, and it uses every right that it has.
    """
    with site.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        revision = site.declare(NEW)
        daemon.await_for(lambda: {NEW} == site.wanted(), "the start of both")
        site.world.finish(NOON)
        daemon.await_for(lambda: site.is_told(revision, "success"), "the end of both")

    asked = site.asked()
    used = {
        (each["objectRef"].get("apiGroup", ""), each["objectRef"]["resource"], each["verb"])
        for each in asked
        if "objectRef" in each
    }
    assert [] == [each["requestURI"] for each in asked if each["responseStatus"]["code"] >= 400]
    assert NEEDED == used


def test_the_probes_ask_what_the_daemon_answers(site: Site) -> None:
    """
    All of them are well once its first cycle is.
    """
    probes = {name: probe for name, probe in container(rendered(site.world.server, BASE)).items() if "Probe" in name}
    with site.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")

        asked = {name: daemon.get(probe["httpGet"]["path"])[0] for name, probe in probes.items()}
    assert {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 200} == asked


def test_a_renewed_token_is_picked_up(site: Site) -> None:
    """
    The old one is worth nothing any more; the daemon says so, and goes on once the file has another one.
    """
    site.pod.go()
    with site.daemon() as daemon:
        daemon.await_for(lambda: bool(daemon.lines("source_unreachable")), "the refusal of the old token")
        assert not site.is_told(site.repository.head, "success")
        site.pod.come_anew()
        daemon.await_for(lambda: site.is_told(site.repository.head, "success"), "both clusters on target")


def test_the_backup_of_the_guide_is_a_whole_ledger(site: Site) -> None:
    """
    Made beside a daemon that writes; it is left alone, and the copy opens as its own does.
    """
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r'^ +python -c "(.*)"$', guide, re.MULTILINE)
    folder = site.folder / "state"
    with site.daemon() as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)
        assert 200 == daemon.get("/healthz")[0]

    (folder / "wavefleet-ledger.db").unlink()
    (folder / "copy.db").rename(folder / "wavefleet-ledger.db")
    assert "prod" in site.pod.run(site.settings, "status")
