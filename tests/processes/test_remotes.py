"""Remotes that answer, and answer badly: the daemon lives, says what is wrong and what to do, and goes on after it."""

from http import HTTPStatus
from pathlib import Path

import pytest

from controller.history.entries import RolloutEnded
from controller.lab.git_http import Credentials
from tests.processes.worlds import FLEET, GROUP, INVENTORY, World, group
from tests.real.git_server import GitServer
from tests.real.repositories import FleetRepository


@pytest.mark.parametrize("status", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE])
def test_a_remote_that_answers_with_an_error_holds_and_recovers(tmp_path: Path, status: HTTPStatus) -> None:
    """
    What is in force stays so; what was merged meanwhile waits, and goes through once the remote answers again.
    """
    world = World(tmp_path)
    with GitServer(tmp_path / "remote") as server, world.daemon(repository=server.url("fleet.git")) as daemon:
        daemon.await_for(daemon.is_ready, "the first cycle")
        server.status(status)
        world.bump()
        daemon.await_for(lambda: daemon.metric("wavefleet_holds", reason="RevisionStale") > 0, "the hold")
        assert [] == world.started()
        assert 1 == daemon.metric("wavefleet_revision_valid")
        assert any(str(int(status)) in line["why"] for line in daemon.lines("repository_unreachable"))

        server.behave()

        daemon.await_for(world.has_entry(RolloutEnded), "the end of the rollout")
        assert 0 == daemon.metric("wavefleet_holds", reason="RevisionStale")
        assert 0 == daemon.stop()


def test_an_empty_repository_is_told_and_its_first_commit_taken_up(tmp_path: Path) -> None:
    """
    The daemon is alive and not ready meanwhile.
    """
    world = World(tmp_path)
    empty = FleetRepository(tmp_path / "empty")
    with world.daemon(repository=empty.url) as daemon:
        daemon.await_for(daemon.not_ready_for("main"), "the reason")
        assert (200, {"alive": True}) == daemon.get("/healthz")
        assert "Traceback" not in daemon.text()

        empty.publish({"fleet.yaml": FLEET, "simulation/clusters.yaml": INVENTORY, GROUP: group()})

        daemon.await_for(daemon.is_ready, "the first cycle")
        assert 0 == daemon.stop()


def test_a_branch_that_is_not_there_is_named_and_taken_up_when_it_comes(tmp_path: Path) -> None:
    """
    The other branch's head never comes into force in its place.
    """
    world = World(tmp_path)
    with world.daemon(branch="production") as daemon:
        daemon.await_for(daemon.not_ready_for("production"), "the reason")
        assert [] == world.entries()

        world.repository.branch("production")
        world.repository.push()

        daemon.await_for(daemon.is_ready, "the first cycle")
        assert 0 == daemon.stop()


def test_a_remote_that_refuses_the_token_is_told_without_the_token(tmp_path: Path) -> None:
    """
    The sentence says what to mend; the daemon lives and asks again.
    """
    world = World(tmp_path)
    with GitServer(tmp_path / "remote", credentials=Credentials("x-access-token", "the-right-one")) as server:
        with world.daemon(repository=server.url("fleet.git"), git_token="the-wrong-one") as daemon:
            daemon.await_for(
                daemon.not_ready_for("answered 401: it does not take our user name and token"), "the reason"
            )
            failed = daemon.metric("wavefleet_cycles_total", result="failed")
            daemon.await_for(lambda: daemon.metric("wavefleet_cycles_total", result="failed") > failed, "another try")
            assert 0 == daemon.stop()
        assert "the-wrong-one" not in daemon.text()

        with world.daemon("mended", repository=server.url("fleet.git"), git_token="the-right-one") as daemon:
            daemon.await_for(world.has(world.first, "success"), "a first success")
            assert 0 == daemon.stop()
