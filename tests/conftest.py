"""Real parts that tests of several folders share: one for each process of the run, started when first asked for."""

from collections.abc import Iterator

import pytest

from tests.real.kubernetes import ApiServer


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server; whoever stops or freezes one starts one of its own instead."""
    with ApiServer(tmp_path_factory.mktemp("kubernetes") / "server") as server:
        yield server
