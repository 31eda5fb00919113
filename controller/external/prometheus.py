"""The Prometheus gate: one number, asked of Prometheus's HTTP API, between the bounds that the group declares.

A gate must not pass on half an answer, so only one finite number counts: a scalar, or an instant vector of exactly one
series. No data is not zero, several series are nobody's average, NaN compares with nothing, and an answer with warnings
is one that Prometheus itself (or Thanos, Mimir) calls incomplete. Source: prometheus.io/docs/prometheus/latest/
querying/api (instant queries; status, errorType and warnings), seen on a running 2.42. The query itself is told to give
up before our limit, so that one we have left behind does not go on costing. It judges no samples: that is the core's.
"""

import math
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from controller.external.answers import NotJson, json_object
from controller.external.exchange import NoReply, Post, Reply, exchange
from controller.external.words import host_of, shown, status_words, unanswered
from controller.model.declaration import PrometheusGate
from controller.model.observation import GateReading

WHO: Final = "Prometheus"
UNSET = (
    "no Prometheus is set, so nothing can be asked; set WAVEFLEET_PROMETHEUS_URL to the server that answers this query"
)
PROBE = "vector(1)"
"""A query that every Prometheus answers, with or without a series."""

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED = 200, 401, 403, 404, 405
_QUERY_SHARE = 0.8
"""Of our limit is the query's own, so that Prometheus can still tell us that it gave up."""
_LOOK = "look at Prometheus itself"
_ADVICE = {
    "bad_data": "mend the gate's query",
    "execution": "mend the gate's query",
    "timeout": "make the query cheaper, or record it as a rule",
    "canceled": "make the query cheaper, or record it as a rule",
}


@dataclass(frozen=True, slots=True)
class _NoNumber:
    why: str
    """The whole sentence."""


class Prometheus:
    """The server at ``url``, or none: then every gate stays unanswered and says what to set."""

    def __init__(self, url: str | None, token: str | None, *, limit_seconds: float) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._limit_seconds = limit_seconds

    def ask(self, gate: PrometheusGate) -> GateReading:
        """Return whether the answer to the gate's query lies within its bounds."""
        if gate.below is None and gate.above is None:
            return unanswered("the gate has no bound, expected below, above or both; declare one")
        number = self._number(gate.query)
        if isinstance(number, _NoNumber):
            return unanswered(number.why)
        return _within(number, gate)

    def check(self) -> GateReading:
        """Ask what every Prometheus can answer; passed where it does, with the token's rights."""
        number = self._number(PROBE)
        if isinstance(number, _NoNumber):
            return unanswered(number.why)
        return GateReading(passed=True, detail=f"{self._url}, answers queries")

    def _number(self, query: str) -> float | _NoNumber:
        if self._url is None:
            return _NoNumber(UNSET)
        query_limit = max(round(self._limit_seconds * _QUERY_SHARE * 1000), 1)
        fields = {"query": query, "timeout": f"{query_limit}ms"}
        post = Post(f"{self._url}/api/v1/query", urlencode(fields).encode(), self._headers, self._limit_seconds)
        reply = exchange(post)
        if isinstance(reply, NoReply):
            return _NoNumber(f"{WHO} at {host_of(self._url)} {reply.why}")
        return _read(reply)


def _read(reply: Reply) -> float | _NoNumber:
    refusal = _refusal(reply)
    if refusal:
        return _NoNumber(refusal)
    content = json_object(reply.body)
    if isinstance(content, NotJson):
        return _NoNumber(
            f"{WHO} answered {status_words(reply.status)} with {content.found}, expected JSON of its query API; "
            "see that WAVEFLEET_PROMETHEUS_URL leads to Prometheus, and not to a page before it"
        )
    if content.get("status") == "error":
        kind = shown(str(content.get("errorType")))
        words = shown(str(content.get("error")))
        return _NoNumber(f"{WHO} refused the query ({reply.status} {kind}: {words}); {_ADVICE.get(kind, _LOOK)}")
    if reply.status != _OK or content.get("status") != "success":
        return _NoNumber(f"{WHO} answered {status_words(reply.status)}, expected 200 with an answer; {_LOOK}")
    warnings = content.get("warnings")
    if warnings:
        told = shown("; ".join(str(each) for each in warnings) if isinstance(warnings, list) else str(warnings))
        return _NoNumber(f"{WHO} warned that its answer may be incomplete, expected a whole one: {told}")
    return _value(content.get("data"))


