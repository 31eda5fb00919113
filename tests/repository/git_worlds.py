"""A small fleet repository behind each way that Git can be reached, and the product's own reader of it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.gitcommand import GitCommand, GitCredentials, GitRemote
from controller.lab.git_http import Credentials
from controller.repository.git_source import GitRepository
from tests.real.git_server import GitServer
from tests.real.repositories import FleetRepository
from tests.real.ssh_server import SshServer

FLEET = """\
apiVersion: wavefleet.io/v1
kind: Fleet
metadata: {name: acme}
spec:
  sources:
    - {name: try, type: simulated, inventory: simulation/clusters.yaml}
"""
INVENTORY = """\
apiVersion: wavefleet.io/v1
kind: Inventory
spec:
  clusters:
    - {name: orders-1, labels: {env: prod}, kafkaVersion: 4.1.2}
"""
SECRET = "s3cr3t-of-ours"
TRANSPORTS = ("file", "http", "guarded http", "ssh")


@dataclass(frozen=True, slots=True)
class GitWorld:
    """A fleet repository that people push to, and how it is reached."""

    fleet: FleetRepository
    remote: GitRemote
    cache: Path
    server: GitServer | None = None
    """What serves it, where that can be asked for what it was asked."""

    def repository(self, *, branch: str = "main", limit_seconds: float = 30) -> GitRepository:
        """The product's reader, as a process that has just started has it."""
        command = GitCommand(self.remote, limit_seconds=limit_seconds)
        return GitRepository(command, branch=branch, cache_directory=self.cache)


def a_group(name: str, kafka_version: str, *, cluster: str = "orders-1", extra: str = "") -> str:
    """A valid group of one cluster."""
    return (
        f"apiVersion: wavefleet.io/v1\nkind: ClusterGroup\nmetadata: {{name: {name}}}\nspec:\n"
        f"  kafkaVersion: {kafka_version}\n  clusters:\n    names: [{cluster}]\n{extra}"
    )


def a_fleet(folder: Path, files: Mapping[str, str] | None = None) -> FleetRepository:
    """A repository ``served/fleet.git`` whose first revision is valid: the group ``payments`` at 4.1.2."""
    fleet = FleetRepository(folder / "served")
    valid = {"fleet.yaml": FLEET, "simulation/clusters.yaml": INVENTORY}
    fleet.publish({**valid, "groups/payments.yaml": a_group("payments", "4.1.2"), **(files or {})}, "Begin")
    return fleet


def bump(fleet: FleetRepository, kafka_version: str) -> str:
    """Merge another version for ``payments``; the new revision."""
    return fleet.publish({"groups/payments.yaml": a_group("payments", kafka_version)}, f"payments to {kafka_version}")


def rewrite(fleet: FleetRepository, onto: str, kafka_version: str) -> str:
    """Push a history that does not contain what came after ``onto``; the new revision."""
    fleet.reset(onto)
    fleet.write({"groups/payments.yaml": a_group("payments", kafka_version)})
    revision = fleet.commit(f"Rewritten: payments to {kafka_version}")
    fleet.push(force=True)
    return revision


@contextlib.contextmanager
def git_world(transport: str, folder: Path) -> Iterator[GitWorld]:
    """A small fleet reached by one of TRANSPORTS."""
    with _WORLDS[transport](a_fleet(folder), folder) as world:
        yield world


@contextlib.contextmanager
def _file_world(fleet: FleetRepository, folder: Path) -> Iterator[GitWorld]:
    yield GitWorld(fleet, GitRemote(fleet.url), folder / "cache")


@contextlib.contextmanager
def _http_world(fleet: FleetRepository, folder: Path) -> Iterator[GitWorld]:
    with GitServer(fleet.bare.parent) as server:
        yield GitWorld(fleet, GitRemote(server.url("fleet.git")), folder / "cache", server)


@contextlib.contextmanager
def _guarded_world(fleet: FleetRepository, folder: Path) -> Iterator[GitWorld]:
    with GitServer(fleet.bare.parent, credentials=Credentials("ana", SECRET)) as server:
        remote = GitRemote(server.url("fleet.git"), GitCredentials("ana", SECRET))
        yield GitWorld(fleet, remote, folder / "cache", server)


@contextlib.contextmanager
def _ssh_world(fleet: FleetRepository, folder: Path) -> Iterator[GitWorld]:
    with SshServer(fleet.bare.parent, folder / "ssh") as server:
        credentials = GitCredentials(ssh_key=server.key_file, known_hosts=server.known_hosts_file)
        yield GitWorld(fleet, GitRemote(server.url("fleet.git"), credentials), folder / "cache")


_World = contextlib.AbstractContextManager[GitWorld]
_WORLDS: Mapping[str, Callable[[FleetRepository, Path], _World]] = {
    "file": _file_world,
    "http": _http_world,
    "guarded http": _guarded_world,
    "ssh": _ssh_world,
}
