"""The Prometheus gate: one finite number within its bounds passes; all else holds with a sentence of its own.

The answers here are those of the HTTP API as documented; that a real Prometheus gives them is seen in
``test_real_prometheus``.
"""

from collections.abc import Iterator

import pytest

from controller.external.prometheus import UNSET, Prometheus
from controller.external.words import unanswered
from controller.model.observation import GateReading
from tests.external.builders import PATIENT_SECONDS, a_query, no, yes
from tests.fakes.gate_servers import TOKEN, FakePrometheus, error, scalar, success, vector
from tests.fakes.loopback import Answer

HISTOGRAM = {"metric": {}, "histogram": [1772452800.0, {"count": "3", "sum": "1.5", "buckets": []}]}
LONG = "x" * 10_000


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    """A Prometheus that answers 0.12."""
    with FakePrometheus() as running:
        yield running


def asked(server: FakePrometheus, *, below: float | None = 0.25, above: float | None = None) -> GateReading:
    """What the gate reads from ``server``."""
    prometheus = Prometheus(server.origin, None, limit_seconds=PATIENT_SECONDS)
    return prometheus.ask(a_query(below=below, above=above))


@pytest.mark.parametrize(
    ("number", "bounds", "reading"),
    [
        ("0.12", (None, 0.25), yes("Prometheus answered 0.12, which is below 0.25")),
        ("0.25", (None, 0.25), no("Prometheus answered 0.25, expected below 0.25")),
        ("0.2500000000000001", (None, 0.25), no("Prometheus answered 0.2500000000000001, expected below 0.25")),
        ("3", (2.0, None), yes("Prometheus answered 3, which is above 2")),
        ("2", (2.0, None), no("Prometheus answered 2, expected above 2")),
        ("1", (0.0, 3.0), yes("Prometheus answered 1, which is above 0 and below 3")),
        ("0", (0.0, 3.0), no("Prometheus answered 0, expected above 0 and below 3")),
        ("3", (0.0, 3.0), no("Prometheus answered 3, expected above 0 and below 3")),
        ("-1e-05", (None, 0.0), yes("Prometheus answered -1e-05, which is below 0")),
    ],
)
def test_a_number_passes_strictly_within_its_bounds(
    server: FakePrometheus, number: str, bounds: tuple[float | None, float | None], reading: GateReading
) -> None:
    """
    A bound itself is outside, and the number stands in the sentence with every digit, beside its bounds.
    """
    above, below = bounds
    for reply in (vector(number), scalar(number)):
        server.reply = reply

        assert reading == asked(server, below=below, above=above)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (vector(), "Prometheus found no series for the query, expected one; see that the metric is scraped"),
        (vector("0.1", "0.1"), "Prometheus answered with 2 series, expected one; aggregate them in the query"),
        (vector("NaN"), "Prometheus answered NaN, expected a finite number; it comes of 0/0"),
        (scalar("NaN"), "Prometheus answered NaN, expected a finite number; it comes of 0/0"),
        (vector("+Inf"), "Prometheus answered +Inf, expected a finite number; it comes of a division by 0"),
        (vector("-Inf"), "Prometheus answered -Inf, expected a finite number; it comes of a division by 0"),
        (scalar("much"), "Prometheus answered 'much', expected a number; look at Prometheus itself"),
        (
            success("string", [1.0, "0.1"]),
            "Prometheus answered with a string, expected a number; mend the gate's query",
        ),
        (success("matrix", []), "Prometheus answered with a range of values, expected one number; aggregate it"),
        (success("vector", [HISTOGRAM]), "Prometheus answered with a histogram, expected one number; take one out of"),
        (success("vector", [{"value": 0.1}]), "Prometheus answered with JSON of another form, expected that of its"),
        (success("vector", [{"value": [1.0, 0.1]}]), "Prometheus answered with JSON of another form, expected that of"),
        (
            success("vector", {"0": "1"}),
            "Prometheus answered with JSON of another form, expected that of its query API",
        ),
        (Answer.json({"status": "success"}), "Prometheus answered with JSON of another form, expected that of its"),
    ],
)
def test_what_is_no_single_finite_number_is_unanswered(server: FakePrometheus, reply: Answer, sentence: str) -> None:
    """
    Safety: nothing of it passes, whatever the bounds, and each form says what to do about it.
    """
    server.reply = reply

    for below, above in ((0.25, None), (None, -1.0)):
        reading = asked(server, below=below, above=above)
        assert reading.passed is None
        assert reading.detail.startswith(sentence)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            error(400, "bad_data", '1:4: parse error:\nunexpected "}"'),
            'Prometheus refused the query (400 bad_data: 1:4: parse error: unexpected "}"); mend the gate\'s query',
        ),
        (
            error(422, "execution", "many-to-many matching not allowed"),
            "Prometheus refused the query (422 execution: many-to-many matching not allowed); mend the gate's query",
        ),
        (
            error(503, "timeout", "query timed out in expression evaluation"),
            (
                "Prometheus refused the query (503 timeout: query timed out in expression evaluation); "
                "make the query cheaper, or record it as a rule"
            ),
        ),
        (
            error(500, "internal", "the disk is gone"),
            "Prometheus refused the query (500 internal: the disk is gone); look at Prometheus itself",
        ),
        (
            error(200, "bad_data", "no"),
            "Prometheus refused the query (200 bad_data: no); mend the gate's query",
        ),
        (
            Answer.json({"status": "success"}, 202),
            "Prometheus answered 202 Accepted, expected 200 with an answer; look at Prometheus itself",
        ),
        (
            Answer.json({"fine": True}),
            "Prometheus answered 200 OK, expected 200 with an answer; look at Prometheus itself",
        ),
        (
            Answer(502, b"<html>no backend</html>"),
            (
                "Prometheus answered 502 Bad Gateway with a body that is no JSON, expected JSON of its query API; "
                "see that WAVEFLEET_PROMETHEUS_URL leads to Prometheus, and not to a page before it"
            ),
        ),
        (Answer(200, b""), "Prometheus answered 200 OK with an empty body, expected JSON of its query API; see that"),
        (Answer(200, b"[1]"), "Prometheus answered 200 OK with JSON that is no object, expected JSON of its query API"),
        (
            Answer(401, b"no"),
            "Prometheus answered 401 Unauthorized, expected an answer; set WAVEFLEET_PROMETHEUS_TOKEN",
        ),
        (Answer(403, b"no"), "Prometheus answered 403 Forbidden, expected an answer; set WAVEFLEET_PROMETHEUS_TOKEN"),
        (
            Answer(405, b"no"),
            (
                "Prometheus answered 405 Method Not Allowed, expected its query API at /api/v1/query below "
                "WAVEFLEET_PROMETHEUS_URL; see that the URL has the right path"
            ),
        ),
        (
            Answer(302, b"", {"Location": "http://elsewhere.example/?key=abc"}),
            (
                "Prometheus answered 302 Found, and redirects are not followed; expected the query API, so set "
                "WAVEFLEET_PROMETHEUS_URL to the address at which it answers itself"
            ),
        ),
        (
            Answer(200, b'{"status":"success","status":"error"}'),
            "Prometheus answered 200 OK with JSON with the key 'status' given twice, expected JSON of its query API",
        ),
        (Answer(299, b"{}"), "Prometheus answered 299, expected 200 with an answer; look at Prometheus itself"),
    ],
)
def test_each_refusal_has_a_sentence_of_its_own(server: FakePrometheus, reply: Answer, sentence: str) -> None:
    """
    With the status, Prometheus's own words in one line, and what to do.
    """
    server.reply = reply

    reading = asked(server)

    assert reading.passed is None
    assert reading.detail.startswith(sentence)


