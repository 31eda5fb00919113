"""``wavefleet plan``: the waves before they run, from a folder or the branch, and nothing is written."""

from pathlib import Path

from tests.cli.worlds import AT, INVALID, NEW, OLD, PROD, STAGING, VALID, Desk


def test_a_fleet_on_target_has_nothing_to_do(desk: Desk) -> None:
    """
    A line per group, and what no group claims.
    """
    assert [
        f"✓ prod → {OLD}: all 4 clusters on target",
        f"✓ staging → {OLD}: all 3 clusters on target",
        "claimed by no group, never touched: stray-1",
    ] == desk.run("plan").out.splitlines()


def test_the_plan_of_a_bump_has_waves_clusters_soaks_and_holds(desk: Desk) -> None:
    """
    As JSON by the schema: groups with waves of short names and soaks such as 4h, holds, starts, and unclaimed ones.
    """
    desk.bump(STAGING, PROD)

    plan = desk.read("plan", "plan", "--at", AT)

    prod, staging = plan["groups"]
    assert (NEW, "software", "pending", 4) == (prod["target"], prod["rollout"], prod["state"], prod["of"])
    assert [("canary", 1, "1d"), ("early", 1, "4h"), ("rest", 2, "4h")] == [
        (wave["name"], len(wave["clusters"]), wave["soak"]) for wave in prod["waves"]
    ]
    assert {f"prod-{n}" for n in range(1, 5)} == {name for wave in prod["waves"] for name in wave["clusters"]}
    (hold,) = prod["holds"]
    assert ("GroupOrder", None) == (hold["reason"], hold["cluster"])
    (start,) = plan["starts"]
    assert staging["waves"][0]["clusters"] == [start["cluster"]]
    assert ("staging", OLD, NEW) == (start["group"], start["from"], start["to"])
    assert ["stray-1"] == plan["unclaimed"]


def test_a_plan_as_text_says_what_starts(desk: Desk) -> None:
    """
    The group's sentence, its waves below, and each start.
    """
    desk.bump(STAGING)

    lines = desk.run("plan", "--at", AT).out.splitlines()

    assert any(line.startswith(f"… staging → {NEW}: wave 1/3 canary") for line in lines), lines
    assert any(
        line.startswith("    wave 2 early: 1 cluster, soak 4h, to come, likely Tue 2026-03-03 09:32 UTC: staging-")
        for line in lines
    ), lines
    assert any(line.startswith("start staging-") and line.endswith(f"{OLD} → {NEW} (staging)") for line in lines), lines


def test_a_plan_as_markdown_is_a_document(desk: Desk) -> None:
    """
    A heading per group and a table of its waves.
    """
    desk.bump(STAGING)

    text = desk.run("plan", "--at", AT, "-o", "md").out

    assert text.startswith("# Plan\n")
    assert "\n## staging\n" in text
    assert (
        "\n| wave | clusters | soak | state | likely start | which |\n|---|---|---|---|---|---|\n| 1 canary | 1 | 1d |"
        in text
    )
    assert "\n| 4.2.1 | 4.2-IV1 | 4.3.1 | 3 |\n" in text
    assert "\nLikely end: Tue 2026-03-03 " in text
    assert "\nBlast radius, clusters started before a fault shows itself: 1 after 10m, 1 after 1h, " in text


def test_planning_writes_nothing(desk: Desk) -> None:
    """
    Neither a ledger nor a simulated fleet's state comes of it, and the branch gets no notes.
    """
    head = desk.bump(STAGING)

    desk.run("plan")

    assert [] == sorted(path.name for path in (desk.folder / "state").glob("*ledger*"))
    assert "" == desk.repository.notes("refs/notes/wavefleet", head)


def test_a_folder_is_planned_before_it_is_committed(desk: Desk) -> None:
    """
    ``--path`` shows what would come of files on this disk.
    """
    folder = desk.folder / "checkout"
    for path, text in VALID.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace(OLD, NEW) if path == STAGING else text)

    assert f"staging → {NEW}" in desk.run("plan", "--path", str(folder), "--at", AT).out
    assert f"staging → {OLD}" in desk.run("plan", "--at", AT).out


def test_an_invalid_folder_prints_its_problems(tmp_path: Path, desk: Desk) -> None:
    """
    As ``validate`` tells them, on standard error, with the exit code of wrong input.
    """
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "fleet.yaml").write_text("kind: Fleet\n")

    done = desk.run("plan", "--path", str(folder), code=1)

    assert "" == done.out
    assert done.err.startswith("fleet.yaml:1: apiVersion: found ")


def test_an_invalid_head_prints_its_problems(desk: Desk) -> None:
    """
    The same for the branch.
    """
    desk.publish({STAGING: INVALID})

    assert f"{STAGING}:1: " in desk.run("plan", code=1).err


