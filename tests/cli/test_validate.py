"""``wavefleet validate``: one problem a line, where an editor can jump; the same as JSON."""

from pathlib import Path

from tests.builders_repository import FleetFiles
from tests.cli.worlds import check_schema, run


def test_a_valid_folder_is_said_to_be_valid(tmp_path: Path) -> None:
    """
    One line, exit code 0; as JSON an empty list.
    """
    FleetFiles(tmp_path)

    assert f"{tmp_path}: valid\n" == run("validate", str(tmp_path)).out
    assert [] == run("validate", str(tmp_path), "-o", "json").json


def test_each_problem_is_a_line_with_file_line_field_found_and_expected(tmp_path: Path) -> None:
    """
    The file is relative to the repository, wherever that lies; an unquoted 4.10 is told as it was written.
    """
    FleetFiles(tmp_path).group(version="4.10")

    done = run("validate", str(tmp_path), code=1)

    (line,) = done.out.splitlines()
    assert line.startswith("groups/prod.yaml:5: spec.kafkaVersion: found '4.10', expected "), line
    assert "" == done.err


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """
    No file's mistake hides another's.
    """
    files = FleetFiles(tmp_path).group("  windws: []\n").fleet("  halted: maybe\n")
    files.write("groups/other.yaml", "kind: ClusterGroup\n\tspec: {}\n")

    lines = run("validate", str(tmp_path), code=1).out.splitlines()

    assert ["fleet.yaml:7", "groups/other.yaml:2", "groups/prod.yaml:7"] == [line.partition(": ")[0] for line in lines]
    assert "windows" in lines[2], "the nearest known field is suggested"


def test_problems_as_json_have_the_same_parts(tmp_path: Path) -> None:
    """
    A list of file, line, field, found, expected and message, by the schema.
    """
    FleetFiles(tmp_path).group(version="4.10")

    printed = run("validate", str(tmp_path), "-o", "json", code=1).json

    check_schema("validate", printed)
    (problem,) = printed
    assert ("groups/prod.yaml", 5, "spec.kafkaVersion") == (problem["file"], problem["line"], problem["field"])
    assert f"found {problem['found']}, expected {problem['expected']}" == problem["message"]


def test_a_folder_that_is_no_fleet_repository_lacks_its_first_file(tmp_path: Path) -> None:
    """
    A whole file's problem stands at line 1.
    """
    assert run("validate", str(tmp_path), code=1).out.startswith("fleet.yaml:1: ")


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    """
    That is no problem of a declaration: a sentence on standard error, and another exit code.
    """
    done = run("validate", str(tmp_path / "nowhere"), code=4)

    assert "" == done.out
    assert f"wavefleet: {tmp_path}/nowhere: found no such folder" in done.err


def test_a_file_in_place_of_the_folder_cannot_be_read(tmp_path: Path) -> None:
    """
    As when somebody names fleet.yaml itself.
    """
    FleetFiles(tmp_path)

    assert "found no such folder" in run("validate", str(tmp_path / "fleet.yaml"), code=4).err


def test_validating_needs_no_settings(tmp_path: Path) -> None:
    """
    A wrong setting of the daemon does not keep a pre-commit hook from checking files.
    """
    FleetFiles(tmp_path)

    run("validate", str(tmp_path), settings={"interval": "soon"})
