"""Which commit declared a group's target, so that its commit status lands where its author looks.

Between two revisions it is the newest commit of the first-parent line that gave a group another ``kafkaVersion`` or
``metadataVersion``: for a pull request that is its merge. Commits in between may be invalid, so only those words are
looked for, and a file that does not say them declares nothing. At most COMMITS_MAX commits are walked.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.gitcommand import GitError, GitFault
from controller.repository.files import Node, read_file
from controller.repository.git_cache import GitCache
from controller.repository.git_tree import read_blobs
from controller.repository.tree import FILE_BYTES_MAX

COMMITS_MAX = 1_000
"""So far back is a target's commit looked for; where it lies further back, the head stands in for it."""

_COMMITS_AT_ONCE = 50
_BYTES_AT_ONCE_MAX = 32 * 1024 * 1024
_LIST_BYTES_MAX = 64 * 1024 * 1024
_RAW = ("-z", "--raw", "--no-abbrev", "--no-renames")
_REVISION = re.compile(rb"[0-9a-f]{40,64}")
_GROUP_FILE = re.compile(rb"groups/[^/]+\.yaml")
_NO_BLOB = re.compile(r"0+")

Targets = Mapping[str, tuple[str, str]]
"""For each group its kafkaVersion and its metadataVersion, as written."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What one commit did to one group file."""

    revision: str
    before: str
    """The file's blob id; nothing but zeros where there was no file, as in ``after``."""
    after: str


class TargetHistory:
    """Answers questions about one copy, whose lock the caller holds; forgotten after that."""

    def __init__(self, cache: GitCache) -> None:
        self._cache = cache
        self._targets: dict[str, Targets] = {}

    def declared_by(self, since: str, head: str) -> Mapping[str, str]:
        """Return, for each group whose target differs, the newest revision after ``since`` that changed it.

        Raises GitError.
        """
        pending = set(self._given(list(self._between(since, head))))
        found = dict.fromkeys(sorted(pending), head)
        commits = self._walk(since, head) if pending else []
        for first in range(0, len(commits), _COMMITS_AT_ONCE):
            portion = commits[first : first + _COMMITS_AT_ONCE]
            self._read(change for commit in portion for change in commit)
            for commit in portion:
                given = pending.intersection(self._given(commit))
                found.update(dict.fromkeys(given, commit[0].revision))
                pending -= given
            if not pending:
                break
        return found

    def _between(self, since: str, head: str) -> Iterator[_Change]:
        command = ("diff-tree", "-r", *_RAW, since, head, "--", "groups")
        yield from _changes(self._cache.run_bytes(command, output_bytes_max=_LIST_BYTES_MAX), head)

    def _walk(self, since: str, head: str) -> Sequence[Sequence[_Change]]:
        """Return the changes of each commit of the first-parent line that touched a group file, newest first."""
        line = ("--first-parent", "-m", f"--max-count={COMMITS_MAX}", "--format=%H", f"{since}..{head}")
        try:
            told = self._cache.run_bytes(("log", *_RAW, *line, "--", "groups"), output_bytes_max=_LIST_BYTES_MAX)
        except GitError as error:
            if error.fault is not GitFault.TOO_LARGE:
                raise
            return []
        commits: dict[str, list[_Change]] = {}
        for change in _changes(told, head):
            commits.setdefault(change.revision, []).append(change)
        return list(commits.values())

    def _given(self, commit: Sequence[_Change]) -> Iterable[str]:
        """Return the groups to which a commit gave another target, the new ones among them."""
        self._read(commit)
        before = {name: target for change in commit for name, target in self._targets[change.before].items()}
        after = {name: target for change in commit for name, target in self._targets[change.after].items()}
        return [name for name, target in after.items() if before.get(name) != target]

    def _read(self, changes: Iterable[_Change]) -> None:
        """Look into every file that these changes name and that was not looked into yet."""
        named = {blob: None for change in changes for blob in (change.before, change.after)}
        unread = [blob for blob in named if blob not in self._targets]
        self._targets.update({blob: {} for blob in unread})
        asked = [blob for blob in unread if not _NO_BLOB.fullmatch(blob)]
        if not asked:
            return
        sizes = dict(self._sizes(asked))
        for blob, content in zip(sizes, read_blobs(self._cache, list(sizes), sum(sizes.values())), strict=True):
            self._targets[blob] = _targets_in(content)

    def _sizes(self, blobs: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield the files that are small enough to be looked into, with their sizes."""
        asked = "".join(f"{blob}\n" for blob in blobs).encode()
        filled = 0
        for line in self._cache.run("cat-file", "--batch-check", stdin=asked).splitlines():
            blob, kind, *size = line.split(" ")
            if kind == "blob" and int(size[0]) <= FILE_BYTES_MAX and filled + int(size[0]) <= _BYTES_AT_ONCE_MAX:
                filled += int(size[0])
                yield blob, int(size[0])


def _changes(raw: bytes, revision: str) -> Iterator[_Change]:
    """Read Git's raw format (source: ``git help diff-format``); a commit's id stands before its changes.

    With ``-z`` that is ``:MODE MODE ID ID STATUS<nul>PATH<nul>``; ``revision`` is meant where no id stands.
    """
    parts = iter(raw.split(b"\0"))
    for part in parts:
        if _REVISION.fullmatch(part):
            revision = part.decode("ascii")
        elif part.lstrip(b"\n").startswith(b":"):
            before, after = part.decode("ascii").split(" ")[2:4]
            if _GROUP_FILE.fullmatch(next(parts)):
                yield _Change(revision, before, after)


def _targets_in(content: bytes) -> Targets:
    """Return what a group file declares, as far as it can be read."""
    targets: dict[str, tuple[str, str]] = {}
    for document in read_file("", content).documents:
        name = _text(document.root, "metadata", "name")
        kafka_version = _text(document.root, "spec", "kafkaVersion")
        if name and kafka_version:
            targets[name] = (kafka_version, _text(document.root, "spec", "metadataVersion") or "auto")
    return targets


def _text(node: Node, *keys: str) -> str | None:
    for key in keys:
        if not isinstance(node.value, dict) or key not in node.value:
            return None
        node = node.value[key]
    return node.value if isinstance(node.value, str) else None
