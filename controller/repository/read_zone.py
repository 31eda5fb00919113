"""Reads the time zone of an item that has moments or times of day: one field, which means the same everywhere."""

from datetime import UTC, tzinfo

from controller.repository import values
from controller.repository.fields import Fields


def read_zone(fields: Fields) -> tuple[tzinfo, str]:
    """Return the item's time zone and its name; UTC where there is none, or where it is wrong and told."""
    zone = fields.read("timezone", values.zone)
    name = fields.word("timezone")
    return (UTC, "UTC") if zone is None or name is None else (zone, name.text)
