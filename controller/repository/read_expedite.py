"""Reads expedited targets, the same on the fleet and in a group, but that only the fleet's name groups.

Whether the release is one of the catalog, and whether a pattern matches a group, is judged where those are known.
"""

from controller.repository import values
from controller.repository.fields import Fields
from controller.repository.read_zone import read_zone
from controller.repository.written import WrittenExpedite


def read_expedite(spec: Fields) -> tuple[WrittenExpedite, ...]:
    """Return the expedited targets of a fleet or of a group."""
    return tuple(_expedite(fields) for fields in spec.each("expedite"))


def _expedite(fields: Fields) -> WrittenExpedite:
    zone, _ = read_zone(fields)
    return WrittenExpedite(
        version=fields.word("version"),
        groups=fields.words("groups"),
        reason=fields.read("reason", values.words),
        by=fields.read("by", values.words),
        until=fields.read("until", lambda text: values.end(text, zone)),
        soak=fields.read("soak", values.duration),
        ignore_windows=fields.read("ignoreWindows", values.flag) or False,
        ignore_freezes=fields.read("ignoreFreezes", values.flag) or False,
        place=fields.place,
    )
