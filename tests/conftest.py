"""What tests of several folders share: real parts, one for each process of the run, and no limit of time for examples.

How long an example takes says more of the machine's other work than of the code; speed is measured by the bench.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server; whoever stops or freezes one starts one of its own instead."""
    with ApiServer(tmp_path_factory.mktemp("kubernetes") / "server") as server:
        yield server


@pytest.fixture
def proxy(kubernetes: ApiServer) -> Iterator[FaultProxy]:
    """Stands before the server, for one test."""
    with FaultProxy(kubernetes) as made:
        yield made
