"""The approval gate: a wave that asks for a person's word waits for it, in Git and for this target alone."""

from collections.abc import Iterable
from datetime import datetime

from controller.model.declaration import Approval, Wave
from controller.model.durations import format_moment
from controller.model.verdict import PASS, Hold, HoldReason, Verdict
from controller.versions import KafkaVersion, Target


def approval(wave: Wave, target: Target, approvals: Iterable[Approval], now: datetime) -> Verdict:
    """Hold until somebody approved ``wave`` for ``target``, and again once that expired."""
    if not wave.approval_required:
        return PASS
    given = [each for each in approvals if each.wave == wave.name and each.target == target]
    if any(each.until is None or now < each.until for each in given):
        return PASS
    key = "version" if isinstance(target, KafkaVersion) else "metadataVersion"
    line = f"approvals: [{{wave: {wave.name}, {key}: {target}, by: YOUR-NAME}}]"
    if given:
        last = max(given, key=lambda each: each.until or now)
        assert last.until is not None, given
        return Hold(
            HoldReason.APPROVAL_MISSING,
            f"{last.by}'s approval of wave {wave.name} expired {format_moment(last.until, now)}; merge {line}",
        )
    return Hold(HoldReason.APPROVAL_MISSING, f"wave {wave.name} waits for approval; merge {line}")
