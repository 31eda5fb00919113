"""Writes ``status.json`` of one cluster: at every change, and often enough that an old one tells of a dead operator.

The status is made of what was seen and a verdict; this module judges nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from controller.lab.records import ProcessRecord
from controller.lab.rolling import Node
from controller.labfiles import BrokerStatus, OperatorState, StatusFile, WantedFile, replace_file

REPEAT_SECONDS = 5.0
"""An unchanged status is rewritten so often, for its ``updatedAt``."""


class StatusWriter:
    """The one writer of a cluster's status."""

    def __init__(self, cluster_dir: Path, *, now: Callable[[], datetime], level: int | None) -> None:
        self.level = level
        """The finalized metadata.version as last seen; part of every status."""
        self._path = cluster_dir / "status.json"
        self._now = now
        self._last: StatusFile | None = None
        self._written_at = 0.0

    def write(
        self,
        wanted: WantedFile,
        nodes: Sequence[Node],
        processes: Sequence[ProcessRecord | None],
        state: OperatorState,
        message: str,
    ) -> None:
        """Say ``state`` and ``message`` of what was seen; LabError when the file cannot be written."""
        running = sorted((node.running for node in nodes if node.running), key=_as_numbers)
        status = StatusFile(
            observed_generation=wanted.generation,
            state=state,
            release=running[0] if running else None,
            lowest=running[0] if running else None,
            highest=running[-1] if running else None,
            brokers=tuple(
                BrokerStatus(node.id, node.running or node.assigned, process.pid if process else None)
                for node, process in zip(nodes, processes, strict=True)
            ),
            brokers_on_wanted=sum(node.running == wanted.release for node in nodes),
            message=message,
            updated_at="",
            metadata_level=self.level,
        )
        if status != self._last:
            self._last = status
            self._write()
        else:
            self.repeat()

    def repeat(self) -> None:
        """Write the last status again if it is old enough."""
        if self._last is not None and time.monotonic() - self._written_at >= REPEAT_SECONDS:
            self._write()

    def _write(self) -> None:
        assert self._last is not None, "there is nothing to write before the first status"
        moment = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        replace_file(self._path, msgspec.structs.replace(self._last, updated_at=moment))
        self._written_at = time.monotonic()


def _as_numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())
