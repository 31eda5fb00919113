"""The main job on Kubernetes: a bump is merged, and sixty clusters on two API servers follow it, whatever ends."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.fleets.strimzi.rights import OPTIONAL, RIGHTS
from controller.runtime.clock import SystemClock
from tests.real.git_server import GitServer
from tests.real.repositories import FleetRepository
from tests.system.daemons import DaemonProcess, read_json, run_cli
from tests.system.strimzi_fleet import NEW, NEW_LEVEL, OLD, OLD_LEVEL, SLOW, Call, StrimziFleet

NOTES = "refs/notes/wavefleet"
GROUPS = {"staging": "/kafka-staging/", "prod-eu": "eu/kafka-prod/", "prod-us": "us/kafka-prod/"}
"""By name, with what the names of its clusters contain."""
OPENS_AFTER = timedelta(seconds=75)
"""From the proposal to the next whole minute, at which the window of the last group opens."""

UNASKED = " (health from resource only)"
"""Its clusters are resources alone: there is no broker to ask."""

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {{name: acme}}
spec:
  sources:
    - {{name: eu, type: strimzi, context: eu, kubeconfig: "{kubeconfig}", namespaces: ["kafka-*"]}}
    - {{name: us, type: strimzi, context: us, kubeconfig: "{kubeconfig}", namespaces: [kafka-staging, kafka-prod]}}
  limits: {{clustersInFlight: 20, unavailable: 60%}}
  defaults:
    strategy:
      waves:
        - {{name: canary, size: 1, soak: 2s}}
        - {{name: rest, size: rest, maxInFlight: 12, soak: 3s}}
      deadline: 10m
    finalize: {{soak: 4s}}
    health: {{samples: 2, brokers: off}}
"""
GROUP = """\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {{name: {name}}}
spec:
  kafkaVersion: {release}
  clusters: {{selector: {{matchLabels: {labels}}}}}
"""


