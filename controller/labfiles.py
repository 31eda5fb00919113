"""The files of a lab, by which its operator and whoever wants a release of it speak to each other.

``DIR/lab.json`` LabFile; ``DIR/clusters/NAME/cluster.json`` ClusterFile, ``wanted.json`` WantedFile, ``status.json``
StatusFile; where listeners are secure, ``DIR/credentials/`` Credentials. All but these are JSON objects in UTF-8, keys
in camelCase, at most 1 MiB, replaced whole and never edited in place; a reader ignores keys it does not know. This
module is all that the lab and the live fleet share; it starts nothing, reads no clock, and knows nothing of waves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from controller import atomic, typedjson
from controller.errors import LabError, UnknownLabName

FILE_BYTES_MAX = 1024 * 1024
"""A larger file was not written by a lab, and is refused instead of read."""


class ClusterShape(msgspec.Struct, frozen=True, rename="camel"):
    """What one cluster is made with."""

    brokers: int
    release: str
    """The Apache Kafka release it is formatted with."""


class LabFile(msgspec.Struct, frozen=True, rename="camel"):
    """``lab.json``: marks a folder as a lab and keeps the shape it was made with; written first, never changed."""

    clusters: tuple[str, ...]
    """Names of the clusters in the order they were made: ``lab-1``, ``lab-2`` and so on, or as they were asked for."""
    brokers: int
    """Brokers of each cluster that ``shapes`` does not name."""
    release: str
    """The Apache Kafka release those clusters were formatted with."""
    shapes: dict[str, ClusterShape] = {}
    """By name: the clusters that were asked for one by one."""
    secure: bool = False
    """Whether clients need TLS and a password; the same for every cluster of a lab."""

    def shape(self, name: str) -> ClusterShape:
        """Return what the cluster ``name`` is made with."""
        return self.shapes.get(name) or ClusterShape(self.brokers, self.release)


class BrokerPlace(msgspec.Struct, frozen=True, rename="camel"):
    """Where one broker listens, for as long as the lab exists. Each is also a KRaft controller (a combined node)."""

    id: int
    """``node.id``, from 1."""
    host: str
    """Always a loopback address."""
    port: int
    """The port clients use."""
    controller_port: int
    """``controllerPort``: where the nodes vote."""
    internal_port: int | None = None
    """``internalPort``: where brokers copy from each other in plain text; None = they use ``port``."""


class ClusterFile(msgspec.Struct, frozen=True, rename="camel"):
    """``cluster.json``: one cluster as it was made; never changed but for ``labels``, which people may edit."""

    name: str
    """The folder's name too."""
    cluster_id: str
    """``clusterId``: Kafka's own id, as ``describe_cluster`` reports it."""
    brokers: tuple[BrokerPlace, ...]
    labels: dict[str, str] = {}
    """Free labels, for selecting clusters; the lab itself sets ``lab`` to the name of its folder."""
    secure: bool = False
    """Whether ``port`` takes clients over TLS and SASL alone, as ``Credentials`` says; else it is plain."""

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """``HOST:PORT`` of every broker, for clients."""
        return tuple(f"{broker.host}:{broker.port}" for broker in self.brokers)


@dataclass(frozen=True, slots=True)
class Credentials:
    """``DIR/credentials/``: what a client of secure listeners needs; all in mode 0600, in a folder of mode 0700.

    ``username`` and ``password`` hold one word without a line end, for SASL SCRAM-SHA-512. ``user.crt`` and
    ``user.key`` are for clients that show a certificate: brokers ask for one, and do without.
    """

    folder: Path

    @property
    def authorities(self) -> Path:
        """PEM file of the lab's own authority, which signed the brokers' certificates."""
        return self.folder / "ca.crt"

    @property
    def username(self) -> Path:
        """File with the name."""
        return self.folder / "username"

    @property
    def password(self) -> Path:
        """File with the password."""
        return self.folder / "password"

    @property
    def certificate(self) -> Path:
        """PEM file of the client's certificate."""
        return self.folder / "user.crt"

    @property
    def key(self) -> Path:
        """PEM file of its key."""
        return self.folder / "user.key"


