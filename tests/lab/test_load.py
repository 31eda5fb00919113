"""The load's arithmetic without a broker: what counts as acknowledged, and what is refused."""

from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.load import LoadOrder, acked_file, main, verify
from controller.lab.ports import choose_ports

pytestmark = pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.mark.parametrize("rate", [0, -1, 5001])
def test_a_rate_that_cannot_be_kept_is_refused(rate: int) -> None:
    """
    No records a second, or more than the producer can write, is a sentence.
    """
    with pytest.raises(LabError, match=f"rate: found {rate}, expected 1 to 5000 records a second"):
        LoadOrder("orders", rate=rate)


@pytest.mark.parametrize("keys", [0, 10001])
def test_keys_that_cannot_be_kept_are_refused(keys: int) -> None:
    """
    No key has no order to keep, and too many would not fit the form of a record.
    """
    with pytest.raises(LabError, match=f"keys: found {keys}, expected 1 to 10000"):
        LoadOrder("orders", keys=keys)


@pytest.mark.parametrize("topic", ["", ".", "..", "a/b", "../up", "a b", "x" * 201])
def test_a_topic_that_is_no_name_of_a_file_is_refused(tmp_path: Path, topic: str) -> None:
    """
    Kafka would not take it either, and it never becomes a path.
    """
    with pytest.raises(LabError, match="expected 1 to 200 letters"):
        acked_file(tmp_path, topic)


def test_a_missing_file_of_acknowledged_records_is_told(tmp_path: Path) -> None:
    """
    Nothing acknowledged and no file are two different things.
    """
    with pytest.raises(LabError, match="acked: cannot be read: No such file or directory"):
        verify("127.0.0.1:1", "orders", tmp_path / "acked")


def test_an_unreachable_cluster_is_one_sentence_and_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Both the verifier and the producer say that nobody answers, and end.
    """
    (tmp_path / "acked").write_text("0 0 0123abcd-0-0\n0 1 0123abcd-1-0 and half a li")
    arguments = ["--bootstrap", f"127.0.0.1:{choose_ports(1)[0]}", "--topic", "t", "--acked", str(tmp_path / "acked")]

    assert 1 == main([*arguments, "--verify"])
    assert "nobody answers there" in capsys.readouterr().err
    assert 1 == main(arguments)
    assert "nobody answers there" in capsys.readouterr().err
