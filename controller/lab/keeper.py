"""Keeps one cluster: looks, lets ``rolling`` choose the next move, says it in ``status.json``, makes it.

Its memory is only what makes it patient (since when a broker is stopping, how often one failed to start); all that
matters is in the files and in the processes, so the operator may be killed at any line. It raises metadata.version only
where that is asked for, never lowers it, and kills a broker only after the long limit below.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from controller.brokers.access import Access
from controller.errors import LabError
from controller.lab.admission import Admission, LevelAdmission
from controller.lab.broker import last_words, start_broker
from controller.lab.cluster_view import (
    ClusterUnreachable,
    ClusterView,
    LevelRefused,
    finalize_level,
    look_at_cluster,
)
from controller.lab.faults import FaultsFile, faults_locked, read_faults
from controller.lab.processes import is_running, send
from controller.lab.reach import access_of
from controller.lab.records import BrokerFile, ProcessRecord, read_broker, write_broker
from controller.lab.releases import Release, ReleaseCache
from controller.lab.rolling import Assign, Finalize, Move, Node, Rest, Situation, Start, StopForRoll, next_move
from controller.lab.status_writer import StatusWriter
from controller.lab.toolchain import Stop
from controller.labfiles import BrokerPlace, ClusterFile, OperatorState, WantedFile, read_status, read_wanted

_LOG = logging.getLogger("wavefleet.lab.operator")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the files and the process table show; cheap to read."""

    wanted: WantedFile
    nodes: tuple[Node, ...]
    processes: tuple[ProcessRecord | None, ...]
    """The running process of each node."""

    @property
    def all_run(self) -> bool:
        """Whether every broker has a process that nobody asked to stop."""
        return all(node.running is not None and not node.stopping for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a keeper waits for what; seconds."""

    stop_trouble_seconds: float = 60.0
    """A controlled shutdown takes 3 to 5 seconds; after this long it is reported as trouble."""
    stop_kill_seconds: float = 330.0
    """Only after this long is a broker that does not end killed: Kafka gives its own controlled shutdown 5 minutes."""
    move_trouble_seconds: float = 120.0
    """A move that changes nothing for this long is reported as trouble; it goes on all the same."""
    starts_trouble: int = 3
    """So many starts in a row that came to nothing are reported as trouble."""
    start_pause_seconds: float = 2.0
    """After a start that came to nothing; doubled with each further one."""
    start_pause_seconds_max: float = 60.0
    rest_seconds: float = 5.0
    """While nothing is to be done, the cluster itself is asked only so often; processes and files at every look."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a keeper needs from outside its cluster."""

    releases: ReleaseCache
    now: Callable[[], datetime]
    stop: Stop
    """Asked in long waits; true when the operator is to leave."""
    ask: Callable[[Sequence[BrokerPlace], Access], ClusterView] = look_at_cluster
    """Asks the brokers of a cluster; raises ClusterUnreachable."""
    finalize: Callable[[Sequence[BrokerPlace], int, Access], None] = finalize_level
    """Raises metadata.version; raises LevelRefused, ClusterUnreachable."""
    patience: Patience = field(default_factory=Patience)


class ClusterKeeper:
    """The operator of one cluster. One thread uses it; the lab's lock sees to it that there is one keeper only."""

    def __init__(self, cluster_dir: Path, cluster: ClusterFile, surroundings: Surroundings) -> None:
        before = read_status(cluster_dir)
        self._dir = cluster_dir
        self._cluster = cluster
        self._access = access_of(cluster_dir, cluster)
        self._around = surroundings
        self._patience = surroundings.patience
        self._admission = Admission()
        self._levels = LevelAdmission()
        self._writer = StatusWriter(cluster_dir, now=surroundings.now, level=before.metadata_level if before else None)
        self._stop_asked: dict[int, float] = {}
        self._started: dict[int, float] = {}
        self._unproven: dict[int, int] = {}
        self._faults = FaultsFile()
        self._at_rest: tuple[Seen, float] | None = None
        self._move: tuple[str, float] = ("", 0.0)

    def look(self) -> None:
        """Look once and make at most one move; LabError when a file, a program or a process gives trouble."""
        seen = self._see(read_wanted(self._dir))
        if self._at_rest and self._at_rest[0] == seen and time.monotonic() < self._at_rest[1]:
            self._writer.repeat()
            return
        self._at_rest = None
        view = self._ask(seen) if seen.all_run else None
        wanted = self._admission.admit(seen.wanted, seen.nodes, self._writer.level, lambda it: self._provide(it, seen))
        level = None if wanted is None else self._levels.admit(seen.wanted, self._writer.level)
        move = next_move(Situation(seen.nodes, wanted, view, level))
        self._writer.write(seen.wanted, seen.nodes, seen.processes, *self._verdict(seen, move))
        self._make(move, seen)
        if isinstance(move, Rest):
            self._at_rest = (seen, time.monotonic() + self._patience.rest_seconds)

    @property
    def is_at_rest(self) -> bool:
        """Whether the last look found nothing left to do."""
        return self._at_rest is not None

    def say_trouble(self, sentence: str) -> None:
        """Put ``sentence`` into the status as trouble; LabError when the brokers' own files cannot be read either."""
        try:
            wanted = read_wanted(self._dir)
        except LabError:
            wanted = WantedFile(generation=0, release="")
        seen = self._see(wanted)
        self._writer.write(seen.wanted, seen.nodes, seen.processes, OperatorState.FAILED, sentence)

    def _see(self, wanted: WantedFile) -> Seen:
        self._take_in(read_faults(self._dir))
        pairs = tuple(self._see_broker(place, wanted) for place in self._cluster.brokers)
        return Seen(wanted, tuple(node for node, _ in pairs), tuple(process for _, process in pairs))

    def _take_in(self, faults: FaultsFile) -> None:
        """A broker that was mended is not to wait for what its faults made it look like."""
        for broker_id in {before.broker for before in self._faults.faults if before not in faults.faults}:
            self._unproven.pop(broker_id, None)
            if broker_id in self._stop_asked:
                self._stop_asked[broker_id] = time.monotonic()
        self._faults = faults

    def _see_broker(self, place: BrokerPlace, wanted: WantedFile) -> tuple[Node, ProcessRecord | None]:
        # A broker that was never started is to run what is wanted.
        file = read_broker(self._dir, place.id) or BrokerFile(assigned=wanted.release)
        process = file.process if is_running(file.process) else None
        if process is None:
            self._stop_asked.pop(place.id, None)
        node = Node(
            id=place.id,
            assigned=file.assigned,
            running=file.release if process else None,
            stopping=place.id in self._stop_asked,
            starts_failed=self._unproven.get(place.id, 0),
            held=self._faults.hold(place.id),
        )
        return node, process

    def _ask(self, seen: Seen) -> ClusterView | None:
        try:
            asked = [place for place in self._cluster.brokers if not self._faults.hold(place.id)]
            view = self._around.ask(asked, self._access)
        except ClusterUnreachable as error:
            _LOG.debug("%s: %s", self._cluster.name, error)
            return None
        self._writer.level = view.metadata_level
        for broker_id in {node.id for node in seen.nodes} - view.lacking(frozenset(node.id for node in seen.nodes)):
            self._unproven.pop(broker_id, None)
        return view

    def _provide(self, release: Release, seen: Seen) -> None:
        def progress(sentence: str) -> None:
            self._writer.write(seen.wanted, seen.nodes, seen.processes, OperatorState.ROLLING, sentence)

        def stop() -> bool:
            self._writer.repeat()  # asked all along a fetch: its seconds must not look like a dead operator
            return self._around.stop()

        self._around.releases.provide(release, progress=progress, stop=stop)

    def _verdict(self, seen: Seen, move: Move) -> tuple[OperatorState, str]:
        trouble = self._trouble(seen, move)
        if self._admission.refusal:
            return OperatorState.REFUSED, self._admission.refusal
        if trouble:
            return OperatorState.FAILED, trouble
        if isinstance(move, Rest) and self._levels.refusal:
            return OperatorState.REFUSED, self._levels.refusal
        if isinstance(move, Rest):
            return OperatorState.READY, f"every broker runs {seen.wanted.release} and is in sync"
        return OperatorState.ROLLING, str(move)

    def _trouble(self, seen: Seen, move: Move) -> str | None:
        moment = time.monotonic()
        if self._move[0] != str(move):
            self._move = (str(move), moment)
            _LOG.info("%s: %s", self._cluster.name, move)
        for node in seen.nodes:
            if node.running is None and node.starts_failed >= self._patience.starts_trouble:
                words = last_words(self._dir, node.id)
                return f"broker {node.id} ended {node.starts_failed} times after its start on {node.assigned}: {words}"
            if node.stopping and moment - self._stop_asked[node.id] > self._patience.stop_trouble_seconds:
                waited = f"{self._patience.stop_trouble_seconds:g} seconds after it was asked to by SIGTERM"
                return (
                    f"broker {node.id} has not ended {waited}; it is killed after {self._patience.stop_kill_seconds:g}"
                )
        if not isinstance(move, Rest) and moment - self._move[1] > self._patience.move_trouble_seconds:
            return f"{move} for more than {self._patience.move_trouble_seconds:g} seconds"
        return None

    def _make(self, move: Move, seen: Seen) -> None:
        self._kill_what_never_ends(seen)
        match move:
            case Start(brokers):
                self._start_all(brokers, seen)
            case Assign(broker_id, release):
                file = read_broker(self._dir, broker_id) or BrokerFile(assigned=release)
                write_broker(self._dir, broker_id, BrokerFile(release, file.release, file.process))
                self._unproven.pop(broker_id, None)
            case StopForRoll(broker_id):
                self._stop_asked[broker_id] = time.monotonic()
                self._send(broker_id, signal.SIGTERM)
            case Finalize(level):
                self._finalize(level, seen)
            case _:
                pass

    def _finalize(self, level: int, seen: Seen) -> None:
        """Raise the level; whether it came to that is seen at the next look, which asks again where it did not."""
        try:
            self._around.finalize(self._cluster.brokers, level, self._access)
        except LevelRefused as refused:
            self._levels.refuse(seen.wanted, str(refused))
        except ClusterUnreachable as error:
            _LOG.warning("%s: finalizing level %d: %s", self._cluster.name, level, error)

    def _start_all(self, brokers: tuple[int, ...], seen: Seen) -> None:
        """Start each; the first one's trouble is raised only after the others have had their turn."""
        troubles: list[LabError] = []
        for broker_id in brokers:
            try:
                self._start(broker_id, seen)
            except LabError as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]

    def _start(self, broker_id: int, seen: Seen) -> None:
        failed = self._unproven.get(broker_id, 0)
        patience = self._patience
        pause = min(patience.start_pause_seconds_max, patience.start_pause_seconds * 2 ** (failed - 1)) if failed else 0
        if time.monotonic() < self._started.get(broker_id, 0.0) + pause:
            return
        assigned = next(node.assigned for node in seen.nodes if node.id == broker_id)
        place = next(place for place in self._cluster.brokers if place.id == broker_id)
        installation = self._around.releases.provide(
            Release.parse(assigned), progress=_LOG.info, stop=self._around.stop
        )
        with faults_locked(self._dir, stop=self._around.stop):
            if read_faults(self._dir).hold(broker_id):
                return
            self._started[broker_id] = time.monotonic()
            self._unproven[broker_id] = failed + 1
            start_broker(self._dir, self._cluster, place, installation)

    def _kill_what_never_ends(self, seen: Seen) -> None:
        for node in seen.nodes:
            if node.held:
                continue
            if node.stopping and time.monotonic() - self._stop_asked[node.id] > self._patience.stop_kill_seconds:
                _LOG.warning("%s: broker %d is killed: it did not end", self._cluster.name, node.id)
                self._send(node.id, signal.SIGKILL)

    def _send(self, broker_id: int, signal_number: signal.Signals) -> None:
        file = read_broker(self._dir, broker_id)
        if file is not None and file.process is not None:
            send(file.process, signal_number)
