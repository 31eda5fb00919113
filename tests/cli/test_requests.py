"""``wavefleet halt`` and ``resume`` without a daemon: what people say is kept until a cycle takes it in."""

import pytest

from tests.cli.worlds import STAGING, Desk


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A desk whose ledger is there, and whose daemon is not running."""
    desk.run("cycle")
    return desk


def test_a_command_without_a_daemon_waits_in_vain_and_stays_recorded(asked: Desk) -> None:
    """
    It says so, and the next cycle takes it in.
    """
    done = asked.run("halt", "staging", "--reason", "INC-4711", "--wait", "0.1", code=4)
    assert "request 1 was not taken in within 0.1 s; it stays recorded" in done.err
    asked.bump(STAGING)

    printed = asked.run("cycle").out

    assert "halted as staging-1 by" in printed
    assert "INC-4711" in printed
    assert "\nstart " not in printed


def test_a_command_need_not_wait(asked: Desk) -> None:
    """
    ``--wait 0`` records and returns.
    """
    assert (
        "recorded as request 1; the daemon's next cycle takes it in\n"
        == asked.run("halt", "--reason", "INC-4711", "--wait", "0").out
    )


def test_a_halt_of_the_fleet_stops_every_group_until_it_is_resumed(asked: Desk) -> None:
    """
    Who said why is shown wherever the halt is.
    """
    asked.run("halt", "--reason", "INC-4711", "--by", "ana", "--wait", "0")
    asked.bump(STAGING)
    plan = asked.read("plan", "cycle")
    assert ["FleetHalted"] == [hold["reason"] for hold in plan["holds"]]
    assert "halted as fleet-1 by ana: INC-4711" in plan["holds"][0]["detail"]
    assert [] == plan["starts"]

    asked.run("resume", "--reason", "fixed", "--by", "ben", "--wait", "0")

    assert 1 == len(asked.read("plan", "cycle")["starts"])
    history = asked.run("history", "fleet").out
    assert "halt fleet-1 by ana: INC-4711" in history
    assert "fleet-1 acknowledged by ben: fixed" in history


def test_one_halt_is_resumed_by_its_number(asked: Desk) -> None:
    """
    Each was somebody's decision; lifting one leaves the other.
    """
    asked.run("halt", "staging", "--reason", "one", "--wait", "0")
    asked.run("halt", "staging", "--reason", "two", "--wait", "0")
    asked.bump(STAGING)
    asked.run("cycle")
    asked.run("resume", "staging", "--number", "1", "--wait", "0")

    plan = asked.read("plan", "cycle")

    (staging,) = [group for group in plan["groups"] if group["name"] == "staging"]
    (halted,) = [hold["detail"] for hold in staging["holds"] if hold["reason"] == "GroupHalted"]
    assert halted.startswith("halted as staging-2 by "), halted
    assert [] == plan["starts"]


def test_a_halt_needs_a_reason(asked: Desk) -> None:
    """
    Force exists only as a recorded act with a name and a reason.
    """
    assert "Missing option '--reason'" in asked.run("halt", "staging", code=2).err


@pytest.mark.parametrize("command", [("halt", "staging"), ("resume", "staging"), ("halt",), ("resume",)])
def test_a_reason_has_an_end(asked: Desk, command: tuple[str, ...]) -> None:
    """
    Five hundred characters are taken, one more is wrong usage, told with both numbers, and nothing is recorded.
    """
    done = asked.run(*command, "--reason", "x" * 501, "--wait", "0", code=2)

    assert "--reason: found 501 characters, expected 1 to 500 characters on one line" in done.err
    assert "recorded as request 1;" in asked.run(*command, "--reason", "ä" * 500, "--wait", "0").out


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("INC-1\x1b[2J", "the character U+001B"),
        ("INC-1\nstaging halted as staging-9", "the character U+000A"),
        ("INC-1\t", "the character U+0009"),
        ("INC-1\x9b2J", "the character U+009B"),
        ("INC-1\u202edeifitsuj", "the character U+202E"),
        ("INC-1\udcff", "the character U+DCFF"),
        ("  ", "nothing"),
        ("", "nothing"),
    ],
)
def test_a_reason_cannot_rewrite_what_people_see(asked: Desk, reason: str, found: str) -> None:
    """
    It is shown on terminals, in Slack and in commit statuses: no control character gets that far.
    """
    done = asked.run("halt", "--reason", reason, code=2)

    assert f"--reason: found {found}, expected 1 to 500 characters" in done.err
    assert "\x1b" not in done.err


def test_a_name_has_the_same_bounds(asked: Desk) -> None:
    """
    Who says so is shown wherever the reason is.
    """
    assert "--by: found 101 characters" in asked.run("halt", "--reason", "x", "--by", "y" * 101, code=2).err
    assert "--by: found the character U+000D" in asked.run("resume", "--by", "ana\r", code=2).err


@pytest.mark.parametrize("revision", ["abc", "HEAD", "abcdefg", "ABCDEF0"])
def test_what_is_no_revision_is_refused(asked: Desk, revision: str) -> None:
    """
    As wrong usage, before anything is recorded.
    """
    done = asked.run("resume", "--revision", revision, code=2)

    assert f"--revision: found {revision!r}, expected at least 7 digits of a revision" in done.err


def test_asking_needs_a_ledger(desk: Desk) -> None:
    """
    A mistyped path must not look like a halt that was taken.
    """
    assert "found no ledger" in desk.run("halt", "--reason", "INC-4711", code=4).err
    assert not (desk.folder / "state").exists()
