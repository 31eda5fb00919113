"""``wavefleet lab status``: what runs and what the operator says, as text and by its schema; and wrong orders."""

from pathlib import Path

import pytest

from controller.cli.render_lab import lab_json, lab_text
from controller.lab.status import BrokerState, ClusterState, LabState
from controller.labfiles import OperatorState
from tests.cli.worlds import check_schema, run


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
    assert "4.1.2, stopped" in told
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
