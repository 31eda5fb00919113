"""The main job on real input: a real forge, real brokers, the daemon as a process, and a person who merges."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from controller.lab.status import ClusterState, lab_status
from controller.lab.up import lab_up
from tests.fakes.slack import TOKEN, FakeSlack
from tests.real.gitea import Gitea
from tests.real.repositories import run_git
from tests.system.daemons import DaemonProcess, read_json, run_cli
from tests.system.lab_fixtures import lab_folder, require_lab, running_load

OLD, NEW = "4.1.2", "4.3.1"
OLD_LEVEL = 27
"""Of metadata.version, which 4.1 formats a cluster with."""

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {{name: acme}}
spec:
  sources:
    - {{name: lab, type: lab, directory: "{directory}"}}
"""
GROUP = """\
apiVersion: wavefleet.io/v1
kind: ClusterGroup
metadata: {{name: real}}
spec:
  kafkaVersion: {release}
  clusters: {{names: [lab-1, lab-2]}}
  strategy:
    waves:
      - {{name: canary, size: 1, soak: 6s}}
      - {{name: rest, size: rest, soak: 3s}}
    deadline: 10m
"""


@pytest.fixture
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, tuple[ClusterState, ...]]]:
    """Two real clusters of three brokers on the old release, for one test: the next one has the machine to itself."""
    with lab_folder(tmp_path_factory.mktemp("lab")) as directory:
        yield directory, lab_up(directory, clusters=2, brokers=3, release=OLD, progress=print).clusters


@pytest.mark.system
@pytest.mark.timeout(900)
def test_a_merged_bump_upgrades_real_clusters_wave_by_wave_and_loses_nothing(
    clusters: tuple[Path, tuple[ClusterState, ...]], tmp_path: Path
) -> None:
    """
    A pull request merged on the forge rolls the canary, soaks, and rolls the rest; kill -9 in the middle of a wave
    changes nothing but the time; the forge says success, Slack has one thread, and no acknowledged record is lost.
    """
    directory, real = clusters
    with ExitStack() as stack:
        forge = stack.enter_context(Gitea(tmp_path / "gitea"))
        slack = stack.enter_context(FakeSlack())
        settings = _settings(tmp_path, forge, slack, forge.create_repository("fleet"))
        work = _push_fleet(tmp_path, forge, directory)
        loads = [
            stack.enter_context(running_load(cluster.bootstrap, "load", tmp_path / f"{cluster.name}.acked"))
            for cluster in real
        ]
        for load in loads:
            load.await_under_way()
        daemon = stack.enter_context(DaemonProcess(settings, tmp_path / "daemon.log"))
        before = forge.head("fleet")
        daemon.await_until(lambda: forge.state("fleet", before, "wavefleet/real") == "success", "the first judgement")

        merged = _merge_bump(work, forge)
        daemon.await_until(lambda: _is_rolling(directory), "a rolling canary")
        daemon.kill()
        daemon.start()
        daemon.await_until(
            lambda: forge.state("fleet", merged, "wavefleet/real") == "success", f"both clusters on {NEW}", 600
        )
        entries = read_json(settings, "history", "real", "--limit", "1000")
        status = read_json(settings, "status")
        assert 0 == daemon.stop()
        sent = [load.stop() for load in loads]
        reports = [load.verify() for load in loads]

    assert {NEW} == {broker.release for cluster in lab_status(directory).clusters for broker in cluster.brokers}
    assert [1, 2] == [entry["wave"] for entry in entries if entry["entry"] == "WaveAdmitted"]
    assert [1, 2] == [entry["wave"] for entry in entries if entry["entry"] == "WaveSoaked"]
    assert _position(entries, "WaveSoaked", 1) < _position(entries, "WaveAdmitted", 2)
    started = [entry["cluster"] for entry in entries if entry["entry"] == "ClusterStarted"]
    assert ["lab/lab-1", "lab/lab-2"] == sorted(started)
    sentences = {group["name"]: group["sentence"] for group in status["groups"]}
    assert f"real → {NEW}: all 2 clusters converged and soaked" == sentences["real"]
    assert "0 of 2 clusters finalized" in sentences["real/metadata"]  # its seven quiet days have only begun
    _check_slack(slack)
    assert [OLD_LEVEL] * 2 == [_finalized_level(cluster) for cluster in real]
    assert [0, 0] == [summary.failed for summary in sent]
    assert all(report.acknowledged > 1000 for report in reports), reports
    assert [0, 0] == [report.lost for report in reports]


