"""The breaker: while too much of the fleet is unavailable, for whatever reason, nothing more is put at risk."""

from controller.model.verdict import PASS, Hold, HoldReason, Verdict

_SHOWN = 5


def breaker(unavailable: tuple[str, ...], claimed: int, percent: int) -> Verdict:
    """Hold while more than ``percent`` of ``claimed`` clusters, and more than one, are unavailable."""
    count = len(unavailable)
    if count <= 1 or count * 100 <= claimed * percent:
        return PASS
    more = f" (+{count - _SHOWN} more)" if count > _SHOWN else ""
    return Hold(
        HoldReason.BREAKER_OPEN,
        f"{count} of {claimed} clusters are unknown, missing or unhealthy, the limit is {percent}%: "
        f"{', '.join(unavailable[:_SHOWN])}{more}",
    )
