"""The Prometheus gate against a real Prometheus: what it answers, and what it does on a bad day."""

from collections.abc import Iterator

import pytest

from controller.external.prometheus import Prometheus
from controller.external.words import unanswered
from controller.model.observation import GateReading
from tests.external.builders import HASTY_SECONDS, PATIENT_SECONDS, a_query, no, yes
from tests.real import prometheus as real

pytestmark = pytest.mark.system
QUERY_LIMIT_SECONDS = 3.0
COSTLY = " + ".join(["count_over_time(vector(1)[300s:1ms])"] * 2000)
"""Takes more than a minute on any machine, in small steps between which Prometheus looks at its limit."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Prometheus]:
    """One Prometheus for this file, with samples."""
    with real.Prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def asked(server: real.Prometheus, query: str, *, seconds: float = PATIENT_SECONDS) -> GateReading:
    """What a gate with this query reads."""
    return Prometheus(server.url, None, limit_seconds=seconds).ask(a_query(query))


@pytest.mark.parametrize(
    ("query", "reading"),
    [
        ("produce:latency:p99", yes("Prometheus answered 0.12, which is below 0.25")),
        ("scalar(produce:latency:p99)", yes("Prometheus answered 0.12, which is below 0.25")),
        ("max(brokers:up)", no("Prometheus answered 5, expected below 0.25")),
        ("nothing:like:this or vector(0)", yes("Prometheus answered 0, which is below 0.25")),
        ("nothing:like:this", unanswered("Prometheus found no series for the query, expected one")),
        ("brokers:up", unanswered("Prometheus answered with 2 series, expected one")),
        ("0/0", unanswered("Prometheus answered NaN, expected a finite number")),
        ("produce:errors:ratio", unanswered("Prometheus answered NaN, expected a finite number")),
        ("1/0", unanswered("Prometheus answered +Inf, expected a finite number")),
        ("-vector(1)/0", unanswered("Prometheus answered -Inf, expected a finite number")),
        ('"0.1"', unanswered("Prometheus answered with a string, expected a number")),
        ("up[5m]", unanswered("Prometheus answered with a range of values, expected one number")),
        (
            "up{",
            unanswered('Prometheus refused the query (400 bad_data: invalid parameter "query": 1:4: parse error: '),
        ),
        (
            "up * on() group_left() brokers:up",
            unanswered("Prometheus refused the query (422 execution: found duplicate series for the match group"),
        ),
    ],
)
def test_each_kind_of_answer_is_read(server: real.Prometheus, query: str, reading: GateReading) -> None:
    """
    Samples, no data, several series, no finite number, no number at all, and queries that are wrong.
    """
    found = asked(server, query)

    assert reading.passed is found.passed
    assert found.detail.startswith(reading.detail)


def test_a_query_that_takes_too_long_is_given_up_by_prometheus_itself(server: real.Prometheus) -> None:
    """
    It is told our limit, so that it does not go on with what nobody waits for, and says so in time.
    """
    detail = asked(server, COSTLY, seconds=QUERY_LIMIT_SECONDS).detail

    assert detail.startswith("Prometheus refused the query (503 timeout: query timed out in ")
    assert detail.endswith("; make the query cheaper, or record it as a rule")


def test_a_prometheus_that_is_stopped_runs_into_the_limit(server: real.Prometheus) -> None:
    """
    A process that hangs keeps its port open; once it goes on, the gate is answered as before.
    """
    server.freeze()
    try:
        detail = asked(server, "produce:latency:p99", seconds=HASTY_SECONDS).detail
    finally:
        server.thaw()

    assert f"Prometheus at 127.0.0.1:{server.port} did not answer within 0.5 s" == detail
    server.await_series("produce:latency:p99")
    assert asked(server, "produce:latency:p99").passed


def test_a_url_with_a_wrong_path_is_told_by_its_404(server: real.Prometheus) -> None:
    """
    The check of the right one says that it answers queries.
    """
    right = Prometheus(server.url, None, limit_seconds=PATIENT_SECONDS)
    wrong = Prometheus(f"{server.url}/prometheus", None, limit_seconds=PATIENT_SECONDS)

    assert yes(f"{server.url}, answers queries") == right.check()
    assert wrong.check().detail.startswith("Prometheus answered 404 Not Found, expected its query API at /api/v1/query")
