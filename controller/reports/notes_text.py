"""What a Git note holds: one line per context, ``STATE CONTEXT: DESCRIPTION``, sorted by context.

Others may write there too, people by hand and a second Wavefleet for another fleet, so a merge replaces the lines of
the contexts it brings and keeps every other line as it is; lines of no known form go to the end, in their order.
"""

import re
from collections.abc import Sequence

from controller.model.outbox import CommitStatus, StatusState
from controller.reports.statuses import as_shown

_LINE = re.compile(rf"(?:{'|'.join(StatusState)}) (?P<context>\S+): ")


def line_of(status: CommitStatus) -> str:
    """Return the line that says ``status``."""
    shown = as_shown(status)
    return f"{shown.state.value} {_context(status)}: {shown.description}"


def merged(note: str, statuses: Sequence[CommitStatus]) -> str:
    """Return the note with the lines of ``statuses`` in the place of older ones; of one context the last counts."""
    fresh = {_context(status): line_of(status) for status in statuses}
    known: list[tuple[str, str]] = list(fresh.items())
    other: list[str] = []
    for line in note.splitlines():
        match = _LINE.match(line)
        if match is None:
            other.append(line)
        elif match["context"] not in fresh:
            known.append((match["context"], line))
    known.sort(key=lambda each: each[0])
    return "\n".join([*(line for _, line in known), *other])


def _context(status: CommitStatus) -> str:
    return "".join(as_shown(status).context.split())
