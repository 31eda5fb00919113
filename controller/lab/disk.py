"""Fills a broker's disk to its last byte, and empties it again; never the disk of a person.

Only a small file system of the log directory's own is filled: one that begins at the directory itself and is no larger
than ``BYTES_MAX``, such as a tmpfs that was mounted there. Whatever else is asked for is refused before a byte is
written.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from controller.errors import LabError

BYTES_MAX = 1024**3
"""A larger file system is not filled: it was hardly made for a lab, and filling it would take long."""
FILLER = "filled-by-wavefleet-lab"
"""The one file that is written, beside the log; a broker reads folders and files of its own names alone."""

_CHUNKS = (1024**2, 4096, 1)
"""Bytes a write: the last ones see to it that nothing is left."""


def fill(folder: Path) -> int:
    """Fill the file system that begins at ``folder`` and return how many bytes that took.

    LabError where it is none of its own or too large, before anything is written, and where writing fails.
    """
    require_small(folder)
    written = 0
    try:
        descriptor = os.open(folder / FILLER, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            for chunk in _CHUNKS:
                written += _write_until_full(descriptor, bytes(chunk), BYTES_MAX - written)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LabError(f"{folder}: cannot be filled: {error.strerror}; `wavefleet lab mend` empties it") from error
    return written


def empty(folder: Path) -> None:
    """Remove what ``fill`` wrote; harmless where it wrote nothing."""
    try:
        (folder / FILLER).unlink(missing_ok=True)
    except OSError as error:
        raise LabError(f"{folder / FILLER}: cannot be removed: {error.strerror}; remove it by hand") from error


def require_small(folder: Path) -> None:
    """Raise LabError, saying why, where ``folder`` is not the root of a small file system of its own."""
    try:
        own, parent = folder.stat().st_dev, folder.parent.stat().st_dev
        system = os.statvfs(folder)
    except OSError as error:
        raise LabError(f"{folder}: cannot be looked at: {error.strerror}") from error
    size = system.f_blocks * system.f_frsize
    if own == parent:
        raise LabError(
            f"{folder}: found a folder of a larger file system, expected the root of a small one of its own: nothing"
            f" was filled; mount one there before `wavefleet lab up` (mount -t tmpfs -o size=200m tmpfs {folder})"
        )
    if size > BYTES_MAX:
        raise LabError(
            f"{folder}: found a file system of {size // 1024**2} MiB, expected at most {BYTES_MAX // 1024**2} MiB:"
            " nothing was filled"
        )


def _write_until_full(descriptor: int, chunk: bytes, bytes_max: int) -> int:
    written = 0
    with contextlib.suppress(_Full):
        while written < bytes_max:
            written += _write(descriptor, chunk)
    return written


class _Full(Exception):
    """Nothing more fits."""


def _write(descriptor: int, chunk: bytes) -> int:
    try:
        return os.write(descriptor, chunk)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _Full from None
        raise
