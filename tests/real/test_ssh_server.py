"""The SSH server is a real one: it serves Git to its key's holder, and to nobody else."""

from pathlib import Path

import pytest

from tests.real.repositories import FleetRepository, run_git
from tests.real.ssh_server import SshServer


def ssh_command(key: Path, known_hosts: Path) -> dict[str, str]:
    """The environment that makes Git use one key and one list of hosts, and nothing of the user's."""
    options = "-o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
    return {"GIT_SSH_COMMAND": f"ssh -F /dev/null -i {key} {options} -o UserKnownHostsFile={known_hosts}"}


def test_git_is_served_to_the_holder_of_the_key_alone(tmp_path: Path) -> None:
    """
    The right key reads; a stranger's key is refused; a host key nobody vouched for stops the client.
    """
    fleet = FleetRepository(tmp_path / "served")
    revision = fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    with SshServer(tmp_path / "served", tmp_path / "ssh") as server:
        known = ssh_command(server.key_file, server.known_hosts_file)
        stranger = ssh_command(server.new_key("stranger"), server.known_hosts_file)
        forged = ssh_command(server.key_file, tmp_path / "empty")

        assert revision in run_git(tmp_path, "ls-remote", server.url("fleet.git"), environment=known)
        with pytest.raises(RuntimeError, match="Permission denied"):
            run_git(tmp_path, "ls-remote", server.url("fleet.git"), environment=stranger)
        with pytest.raises(RuntimeError, match="Host key verification failed"):
            run_git(tmp_path, "ls-remote", server.url("fleet.git"), environment=forged)


def test_a_stopped_server_comes_back_at_its_address(tmp_path: Path) -> None:
    """
    After ``stop`` nobody listens; after ``start`` the same address works again.
    """
    fleet = FleetRepository(tmp_path / "served")
    revision = fleet.publish({"fleet.yaml": "kind: Fleet\n"})
    with SshServer(tmp_path / "served", tmp_path / "ssh") as server:
        address, known = server.url("fleet.git"), ssh_command(server.key_file, server.known_hosts_file)
        server.stop()
        with pytest.raises(RuntimeError, match="Connection refused"):
            run_git(tmp_path, "ls-remote", address, environment=known)
        server.start()

        assert revision in run_git(tmp_path, "ls-remote", address, environment=known)
