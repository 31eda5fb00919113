"""A real forge: Gitea as a process on loopback, with a database and repositories of its own in one folder.

Commit statuses, pull requests and merges are Gitea's, not ours; the methods here are what a person does on its pages,
through its REST API. The program is built once per machine by ``tools/build-gitea.sh``, which takes minutes, so no test
builds it: where it is missing the test is skipped (under CI it fails).
"""

import contextlib
import getpass
import os
import subprocess
import time
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.real.ssh_server import free_port
from tests.real_parts import require

RELEASE = "1.26.0"

_CALL_SECONDS_MAX = 30
_START_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 20
_CATCHING_UP_SECONDS_MAX = 30
_NOT_YET = frozenset({404, 405, 409})
"""Answered while Gitea's background jobs still look at a push: to them the branch, or its merge, is not there yet."""
_PAGE_ROWS = 50

_CONFIGURATION = """
RUN_MODE = prod
RUN_USER = {account}
WORK_PATH = {folder}
{unsafe}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
STATIC_ROOT_PATH = {static_root}
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = a-secret-that-lives-for-one-test
PASSWORD_HASH_ALGO = pbkdf2_v1
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[packages]
ENABLED = false
[cron]
ENABLED = false
[log]
MODE = console
LEVEL = Warn
"""


class ForgeRefusal(Exception):
    """The forge answered with an error; the sentence holds its words."""

    def __init__(self, sentence: str, status: int) -> None:
        self.status = status
        super().__init__(sentence)


