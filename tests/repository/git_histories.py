"""Long histories for tests, made in one go by ``git fast-import``; a commit at a time would take minutes."""

import os
import subprocess
from collections.abc import Iterable

from tests.real.repositories import FleetRepository

_FIRST_COMMIT_SECONDS = 1_700_000_000
"""Long before the commits they follow: whose clock is wrong is nobody's business."""


def add_commits(fleet: FleetRepository, path: str, contents: Iterable[str]) -> None:
    """Push one commit for each content of the file ``path`` on top of the default branch; the work tree follows."""
    parent = f"from {fleet.pushed}\n"
    stream = []
    for number, content in enumerate(contents):
        stream.append(
            f"commit refs/heads/{fleet.default_branch}\n"
            f"committer Ana Fleet <ana@example.com> {_FIRST_COMMIT_SECONDS + number} +0000\ndata 0\n{parent}"
            f"M 100644 inline {path}\ndata {len(content.encode())}\n{content}\n"
        )
        parent = ""
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_DIR": str(fleet.bare)}
    command = ["git", "fast-import", "--quiet"]
    subprocess.run(command, input="".join(stream).encode(), env=environment, check=True, timeout=60)
    fleet.git("fetch", "--quiet", "origin")
    fleet.reset(f"origin/{fleet.default_branch}")
