"""Small files that several processes share: read whole, replaced whole, and written under a lock.

A reader, or a crash at any instruction, finds the old file or the new one, never a part of either. Who changes a file
by what stands in it holds its lock from reading to replacing. It knows no format: what a file says, and which error a
person gets, is its caller's business, so only ``OSError`` and its kinds are raised here.
"""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_WAIT_SECONDS = 10.0
"""How long a writer waits for another one; writing takes milliseconds."""

_LOOK_SECONDS = 0.02


class NotSynced(OSError):
    """The new file is in place, but a crash of the machine could still bring the old one back."""


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """Return the file's content; OSError with EFBIG where it is longer than ``limit_bytes``."""
    with path.open("rb") as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(errno.EFBIG, f"is longer than {limit_bytes} bytes", str(path))
    return content


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``path``; NotSynced after that was done, other OSErrors before it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise NotSynced(error.errno, error.strerror, str(path)) from error


@contextmanager
def locked(path: Path, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock file ``path`` against every other process and thread; TimeoutError after ``wait_seconds``.

    The kernel lets go when the holder dies, so no lock is ever left behind; the file itself stays.
    """
    descriptor = take_lock(path, wait_seconds=wait_seconds)
    if descriptor is None:
        raise TimeoutError(errno.ETIMEDOUT, f"is locked by another program for {wait_seconds:g} seconds", str(path))
    try:
        yield
    finally:
        os.close(descriptor)


def take_lock(path: Path, *, wait_seconds: float) -> int | None:
    """Return an open descriptor that holds the lock for as long as it stays open; None while another one holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    limit = time.monotonic() + wait_seconds
    try:
        while not _try_lock(descriptor):
            if time.monotonic() >= limit:
                os.close(descriptor)
                return None
            time.sleep(_LOOK_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            return False
        raise
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
