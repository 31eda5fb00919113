"""Faults on real brokers: each is what it says, stays until it is mended, and costs no acknowledged record."""

import gc
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controller.lab.cluster_view import ClusterUnreachable, look_at_cluster
from controller.lab.records import broker_folder
from controller.lab.status import lab_status as state_of
from controller.labfiles import cluster_folder, read_cluster, read_wanted, write_wanted
from tests.lab.disks import small_disk
from tests.system.lab_commands import await_ready, lab, lab_load, lab_status, message, reachable
from tests.system.lab_fixtures import lab_folder, wait_until

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

OLD, NEW = "4.1.2", "4.3.1"
SICK, OTHER = "sick", "other"
SEEN_SECONDS = 60


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two clusters on two releases: one of three brokers, whose third has a small disk of its own, and one of one."""
    folder = tmp_path_factory.mktemp("faults") / "lab"
    with ExitStack() as stack:
        disk = broker_folder(cluster_folder(folder, SICK), 3) / "data"
        stack.enter_context(small_disk(disk, megabytes=200))
        stack.enter_context(lab_folder(folder))
        lab("up", "--dir", str(folder), "--cluster", f"{SICK}={OLD}:3", "--cluster", f"{OTHER}=3.9.2:1")
        yield folder


@pytest.fixture(autouse=True)
def _sockets_end_with_the_test() -> Iterator[None]:
    """Of connections that fail the client leaves the sockets to the collector, and its log holds on to them."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    yield
    gc.collect()


def do(directory: Path, command: str, *options: str, code: int = 0) -> None:
    """Break or mend the cluster."""
    lab(command, SICK, "--dir", str(directory), *options, code=code)


def faults(directory: Path) -> dict[int, list[str]]:
    """By broker: what ``lab status`` says is broken on purpose."""
    return {it["id"]: it["faults"] for it in lab_status(directory, SICK)["brokers"] if it["faults"]}


def test_two_releases_run_side_by_side(directory: Path) -> None:
    """
    Each cluster on its own release, its own number of brokers and its own level; the lab is one.
    """
    sick, other = lab_status(directory, SICK), lab_status(directory, OTHER)

    assert [OLD] * 3 == [broker["release"] for broker in sick["brokers"]]
    assert ["3.9.2"] == [broker["release"] for broker in other["brokers"]]
    assert (27, 21) == (sick["metadataLevel"], other["metadataLevel"])
    assert ("plain", [True] * 3, [True]) == (
        sick["listeners"],
        reachable(directory, SICK),
        reachable(directory, OTHER),
    )


def test_a_killed_broker_stays_down_over_its_operator_and_a_roll_sticks_until_it_is_mended(directory: Path) -> None:
    """
    Its operator dies and is followed by another, another release is wanted: nobody starts it, nobody else is rolled.
    Mended, the roll ends, and no acknowledged record is lost, doubled or out of order.
    """
    folder = cluster_folder(directory, SICK)
    await_ready(directory, SICK)
    with lab_load(directory, SICK) as load:
        load.await_more()
        do(directory, "break", "--kill", "2")
        wait_until(lambda: [True, False, True] == reachable(directory, SICK), "broker 2 was gone", seconds_max=30)
        kill_operator(directory)
        lab("up", "--dir", str(directory))
        write_wanted(folder, release=NEW, expected_generation=read_wanted(folder).generation)
        stuck = "waiting for broker 2, broken on purpose, to be mended"
        wait_until(lambda: stuck in message(directory, SICK), "the roll stuck", seconds_max=SEEN_SECONDS)
        load.await_more()
        assert {2: ["kill"]} == faults(directory)
        assert [OLD] * 3 == [broker["release"] for broker in lab_status(directory, SICK)["brokers"]]

        do(directory, "mend")
        do(directory, "mend")
        await_ready(directory, SICK)
        assert [NEW] * 3 == [broker["release"] for broker in lab_status(directory, SICK)["brokers"]]
        load.await_more()
        assert 0 == load.stop()["failed"]
        assert [0, 0, 0] == harm(load.verify())


def test_a_stopped_broker_accepts_and_never_answers_until_it_is_mended(directory: Path) -> None:
    """
    Its port takes connections, its status says that it does not answer, the other two go on; then it is back.
    """
    await_ready(directory, SICK)
    with lab_load(directory, SICK) as load:
        load.await_more()
        do(directory, "break", "--stop", "1")
        cluster = read_cluster(cluster_folder(directory, SICK))
        assert cluster is not None
        socket.create_connection((cluster.brokers[0].host, cluster.brokers[0].port), timeout=5).close()
        assert [False, True, True] == reachable(directory, SICK)
        wait_until(lambda: "broker 1" in message(directory, SICK), "broker 1 was missed", seconds_max=SEEN_SECONDS)
        load.await_more()

        do(directory, "mend")
        await_ready(directory, SICK)
        assert [True] * 3 == reachable(directory, SICK)
        assert 0 == load.stop()["failed"]
        assert [0, 0, 0] == harm(load.verify())


def test_a_dropped_quorum_has_no_leader_until_it_is_mended(directory: Path) -> None:
    """
    Two of three voters are gone: whoever is left cannot say what the cluster is; mended, all three are back.
    """
    await_ready(directory, SICK)
    cluster = read_cluster(cluster_folder(directory, SICK))
    assert cluster is not None
    do(directory, "break", "--drop-quorum")
    assert {2: ["drop-quorum"], 3: ["drop-quorum"]} == faults(directory)
    assert [True, False, False] == reachable(directory, SICK)
    with pytest.raises(ClusterUnreachable):
        look_at_cluster(cluster.brokers)

    do(directory, "mend")
    await_ready(directory, SICK)
    assert frozenset({1, 2, 3}) == look_at_cluster(cluster.brokers).registered


def test_a_broker_with_a_full_disk_fails_and_comes_back_when_it_is_mended(directory: Path) -> None:
    """
    It ends by itself and its operator starts it in vain; the other two go on, and once there is room it is in sync.
    Its load is killed in the middle of writing, which is no harm either.
    """
    await_ready(directory, SICK)
    with lab_load(directory, SICK) as load:
        load.await_more()
        do(directory, "break", "--fill-disk", "3")
        wait_until(lambda: not reachable(directory, SICK)[2], "broker 3 failed", seconds_max=SEEN_SECONDS)
        load.await_more()
        assert {3: ["fill-disk"]} == faults(directory)

        do(directory, "mend")
        await_ready(directory, SICK)
        load.await_more()
        load.kill()
        assert [0, 0, 0] == harm(load.verify())


def test_a_persons_disk_is_not_filled(directory: Path) -> None:
    """
    Safety: a broker whose log directory is no small file system of its own is left as it is.
    """
    await_ready(directory, SICK)
    do(directory, "break", "--fill-disk", "1", code=4)

    assert {} == faults(directory)
    assert [True] * 3 == reachable(directory, SICK)


def kill_operator(directory: Path) -> None:
    """Kill -9 the lab's operator, and wait until it is gone."""
    pid = state_of(directory).operator_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: state_of(directory).operator_pid is None, "the operator was dead", seconds_max=10)


def harm(report: dict[str, int]) -> list[int]:
    """What ``lab verify`` found wrong."""
    assert report["acknowledged"] > 0
    return [report["lost"], report["duplicated"], report["outOfOrder"]]
