"""The operator gate: a target that the cluster's operator does not support, or just refused, is not asked for."""

from datetime import datetime

from controller.model.durations import format_moment
from controller.model.verdict import PASS, Hold, HoldReason, Verdict
from controller.versions import KafkaVersion


def operator(target: KafkaVersion, supported: tuple[KafkaVersion, ...] | None) -> Verdict:
    """Hold where the operator tells the releases it supports and ``target`` is not among them."""
    if supported is None or target in supported:
        return PASS
    within = supported[0] < target < supported[-1]
    known = ", ".join(map(str, supported)) if within else f"{supported[0]} to {supported[-1]}"
    return Hold(
        HoldReason.OPERATOR_UNSUPPORTED,
        f"its operator supports {known}, not {target}; upgrade the operator first",
    )


def refusal(sentence: str, retry_at: datetime, now: datetime) -> Verdict:
    """Hold for a while after a write was refused, so that a refusal is seen and not hammered on."""
    if sentence and now < retry_at:
        return Hold(
            HoldReason.WRITE_REFUSED,
            f"the last write was refused: {sentence}; tried again {format_moment(retry_at, now)}",
            recheck_at=retry_at,
        )
    return PASS
