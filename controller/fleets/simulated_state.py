"""The simulated fleet's own memory: when it began, and what was last asked of each cluster. Everything else follows.

It stands in one small JSON file beside the ledger, replaced whole and changed only under a lock, so that a daemon that
comes back, a second daemon, and a person's command see one fleet. Without a file it lives as long as the process.
A file that cannot be understood is refused and left as it is: a fleet that began anew would look like a downgrade.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from controller import atomic, typedjson
from controller.errors import ObservationError
from controller.fleets.simulated_rolls import Brokers, LevelWish, Wish
from controller.versions import KafkaVersion, MetadataVersion

FORMAT = 2
"""Raised by every change that an older program would misread: 2 remembers levels of metadata.version."""
FORMATS_READ = (1, FORMAT)
STATE_BYTES_MAX = 64 * 1024 * 1024
"""Some 300,000 clusters, each of them asked for another release."""

_MEND = "move it away to let the simulated fleet begin anew"


@dataclass(frozen=True, slots=True)
class State:
    """All that the simulated fleet remembers."""

    started_at: datetime
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    """By the cluster's own name: what was last asked by us; clusters of which nothing was are left out."""


class _LevelFile(msgspec.Struct, rename="camel", omit_defaults=True):
    level: int
    name: str
    changes_metadata: bool = False


class _LevelWishFile(msgspec.Struct, rename="camel"):
    wanted: _LevelFile
    before: _LevelFile
    asked_at: datetime
    asked_with: str


class _WishFile(msgspec.Struct, rename="camel", omit_defaults=True):
    generation: int
    release: str
    brokers: list[tuple[str, int]]
    asked_at: datetime | None = None
    asked_with: str | None = None
    mark: str | None = None
    metadata: _LevelWishFile | None = None


class _Header(msgspec.Struct):
    format: int


class _StateFile(msgspec.Struct, rename="camel"):
    format: int
    source: str
    started_at: datetime
    clusters: dict[str, _WishFile]


class StateFile:
    """Where a simulated fleet keeps its state; ``path`` None keeps it in memory alone."""

    def __init__(self, source: str, path: Path | None) -> None:
        self._source = source
        self._path = path
        self._state: State | None = None
        self._read_as: tuple[int, int, int] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the state; OSError where that cannot be had."""
        if self._path is None:
            yield
            return
        with atomic.locked(self._path.with_name(f"{self._path.name}.lock")):
            yield

    def read(self) -> State | None:
        """Return the state, None where there is none yet; ObservationError where its file cannot be used.

        The same object is returned for as long as nobody changed it.
        """
        if self._path is None:
            return self._state
        try:
            read_as = _identity(self._path)
            if read_as != self._read_as:
                self._state = self._decoded(atomic.read_bounded(self._path, STATE_BYTES_MAX))
                self._read_as = read_as
        except FileNotFoundError:
            self._state = self._read_as = None
        except OSError as error:
            raise ObservationError(f"{self._path}: cannot be read: {error.strerror}; mend its permissions") from error
        return self._state

    def write(self, state: State) -> None:
        """Keep ``state``; ``atomic.NotSynced`` after that was done, other OSErrors before it."""
        if self._path is not None:
            self._read_as = None
            atomic.replace(self._path, self._encoded(state))
            with suppress(OSError):  # it is written: what cannot be seen of it now is read again later
                self._read_as = _identity(self._path)
        self._state = state

    def _encoded(self, state: State) -> bytes:
        clusters = {name: _to_file(wish) for name, wish in state.wishes.items()}
        return msgspec.json.encode(_StateFile(FORMAT, self._source, state.started_at, clusters)) + b"\n"

    def _decoded(self, content: bytes) -> State:
        expected = f"the state of the simulated fleet {self._source!r}"
        try:
            found = typedjson.decode(content, _Header).format
            if found not in FORMATS_READ:
                raise ObservationError(
                    f"{self._path}: found format {found}, expected {FORMAT}: another release of this program wrote it;"
                    f" use that release, or {_MEND}"
                )
            file = typedjson.decode(content, _StateFile)
            if file.source != self._source:
                raise ObservationError(
                    f"{self._path}: found the state of {file.source!r}, expected {expected}; {_MEND}"
                )
            return State(file.started_at, {name: _from_file(wish) for name, wish in file.clusters.items()})
        except (*typedjson.UNREADABLE, ValueError) as error:
            raise ObservationError(f"{self._path}: found {error}, expected {expected}; {_MEND}") from None


def _identity(path: Path) -> tuple[int, int, int]:
    """Return what changes whenever a file is replaced."""
    status = path.stat()
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _to_file(wish: Wish) -> _WishFile:
    brokers = [(str(release), count) for release, count in wish.brokers]
    level = None if wish.level is None else _level_to_file(wish.level)
    return _WishFile(wish.generation, str(wish.release), brokers, wish.asked_at, wish.asked_with, wish.mark, level)


def _from_file(file: _WishFile) -> Wish:
    brokers: Brokers = tuple((KafkaVersion.parse(release), count) for release, count in file.brokers)
    release = KafkaVersion.parse(file.release)
    level = None if file.metadata is None else _level_from_file(file.metadata)
    return Wish(file.generation, release, brokers, file.asked_at, file.asked_with, file.mark, level)


def _level_to_file(wish: LevelWish) -> _LevelWishFile:
    wanted, before = (_LevelFile(it.level, it.name, it.changes_metadata) for it in (wish.level, wish.before))
    return _LevelWishFile(wanted, before, wish.asked_at, wish.asked_with)


def _level_from_file(file: _LevelWishFile) -> LevelWish:
    wanted, before = (MetadataVersion(it.level, it.name, it.changes_metadata) for it in (file.wanted, file.before))
    return LevelWish(wanted, before, file.asked_at, file.asked_with)
