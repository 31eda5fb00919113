"""The suspect gate: a release that halted one group is not given to another until a person has looked."""

from collections.abc import Iterable

from controller.history.records import Stop
from controller.model.verdict import PASS, Hold, HoldReason, Verdict
from controller.versions import Target


def suspect(target: Target, halts: Iterable[Stop], accepted: frozenset[str]) -> Verdict:
    """Hold while a halt of another group, caused by failures on ``target``, is neither acknowledged nor accepted."""
    against = [stop for stop in halts if stop.suspect == target and stop.id not in accepted]
    if not against:
        return PASS
    ids = ", ".join(stop.id for stop in against)
    return Hold(
        HoldReason.RELEASE_SUSPECT,
        f"{target} is suspect since {against[0].scope} halted ({against[0].detail}); acknowledge {ids} there, "
        f"or accept it here with acceptRisks: [{ids}]",
    )
