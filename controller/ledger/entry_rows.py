"""Entries as rows: written with a checksum, read in pages, checked on the way back.

Every function works inside the transaction of its caller and may raise Unreadable. The rows are append-only but for
soak credit, of which only the newest of each wave is kept.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update

from controller.history.entries import Entry, Recorded, RequestTaken, RolloutPlanned, SoakCredited
from controller.ledger import schema
from controller.ledger.about import NAMES_MANY, About, Context, about, concerns
from controller.ledger.encoding import Unreadable, checksum, decode_entry, encode, quoted, read_moment, write_moment

PAGE_ENTRIES_MAX = 1000
"""How many entries are in memory at once while the ledger is read."""

_entries = schema.entries.c
_PAGE = (_entries.sequence, _entries.at, _entries.kind, _entries.body, _entries.checksum)


def append(connection: Connection, entries: Sequence[Entry], at: datetime) -> None:
    """Write ``entries`` after the newest one, and take in the requests that they answer."""
    first: int = connection.execute(select(schema.ledger.c.last_sequence)).scalar_one() + 1
    groups = _Groups(connection)
    moment = write_moment(at)
    rows = [_row(first + index, moment, entry, groups.about(entry)) for index, entry in enumerate(entries)]
    connection.execute(insert(schema.entries), rows)
    connection.execute(update(schema.ledger).values(last_sequence=first + len(rows) - 1))
    for entry, row in zip(entries, rows, strict=True):
        _take_in(connection, entry, row)


def _row(sequence: int, moment: str, entry: Entry, words: About) -> dict[str, Any]:
    kind, body = encode(entry)
    return {
        "sequence": sequence,
        "at": moment,
        "kind": kind,
        "rollout": words.rollout,
        "wave": words.wave,
        "group_name": words.group,
        "cluster": words.cluster,
        "body": body,
        "checksum": checksum(sequence, moment, kind, body),
    }


def _take_in(connection: Connection, entry: Entry, row: dict[str, Any]) -> None:
    if isinstance(entry, RequestTaken):
        answered = update(schema.requests).where(schema.requests.c.id == entry.request)
        connection.execute(answered.values(outcome=entry.outcome))
    if isinstance(entry, SoakCredited):
        superseded = delete(schema.entries).where(
            _entries.kind == SoakCredited.__name__,
            _entries.rollout == entry.rollout,
            _entries.wave == entry.wave,
            _entries.sequence < row["sequence"],
        )
        connection.execute(superseded)


class _Groups:
    """Finds the group of entries that name only a rollout or a request, each rollout's once in a batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._of_rollout: dict[int, str | None] = {}
        self._context = Context(self._group_of_rollout, self._scope_of_request)

    def about(self, entry: Entry) -> About:
        if isinstance(entry, RolloutPlanned):
            self._of_rollout[entry.rollout] = entry.group
        return about(entry, self._context)

    def _group_of_rollout(self, rollout: int) -> str | None:
        if rollout not in self._of_rollout:
            of_rollout = (_entries.kind == RolloutPlanned.__name__, _entries.rollout == rollout)
            query = select(_entries.group_name).where(*of_rollout).order_by(_entries.sequence.desc()).limit(1)
            self._of_rollout[rollout] = self._connection.execute(query).scalar()
        return self._of_rollout[rollout]

    def _scope_of_request(self, request: int) -> str | None:
        query = select(schema.requests.c.scope).where(schema.requests.c.id == request)
        found: str | None = self._connection.execute(query).scalar()
        return found


def page_after(connection: Connection, after: int) -> list[Recorded]:
    """Return the next entries above ``after``, oldest first; empty at the end."""
    query = select(*_PAGE).where(_entries.sequence > after).order_by(_entries.sequence).limit(PAGE_ENTRIES_MAX)
    return [_recorded(row) for row in connection.execute(query).all()]


def newest_first(
    connection: Connection, group: str | None, cluster: str | None, before: int | None
) -> Iterator[Recorded]:
    """Yield the entries of a group, of a cluster, of both or of all, from ``before`` backwards."""
    conditions: list[ColumnElement[bool]] = []
    if group is not None:
        conditions.append(_entries.group_name == group)
    if cluster is not None:
        conditions.append(_names(cluster))
    if before is not None:
        conditions.append(_entries.sequence < before)
    query = select(*_PAGE).where(*conditions).order_by(_entries.sequence.desc())
    with connection.execution_options(yield_per=PAGE_ENTRIES_MAX).execute(query) as rows:
        for row in rows:
            recorded = _recorded(row)
            if cluster is None or concerns(recorded.entry, cluster):
                yield recorded


def _names(cluster: str) -> ColumnElement[bool]:
    """Rows that may concern ``cluster``: LIKE is lax about letters' case, so what it finds is looked at again."""
    named = _entries.kind.in_([kind.__name__ for kind in NAMES_MANY])
    return or_(_entries.cluster == cluster, named & _entries.body.contains(quoted(cluster), autoescape=True))


def newest_sequence(connection: Connection) -> int:
    """Return the highest sequence number that is there; 0 where none is."""
    newest = select(_entries.sequence).order_by(_entries.sequence.desc()).limit(1)
    return int(connection.execute(newest).scalar() or 0)


def _recorded(row: Sequence[Any]) -> Recorded:
    sequence, at, kind, body, stored = row
    if checksum(sequence, at, kind, body) != stored:
        raise Unreadable(
            f"entry {sequence}: found it changed since it was written (its checksum differs), expected it whole; bring"
            " back a backup"
        )
    try:
        return Recorded(sequence, read_moment(at), decode_entry(kind, body))
    except Unreadable as error:
        raise Unreadable(f"entry {sequence}: {error}") from error
