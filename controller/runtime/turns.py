"""Whom to read in full in the next cycle, beside those that the plan asks for: everybody else, in turn.

A cluster at rest may fall ill without anybody starting it, so each is read in full at least every ten minutes. A share
goes with each cycle, the longest unread first, since reading a whole fleet at once could take longer than a source may
take; whoever would have to wait past the ten minutes goes at once. Between two full readings a cluster is taken for as
ill as the last one showed it. Nothing of this is recorded: after a restart the round begins anew.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import nsmallest

from controller.model.observation import Finding, Observation, ObservedCluster, Reading

FULL_EVERY = timedelta(minutes=10)
"""The longest time from one full reading of a cluster to the next."""
CYCLES_EARLY = 2
"""A turn ends so many cycles early, so that one cycle that comes late breaks no promise."""


class Turns:
    """Knows when each cluster had its last turn, and what that showed."""

    def __init__(self, poll_interval: timedelta) -> None:
        self._poll_interval = poll_interval
        self._turn_at: dict[str, datetime] = {}
        """By cluster: its last full reading, or when it was first listed."""
        self._findings: dict[str, tuple[Finding, ...]] = {}
        """Of clusters that were ill when they were read in full last."""
        self._last: datetime | None = None
        self._read_unasked = False
        """The last cycle read everybody in full, asked for or not, so that nobody has to be asked for."""

    def due(self, known: Iterable[str], now: datetime) -> frozenset[str]:
        """Return whose turn it is among the clusters that were listed last."""
        if self._read_unasked:
            return frozenset()
        names = list(known)
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

    def take(self, observation: Observation, asked: frozenset[str], now: datetime) -> Observation:
        """Note who had a turn, and return the observation with what is remembered of the others' health."""
        self._last = now
        clusters = observation.clusters
        readings = [each.reading for each in clusters.values()]
        full = [each for each in readings if isinstance(each, Reading) and each.full]
        everybody = len(full) == len(readings)
        self._read_unasked = everybody and len(asked) < len(clusters)
        if everybody:
            self._turn_at = dict.fromkeys(clusters, now)
            shown = zip(clusters, full, strict=True)
            self._findings = {name: reading.findings for name, reading in shown if reading.findings}
            return observation
        self._turn_at = {
            name: now if _had_turn(cluster, asked) else min(self._turn_at.get(name, now), now)
            for name, cluster in observation.clusters.items()
        }
        self._findings = {
            name: findings
            for name, cluster in observation.clusters.items()
            if (findings := self._findings_of(name, cluster))
        }
        ill = {name: self._remembered(observation.clusters[name]) for name in self._findings}
        return replace(observation, clusters={**observation.clusters, **ill}) if ill else observation

    def _findings_of(self, name: str, cluster: ObservedCluster) -> tuple[Finding, ...]:
        reading = cluster.reading
        if isinstance(reading, Reading) and (reading.full or reading.findings):
            return reading.findings
        return self._findings.get(name, ())

    def _remembered(self, cluster: ObservedCluster) -> ObservedCluster:
        reading = cluster.reading
        if not isinstance(reading, Reading) or reading.full or reading.findings:
            return cluster
        return replace(cluster, reading=replace(reading, findings=self._findings[cluster.name]))


def _had_turn(cluster: ObservedCluster, asked: frozenset[str]) -> bool:
    """Tell whether the cluster was read in full, or was to be and could not be seen: it is tried again in its turn."""
    if isinstance(cluster.reading, Reading):
        return cluster.reading.full
    return cluster.name in asked
