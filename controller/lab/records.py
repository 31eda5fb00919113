"""What the lab keeps for itself: which process runs which broker, and who may work on the lab just now.

The files a stranger reads (clusters, wanted releases, statuses) are those of ``labfiles``; these here are the
operator's own: ``DIR/operator.json`` a ProcessRecord, ``DIR/clusters/NAME/broker-N/process.json`` a BrokerFile.
They are written in the same way: whole, or not at all. It starts and stops nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from controller import atomic
from controller.errors import LabError
from controller.lab.toolchain import Stop, Stopped, never
from controller.labfiles import read_file_or_none, replace_file

LOCK_LOOK_SECONDS = 0.5
"""Between two questions whether to go on waiting for a lock."""


class ProcessRecord(msgspec.Struct, frozen=True, rename="camel"):
    """Which process is meant, beyond doubt: a pid is used again, a pid with its start time and boot is not."""

    pid: int
    start_ticks: int
    """``startTicks``: clock ticks from boot to its start, field 22 of ``/proc/PID/stat``."""
    boot_id: str
    """``bootId``: ``/proc/sys/kernel/random/boot_id`` when it was started."""


class BrokerFile(msgspec.Struct, frozen=True, rename="camel"):
    """``process.json``: one broker as the operator left it; only the operator writes it.

    ``assigned`` is written before the running process is stopped, so an operator that died in between goes on.
    """

    assigned: str
    """The release this broker is to run; differs from ``release`` only in the middle of its own roll."""
    release: str | None = None
    """The release ``process`` was started with; None before the first start."""
    process: ProcessRecord | None = None


def operator_file(directory: Path) -> Path:
    """``operator.json``: the process that keeps the lab in ``directory``, or kept it last."""
    return directory / "operator.json"


def broker_folder(cluster_dir: Path, broker_id: int) -> Path:
    """The folder of one broker: its configuration, ``process.json``, ``data/`` and ``logs/``."""
    return cluster_dir / f"broker-{broker_id}"


def read_process(path: Path) -> ProcessRecord | None:
    """The process recorded in ``path``; None when none ever was; LabError when the file cannot be read."""
    return read_file_or_none(path, ProcessRecord)


def read_broker(cluster_dir: Path, broker_id: int) -> BrokerFile | None:
    """One broker as the operator left it; None before its first start; LabError when the file cannot be read."""
    return read_file_or_none(broker_folder(cluster_dir, broker_id) / "process.json", BrokerFile)


def write_broker(cluster_dir: Path, broker_id: int, broker: BrokerFile) -> None:
    """Keep ``broker``; LabError when the file cannot be written."""
    replace_file(broker_folder(cluster_dir, broker_id) / "process.json", broker)


@contextmanager
def locked(path: Path, *, wait_seconds: float, stop: Stop = never) -> Iterator[None]:
    """Hold the lock file ``path`` against every other process and thread.

    LabError after ``wait_seconds``, Stopped as soon as ``stop`` says so.
    """
    limit = time.monotonic() + wait_seconds
    descriptor = take_lock(path, wait_seconds=min(LOCK_LOOK_SECONDS, wait_seconds))
    while descriptor is None:
        if stop():
            raise Stopped(f"{path}: stopped before the lock was free")
        if time.monotonic() >= limit:
            raise LabError(f"{path}: another program holds this lock; wait for it to end, or look for it with `fuser`")
        descriptor = take_lock(path, wait_seconds=LOCK_LOOK_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def take_lock(path: Path, *, wait_seconds: float) -> int | None:
    """An open descriptor that holds the lock for as long as it stays open; None while another one holds it."""
    try:
        return atomic.take_lock(path, wait_seconds=wait_seconds)
    except OSError as error:
        raise LabError(f"{path}: cannot be locked: {error.strerror}; look at its folder's permissions") from error
