"""The fleet repository on a Git remote: the branch's head, what a revision declares, and who declared it.

An idle cycle is one ``ls-remote``: what is known of a head is remembered, so nothing else runs while it stays. A new
head is fetched shallowly, so far back that its descent from the last one shows: NEAR commits, which nearly always is
enough, then FAR. What lies further back counts as rewritten history, which holds until a person has looked; safer than
reading a history without bound. Files come through ``GitTree``; what they mean is decided by the loader.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from controller.errors import DeclarationError, RepositoryError
from controller.gitcommand import GitCommand, GitError, GitFault
from controller.gitcommand.remote import checked_branch, checked_ref
from controller.model.declaration import Declaration
from controller.ports import Head
from controller.repository.declare import BlobCache, load
from controller.repository.git_cache import GitCache
from controller.repository.git_targets import TargetHistory
from controller.repository.git_tree import GitTree

NEAR_COMMITS = 50
FAR_COMMITS = 1_000
"""A last seen revision that lies further behind the head than this counts as rewritten history."""

_HEADS_REMEMBERED_MAX = 20
_OUTCOMES_REMEMBERED_MAX = 3
"""The revision in force, the head, and one more: a declaration of thousands of clusters is not small."""
_BRANCHES_SHOWN_MAX = 10
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_K = TypeVar("_K")
_T = TypeVar("_T")


class GitRepository:
    """The fleet repository on one branch of a remote, with our copy of it in ``cache_directory``.

    One thread at a time may use it; several processes may share the directory. Raises SettingsError where the branch
    is no branch name.
    """

    def __init__(self, command: GitCommand, *, branch: str, cache_directory: Path) -> None:
        self._command = command
        self._url = command.remote.url
        self._branch = checked_branch(branch)
        self._cache = GitCache(cache_directory, command)
        self._blobs = BlobCache()
        self._heads: dict[tuple[str | None, str], Head] = {}
        self._declared: dict[tuple[str, str], Mapping[str, str]] = {}
        self._outcomes: dict[str, Declaration | DeclarationError] = {}

    def fetch(self, since: str | None) -> Head:
        """Ask the remote for the branch's head and bring it here; see the port. Raises RepositoryError."""
        _check_revision(since)
        with self._command.sharing_limit():
            asked = self._ask()
            known = self._heads.get((None if since == asked else since, asked))
            if known is not None:
                return known
            head = self._in_cache(lambda: self._bring(asked, since))
        for key, answer in ((None, Head(head.revision, descends=True)), (since, head)):
            _remember(self._heads, (key, head.revision), answer, at_most=_HEADS_REMEMBERED_MAX)
        return head

    def load(self, revision: str) -> Declaration:
        """Return what a revision that is here declares; see the port. Raises DeclarationError and RepositoryError."""
        _check_revision(revision)
        outcome = self._outcomes.get(revision)
        if outcome is None:
            outcome = self._in_cache(lambda: self._read(revision), also=revision)
            _remember(self._outcomes, revision, outcome, at_most=_OUTCOMES_REMEMBERED_MAX)
        if isinstance(outcome, DeclarationError):
            raise DeclarationError(outcome.problems)
        return outcome

    def declared_by(self, since: str, head: str) -> Mapping[str, str]:
        """Return who declared the targets that changed after ``since``; see the port. Raises RepositoryError."""
        _check_revision(since)
        _check_revision(head)
        declared = {} if since == head else self._declared.get((since, head))
        if declared is None:
            declared = self._in_cache(lambda: self._declared_by(since, head), also=head)
            _remember(self._declared, (since, head), declared, at_most=_HEADS_REMEMBERED_MAX)
        return declared

    def tree(self, revision: str) -> GitTree:
        """Return the files of a revision that is here. Raises RepositoryError where it is not."""
        _check_revision(revision)
        return self._in_cache(lambda: self._tree(revision), also=revision)

    def bring(self, ref: str) -> str:
        """Bring what a person names here and return its revision: a branch, a tag, any ref of the remote, a full id.

        Raises SettingsError where ``ref`` is no name of a ref, RepositoryError where the remote does not have it.
        """
        checked_ref(ref)
        with self._command.sharing_limit():
            revision = ref if _REVISION.fullmatch(ref) else self._find(ref)
            if not self._in_cache(lambda: self._cache.has(revision) or self._fetch_alone(revision)):
                raise RepositoryError(f"{self._url}: the remote does not give {ref} (revision {revision})")
        return revision

    def _find(self, ref: str) -> str:
        """Return what the remote says of the first of the refs that ``ref`` may mean."""
        names = (ref,) if ref.startswith("refs/") else (f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}")
        told = self._command.run("ls-remote", "--", self._url, *names, *(f"{name}^{{}}" for name in names))
        found = {name: revision for revision, _, name in (line.partition("\t") for line in told.splitlines())}
        for name in names:
            revision = found.get(f"{name}^{{}}") or found.get(name, "")  # a tag with a message points to its commit
            if _REVISION.fullmatch(revision):
                return revision
        raise GitError(GitFault.NO_REF, f"{self._url}: found none of {', '.join(names)}; push it, or name another")

    def _ask(self) -> str:
        """Return the revision that the remote says the branch stands at."""
        ref = f"refs/heads/{self._branch}"
        # ``--heads`` makes the server send branches only, where a forge may have thousands of pull requests.
        told = self._command.run("ls-remote", "--heads", "--", self._url, ref)
        for line in told.splitlines():
            revision, _, name = line.partition("\t")
            if name == ref and _REVISION.fullmatch(revision):
                return revision
        raise self._branch_missing()

    def _branch_missing(self) -> GitError:
        told = self._command.run("ls-remote", "--heads", "--", self._url)
        names = [line.partition("\trefs/heads/")[2] for line in told.splitlines()]
        if not names:
            return GitError(GitFault.NO_REF, f"{self._url}: the repository is empty; push a branch {self._branch}")
        shown = ", ".join(name[:100] for name in names[:_BRANCHES_SHOWN_MAX] if name.isprintable())
        more = f" and {len(names) - _BRANCHES_SHOWN_MAX} more" if len(names) > _BRANCHES_SHOWN_MAX else ""
        sentence = f"found no branch {self._branch}, found {shown}{more}; push it, or name another branch"
        return GitError(GitFault.NO_REF, f"{self._url}: {sentence}")

    def _bring(self, asked: str, since: str | None) -> Head:
        """Have the branch's head here, and know whether it descends from ``since``."""
        revision, descends = asked, self._shows_descent(asked, since)
        if descends and since == revision:
            return Head(revision, descends)
        for depth in (1,) if since is None else (NEAR_COMMITS, FAR_COMMITS):
            if descends:
                break
            # The branch may have moved since it was asked for: what was fetched counts.
            revision = self._cache.fetch_branch(self._branch, depth=depth)
            descends = self._shows_descent(revision, since)
        if since is not None and (self._cache.has(since) or self._fetch_alone(since)):
            self._cache.keep("since", since)
        with contextlib.suppress(GitError):  # an untidy copy serves as well; a damaged one shows when it is read
            self._cache.tidy()
        return Head(revision, descends)

    def _shows_descent(self, revision: str, since: str | None) -> bool:
        """Tell whether ``revision`` is here and what is here shows that it descends from ``since``."""
        if since is None or since == revision:
            return self._cache.has(revision)
        return self._cache.has(revision, since) and self._cache.is_ancestor(since, revision)

    def _fetch_alone(self, revision: str) -> bool:
        """Bring one revision that is not (any more) on the branch, where the remote still has it and allows it."""
        try:
            self._cache.fetch(f"+{revision}:refs/wavefleet/alone", depth=1)
        except GitError as error:
            if error.fault is GitFault.LOCAL:
                raise
            return False
        return True

    def _tree(self, revision: str) -> GitTree:
        if not self._cache.has(revision):
            self._heads.clear()  # what was known of our copy is no longer so
            if not self._fetch_alone(revision):
                raise RepositoryError(
                    f"{self._url}: revision {revision} is not in our copy, and the remote does not give it; "
                    "it may have been rewritten away: push it again, or resume with another"
                )
        return GitTree(self._cache, revision)

    def _read(self, revision: str) -> Declaration | DeclarationError:
        try:
            declaration = load(self._tree(revision), self._blobs)
        except DeclarationError as error:
            return error
        self._cache.keep("valid", revision)
        return declaration

    def _declared_by(self, since: str, head: str) -> Mapping[str, str]:
        self._tree(head)
        return TargetHistory(self._cache).declared_by(since, head) if self._cache.has(since) else {}

    def _in_cache(self, work: Callable[[], _T], *, also: str | None = None) -> _T:
        """Do ``work`` on our copy; where that proves damaged, once more on a new one, with ``also`` in it."""
        with self._cache.locked():
            try:
                return work()
            except GitError as error:
                if error.fault is not GitFault.LOCAL:
                    raise
            self._heads.clear()
            with self._cache.replaced():
                self._cache.fetch_branch(self._branch, depth=NEAR_COMMITS)
                if also is not None and not self._cache.has(also):
                    self._fetch_alone(also)
            return work()


def _check_revision(revision: str | None) -> None:
    if revision is not None and not _REVISION.fullmatch(revision):
        raise RepositoryError(
            f"revision {revision[:100]!r}: expected the full id of a Git commit, 40 hexadecimal digits"
        )


def _remember(memory: dict[_K, _T], key: _K, value: _T, *, at_most: int) -> None:
    """Put ``value`` into ``memory``, which forgets what it has had for longest."""
    memory[key] = value
    while len(memory) > at_most:
        del memory[next(iter(memory))]
