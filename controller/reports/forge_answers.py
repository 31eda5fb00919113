"""What a forge's answer means for a status: taken, later, never, or perhaps.

GitHub and Gitea share their manners: 401 and 403 for the token, 404 for what is not there or hidden, 422 for what can
never be taken, 429 (GitHub also 403) for too much. Sources: docs.github.com/rest/using-the-rest-api (rate limits, best
practices), Gitea's API description. The body of a failure is shown to people, bounded; our token is never in it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from controller.errors import ReportDelayed, ReportError, ReportRefused
from controller.reports.wording import cut, one_line

MENDING_SECONDS = 300.0
"""How soon a forge is asked again after an error that a person must mend."""
SETTLING_SECONDS = 30.0
"""A call that we gave up on may still be taken; it is looked for only after so long."""
UNSAID_LIMIT_SECONDS = 60.0
"""GitHub: a limit that names no time is waited out for at least a minute."""
BODY_CHARACTERS_MAX = 300

_OK = range(200, 300)
_REDIRECT = range(300, 400)
_UNAUTHORIZED, _FORBIDDEN, NOT_FOUND, _TIMED_OUT, _TOO_EARLY, _TOO_MANY = 401, 403, 404, 408, 425, 429
_PASSING = frozenset({_TIMED_OUT, _TOO_EARLY})
_REFUSING = frozenset({400, 410, 413, 422})


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    text: str

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, for the sentence about its failure."""

    forge: str
    what: str
    """Such as ``POST statuses of acme/fleet``."""
    changes: bool
    """It writes, so a failure half-way leaves doubt."""


def unanswered(question: Question, why: str) -> ReportDelayed:
    """Return the error for a call that got no whole answer."""
    wait = SETTLING_SECONDS if question.changes else None
    return ReportDelayed(
        f"{question.forge}: {question.what}: {why}", retry_after_seconds=wait, in_doubt=question.changes
    )


def taken(question: Question, answer: Answer) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of an answer that says yes; raises the ReportError that any other answer means."""
    if answer.status not in _OK:
        raise _failure(question, answer)
    content = answer.json()
    if not isinstance(content, dict | list):
        raise unanswered(question, f"answered {answer.status} with a body that is no JSON: {_shown(answer)}")
    return content


def _failure(question: Question, answer: Answer) -> ReportError:
    begin = f"{question.forge}: {question.what}: answered {answer.status}"
    if answer.status == _TOO_MANY or (answer.status == _FORBIDDEN and _is_limit(answer)):
        return ReportDelayed(f"{begin}: limits us: {_shown(answer)}", retry_after_seconds=_asked_seconds(answer))
    mending = _mending(answer)
    if mending:
        return ReportDelayed(f"{begin}: {mending} ({_shown(answer)})", retry_after_seconds=MENDING_SECONDS)
    if answer.status in _REFUSING:
        return ReportRefused(f"{begin}: {_shown(answer)}")
    return ReportDelayed(f"{begin}: {_shown(answer)}", in_doubt=question.changes and answer.status not in _PASSING)


def _mending(answer: Answer) -> str:
    """What a person must do about the answer; empty where it is nobody's to mend."""
    if answer.status == _UNAUTHORIZED:
        return "it does not know the token; renew it"
    if answer.status == _FORBIDDEN:
        return "the token may not do this; give it the right to write commit statuses"
    if answer.status == NOT_FOUND:
        return "found no such repository, or none that the token may see; check its name and the token's rights"
    if answer.status in _REDIRECT:
        return "the repository moved; give its new address"
    return ""


def _is_limit(answer: Answer) -> bool:
    """Tell GitHub's limits from a right that is missing; both may come as 403."""
    if "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0":
        return True
    return "rate limit" in answer.text.lower()


def _asked_seconds(answer: Answer) -> float:
    """How long to wait, by the server's own clock: ``Retry-After``, else the time at which the limit ends."""
    retry_after = answer.headers.get("retry-after", "")
    if retry_after.isdigit():
        return float(retry_after)
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(1.0, float(reset) - _server_time(answer)) if _server_time(answer) else UNSAID_LIMIT_SECONDS
    return UNSAID_LIMIT_SECONDS


def _server_time(answer: Answer) -> float:
    """Return the server's time in seconds since 1970; 0 where it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return 0.0


def _shown(answer: Answer) -> str:
    """What the forge said, in one bounded line."""
    content = answer.json()
    said = _message(content) if isinstance(content, dict) else answer.text
    return cut(one_line(said or answer.text) or "an empty body", BODY_CHARACTERS_MAX)


def _message(content: Mapping[str, Any]) -> str:
    """Return a failure's message with those of its single errors, as GitHub and Gitea lay them out."""
    errors = content.get("errors")
    details = errors if isinstance(errors, list) else []
    told = [each.get("message") or each.get("code") if isinstance(each, dict) else each for each in details]
    return "; ".join(str(each) for each in (content.get("message"), *told) if each)
