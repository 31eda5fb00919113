"""The lab as the daemon reads it: the files of its operator, and then the brokers themselves."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.brokers.access import Reach
from controller.fleets.kafka_health import KafkaHealth
from controller.fleets.lab import LabSource
from controller.model.health import Health
from controller.model.observation import ObservedCluster, Reading, Unknown
from controller.model.plan import Start
from controller.versions import MetadataVersion

LIMIT_SECONDS = 10.0


class LabSight:
    """Sees and starts one cluster."""

    def __init__(self, directory: Path, cluster: str, levels: Iterable[MetadataVersion]) -> None:
        known = {level.level: level for level in levels}
        self._cluster = cluster
        self._source = LabSource("lab", directory, known)
        self._health = KafkaHealth(_reach, known, LIMIT_SECONDS)

    def seen(self) -> Reading | Unknown:
        """What the cluster shows now, in full."""
        now = datetime.now(UTC)  # noqa: TID251 - real time
        return self._health.examine(
            self._source.read(frozenset({self._cluster}), now).clusters[self._cluster], Health()
        )

    def known(self) -> Reading:
        """What the cluster shows now; it must not be unknown."""
        reading = self.seen()
        assert isinstance(reading, Reading), reading
        return reading

    def start(self, wish: Start) -> None:
        """Ask for it."""
        self._source.start(wish, datetime.now(UTC))  # noqa: TID251 - real time

    def await_reading(self, is_reached: Callable[[Reading], bool], seconds: float) -> list[Reading]:
        """Read until ``is_reached``, and return all readings; a cluster that turns unknown fails the test."""
        readings: list[Reading] = []
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            readings.append(self.known())
            if is_reached(readings[-1]):
                return readings
            time.sleep(0.1)
        pytest.fail(f"not reached within {seconds} seconds, last {readings[-1]}")


def is_well(reading: Reading) -> bool:
    """Nothing is being done, and nothing is wrong."""
    return reading.settled and reading.healthy


def _reach(cluster: ObservedCluster) -> Reach:
    assert cluster.endpoints is not None, cluster
    return Reach(cluster.endpoints.bootstrap)
