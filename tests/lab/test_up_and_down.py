"""Bringing a lab up and down, as far as it needs no Java: what is refused, stopped, and never touched."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.down import lab_down
from controller.lab.processes import is_running
from controller.lab.records import BrokerFile, ProcessRecord, broker_folder, locked, operator_file, write_broker
from controller.lab.status import lab_status
from controller.lab.up import lab_up
from controller.labfiles import BrokerStatus, OperatorState, StatusFile, credentials_of, replace_file
from tests.lab.labs import NEW, OLD, a_lab, a_program, started, wait_until

FOREVER = "while :; do sleep 0.2; done"
STUBBORN = f"trap '' TERM; echo ready; {FOREVER}"


@pytest.mark.parametrize(
    ("clusters", "brokers", "release", "sentence"),
    [
        (0, 3, OLD, "clusters: found 0, expected 1 to 20"),
        (21, 3, OLD, "clusters: found 21, expected 1 to 20"),
        (-1, 3, OLD, "clusters: found -1, expected 1 to 20"),
        (1, 0, OLD, "brokers: found 0, expected 1 to 9"),
        (1, 10, OLD, "brokers: found 10, expected 1 to 9"),
        (1, 3, "4.1", "release: found '4.1', expected an Apache Kafka release such as 4.3.1"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_anything_is_made(
    tmp_path: Path, clusters: int, brokers: int, release: str, sentence: str
) -> None:
    """
    A lab of no clusters, of a hundred, or of a release that is none is one sentence, and leaves no folder.
    """
    with pytest.raises(LabError) as error:
        lab_up(tmp_path / "lab", clusters=clusters, brokers=brokers, release=release, progress=str)

    assert sentence == str(error.value)
    assert [] == [*tmp_path.iterdir()]


def test_a_folder_with_somebodys_files_is_not_made_a_lab(tmp_path: Path) -> None:
    """
    A typo in the path does not put brokers among a person's documents.
    """
    (tmp_path / "thesis.txt").write_text("words")

    with pytest.raises(LabError, match=r"found thesis\.txt and no lab\.json, expected an empty folder or a lab"):
        lab_up(tmp_path, clusters=1, brokers=1, release=OLD, progress=str)

    assert ["thesis.txt"] == [path.name for path in tmp_path.iterdir()]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    """
    A path that is a file is a sentence, not a traceback.
    """
    (tmp_path / "lab").write_text("")

    with pytest.raises(LabError, match="cannot be used as a lab's folder"):
        lab_up(tmp_path / "lab", clusters=1, brokers=1, release=OLD, progress=str)


@pytest.mark.parametrize("name", ["a,b", "a%b", "a$b", "a:b", "a\nb"])
def test_a_path_kafka_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    """
    A comma would make two data folders of one; better a sentence now than a broker that does not start.
    """
    with pytest.raises(LabError, match="in the path, expected none of"):
        lab_up(tmp_path / name, clusters=1, brokers=1, release=OLD, progress=str)


def test_a_lab_keeps_its_shape(tmp_path: Path) -> None:
    """
    Asking an existing lab for other numbers is refused with both; it is not quietly made larger or smaller.
    """
    a_lab(tmp_path, clusters=2, brokers=3)

    with pytest.raises(
        LabError, match="found a lab of 2 clusters with 3 brokers each, expected lab-1 with 3 brokers; ask for what"
    ):
        lab_up(tmp_path, clusters=1, brokers=3, release=OLD, progress=str)


def test_a_disk_may_be_mounted_for_a_broker_before_its_lab_is_made(tmp_path: Path) -> None:
    """
    Folders alone are no stranger's; a file in them is, and then nothing is made.
    """
    place = tmp_path / "clusters" / "lab-1" / "broker-1" / "data"
    place.mkdir(parents=True)
    environ = {**os.environ, "PATH": ""}
    script = "import sys; from pathlib import Path; from controller.lab.up import lab_up\n"
    script += "lab_up(Path(sys.argv[1]), clusters=1, brokers=1, release='4.1.2', progress=str)"

    def words() -> str:
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60).stderr

    environ.pop("JAVA_HOME", None)
    assert "found no java in JAVA_HOME or PATH" in words()
    (place / "thesis.txt").write_text("words")
    assert "found clusters and no lab.json, expected an empty folder or a lab" in words()


def test_where_there_is_no_lab_status_and_down_say_so(tmp_path: Path) -> None:
    """
    The sentence names the folder and how to make a lab.
    """
    for command in (lab_status, lab_down):
        with pytest.raises(LabError, match=r"found no lab\.json, expected a lab; make one with `wavefleet lab up`"):
            command(tmp_path)


def test_down_stops_what_the_records_name_and_nothing_else(tmp_path: Path) -> None:
    """
    Safety: the operator and the brokers end, also one that ignores SIGTERM; a stranger whose pid stands in a record
    of an earlier start, and a process the lab never recorded, live on.
    """
    folder = a_lab(tmp_path / "lab", brokers=3)
    with ExitStack() as stack:
        operator, broker, stubborn, stranger, other = (
            stack.enter_context(started(a_program(tmp_path, script)))
            for script in (FOREVER, FOREVER, STUBBORN, FOREVER, FOREVER)
        )
        replace_file(operator_file(tmp_path / "lab"), operator)
        write_broker(folder, 1, BrokerFile(OLD, OLD, broker))
        write_broker(folder, 2, BrokerFile(OLD, OLD, ProcessRecord(stranger.pid, 1, stranger.boot_id)))
        write_broker(folder, 3, BrokerFile(OLD, OLD, stubborn))

        lab_down(tmp_path / "lab", seconds_max=0.5)

        alive = [is_running(it) for it in (operator, broker, stubborn, stranger, other)]
        assert [False, False, False, True, True] == alive
        lab_down(tmp_path / "lab")


def running_brokers(stack: ExitStack, folder: Path, *scripts: str) -> list[ProcessRecord]:
    """Start a script as each broker of a cluster; those that ignore SIGTERM do so already."""
    brokers = []
    for number, script in enumerate(scripts, start=1):
        program = a_program(broker_folder(folder, number), script)
        brokers.append(stack.enter_context(started(program)))
        if script == STUBBORN:
            wait_until(lambda output=program.output: "ready" in output.read_text(), "the broker ignored SIGTERM")
        write_broker(folder, number, BrokerFile(OLD, OLD, brokers[-1]))
    return brokers


def test_down_waits_for_no_broker_that_has_lost_its_quorum(tmp_path: Path) -> None:
    """
    One of three is left, which nobody can give leave any more: it is killed soon, not at the end of all patience.
    """
    folder = a_lab(tmp_path / "lab", brokers=3)
    with ExitStack() as stack:
        brokers = running_brokers(stack, folder, FOREVER, FOREVER, STUBBORN)
        began = time.monotonic()

        lab_down(tmp_path / "lab", seconds_max=100, quorum_lost_seconds_max=0.1)

        assert time.monotonic() - began < 50
        assert [False] * 3 == [is_running(broker) for broker in brokers]


def test_down_has_patience_while_there_is_a_quorum(tmp_path: Path) -> None:
    """
    Two of three are slow to end and can still be given leave: they are killed only at the end of the long limit.
    """
    folder = a_lab(tmp_path / "lab", brokers=3)
    with ExitStack() as stack:
        brokers = running_brokers(stack, folder, FOREVER, STUBBORN, STUBBORN)
        began = time.monotonic()

        lab_down(tmp_path / "lab", seconds_max=1, quorum_lost_seconds_max=0)

        assert time.monotonic() - began >= 1
        assert [False] * 3 == [is_running(broker) for broker in brokers]


def test_down_of_a_lab_that_never_ran_is_no_trouble(tmp_path: Path) -> None:
    """
    Twice is harmless, and so is once too early.
    """
    a_lab(tmp_path)

    lab_down(tmp_path)
    lab_down(tmp_path)


def test_removing_takes_what_the_lab_made_and_leaves_the_rest(tmp_path: Path) -> None:
    """
    A person's file in the lab's folders stays, and so do the folders it lies in.
    """
    directory = tmp_path / "lab"
    folder = a_lab(directory, clusters=2, brokers=2)
    (folder / "load").mkdir()
    for left in ("load/orders.acked", "faults.json", "faults.lock"):
        (folder / left).write_text("{}")
    credentials = credentials_of(directory)
    (credentials.folder / ".making-x").mkdir(parents=True)
    for secret in (credentials.authorities, credentials.key, credentials.username, credentials.password):
        secret.write_text("x")
    (broker_folder(folder, 1) / "data").mkdir()
    (folder / ".status.json.x1").write_text("half")
    (folder / "notes.txt").write_text("mine")

    lab_down(directory, remove_files=True)

    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert ["lab/clusters/lab-1/notes.txt"] == left


def test_removing_a_whole_lab_removes_its_folder_and_may_be_repeated(tmp_path: Path) -> None:
    """
    Nothing is left of a lab nobody wrote into; removing it again is no error.
    """
    a_lab(tmp_path / "lab")

    lab_down(tmp_path / "lab", remove_files=True)
    assert not (tmp_path / "lab").exists()
    lab_down(tmp_path / "lab", remove_files=True)


def test_two_commands_do_not_work_on_one_lab_at_once(tmp_path: Path) -> None:
    """
    A second operator on a lab says so and leaves; the first one's lock tells.
    """
    a_lab(tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with locked(tmp_path / "operator.lock", wait_seconds=1):
        ended = subprocess.run(
            [sys.executable, "-m", "controller.lab.operator", "--directory", str(tmp_path)],
            env=environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    assert (1, f"{tmp_path}: another operator keeps this lab\n") == (ended.returncode, ended.stderr)


def test_the_status_tells_what_runs_what_is_wanted_and_what_the_operator_says(tmp_path: Path) -> None:
    """
    One value holds it all; an answer to an earlier generation does not count as the operator's word.
    """
    folder = a_lab(tmp_path / "lab", brokers=2, release=NEW)
    with started(a_program(tmp_path, FOREVER)) as process:
        write_broker(folder, 1, BrokerFile(NEW, OLD, process))
        replace_file(operator_file(tmp_path / "lab"), process)
        replace_file(folder / "status.json", a_status(generation=1))

        state = lab_status(tmp_path / "lab")
        cluster = state.clusters[0]

        assert (process.pid, False, False) == (state.operator_pid, state.is_running, state.is_ready)
        assert ("lab-1", NEW, 1, OperatorState.READY, "well") == (
            cluster.name, cluster.wanted, cluster.generation, cluster.operator_says, cluster.message,
        )  # fmt: skip
        assert [(1, OLD, process.pid), (2, NEW, None)] == [(it.id, it.release, it.pid) for it in cluster.brokers]
        assert ",".join(broker.address for broker in cluster.brokers) == cluster.bootstrap

        replace_file(folder / "status.json", a_status(generation=0))
        assert lab_status(tmp_path / "lab").clusters[0].operator_says is None


def test_a_lab_is_ready_when_its_operator_says_so_of_running_brokers(tmp_path: Path) -> None:
    """
    Ready needs the operator alive, every broker alive, and the operator's word.
    """
    folder = a_lab(tmp_path / "lab", brokers=1, release=OLD)
    replace_file(folder / "status.json", a_status(generation=1))
    with started(a_program(tmp_path, FOREVER)) as process:
        write_broker(folder, 1, BrokerFile(OLD, OLD, process))
        assert not lab_status(tmp_path / "lab").is_ready

        replace_file(operator_file(tmp_path / "lab"), process)
        assert lab_status(tmp_path / "lab").is_ready

        replace_file(folder / "status.json", a_status(generation=1, state=OperatorState.REFUSED))
        state = lab_status(tmp_path / "lab")
        assert (True, False, True) == (state.is_running, state.is_ready, state.clusters[0].is_refused)


def a_status(*, generation: int, state: OperatorState = OperatorState.READY) -> StatusFile:
    """What an operator wrote."""
    return StatusFile(generation, state, OLD, OLD, OLD, (BrokerStatus(1, OLD, 1),), 1, "well", "2026-03-02T12:00:00Z")
