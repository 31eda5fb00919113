"""Names as people type them: short where that is enough, and what to say where they fit none or several."""

import difflib
from collections.abc import Collection, Iterable

from controller.model.names import last_part

SHOWN_MAX = 5


def matching(asked: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the full names among ``known`` that ``asked``, a full or short name, may mean."""
    names = set(known)
    return (asked,) if asked in names else tuple(sorted(name for name in names if last_part(name) == asked))


def not_one(kind: str, asked: str, found: Collection[str], known: Collection[str]) -> str:
    """Return the sentence for a name that fits none or several; ``kind`` is what it should have named."""
    if found:
        return f"{asked}: found {len(found)} {kind}s ({', '.join(found)}), expected one; write a full name"
    short = {last_part(name): name for name in known}
    near = difflib.get_close_matches(asked, {*known, *short}, n=SHOWN_MAX)
    names = ", ".join(near or sorted(known)[:SHOWN_MAX])
    more = "; there are none yet" if not known else f", perhaps: {names}" if near else f", such as: {names}"
    return f"{asked}: found no such {kind}, expected the name of one{more}"
