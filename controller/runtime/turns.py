"""Whom to read in full in the next cycle, beside those that the plan asks for: everybody else, in turn.

A cluster at rest may fall ill without anybody starting it, so each is read in full at least every ten minutes. A share
goes with each cycle, the longest unread first, since reading a whole fleet at once could take longer than a source may
take; whoever would have to wait past the ten minutes goes at once. Between two full readings a cluster is taken for as
ill as the last one showed it. Nothing of this is recorded: after a restart the round begins anew.

Where a source is told of changes as they happen, its own reading needs no turns but for who was ill when last read in
full; the brokers of its clusters need them all the same, where they are asked, since no resource shows their trouble.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import nsmallest

from controller.model.observation import Finding, Observation, ObservedCluster, Reading, Unknown

FULL_EVERY = timedelta(minutes=10)
"""The longest time from one full reading of a cluster to the next."""
CYCLES_EARLY = 2
"""A turn ends so many cycles early, so that one cycle that comes late breaks no promise."""

_Ill = tuple[Finding, ...] | Unknown


class Turns:
    """Knows when each cluster had its last turn, and what that showed."""

    def __init__(self, poll_interval: timedelta) -> None:
        self._poll_interval = poll_interval
        self._turn_at: dict[str, datetime] = {}
        """By cluster: its last full reading, or when it was first listed."""
        self._ills: dict[str, _Ill] = {}
        """Of clusters that were ill when they were looked at closely last, or whose brokers did not answer then."""
        self._last: datetime | None = None
        self._read_unasked = False
        """The last cycle read everybody in full, asked for or not, so that nobody has to be asked for."""

    def are_ill(self, name: str) -> bool:
        """Tell whether a cluster was ill when it was looked at closely last."""
        return name in self._ills

    def due(self, names: Collection[str], now: datetime) -> frozenset[str]:
        """Return whose turn it is among ``names``."""
        if self._read_unasked:
            return frozenset()
        gap = self._gap(now)
        window = FULL_EVERY - CYCLES_EARLY * gap
        if window <= gap:
            return frozenset(names)
        # A clock that stepped back would let those read before it wait for ever.
        turn_at = {name: min(self._turn_at.get(name, now), now) for name in names}
        share = -(-len(names) * gap // window)
        longest_unread = nsmallest(share, names, key=lambda name: (turn_at[name], name))
        overdue = (name for name in names if now - turn_at[name] >= window)
        return frozenset((*longest_unread, *overdue))

    def _gap(self, now: datetime) -> timedelta:
        """Return how long it takes from one cycle to the next, as it went last."""
        return self._poll_interval if self._last is None else max(now - self._last, self._poll_interval)

    def take(
        self, observation: Observation, asked: frozenset[str], now: datetime, examined: frozenset[str] = frozenset()
    ) -> Observation:
        """Note who had a turn, and return the observation with what is remembered of the others' health.

        ``asked`` were to be read in full; the brokers of those in ``examined`` were asked.
        """
        self._last = now
        clusters = observation.clusters
        readings = [each.reading for each in clusters.values()]
        full = [each for each in readings if isinstance(each, Reading) and each.full]
        everybody = len(full) == len(readings)
        # Brokers speak only where they are asked: who was read in full thanks to them has to be asked for again.
        self._read_unasked = everybody and not examined and len(asked) < len(clusters)
        if everybody:
            self._turn_at = dict.fromkeys(clusters, now)
            shown = zip(clusters, full, strict=True)
            self._ills = {name: reading.findings for name, reading in shown if reading.findings}
            return observation
        self._turn_at = {
            name: now if name in examined or _had_turn(cluster, asked) else min(self._turn_at.get(name, now), now)
            for name, cluster in clusters.items()
        }
        self._ills = {name: ill for name in clusters if (ill := self._ill(clusters[name], examined))}
        shown_ill = {name: self._remembered(clusters[name], examined) for name in self._ills}
        return replace(observation, clusters={**clusters, **shown_ill}) if shown_ill else observation

    def _ill(self, cluster: ObservedCluster, examined: frozenset[str]) -> _Ill | None:
        """Return what is remembered of the cluster from now on."""
        reading = cluster.reading
        if cluster.name in examined and isinstance(reading, Unknown):
            return reading
        if isinstance(reading, Reading) and (reading.full or cluster.name in examined):
            return reading.findings
        return self._ills.get(cluster.name)

    def _remembered(self, cluster: ObservedCluster, examined: frozenset[str]) -> ObservedCluster:
        """Return the cluster with what is remembered, beside what it shows without a closer look."""
        reading, ill = cluster.reading, self._ills[cluster.name]
        if not isinstance(reading, Reading) or reading.full or cluster.name in examined:
            return cluster
        if isinstance(ill, Unknown):
            return replace(cluster, reading=ill)
        shown = {finding.id for finding in reading.findings}
        more = tuple(finding for finding in ill if finding.id not in shown)
        return replace(cluster, reading=replace(reading, findings=(*reading.findings, *more))) if more else cluster


def _had_turn(cluster: ObservedCluster, asked: frozenset[str]) -> bool:
    """Tell whether the cluster was read in full, or was to be and could not be seen: it is tried again in its turn."""
    if isinstance(cluster.reading, Reading):
        return cluster.reading.full
    return cluster.name in asked
