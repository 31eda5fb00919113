"""Commit statuses on GitHub and GitHub Enterprise Server, through PyGithub's connection.

Only its connection is used: its objects fetch whole commits on the way to a status, and its errors read every 403 and
422 alike. Its own retries and pauses are off, since the outbox waits; the address is always given, so that a server of
one's own is never passed over for api.github.com. The API version is named as GitHub asks for.
"""

import math
from typing import Any

import requests
from github import Auth, Github

from controller.errors import ReportDelayed, ReportRefused
from controller.model.outbox import CommitStatus
from controller.reports.forge_answers import Answer, Question, taken, unanswered
from controller.reports.statuses import Row, checked_repository
from controller.reports.wording import one_line

LIMIT_SECONDS = 20.0
API_VERSION = "2022-11-28"
PAGE_ROWS = 100
PAGES_MAX = 10
"""A commit's newest 1,000 rows are searched for a context; beyond them it counts as not there."""


class GitHub:
    """One repository, ``OWNER/NAME``, behind the API at ``api_url``: GitHub's own, or ``https://HOST/api/v3``."""

    name = "github"

    def __init__(self, api_url: str, repository: str, token: str, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._repository = checked_repository(repository)
        self._limit_seconds = max(1, math.ceil(limit_seconds))
        self._connection = Github(
            base_url=api_url.rstrip("/"),
            auth=Auth.Token(token),
            timeout=self._limit_seconds,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            api_version=API_VERSION,
        ).requester

    def newest(self, revision: str, context: str) -> Row | None:
        """Return the newest row of a context, which GitHub compares without regard to case."""
        question = Question("GitHub", f"GET statuses of {self._repository}", changes=False)
        for page in range(1, PAGES_MAX + 1):
            parameters = {"per_page": PAGE_ROWS, "page": page}
            rows = taken(question, self._ask(question, "GET", f"commits/{revision}/statuses", parameters))
            if not isinstance(rows, list):
                raise unanswered(question, "answered no list")
            for row in rows:
                if isinstance(row, dict) and str(row.get("context")).lower() == context.lower():
                    return Row(str(row.get("id")), str(row.get("state")), str(row.get("description") or ""))
            if len(rows) < PAGE_ROWS:
                return None
        return None

    def post(self, status: CommitStatus) -> str:
        """Append a row and return its id."""
        question = Question("GitHub", f"POST a status of {self._repository}@{status.revision}", changes=True)
        fields = {"state": status.state.value, "description": status.description, "context": status.context}
        row = taken(question, self._ask(question, "POST", f"statuses/{status.revision}", fields))
        if not isinstance(row, dict) or "id" not in row or row.get("state") != status.state.value:
            raise unanswered(question, "answered yes, but without the row that it made")
        return str(row["id"])

    def check(self) -> str:
        """Return a sentence about the repository. Raises ReportError where it cannot be seen or written to."""
        question = Question("GitHub", f"GET {self._repository}", changes=False)
        found = taken(question, self._ask(question, "GET", "", {}))
        rights = found.get("permissions") if isinstance(found, dict) else None
        if isinstance(rights, dict) and not rights.get("push", False):
            raise ReportRefused(f"GitHub: {self._repository}: the token may only read; statuses need write access")
        return f"GitHub: {self._repository} is there"

    def _ask(self, question: Question, verb: str, path: str, fields: dict[str, Any]) -> Answer:
        url = f"/repos/{self._repository}" + (f"/{path}" if path else "")
        parameters, body = (fields, None) if verb == "GET" else ({}, fields)
        try:
            status, headers, text = self._connection.requestJson(verb, url, parameters, input=body)
        except requests.Timeout:
            raise unanswered(question, f"no answer within {self._limit_seconds} s") from None
        except requests.RequestException as error:
            raise unanswered(question, f"the connection failed ({type(error).__name__})") from None
        except RuntimeError as error:  # PyGithub's word for a redirect to another server
            raise ReportDelayed(f"GitHub: {question.what}: {one_line(str(error))}") from None
        return Answer(status, {name.lower(): str(content) for name, content in headers.items()}, text)
