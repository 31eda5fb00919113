"""Looking at the repository: what is in force, how it stands to its branch, and when nothing may start on its word."""

from collections.abc import Mapping
from datetime import datetime

import pytest

from controller.errors import RepositoryError
from controller.model.declaration import Declaration
from controller.model.history import History
from controller.model.requests import Command, Request
from controller.runtime.looking import Lookout, Sighting
from tests.builders import HOUR, MINUTE, NOON, release
from tests.builders_core import a_declaration, a_group, a_request
from tests.simulation.people import NONSENSE
from tests.simulation.process import NoMetrics
from tests.simulation.repository import MemoryRepository


class Watch:
    """A lookout over a repository in memory, with the history that its sightings leave."""

    def __init__(self, repository: MemoryRepository | None = None) -> None:
        self.repository = repository or MemoryRepository()
        self.lookout = Lookout(self.repository, NoMetrics())
        self.history = History()

    def look(self, *requests: Request, now: datetime = NOON) -> Sighting:
        """Look, and remember what was seen."""
        sighting = self.lookout.look(self.history, requests, now)
        if sighting.seen is not None:
            self.history = History(head=sighting.seen.revision, in_force=sighting.seen.in_force)
        return sighting

    def restart(self) -> None:
        """Begin anew with what is recorded."""
        self.lookout = Lookout(self.repository, NoMetrics())


def test_a_valid_head_is_in_force_and_recorded_once() -> None:
    """
    It is seen when it is new, and only confirmed after that.
    """
    watch = Watch()
    head = watch.repository.commit(a_declaration())

    first, second = watch.look(), watch.look(now=NOON + MINUTE)
    assert first.seen is not None
    assert (head, head) == (first.seen.revision, first.seen.in_force)
    assert second.seen is None
    assert (head, NOON + MINUTE) == (second.standing.in_force, second.standing.confirmed_at)


def test_a_refused_head_leaves_the_last_valid_revision_in_force() -> None:
    """
    For tracking; the problems stand beside it, and the head is recorded as seen.
    """
    watch = Watch()
    valid = watch.repository.commit(a_declaration())
    watch.look()
    refused = watch.repository.commit(NONSENSE)

    sighting = watch.look()
    assert (refused, valid) == (sighting.standing.head, sighting.standing.in_force)
    assert NONSENSE == sighting.standing.problems
    assert a_declaration() == sighting.declaration
    watch.restart()
    assert NONSENSE == watch.look().standing.problems


def test_nothing_is_declared_before_the_first_valid_revision() -> None:
    """
    A branch that begins with a refused revision has a head, and no declaration.
    """
    watch = Watch()
    watch.repository.commit(NONSENSE)

    sighting = watch.look()
    assert sighting.declaration is None
    assert "" == sighting.standing.in_force


def test_a_remote_that_was_never_read_is_an_error() -> None:
    """
    With no revision known there is nothing to keep.
    """
    watch = Watch()
    watch.repository.unreachable = "connection refused"

    with pytest.raises(RepositoryError, match="connection refused"):
        watch.look()


def test_an_unreachable_remote_keeps_what_is_in_force_and_confirms_nothing() -> None:
    """
    The head was last confirmed when it was last seen; after a restart never.
    """
    watch = Watch()
    head = watch.repository.commit(a_declaration())
    watch.look()
    watch.repository.unreachable = "connection refused"

    standing = watch.look(now=NOON + HOUR).standing
    assert (head, NOON, "connection refused") == (standing.in_force, standing.confirmed_at, standing.unreachable)
    watch.restart()
    assert watch.look(now=NOON + HOUR).standing.confirmed_at is None


def test_a_rewritten_history_waits_for_a_person_and_is_asked_about_again() -> None:
    """
    The head that does not descend is neither loaded nor recorded until somebody accepts that very head.
    """
    watch = Watch()
    before = watch.repository.commit(a_declaration())
    watch.look()
    head = watch.repository.rewrite(a_declaration(a_group(target="4.3.2")))

    for requests in ((), (a_request(Command.RESUME, revision="f" * 10),), (a_request(),)):
        sighting = watch.look(*requests)
        assert (head, before) == (sighting.standing.head, sighting.standing.rewritten_from)
        assert a_declaration() == sighting.declaration
        assert sighting.seen is None
    accepted = watch.look(a_request(Command.RESUME, revision=head[:10]))
    assert accepted.standing.rewritten_from is None
    assert accepted.seen is not None
    assert accepted.seen.accepted_rewrite
    assert head == accepted.standing.in_force


def test_a_rewritten_history_is_not_forgotten_while_the_remote_is_out_of_reach() -> None:
    """
    The last thing that was seen of the branch is that it was written over: that it cannot be read now excuses nothing.
    """
    watch = Watch()
    before = watch.repository.commit(a_declaration())
    watch.look()
    watch.repository.rewrite(a_declaration())
    watch.look()
    watch.repository.unreachable = "connection refused"

    standing = watch.look(now=NOON + MINUTE).standing
    assert (before, "connection refused") == (standing.rewritten_from, standing.unreachable)


def test_a_history_that_is_put_back_needs_nobody() -> None:
    """
    A branch that again descends from what was in force is as it was.
    """
    watch = Watch()
    before = watch.repository.commit(a_declaration())
    watch.look()
    watch.repository.rewrite(a_declaration())
    watch.look()
    watch.repository.head = before

    assert watch.look().standing.rewritten_from is None


class Torn(MemoryRepository):
    """A repository whose newest revision can be seen, and not be brought here."""

    def __init__(self) -> None:
        super().__init__()
        self.torn: set[str] = set()

    def load(self, revision: str) -> Declaration:
        """Return what a revision declares, unless it is not here."""
        if revision in self.torn:
            raise RepositoryError(f"{revision} is not here: disk full")
        return super().load(revision)


def test_a_head_that_cannot_be_brought_here_is_not_confirmed() -> None:
    """
    It may be the commit that says "stop": what was confirmed before goes stale meanwhile.
    """
    repository = Torn()
    watch = Watch(repository)
    before = repository.commit(a_declaration())
    watch.look()
    repository.torn.add(repository.commit(a_declaration(a_group(halted=True))))

    sighting = watch.look(now=NOON + HOUR)
    assert (before, NOON) == (sighting.standing.in_force, sighting.standing.confirmed_at)
    assert "disk full" in (sighting.standing.unreachable or "")
    assert sighting.seen is None
    repository.torn.clear()
    assert NOON + 2 * HOUR == watch.look(now=NOON + 2 * HOUR).standing.confirmed_at


def test_the_commit_that_bumped_a_group_is_found_behind_later_ones() -> None:
    """
    A status belongs on the commit that declared the target, however many came after it.
    """
    watch = Watch()
    watch.repository.commit(a_declaration(a_group(target="4.2.1"), a_group("dev")))
    watch.look()
    bump = watch.repository.commit(a_declaration(a_group(), a_group("dev")))
    watch.repository.commit(a_declaration(a_group(halted=True), a_group("dev")))

    declared_by: Mapping[str, str] = watch.look().standing.declared_by
    assert {"prod": bump} == declared_by
    assert release("4.3.1") == a_group().target
    assert {} == watch.look().standing.declared_by
