"""Says whether a release can run a cluster whose ``metadata.version`` is finalized at some level.

A broker whose supported levels do not include the finalized one exits at its start, so a roll to it must not begin.
The table is one line per release line; sources: Apache Kafka's ``MetadataVersion`` and upgrade notes, as of
2026-11-22, and brokers that were asked (3.9, 4.1, 4.3). It judges no upgrade path: Kafka allows skipping lines.
"""

from __future__ import annotations

from controller.lab.releases import Release

LEVEL_MAX = {
    (3, 3): 7,
    (3, 4): 8,
    (3, 5): 11,
    (3, 6): 14,
    (3, 7): 19,
    (3, 8): 20,
    (3, 9): 21,
    (4, 0): 25,
    (4, 1): 27,
    (4, 2): 29,
    (4, 3): 30,
    (4, 4): 33,
}
"""The highest finalized level a release line can run. A line newer than the table has no limit here."""
LEVEL_MIN_OF_4 = 7
"""4.x reads nothing below 3.3-IV3."""


def refusal_of_level(release: Release, level: int) -> str | None:
    """Why ``release`` cannot run a cluster finalized at ``level``; None when it can."""
    lowest = LEVEL_MIN_OF_4 if release.major >= 4 else 1
    if level < lowest:
        return (
            f"metadata.version is finalized at level {level}, Apache Kafka {release} runs {lowest} or higher;"
            " finalize 3.3-IV3 or higher first"
        )
    highest = _highest(release)
    if highest is None or level <= highest:
        return None
    return (
        f"metadata.version is finalized at level {level}, Apache Kafka {release} runs {lowest} to {highest},"
        f" so its brokers would not start; ask for {_able(level)}"
    )


def refusal_of_finalization(release: Release, level: int) -> str | None:
    """Why a cluster on ``release`` cannot be finalized at ``level``; None when it can."""
    highest = _highest(release)
    if highest is None or level <= highest:
        return None
    return (
        f"metadata.version cannot be finalized at level {level}: Apache Kafka {release} serves at most {highest};"
        f" roll the cluster to {_able(level)} first"
    )


def _highest(release: Release) -> int | None:
    """The highest level that a release can run; None where it is newer than the table."""
    if release.line > max(LEVEL_MAX):
        return None
    return max(most for line, most in LEVEL_MAX.items() if line <= release.line)


def _able(level: int) -> str:
    able = [line for line, most in LEVEL_MAX.items() if most >= level]
    return "{}.{} or newer".format(*min(able)) if able else "a newer release"
