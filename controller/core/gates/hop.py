"""The hop gate: every start is a legal hop from what was observed, and its risk was accepted."""

from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def hop(illegal: str | None, risk: str | None, accepted: frozenset[str]) -> Verdict:
    """Hold where the hop is ``illegal`` (the sentence why), or has a ``risk`` that the group does not accept."""
    if illegal is not None:
        return Hold(HoldReason.NO_LEGAL_HOP, illegal)
    if risk is not None and risk not in accepted:
        return Hold(
            HoldReason.RISK_NOT_ACCEPTED,
            f"going from 3.x to 4.x cuts off clients older than 2.1 ({risk}), which brokers cannot tell us; "
            f"make sure there are none and accept it with acceptRisks: [{risk}]",
        )
    return PASS
