"""What commands say of brokers: of those that do not answer, of those that nobody asks, and of what is found."""

from pathlib import Path

import pytest

from tests.builders import OLD
from tests.builders_repository import group_text
from tests.cli.worlds import FLEET, Desk
from tests.contracts.fleet_worlds import LabWorld


@pytest.fixture
def lab(desk: Desk, tmp_path: Path) -> Desk:
    """Two clusters of a lab whose files are there, and whose brokers are not; one of them is claimed."""
    (tmp_path / "lab").mkdir()
    LabWorld(tmp_path / "lab")
    desk.publish(files(tmp_path / "lab", ""))
    return desk


def files(folder: Path, health: str) -> dict[str, str]:
    """A lab, and a group that claims one of its clusters."""
    lab = f"    - {{name: lab, type: lab, directory: {folder}}}\n"
    return {
        "fleet.yaml": FLEET + lab,
        "groups/lab.yaml": group_text("lab", health, version=OLD, clusters="{names: [lab-1]}"),
    }


def test_a_check_asks_the_brokers_of_whoever_wants_them_asked(lab: Desk) -> None:
    """
    Those that do not answer are told with why; who is in no group is not asked.
    """
    out = lab.run("check", code=4).out

    assert "ok      source lab: 2 clusters\n" in out
    assert "MISSING brokers of lab: 1 of 1 cluster asked, 1 unknown, such as lab/lab-1: " in out
    assert "127.0.0.1:9001" in out


def test_an_explanation_asks_the_brokers_of_its_cluster(lab: Desk) -> None:
    """
    And says that it is unknown where they do not answer; a plan of the whole fleet asks nobody's.
    """
    told = lab.read("explain", "explain", "lab-1")

    assert told["runs"] is None
    assert {"observation": "NotObserved"}.items() <= {
        answer["gate"]: answer["reason"] for answer in told["answers"]
    }.items()
    assert "lab-1" not in lab.run("plan").err


@pytest.mark.parametrize("command", [("explain", "lab-1"), ("check",)], ids=" ".join)
def test_what_an_answer_says_is_not_logged_before_it(lab: Desk, command: tuple[str, ...]) -> None:
    """
    Whoever asks at a terminal reads the answer; the daemon's lines on the same matter are for its own log.
    """
    lab.settings["log_level"] = None

    assert "" == lab.run(*command, code=4 if command == ("check",) else 0).err

    lab.settings["log_level"] = "debug"
    assert "brokers_unanswered" in lab.run(*command, code=4 if command == ("check",) else 0).err


def test_a_group_that_asks_no_brokers_says_so_and_shows_what_its_resources_show(lab: Desk, tmp_path: Path) -> None:
    """
    In the plan and for a cluster, whose findings are told one by one, as text and as JSON.
    """
    lab.publish(files(tmp_path / "lab", "  health: {brokers: off}\n"))

    assert f"lab → {OLD} (health from resource only): " in lab.run("plan").out
    assert "brokers of lab" not in lab.run("check").out
    (finding,) = lab.read("explain", "explain", "lab-1")["findings"]
    assert ("operator_silent", "warn", 1, []) == tuple(finding[key] for key in ("id", "severity", "count", "examples"))
    assert "    warn  operator_silent: operator has not spoken since " in lab.run("explain", "lab-1").out
