"""The stand-in for Strimzi's operator as a running process on a real API server."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.real.kubernetes import ROOT, ApiServer

LEAVE_SECONDS_MAX = 30


@contextmanager
def running_operator(server: ApiServer, prefix: str = "") -> Iterator[None]:
    """Let one look after the resources in namespaces that begin with ``prefix``."""
    command = [sys.executable, "-m", "tests.real.strimzi_operator", str(server.kubeconfig()), prefix]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        assert 0 == process.wait(LEAVE_SECONDS_MAX)
