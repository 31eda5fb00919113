"""Simulated fleets with faults that begin at noon, and what they show so long after it."""

from datetime import timedelta

from controller.fleets.simulated import SimulatedSource
from controller.model.inventory import Fault, SimulatedCluster
from controller.model.observation import Finding, Reading, Severity, Unknown
from tests.builders import MINUTE, NOON, an_inventory

OTHER = "4.2.1"
READY = 14 * MINUTE
"""How long an upgrade of the usual cluster takes."""


def a_fleet(*faults: Fault, clusters: tuple[SimulatedCluster, ...] = ()) -> SimulatedSource:
    """A simulated fleet that begins at noon, with these faults."""
    source = SimulatedSource("sim", an_inventory(*clusters, faults=faults), None)
    source.read(frozenset(), NOON)
    return source


def reading_at(source: SimulatedSource, after: timedelta, cluster: str = "sim/a-1") -> Reading | Unknown:
    """What a cluster shows so long after noon."""
    return source.read(frozenset(), NOON + after).clusters[cluster].reading


def known_at(source: SimulatedSource, after: timedelta, cluster: str = "sim/a-1") -> Reading:
    """What a cluster shows that can be read."""
    reading = reading_at(source, after, cluster)
    assert isinstance(reading, Reading), reading
    return reading


def blocking(reading: Reading) -> list[Finding]:
    """The findings that block."""
    return [finding for finding in reading.findings if finding.severity is Severity.BLOCK]
