"""The window gate: upgrades start only in the times that a group declares."""

from datetime import datetime

from controller.model.durations import format_moment
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def window(*, is_open: bool, opens_at: datetime | None, now: datetime) -> Verdict:
    """Hold until the next window opens."""
    if is_open:
        return PASS
    when = "within a week" if opens_at is None else f"before {format_moment(opens_at, now)}"
    return Hold(HoldReason.OUTSIDE_WINDOW, f"no window opens {when}", recheck_at=opens_at)
