"""``wavefleet simulate``: a timeline, events a line each, a summary; the same seed prints the same."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from controller.labfiles import cluster_folder
from controller.model.verdict import HoldReason
from tests.builders_repository import FLEET, INVENTORY, FleetFiles
from tests.cli.worlds import Done, check_schema, run
from tests.contracts.fleet_worlds import LABELS, LabWorld

ROOT = Path(__file__).parents[2]
FROM = ("--from", "2026-03-02T09:00Z")
LAB = "type: lab, directory: /nowhere"
CLAIMS = "{selector: {matchLabels: {env: test}}}"
WAVES = "  strategy: {waves: [{name: canary, size: 1, soak: 1h}, {name: rest, size: rest, soak: 1h}]}\n"


@pytest.fixture
def files(tmp_path: Path) -> FleetFiles:
    """A fleet whose group ``prod`` has three clusters below its target and goes in two waves."""
    return FleetFiles(tmp_path).group(f"  metadataVersion: hold\n{WAVES}", clusters=CLAIMS)


def simulate(files: FleetFiles, *arguments: str, code: int = 0) -> Done:
    """Run ``wavefleet simulate`` on a Monday morning."""
    return run("simulate", "--path", str(files.folder), *FROM, *arguments, code=code)


def events_of(files: FleetFiles, *arguments: str) -> list[dict[str, Any]]:
    """The events, each as its schema says."""
    events = [json.loads(line) for line in simulate(files, *arguments, "-o", "jsonl").out.splitlines()]
    for event in events:
        check_schema("simulate-event", event)
    return events


def summary_of(files: FleetFiles, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
    """The summary, as its schema says."""
    printed = simulate(files, *arguments, "-o", "json").json
    check_schema("simulate", printed)
    return printed


def test_the_timeline_ends_with_a_table(files: FleetFiles) -> None:
    """
    One line per event with its time and zone; then each rollout's length, lower bound, ratio and blast radius.
    """
    lines = simulate(files).out.splitlines()

    assert "acme: simulated from 2026-03-02 09:00 UTC, every 1m, seed 0" == lines[0]
    assert "2026-03-02 09:00 UTC  prod: rollout-planned 4.3.1: 3 clusters in 2 waves" == lines[1]
    assert any(line.startswith("2026-03-02 09:00 UTC  prod: start bulk-000") for line in lines)
    assert any(line.endswith("end: nothing can change any more") for line in lines)
    table = [line.split() for line in lines[lines.index("") + 1 : -1]]
    assert [
        "rollout",
        "to",
        "outcome",
        "clusters",
        "length",
        "lower",
        "bound",
        "ratio",
        "10m",
        "1h",
        "1d",
        "1w",
    ] == table[0]
    row = ["prod", "4.3.1", "converged", "3", "2h", "32m", "2h", "32m", "1.000", "1", "1", "3", "3"]
    assert [row, ["all", "3", "2h", "32m", "2h", "32m", "1.000"]] == table[1:]


def test_events_have_the_form_that_programs_read(files: FleetFiles) -> None:
    """
    What does not apply is null; a hold's reason is its public name.
    """
    events = events_of(files)

    planned, admitted, start = events[:3]
    assert ("rollout-planned", "prod", "software", None, None, None, "4.3.1") == tuple(
        planned[key] for key in ("event", "group", "rollout", "wave", "cluster", "from", "to")
    )
    assert ("wave-admitted", 1) == (admitted["event"], admitted["wave"])
    assert ("start", 1, "4.2.1", "4.3.1") == tuple(start[key] for key in ("event", "wave", "from", "to"))
    assert {("2026-03-02T09:00:00Z", 1)} == {(each["at"], each["cycle"]) for each in (planned, admitted, start)}
    assert "rollout-converged" == events[-1]["event"]
    assert {event["reason"] for event in events if event["event"] == "held"} <= set(HoldReason)


def test_the_summary_is_in_seconds(files: FleetFiles) -> None:
    """
    The canary and its hour, the rest and theirs: sixteen minutes each with two samples more than the upgrade.
    """
    printed = summary_of(files, "--seed", "7")

    (rollout,) = printed["rollouts"]
    expected = 2 * (16 * 60 + 3600)
    assert (7, expected, expected, 1) == tuple(printed[key] for key in ("seed", "length", "lowerBound", "ratio"))
    assert ("prod", "software", expected, 1) == tuple(rollout[key] for key in ("group", "kind", "length", "ratio"))
    assert {"10m": 1, "1h": 1, "1d": 3, "1w": 3} == rollout["blastRadius"]


def test_the_same_seed_prints_the_same_and_another_one_something_else(files: FleetFiles) -> None:
    """
    Byte for byte; the seed decides whom a fault with a share hits.
    """
    files.inventory(
        "    - {generate: {count: 60, name: 'more-{n}', labels: {env: test}}, kafkaVersion: 4.2.1}\n"
        "  faults:\n    - {cluster: 'more-*', kind: stuck, during: upgrade, share: 10%, for: 30m}\n"
    )

    printed = [simulate(files, "--seed", seed, "-o", "jsonl").out for seed in ("1", "1", "2")]

    assert printed[0] == printed[1] != printed[2]


def test_nothing_to_do_is_zero_and_one(files: FleetFiles) -> None:
    """
    Every cluster on its target: no rollout, no length, no waste.
    """
    files.group(version="4.2.1", clusters=CLAIMS, spec="  metadataVersion: hold\n")

    printed = summary_of(files)

    assert ([], 0, 0, 1) == tuple(printed[key] for key in ("rollouts", "length", "lowerBound", "ratio"))
    assert printed["endedEarly"]
    assert "nothing to do: no cluster is below its target" == simulate(files).out.splitlines()[-1]


def test_a_group_that_selects_no_cluster_is_named(files: FleetFiles) -> None:
    """
    Nothing to do for want of clusters is no fleet on its target; a misspelt label shows here first.
    """
    windows = "  windows: [{days: [mon], from: 10:00, until: 11:00}]\n"
    files.group(windows, clusters="{selector: {matchLabels: {env: tset}}}")

    lines = simulate(files).out.splitlines()

    assert lines[-3].endswith("end: nothing can change any more")
    assert "nothing to do: no group selects a cluster: prod" == lines[-1]

    files.group(f"  metadataVersion: hold\n{WAVES}", clusters=CLAIMS)
    files.group(windows, name="other", clusters="{selector: {matchLabels: {env: tset}}}")
    lines = simulate(files).out.splitlines()
    assert "selects no cluster: other" == lines[-1]

    files.group(version="4.2.1", clusters=CLAIMS, spec="  metadataVersion: hold\n")
    lines = simulate(files).out.splitlines()
    assert ["nothing to do: no cluster is below its target", "selects no cluster: other"] == lines[-2:]


def test_a_halt_is_no_error(files: FleetFiles) -> None:
    """
    It is what the simulation is for: exit code 0, and a rollout without an end has no length.
    """
    files.inventory("  faults:\n    - {cluster: 'bulk-*', kind: unhealthy, after: 10m}\n")

    printed = summary_of(files)

    (rollout,) = printed["rollouts"]
    assert (None, None, None) == (rollout["outcome"], rollout["length"], rollout["ratio"])
    assert (None, None) == (printed["length"], printed["ratio"])
    assert "halted" in [event["event"] for event in events_of(files)]
    assert "not ended" in simulate(files).out


def test_what_comes_after_the_end_is_left_out(files: FleetFiles) -> None:
    """
    The end is given as a duration, a moment, or a day, which ends with its last minute.
    """
    assert "2026-03-02T09:29:00Z" == summary_of(files, "--until", "30m")["end"]
    assert "2026-03-02T10:14:00Z" == summary_of(files, "--until", "2026-03-02T10:15Z")["end"]
    assert "2026-03-03T00:00:00Z" == summary_of(files, "--until", "2026-03-02")["until"]
    assert not summary_of(files, "--until", "30m")["endedEarly"]


def test_the_time_of_a_zone_is_taken_in_utc(files: FleetFiles) -> None:
    """
    Ten o'clock in Berlin's winter is nine.
    """
    done = run("simulate", "--path", str(files.folder), "--from", "2026-03-02T10:00+01:00", "-o", "jsonl")

    assert "2026-03-02T09:00:00Z" == json.loads(done.out.splitlines()[0])["at"]


def test_without_a_date_it_begins_now(files: FleetFiles) -> None:
    """
    At a whole second.
    """
    done = run("simulate", "--path", str(files.folder), "-o", "json")

    check_schema("simulate", done.json)
    assert "." not in done.json["from"]


def test_cycles_come_at_their_interval(files: FleetFiles) -> None:
    """
    Every ten minutes: an upgrade of fourteen is seen after twenty, and has its samples after forty.
    """
    events = events_of(files, "--interval", "10m")

    converged = next(event for event in events if event["event"] == "converged")
    assert ("2026-03-02T09:40:00Z", 5) == (converged["at"], converged["cycle"])


def test_an_inventory_stands_for_the_whole_live_fleet(files: FleetFiles, tmp_path: Path) -> None:
    """
    Whatever sources are declared, those that cannot be simulated too.
    """
    files.write("fleet.yaml", FLEET.replace("type: simulated, inventory: simulation/clusters.yaml", LAB))
    other = tmp_path / "other.yaml"
    other.write_text(INVENTORY.replace("count: 3", "count: 5"))

    assert 5 == summary_of(files, "--inventory", str(other))["rollouts"][0]["clusters"]


def test_live_clusters_are_played_as_they_are_seen_now(files: FleetFiles, tmp_path: Path) -> None:
    """
    Under their own names and labels; what cannot be read is left out and named, and nothing is written to any of them.
    """
    lab = tmp_path / "lab"
    lab.mkdir()
    LabWorld(lab)
    lab_in(files, lab)
    before = {path: path.read_bytes() for path in lab.rglob("*") if path.is_file()}
    done = simulate(files, "-o", "json")

    assert 2 == done.json["rollouts"][0]["clusters"]
    assert "source try: 2 clusters as seen at " in done.err
    assert before == {path: path.read_bytes() for path in lab.rglob("*") if path.is_file()}

    (cluster_folder(lab, "lab-2") / "status.json").write_text("{}")
    done = simulate(files, "-o", "json")
    assert 1 == done.json["rollouts"][0]["clusters"]
    assert "left out, since they could not be read: lab-2" in done.err


def test_a_live_fleet_that_cannot_be_read_is_not_played(files: FleetFiles) -> None:
    """
    An outside system failed, and an inventory would do.
    """
    lab_in(files, "/nowhere")

    assert "--inventory FILE" in simulate(files, code=4).err


def lab_in(files: FleetFiles, directory: Path | str) -> None:
    """Declare a lab as the one source, all of whose clusters the group claims."""
    lab = f"type: lab, directory: {directory}"
    files.write("fleet.yaml", FLEET.replace("type: simulated, inventory: simulation/clusters.yaml", lab))
    claims = ", ".join(f"{key}: {value}" for key, value in LABELS.items())
    files.group(f"  metadataVersion: hold\n{WAVES}", clusters=f"{{selector: {{matchLabels: {{{claims}}}}}}}")


def test_an_invalid_declaration_is_told_with_file_and_line(files: FleetFiles) -> None:
    """
    As ``validate`` tells it, on standard error.
    """
    files.group(version="4.10")

    done = simulate(files, code=1)

    assert done.err.startswith("groups/prod.yaml:5: spec.kafkaVersion: found '4.10', expected ")
    assert "" == done.out


def test_an_invalid_inventory_is_told_with_file_and_line(files: FleetFiles, tmp_path: Path) -> None:
    """
    Also one that is given on the command line.
    """
    other = tmp_path / "other.yaml"
    other.write_text(INVENTORY.replace("4.2.1", "4.2"))

    done = simulate(files, "--inventory", str(other), code=1)

    assert f"{other}:5: spec.clusters[0].kafkaVersion: found '4.2'" in done.err


def test_a_folder_or_an_inventory_that_is_not_there_cannot_be_read(files: FleetFiles, tmp_path: Path) -> None:
    """
    A sentence that names it, and the exit code of what lies outside.
    """
    missing = tmp_path / "nowhere"

    assert f"{missing}: found no such folder" in run("simulate", "--path", str(missing), *FROM, code=4).err
    assert f"{missing}: cannot be read" in simulate(files, "--inventory", str(missing), code=4).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "soon"), "found 'soon', expected a time such as"),
        (("--from", "0001-01-01"), "expected from 1970 to 2200"),
        (("--until", "later"), "found 'later', expected a time such as"),
        (("--until", "2026-03-01"), "expected a moment after 2026-03-02T09:00:00Z"),
        (("--until", "0d"), "expected a moment after"),
        (("--until", "99999d"), "expected at most 3660d after"),
        (("--interval", "1"), "found '1', expected a duration"),
        (("--interval", "0s"), "Invalid value for --interval: found '0s', expected between 1s and 1d"),
        (("--interval", "2d"), "Invalid value for --interval: found '2d', expected between 1s and 1d"),
        (("--interval", "soon"), "Invalid value for --interval: found 'soon', expected a duration"),
        (("--from", "9999-12-31"), "Invalid value for --from: found '9999-12-31', expected from 1970 to 2200"),
        (("--from", "0001-01-01T00:00+05:00"), "Invalid value for --from: found '0001-01-01T00:00+05:00', expected a"),
        (("--until", "99999999999d"), "Invalid value for --until: found '99999999999d', expected a time such as"),
        (("--until", "9999-12-31"), "Invalid value for --until: found '9999-12-31', expected at most 3660d after"),
        (("--seed", "-1"), "'--seed'"),
        (("-o", "xml"), "xml"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_played(
    files: FleetFiles, arguments: tuple[str, ...], told: str
) -> None:
    """
    Exit code 2, with what was found and what was expected.
    """
    done = simulate(files, *arguments, code=2)

    assert told in " ".join(done.err.replace("│", " ").split())
    assert "" == done.out


def test_a_bar_is_shown_on_a_terminal_alone(files: FleetFiles) -> None:
    """
    On standard error, and only where standard output is not the same terminal; what is printed stays the same.
    """
    command = [sys.executable, "-m", "controller", "simulate", "--path", str(files.folder), *FROM, "-o", "json"]
    leader, follower = pty.openpty()
    with_bar = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=follower, check=True, timeout=60)
    os.close(follower)
    shown = os.read(leader, 65536)
    os.close(leader)

    without = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)

    assert b"simulating" in shown
    assert b"" == without.stderr
    assert without.stdout == with_bar.stdout
