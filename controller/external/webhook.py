"""The webhook gate: another system is asked by a signed POST, and only ``{"pass": true}`` means yes.

The body says what is asked and when, and its HMAC-SHA256 stands in a header, so that the other side can tell our
question from anybody's; what was sent long ago shows by its time, and what was sent twice by its delivery id, which is
signed too. Without a secret nothing is sent: an unsigned question would teach the other side to answer those. Its URL
is written by whoever may merge to the fleet repository, so nothing of an answer is shown but its status and its reason.
"""

import hashlib
import hmac
import json
import uuid
from typing import Final
from urllib.parse import urlsplit

from controller.external.answers import NotJson, json_object
from controller.external.exchange import NoReply, Post, Reply, exchange
from controller.external.words import host_of, shown, status_words, unanswered
from controller.model.declaration import WebhookGate
from controller.model.observation import GateReading
from controller.ports import GateQuestion

SIGNATURE_HEADER: Final = "X-Wavefleet-Signature"
DELIVERY_HEADER: Final = "X-Wavefleet-Delivery"
UNSIGNED = (
    "webhooks are asked only by signed questions, and there is no secret to sign with; "
    "set WAVEFLEET_WEBHOOK_SECRET, and give the same secret to the other side"
)

_OK = range(200, 300)
_EXPECTED = 'expected 200 with {"pass": true} or {"pass": false, "reason": "…"}'


class Webhooks:
    """Asks webhooks, with one secret for all of them."""

    def __init__(self, secret: str | None, *, limit_seconds: float) -> None:
        self._secret = secret
        self._limit_seconds = limit_seconds

    def ask(self, gate: WebhookGate, question: GateQuestion) -> GateReading:
        """Return what the other side answers."""
        if self._secret is None:
            return unanswered(UNSIGNED)
        if not _is_usable(gate.url):
            return unanswered(
                "the gate's URL cannot be used, expected https://HOST/PATH without user and password; mend it"
            )
        delivery = str(uuid.uuid4())
        body = _body(gate, question, delivery)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature(self._secret, body),
            DELIVERY_HEADER: delivery,
        }
        who = f"the webhook at {host_of(gate.url)}"
        reply = exchange(Post(gate.url, body, headers, self._limit_seconds))
        if isinstance(reply, NoReply):
            return unanswered(f"{who} {reply.why}")
        return _read(who, reply)

    def check(self) -> GateReading:
        """Tell whether questions can be signed; asks nobody, since a question might be taken for a start."""
        if self._secret is None:
            return unanswered(UNSIGNED)
        return GateReading(passed=True, detail="questions are signed; no webhook was asked")


def signature(secret: str, body: bytes) -> str:
    """Return what ``X-Wavefleet-Signature`` says of ``body``: ``sha256=`` and the HMAC in hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _body(gate: WebhookGate, question: GateQuestion, delivery: str) -> bytes:
    fields = {
        "fleet": question.fleet,
        "group": question.group,
        "gate": gate.name,
        "target": str(question.target),
        "kind": question.kind.value,
        "at": question.at.isoformat(),
        "delivery": delivery,
    }
    return json.dumps(fields).encode()


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _read(who: str, reply: Reply) -> GateReading:
    begin = f"{who} answered {status_words(reply.status)}"
    if reply.is_redirect:
        where = host_of(reply.location)
        there = f" to {where}" if where else ""
        return unanswered(
            f"{begin}, a redirect{there} that is not followed; expected an answer, so declare the URL that answers"
        )
    if reply.status not in _OK:
        return unanswered(f"{begin}, {_EXPECTED}; look at that system")
    content = json_object(reply.body)
    if isinstance(content, NotJson):
        return unanswered(f"{begin} with {content.found}, {_EXPECTED}; look at that system")
    if "pass" not in content:
        return unanswered(f"{begin} with JSON without the field pass, {_EXPECTED}; look at that system")
    passed = content["pass"]
    if not isinstance(passed, bool):
        found = shown(json.dumps(passed))
        return unanswered(f"{begin} with {found} in the field pass, {_EXPECTED}; look at that system")
    reason = content.get("reason")
    told = f": {shown(reason)}" if isinstance(reason, str) and shown(reason) else ""
    return GateReading(passed=passed, detail=f"{who} said {'yes' if passed else 'no'}{told}")
