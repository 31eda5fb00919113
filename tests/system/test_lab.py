"""The lab with real Apache Kafka: it comes up, rolls under load, survives its operator, refuses, and leaves nothing."""

import os
import signal
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.acknowledged import LoadReport
from controller.lab.cluster_view import look_at_cluster
from controller.lab.down import lab_down
from controller.lab.status import LabState, lab_status
from controller.lab.up import lab_up
from controller.labfiles import OperatorState, StatusFile, cluster_folder, read_cluster, read_status, write_wanted
from tests.system.lab_fixtures import lab_folder, processes_of, running_load, wait_until

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning"),
]

OLD = "4.1.2"
NEW = "4.3.1"
LEVEL_OF_OLD = 27
READY_SECONDS = 240
ANSWER_SECONDS = 60


def test_a_roll_under_load_loses_no_acknowledged_record_though_its_operator_is_killed(tmp_path: Path) -> None:
    """
    Three brokers go from 4.1.2 to 4.3.1 one at a time under an acks=all producer; in the middle the operator gets
    kill -9 and a new one goes on. Nothing acknowledged is lost or doubled, metadata.version stays, no process stays.
    """
    with lab_folder(tmp_path / "lab") as directory:
        state = lab_up(directory, clusters=1, brokers=3, release=OLD, progress=print)
        folder = cluster_folder(directory, "lab-1")
        with running_load(state.clusters[0].bootstrap, "orders", tmp_path / "acked", rate=200) as load:
            load.await_under_way()
            write_wanted(folder, release=NEW, expected_generation=1)
            wait_until(
                lambda: status_of(folder).brokers_on_wanted == 1, "one broker ran the new release", seconds_max=240
            )
            kill_operator(directory)
            again = lab_up(directory, clusters=1, brokers=3, release=OLD, progress=print)

            assert (NEW, NEW, 3) == spread(status_of(folder))
            assert {pid_of(state, 1), pid_of(state, 2), pid_of(state, 3)}.isdisjoint(
                {pid_of(again, 1), pid_of(again, 2), pid_of(again, 3)}
            )
            before = load.acknowledged
            wait_until(lambda: load.acknowledged > before, "the load went on after the roll", seconds_max=60)
            summary = load.stop()
            report = load.verify()

        assert 0 == summary.failed
        assert LoadReport(acknowledged=summary.acknowledged, lost=0, duplicated=0) == report
        cluster = read_cluster(folder)
        assert cluster is not None
        assert LEVEL_OF_OLD == look_at_cluster(cluster.brokers).metadata_level

        lab_down(directory)
        assert [] == processes_of(directory)


def test_a_lab_comes_back_as_it_was_refuses_what_it_cannot_do_and_leaves_nothing(tmp_path: Path) -> None:
    """
    One broker: a second ``up`` starts nothing, a half-dead and a stopped lab come back on the same ports, an unknown
    release and a downgrade behind the finalized level are refused untouched, a removed lab leaves no file.
    """
    with lab_folder(tmp_path / "lab") as directory:
        first = lab_up(directory, clusters=1, brokers=1, release=OLD, progress=print)
        said: list[str] = []
        assert first == lab_up(directory, clusters=1, brokers=1, release=OLD, progress=said.append)
        assert [f"the lab in {directory} is running already: nothing is started"] == said

        kill_operator(directory)
        os.kill(pid_of(first, 1), signal.SIGKILL)
        half_dead = lab_up(directory, clusters=1, brokers=1, release=OLD, progress=print)
        assert half_dead.is_ready
        assert pid_of(first, 1) != pid_of(half_dead, 1)

        folder = cluster_folder(directory, "lab-1")
        write_wanted(folder, release="9.9.9", expected_generation=1)
        assert refusal(folder, generation=2).startswith("Apache Kafka 9.9.9: Maven cannot fetch it: ")
        write_wanted(folder, release="3.9.2", expected_generation=2)
        assert refusal(folder, generation=3).startswith("metadata.version is finalized at level 27, Apache Kafka 3.9.2")
        assert pid_of(half_dead, 1) == pid_of(lab_status(directory), 1)

        write_wanted(folder, release=OLD, expected_generation=3)
        lab_down(directory)
        assert [] == processes_of(directory)
        back = lab_up(directory, clusters=1, brokers=1, release=OLD, progress=print)
        assert first.clusters[0].bootstrap == back.clusters[0].bootstrap

        lab_down(directory, remove_files=True)
        assert [] == processes_of(directory)
        assert not directory.exists()


def test_a_release_nobody_published_makes_no_lab(tmp_path: Path) -> None:
    """
    An unknown release is Maven's own word in one sentence, and the folder is free for the next try.
    """
    with lab_folder(tmp_path / "lab") as directory:
        with pytest.raises(LabError, match=r"^Apache Kafka 9\.9\.9: Maven cannot fetch it: .*kafka_2\.13.*9\.9\.9"):
            lab_up(directory, clusters=1, brokers=1, release="9.9.9", progress=print)

        assert ["lab.lock"] == [path.name for path in directory.iterdir()]


def status_of(folder: Path) -> StatusFile:
    """The operator's word."""
    status = read_status(folder)
    assert status is not None
    return status


def spread(status: StatusFile) -> tuple[str | None, str | None, int]:
    """The lowest and the highest running release, and how many run the wanted one."""
    return status.lowest, status.highest, status.brokers_on_wanted


def refusal(folder: Path, *, generation: int) -> str:
    """Wait until this generation is refused, and why it is."""

    def is_refused() -> bool:
        status = status_of(folder)
        return (generation, OperatorState.REFUSED) == (status.observed_generation, status.state)

    wait_until(is_refused, f"generation {generation} was refused", seconds_max=ANSWER_SECONDS)
    return status_of(folder).message


def pid_of(state: LabState, broker: int) -> int:
    """The pid of a running broker of the first cluster."""
    pid = state.clusters[0].brokers[broker - 1].pid
    assert pid is not None
    return pid


def kill_operator(directory: Path) -> None:
    """Kill -9, as a machine out of memory would."""
    pid = lab_status(directory).operator_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: lab_status(directory).operator_pid is None, "the operator was dead", seconds_max=10)