class Gitea:
    """``with Gitea(folder) as forge``: a running forge with one administrator, ``ana``, who owns every repository."""

    user = "ana"
    password = "open-sesame-1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        """The forge's address; its API is below ``/api/v1``."""
        self.token = ""
        """A token of ``ana`` with every right, once the forge has started."""
        self._program, static_root = find_gitea()
        self._log = self.folder / "gitea.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False
        self._configuration = self.folder / "app.ini"
        self._configuration.write_text(
            _CONFIGURATION.format(
                account=getpass.getuser(),
                folder=self.folder,
                port=self.port,
                static_root=static_root,
                unsafe="I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true" if os.geteuid() == 0 else "",
            )
        )

    def start(self) -> Self:
        """Start, and wait until it answers; after ``stop`` it comes back as it was, on the same port."""
        if not self.token:
            self._create_administrator()
        with self._log.open("ab") as log:
            command = [str(self._program), "--config", str(self._configuration), "web"]
            self._process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
        self._await_answer()
        self.token = self.token or self.create_token("tests", ["all"])
        return self

    def stop(self) -> None:
        """End the forge; what it stored stays in its folder."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._http.close()

    def create_repository(self, name: str, *, private: bool = False) -> str:
        """Make an empty repository ``ana/NAME`` with the branch ``main``; the address to clone it by."""
        self.call("POST", "/user/repos", {"name": name, "private": private, "default_branch": "main"})
        return f"{self.url}/{self.user}/{name}.git"

    def push_url(self, name: str) -> str:
        """The address of ``ana/NAME`` with ana's token in it, for a test that pushes as she does."""
        return f"http://{self.user}:{self.token}@127.0.0.1:{self.port}/{self.user}/{name}.git"

    def open_pull_request(self, name: str, *, branch: str, title: str) -> int:
        """Propose a pushed branch of ``ana/NAME`` for ``main``; the pull request's number."""
        wanted = {"head": branch, "base": "main", "title": title}
        return int(self._call_once_ready("POST", f"/repos/{self.user}/{name}/pulls", wanted)["number"])

    def merge_pull_request(self, name: str, number: int, *, how: str = "merge") -> str:
        """Merge (``merge``, ``squash``, ``rebase``, …) as the page's button does; the revision it made on ``main``."""
        path = f"/repos/{self.user}/{name}/pulls/{number}"
        self._call_once_ready("POST", f"{path}/merge", {"Do": how})
        return str(self.call("GET", path)["merge_commit_sha"])

    def head(self, name: str, branch: str = "main") -> str:
        """The revision a branch of ``ana/NAME`` stands at."""
        refs = self.call("GET", f"/repos/{self.user}/{name}/git/refs/heads/{urllib.parse.quote(branch)}")
        return next(str(ref["object"]["sha"]) for ref in refs if ref["ref"] == f"refs/heads/{branch}")

    def statuses(self, name: str, revision: str) -> list[dict[str, Any]]:
        """Every status row of a revision, newest first: ``status``, ``context``, ``description``, ``target_url``."""
        rows: list[dict[str, Any]] = []
        while True:
            page = f"?sort=recentupdate&limit={_PAGE_ROWS}&page={len(rows) // _PAGE_ROWS + 1}"
            more = self.call("GET", f"/repos/{self.user}/{name}/commits/{revision}/statuses{page}")
            rows += more
            if len(more) < _PAGE_ROWS:
                return sorted(rows, key=lambda row: -int(row["id"]))

    def state(self, name: str, revision: str, context: str) -> str | None:
        """The state that counts for one context of a revision: that of its newest row; None without a row."""
        rows = (row for row in self.statuses(name, revision) if row["context"] == context)
        return next((str(row["status"]) for row in rows), None)

    def create_token(self, name: str, scopes: list[str]) -> str:
        """A token of ``ana`` with these rights, such as ``write:repository`` or ``read:repository``."""
        return str(self.call("POST", f"/users/{self.user}/tokens", {"name": name, "scopes": scopes})["sha1"])

    def call(self, verb: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - the API's JSON
        """Call the API as ``ana``; its JSON, or None. Raises ``ForgeRefusal``."""
        answer = self._http.request(
            verb,
            f"{self.url}/api/v1{path}",
            json=body,
            auth=(self.user, self.password),
            timeout=_CALL_SECONDS_MAX,
        )
        if not answer.ok:
            sentence = f"Gitea: {verb} {path}: {answer.status_code} {answer.text[:500]}"
            raise ForgeRefusal(sentence, answer.status_code)
        return answer.json() if answer.content else None

    def _call_once_ready(self, verb: str, path: str, body: object) -> Any:  # noqa: ANN401 - the API's JSON
        """Call as soon as Gitea's background jobs have caught up with the last push."""
        deadline = time.monotonic() + _CATCHING_UP_SECONDS_MAX
        while True:
            try:
                return self.call(verb, path, body)
            except ForgeRefusal as refusal:
                if refusal.status not in _NOT_YET or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def _create_administrator(self) -> None:
        self._run("migrate")
        email = f"--email={self.user}@example.com"
        names = [f"--username={self.user}", f"--password={self.password}", email]
        self._run("admin", "user", "create", *names, "--admin", "--must-change-password=false")

    def _run(self, *arguments: str) -> None:
        with self._log.open("ab") as log:
            command = [str(self._program), "--config", str(self._configuration), *arguments]
            subprocess.run(
                command, env=self._environment(), stdout=log, stderr=log, check=True, timeout=_START_SECONDS_MAX
            )

    def _environment(self) -> dict[str, str]:
        account = getpass.getuser()
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "USER": account,
            "GITEA_WORK_DIR": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def _await_answer(self) -> None:
        assert self._process is not None, "started"
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if self._http.get(f"{self.url}/api/healthz", timeout=_CALL_SECONDS_MAX).ok:
                    return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"Gitea did not start:\n{self._log.read_text()[-4000:]}")


def find_gitea() -> tuple[Path, Path]:
    """The built program and the folder of its templates; skips the test (fails it under CI) when it is not built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wavefleet" / "gitea" / RELEASE
    program, note = cache / "gitea", cache / "static-root"
    require(program.is_file() and note.is_file(), "Gitea is not built here: run tools/build-gitea.sh (needs Go, gcc)")
    static_root = Path(note.read_text().strip())
    require(static_root.is_dir(), f"Gitea's templates are gone from {static_root}: run tools/build-gitea.sh again")
    return program, static_root
