"""The files of one revision, read from our bare copy: never checked out, so no link, hook or filter is followed.

One command lists and one reads, however many files there are. What may be read, and how large, is decided in ``files``.
"""

import os
from collections.abc import Iterator, Sequence

from controller.gitcommand import GitError, GitFault
from controller.repository.git_cache import GitCache
from controller.repository.tree import ENTRIES_MAX, FILE_BYTES_MAX, MODE_EXECUTABLE, MODE_FILE, Blob

_LIST_BYTES_MAX = 64 * 1024 * 1024
_READ_BYTES_MAX = 32 * 1024 * 1024
_HEADER_BYTES_MAX = 200


class GitTree:
    """The files of ``revision``, which must be in the copy whose lock the caller holds."""

    def __init__(self, cache: GitCache, revision: str) -> None:
        self._cache = cache
        self._revision = revision

    def find(self, paths: Sequence[str]) -> Sequence[Blob]:
        """Return what lies at ``paths`` and below, by path. Raises GitError."""
        if not paths:
            return ()
        command = ("ls-tree", "-r", "-l", "-z", "--full-tree", self._revision, "--", *paths)
        listed = self._cache.run_bytes(command, output_bytes_max=_LIST_BYTES_MAX)
        entries = listed.split(b"\0")[: ENTRIES_MAX + 1]
        return sorted({_blob(entry) for entry in entries if entry})

    def read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield contents in order. Raises GitError where one is not here."""
        for part in _portions(blobs):
            yield from read_blobs(self._cache, [blob.id for blob in part], sum(blob.size for blob in part))


def read_blobs(cache: GitCache, ids: Sequence[str], total_bytes: int) -> Iterator[bytes]:
    """Yield the contents of these blobs, ``total_bytes`` together, by one command. Raises GitError."""
    asked = "".join(f"{blob}\n" for blob in ids).encode()
    bound = total_bytes + _HEADER_BYTES_MAX * len(ids)
    answer = cache.run_bytes(("cat-file", "--batch"), stdin=asked, output_bytes_max=bound)
    at = 0
    for blob in ids:
        line_end = answer.index(b"\n", at)
        header = answer[at:line_end].split(b" ")
        if header[1:2] != [b"blob"]:
            raise GitError(GitFault.LOCAL, f"our own copy of the repository lacks the file content {blob}")
        at = line_end + 1 + int(header[2]) + 1
        yield answer[line_end + 1 : at - 1]


def _blob(entry: bytes) -> Blob:
    """Read one line of ``git ls-tree -l``: ``MODE TYPE ID SIZE<tab>PATH``, the size of a submodule being ``-``."""
    told, _, path = entry.partition(b"\t")
    octal, kind, blob, size = told.decode("ascii").split()
    mode = int(octal, 8)
    if kind != "blob" or mode not in {MODE_FILE, MODE_EXECUTABLE}:
        return Blob(os.fsdecode(path), "", 0, mode)
    return Blob(os.fsdecode(path), blob if int(size) <= FILE_BYTES_MAX else "", int(size), mode)


def _portions(blobs: Sequence[Blob]) -> Iterator[list[Blob]]:
    """Cut ``blobs`` into portions that fit into memory; nearly always it is one."""
    portion: list[Blob] = []
    filled = 0
    for blob in blobs:
        if portion and filled + blob.size > _READ_BYTES_MAX:
            yield portion
            portion, filled = [], 0
        portion.append(blob)
        filled += blob.size
    if portion:
        yield portion
