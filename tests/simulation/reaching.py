"""What a simulation has to reach to be worth its name: every reason to hold, entry, move and outcome there is.

Taken from the product's own lists, so that what is added there has to be reached here, or to be named as not built.
"""

from collections.abc import Mapping
from typing import get_args

from controller.core.transitions import TRANSITIONS
from controller.model.entries import ClusterStarted, Entry
from controller.model.history import ClusterState, Outcome
from controller.model.verdict import HoldReason
from tests.simulation.play import Reached

HOLDS_TO_COME = frozenset(
    {
        HoldReason.WINDOW_TOO_SHORT,
        HoldReason.GATE_FAILED,
        HoldReason.GATE_UNANSWERED,
        HoldReason.NEVER_TOGETHER,
        HoldReason.BREAKER_OPEN,
    }
)
"""Reasons whose rules are not built yet."""
MOVES_TO_COME = frozenset(
    {
        (ClusterState.FAILED, ClusterStarted),
        *((state, entry) for state, entry in TRANSITIONS if state is ClusterState.DOWNGRADING),
    }
)
"""Moves of a downgrade, which is not built yet."""


def expected() -> Mapping[str, frozenset[str]]:
    """Return what is to be reached, by its kind."""
    moves = TRANSITIONS.keys() - MOVES_TO_COME
    return {
        "hold": frozenset(reason.value for reason in HoldReason if reason not in HOLDS_TO_COME),
        "entry": frozenset(kind.__name__ for kind in get_args(Entry)),
        "move": frozenset(f"{state} {entry.__name__}" for state, entry in moves),
        "outcome": frozenset(outcome.value for outcome in Outcome),
    }


def counted(reached: Reached) -> Mapping[str, Mapping[str, int]]:
    """Return how often each of what is expected was reached, by its kind."""
    counts = {
        "hold": reached.holds,
        "entry": reached.entries,
        "move": reached.transitions,
        "outcome": reached.outcomes,
    }
    return {kind: {name: counts[kind][name] for name in sorted(names)} for kind, names in expected().items()}


def table(reached: Reached) -> str:
    """Return the counts as a table for people."""
    lines = [(kind, name, count) for kind, counts in counted(reached).items() for name, count in counts.items()]
    return "\n".join(f"{count:8} {kind:8} {name}" for kind, name, count in lines)