class WantedFile(msgspec.Struct, frozen=True, rename="camel"):
    """``wanted.json``: what the operator is asked for.

    A writer (1) opens ``wanted.lock`` in the same folder, creating it if it is missing, and takes ``fcntl.flock``
    with ``LOCK_EX`` on it, (2) reads ``wanted.json`` and leaves it alone when ``generation`` is not the one it judged
    from, (3) replaces the file, with ``generation`` one higher and every annotation it does not know kept,
    (4) closes the lock file, which it never deletes. The operator only reads.
    """

    generation: int
    """From 1; one higher with every write, also one that changes annotations alone."""
    release: str
    """The Apache Kafka release every broker of the cluster shall run, such as ``4.3.1``."""
    annotations: dict[str, str] = {}
    """Notes for other programs, such as ``wavefleet.io/fleet``; the operator does not read them."""
    metadata_level: int | None = None
    """``metadataLevel``: the feature level that ``metadata.version`` shall be finalized at, at least; it is never
    lowered. None = it stays where it is."""


class OperatorState(StrEnum):
    """What the operator says of a cluster, in ``status.json``."""

    READY = "ready"
    """Every broker runs the wanted release, all are registered, every replica is in sync, and ``metadata.version``
    is finalized at the wanted level or a higher one."""
    ROLLING = "rolling"
    """The operator has work in hand (starting, rolling, waiting for replicas, finalizing); ``message`` says which."""
    REFUSED = "refused"
    """The wanted release cannot be had or would break the cluster, or it cannot serve the wanted level. No broker and
    no level was touched for it. Looked at again every minute, since what was missing may appear."""
    FAILED = "failed"
    """Work in hand takes longer than its limit, or a broker does not start. The operator goes on trying and rolls no
    other broker meanwhile."""


class BrokerStatus(msgspec.Struct, frozen=True, rename="camel"):
    """One broker in ``status.json``."""

    id: int
    release: str
    """What its process runs; for a stopped broker, what it is started with next."""
    pid: int | None
    """None while no process runs."""


class StatusFile(msgspec.Struct, frozen=True, rename="camel"):
    """``status.json``: the operator's word on one cluster, rewritten at a change and at least every 5 seconds.

    It speaks of the wanted release only when ``observed_generation`` equals ``generation`` of ``wanted.json``; an old
    ``updated_at`` means that no operator runs, and that the rest is history.
    """

    observed_generation: int
    """``observedGeneration``: the generation of ``wanted.json`` this status answers; 0 when it cannot be read."""
    state: OperatorState
    release: str | None
    """The lowest release a running broker has, as in ``lowest``; None while no broker runs."""
    lowest: str | None
    highest: str | None
    brokers: tuple[BrokerStatus, ...]
    brokers_on_wanted: int
    """``brokersOnWanted``: brokers whose process runs the wanted release."""
    message: str
    """One sentence for people."""
    updated_at: str
    """``updatedAt``: RFC 3339 in UTC."""
    metadata_level: int | None = None
    """``metadataLevel``: the finalized ``metadata.version`` as it was last seen, as a feature level."""


def lab_file(directory: Path) -> Path:
    """``lab.json`` of the lab in ``directory``."""
    return directory / "lab.json"


def cluster_folder(directory: Path, name: str) -> Path:
    """The folder of the cluster ``name``."""
    return directory / "clusters" / name


def credentials_of(directory: Path) -> Credentials:
    """The credentials of the lab in ``directory``, whose files are there where its clusters are ``secure``."""
    return Credentials(directory / "credentials")


CLUSTER_NAME_EXPECTED = "1 to 40 lower-case letters, digits and dashes, with none of the latter at an end"
_CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
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


class NotKept(LabError):
    """A file was replaced, but a crash of the machine could still bring the old one back; read it again."""


def read_lab(directory: Path) -> LabFile:
    """Return the lab in ``directory``; LabError where there is none."""
    lab = read_file_or_none(lab_file(directory), LabFile)
    if lab is None:
        raise LabError(f"{directory}: found no lab.json, expected a lab; make one with `wavefleet lab up`")
    strange = [name for name in lab.clusters if not is_cluster_name(name)]
    if strange:
        raise LabError(f"{lab_file(directory)}: found a cluster named {strange[0]!r}, expected {CLUSTER_NAME_EXPECTED}")
    return lab


