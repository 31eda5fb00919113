"""Breaking, mending, loading and verifying from the command line: usage, exit codes, completion, and what it prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.render_lab import load_json, load_text, verify_json, verify_text
from controller.lab.acknowledged import LoadReport
from controller.lab.faults import read_faults
from controller.lab.load import LoadSummary
from tests.cli.worlds import check_schema, run
from tests.lab.labs import a_lab

RUN = "0123abcd"


@pytest.fixture
def lab(tmp_path: Path) -> str:
    """The folder of a lab of two clusters that nobody started."""
    a_lab(tmp_path, clusters=2, brokers=3)
    return str(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--kill", "1", "--stop", "1"),
        ("--kill", "1", "--drop-quorum"),
        ("--kill", "one"),
    ],
    ids=" ".join,
)
def test_exactly_one_fault_is_asked_for(lab: str, options: tuple[str, ...]) -> None:
    """
    None and two are wrong usage, and nothing is broken.
    """
    run("lab", "break", "lab-1", "--dir", lab, *options, code=2)

    assert () == read_faults(Path(lab) / "clusters" / "lab-1").faults


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("break", "lab-9", "--kill", "1"), "lab-9: found no such cluster in "),
        (("break", "lab-1", "--kill", "4"), "lab-1: found no broker 4, expected one of 1, 2, 3"),
        (("mend", "lab-9"), "expected one of lab-1, lab-2"),
        (("load", "lab-9"), "expected one of lab-1, lab-2"),
        (("verify", "lab-9"), "expected one of lab-1, lab-2"),
    ],
    ids=str,
)
def test_a_name_that_the_lab_has_not_is_wrong_input(lab: str, command: tuple[str, ...], told: str) -> None:
    """
    With the names it has, and exit code 1.
    """
    assert told in run("lab", *command, "--dir", lab, code=1).err


def test_a_broker_of_a_lab_that_is_down_is_broken_and_mended(lab: str) -> None:
    """
    It stays down when the lab comes up, until it is mended; mending twice is harmless.
    """
    folder = Path(lab) / "clusters" / "lab-1"
    run("lab", "break", "lab-1", "--dir", lab, "--kill", "2")
    run("lab", "break", "lab-1", "--dir", lab, "--drop-quorum")
    assert [2, 3] == [fault.broker for fault in read_faults(folder).faults]
    assert () == read_faults(folder.parent / "lab-2").faults

    assert "broker 2 of lab-1: kill is mended" in run("lab", "mend", "lab-1", "--dir", lab).err
    assert "nothing is broken on purpose in lab-1" in run("lab", "mend", "lab-1", "--dir", lab).err
    assert () == read_faults(folder).faults


@pytest.mark.parametrize("options", [("--stop", "1"), ("--fill-disk", "1")], ids=" ".join)
def test_what_cannot_be_broken_so_exits_with_4(lab: str, options: tuple[str, ...]) -> None:
    """
    No process to stop, no disk of its own to fill.
    """
    assert "wavefleet lab: " in run("lab", "break", "lab-1", "--dir", lab, *options, code=4).err


def test_load_and_verify_of_brokers_that_are_away_exit_with_4(lab: str) -> None:
    """
    Nobody answers, or nothing was ever acknowledged: whether a record is lost cannot be told.
    """
    assert "load.acked: cannot be read: No such file" in run("lab", "verify", "lab-1", "--dir", lab, code=4).err
    assert "nobody answers there" in run("lab", "load", "lab-1", "--dir", lab, "--for", "1s", code=4).err
    assert "nobody answers there" in run("lab", "verify", "lab-1", "--dir", lab, code=4).err


@pytest.mark.parametrize(
    "options",
    [("--rate", "0"), ("--rate", "5001"), ("--keys", "0"), ("--for", "soon"), ("-o", "md")],
    ids=" ".join,
)
def test_a_load_that_cannot_be_kept_is_wrong_usage(lab: str, options: tuple[str, ...]) -> None:
    """
    Before a file is made.
    """
    run("lab", "load", "lab-1", "--dir", lab, *options, code=2)

    assert not (Path(lab) / "clusters" / "lab-1" / "load").exists()


@pytest.mark.parametrize("command", ["load", "verify"])
@pytest.mark.parametrize("topic", ["", "a/b", "a b", "..", "x" * 201])
def test_a_topic_that_is_no_topics_name_is_wrong_usage(lab: str, command: str, topic: str) -> None:
    """
    Told at its option, before anybody is asked for it.
    """
    told = run("lab", command, "lab-1", "--dir", lab, "--topic", topic, code=2).err

    assert f"Invalid value for '--topic': found {topic!r}, expected 1 to 200 letters" in " ".join(told.split())


def test_only_the_load_says_that_it_makes_the_topic() -> None:
    """
    Whoever verifies a topic that is not there is told that all of it is lost.
    """
    assert "made where it is missing" in " ".join(run("lab", "load", "--help").out.split())
    assert "made where it is missing" not in " ".join(run("lab", "verify", "--help").out.split())


@pytest.mark.parametrize("options", [(), ("--remove-files",)], ids=" ".join)
def test_a_lab_that_is_not_there_is_never_said_to_be_stopped(tmp_path: Path, options: tuple[str, ...]) -> None:
    """
    A mistyped folder is told, also where its files were to be removed.
    """
    nowhere = tmp_path / "nowhere"

    done = run("lab", "down", "--dir", str(nowhere), *options, code=4)

    assert "" == done.out
    assert f"wavefleet lab: {nowhere}: found no lab.json, expected a lab" in done.err


@pytest.mark.parametrize(
    "options",
    [
        ("--clusters", "2", "--cluster", "a"),
        ("--cluster", "../a"),
        ("--cluster", "a=4.1.2:x"),
        ("--cluster", "a", "--cluster", "a"),
        ("--release", "soon"),
        ("--cluster", "a=3.3.1", "--secure"),
    ],
    ids=" ".join,
)
def test_a_shape_that_no_lab_can_have_is_wrong_usage(tmp_path: Path, options: tuple[str, ...]) -> None:
    """
    Told before anything is fetched or made.
    """
    run("lab", "up", "--dir", str(tmp_path / "lab"), *options, code=2)

    assert not (tmp_path / "lab").exists()


def test_another_shape_than_that_of_a_lab_that_is_there_is_refused(lab: str) -> None:
    """
    With both, and nothing is started.
    """
    told = run("lab", "up", "--dir", lab, "--cluster", "orders=4.1.2:3", code=4).err

    assert "found a lab of 2 clusters with 3 brokers each, expected orders with 3 brokers" in told
    assert "found a lab with plain listeners, expected secure" in run("lab", "up", "--dir", lab, "--secure", code=4).err


def test_what_a_load_did_is_told() -> None:
    """
    As text, and as JSON by its schema.
    """
    summary = LoadSummary(sent=12, acknowledged=10, failed=2)

    assert "10 of 12 records acknowledged, 2 never acknowledged; they are in f" == load_text(Path("f"), summary)
    assert "3 of 3 records acknowledged; they are in f" == load_text(Path("f"), LoadSummary(3, 3, 0))
    check_schema("lab-load", load_json("lab-1", "orders", Path("f"), summary))


def test_what_became_of_records_is_told() -> None:
    """
    Counts first, then some by name; as JSON by its schema.
    """
    report = LoadReport(5, 1, 0, 1, (f"out of order {RUN}-1-2", f"lost {RUN}-0-1"))

    assert [
        "5 records acknowledged: 1 lost, 0 twice, 1 out of order",
        f"    out of order {RUN}-1-2",
        f"    lost {RUN}-0-1",
    ] == verify_text(report).splitlines()
    check_schema("lab-verify", verify_json("lab-1", "orders", report))


def complete(typed: str) -> set[str]:
    """What bash is offered after ``typed``."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    environment = {**os.environ, **words, "_WAVEFLEET_COMPLETE": "complete_bash"}
    command = [sys.executable, "-m", "controller"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_the_shell_completes_clusters_of_the_lab_that_was_named(lab: str) -> None:
    """
    Once ``--dir`` is typed; without a lab nothing is offered, and nothing fails.
    """
    assert {"lab-1", "lab-2"} == complete(f"wavefleet lab mend --dir {lab} ")
    assert {"lab-2"} == complete(f"wavefleet lab break --dir {lab} lab-2")
    assert set() == complete("wavefleet lab load --dir /nowhere ")
    assert set() == complete("wavefleet lab verify ")
