"""Typed JSON read by many threads at once, in a process of its own, since the failure is that the process dies."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller import typedjson

ROOT = Path(__file__).parents[1]

DEPTHS = (1_000, 5_000, 100_000)
PROGRAM = """
import sys, threading
import msgspec
from controller.typedjson import decode
sys.setswitchinterval(1e-6)
TEXT = b'{"name": "a", "brokers": [{"id": 1, "host": "x"}], "clusterId": "z"}'
def kinds():
    class Broker(msgspec.Struct, frozen=True, rename="camel"):
        id: int
        host: str
    class Cluster(msgspec.Struct, frozen=True, rename="camel"):
        name: str
        brokers: tuple[Broker, ...]
        cluster_id: str | None = None
    return Cluster
for _ in range(400):
    kind, barrier = kinds(), threading.Barrier(8)
    def read():
        barrier.wait()
        assert decode(TEXT, kind).brokers[0].host == "x"
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_many_threads_may_read_a_type_for_the_first_time_at_once() -> None:
    """
    Eight threads that begin with the same new type all get their value, and the process lives.
    """
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


class _Named(msgspec.Struct):
    name: str


@pytest.mark.parametrize("kind", [_Named, dict[str, Any], msgspec.Raw])
@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_nested_deeper_than_anybody_reads_is_unreadable(kind: type, depth: int) -> None:
    """
    Also where it lies in a field that nobody asked for.
    """
    content = b'{"name": "a", "x": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"

    with pytest.raises(typedjson.UNREADABLE):
        typedjson.decode(content, kind)
