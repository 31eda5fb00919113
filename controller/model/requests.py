"""People's commands, appended to the ledger by whoever runs them and taken in by the daemon's next cycle."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

FLEET = "fleet"
"""The name under which the whole fleet's halts are numbered; no group may be called so."""


class Command(StrEnum):
    """What a person asks for."""

    HALT = "halt"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Request:
    """One command of one person."""

    id: int
    command: Command
    scope: str
    """A group's name, or ``fleet``."""
    by: str
    reason: str
    at: datetime
    number: int | None = None
    """Resume this halt or quarantine of the scope; None = every halt of it."""
    revision: str | None = None
    """Resume from this revision after history was rewritten."""
