"""No logs in plays."""

from collections.abc import Iterator

import pytest

from tests.simulation.quiet import no_logs


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Leave logs out."""
    with no_logs():
        yield
