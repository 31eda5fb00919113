"""Moments as people give them on the command line."""

from datetime import UTC, date, datetime, time, timedelta

import typer

from controller.model.durations import parse_duration


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date and time; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"found {text!r}, expected a time such as 2026-03-02T09:00Z") from None


def parse_end(text: str) -> datetime | timedelta:
    """Read a duration, or a moment as ``parse_moment`` does; a bare date is the end of that day."""
    try:
        return parse_duration(text)
    except ValueError:
        pass
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        return parse_moment(text)


def parse_span(text: str) -> timedelta:
    """Read a duration such as 60s."""
    try:
        return parse_duration(text)
    except ValueError:
        raise typer.BadParameter(f"found {text!r}, expected a duration such as 60s or 5m") from None
