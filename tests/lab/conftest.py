"""What several of the lab's tests start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.keepings import Keeping
from tests.lab.labs import brokers_killed


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    """A cluster of two brokers, nothing started yet."""
    keeping = Keeping(tmp_path)
    with brokers_killed(keeping.directory):
        yield keeping