def _settings(folder: Path, forge: Gitea, slack: FakeSlack, repository: str) -> dict[str, object]:
    return {
        "repository": repository,
        "ledger": folder / "ledger.db",
        "interval": "1s",
        "listen": "off",
        "git_username": forge.user,
        "git_token": forge.token,
        "gitea_url": forge.url,
        "gitea_token": forge.token,
        "slack_url": slack.api_url,
        "slack_token": TOKEN,
        "slack_channel": slack.add_channel("kafka-fleet"),
    }


def _push_fleet(folder: Path, forge: Gitea, directory: Path) -> Path:
    work = folder / "work"
    work.mkdir()
    run_git(work, "init", "--quiet", "--initial-branch=main")
    run_git(work, "remote", "add", "origin", forge.push_url("fleet"))
    (work / "groups").mkdir()
    (work / "fleet.yaml").write_text(FLEET.format(directory=directory))
    (work / "groups" / "real.yaml").write_text(GROUP.format(release=OLD))
    run_git(work, "add", "--all")
    run_git(work, "commit", "--quiet", "-m", "The fleet as it is")
    run_git(work, "push", "--quiet", "origin", "main")
    return work


def _merge_bump(work: Path, forge: Gitea) -> str:
    run_git(work, "switch", "--quiet", "--create", "bump")
    (work / "groups" / "real.yaml").write_text(GROUP.format(release=NEW))
    run_git(work, "commit", "--quiet", "--all", "-m", f"Upgrade to {NEW}")
    run_git(work, "push", "--quiet", "origin", "bump")
    number = forge.open_pull_request("fleet", branch="bump", title=f"Upgrade to {NEW}")
    return forge.merge_pull_request("fleet", number)


def _is_rolling(directory: Path) -> bool:
    releases = [{broker.release for broker in cluster.brokers} for cluster in lab_status(directory).clusters]
    return {OLD, NEW} in releases


def _position(entries: list[dict[str, Any]], kind: str, wave: int) -> int:
    return next(n for n, entry in enumerate(entries) if entry["entry"] == kind and entry["wave"] == wave)


def _check_slack(slack: FakeSlack) -> None:
    (thread,) = slack.threads()
    assert f"real → {NEW}" in thread.parent.shown
    replies = [reply.text for reply in thread.replies]
    assert len(replies) == len(set(replies)), replies
    assert any("wave 1 canary admitted" in reply for reply in replies), replies
    assert any("wave 2 rest admitted" in reply for reply in replies), replies
    assert "done" in replies[-1], replies


def _finalized_level(cluster: ClusterState) -> int:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap, bootstrap_timeout_ms=10_000)
    try:
        return int(admin.describe_features()["metadata.version"]["finalized"][1])
    finally:
        admin.close()


@pytest.mark.system
@pytest.mark.timeout(600)
def test_the_tour_shows_the_same_to_a_user_without_a_forge(tmp_path: Path) -> None:
    """
    ``wavefleet lab tour`` upgrades real clusters from a bare repository over HTTP, with Git notes, and loses nothing.
    """
    require_lab()
    text = run_cli({}, "lab", "tour", "--dir", str(tmp_path), seconds=560)
    assert " 0 lost" in text
    assert f"success wavefleet/real: real → {NEW}: all 2 clusters converged and soaked" in text
