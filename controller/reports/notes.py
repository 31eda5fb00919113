"""Commit statuses as Git notes in ``refs/notes/wavefleet``, pushed to the remote that declares the fleet.

They need no forge and no token but the one that pushes, and ``git log --notes=wavefleet`` shows them. A bare
repository of our own holds nothing but the notes: it is a cache, mended by making it anew. Nothing here is ever in
doubt, since the same line written twice changes nothing: after any failure the remote's notes are fetched first and our
lines merged into them, also when somebody else pushed in between. Many statuses that are due together travel in one
push.
"""

import re
import shutil
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from controller.errors import ReportDelayed, ReportError, ReportRefused, SettingsError
from controller.gitcommand import GitCommand, GitError, GitFault
from controller.model.outbox import CommitStatus, Delivery
from controller.reports.notes_text import merged

REF = "refs/notes/wavefleet"
TRIES_MAX = 5
"""How often one delivery fetches, merges and pushes while others push in between."""
TOGETHER_MAX = 200
MENDING_SECONDS = 300.0
"""How soon the remote is asked again after an error that a person must mend."""
NOTE_BYTES_MAX = 1024 * 1024

_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MARK = "wavefleet-notes"
_NO_NOTE = "no note found"
_LOOSE_IN_SAMPLE_MAX = 27
"""Git itself tidies up at 6,700 loose objects, estimated like this: the 256th part of them lies in one folder."""
_SAMPLE = Path("objects") / "17"
_MENDED_BY_PERSONS = frozenset({GitFault.DENIED, GitFault.NOT_FOUND, GitFault.REFUSED})


