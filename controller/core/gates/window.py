"""The window gate: upgrades start only in the times that a group declares, and where they are likely to finish."""

from datetime import datetime, timedelta

from controller.model.durations import format_moment, format_rough
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def window(*, is_open: bool, opens_at: datetime | None, now: datetime) -> Verdict:
    """Hold until the next window opens."""
    if is_open:
        return PASS
    when = "within a week" if opens_at is None else f"before {format_moment(opens_at, now)}"
    return Hold(HoldReason.OUTSIDE_WINDOW, f"no window opens {when}", recheck_at=opens_at)


def room(closes_at: datetime | None, opens_at: datetime | None, expected: timedelta, now: datetime) -> Verdict:
    """Hold where the open window closes before an upgrade of the ``expected`` length would be done."""
    if closes_at is None or now + expected <= closes_at:
        return PASS
    return Hold(
        HoldReason.WINDOW_TOO_SHORT,
        f"an upgrade takes about {format_rough(expected)}, and the window closes {format_moment(closes_at, now)}",
        recheck_at=opens_at,
    )
