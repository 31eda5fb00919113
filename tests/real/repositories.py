"""Real Git repositories for tests: a bare one that clients read, and a work tree that people commit in.

Authors and dates are fixed, so the same steps give the same revisions everywhere; the machine's and the user's Git
configuration are not read. Every step runs the real ``git``, so a test sees what a user's Git would make.
"""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FIRST_COMMIT_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
_BETWEEN_COMMITS = timedelta(minutes=1)
_GIT_SECONDS_MAX = 60

Content = str | bytes | None
"""A file's text, its bytes, or None to delete it."""


class FleetRepository:
    """A bare repository ``NAME.git`` below ``folder`` and a work tree beside it, without a commit yet."""

    def __init__(self, folder: Path, *, name: str = "fleet", branch: str = "main") -> None:
        self.bare = folder / f"{name}.git"
        """What clients read, by ``url`` or through a server of ``folder``."""
        self.work_tree = folder / name
        self.default_branch = branch
        self._next_commit_at = _FIRST_COMMIT_AT
        folder.mkdir(parents=True, exist_ok=True)
        run_git(folder, "init", "--quiet", "--bare", f"--initial-branch={branch}", str(self.bare))
        run_git(folder, "init", "--quiet", f"--initial-branch={branch}", str(self.work_tree))
        self.git("remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        """The bare repository as a ``file://`` address."""
        return self.bare.as_uri()

    @property
    def head(self) -> str:
        """The revision the work tree stands at."""
        return self.git("rev-parse", "HEAD")

    @property
    def pushed(self) -> str:
        """The revision that clients see on the default branch."""
        return run_git(self.bare, "rev-parse", f"refs/heads/{self.default_branch}")

    def git(self, *arguments: str) -> str:
        """Run Git in the work tree as the test's author; its output without the last line end."""
        return run_git(self.work_tree, *arguments, at=self._next_commit_at)

    def write(self, files: Mapping[str, Content]) -> None:
        """Write, or with None delete, files of the work tree; a text is written as UTF-8."""
        for path, content in files.items():
            target = self.work_tree / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def link(self, path: str, target: str) -> None:
        """Make ``path`` a symbolic link to ``target``."""
        (self.work_tree / path).parent.mkdir(parents=True, exist_ok=True)
        (self.work_tree / path).symlink_to(target)

    def commit(self, message: str, *, when: datetime | None = None) -> str:
        """Commit everything in the work tree, an unchanged one too; the new revision."""
        if when is not None:
            self._next_commit_at = when
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        self._next_commit_at += _BETWEEN_COMMITS
        return self.head

    def push(self, *, force: bool = False) -> None:
        """Push the branch in hand; ``force`` rewrites what clients have seen."""
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", "HEAD")

    def publish(self, files: Mapping[str, Content], message: str = "Change the fleet") -> str:
        """Write, commit and push in one step; the new revision."""
        self.write(files)
        revision = self.commit(message)
        self.push()
        return revision

    def branch(self, name: str) -> None:
        """Start a branch here and switch to it."""
        self.git("switch", "--quiet", "--create", name)

    def switch(self, name: str) -> None:
        """Go to a branch that exists."""
        self.git("switch", "--quiet", name)

    def reset(self, revision: str) -> None:
        """Take the branch in hand back to ``revision``; what came later is no longer on it."""
        self.git("reset", "--quiet", "--hard", revision)

    def open_pull_request(self, number: int) -> str:
        """Publish the branch in hand as forges do for a pull request, as ``refs/pull/NUMBER/head``; its revision."""
        self.git("push", "--quiet", "origin", f"+HEAD:refs/pull/{number}/head")
        return self.head

    def merge_pull_request(self, branch: str, *, number: int = 1) -> str:
        """Merge ``branch`` into the default branch with a merge commit, as forges do, and push; its revision."""
        self.switch(self.default_branch)
        message = f"Merge pull request #{number} from {branch}"
        self.git("merge", "--quiet", "--no-ff", f"--message={message}", branch)
        self._next_commit_at += _BETWEEN_COMMITS
        self.push()
        return self.head

    def notes(self, ref: str, revision: str) -> str:
        """The note that ``ref`` (such as ``refs/notes/wavefleet``) holds on a revision, as clients see it; or empty."""
        listed = run_git(self.bare, "notes", f"--ref={ref}", "list")
        noted = {line.split()[1] for line in listed.splitlines()}
        return run_git(self.bare, "notes", f"--ref={ref}", "show", revision) if revision in noted else ""


def run_git(
    folder: Path, *arguments: str, at: datetime = _FIRST_COMMIT_AT, environment: Mapping[str, str] | None = None
) -> str:
    """Run Git in ``folder`` under nobody's configuration, as one fixed author at one fixed time; its output.

    Raises ``RuntimeError`` with Git's own words when it fails.
    """
    person = {"NAME": "Ana Fleet", "EMAIL": "ana@example.com", "DATE": at.strftime("%Y-%m-%dT%H:%M:%S%z")}
    roles = {f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in person.items()}
    result = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **_NOBODYS_CONFIGURATION, **roles, **(environment or {})},
        capture_output=True,
        timeout=_GIT_SECONDS_MAX,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout.decode(errors="surrogateescape").removesuffix("\n")


_NOBODYS_CONFIGURATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": os.devnull,
    "LC_ALL": "C.UTF-8",
}
