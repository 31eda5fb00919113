"""One cluster of a lab under a keeper that a test lets look, with real processes and a Java that is a script."""

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from controller.brokers.access import Access
from controller.errors import LabError
from controller.lab.cluster_view import ClusterView
from controller.lab.keeper import ClusterKeeper, Patience, Surroundings
from controller.lab.processes import is_running
from controller.lab.records import BrokerFile, read_broker
from controller.labfiles import (
    BrokerPlace,
    OperatorState,
    StatusFile,
    read_cluster,
    read_status,
    read_wanted,
    replace_file,
    write_wanted,
)
from tests.lab.labs import (
    BROKEN,
    LEVEL_OF_OLD,
    NEW,
    OLD,
    STUBBORN,
    a_cache,
    a_lab,
    a_view,
    fake_tools,
    wait_until,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
IMPATIENT = Patience(start_pause_seconds=0.01, start_pause_seconds_max=0.02, rest_seconds=0.1, move_trouble_seconds=30)


class Keeping:
    """A cluster of a lab, its keeper, and the looks of it."""

    def __init__(self, root: Path, *, brokers: int = 2, release: str = OLD, maven: str | None = None) -> None:
        self.directory = root / "lab"
        self.folder = a_lab(self.directory, brokers=brokers, release=release)
        self.tools = fake_tools(root / "tools", maven=maven)
        self.releases = a_cache(root / "cache", OLD, BROKEN, STUBBORN, environ=self.tools.environ)
        if maven is None:
            a_cache(root / "cache", NEW, environ=self.tools.environ)
        self.level = LEVEL_OF_OLD
        self.trouble: LabError | None = None
        self.asked: list[tuple[int, ...]] = []
        self.finalizations: list[tuple[int, tuple[str, ...]]] = []
        self.keeper = self.a_keeper()

    def a_keeper(self, patience: Patience = IMPATIENT, *, answers: bool = False) -> ClusterKeeper:
        """Another keeper of the same cluster, as after the death of the first; of one that ``answers``, or does not."""
        cluster = read_cluster(self.folder)
        assert cluster is not None
        around = Surroundings(self.releases, now=lambda: NOON, stop=lambda: False, patience=patience)
        around = replace(around, ask=self.healthy, finalize=self.finalize) if answers else around
        return ClusterKeeper(self.folder, cluster, around)

    def healthy(self, brokers: Sequence[BrokerPlace], _access: Access) -> ClusterView:
        """A cluster in which every running broker is at once there and in sync; the first is the active controller."""
        self.asked.append(tuple(place.id for place in brokers))
        view = a_view(*(place.id for place in brokers if is_running(self.broker(place.id).process)))
        return replace(view, metadata_level=self.level)

    def finalize(self, brokers: Sequence[BrokerPlace], level: int, _access: Access) -> None:
        """Let that cluster's brokers finalize ``level``, unless a test gave them a ``trouble``."""
        self.finalizations.append((level, tuple(str(self.broker(place.id).release) for place in brokers)))
        if self.trouble is not None:
            raise self.trouble
        self.level = level

    def want(self, release: str, *, level: int | None = None) -> None:
        """Ask for ``release`` and ``level``."""
        generation = read_wanted(self.folder).generation
        write_wanted(self.folder, release=release, metadata_level=level, expected_generation=generation)

    def saw_level(self, level: int) -> None:
        """Let the status say which metadata.version was seen last, and a keeper read it."""
        status = self.status()
        replace_file(self.folder / "status.json", msgspec.structs.replace(status, metadata_level=level))
        self.keeper = self.a_keeper()

    def look_until(self, *, state: OperatorState) -> StatusFile:
        """Look again until the status says ``state``."""

        def said() -> bool:
            self.keeper.look()
            return state is self.status().state

        wait_until(said, f"the status said {state}")
        return self.status()

    def status(self) -> StatusFile:
        """What the operator says."""
        status = read_status(self.folder)
        assert status is not None
        return status

    def broker(self, number: int) -> BrokerFile:
        """One broker's file."""
        broker = read_broker(self.folder, number)
        assert broker is not None
        return broker

    def pids(self) -> tuple[int | None, ...]:
        """The pids of the status."""
        return tuple(broker.pid for broker in self.status().brokers)


def look(keeping: Keeping, times: int) -> None:
    """Look so often."""
    for _ in range(times):
        keeping.keeper.look()


def kill_broker(keeping: Keeping, number: int) -> None:
    """Kill -9 one broker, and wait until it is gone."""
    process = keeping.broker(number).process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(process), "the broker was dead")
