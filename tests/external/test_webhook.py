"""The webhook gate: a signed, fresh question, and only ``{"pass": true}`` means yes.

The other side is a server that checks signature, time and delivery id with code of its own.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from controller.external.webhook import UNSIGNED, Webhooks, signature
from controller.external.words import unanswered
from controller.history.records import RolloutKind
from controller.model.observation import GateReading
from controller.ports import GateQuestion
from controller.versions import MetadataVersion
from tests.builders import NOON
from tests.external.builders import PATIENT_SECONDS, a_question, a_webhook, no, yes
from tests.fakes.gate_servers import SECRET, FakePrometheus, FakeWebhook
from tests.fakes.loopback import Answer

EXPECTED = 'expected 200 with {"pass": true} or {"pass": false, "reason": "…"}; look at that system'


@pytest.fixture
def server() -> Iterator[FakeWebhook]:
    """Another system that says yes."""
    with FakeWebhook(NOON) as running:
        yield running


def asked(server: FakeWebhook, path: str = "/changes", *, secret: str = SECRET) -> GateReading:
    """What the gate reads from ``server``."""
    return Webhooks(secret, limit_seconds=PATIENT_SECONDS).ask(a_webhook(server.origin + path), a_question())


def who(server: FakeWebhook) -> str:
    """How sentences call ``server``."""
    return f"the webhook at {server.origin.removeprefix('http://')}"


def test_the_question_is_signed_and_says_what_it_is_about(server: FakeWebhook) -> None:
    """
    The other side can tell it from anybody else's, and knows fleet, group, gate, target, kind and time.
    """
    assert yes(f"{who(server)} said yes") == asked(server)

    question = server.questions[0]
    delivery = question.pop("delivery")
    assert [] == server.refusals
    assert {
        "fleet": "acme",
        "group": "prod",
        "gate": "change-calendar",
        "target": "4.3.1",
        "kind": "software",
        "at": "2026-03-02T12:00:00+00:00",
    } == question
    assert delivery == server.calls[0].headers["x-wavefleet-delivery"]
    assert "application/json" == server.calls[0].headers["content-type"]


def test_the_signature_is_the_documented_one() -> None:
    """
    HMAC-SHA256 over the body's bytes, in hexadecimal; a known pair, as RFC 4231 (test case 2) has it.
    """
    expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

    assert expected == signature("Jefe", b"what do ya want for nothing?")


def test_each_question_has_a_delivery_id_of_its_own(server: FakeWebhook) -> None:
    """
    So that a receiver can refuse what it has seen: the same question asked again is a new one.
    """
    for _ in range(3):
        assert asked(server).passed

    assert 3 == len({question["delivery"] for question in server.questions})


def test_a_question_that_is_sent_again_by_somebody_else_is_refused(server: FakeWebhook) -> None:
    """
    The same bytes and headers, recorded and sent again, are known by their id, and by their time once that is old.
    """
    asked(server)
    call = server.calls[0]

    assert 403 == server.answer(call).status
    server.now += timedelta(hours=1)
    assert 403 == server.answer(call).status
    assert ["seen before", "stale"] == server.refusals


def test_another_secret_is_refused_and_told(server: FakeWebhook) -> None:
    """
    A 403 is no answer; neither secret nor signature is in the sentence.
    """
    reading = asked(server, secret="some-other-secret")

    assert ["wrong signature"] == server.refusals
    assert unanswered(f"{who(server)} answered 403 Forbidden, {EXPECTED}") == reading


def test_without_a_secret_nothing_is_sent(server: FakeWebhook) -> None:
    """
    Safety: never unsigned.
    """
    webhooks = Webhooks(None, limit_seconds=PATIENT_SECONDS)

    assert unanswered(UNSIGNED) == webhooks.ask(a_webhook(server.origin), a_question())
    assert unanswered(UNSIGNED) == webhooks.check()
    assert [] == server.calls
    assert "WAVEFLEET_WEBHOOK_SECRET" in UNSIGNED
    assert Webhooks(SECRET, limit_seconds=PATIENT_SECONDS).check().passed


def test_a_finalization_is_asked_about_by_its_level(server: FakeWebhook) -> None:
    """
    What cannot be undone is told from a roll: kind and target say so.
    """
    question = GateQuestion("acme", "prod", MetadataVersion(30, "4.3-IV0"), RolloutKind.METADATA, NOON)
    Webhooks(SECRET, limit_seconds=PATIENT_SECONDS).ask(a_webhook(server.origin), question)

    assert ("metadata", "4.3-IV0") == (server.questions[0]["kind"], server.questions[0]["target"])


@pytest.mark.parametrize(
    ("content", "passed", "words"),
    [
        ({"pass": True, "ticket": 7}, "yes", ""),
        ({"pass": True, "reason": "change 7 is open"}, "yes", ": change 7 is open"),
        ({"pass": False}, "no", ""),
        ({"pass": False, "reason": "quarter's end\nuntil Friday"}, "no", ": quarter's end until Friday"),
        ({"pass": False, "reason": {"code": 7}}, "no", ""),
        ({"pass": False, "reason": " \n"}, "no", ""),
        ({"pass": False, "reason": "\x1b[31mred\u202e"}, "no", ": [31mred"),
        ({"pass": False, "reason": "x" * 5000}, "no", ": " + "x" * 299 + "…"),
    ],
)
def test_a_yes_or_no_is_taken_with_its_reason(
    server: FakeWebhook, content: dict[str, object], passed: str, words: str
) -> None:
    """
    Other fields are allowed; a reason is shown in one bounded line without control characters.
    """
    for status in (200, 201):
        server.reply = Answer.json(content, status)

        says = yes if passed == "yes" else no
        assert says(f"{who(server)} said {passed}{words}") == asked(server)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Answer.json({}), "answered 200 OK with JSON without the field pass"),
        (Answer.json({"passed": True}), "answered 200 OK with JSON without the field pass"),
        (Answer.json({"pass": "true"}), 'answered 200 OK with "true" in the field pass'),
        (Answer.json({"pass": 1}), "answered 200 OK with 1 in the field pass"),
        (Answer.json({"pass": None}), "answered 200 OK with null in the field pass"),
        (Answer.json([{"pass": True}]), "answered 200 OK with JSON that is no object"),
        (Answer(200, b'{"pass": false, "pass": true}'), "answered 200 OK with JSON with the key 'pass' given twice"),
        (Answer(200, b"ok"), "answered 200 OK with a body that is no JSON"),
        (Answer(200, b'{"pass": true'), "answered 200 OK with a body that is no JSON"),
        (Answer(200, b"[" * 100_000), "answered 200 OK with a body that is no JSON"),
        (Answer(200, b'"\xff"'), "answered 200 OK with a body that is no JSON"),
        (Answer(200, b""), "answered 200 OK with an empty body"),
        (Answer(204, b""), "answered 204 No Content with an empty body"),
        (Answer.json({"pass": True}, 500), "answered 500 Internal Server Error"),
        (Answer.json({"pass": True}, 404), "answered 404 Not Found"),
        (Answer.json({"pass": True}, 599), "answered 599"),
    ],
)
def test_anything_else_is_no_answer(server: FakeWebhook, reply: Answer, words: str) -> None:
    """
    Safety: what is nearly a yes is none, and a yes under a status of failure is none either.
    """
    server.reply = reply

    assert unanswered(f"{who(server)} {words}, {EXPECTED}") == asked(server)


def test_a_redirect_is_not_followed_not_even_to_a_yes(server: FakeWebhook) -> None:
    """
    Safety: whoever is pointed at gets neither the question nor its signature, and its answer counts for nothing.
    """
    with FakePrometheus() as elsewhere:
        elsewhere.reply = Answer.json({"pass": True})
        for status in (301, 302, 303, 307, 308):
            server.reply = Answer(status, b'{"pass": true}', {"Location": f"{elsewhere.origin}/yes?key=abc"})
            reading = asked(server)

            there = elsewhere.origin.removeprefix("http://")
            assert reading.passed is None
            assert f", a redirect to {there} that is not followed; expected an answer" in reading.detail
            assert "abc" not in reading.detail
        assert [] == elsewhere.calls
    server.reply = Answer(304, b"")
    assert f"{who(server)} answered 304 Not Modified, a redirect that is not followed" in asked(server).detail


@pytest.mark.parametrize(
    "url",
    ["ftp://hooks.example/", "hooks.example", "https://", "https://ana:pw@hooks.example/", "http://[::1/", "file:///"],
)
def test_a_url_that_cannot_be_used_is_told(url: str) -> None:
    """
    Another scheme, no host, or credentials in Git: asked is nobody, and the URL is not repeated.
    """
    reading = Webhooks(SECRET, limit_seconds=PATIENT_SECONDS).ask(a_webhook(url), a_question())

    expected = "the gate's URL cannot be used, expected https://HOST/PATH without user and password; mend it"
    assert unanswered(expected) == reading


def test_path_and_query_of_a_url_are_in_no_sentence(server: FakeWebhook) -> None:
    """
    Many systems put a key there; the question goes to the whole URL all the same.
    """
    server.reply = Answer(500, b"")
    reading = asked(server, "/hooks/T0SECRET?token=abc")

    assert ("/hooks/T0SECRET", {"token": "abc"}) == (server.calls[0].path, server.calls[0].query)
    assert "T0SECRET" not in reading.detail
    assert "abc" not in reading.detail


def test_what_another_system_says_beside_its_reason_is_not_shown(server: FakeWebhook) -> None:
    """
    Safety: whoever may merge chooses the URL, and must not be able to read internal pages by it.
    """
    server.reply = Answer(500, json.dumps({"secret": "internal"}).encode())

    assert "internal" not in asked(server).detail