class NotesChannel:
    """Writes statuses as notes. ``folder`` is where its repository lies; nobody else uses that."""

    name = "notes"
    most_together = TOGETHER_MAX

    def __init__(self, git: GitCommand, folder: Path) -> None:
        self._git = git
        self._repository = folder / "notes.git"
        self._is_open = False
        self._has_remote_notes = False
        """Our copy is what the remote held when we last heard of it."""

    def deliver(self, delivery: Delivery) -> str:
        """Write and push one status; the revision of the notes that hold it. Raises ReportDelayed, ReportRefused."""
        return self.deliver_together((delivery,))

    def deliver_together(self, deliveries: Sequence[Delivery]) -> str:
        """Write and push statuses, all or none; the revision of the notes. Raises ReportDelayed, ReportRefused."""
        statuses = [_status_of(delivery) for delivery in deliveries]
        return self._translated(lambda: self._mended(statuses))

    def check(self) -> str:
        """Return a sentence about the remote; raises ReportDelayed where notes could not be pushed to it."""
        return self._translated(self._rehearse)

    def _translated(self, work: Callable[[], str]) -> str:
        try:
            return work()
        except GitError as error:
            raise _as_report(error) from None
        except SettingsError as error:
            raise ReportDelayed(f"Git notes: {error}", retry_after_seconds=MENDING_SECONDS) from None
        except OSError as error:
            raise ReportDelayed(f"Git notes: {self._repository}: {error.strerror or type(error).__name__}") from None

    def _mended(self, statuses: Sequence[CommitStatus]) -> str:
        """Write; where our own repository fails us, once more with a new one."""
        try:
            return self._write(statuses)
        except GitError as error:
            if error.fault is not GitFault.LOCAL:
                raise
        self._discard()
        return self._write(statuses)

    def _write(self, statuses: Sequence[CommitStatus]) -> str:
        self._open()
        deadline = time.monotonic() + self._git.limit_seconds
        for _ in range(TRIES_MAX):
            if not self._has_remote_notes:
                self._fetch()
            if not self._merge(statuses):
                return self._revision()
            # Until the push is known to have ended well, the remote's notes are anybody's guess.
            self._has_remote_notes = False
            if self._push():
                self._has_remote_notes = True
                self._tidy()
                return self._revision()
            if time.monotonic() > deadline:
                break
        raise ReportDelayed(f"Git notes: {self._git.remote.url}: others pushed notes each time that we tried to")

    def _merge(self, statuses: Sequence[CommitStatus]) -> bool:
        """Merge the lines into our copy of the notes; False where that changed nothing."""
        changed = False
        # Sorting is stable, so of one context the last status still counts.
        for revision, some in groupby(sorted(statuses, key=_revision), key=_revision):
            before = self._note(revision)
            after = merged(before, list(some))
            if after != before:
                self._git.run(
                    "notes", f"--ref={REF}", "add", "-f", "-F", "-", revision,
                    git_dir=self._repository,
                    stdin=after.encode(),
                )  # fmt: skip
                changed = True
        return changed

    def _note(self, revision: str) -> str:
        try:
            blob = self._git.run("notes", f"--ref={REF}", "list", revision, git_dir=self._repository)
        except GitError as error:
            if _NO_NOTE in str(error):
                return ""
            raise
        note = self._git.run_bytes("cat-file", "blob", blob, git_dir=self._repository, output_bytes_max=NOTE_BYTES_MAX)
        return note.decode(errors="replace").removesuffix("\n")

    def _revision(self) -> str:
        return self._git.run("rev-parse", "--verify", REF, git_dir=self._repository)

    def _fetch(self) -> None:
        """Make our copy the remote's, whatever it was; where the remote has no notes, we have none."""
        # A pattern, since a plain name that is not there would be an error; pruning then takes ours away.
        refs = f"+{REF}*:{REF}*"
        self._git.run(
            "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", self._git.remote.url, refs,
            git_dir=self._repository,
        )  # fmt: skip
        self._has_remote_notes = True

    def _push(self) -> bool:
        """Push our notes; False where somebody else's came in between."""
        try:
            self._git.run("push", "--quiet", self._git.remote.url, f"{REF}:{REF}", git_dir=self._repository)
        except GitError as error:
            if error.fault is GitFault.CONFLICT:
                return False
            raise
        return True

    def _rehearse(self) -> str:
        self._open()
        url = self._git.remote.url
        blob = self._git.run("hash-object", "-w", "--stdin", git_dir=self._repository, stdin=b"check\n")
        self._git.run("push", "--quiet", "--dry-run", url, f"{blob}:{REF}-check", git_dir=self._repository)
        return f"Git notes: {url} takes {REF}"

    def _open(self) -> None:
        if self._is_open:
            return
        mark = self._repository / _MARK
        self._repository.mkdir(parents=True, exist_ok=True)
        if not mark.exists() and any(self._repository.iterdir()):
            raise ReportDelayed(
                f"Git notes: {self._repository}: found files of somebody else, expected none, or our own cache; "
                "move them away, or name another folder",
                retry_after_seconds=MENDING_SECONDS,
            )
        mark.touch()
        for lock in self._repository.rglob("*.lock"):  # of a Git that was killed; nobody else works here
            lock.unlink(missing_ok=True)
        self._git.run("init", "--quiet", "--bare", git_dir=self._repository)
        self._is_open = True

    def _discard(self) -> None:
        """Forget our copy, so that the next try makes it anew."""
        self._is_open = self._has_remote_notes = False
        if (self._repository / _MARK).exists():
            shutil.rmtree(self._repository)

    def _tidy(self) -> None:
        """Pack loose objects once there are thousands; each status makes three."""
        sample = self._repository / _SAMPLE
        if sample.is_dir() and sum(1 for _ in sample.iterdir()) > _LOOSE_IN_SAMPLE_MAX:
            self._git.run("gc", "--quiet", "--prune=now", git_dir=self._repository)


def _status_of(delivery: Delivery) -> CommitStatus:
    body = delivery.message.body
    if not isinstance(body, CommitStatus):
        raise ReportRefused("Git notes take commit statuses only; threads belong on Slack")
    if not _REVISION.fullmatch(body.revision):
        raise ReportRefused(f"Git notes: found revision {body.revision[:100]!r}, expected a whole commit id")
    return body


def _revision(status: CommitStatus) -> str:
    return status.revision


def _as_report(error: GitError) -> ReportError:
    if error.fault is GitFault.TOO_LARGE:
        return ReportRefused(f"Git notes: a note of more than {NOTE_BYTES_MAX} bytes is left as it is: {error}")
    wait = MENDING_SECONDS if error.fault in _MENDED_BY_PERSONS else None
    return ReportDelayed(f"Git notes: {error}", retry_after_seconds=wait)
