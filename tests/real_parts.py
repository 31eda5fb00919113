"""What a test does when a real part (a server, a compiler, a browser) is not on this machine.

A person without the part still gets a useful run: the test is skipped and says what it missed. Under CI nothing may be
missed in silence, so there the same call fails.
"""

import os

import pytest


def require(condition: object, reason: str) -> None:
    """Go on when ``condition`` holds; else skip the test with ``reason``, or fail it where ``CI`` is ``true``."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI allows no skips: {reason}", pytrace=False)
    pytest.skip(reason)
