"""The revision gate: nothing starts on the word of a revision that may no longer be the branch's.

The commit that says "stop" may be the one that we cannot see, that does not parse, or that was written over.
"""

from datetime import datetime, timedelta

from controller.model.durations import format_moment, format_rough
from controller.model.snapshot import Standing
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def revision(standing: Standing, now: datetime, stale_after: timedelta) -> Verdict:
    """Hold while the branch's head is refused, rewritten, or was not confirmed for ``stale_after``."""
    if standing.rewritten_from is not None:
        return Hold(
            HoldReason.HISTORY_REWRITTEN,
            f"head {standing.head[:10]} does not descend from {standing.rewritten_from[:10]}, which was in force; "
            f"if that is meant, run: wavefleet resume --revision {standing.head[:10]}",
        )
    if standing.problems:
        first = standing.problems[0]
        more = f" (+{len(standing.problems) - 1} more)" if len(standing.problems) > 1 else ""
        return Hold(HoldReason.REVISION_INVALID, f"head {standing.head[:10]} is refused: {first}{more}; mend it in Git")
    why = f": {standing.unreachable}" if standing.unreachable else ""
    if standing.confirmed_at is None:
        return Hold(HoldReason.REVISION_STALE, f"the head was not confirmed since this process started{why}")
    age = now - standing.confirmed_at
    if age >= stale_after:
        return Hold(
            HoldReason.REVISION_STALE,
            f"the head was last confirmed {format_rough(age)} ago ({format_moment(standing.confirmed_at, now)}), "
            f"the limit is {format_rough(stale_after)}{why}",
        )
    return PASS
