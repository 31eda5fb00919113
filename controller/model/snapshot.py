"""Everything that one cycle's judgement sees: declared, observed and recorded, at one ``now``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.errors import Problem
from controller.history.records import History
from controller.model.declaration import Declaration
from controller.model.memory import Memory
from controller.model.observation import Observation
from controller.model.requests import Request


@dataclass(frozen=True, slots=True)
class Standing:
    """How the declaration in force stands to the branch it came from."""

    head: str
    """The newest revision seen on the branch."""
    in_force: str
    """The revision that the declaration came from; older than ``head`` while that is invalid or unreachable."""
    confirmed_at: datetime | None
    """When the head was last confirmed with the remote; None where this process never did."""
    problems: tuple[Problem, ...] = ()
    """Why the head is refused; empty where it is in force."""
    unreachable: str | None = None
    """Why the remote could not be read in this cycle."""
    rewritten_from: str | None = None
    """The confirmed revision that the head does not descend from; None where history was not rewritten."""
    declared_by: Mapping[str, str] = field(default_factory=dict)
    """Group name to the revision that declared its target, for groups whose target changed since last seen."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The input of ``plan_cycle``."""

    now: datetime
    """The one reading of the clock, in UTC."""
    standing: Standing
    declaration: Declaration
    observation: Observation
    history: History = field(default_factory=History)
    memory: Memory = field(default_factory=Memory)
    requests: tuple[Request, ...] = ()
    """People's commands that were not taken in yet, oldest first."""
    poll_interval: timedelta = timedelta(seconds=60)
    stale_after: timedelta = timedelta(minutes=10)
    write_limit: timedelta = timedelta(seconds=60)
    """A write may still arrive so long after it was sent; no start is given up as untaken before."""
    observe_only: bool = False
    """Judge and report as ever, and start nothing."""
