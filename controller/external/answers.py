"""An answer's body as a JSON object, or what it is instead.

A key given twice is refused: readers differ in which of the two they take, and here one of them may say yes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NotJson:
    """The body is no JSON object that can be used."""

    found: str
    """Fits behind "found" and "answered with"."""


class _GivenTwice(ValueError):
    """A key stands twice in one object."""


def json_object(body: bytes) -> Mapping[str, Any] | NotJson:
    """Return the object that ``body`` is in JSON."""
    if not body.strip():
        return NotJson("an empty body")
    try:
        content = json.loads(body, object_pairs_hook=_unique)
    except _GivenTwice as error:
        return NotJson(f"JSON with the key {error} given twice")
    except (ValueError, RecursionError):
        return NotJson("a body that is no JSON")
    if not isinstance(content, dict):
        return NotJson("JSON that is no object")
    return content


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _GivenTwice(repr(key[:40]))
        content[key] = value
    return content
