"""Names as people type them: short where that is enough, and what to say where they fit none or several."""

import difflib
from collections.abc import Collection, Iterable

from controller.model.names import last_part, short_names

SHOWN_MAX = 5


def matching(asked: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the full names among ``known`` that ``asked``, a full or short name, may mean."""
    names = set(known)
    return (asked,) if asked in names else tuple(sorted(name for name in names if last_part(name) == asked))


def not_one(kind: str, asked: str, found: Collection[str], known: Collection[str]) -> str:
    """Return the sentence for a name that fits none or several; ``kind`` is what it should have named."""
    if found:
        return f"{asked}: found {len(found)} {kind}s ({', '.join(found)}), expected one; write a full name"
    if not known:
        return f"{asked}: found no such {kind}, expected the name of one; there are none yet"
    names = sorted(known if "/" in asked else short_names(known).values())
    near = difflib.get_close_matches(asked, names, n=SHOWN_MAX)
    more = f" (+{len(names) - SHOWN_MAX} more)" if not near and len(names) > SHOWN_MAX else ""
    return f"{asked}: found no such {kind}, expected one such as {', '.join(near or names[:SHOWN_MAX])}{more}"
