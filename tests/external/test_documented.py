"""What docs/gates.md tells the authors of webhooks works: its code takes our questions, and refuses any others."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.external.exchange import ANSWER_BYTES_MAX
from controller.external.webhook import DELIVERY_HEADER, SIGNATURE_HEADER, Webhooks
from controller.external.words import SHOWN_CHARACTERS_MAX
from controller.repository.defaults import GATE_SAMPLES
from controller.runtime.asking import AT_ONCE_MAX
from tests.builders import NOON
from tests.external.builders import PATIENT_SECONDS, a_question, a_webhook
from tests.fakes.gate_servers import SECRET, FakeWebhook

DOCUMENT = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")
Genuine = Callable[..., bool]


def documented(language: str) -> str:
    """The document's one block of a language."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    return str(block)


def is_genuine() -> Genuine:
    """The documented check, as its reader would have it."""
    names: dict[str, Any] = {}
    exec(compile(documented("python"), "docs/gates.md", "exec"), names)  # noqa: S102 - it is our own document
    checked: Genuine = names["is_genuine"]
    return checked


def test_the_documented_check_takes_our_questions_once_and_in_time() -> None:
    """
    A genuine one passes, its copy does not, nor one that is old, altered, or signed with another secret.
    """
    with FakeWebhook(NOON) as server:
        Webhooks(SECRET, limit_seconds=PATIENT_SECONDS).ask(a_webhook(server.origin), a_question())
    (call,) = server.calls
    headers = {name: call.headers[name.lower()] for name in (SIGNATURE_HEADER, DELIVERY_HEADER)}
    check, seen = is_genuine(), set[str]()

    assert not check("another", headers, call.body, NOON, seen)
    assert not check(SECRET, headers, call.body.replace(b"4.3.1", b"4.3.2"), NOON, seen)
    assert not check(SECRET, headers, call.body, NOON + timedelta(minutes=6), seen)
    assert check(SECRET, headers, call.body, NOON + timedelta(minutes=1), seen)
    assert not check(SECRET, headers, call.body, NOON + timedelta(minutes=1), seen)
    assert headers[DELIVERY_HEADER] in seen


def test_the_documented_question_has_the_fields_that_are_sent() -> None:
    """
    No more and no fewer.
    """
    with FakeWebhook(NOON) as server:
        Webhooks(SECRET, limit_seconds=PATIENT_SECONDS).ask(a_webhook(server.origin), a_question())

    assert set(server.questions[0]) == set(json.loads(documented("json")))


def test_the_documented_bounds_are_those_of_the_code() -> None:
    """
    Headers, sizes and counts.
    """
    for words in (
        f"`{SIGNATURE_HEADER}`",
        f"`{DELIVERY_HEADER}`",
        f"answers over {ANSWER_BYTES_MAX // 1024} KiB",
        f"at most {AT_ONCE_MAX} at a time",
        f"one line, {SHOWN_CHARACTERS_MAX} characters",
        f"consecutive cycles, {GATE_SAMPLES} by default",
    ):
        assert words in DOCUMENT, words
