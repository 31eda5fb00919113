"""A fleet repository in memory: commits on a line, some of them refused, and a remote that can be out of reach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from controller.errors import DeclarationError, Problem, RepositoryError
from controller.model.declaration import Declaration
from controller.ports import Head

Content = Declaration | tuple[Problem, ...]
"""What a revision declares, or why it is refused."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One revision."""

    revision: str
    parent: str | None
    content: Content


class MemoryRepository:
    """Keeps the promises of ``ports.Repository``."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.head: str | None = None
        self.unreachable: str | None = None
        """Why the remote cannot be read; None while it can."""

    def commit(self, content: Content, parent: str | None = None) -> str:
        """Put a commit on the branch, on its head or (a rewrite) on an earlier ``parent``; return its revision."""
        revision = sha256(f"commit {len(self.commits)}".encode()).hexdigest()[:40]
        self.commits[revision] = Commit(revision, parent or self.head, content)
        self.head = revision
        return revision

    def rewrite(self, content: Content) -> str:
        """Write the branch's history over with one root commit; return its revision."""
        self.head = None
        return self.commit(content)

    def fetch(self, since: str | None) -> Head:
        """Return the branch's head."""
        if self.unreachable is not None:
            raise RepositoryError(self.unreachable)
        if self.head is None:
            raise RepositoryError("the branch has no commit")
        return Head(self.head, since is None or any(commit.revision == since for commit in self.line(self.head)))

    def load(self, revision: str) -> Declaration:
        """Return what ``revision`` declares."""
        content = self.commits[revision].content
        if isinstance(content, Declaration):
            return content
        raise DeclarationError(content)

    def declared_by(self, since: str, head: str) -> Mapping[str, str]:
        """Return which commit after ``since`` changed each group's target last."""
        line = list(self.line(head))
        if all(commit.revision != since for commit in line):
            return {}
        changed: dict[str, str] = {}
        for commit, parent in pairwise(line):
            if commit.revision == since:
                break
            before = _targets(parent.content)
            for group, target in _targets(commit.content).items():
                if before.get(group) != target:
                    changed.setdefault(group, commit.revision)
        return changed

    def line(self, revision: str | None) -> Iterator[Commit]:
        """Yield ``revision`` and those that it descends from, newest first."""
        while revision is not None:
            yield self.commits[revision]
            revision = self.commits[revision].parent


def _targets(content: Content) -> Mapping[str, object]:
    return {group.name: group.target for group in content.groups} if isinstance(content, Declaration) else {}
