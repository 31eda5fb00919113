"""What external gates ask, as servers on loopback: Prometheus's query API, and the other side of a webhook.

The webhook checks the signature, the time and the delivery id as docs/gates.md tells its authors to, with code of its
own: a question that it would have to refuse is remembered with the reason.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.loopback import Answer, Call, FakeServer

SECRET = "hook-0123456789abcdef"
TOKEN = "prom-0123456789abcdef"
FRESH = timedelta(minutes=5)


class FakePrometheus(FakeServer):
    """Answers every query with ``content``, once the token is right."""

    def __init__(self, *, token: str | None = None) -> None:
        super().__init__()
        self.token = token
        self.reply: Answer = vector("0.12")

    def answer(self, call: Call) -> Answer:
        """Answer a query."""
        if call.path != "/api/v1/query":
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        if self.token is not None and call.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, b"Unauthorized\n", {"Content-Type": "text/plain"})
        return self.reply


def success(kind: str, result: object, **more: object) -> Answer:
    """What the query API answers where a query could be evaluated."""
    return Answer.json({"status": "success", "data": {"resultType": kind, "result": result}, **more})


def vector(*numbers: str, **more: object) -> Answer:
    """An instant vector with a series for each number."""
    rows = [{"metric": {"n": str(place)}, "value": [1772452800.0, text]} for place, text in enumerate(numbers)]
    return success("vector", rows, **more)


def scalar(number: str) -> Answer:
    """A scalar."""
    return success("scalar", [1772452800.0, number])


def error(status: int, kind: str, words: str) -> Answer:
    """What the query API answers where a query could not be evaluated."""
    return Answer.json({"status": "error", "errorType": kind, "error": words}, status)


class FakeWebhook(FakeServer):
    """Takes signed, fresh questions that it has not seen, and answers ``reply``."""

    def __init__(self, now: datetime, *, secret: str = SECRET) -> None:
        super().__init__()
        self.now = now
        self.secret = secret
        self.reply: Answer = Answer.json({"pass": True})
        self.questions: list[dict[str, Any]] = []
        """The bodies of those that were taken."""
        self.refusals: list[str] = []
        self._deliveries: set[str] = set()

    def answer(self, call: Call) -> Answer:
        """Take a question, or refuse it as the documentation says."""
        refusal = self._refusal(call)
        if refusal:
            self.refusals.append(refusal)
            return Answer.json({"error": refusal}, 403)
        self.questions.append(json.loads(call.body))
        return self.reply

    def _refusal(self, call: Call) -> str:
        expected = "sha256=" + hmac.new(self.secret.encode(), call.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, call.headers.get("x-wavefleet-signature", "")):
            return "wrong signature"
        question = json.loads(call.body)
        if abs(datetime.fromisoformat(question["at"]) - self.now) > FRESH:
            return "stale"
        if question["delivery"] != call.headers.get("x-wavefleet-delivery"):
            return "another delivery id in the header than in the body"
        if question["delivery"] in self._deliveries:
            return "seen before"
        self._deliveries.add(question["delivery"])
        return ""
