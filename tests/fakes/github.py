"""A stand-in for the part of GitHub's REST API that commit statuses need, with its limits.

GitHub cannot be run on one machine. Rows are kept as GitHub keeps them: a status posted again appends, the newest row
of a context counts, and after 1,000 rows of one commit and context there is an end. Limits and messages are those of
GitHub's API description and of clients' reports (description 140, context 255). It knows repositories by name and
commits by id, nothing else: no branches, pull requests, checks or apps.
"""

import math
import re
import time
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.loopback import Answer, Call, Clock, FakeServer, Trouble

DESCRIPTION_CHARACTERS_MAX = 140
CONTEXT_CHARACTERS_MAX = 255
ROWS_MAX = 1000
"""Of one commit and context."""
STATES = frozenset({"error", "failure", "pending", "success"})
TOKEN = "ghp_of-the-fake"

_FIRST_ROW_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
_PAGE_ROWS = 30
_PAGE_ROWS_MAX = 100
_RATE_LIMIT = 5000
_REVISION = re.compile(r"[0-9a-f]{40}")
_POST = re.compile(r"/repos/([^/]+/[^/]+)/statuses/([^/]+)")
_LIST = re.compile(r"/repos/([^/]+/[^/]+)/(?:commits/([^/]+)/statuses|statuses/([^/]+))")
_COMBINED = re.compile(r"/repos/([^/]+/[^/]+)/commits/([^/]+)/status")
_COMMIT = re.compile(r"/repos/([^/]+/[^/]+)/commits/([^/]+)")
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)")


@dataclass(frozen=True, slots=True)
class Status:
    """One row, as posted."""

    id: int
    """Counts up over the whole fake."""
    repository: str
    revision: str
    state: str
    context: str
    description: str | None
    target_url: str | None


@dataclass(slots=True)
class _Repository:
    name: str
    commits: frozenset[str] | None
    is_writable: bool = True
    rows: list[Status] = field(default_factory=list)


class GitHubError(Exception):
    """A refusal, as GitHub words it."""

    def __init__(self, status: int, message: str, errors: list[dict[str, str]] | None = None) -> None:
        content: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com/rest"}
        self.answer = Answer.json(content | ({"errors": errors} if errors else {}), status)
        super().__init__(message)


