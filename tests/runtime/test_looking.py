"""Which revision is in force: heads that are new, refused, out of reach, or written over, and restarts in between."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest

from controller.errors import Problem, RepositoryError
from controller.history.entries import Recorded, RevisionSeen
from controller.history.recall import remember
from controller.history.records import History
from controller.model.declaration import Declaration
from controller.model.requests import Command, Request
from controller.runtime.looking import Lookout, Sighting
from tests.builders import MINUTE, NEW, NOON
from tests.builders_core import a_declaration, a_group, a_request
from tests.runtime.worlds import CountingMetrics
from tests.simulation.repository import MemoryRepository

PROBLEMS = (Problem("groups/prod.yaml", 7, "spec.kafkaVersion", "'4.10'", "a release such as 4.1.0"),)


@dataclass
class Watchtower:
    """A branch, a lookout, and what the ledger remembers of both."""

    repository: MemoryRepository = field(default_factory=MemoryRepository)
    metrics: CountingMetrics = field(default_factory=CountingMetrics)
    history: History = field(default_factory=History)
    now: datetime = NOON

    def __post_init__(self) -> None:
        """Begin with a lookout that saw nothing yet."""
        self.restart()

    def restart(self) -> None:
        """Forget everything but what is in the ledger."""
        self.lookout = Lookout(self.repository, self.metrics)

    def look(self, *requests: Request) -> Sighting:
        """Look a minute later, and record what was seen."""
        self.now += MINUTE
        sighting = self.lookout.look(self.history, requests, self.now)
        if sighting.seen is not None:
            self.history = remember(self.history, [Recorded(1, self.now, sighting.seen)])
        return sighting


def accept(revision: str) -> Request:
    """Ana resumes from a revision, written short as people do."""
    return a_request(Command.RESUME, scope="fleet", revision=revision[:10])


def on_branch(*contents: Declaration | tuple[Problem, ...]) -> tuple[Watchtower, list[str]]:
    """A tower that has looked after each of these commits, and their revisions."""
    tower = Watchtower()
    revisions = []
    for content in contents:
        revisions.append(tower.repository.commit(content))
        tower.look()
    return tower, revisions


def test_the_first_valid_head_comes_into_force() -> None:
    """
    It is told to the ledger, and confirmed now.
    """
    tower = Watchtower()
    head = tower.repository.commit(a_declaration())

    sighting = tower.look()

    assert RevisionSeen(head, head) == sighting.seen
    assert (head, head, tower.now) == (
        sighting.standing.head,
        sighting.standing.in_force,
        sighting.standing.confirmed_at,
    )
    assert a_declaration() == sighting.declaration


def test_an_unchanged_head_is_confirmed_and_not_recorded_again() -> None:
    """
    The ledger holds changes; only the time of the last confirmation moves.
    """
    tower, (head,) = on_branch(a_declaration())

    sighting = tower.look()

    assert sighting.seen is None
    assert (head, tower.now) == (sighting.standing.in_force, sighting.standing.confirmed_at)
    assert {} == sighting.standing.declared_by


def test_a_new_valid_head_tells_which_commit_declared_each_target() -> None:
    """
    Of several new commits, the one that changed the group's target is named, and the newest is in force.
    """
    tower, _ = on_branch(a_declaration(a_group(target="4.1.2")))
    bump = tower.repository.commit(a_declaration(a_group(target=NEW)))
    head = tower.repository.commit(a_declaration(a_group(target=NEW), halted=True))

    sighting = tower.look()

    assert RevisionSeen(head, head) == sighting.seen
    assert {"prod": bump} == sighting.standing.declared_by


def test_a_refused_head_leaves_the_one_before_in_force() -> None:
    """
    Failing static: the head and its problems are recorded once, and told in every look, a restart between them or not.
    """
    tower, (old,) = on_branch(a_declaration())
    head = tower.repository.commit(PROBLEMS)

    sighting = tower.look()

    assert RevisionSeen(head, old, tuple(map(str, PROBLEMS))) == sighting.seen
    for each in (sighting, tower.look()):
        assert (head, old, PROBLEMS) == (each.standing.head, each.standing.in_force, each.standing.problems)
        assert a_declaration() == each.declaration
    tower.restart()
    again = tower.look()
    assert again.seen is None
    assert (old, PROBLEMS) == (again.standing.in_force, again.standing.problems)


def test_a_mended_head_comes_into_force_and_its_targets_are_its_own() -> None:
    """
    After a refused head, what changed is asked since that head, which was the last one seen.
    """
    tower, _ = on_branch(a_declaration(a_group(target="4.1.2")), PROBLEMS)
    mended = tower.repository.commit(a_declaration(a_group(target=NEW)))

    sighting = tower.look()

    assert RevisionSeen(mended, mended) == sighting.seen
    assert {"prod": mended} == sighting.standing.declared_by
    assert () == sighting.standing.problems


def test_a_first_head_that_is_refused_leaves_nothing_in_force() -> None:
    """
    There is no declaration then; the head and its problems are recorded.
    """
    tower = Watchtower()
    head = tower.repository.commit(PROBLEMS)

    sighting = tower.look()

    assert sighting.declaration is None
    assert RevisionSeen(head, "", tuple(map(str, PROBLEMS))) == sighting.seen


def test_an_unreachable_remote_leaves_the_last_revision_in_force_and_unconfirmed() -> None:
    """
    Failing static: the time of the last confirmation stays, so that the revision goes stale.
    """
    tower, (head,) = on_branch(a_declaration())
    confirmed_at = tower.now

    tower.repository.unreachable = "connection refused"
    for _ in range(3):
        sighting = tower.look()

    assert sighting.seen is None
    assert (head, confirmed_at, "connection refused") == (
        sighting.standing.in_force,
        sighting.standing.confirmed_at,
        sighting.standing.unreachable,
    )
    assert a_declaration() == sighting.declaration
    assert {("git", "ok"): 1, ("git", "failed"): 3} == dict(tower.metrics.calls)


def test_a_restart_out_of_reach_has_everything_from_the_ledger() -> None:
    """
    What was in force is, and nothing was ever confirmed by this process: not a moment's trust is inherited.
    """
    tower, (old, head) = on_branch(a_declaration(), PROBLEMS)
    tower.repository.unreachable = "connection refused"
    tower.restart()

    sighting = tower.look()

    assert (head, old, None, PROBLEMS) == (
        sighting.standing.head,
        sighting.standing.in_force,
        sighting.standing.confirmed_at,
        sighting.standing.problems,
    )
    assert sighting.seen is None
    assert a_declaration() == sighting.declaration


def test_a_first_start_out_of_reach_is_an_error() -> None:
    """
    Nothing is known that could be held on to.
    """
    tower = Watchtower()
    tower.repository.unreachable = "connection refused"

    with pytest.raises(RepositoryError, match="connection refused"):
        tower.look()


def test_a_rewritten_head_is_not_adopted() -> None:
    """
    Safety: it is told in every look, a restart between them or not; neither in force nor recorded.
    """
    tower, (old,) = on_branch(a_declaration())
    head = tower.repository.rewrite(a_declaration(halted=True))

    for restart in (False, False, True):
        if restart:
            tower.restart()
        sighting = tower.look()

        assert sighting.seen is None
        assert (head, old, old, tower.now) == (
            sighting.standing.head,
            sighting.standing.in_force,
            sighting.standing.rewritten_from,
            sighting.standing.confirmed_at,
        )
        assert a_declaration() == sighting.declaration


def test_a_rewritten_head_stays_so_while_the_remote_is_out_of_reach() -> None:
    """
    Safety: what is not seen any more is not forgotten: the last thing seen was a rewritten history.
    """
    tower, (old,) = on_branch(a_declaration())
    head = tower.repository.rewrite(a_declaration(halted=True))
    tower.look()
    seen_at = tower.now

    tower.repository.unreachable = "connection refused"
    sighting = tower.look()

    assert (head, old, old, seen_at, "connection refused") == (
        sighting.standing.head,
        sighting.standing.in_force,
        sighting.standing.rewritten_from,
        sighting.standing.confirmed_at,
        sighting.standing.unreachable,
    )


def test_a_rewritten_head_is_adopted_once_a_person_accepts_it() -> None:
    """
    The request names the head, written short; the entry says that a rewrite was accepted, and nothing holds after it.
    """
    tower, _ = on_branch(a_declaration())
    head = tower.repository.rewrite(a_declaration(halted=True))
    tower.look()

    sighting = tower.look(accept(head))

    assert RevisionSeen(head, head, accepted_rewrite=True) == sighting.seen
    assert sighting.standing.rewritten_from is None
    assert a_declaration(halted=True) == sighting.declaration
    tower.repository.unreachable = "connection refused"
    assert tower.look().standing.rewritten_from is None


def test_accepting_another_revision_adopts_nothing() -> None:
    """
    Safety: history was written over again since the person looked; that head was never accepted.
    """
    tower, (old,) = on_branch(a_declaration())
    looked_at = tower.repository.rewrite(a_declaration(halted=True))
    head = tower.repository.rewrite(a_declaration(a_group("other")))

    sighting = tower.look(accept(looked_at), a_request(Command.RESUME))

    assert sighting.seen is None
    assert (head, old) == (sighting.standing.head, sighting.standing.rewritten_from)


def test_a_rewritten_head_that_is_taken_back_needs_nobody() -> None:
    """
    Put back as it was, or with a commit on top: once the branch descends from what was confirmed, nothing is held.
    """
    for goes_on in (False, True):
        tower, (head,) = on_branch(a_declaration())
        tower.repository.rewrite(a_declaration(halted=True))
        tower.look()
        tower.repository.head = head
        if goes_on:
            head = tower.repository.commit(a_declaration())

        sighting = tower.look()

        assert sighting.standing.rewritten_from is None
        assert (RevisionSeen(head, head) if goes_on else None) == sighting.seen
        assert (head, tower.now) == (sighting.standing.in_force, sighting.standing.confirmed_at)


def test_accepting_a_head_that_descends_records_no_rewrite() -> None:
    """
    A request that names a head which needs no acceptance changes nothing in what is recorded.
    """
    tower, (head,) = on_branch(a_declaration())

    assert tower.look(accept(head)).seen is None


class TornRepository(MemoryRepository):
    """Confirms heads that it then cannot bring here."""

    missing: str | None = None

    def load(self, revision: str) -> Declaration:
        """Fail for the one that is missing."""
        if revision == self.missing:
            raise RepositoryError(f"{revision} is not here")
        return super().load(revision)


def test_a_head_that_cannot_be_brought_here_is_not_confirmed() -> None:
    """
    It may be the commit that says "stop". A head whose content is missing counts as a remote that could not be read:
    the one before stays, and goes stale, until it can be brought here.
    """
    repository = TornRepository()
    tower = Watchtower(repository)
    old = repository.commit(a_declaration())
    tower.look()
    confirmed_at = tower.now
    repository.missing = repository.commit(a_declaration(halted=True))

    sighting = tower.look()

    assert sighting.seen is None
    assert (old, old, confirmed_at) == (
        sighting.standing.head,
        sighting.standing.in_force,
        sighting.standing.confirmed_at,
    )
    assert "is not here" in (sighting.standing.unreachable or "")
    head, repository.missing = repository.missing, None
    sighting = tower.look()
    assert (head, tower.now) == (sighting.standing.in_force, sighting.standing.confirmed_at)
