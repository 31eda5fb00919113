"""What a declaration means where it says nothing: the one table, which the documentation repeats and a test compares.

``Fleet.spec.defaults`` stands between this table and a group, whole field by whole field; see ``complete``.
"""

from datetime import timedelta

from controller.model.declaration import Finalize, OnFailure, Size

EVERY_GROUP = ("*",)
"""Whom a freeze holds, and whom the fleet's expedited target is for, that names no groups."""
CLUSTERS_IN_FLIGHT = 10
"""Over all groups."""
UNAVAILABLE_PERCENT = 5
"""The breaker's, of all claimed clusters."""
SAMPLES = 3
FAILURE_BUDGET = Size(count=0)
DEADLINE = timedelta(hours=3)
ON_FAILURE = OnFailure.HALT
METADATA_VERSION = Finalize.AUTO
FINALIZE_SOAK = timedelta(days=7)
GATE_SAMPLES = 3
"""Of a Prometheus gate."""
MAX_IN_FLIGHT = 5
"""Of one wave."""
SOAK_OF_FIRST_WAVE = timedelta(hours=24)
"""Of a first wave that names none: a fault of a release tends to show under a full day's load."""
SOAK_OF_LATER_WAVES = timedelta(hours=4)
WAVES: tuple[tuple[str, Size], ...] = (("canary", Size(count=1)), ("early", Size(percent=10)), ("rest", Size()))
"""Names and sizes of the waves of a group that has no waves of its own."""

BROKERS = 3
"""Of a simulated cluster, as the next two."""
PER_BROKER = timedelta(minutes=4)
SETTLE = timedelta(minutes=2)
