"""Observe, first half: which revision is in force, and how it stands to its branch.

Failing static: a remote that cannot be read, a head that is refused and a history that was written over all leave the
last valid revision in force for tracking; the revision gate then holds every start.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from controller.errors import DeclarationError, Problem, RepositoryError
from controller.history.entries import RevisionSeen
from controller.history.records import History
from controller.model.declaration import Declaration
from controller.model.requests import Request
from controller.model.snapshot import Standing
from controller.ports import Head, Metrics, Repository

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of the repository in one cycle."""

    standing: Standing
    declaration: Declaration | None
    """What the revision in force declares; None before the first valid one."""
    seen: RevisionSeen | None
    """To be recorded, where the head or what is in force changed."""


class Lookout:
    """Looks at the repository once per cycle; remembers when the head was last confirmed, and a rewritten one."""

    def __init__(self, repository: Repository, metrics: Metrics) -> None:
        self._repository = repository
        self._metrics = metrics
        self._confirmed_at: datetime | None = None
        self._rewritten: str | None = None
        """The head seen last, where it does not descend from the one before and nobody accepted that."""

    def look(self, history: History, requests: Sequence[Request], now: datetime) -> Sighting:
        """Return how the branch stands.

        Raises RepositoryError only where no revision is known at all.
        """
        try:
            sighting = self._look(history, requests, now)
        except RepositoryError as error:
            if not history.head:
                raise
            _log.warning("repository_unreachable", why=str(error))
            return self._look_back(history, str(error))
        self._confirmed_at = now
        self._rewritten = None if sighting.standing.rewritten_from is None else sighting.standing.head
        return sighting

    def _look(self, history: History, requests: Sequence[Request], now: datetime) -> Sighting:
        head = self._fetch(history.head or None)
        accepted = any(_accepts(request, head.revision) for request in requests)
        if not head.descends and not accepted:
            return self._keep(history, head.revision, now)
        return self._judge(history, head.revision, now, accepted=accepted and not head.descends)

    def _look_back(self, history: History, why: str) -> Sighting:
        """Return what was seen last: a head that cannot be read, or not be brought here, is not confirmed."""
        if self._rewritten is not None:
            return self._keep(history, self._rewritten, self._confirmed_at, unreachable=why)
        return self._judge(history, history.head, self._confirmed_at, unreachable=why)

    def _fetch(self, since: str | None) -> Head:
        began = time.monotonic()
        outcome = "failed"
        try:
            head = self._repository.fetch(since)
            outcome = "ok"
        finally:
            self._metrics.observe_call("git", outcome, time.monotonic() - began)
        return head

    def _keep(
        self, history: History, head: str, confirmed_at: datetime | None, *, unreachable: str | None = None
    ) -> Sighting:
        """Keep what is in force; the head stays unseen until a person accepts it, so that this is asked again."""
        standing = Standing(
            head=head,
            in_force=history.in_force,
            confirmed_at=confirmed_at,
            unreachable=unreachable,
            rewritten_from=history.head,
        )
        return Sighting(standing, self._load_in_force(history), None)

    def _judge(
        self,
        history: History,
        head: str,
        confirmed_at: datetime | None,
        *,
        unreachable: str | None = None,
        accepted: bool = False,
    ) -> Sighting:
        problems: tuple[Problem, ...] = ()
        declared_by: Mapping[str, str] = {}
        in_force = head
        try:
            declaration: Declaration | None = self._repository.load(head)
            if history.head and history.head != head:
                declared_by = self._repository.declared_by(history.head, head)
        except DeclarationError as error:
            problems, in_force = error.problems, history.in_force
            declaration = self._load_in_force(history)
        standing = Standing(
            head=head,
            in_force=in_force,
            confirmed_at=confirmed_at,
            problems=problems,
            unreachable=unreachable,
            declared_by=declared_by,
        )
        changed = (history.head, history.in_force) != (head, in_force) or accepted
        texts = tuple(str(problem) for problem in problems)
        seen = RevisionSeen(head, in_force, texts, accepted_rewrite=accepted) if changed else None
        return Sighting(standing, declaration, seen)

    def _load_in_force(self, history: History) -> Declaration | None:
        return self._repository.load(history.in_force) if history.in_force else None


def _accepts(request: Request, head: str) -> bool:
    return request.revision is not None and head.startswith(request.revision)
