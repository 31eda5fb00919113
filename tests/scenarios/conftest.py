"""The option that writes what came of a story's commands back into its file; and quiet logs."""

from collections.abc import Iterator

import pytest
import structlog


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite``, known where this folder or a file of it is named on the command line."""
    parser.addoption("--rewrite", action="store_true", help="write what came of each story's commands into its file")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Tell whether stories are to be rewritten."""
    return bool(request.config.getoption("--rewrite", default=False))


@pytest.fixture(autouse=True)
def _no_logs() -> Iterator[None]:
    """Leave logs out: a story tells what came of a command by itself."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)