class FakeGitHub(FakeServer):
    """``with FakeGitHub() as github: Github(auth=Auth.Token(TOKEN), base_url=github.api_url)``.

    It begins without any repository. ``mutation_interval_seconds`` is the least time between two posts; a faster
    client meets the secondary limit, as GitHub's best practices threaten. 0 lets every client in.
    """

    def __init__(self, *, mutation_interval_seconds: float = 0.0, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self.api_url = f"{self.origin}/api/v3"
        """What PyGithub takes as ``base_url``."""
        self._repositories: dict[str, _Repository] = {}
        self._mutation_interval_seconds = mutation_interval_seconds
        self._next_mutation_at = -math.inf
        self._clock = clock
        self._rows_made = 0

    def add_repository(self, name: str, *, commits: Iterable[str] | None = None, is_writable: bool = True) -> None:
        """Make ``OWNER/NAME``; with ``commits`` it knows only these, else every full commit id."""
        known = None if commits is None else frozenset(commits)
        self._repositories[name.lower()] = _Repository(name, known, is_writable)

    def fill(self, name: str, revision: str, context: str, rows: int = ROWS_MAX) -> None:
        """Let a commit have so many pending rows of one context already, as after months on one commit."""
        for _ in range(rows):
            self._append(self._repositories[name.lower()], revision, context, "pending", None, None)

    def statuses(self, name: str, revision: str, context: str | None = None) -> list[Status]:
        """The rows of a commit, of one context or of all, newest first."""
        rows = self._repositories[name.lower()].rows
        wanted = [row for row in rows if row.revision == revision and context in (None, row.context)]
        return list(reversed(wanted))

    def state(self, name: str, revision: str, context: str) -> str | None:
        """The state that counts for one context of a commit: its newest row's; None without a row."""
        return next((row.state for row in self.statuses(name, revision, context)), None)

    def rate_limit(self, retry_after_seconds: int | None = None, *, status: int = 403, times: int = 1) -> None:
        """Answer the next calls with the secondary limit, by 403 or 429, with ``Retry-After`` or without."""
        self.suffer(Trouble(times, answer=_secondary_limit(retry_after_seconds, status)))

    def exhaust(self, reset_at_epoch_seconds: int, *, times: int = 1) -> None:
        """Answer the next calls with the primary limit, which ends at the time given."""
        headers = {
            "X-RateLimit-Limit": str(_RATE_LIMIT),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Used": str(_RATE_LIMIT),
            "X-RateLimit-Reset": str(reset_at_epoch_seconds),
        }
        message = {"message": "API rate limit exceeded for user ID 1.", "documentation_url": "https://docs.github.com"}
        self.suffer(Trouble(times, answer=Answer.json(message, 403, headers)))

    def answer(self, call: Call) -> Answer:
        """Take a call of the REST API."""
        try:
            return self._take(call, call.path.removeprefix("/api/v3"))
        except GitHubError as error:
            return error.answer

    def _take(self, call: Call, path: str) -> Answer:
        if call.headers.get("authorization", "").split()[-1:] != [TOKEN]:
            raise GitHubError(401, "Bad credentials")
        if call.verb == "POST" and (found := _POST.fullmatch(path)):
            return self._post(self._writable(found[1]), found[2], _fields(call))
        if call.verb == "GET" and (found := _LIST.fullmatch(path)):
            return self._list(call, self._repository(found[1]), found[2] or found[3])
        if call.verb == "GET" and (found := _COMBINED.fullmatch(path)):
            return self._combined(self._repository(found[1]), found[2])
        if call.verb == "GET" and (found := _COMMIT.fullmatch(path)):
            repository = self._repository(found[1])
            _known(repository, found[2])
            return Answer.json({"sha": found[2], "url": f"{self.api_url}{path}"})
        if call.verb == "GET" and (found := _REPOSITORY.fullmatch(path)):
            name = self._repository(found[1]).name
            owner = {"login": name.split("/", maxsplit=1)[0]}
            return Answer.json({"full_name": name, "url": f"{self.api_url}/repos/{name}", "owner": owner})
        raise GitHubError(404, "Not Found")

    def _post(self, repository: _Repository, revision: str, fields: dict[str, Any]) -> Answer:
        now = self._clock()
        if now < self._next_mutation_at:
            return _secondary_limit(math.ceil(self._next_mutation_at - now), 403)
        self._next_mutation_at = now + self._mutation_interval_seconds
        _known(repository, revision)
        _validate(fields)
        context = fields.get("context") or "default"
        same = [row for row in repository.rows if row.revision == revision and row.context.lower() == context.lower()]
        if len(same) >= ROWS_MAX:
            raise _invalid("", "This SHA and context has reached the maximum number of statuses.")
        said = (fields.get("description"), fields.get("target_url"))
        return Answer.json(self._row(self._append(repository, revision, context, fields["state"], *said)), 201)

    def _append(self, repository: _Repository, revision: str, context: str, state: str, *said: str | None) -> Status:
        self._rows_made += 1
        description, target_url = said
        row = Status(self._rows_made, repository.name, revision, state, context, description, target_url)
        repository.rows.append(row)
        return row

    def _list(self, call: Call, repository: _Repository, revision: str) -> Answer:
        _known(repository, revision)
        rows = self.statuses(repository.name, revision)
        size = min(_number(call, "per_page", _PAGE_ROWS), _PAGE_ROWS_MAX)
        page, last = _number(call, "page", 1), max(1, math.ceil(len(rows) / size))
        links = {"prev": page - 1, "next": page + 1, "first": 1, "last": last}
        if page >= last:
            del links["next"], links["last"]
        if page == 1:
            del links["prev"], links["first"]
        pages = [f'<{self._page_url(call, number)}>; rel="{name}"' for name, number in links.items()]
        shown = [self._row(row) for row in rows[(page - 1) * size : page * size]]
        return Answer.json(shown, headers={"Link": ", ".join(pages)} if pages else {})

    def _page_url(self, call: Call, number: int) -> str:
        return f"{self.origin}{call.path}?{urllib.parse.urlencode(call.query | {'page': str(number)})}"

    def _combined(self, repository: _Repository, revision: str) -> Answer:
        """The one state of a commit: failure over pending over success; pending while there is none at all."""
        _known(repository, revision)
        newest: dict[str, Status] = {}
        for row in self.statuses(repository.name, revision):
            newest.setdefault(row.context.lower(), row)
        states = {row.state for row in newest.values()}
        worst = "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"
        rows = [self._row(row) for row in newest.values()]
        return Answer.json({"state": worst, "sha": revision, "total_count": len(rows), "statuses": rows})

    def _row(self, row: Status) -> dict[str, Any]:
        made_at = (_FIRST_ROW_AT + timedelta(seconds=row.id)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": row.id,
            "url": f"{self.api_url}/repos/{row.repository}/statuses/{row.revision}",
            "state": row.state,
            "context": row.context,
            "description": row.description,
            "target_url": row.target_url,
            "created_at": made_at,
            "updated_at": made_at,
        }

    def _repository(self, name: str) -> _Repository:
        found = self._repositories.get(name.lower())
        if found is None:
            raise GitHubError(404, "Not Found")
        return found

    def _writable(self, name: str) -> _Repository:
        repository = self._repository(name)
        if not repository.is_writable:
            raise GitHubError(403, "Resource not accessible by personal access token")
        return repository


def _secondary_limit(retry_after_seconds: int | None, status: int) -> Answer:
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    content = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return Answer.json(content, status, headers)


def _invalid(field_name: str, message: str) -> GitHubError:
    error = {"resource": "Status", "code": "custom", "message": message}
    return GitHubError(422, "Validation Failed", [error | ({"field": field_name} if field_name else {})])


def _fields(call: Call) -> dict[str, Any]:
    try:
        return call.fields()
    except ValueError as error:
        raise GitHubError(400, "Problems parsing JSON") from error


def _validate(fields: dict[str, Any]) -> None:
    if fields.get("state") not in STATES:
        raise GitHubError(422, "Validation Failed", [{"resource": "Status", "code": "invalid", "field": "state"}])
    if len(fields.get("description") or "") > DESCRIPTION_CHARACTERS_MAX:
        raise _invalid("description", f"description is too long (maximum is {DESCRIPTION_CHARACTERS_MAX} characters)")
    if len(fields.get("context") or "") > CONTEXT_CHARACTERS_MAX:
        raise _invalid("context", f"context is too long (maximum is {CONTEXT_CHARACTERS_MAX} characters)")
    target = fields.get("target_url")
    if target and not str(target).startswith(("http://", "https://")):
        raise _invalid("target_url", "target_url must use http(s) scheme")


def _known(repository: _Repository, revision: str) -> None:
    known = _REVISION.fullmatch(revision) if repository.commits is None else revision in repository.commits
    if not known:
        raise GitHubError(422, f"No commit found for SHA: {revision}")


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return max(1, int(text)) if text.isdigit() else default
