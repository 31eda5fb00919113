"""For commands that only look: the ledger's memory, and the snapshot that the daemon would judge.

Nothing here writes to a cluster, to the ledger or to a simulated fleet's state. The ledger's library is imported only
where there is a ledger to read.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from controller import __version__
from controller.core.recall import remember
from controller.errors import DeclarationError, RepositoryError
from controller.model.declaration import Declaration
from controller.model.history import History
from controller.model.snapshot import Snapshot, Standing
from controller.reports.metrics import Metrics
from controller.runtime.clock import SystemClock
from controller.runtime.looking import Lookout
from controller.runtime.watching import Watcher
from controller.settings import Settings
from controller.wiring.folder import declared_in
from controller.wiring.parts import DeclaredSources, pace_of, repository_of

if TYPE_CHECKING:
    from controller.ledger.opened import OpenLedger

FOLDER = "folder"
"""Stands for the revision where a folder is planned."""


def existing_ledger(settings: Settings) -> "OpenLedger":
    """Open the ledger that a controller made before. Raises LedgerError where there is none."""
    from controller.ledger.opening import open_ledger

    return open_ledger(settings.ledger, create=False)


def recorded_history(settings: Settings, *, required: bool = False) -> History:
    """Return what the ledger remembers; where there is none yet, nothing, or LedgerError if it is required."""
    if not required and not settings.ledger.exists():
        return History()
    ledger = existing_ledger(settings)
    try:
        return remember(History(), ledger.read())
    finally:
        ledger.close()


@dataclass(frozen=True, slots=True)
class Instead:
    """What is looked at instead of the branch's head, as if it had been merged; at most one of the two."""

    path: Path | None = None
    """A folder."""
    ref: str | None = None
    """A ref of the remote, such as a pull request's head."""


def look(settings: Settings, instead: Instead = Instead(), at: datetime | None = None) -> Snapshot:
    """Return what the daemon would judge now, or at ``at``; with ``instead``, if that were the head.

    Raises SettingsError, RepositoryError, LedgerError, and DeclarationError where what is looked at is refused.
    """
    now = at or SystemClock().now()
    history = recorded_history(settings)
    if instead.path is not None:
        return _snapshot(settings, declared_in(instead.path), _as_head(FOLDER, now), history, now)
    if instead.ref is not None:
        repository = repository_of(settings)
        revision = repository.bring(instead.ref)
        return _snapshot(settings, repository.load(revision), _as_head(revision, now), history, now)
    sighting = Lookout(repository_of(settings), Metrics(__version__)).look(history, (), now)
    standing = sighting.standing
    if standing.unreachable is not None:
        raise RepositoryError(standing.unreachable)
    if standing.problems or sighting.declaration is None:
        raise DeclarationError(standing.problems)
    return _snapshot(settings, sighting.declaration, standing, history, now)


def _as_head(revision: str, now: datetime) -> Standing:
    return Standing(head=revision, in_force=revision, confirmed_at=now)


def _snapshot(
    settings: Settings, declaration: Declaration, standing: Standing, history: History, now: datetime
) -> Snapshot:
    sources = DeclaredSources(settings, read_only=True).open(declaration)
    watcher = Watcher(settings.source_timeout, Metrics(__version__))
    listed = watcher.watch(sources, {}, frozenset(), now)
    observation = watcher.watch(sources, listed.clusters, frozenset(listed.clusters), now)
    pace = pace_of(settings)
    return Snapshot(
        now=now,
        standing=standing,
        declaration=declaration,
        observation=observation,
        history=history,
        poll_interval=pace.poll_interval,
        stale_after=pace.stale_after,
        write_limit=pace.source_limit,
        observe_only=pace.observe_only,
    )