class World:
    """The fleet, its repository over HTTP, and a daemon over both."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.fleet = stack.enter_context(StrimziFleet(folder / "kubernetes"))
        self.repository = FleetRepository(folder / "remote")
        server = stack.enter_context(GitServer(folder / "remote"))
        self.opens: datetime | None = None
        self.settings: dict[str, object] = {
            "repository": server.url("fleet.git"),
            "ledger": folder / "state" / "ledger.db",
            "interval": "500ms",
            "jitter": "0s",
            "listen": "off",
            "source_timeout": "10s",
        }
        self.daemon = DaemonProcess(self.settings, folder / "daemon.log")

    def files(self, release: str) -> dict[str, str]:
        """Three groups on one release; the last may start in its window alone, once there is one."""
        after = "  after: [staging]\n"
        staging = GROUP.format(name="staging", release=release, labels="{env: staging}")
        eu = GROUP.format(name="prod-eu", release=release, labels="{env: prod, region: eu}")
        us = GROUP.format(name="prod-us", release=release, labels="{env: prod, region: us}")
        groups = {"staging": staging, "prod-eu": eu + after, "prod-us": us + after + self._window()}
        return {f"groups/{name}.yaml": text for name, text in groups.items()}

    def _window(self) -> str:
        if self.opens is None:
            return ""
        ends = self.opens + timedelta(hours=6)
        return f'  windows: [{{from: "{self.opens:%H:%M}", until: "{ends:%H:%M}", timezone: UTC}}]\n'

    def propose_bump(self) -> None:
        """Push a branch that asks for the new release; the window of the last group opens soon, and not at once."""
        opens = SystemClock().now() + OPENS_AFTER + timedelta(minutes=1)
        self.opens = opens.replace(second=0, microsecond=0)
        self.repository.branch("bump")
        self.repository.publish(self.files(NEW), f"Upgrade to {NEW}")

    def status(self, revision: str, context: str) -> str:
        """Return the state of a commit's status, as whoever clones the repository sees it."""
        for line in self.repository.notes(NOTES, revision).splitlines():
            state, _, rest = line.partition(" ")
            if rest.startswith(f"{context}: "):
                return state
        return "none"

    def has_all(self, revision: str, suffix: str = "") -> Callable[[], bool]:
        """Return a question: did every group succeed on a commit?"""
        return lambda: all("success" == self.status(revision, f"wavefleet/{group}{suffix}") for group in GROUPS)

    def is_half_way(self, group: str) -> bool:
        """Tell whether some clusters of a group run the new release, and some are yet to be asked for it."""
        of_group = [item for name, item in self.fleet.clusters() if GROUPS[group] in name]
        done = sum(item["status"].get("kafkaVersion") == NEW for item in of_group)
        return bool(done) and any(item["spec"]["kafka"]["version"] == OLD for item in of_group)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Every cluster runs, and nothing is declared yet."""
    with ExitStack() as stack:
        yield World(tmp_path, stack)


@pytest.mark.system
@pytest.mark.timeout(1200)
def test_a_merged_bump_upgrades_sixty_clusters_on_two_kubernetes_and_writes_once_to_each(world: World) -> None:
    """
    The daemon is killed twice with kill -9, and an API server restarts with a wave under way: all converge, the levels
    last, and the audit logs show one write for each step of each cluster, and nothing that the rights do not allow.
    """
    fleet, daemon = world.fleet, world.daemon
    first = world.repository.publish(
        {"fleet.yaml": FLEET.format(kubeconfig=fleet.kubeconfig), **world.files(OLD)}, "The fleet as it is"
    )
    assert "ok      source us: 30 clusters\n" in run_cli(world.settings, "check")
    with daemon:
        daemon.await_until(world.has_all(first), "the first judgement")
        world.propose_bump()
        _check_before_the_merge(world)
        merged = world.repository.merge_pull_request("bump")
        daemon.await_until(lambda: world.is_half_way("staging"), "a wave under way")
        daemon.kill()
        daemon.start()
        daemon.await_until(lambda: world.is_half_way("prod-eu"), "production under way")
        fleet.restart("eu")
        _check_half_way(world)
        daemon.await_until(lambda: world.is_half_way("prod-us"), "the last group under way")
        fleet.restart("us")
        daemon.kill()
        daemon.start()
        daemon.await_until(world.fleet.is_slow_one_rolling, "the slow one rolling", 300)
        told = run_cli(world.settings, "explain", SLOW)
        assert re.search(r"still changing \([0-2] of 3 brokers\)", told), told
        daemon.await_until(world.has_all(merged), f"sixty clusters on {NEW}", 600)
        daemon.await_until(world.has_all(merged, "/metadata"), f"sixty clusters on {NEW_LEVEL}", 600)
        assert 0 == daemon.stop()

    assert {(NEW, NEW_LEVEL)} == fleet.states()
    _check_writes(world, list(fleet.calls()))


def _check_before_the_merge(world: World) -> None:
    """``plan`` of the branch to merge shows what will happen, from the live fleet; nothing happens yet."""
    now, then = run_cli(world.settings, "plan"), run_cli(world.settings, "plan", "--ref", "bump")
    assert f"prod-us → {OLD}{UNASKED}: all 24 clusters on target" in now, now
    assert f"hop {OLD} ({OLD_LEVEL}) → {NEW}, 24 clusters: prod-us-01, prod-us-02" in then, then
    assert "wave 1 canary: 1 cluster, soak 2s" in then, then
    assert "wave 2 rest: 23 clusters, soak 3s" in then, then


def _check_half_way(world: World) -> None:
    """``plan``, ``status`` and ``explain`` tell how it stands, and why the last group does not move."""
    held = run_cli(world.settings, "explain", "us/kafka-prod/prod-us-01")
    assert "OutsideWindow" in held, held
    status = {each["name"]: each for each in read_json(world.settings, "status")["groups"]}
    assert (24, 12) == (status["prod-us"]["of"], status["staging"]["done"]), status
    plan = run_cli(world.settings, "plan")
    assert f"… prod-us → {NEW}{UNASKED}: wave 1/2 canary" in plan, plan


def _check_writes(world: World, calls: list[Call]) -> None:
    writes = [call for call in calls if call.is_write and call.code == 200]
    clusters = [name for name, _ in world.fleet.clusters()]
    wished = Counter((call.cluster, call.wish) for call in writes)
    rolls, levels = (NEW, OLD_LEVEL), (None, NEW_LEVEL)

    assert dict.fromkeys([(name, wish) for name in clusters for wish in (rolls, levels)], 1) == dict(wished)
    assert {"patch"} == {call.verb for call in writes}
    for group, belongs in GROUPS.items():
        of_group = [call for call in writes if belongs in call.cluster]
        last_roll = max(call.at for call in of_group if call.wish == rolls)
        assert last_roll < min(call.at for call in of_group if call.wish == levels), group
    in_window = [call.at for call in writes if call.cluster.startswith("us/kafka-prod/")]
    assert world.opens is not None
    assert min(in_window) >= world.opens
    allowed = {*RIGHTS, *OPTIONAL, ("authorization.k8s.io", "selfsubjectaccessreviews", "create")}
    asked = {(call.group, call.resource, call.verb) for call in calls}
    assert set() == asked - allowed - {("", "/apis/kafka.strimzi.io", "get")}
    # A server that has just started refuses everybody until it has read who may do what.
    assert [] == [call for call in calls if call.code in {401, 403} and not world.fleet.was_starting(call)]
