"""Reads and writes a lab's JSON files, so that no reader ever sees half of one and no writer undoes another's.

A file is replaced whole; ``wanted.json`` also under a lock and only by whoever knows its generation, because three
parties write it: the daemon, people by hand, and ``lab up``. What stands in the files: ``layout``. It starts nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from controller.errors import LabError
from controller.lab.layout import (
    FILE_BYTES_MAX,
    BrokerFile,
    ClusterFile,
    LabFile,
    ProcessRecord,
    StatusFile,
    WantedFile,
    broker_folder,
    cluster_folder,
    lab_file,
)
from controller.lab.toolchain import Stop, never

LOCK_WAIT_SECONDS = 10.0
"""How long a writer waits for another one; writing takes milliseconds."""
LOCK_LOOK_SECONDS = 0.1

_CLUSTER_NAME = re.compile(r"lab-[0-9]{1,3}")
"""Names become folders, also folders that are deleted: nothing else may be one."""

_File = TypeVar("_File", bound=msgspec.Struct)


class GenerationConflict(LabError):
    """Somebody wrote ``wanted.json`` since it was read; nothing was changed. Read it again and judge anew."""

    def __init__(self, cluster: str, *, found: int, expected: int) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"wanted release of {cluster}: found generation {found}, expected {expected}: somebody else wrote it;"
            " read it again before you write"
        )


def read_lab(directory: Path) -> LabFile:
    """The lab in ``directory``; LabError when there is none."""
    lab = _read_or_none(lab_file(directory), LabFile)
    if lab is None:
        raise LabError(f"{directory}: found no lab.json, expected a lab; make one with `wavefleet lab up`")
    strange = [name for name in lab.clusters if not _CLUSTER_NAME.fullmatch(name)]
    if strange:
        raise LabError(f"{lab_file(directory)}: found a cluster named {strange[0]!r}, expected lab-1, lab-2 and so on")
    return lab


def read_clusters(directory: Path) -> tuple[ClusterFile, ...]:
    """The clusters of the lab that are made already, in their order; LabError when a file cannot be read."""
    found = (read_cluster(cluster_folder(directory, name)) for name in read_lab(directory).clusters)
    return tuple(cluster for cluster in found if cluster is not None)


def read_cluster(cluster_dir: Path) -> ClusterFile | None:
    """``cluster.json`` of one cluster; None before it is made."""
    return _read_or_none(cluster_dir / "cluster.json", ClusterFile)


def read_wanted(cluster_dir: Path) -> WantedFile:
    """What the operator is asked for; LabError when the file is missing or cannot be read."""
    wanted = _read_or_none(cluster_dir / "wanted.json", WantedFile)
    if wanted is None:
        raise LabError(f"{cluster_dir / 'wanted.json'}: found no file, expected one; run `wavefleet lab up` again")
    return wanted


def read_status(cluster_dir: Path) -> StatusFile | None:
    """The operator's word; None before it first spoke; LabError when the file cannot be read."""
    return _read_or_none(cluster_dir / "status.json", StatusFile)


def read_broker(cluster_dir: Path, broker_id: int) -> BrokerFile | None:
    """One broker as the operator left it; None before its first start."""
    return _read_or_none(broker_folder(cluster_dir, broker_id) / "process.json", BrokerFile)


def write_broker(cluster_dir: Path, broker_id: int, broker: BrokerFile) -> None:
    """Keep ``broker``; only the operator does."""
    replace_file(broker_folder(cluster_dir, broker_id) / "process.json", broker)


def read_process(path: Path) -> ProcessRecord | None:
    """The process recorded in ``path``; None when none ever was."""
    return _read_or_none(path, ProcessRecord)


def write_wanted(
    cluster_dir: Path,
    *,
    release: str,
    expected_generation: int,
    annotations: Mapping[str, str] | None = None,
) -> int:
    """Ask the operator for ``release`` and return the new generation.

    ``expected_generation`` is that of the file the caller judged from, 0 for a file that is not there yet.
    ``annotations`` are merged into those of the file; an empty text removes one. Raises GenerationConflict when
    somebody else wrote meanwhile, LabError when the file cannot be read or locked.
    """
    with locked(cluster_dir / "wanted.lock", wait_seconds=LOCK_WAIT_SECONDS):
        before = _read_or_none(cluster_dir / "wanted.json", WantedFile)
        found = before.generation if before else 0
        if found != expected_generation:
            raise GenerationConflict(cluster_dir.name, found=found, expected=expected_generation)
        merged = {**(before.annotations if before else {}), **(annotations or {})}
        kept = {key: text for key, text in merged.items() if text}
        replace_file(cluster_dir / "wanted.json", WantedFile(found + 1, release, kept))
        return found + 1


def replace_file(path: Path, value: msgspec.Struct) -> None:
    """Write ``value`` to ``path`` so that a reader, or a crash, finds the old file or the new one, never a part.

    Raises LabError when the disk is full or the folder cannot be written; the old file then stays.
    """
    text = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    try:
        _replace(path, text)
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror}; nothing was changed") from error


def _replace(path: Path, text: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def locked(path: Path, *, wait_seconds: float, stop: Stop = never) -> Iterator[None]:
    """Hold the lock file ``path`` against every other process and thread.

    LabError after ``wait_seconds``, or as soon as ``stop`` says so.

    The kernel lets go when the holder dies, so a lock is never left behind; the file itself stays.
    """
    descriptor = take_lock(path, wait_seconds=wait_seconds, stop=stop)
    if descriptor is None:
        raise LabError(f"{path}: another program holds this lock; wait for it to end, or look for it with `fuser`")
    try:
        yield
    finally:
        os.close(descriptor)


def take_lock(path: Path, *, wait_seconds: float, stop: Stop = never) -> int | None:
    """The open descriptor that holds the lock, for as long as it stays open; None when another one holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    limit = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                os.close(descriptor)
                raise
        else:
            return descriptor
        if time.monotonic() >= limit or stop():
            os.close(descriptor)
            return None
        time.sleep(LOCK_LOOK_SECONDS)


def _read_or_none(path: Path, kind: type[_File]) -> _File | None:
    try:
        return _read(path, kind)
    except FileNotFoundError:
        return None


def _read(path: Path, kind: type[_File]) -> _File:
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}; mend its permissions") from error
    if len(text) > FILE_BYTES_MAX:
        raise LabError(f"{path}: found more than {FILE_BYTES_MAX} bytes, expected a small JSON file of the lab")
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: found {error}, expected a {kind.__name__} as the lab writes it") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
