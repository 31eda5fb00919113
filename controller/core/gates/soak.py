"""The soak gate: a wave must run quietly for a while before the next one starts.

Faults of a new Kafka release tend to show under a full day's load, not in the first healthy minute. So only time in
which every converged cluster of the wave was *observed* healthy counts: an hour that nobody saw proves nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.model.durations import counted, format_rough
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


@dataclass(frozen=True, slots=True)
class PreviousWave:
    """The wave admitted last."""

    name: str
    has_soaked: bool
    has_begun: bool
    """Its last cluster has come to rest, so that it soaks."""
    done: int
    of: int
    soaked: timedelta
    soak: timedelta
    """How long it must soak."""
    paused: str = ""
    """Why the time since the last cycle does not count; empty where it does."""


def soak(previous: PreviousWave | None, others_in_flight: int, now: datetime) -> Verdict:
    """Hold until ``previous`` has soaked, and nothing is in flight for an earlier target of the group."""
    if others_in_flight:
        return Hold(HoldReason.WAVE_UNDER_WAY, f"still in flight for an earlier target: {counted(others_in_flight)}")
    if previous is None or previous.has_soaked:
        return PASS
    if not previous.has_begun:
        return Hold(
            HoldReason.WAVE_UNDER_WAY,
            f"wave {previous.name} is under way, {previous.done} of {counted(previous.of)} done",
        )
    left = previous.soak - previous.soaked
    if left <= timedelta(0) and not previous.paused:
        return Hold(HoldReason.WAVE_UNDER_WAY, f"wave {previous.name} was quiet long enough, but has failed clusters")
    paused = f", paused while {previous.paused}" if previous.paused else ""
    return Hold(
        HoldReason.SOAKING,
        f"wave {previous.name} has soaked {format_rough(previous.soaked)} of {format_rough(previous.soak)}{paused}",
        recheck_at=None if previous.paused else now + left,
    )
