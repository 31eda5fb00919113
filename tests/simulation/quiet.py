"""Leaves logs out: simulations judge tens of thousands of cycles, and what went wrong is told by the checkers."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

CRITICAL = 50


@contextmanager
def no_logs() -> Iterator[None]:
    """Log nothing but what ends a daemon, until the block is left."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
