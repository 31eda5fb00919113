"""The page on simulating and the schemas name every event and delay, and nothing else."""

import json
import re
from pathlib import Path

from controller.simulate.events import EventKind
from controller.simulate.lengths import DELAYS

ROOT = Path(__file__).parents[2]


def test_every_event_is_documented() -> None:
    """
    In the order of the code.
    """
    page = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
    table = page.partition("| event | happened |\n|---|---|\n")[2].partition("\n\n")[0]

    assert [kind.value for kind in EventKind] == re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)


def test_the_schemas_have_every_event_and_delay() -> None:
    """
    A program that reads them knows all that may come.
    """
    event = json.loads((ROOT / "schemas" / "simulate-event.schema.json").read_text(encoding="utf-8"))
    summary = json.loads((ROOT / "schemas" / "simulate.schema.json").read_text(encoding="utf-8"))
    radius = summary["properties"]["rollouts"]["items"]["properties"]["blastRadius"]

    assert [kind.value for kind in EventKind] == event["properties"]["event"]["enum"]
    assert list(DELAYS) == radius["required"]
