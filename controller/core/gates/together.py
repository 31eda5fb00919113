"""The never-together gate: of clusters that stand in for each other, one at a time is touched."""

from collections.abc import Iterable

from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def together(busy: Iterable[tuple[str, str, str]]) -> Verdict:
    """Hold while another of the same set is in flight or soaking; ``busy``: label, value and that cluster's name."""
    for label, value, other in busy:
        return Hold(
            HoldReason.NEVER_TOGETHER, f"{other} is in flight or soaking, and both have the label {label}: {value}"
        )
    return PASS
