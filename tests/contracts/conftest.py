"""The kinds of live fleets that keep the contract of ``ports.FleetSource``."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.builders import NOON
from tests.contracts.fleet_worlds import FleetWorld, LabWorld, SimulatedWorld
from tests.contracts.strimzi_world import StrimziWorld

WORLDS: dict[str, Callable[[Path], FleetWorld]] = {"simulated": SimulatedWorld, "lab": LabWorld}
NAMESPACES = count()


@pytest.fixture(params=[*WORLDS, "strimzi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FleetWorld]:
    """Two clusters, read once at noon."""
    if request.param in WORLDS:
        made = WORLDS[request.param](tmp_path)
    else:
        made = StrimziWorld(request.getfixturevalue("kubernetes"), f"world-{next(NAMESPACES)}")
    made.source.read(frozenset(made.clusters), NOON)
    yield made
    if isinstance(made, StrimziWorld):
        made.close()
