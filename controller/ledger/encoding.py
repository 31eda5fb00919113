"""How entries and messages are written down: the class name as their kind, their fields as JSON.

Releases are text (``4.3.1``), a metadata.version an object (``level``, ``name``, ``changes_metadata``), moments
RFC 3339 in UTC, durations ISO 8601. A field added later needs a default, so that old rows stay readable; a field
that this program does not know is passed over, so one that must not be needs a new schema version.
"""

import dataclasses
import types
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from controller.history.entries import Entry
from controller.model.outbox import Body
from controller.versions import KafkaVersion

_Value = TypeVar("_Value")
_ENCODER = msgspec.json.Encoder()


class Unreadable(ValueError):
    """A row says something that this program cannot read; the message tells what, and what to do."""


def write_moment(moment: datetime) -> str:
    """Return ``moment`` as text of one width, in UTC, so that text order is time order."""
    assert moment.tzinfo is not None, f"{moment!r} has no time zone"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_moment(text: str) -> datetime:
    """Read what ``write_moment`` wrote; raises Unreadable."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"found the time {text!r}, expected RFC 3339") from error


def checksum(sequence: int, at: str, kind: str, body: str) -> int:
    """Return the CRC-32 that is stored with an entry; it finds damage, not malice."""
    return zlib.crc32(f"{sequence}\n{at}\n{kind}\n{body}".encode())


def encode(value: Entry | Body) -> tuple[str, str]:
    """Return ``value``'s kind and body."""
    kind = type(value).__name__
    return kind, _ENCODER.encode(_WRITERS[kind](value)).decode()


def decode_entry(kind: str, body: str) -> Entry:
    """Read an entry back; raises Unreadable."""
    return cast("Entry", _decode(_ENTRIES, kind, body))


def decode_body(kind: str, body: str) -> Body:
    """Read what a message says back; raises Unreadable."""
    return cast("Body", _decode(_BODIES, kind, body))


def quoted(text: str) -> str:
    """Return ``text`` as it stands inside an encoded body."""
    return _ENCODER.encode(text).decode()


def _decode(readers: Mapping[str, Callable[[str], object]], kind: str, body: str) -> object:
    reader = readers.get(kind)
    if reader is None:
        raise Unreadable(
            f"found the kind {kind!r}, expected one that this release writes; a newer Wavefleet wrote it: run that one"
        )
    try:
        return reader(body)
    except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
        raise Unreadable(f"found a {kind} that cannot be read: {error}") from error


def _writer(kind: type) -> Callable[[object], dict[str, object]]:
    names = tuple(field.name for field in dataclasses.fields(kind))
    return lambda value: {name: _plain(getattr(value, name)) for name in names}


def _plain(value: object) -> object:
    if isinstance(value, KafkaVersion):
        return str(value)
    if isinstance(value, datetime):
        return write_moment(value)
    return value


def _reader(kind: type[_Value]) -> Callable[[str], _Value]:
    """Return what reads one kind: msgspec alone, or by way of a class whose releases are text."""
    hints = get_type_hints(kind)
    releases = frozenset(name for name, hint in hints.items() if KafkaVersion in (hint, *get_args(hint)))
    if not releases:
        return msgspec.json.Decoder(kind).decode
    return _ReleaseReader(kind, hints, releases).read


class _ReleaseReader(Generic[_Value]):
    """Reads a kind that has releases in fields of its own: msgspec does not tell two classes in one union apart."""

    def __init__(self, kind: type[_Value], hints: Mapping[str, Any], releases: frozenset[str]) -> None:
        names = tuple(field.name for field in dataclasses.fields(cast("Any", kind)))
        self._kind = kind
        self._releases = tuple(names.index(name) for name in releases)
        self._values = attrgetter(*names)
        self._decode = msgspec.json.Decoder(_as_written(kind, hints)).decode

    def read(self, body: str) -> _Value:
        """Decode ``body``; raises ValueError where a release is none."""
        values = list(self._values(self._decode(body)))
        for place in self._releases:
            if isinstance(values[place], str):
                values[place] = KafkaVersion.parse(values[place])
        return self._kind(*values)


def _as_written(kind: type, hints: Mapping[str, Any]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in dataclasses.fields(kind):
        hint = _release_as_text(hints[field.name])
        if field.default_factory is not dataclasses.MISSING:
            fields.append((field.name, hint, msgspec.field(default_factory=field.default_factory)))
        elif field.default is not dataclasses.MISSING:
            fields.append((field.name, hint, field.default))
        else:
            fields.append((field.name, hint))
    return msgspec.defstruct(kind.__name__, fields, kw_only=True)


def _release_as_text(hint: Any) -> Any:  # noqa: ANN401  annotations have no common type
    if hint is KafkaVersion:
        return str
    if get_origin(hint) in (Union, types.UnionType):
        return Union[tuple(_release_as_text(part) for part in get_args(hint))]  # noqa: UP007  made at run time
    return hint


_ENTRIES: Mapping[str, Callable[[str], object]] = {kind.__name__: _reader(kind) for kind in get_args(Entry)}
_BODIES: Mapping[str, Callable[[str], object]] = {kind.__name__: _reader(kind) for kind in get_args(Body)}
_WRITERS = {kind.__name__: _writer(kind) for kind in (*get_args(Entry), *get_args(Body))}
