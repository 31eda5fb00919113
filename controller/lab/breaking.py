"""Breaks brokers of a lab on purpose, and mends them: for seeing what a rollout, or a client, makes of it.

A fault is written down before it is made, so that the operator never takes it for a crash; see ``faults``. Mending ends
every fault of a cluster, may be repeated, and leaves the starting of brokers to the operator. All of it works whether
an operator runs or not.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.errors import LabError, UnknownLabName
from controller.lab import disk
from controller.lab.faults import Fault, FaultKind, FaultsFile, faults_locked, read_faults, write_faults
from controller.lab.processes import LOOK_SECONDS, is_frozen, is_running, send, wait_until_ended
from controller.lab.records import ProcessRecord, broker_folder, operator_file, read_broker, read_process
from controller.labfiles import ClusterFile, cluster_folder, find_cluster, read_status

KILL_SECONDS_MAX = 10.0
FREEZE_SECONDS_MAX = 5.0
MEND_SECONDS_MAX = 60.0
"""How long mending waits for the operator to start what was killed; it goes on by itself after that."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Broken:
    """One cluster, while its faults are locked."""

    folder: Path
    cluster: ClusterFile
    faults: frozenset[Fault]

    @property
    def name(self) -> str:
        return self.cluster.name

    def add(self, *faults: Fault) -> None:
        """Write down ``faults`` beside what is broken already."""
        write_faults(self.folder, self.faults | {*faults})

    def process(self, broker_id: int) -> ProcessRecord | None:
        """The running process of a broker."""
        file = read_broker(self.folder, broker_id)
        return file.process if file is not None and is_running(file.process) else None

    def kill(self, broker_id: int) -> None:
        """Kill -9 a broker, if it runs, and wait until it is gone."""
        process = self.process(broker_id)
        if process is None:
            return
        send(process, signal.SIGKILL)
        if wait_until_ended([process], seconds_max=KILL_SECONDS_MAX):
            raise LabError(f"broker {broker_id} of {self.name}: killed, and process {process.pid} is still there")


def break_broker(directory: Path, name: str, fault: Fault, progress: Progress) -> None:
    """Break one broker of the cluster ``name``; once more is harmless.

    UnknownLabName where there is no such cluster or broker; LabError where it cannot be broken so, which then changed
    nothing.
    """
    directory = directory.resolve()
    cluster = find_cluster(directory, name)
    known = [place.id for place in cluster.brokers]
    if fault.broker not in known:
        raise UnknownLabName(f"{name}: found no broker {fault.broker}, expected one of {', '.join(map(str, known))}")
    folder = cluster_folder(directory, name)
    with faults_locked(folder):
        broken = _Broken(folder, cluster, frozenset(read_faults(folder).faults))
        match fault.kind:
            case FaultKind.STOP:
                _stop(broken, fault, progress)
            case FaultKind.FILL_DISK:
                _fill(broken, fault, progress)
            case _:
                broken.add(fault)
                broken.kill(fault.broker)
                progress(f"broker {fault.broker} of {name} is killed and stays down")


def drop_quorum(directory: Path, name: str, progress: Progress) -> None:
    """Kill as many voters of the cluster ``name`` as it takes for its metadata quorum to have no leader.

    Brokers that are held down or stopped already count. UnknownLabName where there is no such cluster.
    """
    directory = directory.resolve()
    cluster = find_cluster(directory, name)
    folder = cluster_folder(directory, name)
    with faults_locked(folder):
        before = read_faults(folder)
        broken = _Broken(folder, cluster, frozenset(before.faults))
        chosen = voters_to_kill(tuple(place.id for place in cluster.brokers), before)
        broken.add(*(Fault(broker_id, FaultKind.DROP_QUORUM) for broker_id in chosen))
        for broker_id in sorted({*chosen, *(it.broker for it in before.faults if it.kind is FaultKind.DROP_QUORUM)}):
            broken.kill(broker_id)
            progress(f"broker {broker_id} of {name} is killed and stays down")
    progress(f"the metadata quorum of {name} has no leader")


def voters_to_kill(voters: tuple[int, ...], faults: FaultsFile) -> tuple[int, ...]:
    """Return those that have to go for the rest to be no majority: the last ones, and as few as that takes."""
    left = [voter for voter in voters if not faults.hold(voter)]
    surplus = len(left) - len(voters) // 2
    return tuple(left[-surplus:]) if surplus > 0 else ()


def mend(directory: Path, name: str, progress: Progress) -> tuple[Fault, ...]:
    """End every fault of the cluster ``name`` and return what was broken; wait for the operator to start the brokers.

    UnknownLabName where there is no such cluster; LabError where a disk cannot be emptied (that fault then stays), and
    where the operator does not start a broker in time.
    """
    directory = directory.resolve()
    cluster = find_cluster(directory, name)
    folder = cluster_folder(directory, name)
    ended = end_faults(folder, cluster)
    for fault in ended:
        progress(f"broker {fault.broker} of {name}: {fault.kind} is mended")
    if not ended:
        progress(f"nothing is broken on purpose in {name}")
    if not is_running(read_process(operator_file(directory))):
        progress(f"no operator runs: `wavefleet lab up --dir {directory}` starts it and what is down")
    elif ended:
        _await_brokers(folder, cluster)
        progress(f"every broker of {name} runs again; `wavefleet lab status` tells when all are in sync")
    return ended


def end_faults(folder: Path, cluster: ClusterFile) -> tuple[Fault, ...]:
    """End every fault of one cluster, start nothing, and return what was broken."""
    with faults_locked(folder):
        before = read_faults(folder).faults
        broken = _Broken(folder, cluster, frozenset(before))
        for fault in before:
            process = broken.process(fault.broker)
            if fault.kind is FaultKind.STOP and process is not None:
                send(process, signal.SIGCONT)
            if fault.kind is FaultKind.FILL_DISK:
                disk.empty(broker_folder(folder, fault.broker) / "data")
        if before:
            write_faults(folder, frozenset())
        return before


def _stop(broken: _Broken, fault: Fault, progress: Progress) -> None:
    process = broken.process(fault.broker)
    if process is None:
        raise LabError(f"broker {fault.broker} of {broken.name}: found no process, expected a running one to stop")
    broken.add(fault)
    send(process, signal.SIGSTOP)
    limit = time.monotonic() + FREEZE_SECONDS_MAX
    while is_running(process) and not is_frozen(process):
        if time.monotonic() > limit:
            raise LabError(f"broker {fault.broker} of {broken.name}: sent SIGSTOP, and it has not stopped")
        time.sleep(LOOK_SECONDS)
    progress(f"broker {fault.broker} of {broken.name} accepts connections and answers nothing (SIGSTOP)")


def _fill(broken: _Broken, fault: Fault, progress: Progress) -> None:
    folder = broker_folder(broken.folder, fault.broker) / "data"
    disk.require_small(folder)
    broken.add(fault)
    written = disk.fill(folder)
    progress(f"the disk of broker {fault.broker} of {broken.name} is full: {written} bytes were written to {folder}")


def _await_brokers(folder: Path, cluster: ClusterFile) -> None:
    limit = time.monotonic() + MEND_SECONDS_MAX
    left = [place.id for place in cluster.brokers]
    while left:
        left = [it for it in left if (file := read_broker(folder, it)) is None or not is_running(file.process)]
        if left and time.monotonic() > limit:
            status = read_status(folder)
            word = f": {status.message}" if status else ""
            raise LabError(f"{cluster.name}: mended, but the operator did not start broker {left[0]} in time{word}")
        time.sleep(LOOK_SECONDS)
