"""A source of live clusters that is not there: its clusters are unknown, and the rest goes on."""

import pytest

from tests.builders_repository import group_text
from tests.cli.worlds import FLEET, NEW, STAGING, Desk

LOST = "    - {name: lab, type: lab, directory: /nowhere/wavefleet-lab}\n"


@pytest.fixture
def half(desk: Desk) -> Desk:
    """A desk whose fleet has a lab that was never made, beside its simulated clusters."""
    desk.publish({"fleet.yaml": FLEET + LOST, "groups/lab.yaml": group_text("lab", version=NEW)})
    return desk


def test_a_lab_that_was_never_made_keeps_no_other_group_waiting(half: Desk) -> None:
    """
    The other source's clusters are judged and started.
    """
    half.bump(STAGING)

    plan = half.read("plan", "cycle")

    assert ["staging"] == [start["group"] for start in plan["starts"]]


def test_a_lab_that_was_never_made_is_named_by_check(half: Desk) -> None:
    """
    With its path; the other source is tried all the same.
    """
    printed = {it["name"]: it for it in half.read("check", "check", code=4)}

    assert printed["source try"]["ok"]
    assert not printed["source lab"]["ok"]
    assert "/nowhere/wavefleet-lab" in printed["source lab"]["sentence"]
