"""``make bench``: measure, print, write docs/benchmarks.md, and fail where a promise is not kept."""

import os
import platform
import sys
from itertools import chain
from pathlib import Path

from tests.bench.brokers import brokers
from tests.bench.kubernetes import kubernetes
from tests.bench.measures import Figure, idle_cycle, judgement, loading, resident_memory
from tests.bench.rollouts import rollouts
from tests.bench.rolls import rolls

_PAGE = """\
# Benchmarks

Made by `make bench` with Python {python} on {cores} cores. Figures are ratios within one run, so that they mean the
same on another machine; the last column gives their scale.

| what | measured | at most | behind it |
|---|---|---|---|
{rows}

`plan_cycle` is linear in clusters and in the clusters of rollouts under way. A look at a cluster's brokers is linear in
its partitions, and takes a fixed number of round trips ([health](health.md)). Loading is linear in files, and after the
first time in changed files. An idle cycle runs one `git` and touches no file of the repository.

The rollouts are played by [`wavefleet simulate`](simulate.md), which works out the lower bound apart from the planner.
Their clusters have three to seven brokers, four minutes each and two to settle, and three samples; a group has waves of
1 (soak 24 h), 10 % (4 h) and the rest (4 h). Where there are many groups, each stands in a chain by `after`, and
starts on weekdays, by day or by night. The other policies play the same clusters, waves, slots, soaks,
samples, windows and chains, one new wave a cycle:

- *batch barrier*: the next batch, as large as the slots of its wave, starts when the whole batch is done. It soaks once
  a wave, not once a batch, which is the quicker way.
- *sliding window*: a cluster keeps its slot until its own soak is over: a slot of its wave, none of the fleet's.

Neither is held up by a window too short for another upgrade, as ours is.
"""
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> int:
    """Return 0 where every figure keeps its bound."""
    figures = []
    measures = (judgement, loading, idle_cycle, resident_memory, kubernetes, brokers, rolls, rollouts)
    for figure in chain.from_iterable(measure() for measure in measures):
        print(_line(figure), flush=True)
        figures.append(figure)
    PAGE.write_text(_page(figures))
    return 0 if all(figure.holds for figure in figures) else 1


def _line(figure: Figure) -> str:
    verdict = "" if figure.holds else "  BROKEN"
    return f"{figure.value:9.3f} (at most {figure.bound:g}){verdict}  {figure.name}: {figure.how}"


def _page(figures: list[Figure]) -> str:
    rows = [f"| {figure.name} | {figure.value:.3f} | {figure.bound:g} | {figure.how} |" for figure in figures]
    return _PAGE.format(python=platform.python_version(), cores=os.cpu_count(), rows="\n".join(rows))


if __name__ == "__main__":
    sys.exit(main())
