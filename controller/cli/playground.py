"""A fleet repository to play with: a bare Git repository filled from the example, and commits merged into it.

For the demo and the lab's tour only. Commits are made with Git's plumbing, so that no work tree is needed and nothing
of the user's own Git settings takes part.
"""

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from controller.gitcommand import GitCommand, GitRemote, as_url

_EXAMPLE_PACKAGE = "controller.example"
"""The folder ``fleet-example`` as it is shipped in the wheel."""


class Playground:
    """A bare repository at ``folder/fleet.git`` with the branch main."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "fleet.git"
        self._git = GitCommand(GitRemote(as_url(str(self.bare))))
        self._files: dict[str, str] = {}
        self._git.run("init", "--bare", "--quiet", "--initial-branch=main", "--", str(self.bare))
        self._run("config", "user.name", "Ana")
        self._run("config", "user.email", "ana@example.com")
        self._run("config", "http.receivepack", "true")

    def commit(self, message: str, files: Mapping[str, str]) -> str:
        """Add or replace ``files`` on main and return the new revision."""
        self._files.update(files)
        for path, text in files.items():
            blob = self._git.run("hash-object", "-w", "--stdin", git_dir=self.bare, stdin=text.encode())
            self._run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        tree = self._run("write-tree")
        parent = self._run("for-each-ref", "--format=%(objectname)", "refs/heads/main")
        parents = ("-p", parent) if parent else ()
        revision = self._run("commit-tree", tree, *parents, "-m", message)
        self._run("update-ref", "refs/heads/main", revision)
        return revision

    def edit(self, message: str, path: str, old: str, new: str) -> str:
        """Replace ``old`` by ``new`` in one file and commit it."""
        text = self._files[path]
        assert old in text, (path, old)
        return self.commit(message, {path: text.replace(old, new)})

    def text(self, path: str) -> str:
        """Return a file's present content."""
        return self._files[path]

    def log_with_notes(self) -> str:
        """Return what ``git log --notes=wavefleet`` prints for main."""
        return self._run("log", "--notes=wavefleet", "--format=%h %s%n%N", "main")

    def _run(self, *arguments: str) -> str:
        return self._git.run(*arguments, git_dir=self.bare)


def example_files() -> dict[str, str]:
    """Return the example fleet repository's files by path: of the installed package, else of the checkout."""
    try:
        folder: Traversable = resources.files(_EXAMPLE_PACKAGE)
    except ModuleNotFoundError:
        folder = Path(__file__).parents[2] / "fleet-example"
    return dict(_files_below(folder, ""))


def _files_below(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir() and not entry.name.startswith(("_", ".")):
            found.extend(_files_below(entry, f"{prefix}{entry.name}/"))
        elif entry.name.endswith(".yaml"):
            found.append((f"{prefix}{entry.name}", entry.read_text(encoding="utf-8")))
    return found
