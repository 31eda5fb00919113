"""Which processes are this one's children: servers that several tests share may be among them."""

import os
from contextlib import suppress
from pathlib import Path


def children() -> set[int]:
    """Return their numbers, of those too that have ended and were not waited for."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found
