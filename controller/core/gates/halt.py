"""The halt gate: after a halt nothing starts until a person has resumed it."""

from collections.abc import Sequence

from controller.history.records import Stop
from controller.model.verdict import PASS, Hold, HoldReason, Verdict


def fleet_halt(*, declared: bool, halts: Sequence[Stop]) -> Verdict:
    """Hold while the whole fleet is halted, by commit or by command."""
    if declared:
        return Hold(HoldReason.FLEET_HALTED, "fleet.yaml says halted: true; set it to false to go on")
    if halts:
        return Hold(HoldReason.FLEET_HALTED, f"{_halts(halts)}; to go on run: wavefleet resume")
    return PASS


def group_halt(group: str, *, declared: bool, halts: Sequence[Stop]) -> Verdict:
    """Hold while the group is halted, by commit, by command or by its failures."""
    if declared:
        return Hold(HoldReason.GROUP_HALTED, f"{group} says halted: true; set it to false to go on")
    if halts:
        ids = ", ".join(stop.id for stop in halts)
        return Hold(
            HoldReason.GROUP_HALTED,
            f"{_halts(halts)}; to go on merge acknowledge: [{ids}] or run: wavefleet resume {group}",
        )
    return PASS


def _halts(halts: Sequence[Stop]) -> str:
    return "; ".join(f"halted as {stop.id} by {stop.by}: {stop.detail}" for stop in halts)
