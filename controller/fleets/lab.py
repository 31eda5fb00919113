"""The lab as a fleet: real brokers as local processes, found by the files in which their operator speaks.

Health, ids and metadata.version come from the brokers themselves. The exact release cannot be told over the wire, only
its line, so it comes from the operator and is held against what each broker says: where the two contradict each other,
nobody knows what runs, and the cluster is unknown. It never touches a process, and imports nothing of the lab but the
files' formats (``labfiles``).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from controller import labfiles
from controller.errors import ApplyInDoubt, ApplyRefused, LabError, ObservationError
from controller.fleets import marks
from controller.fleets.kafka_health import NEWEST_LINE_TOLD, OLDEST_LINE_TOLD, Answers, BrokerAddress, findings
from controller.labfiles import ClusterFile, OperatorState, StatusFile, WantedFile
from controller.model.observation import Finding, ObservedCluster, Reading, Severity, SourceReading, Unknown
from controller.model.plan import Start
from controller.model.versions import KafkaVersion, MetadataVersion, Minor

READERS_MAX = 8
"""Clusters that are read at the same time."""
SILENT_AFTER = timedelta(seconds=30)
"""The operator speaks every 5 seconds; after this long it is taken for dead."""

_FILES_SECONDS = 1.0
"""What reading a cluster's files may take."""


class Brokers(Protocol):
    """Who asks a cluster's brokers; ``kafka_health.KafkaBrokers``."""

    @property
    def limit_seconds(self) -> float:
        """How long one cluster may take."""
        ...

    def ask(self, brokers: Sequence[BrokerAddress]) -> Answers:
        """Return what they say; ObservationError where none does."""
        ...


@dataclass(frozen=True, slots=True)
class _Files:
    """What the lab's files say of one cluster."""

    cluster: ClusterFile
    wanted: WantedFile
    status: StatusFile
    releases: Mapping[int, KafkaVersion]
    """By broker."""


