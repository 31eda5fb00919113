"""Stops what ``lab up`` started, and nothing else: the operator first, so that it restarts nothing, then the brokers.

Only processes that a record names by pid, start and boot are signalled. What was broken on purpose is mended, so that
the lab comes up whole. Files are deleted only on request, and only those the lab made: a file somebody put into its
folder stays, and so does the folder.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import LabError
from controller.lab.breaking import end_faults
from controller.lab.processes import LOOK_SECONDS, is_running, send, wait_until_ended
from controller.lab.records import ProcessRecord, broker_folder, locked, operator_file, read_broker, read_process
from controller.labfiles import cluster_folder, credentials_of, read_cluster, read_clusters, read_lab

LOCK_WAIT_SECONDS = 10.0
OPERATOR_SECONDS_MAX = 20.0
BROKERS_SECONDS_MAX = 30.0
QUORUM_LOST_SECONDS_MAX = 8.0
"""A broker asks the controllers for leave. Once most of them have ended it waits in vain, for minutes, and its records
are on disk, so it is killed. One that had leave already ends within 5 seconds, as seen: its controller gives up then.
"""
KILL_SECONDS_MAX = 10.0

_LAB_FILES = (
    "operator.json",
    "operator.log",
    "operator.log.1",
    "operator.out",
    "operator.lock",
    "lab.json",
    "lab.lock",
)
"""``lab.json`` almost last: as long as it is there, a broken-off deletion can be repeated."""
_CLUSTER_FILES = ("wanted.json", "wanted.lock", "status.json", "faults.json", "faults.lock", "cluster.json")
_CREDENTIAL_FILES = ("ca.crt", "ca.key", "user.crt", "user.key", "username", "password")


@dataclass(frozen=True, slots=True)
class _Brokers:
    """The recorded processes of one cluster, whose brokers are its controllers too."""

    voters: int
    processes: tuple[ProcessRecord, ...]

    def have_quorum(self) -> bool:
        """Whether more than half of the voters run."""
        return 2 * sum(is_running(process) for process in self.processes) > self.voters


def lab_down(
    directory: Path,
    *,
    remove_files: bool = False,
    seconds_max: float = BROKERS_SECONDS_MAX,
    quorum_lost_seconds_max: float = QUORUM_LOST_SECONDS_MAX,
) -> None:
    """Stop the lab in ``directory``; with ``remove_files`` also delete what it made there.

    A broker that has not ended ``seconds_max`` after it was asked to is killed, and so is one that has not ended
    ``quorum_lost_seconds_max`` after no cluster of the lab had a quorum any more.

    Calling it again does nothing more; LabError when there is no lab, or a process does not end even when killed.
    """
    directory = directory.resolve()
    if remove_files and not directory.exists():
        return
    read_lab(directory)
    with locked(directory / "lab.lock", wait_seconds=LOCK_WAIT_SECONDS):
        operator = read_process(operator_file(directory))
        _end([operator] if operator else [], seconds_max=OPERATOR_SECONDS_MAX)
        _end_brokers(_brokers(directory), seconds_max, quorum_lost_seconds_max)
        if remove_files:
            _remove(directory)
            return
        for cluster in read_clusters(directory):
            end_faults(cluster_folder(directory, cluster.name), cluster)


def _brokers(directory: Path) -> list[_Brokers]:
    found: list[_Brokers] = []
    for name in read_lab(directory).clusters:
        folder = cluster_folder(directory, name)
        cluster = read_cluster(folder)
        places = cluster.brokers if cluster else ()
        files = [read_broker(folder, place.id) for place in places]
        found.append(_Brokers(len(places), tuple(file.process for file in files if file and file.process)))
    return found


def _end_brokers(clusters: Sequence[_Brokers], seconds_max: float, quorum_lost_seconds_max: float) -> None:
    running = _asked([process for cluster in clusters for process in cluster.processes])
    limit = time.monotonic() + seconds_max
    while time.monotonic() < limit and any(cluster.have_quorum() for cluster in clusters):
        time.sleep(LOOK_SECONDS)
    _await(running, seconds_max=min(quorum_lost_seconds_max, limit - time.monotonic()))


def _end(processes: list[ProcessRecord], *, seconds_max: float) -> None:
    _await(_asked(processes), seconds_max=seconds_max)


def _asked(processes: list[ProcessRecord]) -> list[ProcessRecord]:
    """Ask those that run to end, and return them."""
    running = [process for process in processes if is_running(process)]
    for process in running:
        send(process, signal.SIGTERM)
        send(process, signal.SIGCONT)  # one that was stopped on purpose could not hear it
    return running


def _await(processes: list[ProcessRecord], *, seconds_max: float) -> None:
    """Wait until all have ended; kill what has not in time."""
    left = wait_until_ended(processes, seconds_max=seconds_max)
    for process in left:
        send(process, signal.SIGKILL)
    immortal = wait_until_ended(left, seconds_max=KILL_SECONDS_MAX)
    if immortal:
        pids = ", ".join(str(process.pid) for process in immortal)
        raise LabError(f"processes {pids} of the lab: killed, and still there; look at them with ps")


def _remove(directory: Path) -> None:
    for name in read_lab(directory).clusters:
        folder = cluster_folder(directory, name)
        cluster = read_cluster(folder)
        for place in cluster.brokers if cluster else ():
            shutil.rmtree(broker_folder(folder, place.id), ignore_errors=True)
        for acknowledged in (folder / "load").glob("*.acked"):
            acknowledged.unlink(missing_ok=True)
        _remove_if_empty(folder / "load")
        _unlink(folder, _CLUSTER_FILES)
        _remove_if_empty(folder)
    _remove_if_empty(directory / "clusters")
    credentials = credentials_of(directory).folder
    _unlink(credentials, _CREDENTIAL_FILES)
    for leftover in credentials.glob(".making-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    _remove_if_empty(credentials)
    _unlink(directory, _LAB_FILES)
    _remove_if_empty(directory)


def _unlink(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        for leftover in folder.glob(f".{name}.*"):  # a writer was killed before it renamed its temporary file
            leftover.unlink(missing_ok=True)
        (folder / name).unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
