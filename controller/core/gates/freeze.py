"""The freeze gate: declared time in which nothing starts; it wins over every window."""

from collections.abc import Sequence
from datetime import datetime

from controller.model.calendar import Freeze
from controller.model.durations import format_moment
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def freeze(freezes: Sequence[Freeze], now: datetime) -> Verdict:
    """Hold until the last of ``freezes``, which all are in force now, is over."""
    if not freezes:
        return PASS
    last = max(freezes, key=lambda each: each.until)
    names = ", ".join(f"{each.name} ({each.reason})" for each in freezes)
    return Hold(HoldReason.FROZEN, f"frozen by {names} until {format_moment(last.until, now)}", recheck_at=last.until)
