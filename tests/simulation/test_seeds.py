"""Sixty bad days from fixed seeds: safe on the way, over once trouble ends, and nothing left unvisited.

For more seeds: ``python -m tests.simulation --seeds 1000 --from 60``.
"""

from functools import cache

import pytest

from tests.simulation.play import Reached
from tests.simulation.reaching import counted
from tests.simulation.run import run

SEEDS = 60


@cache
def played(seed: int) -> Reached:
    """Play a seed once in this process, and return what it reached."""
    return run(seed).reached


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_it_stays_safe_and_comes_to_an_end(seed: int) -> None:
    """
    Safety: no promise is broken in any cycle. Liveness: once trouble stops every group ends or waits for a person.
    """
    assert played(seed).entries


@pytest.mark.timeout(600)
def test_together_the_seeds_leave_nothing_unvisited() -> None:
    """
    Every reason to hold, every entry, every legal move and every outcome that exists is reached by the seeds above.
    """
    reached = Reached()
    for seed in range(SEEDS):
        reached.add(played(seed))

    assert {} == {
        f"{kind} {name}": count
        for kind, counts in counted(reached).items()
        for name, count in counts.items()
        if count == 0
    }
