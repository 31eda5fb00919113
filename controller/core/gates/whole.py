"""The whole gate: a level that cannot be lowered again is finalized once the whole group proved its release."""

from collections.abc import Sequence
from datetime import datetime

from controller.model.durations import format_moment
from controller.model.verdict import PASS, Hold, HoldReason, Verdict

_SHOWN = 5


def whole(missing: Sequence[str], begins_at: datetime | None, now: datetime) -> Verdict:
    """Hold while anybody of the group is not on its release, and until ``finalize.soak`` is over at ``begins_at``."""
    if missing:
        more = f" (+{len(missing) - _SHOWN} more)" if len(missing) > _SHOWN else ""
        shown = "; ".join(missing[:_SHOWN])
        return Hold(HoldReason.GROUP_NOT_ON_TARGET, f"not the whole group is well on its release: {shown}{more}")
    if begins_at is None:
        return Hold(HoldReason.GROUP_NOT_ON_TARGET, "the whole group was not yet seen healthy on its release")
    if now < begins_at:
        return Hold(
            HoldReason.SOAKING, f"the group soaks on its release until {format_moment(begins_at, now)}", begins_at
        )
    return PASS
