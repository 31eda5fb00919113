"""Commit statuses on Gitea and Forgejo, by their REST API.

Three small calls, so no client library: requests, with a time limit and a bound on an answer's size. Redirects are not
followed, since a token must not travel on to wherever an answer points. Gitea appends rows, and the one with the
highest id counts per context. A commit that it does not know is told from a repository that it does not show by asking
for the repository: both are 404. Sources: Gitea's API description (``/swagger.v1.json``) and a running 1.26.
"""

import time
from typing import Any

import requests

from controller.errors import ReportRefused
from controller.model.outbox import CommitStatus
from controller.reports.forge_answers import NOT_FOUND, Answer, Question, taken, unanswered
from controller.reports.statuses import Row, checked_repository

LIMIT_SECONDS = 20.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
PAGE_ROWS = 50
PAGES_MAX = 20
"""So many contexts of one commit are searched: 1,000."""

_CHUNK_BYTES = 16 * 1024
_OK, _BROKEN = 200, 500
_UNKNOWN_COMMIT = "object does not exist"


class Gitea:
    """One repository, ``OWNER/NAME``, on the Gitea or Forgejo server at ``url``."""

    name = "gitea"

    def __init__(self, url: str, repository: str, token: str, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._repository = checked_repository(repository)
        self._url = f"{url.rstrip('/')}/api/v1/repos/{self._repository}"
        self._limit_seconds = limit_seconds
        self._session = requests.Session()
        self._session.auth = _TokenAuth(token)
        self._session.headers["Accept"] = "application/json"

    def newest(self, revision: str, context: str) -> Row | None:
        """Return the row that counts for a context: the combined status lists one row for each."""
        question = Question("Gitea", f"GET statuses of {self._repository}@{revision}", changes=False)
        for page in range(1, PAGES_MAX + 1):
            answer = self._ask(question, "GET", f"/commits/{revision}/status?limit={PAGE_ROWS}&page={page}")
            self._refuse_unknown(revision, answer)
            combined = taken(question, answer)
            rows = combined.get("statuses") if isinstance(combined, dict) else None
            for row in rows or ():
                if isinstance(row, dict) and row.get("context") == context:
                    return Row(str(row.get("id")), str(row.get("status")), str(row.get("description") or ""))
            if not rows:
                return None
        return None

    def post(self, status: CommitStatus) -> str:
        """Append a row and return its id."""
        question = Question("Gitea", f"POST a status of {self._repository}@{status.revision}", changes=True)
        fields = {"state": status.state.value, "description": status.description, "context": status.context}
        answer = self._ask(question, "POST", f"/statuses/{status.revision}", fields)
        self._refuse_unknown(status.revision, answer)
        row = taken(question, answer)
        if not isinstance(row, dict) or "id" not in row or row.get("status") != status.state.value:
            raise unanswered(question, "answered yes, but without the row that it made")
        return str(row["id"])

    def check(self) -> str:
        """Return a sentence about the repository. Raises ReportError where it cannot be seen or written to."""
        question = Question("Gitea", f"GET {self._repository}", changes=False)
        found = taken(question, self._ask(question, "GET", ""))
        rights = found.get("permissions") if isinstance(found, dict) else None
        if isinstance(rights, dict) and not rights.get("push", False):
            raise ReportRefused(f"Gitea: {self._repository}: the token's user may only read, not write statuses")
        return f"Gitea: {self._repository} is there"

    def _refuse_unknown(self, revision: str, answer: Answer) -> None:
        """Raise ReportRefused where the repository is there and the commit is not."""
        broken = answer.status >= _BROKEN and _UNKNOWN_COMMIT in answer.text
        if not broken and (answer.status != NOT_FOUND or not self._is_there()):
            return
        raise ReportRefused(
            f"Gitea: {self._repository} has no commit {revision}, expected the commit that declared the fleet; "
            "see that the statuses go to the repository that Wavefleet reads"
        )

    def _is_there(self) -> bool:
        question = Question("Gitea", f"GET {self._repository}", changes=False)
        return self._ask(question, "GET", "").status == _OK

    def _ask(self, question: Question, verb: str, path: str, fields: dict[str, Any] | None = None) -> Answer:
        deadline = time.monotonic() + self._limit_seconds
        try:
            with self._session.request(
                verb,
                self._url + path,
                json=fields,
                timeout=self._limit_seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                text = _read(response, deadline)
                headers = {name.lower(): content for name, content in response.headers.items()}
                return Answer(response.status_code, headers, text)
        except (requests.Timeout, TimeoutError):
            raise unanswered(question, f"no whole answer within {self._limit_seconds:g} s") from None
        except (requests.RequestException, ValueError) as error:
            raise unanswered(question, f"the connection failed ({type(error).__name__})") from None


def _read(response: requests.Response, deadline: float) -> str:
    """Read a body within the deadline and the bound; raises TimeoutError and ValueError."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError("the answer is too large")
        if time.monotonic() > deadline:
            raise TimeoutError
    return body.decode(errors="replace")


class _TokenAuth(requests.auth.AuthBase):
    """Sends our token, and by being there keeps requests from sending one out of a ``.netrc`` instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"token {self._token}"
        return request
