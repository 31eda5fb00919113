"""``make bench``: measure, print, write docs/benchmarks.md, and fail where a promise is not kept."""

import os
import platform
import sys
from itertools import chain
from pathlib import Path

from tests.bench.measures import Figure, idle_cycle, judgement, loading, resident_memory

_PAGE = """\
# Benchmarks

Made by `make bench` with Python {python} on {cores} cores. Figures are ratios within one run, so that they mean the
same on another machine; the last column gives their scale.

| what | measured | at most | behind it |
|---|---|---|---|
{rows}

`plan_cycle` is linear in clusters and in the clusters of rollouts under way. Loading is linear in files, and after the
first time in changed files. An idle cycle runs one `git` and touches no file of the repository.
"""
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> int:
    """Return 0 where every figure keeps its bound."""
    figures = []
    for figure in chain(judgement(), loading(), idle_cycle(), resident_memory()):
        print(_line(figure), flush=True)
        figures.append(figure)
    PAGE.write_text(_page(figures))
    return 0 if all(figure.holds for figure in figures) else 1


def _line(figure: Figure) -> str:
    verdict = "" if figure.holds else "  BROKEN"
    return f"{figure.value:8.2f} (at most {figure.bound:g}){verdict}  {figure.name}: {figure.how}"


def _page(figures: list[Figure]) -> str:
    rows = [f"| {figure.name} | {figure.value:.2f} | {figure.bound:g} | {figure.how} |" for figure in figures]
    return _PAGE.format(python=platform.python_version(), cores=os.cpu_count(), rows="\n".join(rows))


if __name__ == "__main__":
    sys.exit(main())
