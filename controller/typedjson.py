"""Typed JSON that several threads may read at once, from their first call on.

msgspec (seen with 0.22.0) builds what it knows of a type when it is first decoded, and lets a second thread see that
half built: the process dies of a segmentation fault. So each decoder is built under a lock, once.
"""

import threading
from typing import Any, TypeVar

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What ``decode`` raises for content that is no JSON of that kind, or nested deeper than anybody reads."""

_T = TypeVar("_T")

_building = threading.Lock()
_decoders: dict[type, "msgspec.json.Decoder[Any]"] = {}


def decode(content: bytes, kind: type[_T]) -> _T:
    """Return what ``content`` says as a ``kind``. Raises one of ``UNREADABLE``."""
    with _building:
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    value: _T = decoder.decode(content)
    return value
