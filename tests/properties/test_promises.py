"""The safety promises as properties of plays drawn by chance, one promise at a time, by the names of the design.

A play begins with some fleet and some declaration and goes on through what people, operators and bad days do to them,
so every history here was reached, not made up. The checkers share no code with the core.
"""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.pure import play_at_random
from tests.simulation.promises import AT_THE_END, RULES

CYCLES = 40

by_chance = st.randoms(use_true_random=False) | st.randoms(use_true_random=True)
"""One kind shrinks well, the other comes further."""


@pytest.mark.parametrize("promise", sorted(RULES))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=by_chance)
def test_no_play_breaks(promise: str, random: Random) -> None:
    """
    Safety: in no cycle of a play does the plan break this promise.
    """
    play_at_random(random, CYCLES, frozenset({promise}))


def test_every_promise_of_the_design_has_a_checker() -> None:
    """
    The names are those of the design; what is left out is checked elsewhere.
    """
    elsewhere = {"twice-harmless", "one-writer", "ends"}
    design = {
        "one-wave", "healthy-first", "unknown-holds", "in-bounds", "soak-first", "in-window", "legal-hop", "order",
        "finalize-last", "halt-sticks", "record-first", "twice-harmless", "one-writer", "ends",
    }  # fmt: skip

    assert design == {*RULES, *AT_THE_END} | elsewhere
