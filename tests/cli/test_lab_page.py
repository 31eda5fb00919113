"""The page about the lab: every command in it is one, its fleet is valid, and its faults are those there are."""

import re
import shlex
from pathlib import Path

import pytest

from controller.cli.exits import Exit
from controller.lab.disk import BYTES_MAX
from controller.lab.faults import FaultKind
from tests.cli.worlds import run

PAGE = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in PAGE.splitlines() if line.startswith("    wavefleet ")]


def file_of(name: str) -> str:
    """The content that the page gives to a file, without its indent."""
    block = PAGE.partition(f"`/tmp/fleet/{name}`:\n\n")[2]
    lines = re.split(r"\n(?!    |\n)", block)[0].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines) + "\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    """
    With options and arguments that it takes.
    """
    run(*shlex.split(command)[1:], "--help")


def test_the_page_walks_through_every_command_of_the_lab() -> None:
    """
    All but the tour, which needs no walking through.
    """
    listed = run("lab", "--help").out.partition("Commands:\n")[2].splitlines()
    walked = {shlex.split(command)[2] for command in COMMANDS if command.startswith("wavefleet lab ")}

    assert {line.split()[0] for line in listed if line.strip()} - {"tour"} == walked


def test_the_fleet_of_the_page_is_valid(tmp_path: Path) -> None:
    """
    As it stands there, and after the bump.
    """
    (tmp_path / "groups").mkdir()
    (tmp_path / "fleet.yaml").write_text(file_of("fleet.yaml"))
    for release in ("4.1.2", "4.3.1"):
        text = file_of("groups/real.yaml").replace("4.1.2", release)
        assert f"kafkaVersion: {release}" in text
        (tmp_path / "groups" / "real.yaml").write_text(text)
        run("validate", str(tmp_path))


def test_the_source_of_a_secure_lab_is_valid(tmp_path: Path) -> None:
    """
    Its lines stand in the page as they would behind the other source.
    """
    secure = PAGE.partition("`WAVEFLEET_KAFKA_CREDENTIALS=/tmp/safe`:\n\n")[2].partition("\n\n")[0]
    lines = [line.removeprefix("    ") for line in secure.splitlines()]
    (tmp_path / "groups").mkdir()
    (tmp_path / "fleet.yaml").write_text(file_of("fleet.yaml") + "\n".join(lines) + "\n")
    (tmp_path / "groups" / "real.yaml").write_text(file_of("groups/real.yaml"))

    assert 4 == len(lines)
    run("validate", str(tmp_path))


def test_the_faults_of_the_page_are_those_there_are() -> None:
    """
    Each as the option that makes it, in the order of help; and how large a disk may be.
    """
    assert [kind.value for kind in FaultKind] == re.findall(r"^\| `--([a-z-]+)", PAGE, flags=re.MULTILINE)
    assert 1024**3 == BYTES_MAX
    assert "at\nmost 1 GiB" in PAGE


def test_the_exit_codes_of_the_page_are_those_of_the_command_line() -> None:
    """
    No other number is promised.
    """
    codes = [int(code) for code in re.findall(r"^\| ([0-9]+) \|", PAGE, flags=re.MULTILINE)]

    assert [Exit.GOOD, Exit.WRONG_INPUT, Exit.WRONG_USAGE, Exit.OUTSIDE] == codes
