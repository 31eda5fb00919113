"""``wavefleet lab status``: what runs and what the operator says, as text and by its schema; and wrong orders."""

from pathlib import Path

import pytest

from controller.cli.render_lab import lab_json, lab_text
from controller.lab.faults import Fault, FaultKind, write_faults
from controller.lab.status import BrokerState, ClusterState, LabState
from controller.labfiles import OperatorState
from tests.cli.worlds import check_schema, run
from tests.lab.labs import a_lab as lab_files

ADDRESS = "127.0.0.1:9092"


def a_lab(
    *,
    operator_pid: int | None = 41,
    broker_pid: int | None = 42,
    says: OperatorState | None = None,
    levels: tuple[int | None, int | None] = (None, 27),
) -> LabState:
    """Return a lab of one cluster with one broker; ``levels`` are the wanted one and the finalized one."""
    broker = BrokerState(1, "127.0.0.1:9092", "4.1.2", broker_pid)
    cluster = ClusterState("lab-1", "127.0.0.1:9092", "4.3.1", 2, says, "rolling broker 1", (broker,), *levels)
    return LabState(Path("lab"), operator_pid, (cluster,))


def test_a_lab_is_told_by_cluster_and_broker() -> None:
    """
    What is wanted, what the operator says, and each broker's release and process.
    """
    assert [
        "lab-1 at 127.0.0.1:9092: wants 4.3.1, operator rolling: rolling broker 1",
        "    metadata.version: finalized at level 27",
        "    broker 1 at 127.0.0.1:9092: 4.1.2, process 42",
    ] == lab_text(a_lab(says=OperatorState.ROLLING)).splitlines()


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ((None, None), "not seen yet"),
        ((30, 27), "finalized at level 27, wants level 30"),
        ((30, 30), "finalized at level 30"),
        ((27, 30), "finalized at level 30"),
    ],
)
def test_a_level_is_told_with_the_wish_that_is_left(levels: tuple[int | None, int | None], told: str) -> None:
    """
    What is finalized, and what is still to be done; a level is never lowered, so a lower wish is none.
    """
    assert f"    metadata.version: {told}" in lab_text(a_lab(levels=levels)).splitlines()


def test_what_does_not_run_is_told() -> None:
    """
    A stopped broker, and an operator that is not there to mend it.
    """
    told = lab_text(a_lab(operator_pid=None, broker_pid=None))

    assert "operator not yet: rolling broker 1" in told
    assert "4.1.2, no process" in told
    assert "no operator runs" in told


def test_a_lab_as_json_is_as_its_schema_says() -> None:
    """
    Running, and with everything missing that can be.
    """
    check_schema("lab-status", lab_json(a_lab(says=OperatorState.READY, levels=(30, 27))))
    check_schema("lab-status", lab_json(a_lab(operator_pid=None, broker_pid=None, levels=(None, None))))


def test_a_folder_without_a_lab_is_told(tmp_path: Path) -> None:
    """
    Looking makes nothing, and the sentence names the folder.
    """
    done = run("lab", "status", "--dir", str(tmp_path), code=4)

    assert "wavefleet lab: " in done.err
    assert str(tmp_path) in done.err
    assert [] == list(tmp_path.iterdir())


def test_a_lab_of_nobody_is_refused(tmp_path: Path) -> None:
    """
    As wrong usage, before anything is fetched.
    """
    assert "Invalid value for '--clusters'" in run("lab", "up", "--dir", str(tmp_path), "--clusters", "0", code=2).err
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("broker", "told"),
    [
        (BrokerState(1, ADDRESS, "4.1.2", 42), "process 42"),
        (BrokerState(1, ADDRESS, "4.1.2", 42, reachable=True), "process 42, answers"),
        (
            BrokerState(1, ADDRESS, "4.1.2", 42, (FaultKind.STOP, FaultKind.FILL_DISK), reachable=False),
            "process 42, does not answer; broken on purpose: stop, fill-disk",
        ),
    ],
)
def test_faults_and_answers_are_told_by_broker(broker: BrokerState, told: str) -> None:
    """
    Whether it answers is told only where it was asked; and both are as the schema says.
    """
    cluster = ClusterState("lab-1", "127.0.0.1:9092", "4.1.2", 1, None, "", (broker,), secure=True)
    state = LabState(Path("lab"), 41, (cluster,))

    assert lab_text(state).endswith(told)
    assert "127.0.0.1:9092 over TLS and SCRAM: " in lab_text(state)
    check_schema("lab-status", lab_json(state))
    assert ["secure", 9092] == [lab_json(state)["clusters"][0]["listeners"], broker.port]


def test_the_status_of_a_lab_that_is_down_is_asked_of_nobody_in_vain(tmp_path: Path) -> None:
    """
    Brokers that do not run do not answer, at once; faults are read from their file.
    """
    folder = lab_files(tmp_path, brokers=2)
    write_faults(folder, frozenset({Fault(2, FaultKind.KILL)}))

    printed = run("lab", "status", "--dir", str(tmp_path), "-o", "json").json

    check_schema("lab-status", printed)
    brokers = printed["clusters"][0]["brokers"]
    assert [(False, []), (False, ["kill"])] == [(broker["reachable"], broker["faults"]) for broker in brokers]
