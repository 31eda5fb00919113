"""Paths into a document, and how people read them: ``spec.strategy.waves[1].size``."""

import re

Path = tuple[str | int, ...]
"""Keys and indexes from the document's root."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KEY_SHOWN_MAX = 60


def field_at(path: Path) -> str:
    """Write ``path`` as one field; a key that is no plain word stands in brackets and quotes."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        elif _PLAIN.fullmatch(part) and len(part) <= _KEY_SHOWN_MAX:
            written += f".{part}" if written else part
        else:
            written += f'["{ascii(part[:_KEY_SHOWN_MAX])[1:-1]}"]'
    return written
