"""Secure listeners on real brokers of four releases at once: who may come in, a load, a roll, and no secret told."""

import gc
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from controller.brokers.access import Access, Login, Tls
from controller.errors import LabError
from controller.lab.certificates import OpenSsl, provide_credentials
from controller.lab.cluster_view import ClusterUnreachable, look_at_cluster
from controller.lab.reach import access_of
from controller.labfiles import (
    ClusterFile,
    Credentials,
    cluster_folder,
    credentials_of,
    read_cluster,
    read_wanted,
    write_wanted,
)
from tests.system.lab_commands import await_ready, lab, lab_load, lab_status, reachable
from tests.system.lab_fixtures import lab_folder, processes_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:unclosed <(socket|ssl\.SSLSocket):ResourceWarning"),
]

RELEASES: Mapping[str, tuple[str, int, int]] = {
    "three-nine": ("3.9.2", 3, 21),
    "four-one": ("4.1.2", 1, 27),
    "four-three": ("4.3.1", 1, 30),
    "four-four": ("4.4.0", 1, 33),
}
"""By cluster: its release, its brokers, and the level that it is made with."""
ROLLED, NEXT = "three-nine", "4.1.2"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lab with secure listeners, one cluster of each release."""
    with lab_folder(tmp_path_factory.mktemp("secure") / "lab") as folder:
        shapes = [f"--cluster={name}={release}:{brokers}" for name, (release, brokers, _) in RELEASES.items()]
        lab("up", "--dir", str(folder), *shapes, "--secure")
        yield folder


@pytest.fixture(autouse=True)
def _sockets_end_with_the_test() -> Iterator[None]:
    """Of connections that fail the client leaves the sockets to the collector, and its log holds on to them."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    yield
    gc.collect()


def cluster_of(directory: Path, name: str) -> ClusterFile:
    """One cluster as it was made."""
    cluster = read_cluster(cluster_folder(directory, name))
    assert cluster is not None
    return cluster


def harm(report: Mapping[str, int]) -> list[int]:
    """What ``lab verify`` found wrong."""
    assert report["acknowledged"] > 0
    return [report["lost"], report["duplicated"], report["outOfOrder"]]


@pytest.mark.parametrize("name", RELEASES)
def test_every_release_takes_clients_over_tls_and_scram(directory: Path, name: str) -> None:
    """
    Its operator and its status see it, a load is acknowledged and read back.
    """
    release, brokers, level = RELEASES[name]
    seen = lab_status(directory, name)
    assert ("secure", level, [release] * brokers) == (
        seen["listeners"],
        seen["metadataLevel"],
        [broker["release"] for broker in seen["brokers"]],
    )
    assert [True] * brokers == reachable(directory, name)

    with lab_load(directory, name) as load:
        load.await_more()
        summary = load.stop()
        assert (0, summary["sent"]) == (summary["failed"], summary["acknowledged"])
        assert [0, 0, 0] == harm(load.verify())


def test_a_roll_over_secure_listeners_loses_nothing(directory: Path) -> None:
    """
    Three brokers go from 3.9.2 to 4.1.2 one at a time under a load that knows its user from before.
    """
    folder = cluster_folder(directory, ROLLED)
    await_ready(directory, ROLLED)
    with lab_load(directory, ROLLED) as load:
        load.await_more()
        write_wanted(folder, release=NEXT, expected_generation=read_wanted(folder).generation)
        await_ready(directory, ROLLED)
        load.await_more()
        assert [NEXT] * 3 == [broker["release"] for broker in lab_status(directory, ROLLED)["brokers"]]
        assert 0 == load.stop()["failed"]
        assert [0, 0, 0] == harm(load.verify())


def test_who_does_not_prove_itself_is_not_let_in(directory: Path, tmp_path: Path) -> None:
    """
    Safety: without TLS, without a user, with a wrong password, or trusting another authority, nothing is answered.
    """
    name = "four-three"
    cluster, access = (
        cluster_of(directory, name),
        access_of(cluster_folder(directory, name), cluster_of(directory, name)),
    )
    strangers = Credentials(tmp_path / "credentials")
    provide_credentials(strangers, OpenSsl.find(os.environ))
    tls, login = access.tls, access.login
    assert tls is not None
    assert login is not None
    for wrong in (
        Access(),
        Access(tls),
        Access(login=login),
        Access(tls, replace(login, password=lambda: "guess")),
        Access(Tls(strangers.authorities), login),
        Access(Tls(tls.authorities, strangers.certificate, strangers.key), login),
    ):
        with pytest.raises(ClusterUnreachable):
            look_at_cluster(cluster.brokers, wrong)

    assert frozenset({1}) == look_at_cluster(cluster.brokers, access).registered
    without = Access(Tls(tls.authorities), Login(login.mechanism, login.username, login.password))
    assert frozenset({1}) == look_at_cluster(cluster.brokers, without).registered


def test_no_password_is_told_to_anybody(directory: Path) -> None:
    """
    Safety: it stands in its own file alone: in no process list, no log, no configuration, no file of the lab.
    """
    password = credentials_of(directory).password.read_bytes()

    for pid in processes_of(directory):
        command = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        assert password not in command
    assert [credentials_of(directory).password] == [path for path in directory.rglob("*") if holds(path, password)]


def holds(path: Path, secret: bytes) -> bool:
    """Whether a file holds ``secret``; one that a broker has just removed does not."""
    try:
        return path.is_file() and secret in path.read_bytes()
    except FileNotFoundError:
        return False


def test_a_secure_lab_comes_back_as_it_was(directory: Path) -> None:
    """
    Down and up again without its shape: the same user, the same certificates, and what was written is still there.
    """
    before = {path.name: path.read_bytes() for path in credentials_of(directory).folder.iterdir()}
    with lab_load(directory, "four-four") as load:
        load.await_more()
        load.stop()
        lab("down", "--dir", str(directory))
        assert [] == processes_of(directory)
        lab("up", "--dir", str(directory))

        assert before == {path.name: path.read_bytes() for path in credentials_of(directory).folder.iterdir()}
        assert [0, 0, 0] == harm(load.verify())


def test_a_client_without_the_labs_files_is_told_so(directory: Path, tmp_path: Path) -> None:
    """
    A lab whose password is gone is one sentence, and no time is lost on brokers.
    """
    folder = cluster_folder(tmp_path, "four-one")
    folder.mkdir(parents=True)
    cluster = cluster_of(directory, "four-one")

    with pytest.raises(LabError, match=r"credentials/username: cannot be read: No such file"):
        access_of(folder, cluster)