def test_fail_on_hold_tells_scripts(desk: Desk) -> None:
    """
    Exit code 3 where something is held, after the plan was printed; 0 where nothing is, or nobody asked.
    """
    desk.run("plan", "--fail-on-hold")
    desk.bump(PROD)

    desk.run("plan", "--at", AT)
    assert "GroupOrder" in desk.run("plan", "--at", AT, "--fail-on-hold", code=3).out


def test_the_time_of_a_plan_can_be_chosen(desk: Desk) -> None:
    """
    A window that is closed on Sunday holds on Sunday, and the hold says when it opens.
    """
    window = '  windows: [{days: [mon], from: "09:00", until: "10:00", timezone: UTC}]\n'
    desk.publish({STAGING: VALID[STAGING].replace(OLD, NEW) + window})

    sunday = desk.read("plan", "plan", "--at", "2026-03-01T12:00Z")
    monday = desk.read("plan", "plan", "--at", "2026-03-02T10:00+01:00")

    (hold,) = [it for group in sunday["groups"] if group["name"] == "staging" for it in group["holds"]]
    assert ("OutsideWindow", "2026-03-02T09:00:00Z") == (hold["reason"], hold["recheckAt"])
    assert [] == sunday["starts"]
    assert 1 == len(monday["starts"])


def test_a_plan_in_observe_mode_says_that_nothing_starts(desk: Desk) -> None:
    """
    The sentence says what would start.
    """
    desk.bump(STAGING)
    desk.settings["mode"] = "observe"

    done = desk.run("plan", "--at", AT)

    assert "would start staging-" in done.out
    assert "\nstart " not in done.out


def test_without_a_repository_the_sentence_says_how_to_name_one(desk: Desk) -> None:
    """
    Variable, flag and key, and the exit code of wrong usage.
    """
    desk.settings["repository"] = None

    done = desk.run("plan", code=2)

    assert "WAVEFLEET_REPOSITORY: found nothing, expected the fleet repository" in done.err
    assert "--repository" in done.err


def test_a_repository_that_cannot_be_read_is_an_outside_failure(desk: Desk) -> None:
    """
    Whether it is not there or has no such branch.
    """
    desk.run("plan", "--branch", "nowhere", code=4)
    desk.settings["repository"] = (desk.folder / "nowhere.git").as_uri()

    assert "nowhere.git" in desk.run("plan", code=4).err


def test_a_plan_sees_what_the_ledger_remembers(desk: Desk) -> None:
    """
    A wave that a cycle has admitted is shown as admitted.
    """
    desk.bump(STAGING)
    desk.run("cycle")

    plan = desk.read("plan", "plan")

    (staging,) = [group for group in plan["groups"] if group["name"] == "staging"]
    assert [True, False, False] == [wave["admitted"] for wave in staging["waves"]]
    assert 1 == staging["inFlight"]


def test_a_rewritten_history_is_planned_as_the_daemon_sees_it(desk: Desk) -> None:
    """
    What was in force stays, and the hold says that a person must accept the new history.
    """
    before = desk.repository.head
    desk.bump(STAGING)
    desk.run("cycle")
    desk.repository.reset(before)
    desk.repository.write({PROD: VALID[PROD].replace(OLD, NEW)})
    desk.repository.commit("Another history")
    desk.repository.push(force=True)

    plan = desk.read("plan", "plan")

    assert ["HistoryRewritten"] == [hold["reason"] for hold in plan["holds"]]
    assert [] == plan["starts"]


def test_a_pull_requests_head_is_planned_as_if_it_were_merged(desk: Desk) -> None:
    """
    ``--ref`` takes a ref of the remote, by any of its names; the branch itself is planned as before.
    """
    head = desk.bump(STAGING)
    desk.repository.git("push", "origin", f"{head}:refs/pull/12/head", f"{head}:refs/heads/bump")
    desk.repository.git("push", "--force", "origin", f"{head}^:refs/heads/main")

    for ref in ("refs/pull/12/head", "pull/12/head", "bump", head):
        assert f"staging → {NEW}" in desk.run("plan", "--ref", ref, "--at", AT).out, ref
    assert f"staging → {OLD}" in desk.run("plan", "--at", AT).out
    assert NEW == desk.read("explain", "explain", "staging-1", "--ref", "bump", "--at", AT)["target"]


def test_a_ref_that_is_not_there_is_told(desk: Desk) -> None:
    """
    With what was looked for; something that can be no ref is told before anybody is asked.
    """
    missing = desk.run("plan", "--ref", "pull/99/head", code=4).err
    strange = desk.run("plan", "--ref", "--upload-pack=x", code=2).err

    assert "found none of refs/heads/pull/99/head, refs/tags/pull/99/head, refs/pull/99/head" in missing
    assert "expected a branch, a tag, a ref such as refs/pull/12/head" in strange


def test_a_folder_and_a_ref_are_not_planned_together(desk: Desk) -> None:
    """
    It would not be clear which of them is meant.
    """
    assert "not both" in desk.run("plan", "--ref", "main", "--path", str(desk.folder), code=2).err
