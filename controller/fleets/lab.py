"""The lab as a fleet: real brokers as local processes, found by the files in which their operator speaks.

The exact release cannot be told over the wire, only its line, so it comes from the operator. How the brokers are is
asked of them apart from this, by way of the addresses told here. It never touches a process, and imports nothing of the
lab but the files' formats (``labfiles``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from controller import labfiles
from controller.errors import ApplyInDoubt, ApplyRefused, LabError, ObservationError
from controller.fleets import marks
from controller.labfiles import ClusterFile, OperatorState, StatusFile, WantedFile
from controller.model.observation import (
    Endpoints,
    Finding,
    ObservedCluster,
    Reading,
    Severity,
    SourceReading,
    Unknown,
)
from controller.model.plan import Start
from controller.versions import KafkaVersion, MetadataVersion

SILENT_AFTER = timedelta(seconds=30)
"""The operator speaks every 5 seconds; after this long it is taken for dead."""


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

    def __init__(self, name: str, directory: Path, levels: Mapping[int, MetadataVersion]) -> None:
        self._name = name
        self._directory = directory
        self._levels = levels
        self._known: dict[str, ClusterFile] = {}
        """By name: what each cluster was like when it could be read last."""

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return every cluster that is made; ObservationError where there is no lab."""
        try:
            names = labfiles.read_lab(self._directory).clusters
        except LabError as error:
            raise ObservationError(f"source {self._name}: {error}") from error
        observed = (self._observed(name, full, now) for name in names)
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

    def _observed(self, name: str, full: frozenset[str], now: datetime) -> ObservedCluster | None:
        """Return what one cluster shows; None before it is made. Of one that cannot be read, the labels of before."""
        full_name, folder = f"{self._name}/{name}", labfiles.cluster_folder(self._directory, name)
        reading: Reading | Unknown
        try:
            cluster = labfiles.read_cluster(folder)
            if cluster is None:
                return None
            self._known[name] = cluster
            reading = self._reading(_read_files(cluster, folder), now, full=full_name in full)
        except LabError as error:
            reading = Unknown(str(error))
        if name not in self._known:
            return ObservedCluster(full_name, {}, reading, Endpoints())
        known = self._known[name]
        endpoints = Endpoints(known.bootstrap, frozenset(broker.id for broker in known.brokers))
        return ObservedCluster(full_name, dict(known.labels), reading, endpoints)

    def _reading(self, files: _Files, now: datetime, *, full: bool) -> Reading:
        wanted, status = files.wanted, files.status
        level = status.metadata_level
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
            full=full,
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