def is_cluster_name(text: str) -> bool:
    """Tell whether a cluster of a lab may be called so."""
    return _CLUSTER_NAME.fullmatch(text) is not None


def read_clusters(directory: Path) -> tuple[ClusterFile, ...]:
    """Return the clusters that are made already, in their order; LabError where a file cannot be read."""
    found = (read_cluster(cluster_folder(directory, name)) for name in read_lab(directory).clusters)
    return tuple(cluster for cluster in found if cluster is not None)


def read_cluster(cluster_dir: Path) -> ClusterFile | None:
    """Return ``cluster.json`` of one cluster; None before it is made."""
    return read_file_or_none(cluster_dir / "cluster.json", ClusterFile)


def find_cluster(directory: Path, name: str) -> ClusterFile:
    """Return the cluster ``name``; UnknownLabName where the lab has none, LabError where it is not made yet."""
    known = read_lab(directory).clusters
    if name not in known:
        raise UnknownLabName(f"{name}: found no such cluster in {directory}, expected one of {', '.join(known)}")
    cluster = read_cluster(cluster_folder(directory, name))
    if cluster is None:
        raise LabError(f"{name}: found no cluster.json, expected a cluster that is made; run `wavefleet lab up` again")
    return cluster


def read_wanted(cluster_dir: Path) -> WantedFile:
    """Return what the operator is asked for; LabError where the file is missing or cannot be read."""
    wanted = read_file_or_none(cluster_dir / "wanted.json", WantedFile)
    if wanted is None:
        raise LabError(f"{cluster_dir / 'wanted.json'}: found no file, expected one; run `wavefleet lab up` again")
    return wanted


def read_status(cluster_dir: Path) -> StatusFile | None:
    """Return the operator's word; None before it first spoke; LabError where the file cannot be read."""
    return read_file_or_none(cluster_dir / "status.json", StatusFile)


def write_wanted(
    cluster_dir: Path,
    *,
    release: str,
    expected_generation: int,
    metadata_level: int | None = None,
    annotations: Mapping[str, str] | None = None,
) -> int:
    """Ask the operator for ``release`` and ``metadata_level``, and return the new generation.

    ``expected_generation`` is that of the file the caller judged from, 0 for a file that is not there yet.
    A ``metadata_level`` of None leaves the level that was asked for.
    ``annotations`` are merged into those of the file; an empty text removes one. Raises GenerationConflict where
    somebody else wrote meanwhile, NotKept where only reading again can tell, LabError where the file cannot be read,
    locked or written.
    """
    path = cluster_dir / "wanted.json"
    try:
        with atomic.locked(cluster_dir / "wanted.lock"):
            before = read_file_or_none(path, WantedFile)
            found = before.generation if before else 0
            if found != expected_generation:
                raise GenerationConflict(cluster_dir.name, found=found, expected=expected_generation)
            merged = {**(before.annotations if before else {}), **(annotations or {})}
            kept = {key: text for key, text in merged.items() if text}
            level = before.metadata_level if before and metadata_level is None else metadata_level
            replace_file(path, WantedFile(found + 1, release, kept, level))
            return found + 1
    except OSError as error:
        raise LabError(f"{error.filename or path}: {error.strerror}; nothing was changed") from error


def replace_file(path: Path, value: msgspec.Struct) -> None:
    """Write ``value`` to ``path`` so that a reader, or a crash, finds the old file or the new one, never a part.

    Raises LabError where the disk is full or the folder cannot be written; the old file then stays. NotKept is raised
    after the new file is in place.
    """
    try:
        atomic.replace(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    except atomic.NotSynced as error:
        raise NotKept(f"{path}: was written, but the disk did not confirm it: {error.strerror}") from error
    except OSError as error:
        raise LabError(f"{path}: cannot be written: {error.strerror}; nothing was changed") from error


def read_file_or_none(path: Path, kind: type[_File]) -> _File | None:
    """Return what ``path`` says as a ``kind``; None where there is no such file; LabError where it is another."""
    try:
        content = atomic.read_bounded(path, FILE_BYTES_MAX)
        return typedjson.decode(content, kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}; mend it or its permissions") from error
    except typedjson.UNREADABLE as error:
        raise LabError(f"{path}: found {error}, expected a {kind.__name__} as the lab writes it") from None
