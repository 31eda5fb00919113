"""Moments as people give them on the command line."""

from datetime import UTC, datetime

import typer


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date and time; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"found {text!r}, expected a time such as 2026-03-02T09:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
