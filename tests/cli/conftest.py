"""What every test of a command needs: a desk, and logs that end with the test."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.cli.worlds import Desk


@pytest.fixture(autouse=True)
def _logs_end_with_the_test() -> Iterator[None]:
    """A command sends the logs of its process to its own standard error, which is gone after it."""
    loggers = [logging.getLogger(name) for name in ("", "controller", "kafka", "apscheduler")]
    before = [(list(logger.handlers), logger.level) for logger in loggers]
    yield
    for logger, (handlers, level) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Somebody at a command line, with a valid fleet repository."""
    return Desk(tmp_path)