def _refusal(reply: Reply) -> str:
    """Return the sentence for an answer that comes from before the query API; empty for one that comes from it."""
    begin = f"{WHO} answered {status_words(reply.status)}"
    if reply.is_redirect:
        return (
            f"{begin}, and redirects are not followed; expected the query API, so set WAVEFLEET_PROMETHEUS_URL "
            "to the address at which it answers itself"
        )
    if reply.status in {_UNAUTHORIZED, _FORBIDDEN}:
        return f"{begin}, expected an answer; set WAVEFLEET_PROMETHEUS_TOKEN to a token that may query"
    if reply.status in {_NOT_FOUND, _NOT_ALLOWED}:
        return (
            f"{begin}, expected its query API at /api/v1/query below WAVEFLEET_PROMETHEUS_URL; "
            "see that the URL has the right path"
        )
    return ""


def _value(answer: Any) -> float | _NoNumber:  # noqa: ANN401 - JSON
    match answer:
        case {"resultType": "scalar", "result": [_, str(text)]} | {
            "resultType": "vector",
            "result": [{"value": [_, str(text)]}],
        }:
            return _finite(text)
    return _NoNumber(f"{WHO} {_instead(answer)}")


def _instead(answer: Any) -> str:  # noqa: ANN401 - JSON
    """Say what an answer holds in place of one number."""
    match answer:
        case {"resultType": "vector", "result": []}:
            return (
                "found no series for the query, expected one; see that the metric is scraped and its labels match, "
                "and say in the query what no data means, with `or vector(0)` for example"
            )
        case {"resultType": "vector", "result": [{"histogram": _}]}:
            return (
                "answered with a histogram, expected one number; take one out of it, "
                "with histogram_quantile() for example"
            )
        case {"resultType": "vector", "result": [_, _, *_] as rows}:
            return (
                f"answered with {len(rows)} series, expected one; aggregate them in the query, with max() for example"
            )
        case {"resultType": "matrix"}:
            return (
                "answered with a range of values, expected one number; aggregate it in the query, "
                "with max_over_time() for example"
            )
        case {"resultType": "string"}:
            return "answered with a string, expected a number; mend the gate's query"
    return f"answered with JSON of another form, expected that of its query API; {_LOOK}"


def _finite(text: str) -> float | _NoNumber:
    try:
        number = float(text)
    except ValueError:
        return _NoNumber(f"{WHO} answered {shown(text)!r}, expected a number; {_LOOK}")
    if math.isnan(number):
        return _NoNumber(
            f"{WHO} answered NaN, expected a finite number; it comes of 0/0 or of no observations, "
            "so say in the query what no traffic means"
        )
    if math.isinf(number):
        return _NoNumber(
            f"{WHO} answered {shown(text)}, expected a finite number; it comes of a division by 0 or of the last "
            "bucket of a histogram, so mend the gate's query"
        )
    return number


def _within(number: float, gate: PrometheusGate) -> GateReading:
    bounds = [("above", gate.above), ("below", gate.below)]
    words = " and ".join(f"{word} {_plain(bound)}" for word, bound in bounds if bound is not None)
    answered = f"{WHO} answered {_plain(number)}"
    if (gate.above is None or number > gate.above) and (gate.below is None or number < gate.below):
        return GateReading(passed=True, detail=f"{answered}, which is {words}")
    return GateReading(passed=False, detail=f"{answered}, expected {words}")


def _plain(number: float) -> str:
    """Write a number with all its digits, so that one a hair beyond a bound never reads as the bound itself."""
    return repr(number).removesuffix(".0")
