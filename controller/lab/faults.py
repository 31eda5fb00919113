"""What is broken on purpose in a cluster: ``DIR/clusters/NAME/faults.json``, a FaultsFile.

The operator would mend a killed broker within a second. So whoever breaks one writes it down first, and the operator
leaves alone what stands there, also the next operator after its death. Whoever changes the file, or starts a broker,
holds ``faults.lock`` meanwhile, so that no broker is started between the writing and the killing. A missing file says
that nothing is broken. It breaks nothing itself; that is ``breaking``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from controller.lab.records import locked
from controller.lab.toolchain import Stop, never
from controller.labfiles import read_file_or_none, replace_file

LOCK_WAIT_SECONDS = 30.0
"""Filling a disk or waiting for a killed process takes seconds."""


class FaultKind(StrEnum):
    """How a broker is broken; the words of the command line."""

    KILL = "kill"
    """Killed, and not started again before it is mended."""
    STOP = "stop"
    """Stopped by SIGSTOP: it accepts connections and never answers. One that ends all the same stays down."""
    FILL_DISK = "fill-disk"
    """The file system of its log directory is full. It is started again, in vain, as anywhere else."""
    DROP_QUORUM = "drop-quorum"
    """Killed as one of so many voters that the metadata quorum has no leader."""

    @property
    def holds(self) -> bool:
        """Whether the operator must leave the broker as it is: it neither starts it nor asks it anything."""
        return self is not FaultKind.FILL_DISK


class Fault(msgspec.Struct, frozen=True, rename="camel"):
    """One broken broker."""

    broker: int
    kind: FaultKind


class FaultsFile(msgspec.Struct, frozen=True, rename="camel"):
    """``faults.json``: everything that is broken on purpose, in the order of broker and kind."""

    faults: tuple[Fault, ...] = ()

    def of(self, broker_id: int) -> tuple[FaultKind, ...]:
        """Return how one broker is broken; empty where it is not."""
        return tuple(fault.kind for fault in self.faults if fault.broker == broker_id)

    def hold(self, broker_id: int) -> bool:
        """Whether the operator must leave this broker as it is."""
        return any(kind.holds for kind in self.of(broker_id))


def read_faults(cluster_dir: Path) -> FaultsFile:
    """Return what is broken on purpose; LabError where the file cannot be read."""
    return read_file_or_none(cluster_dir / "faults.json", FaultsFile) or FaultsFile()


def write_faults(cluster_dir: Path, faults: frozenset[Fault]) -> None:
    """Keep ``faults`` as all that is broken; LabError where the file cannot be written."""
    ordered = sorted(faults, key=lambda fault: (fault.broker, fault.kind))
    replace_file(cluster_dir / "faults.json", FaultsFile(tuple(ordered)))


@contextmanager
def faults_locked(cluster_dir: Path, *, stop: Stop = never) -> Iterator[None]:
    """Keep everybody else from breaking, mending and starting a broker of this cluster; LabError after a while."""
    with locked(cluster_dir / "faults.lock", wait_seconds=LOCK_WAIT_SECONDS, stop=stop):
        yield
