"""``wavefleet check``: what the daemon will need, tried one by one."""

import shutil

from tests.cli.worlds import INVALID, STAGING, Desk


def test_everything_that_is_there_is_ok(desk: Desk) -> None:
    """
    Repository, declaration, ledger, each source and each channel, with what was found.
    """
    printed = desk.read("check", "check")

    names = [it["name"] for it in printed]
    assert ["repository", "declaration", "ledger", "source try", "channel notes", "channel log"] == names
    assert all(it["ok"] for it in printed), printed
    assert "ok      source try: 8 clusters" in desk.run("check").out


def test_what_is_missing_is_told_and_the_rest_is_tried(desk: Desk) -> None:
    """
    One failure hides no other, and says what to do.
    """
    shutil.rmtree(desk.repository.bare)

    printed = desk.read("check", "check", code=4)

    found = {it["name"]: it["ok"] for it in printed}
    assert {"repository": False, "ledger": True, "channel notes": False, "channel log": True} == found
    assert "MISSING repository: " in desk.run("check", code=4).out


def test_an_invalid_head_is_found(desk: Desk) -> None:
    """
    With its problems.
    """
    desk.publish({STAGING: INVALID})

    assert f"MISSING declaration: {STAGING}:1: " in desk.run("check", code=4).out


def test_a_channel_without_its_setting_is_found(desk: Desk) -> None:
    """
    A token without a channel says nothing to anybody.
    """
    desk.settings["slack_token"] = "xoxb-of-the-test"

    assert "MISSING channels: WAVEFLEET_SLACK_CHANNEL: found nothing" in desk.run("check", code=4).out


def test_a_check_starts_nothing(desk: Desk) -> None:
    """
    No cycle, no notes, no simulated fleet.
    """
    desk.run("check")

    assert "" == desk.repository.notes("refs/notes/wavefleet", desk.repository.head)
    assert [] == [path.name for path in (desk.folder / "state").glob("*.simulated.json")]
