"""Our own bare copy of the fleet repository, shallow, kept between cycles and restarts, shared by processes.

Every use holds one lock file, so the daemon, ``wavefleet plan`` and a tidying never meet. Revisions that may still be
in force are held by refs of ours (``refs/wavefleet/…``): a forced push on the remote cannot take them away. A copy that
turns out damaged is replaced once, and given up only when its replacement works. It knows no fleet, only commits.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from controller.errors import RepositoryError
from controller.gitcommand import GitCommand

HEAD_REF = "refs/wavefleet/head"
KEPT_MAX = 20
"""So many revisions are held on each shelf; the oldest make room."""
LOOSE_OBJECTS_MAX = 2_000
PACKS_MAX = 20

_LOCK_POLL_SECONDS = 0.05
_LEFTOVERS = ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*")


class GitCache:
    """The copy in ``directory``, made when first used. Every method but ``locked`` needs the lock."""

    def __init__(self, directory: Path, command: GitCommand) -> None:
        self._directory = directory.absolute()
        self._command = command
        self.git_dir = self._directory / "repository.git"
        """The bare repository; Git's ``--git-dir``."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Have the copy for ourselves, ready for use, and the block within one time limit. Raises RepositoryError."""
        with contextlib.ExitStack() as closing:
            closing.enter_context(self._command.sharing_limit())
            with _disk(self._directory):
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = closing.enter_context((self._directory / "lock").open("ab"))
            self._await(lock.fileno())
            with _disk(self._directory):
                self._recover()
            yield

    @contextlib.contextmanager
    def replaced(self) -> Iterator[None]:
        """Have a new, empty copy in the block; keep it where the block ends well, else take the old one back."""
        torn = self._torn
        with _disk(self._directory):
            shutil.rmtree(torn, ignore_errors=True)
            if self.git_dir.exists():
                self.git_dir.rename(torn)
        try:
            self._make()
            yield
        except BaseException:
            with _disk(self._directory):
                self._take_back()
            raise
        shutil.rmtree(torn, ignore_errors=True)

    def fetch(self, refspec: str, *, depth: int) -> None:
        """Bring what ``refspec`` names, and its history for ``depth`` commits. Raises GitError."""
        url = self._command.remote.url
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", f"--depth={depth}")
        self.run("fetch", *options, "--", url, refspec)

    def fetch_branch(self, branch: str, *, depth: int) -> str:
        """Bring the branch's head and its history for ``depth`` commits; return the revision it stands at."""
        self.fetch(f"+refs/heads/{branch}:{HEAD_REF}", depth=depth)
        return self.run("rev-parse", "--verify", HEAD_REF)

    def has(self, *revisions: str) -> bool:
        """Tell whether all of these are commits that are here. Raises GitError where the copy is damaged."""
        told = self.run(
            "cat-file", "--batch-check=%(objecttype)", stdin="".join(f"{it}\n" for it in revisions).encode()
        )
        return told.split("\n") == ["commit"] * len(revisions)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether what is here shows that ``newer`` descends from ``older``; both must be here."""
        # Not ``rev-list older ^newer``, which trusts the clocks of those who committed.
        return self.run("merge-base", "--independent", older, newer).split() == [newer]

    def keep(self, shelf: str, revision: str) -> None:
        """Hold ``revision``, which is here, against tidying, until KEPT_MAX newer ones stand on the same shelf."""
        listed = self.run("for-each-ref", "--format=%(refname) %(objectname)", f"refs/wavefleet/{shelf}/")
        kept = [line.split(" ") for line in listed.splitlines()]
        if kept and kept[-1][1] == revision:
            return
        number = int(kept[-1][0].rpartition("/")[2]) + 1 if kept else 0
        stale = [ref for place, (ref, held) in enumerate(kept) if held == revision or place <= len(kept) - KEPT_MAX]
        changes = [*(f"delete {ref}" for ref in stale), f"create refs/wavefleet/{shelf}/{number:012d} {revision}"]
        self.run("update-ref", "--stdin", stdin="".join(f"{change}\n" for change in changes).encode())

    def tidy(self) -> None:
        """Pack the copy and drop what nothing holds any more, where it has grown enough for that to pay.

        Raises GitError; the copy is as good as before then.
        """
        objects = self.git_dir / "objects"
        with _disk(self._directory):
            loose = sum(1 for _ in objects.glob("[0-9a-f][0-9a-f]/*"))
            packs = sum(1 for _ in objects.glob("pack/*.pack"))
        if loose > LOOSE_OBJECTS_MAX or packs > PACKS_MAX:
            # Nobody else writes here while we have the lock: a lock of Git's own is a dead process's.
            self.run("gc", "--quiet", "--force", "--prune=now")

    def run(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run one Git command in the copy. Raises GitError."""
        return self._command.run(*arguments, git_dir=self.git_dir, stdin=stdin)

    def run_bytes(self, arguments: Sequence[str], *, output_bytes_max: int, stdin: bytes = b"") -> bytes:
        """Run one Git command in the copy for its output as it is. Raises GitError."""
        bounds = {"output_bytes_max": output_bytes_max}
        return self._command.run_bytes(*arguments, git_dir=self.git_dir, stdin=stdin, **bounds)

    @property
    def _torn(self) -> Path:
        return self._directory / "torn.git"

    def _await(self, lock: int) -> None:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not self._command.seconds_left:
                    limit = f"{self._command.limit_seconds:g} s"
                    raise RepositoryError(
                        f"{self._directory}: another Wavefleet has been reading here for {limit}; try again later, "
                        "or give this one a cache directory of its own"
                    ) from None
                time.sleep(_LOCK_POLL_SECONDS)
            else:
                return

    def _recover(self) -> None:
        """Leave no trace of a process that was killed while it had the lock."""
        if self._torn.exists():
            self._take_back()
        for pattern in _LEFTOVERS:
            for leftover in self.git_dir.glob(pattern):
                leftover.unlink(missing_ok=True)
        if not self.git_dir.exists():
            self._make()

    def _take_back(self) -> None:
        if self._torn.exists():
            shutil.rmtree(self.git_dir, ignore_errors=True)
            self._torn.rename(self.git_dir)

    def _make(self) -> None:
        self.run("init", "--quiet", "--bare", "--template=")


@contextlib.contextmanager
def _disk(directory: Path) -> Iterator[None]:
    """Tell troubles of the disk as ours."""
    try:
        yield
    except OSError as error:
        what = os.strerror(error.errno) if error.errno else str(error)
        raise RepositoryError(
            f"{directory}: the cache directory cannot be used ({what}); it must be a folder that we may write to"
        ) from error