def test_an_answer_with_warnings_is_no_whole_answer(server: FakePrometheus) -> None:
    """
    Safety: where a part of the stores could not be asked, a number within bounds proves nothing. Infos are harmless.
    """
    server.reply = vector("0.12", warnings=["No StoreAPIs matched", "eu-2 timed out"])
    reading = asked(server)

    expected = "Prometheus warned that its answer may be incomplete, expected a whole one: No StoreAPIs matched; eu-2"
    assert reading.passed is None
    assert reading.detail.startswith(expected)
    server.reply = vector("0.12", infos=["metric might not be a counter"], warnings=[])
    assert asked(server).passed


def test_a_gate_without_a_bound_never_passes(server: FakePrometheus) -> None:
    """
    Safety: nothing to lie within is no reason to go on, and Prometheus is not even asked.
    """
    reading = asked(server, below=None, above=None)

    assert unanswered("the gate has no bound, expected below, above or both; declare one") == reading
    assert [] == server.calls


def test_without_a_prometheus_every_gate_says_what_to_set() -> None:
    """
    Unset is not passed.
    """
    prometheus = Prometheus(None, None, limit_seconds=PATIENT_SECONDS)

    assert unanswered(UNSET) == prometheus.ask(a_query())
    assert unanswered(UNSET) == prometheus.check()
    assert "WAVEFLEET_PROMETHEUS_URL" in UNSET


def test_the_query_and_its_limit_are_sent_as_a_form(server: FakePrometheus) -> None:
    """
    A long query with every kind of letter arrives whole, and its own limit lies below ours.
    """
    query = f'sum(rate(x{{job="kafka&λ+="}}[5m])) > bool 0 # {LONG[:4900]}'
    Prometheus(server.origin, None, limit_seconds=10).ask(a_query(query))

    call = server.calls[0]
    assert ("POST", "/api/v1/query") == (call.verb, call.path)
    assert {"query": query, "timeout": "8000ms"} == call.fields()
    assert "authorization" not in call.headers


def test_the_token_goes_along_and_is_in_no_sentence(server: FakePrometheus) -> None:
    """
    A Prometheus behind a login is asked with the bearer token.
    """
    server.token = TOKEN
    right = Prometheus(server.origin, TOKEN, limit_seconds=PATIENT_SECONDS)
    wrong = Prometheus(server.origin, TOKEN[::-1], limit_seconds=PATIENT_SECONDS)

    assert right.ask(a_query()).passed
    assert yes(f"{server.origin}, answers queries") == right.check()
    assert wrong.check().passed is None
    assert TOKEN[::-1] not in wrong.ask(a_query()).detail


def test_long_words_of_prometheus_are_cut(server: FakePrometheus) -> None:
    """
    A sentence stays one that fits into a message, and shows no control characters.
    """
    server.reply = error(400, "bad_data", "\x1b[31m" + LONG)

    detail = asked(server).detail

    assert len(detail) < 500
    assert detail.isprintable()
