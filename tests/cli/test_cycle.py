"""``wavefleet cycle``: exactly one cycle, and an exit code that a scheduler can act on."""

import shutil
import sqlite3
from pathlib import Path

from controller.ledger.opening import open_ledger
from tests.cli.worlds import INVALID, NEW, OLD, STAGING, VALID, Desk
from tests.ledger.builders import NOON

NOTES = "refs/notes/wavefleet"


def test_a_cycle_starts_a_wave_and_reports(desk: Desk) -> None:
    """
    The plan is printed, the start is recorded, and the commit statuses are on the branch when the command ends.
    """
    head = desk.bump(STAGING)

    plan = desk.read("plan", "cycle")

    assert 1 == len(plan["starts"])
    assert "pending wavefleet/staging: staging → 4.3.1: wave 1/3 canary" in desk.repository.notes(NOTES, head)
    assert "success wavefleet/config: valid, 2 cluster groups" in desk.repository.notes(NOTES, head)


def test_the_next_cycle_does_not_start_it_again(desk: Desk) -> None:
    """
    Every run of the command is a new process's: it remembers by the ledger alone.
    """
    desk.bump(STAGING)
    desk.run("cycle")
    desk.run("cycle")

    started = [it["cluster"] for it in desk.read("history", "history") if it["entry"] == "ClusterStarted"]
    assert 1 == len(started)


def test_an_invalid_head_exits_with_wrong_input(desk: Desk) -> None:
    """
    Its problems are told with file and line; what was in force is still printed, and nothing starts.
    """
    desk.run("cycle")
    head = desk.publish({STAGING: INVALID})

    done = desk.run("cycle", code=1)

    assert f"{STAGING}:1: " in done.err
    assert f"staging → {OLD}" in done.out
    assert "\nstart " not in done.out
    assert f"error wavefleet/config: {STAGING}:1: " in desk.repository.notes(NOTES, head)


def test_a_first_head_that_is_invalid_exits_with_wrong_input(desk: Desk) -> None:
    """
    Nothing valid is known yet, and the author is told all the same.
    """
    head = desk.publish({STAGING: INVALID})

    done = desk.run("cycle", code=1)

    assert ("", True) == (done.out, f"{STAGING}:1: " in done.err)
    assert "error wavefleet/config: " in desk.repository.notes(NOTES, head)


def test_a_remote_that_cannot_be_read_is_an_outside_failure(desk: Desk) -> None:
    """
    With nothing known yet, and also later, when the last valid revision is still tracked and printed.
    """
    away = desk.folder / "away.git"
    desk.settings["git_timeout"] = "5s"
    shutil.move(desk.repository.bare, away)
    desk.run("cycle", code=4)
    shutil.move(away, desk.repository.bare)
    desk.run("cycle")
    shutil.move(desk.repository.bare, away)

    done = desk.run("cycle", code=4)

    assert f"staging → {OLD}: all 3 clusters on target" in done.out
    assert "fleet.git" in done.err


def test_a_branch_that_is_not_there_is_an_outside_failure(desk: Desk) -> None:
    """
    The sentence names the branches that are.
    """
    assert "found no branch release, found main" in desk.run("cycle", "--branch", "release", code=4).err


def test_an_empty_repository_is_an_outside_failure(desk: Desk) -> None:
    """
    The sentence says what to push.
    """
    shutil.rmtree(desk.repository.bare)
    desk.repository.git("init", "--quiet", "--bare", str(desk.repository.bare))

    assert "the repository is empty; push a branch main" in desk.run("cycle", code=4).err


def test_a_cycle_beside_a_daemon_does_nothing(desk: Desk) -> None:
    """
    The ledger has one writer; the sentence names it.
    """
    desk.run("cycle")
    head = desk.bump(STAGING)
    ledger = open_ledger(Path(str(desk.settings["ledger"])))
    assert ledger.acquire("another daemon", NOON)
    try:
        done = desk.run("cycle", code=4)
    finally:
        ledger.close()

    assert "the ledger is held by another daemon since" in done.err
    assert "" == desk.repository.notes(NOTES, head)


def test_a_ledger_of_another_fleet_is_refused(desk: Desk) -> None:
    """
    Nothing of the other fleet is recorded in it.
    """
    desk.run("cycle")
    desk.publish({"fleet.yaml": VALID["fleet.yaml"].replace("acme", "other")})
    before = desk.run("history").out

    done = desk.run("cycle", code=4)

    assert "found the ledger of fleet 'acme', expected one of 'other'" in done.err
    assert before == desk.run("history").out


def test_a_ledger_of_a_newer_release_is_refused(desk: Desk) -> None:
    """
    Nothing is applied without a memory that can be trusted.
    """
    desk.run("cycle")
    desk.bump(STAGING)
    with sqlite3.connect(str(desk.settings["ledger"])) as connection:
        connection.execute("UPDATE ledger SET schema_version = 99")
    connection.close()

    assert "found schema version 99" in desk.run("cycle", code=4).err


def test_fail_on_hold_tells_the_scheduler(desk: Desk) -> None:
    """
    Exit code 3 where something is held or halted; the cycle was run all the same.
    """
    desk.publish({STAGING: VALID[STAGING].replace(OLD, NEW) + "  halted: true\n"})

    done = desk.run("cycle", "--fail-on-hold", code=3)

    assert "held (GroupHalted)" in done.out
    desk.run("cycle")


def test_observe_mode_starts_nothing_and_says_so(desk: Desk) -> None:
    """
    In the plan, and in every status.
    """
    head = desk.bump(STAGING)
    desk.settings["mode"] = "observe"

    done = desk.run("cycle")

    assert "would start staging-" in done.out
    assert {"TargetDeclared", "RevisionSeen", "GroupJudged", "TargetReached"} >= {
        it["entry"] for it in desk.read("history", "history") if it["entry"] != "RolloutPlanned"
    }
    for line in desk.repository.notes(NOTES, head).splitlines():
        assert "wavefleet/config:" in line or "observe mode: " in line, line


def test_a_channel_that_is_down_does_not_fail_the_cycle(desk: Desk) -> None:
    """
    The wave is started, and its messages wait in the ledger.
    """
    head = desk.bump(STAGING)
    hook = desk.repository.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    done = desk.run("cycle")

    assert "not every message could be delivered; they wait in the ledger" in done.err
    assert 1 == desk.read("status", "status", "staging")["groups"][0]["inFlight"]
    assert "" == desk.repository.notes(NOTES, head)