class LabSource:
    """A FleetSource on the lab in ``directory``; ``levels`` are the known levels of metadata.version."""

    def __init__(self, name: str, directory: Path, brokers: Brokers, levels: Mapping[int, MetadataVersion]) -> None:
        self._name = name
        self._directory = directory
        self._brokers = brokers
        self._levels = levels
        self._readers = ThreadPoolExecutor(READERS_MAX, thread_name_prefix=f"lab-{name}")
        self._labels: dict[str, Mapping[str, str]] = {}

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def close(self) -> None:
        """Let go of the reading threads; readings in hand end by their own time limits."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return every cluster that is made; ObservationError where there is no lab."""
        try:
            names = labfiles.read_lab(self._directory).clusters
        except LabError as error:
            raise ObservationError(f"source {self._name}: {error}") from error
        futures = {name: self._readers.submit(self._read_cluster, name, full, now) for name in names}
        rounds = -(-len(names) // READERS_MAX)
        wait(futures.values(), timeout=rounds * (self._brokers.limit_seconds + _FILES_SECONDS))
        observed = (self._observed(name, future) for name, future in futures.items())
        return SourceReading(self._name, {cluster.name: cluster for cluster in observed if cluster is not None})

    def start(self, start: Start, now: datetime) -> None:
        """Write the wanted release, or the wanted level, for the operator, as FleetSource says."""
        del now  # the file's generation is the condition
        try:
            folder = self._folder(start.cluster)
            wanted = labfiles.read_wanted(folder)
            if _is_taken(start, wanted):
                return
            release, level = _wish(start, wanted, labfiles.read_status(folder))
            labfiles.write_wanted(
                folder,
                release=release,
                metadata_level=level,
                expected_generation=int(start.token) if start.token.isdecimal() else -1,
                annotations={marks.FLEET: start.fleet},
            )
        except labfiles.NotKept as error:
            raise ApplyInDoubt(f"{start.cluster}: {error}") from error
        except LabError as error:
            raise ApplyRefused(f"{start.cluster}: {error}") from error

    def _folder(self, full_name: str) -> Path:
        source, _, name = full_name.partition("/")
        if source != self._name or name not in labfiles.read_lab(self._directory).clusters:
            raise LabError(f"is gone: source {self._name} has no such cluster; look again")
        return labfiles.cluster_folder(self._directory, name)

    def _observed(self, name: str, future: Future[Reading | Unknown | None]) -> ObservedCluster | None:
        full_name = f"{self._name}/{name}"
        if future.done():
            reading = future.result()
        else:
            future.cancel()
            reading = Unknown(f"reading it took longer than {self._brokers.limit_seconds:g} seconds")
        return None if reading is None else ObservedCluster(full_name, self._labels.get(name, {}), reading)

    def _read_cluster(self, name: str, full: frozenset[str], now: datetime) -> Reading | Unknown | None:
        """Return what one cluster shows; None before it is made. Runs on a thread of its own."""
        folder = labfiles.cluster_folder(self._directory, name)
        try:
            cluster = labfiles.read_cluster(folder)
            if cluster is None:
                return None
            self._labels[name] = dict(cluster.labels)
            if f"{self._name}/{name}" in full:
                return self._full_reading(cluster, folder, now)
            files = _read_files(cluster, folder)
            return replace(self._reading(files, files.status.metadata_level, now), full=False)
        except (LabError, ObservationError) as error:
            return Unknown(str(error))

    def _full_reading(self, cluster: ClusterFile, folder: Path, now: datetime) -> Reading:
        before = _read_files(cluster, folder)
        answers = self._brokers.ask([BrokerAddress(broker.id, broker.host, broker.port) for broker in cluster.brokers])
        files = _read_files(cluster, folder)
        _require_same(cluster, answers, (before.releases, files.releases))
        reading = self._reading(files, answers.metadata_level, now)
        seen = findings(answers, frozenset(broker.id for broker in cluster.brokers))
        return replace(reading, findings=(*seen, *reading.findings))

    def _reading(self, files: _Files, level: int | None, now: datetime) -> Reading:
        """Return what the files say; ``level`` is the finalized metadata.version."""
        wanted, status = files.wanted, files.status
        answered = status.observed_generation == wanted.generation
        reached = wanted.metadata_level is None or (level is not None and level >= wanted.metadata_level)
        silence = _silence(status, now)
        return Reading(
            release=min(files.releases.values()),
            highest=max(files.releases.values()),
            wanted=_release(wanted.release),
            token=str(wanted.generation),
            settled=answered and reached and status.state is OperatorState.READY and silence is None,
            findings=tuple(finding for finding in (silence, _failure(status)) if finding is not None),
            metadata_version=self._level(level),
            wanted_metadata=self._level(wanted.metadata_level),
            kafka_id=files.cluster.cluster_id,
            held=wanted.annotations.get(marks.HOLD),
            fleet=wanted.annotations.get(marks.FLEET),
            refused=status.message if answered and status.state is OperatorState.REFUSED else None,
            progress=_progress(status, None if reached else self._level(wanted.metadata_level)),
        )

    def _level(self, level: int | None) -> MetadataVersion | None:
        if level is None:
            return None
        return self._levels.get(level) or MetadataVersion(level, f"level {level}")


def _is_taken(start: Start, wanted: WantedFile) -> bool:
    """Tell whether this start was taken before; ApplyRefused where the cluster belongs to another fleet."""
    mark = wanted.annotations.get(marks.FLEET)
    if mark not in (None, start.fleet):
        raise ApplyRefused(f"{start.cluster}: belongs to the fleet {mark!r}, not to {start.fleet!r}")
    if isinstance(start.target, MetadataVersion):
        return mark == start.fleet and wanted.metadata_level == start.target.level
    return mark == start.fleet and wanted.release == str(start.target)


def _wish(start: Start, wanted: WantedFile, status: StatusFile | None) -> tuple[str, int | None]:
    """Return the release and the level to ask for, the latter None where it stays; ApplyRefused for a lower level.

    With a release, a level that is not finalized yet is put back to the pinned one: nobody may raise it with the roll.
    """
    if isinstance(start.target, MetadataVersion):
        finalized = status.metadata_level if status is not None else None
        if finalized is not None and start.target.level < finalized:
            raise ApplyRefused(
                f"{start.cluster}: metadata.version is at level {finalized} and is never lowered to {start.target}"
            )
        return wanted.release, start.target.level
    asked, pinned = wanted.metadata_level, start.pinned
    raises = asked is not None and pinned is not None and asked > pinned.level
    return str(start.target), pinned.level if pinned is not None and raises else None


def _read_files(cluster: ClusterFile, folder: Path) -> _Files:
    """Return the files of one cluster; LabError where they are missing, unreadable or do not fit each other."""
    wanted, status = labfiles.read_wanted(folder), labfiles.read_status(folder)
    if status is None:
        raise LabError(f"the operator of {cluster.name} has not spoken yet")
    releases = {broker.id: _release(broker.release) for broker in status.brokers}
    expected = {broker.id for broker in cluster.brokers}
    if not expected or releases.keys() != expected:
        raise LabError(
            f"status of {cluster.name}: found brokers {sorted(releases)}, expected {sorted(expected)} of cluster.json"
        )
    return _Files(cluster, wanted, status, releases)


def _release(text: str) -> KafkaVersion:
    try:
        return KafkaVersion.parse(text)
    except ValueError as error:
        raise LabError(str(error)) from None


def _require_same(cluster: ClusterFile, answers: Answers, told: Sequence[Mapping[int, KafkaVersion]]) -> None:
    """Raise ObservationError where the brokers are others, or run another line, than the operator ``told``."""
    if answers.kafka_id != cluster.cluster_id:
        raise ObservationError(
            f"brokers of {cluster.name}: found the cluster {answers.kafka_id}, expected {cluster.cluster_id}"
        )
    for broker, line in answers.lines.items():
        # The operator's word is read before and after: in between, a broker may have come back on another release.
        releases = [releases[broker] for releases in told]
        if not any(_fits(release.line, line) for release in releases):
            raise ObservationError(
                f"broker {broker} of {cluster.name}: answers like {line[0]}.{line[1]}, but its operator says"
                f" {releases[-1]}: nobody knows what it runs"
            )


def _fits(told: Minor, answered: Minor) -> bool:
    return told < OLDEST_LINE_TOLD or min(told, NEWEST_LINE_TOLD) == answered


def _silence(status: StatusFile, now: datetime) -> Finding | None:
    try:
        silent = now - datetime.fromisoformat(status.updated_at)
    except (ValueError, TypeError):
        return Finding(
            "operator_silent", Severity.WARN, f"operator: found the time {status.updated_at!r}, expected UTC"
        )
    if silent <= SILENT_AFTER:
        return None
    detail = f"operator has not spoken since {status.updated_at}; start it again with `wavefleet lab up`"
    return Finding("operator_silent", Severity.WARN, detail)


def _failure(status: StatusFile) -> Finding | None:
    return Finding("operator_failed", Severity.BLOCK, status.message) if status.state is OperatorState.FAILED else None


def _progress(status: StatusFile, level: MetadataVersion | None) -> str:
    """Say how far the operator is; ``level`` is one that is still to be finalized, which it does last."""
    if status.state is not OperatorState.ROLLING:
        return ""
    if level is not None and status.brokers_on_wanted == len(status.brokers):
        return f"finalizing {level}"
    return f"{status.brokers_on_wanted} of {len(status.brokers)} brokers"
