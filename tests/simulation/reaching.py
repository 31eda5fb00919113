"""What a simulation has to reach to be worth its name: every reason to hold, entry, move and outcome there is.

Taken from the product's own lists, so that what is added there has to be reached here, or to be named as not built.
"""

from collections.abc import Mapping
from typing import get_args

from controller.history.entries import Entry
from controller.history.records import ClusterState, Outcome, StopKind, Way
from controller.history.transitions import TRANSITIONS
from controller.model.verdict import HoldReason
from tests.simulation.play import Reached

WAYS = {Way.FORWARD, Way.DOWN, Way.FINALIZE}
OUT_OF_REACH: frozenset[tuple[ClusterState, type]] = frozenset()
"""Moves that the table allows and that nothing leads to, each with its reason."""


def expected() -> Mapping[str, frozenset[str]]:
    """Return what is to be reached, by its kind."""
    moves = {(state, entry) for state, entry in TRANSITIONS if (state, entry) not in OUT_OF_REACH}
    return {
        "hold": frozenset(reason.value for reason in HoldReason),
        "entry": frozenset(kind.__name__ for kind in get_args(Entry)),
        "move": frozenset(f"{state} {entry.__name__}" for state, entry in moves),
        "outcome": frozenset(outcome.value for outcome in Outcome),
        "way": frozenset(
            {"forward software", "forward metadata", "down software", "finalize metadata"} if set(Way) == WAYS else Way
        ),
        "stop": frozenset(kind.value for kind in StopKind),
        "start": frozenset({"on", "down", "back", "between", "finalize"}),
    }


def counted(reached: Reached) -> Mapping[str, Mapping[str, int]]:
    """Return how often each of what is expected was reached, by its kind."""
    counts = {
        "hold": reached.holds,
        "entry": reached.entries,
        "move": reached.transitions,
        "outcome": reached.outcomes,
        "way": reached.ways,
        "stop": reached.stops,
        "start": reached.starts,
    }
    return {kind: {name: counts[kind][name] for name in sorted(names)} for kind, names in expected().items()}


def table(reached: Reached) -> str:
    """Return the counts as a table for people."""
    lines = [(kind, name, count) for kind, counts in counted(reached).items() for name, count in counts.items()]
    return "\n".join(f"{count:8} {kind:8} {name}" for kind, name, count in lines)


def missed(reached: Reached) -> list[str]:
    """Return what was never reached."""
    return [
        f"{kind} {name}" for kind, counts in counted(reached).items() for name, count in counts.items() if not count
    ]
