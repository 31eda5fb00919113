"""For commands that only look: the ledger's memory, and the snapshot that the daemon would judge.

Nothing here writes to a cluster, to the ledger or to a simulated fleet's state. The ledger's library is imported only
where there is a ledger to read. The brokers of a whole fleet are not asked for the sake of a command: but for one
cluster that is looked at closely they are taken for well.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from controller import __version__
from controller.core.membership import assign
from controller.errors import DeclarationError, RepositoryError
from controller.history.recall import remember
from controller.history.records import History
from controller.model.declaration import Declaration
from controller.model.names import last_part
from controller.model.observation import Observation, ObservedCluster, Reading
from controller.model.snapshot import Snapshot, Standing
from controller.reports.metrics import Metrics
from controller.runtime.clock import SystemClock
from controller.runtime.examining import Examiner, Rounds
from controller.runtime.looking import Lookout
from controller.runtime.watching import Watcher
from controller.settings import Settings
from controller.wiring.folder import declared_in
from controller.wiring.listeners import broker_health
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


def look(
    settings: Settings, instead: Instead = Instead(), at: datetime | None = None, *, closely: str | None = None
) -> Snapshot:
    """Return what the daemon would judge now, or at ``at``; with ``instead``, if that were the head.

    The brokers of the cluster named ``closely``, short or full, are asked.

    Raises SettingsError, RepositoryError, LedgerError, and DeclarationError where what is looked at is refused.
    """
    now = at or SystemClock().now()
    history = recorded_history(settings)
    declaration, standing = _declared(settings, instead, history, now)
    pace = pace_of(settings)
    return Snapshot(
        now=now,
        standing=standing,
        declaration=declaration,
        observation=_observation(settings, declaration, now, closely),
        history=history,
        poll_interval=pace.poll_interval,
        stale_after=pace.stale_after,
        write_limit=pace.source_limit,
        observe_only=pace.observe_only,
    )


def _declared(settings: Settings, instead: Instead, history: History, now: datetime) -> tuple[Declaration, Standing]:
    if instead.path is not None:
        return declared_in(instead.path), _as_head(FOLDER, now)
    if instead.ref is not None:
        repository = repository_of(settings)
        revision = repository.bring(instead.ref)
        return repository.load(revision), _as_head(revision, now)
    sighting = Lookout(repository_of(settings), Metrics(__version__)).look(history, (), now)
    standing = sighting.standing
    if standing.unreachable is not None:
        raise RepositoryError(standing.unreachable)
    if standing.problems or sighting.declaration is None:
        raise DeclarationError(standing.problems)
    return sighting.declaration, standing


def _as_head(revision: str, now: datetime) -> Standing:
    return Standing(head=revision, in_force=revision, confirmed_at=now)


def _observation(settings: Settings, declaration: Declaration, now: datetime, closely: str | None) -> Observation:
    sources, metrics = DeclaredSources(settings, read_only=True).open(declaration), Metrics(__version__)
    watcher = Watcher(settings.source_timeout, metrics)
    listed = watcher.watch(sources, {}, frozenset(), now).clusters
    observation = watcher.watch(sources, listed, frozenset(listed), now)
    rounds = Rounds(assign(declaration.groups, observation.clusters, {}), declaration)
    rules = rounds.of(observation.clusters, [name for name in listed if closely in (name, last_part(name))])
    if rules:
        examiner = Examiner(settings.source_timeout, metrics)
        observation, _ = examiner.examine(observation, rules, broker_health(settings)(declaration))
    clusters = {name: _taken_for_well(cluster) for name, cluster in observation.clusters.items()}
    return replace(observation, clusters=clusters)


def _taken_for_well(cluster: ObservedCluster) -> ObservedCluster:
    reading = cluster.reading
    if cluster.endpoints is None or not isinstance(reading, Reading) or reading.by_brokers:
        return cluster
    return replace(cluster, reading=replace(reading, by_brokers=True))
