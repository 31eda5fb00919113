"""Files of one revision, wherever they lie: in Git or, for ``--path``, in a folder.

A ``Tree`` names its files by Git's blob ids, so that what was parsed once is not parsed again, whichever of the
two it came from. It follows no symbolic link and judges nothing: what may be read, and how large it may be, is
decided in ``files``. Git's own tree stands in a module of its own.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controller.errors import RepositoryError

FILE_BYTES_MAX = 1024 * 1024
"""No larger file is read; the fleet repository's own limit."""
ENTRIES_MAX = 10_000
"""No tree lists more entries than this, and one, for one question; a longer answer is cut there."""

MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_LINK = 0o120000
MODE_SUBMODULE = 0o160000
MODE_OTHER = 0
"""A pipe, socket or device: only a folder can have one."""


@dataclass(frozen=True, slots=True, order=True)
class Blob:
    """One entry of a tree that is no folder."""

    path: str
    """Relative to the repository, with ``/`` between its parts."""
    id: str
    """Git's blob id of the content; empty where there is none or where it is too large to be read."""
    size: int
    """In bytes; 0 for what has no content."""
    mode: int
    """As in Git: one of the ``MODE_`` constants."""


class Tree(Protocol):
    """The files of one revision. Both methods raise RepositoryError where they cannot be had."""

    def find(self, paths: Sequence[str]) -> Sequence[Blob]:
        """Return the files, links and submodules at ``paths``, and below those that are folders, by path.

        What ``git ls-tree -r -l`` gives for these paths: a path that does not exist, or that leads through a
        link, gives nothing. At most ENTRIES_MAX + 1 of them.
        """
        ...

    def read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield the contents of ``blobs`` in their order; none is larger than FILE_BYTES_MAX."""
        ...


class DirectoryTree:
    """A folder of files, committed or not, as ``--path`` names it."""

    def __init__(self, path: Path) -> None:
        self._root = path.resolve()
        if not self._root.is_dir():
            raise RepositoryError(f"{path}: found no such folder, expected a checkout of a fleet repository")

    def find(self, paths: Sequence[str]) -> Sequence[Blob]:
        """Return what lies at ``paths`` and below, by path; links are named and not followed."""
        found: dict[str, Blob] = {}
        for path in paths:
            for entry in self._walk(path):
                found[entry] = self._blob(entry)
                if len(found) > ENTRIES_MAX:
                    return sorted(found.values())
        return sorted(found.values())

    def read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield contents; raises RepositoryError where a file changed since it was found."""
        for blob in blobs:
            content = self._content(blob.path)
            if blob_id(content) != blob.id:
                raise RepositoryError(f"{blob.path}: changed while it was being read; run this again")
            yield content

    def _walk(self, path: str) -> Iterator[str]:
        mode = self._mode(path)
        if mode is None:
            return
        if not stat.S_ISDIR(mode):
            yield path
            return
        try:
            names = sorted(entry.name for entry in (self._root / path).iterdir())
        except OSError as error:
            raise RepositoryError(f"{path}: cannot be listed: {error.strerror}") from error
        for name in names:
            yield from self._walk(f"{path}/{name}")

    def _mode(self, path: str) -> int | None:
        """Return the file's mode, None where ``path`` does not exist or leads through a link."""
        parts = path.split("/")
        parents = ["/".join(parts[:length]) for length in range(1, len(parts))]
        try:
            if any((self._root / parent).is_symlink() for parent in parents):
                return None
            return (self._root / path).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None  # nothing can have such a name here
            raise RepositoryError(f"{path}: cannot be read: {error.strerror}") from error

    def _blob(self, path: str) -> Blob:
        status = (self._root / path).lstat()
        if stat.S_ISLNK(status.st_mode):
            return Blob(path, "", 0, MODE_LINK)
        if not stat.S_ISREG(status.st_mode):
            return Blob(path, "", 0, MODE_OTHER)
        mode = MODE_EXECUTABLE if status.st_mode & stat.S_IXUSR else MODE_FILE
        if status.st_size > FILE_BYTES_MAX:
            return Blob(path, "", status.st_size, mode)
        content = self._content(path)
        return Blob(path, blob_id(content), len(content), mode)

    def _content(self, path: str) -> bytes:
        """Read one regular file, at most a byte more than may be read; waits for no pipe, follows no link."""
        try:
            opened = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise RepositoryError(f"{path}: cannot be read: {_why(error)}") from error
        with os.fdopen(opened, "rb") as file:
            return file.read(FILE_BYTES_MAX + 1)


def blob_id(content: bytes) -> str:
    """Return the id that Git gives to a file with this content (source: Git's object format, SHA-1 repositories)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _why(error: OSError) -> str:
    return "it is a symbolic link" if error.errno == errno.ELOOP else str(error.strerror)
