"""The proxy that lets things go wrong: what it passes on, and what becomes of what was laid before it."""

import json
import threading
import time
from itertools import count
from typing import Any

import pytest
import requests
import yaml

from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ADMIN, ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
NAMES = count()


def ask(server: ApiServer, proxy: FaultProxy, target: str, **options: Any) -> requests.Response:  # noqa: ANN401 - of requests
    """What the proxy answers."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    return requests.get(f"{proxy.url}{target}", headers=headers, verify=str(server.certificate), timeout=10, **options)


def test_what_is_not_laid_for_is_passed_on_as_it_is(kubernetes: ApiServer, proxy: FaultProxy) -> None:
    """
    And counted; its kubeconfig file leads to it.
    """
    name = f"passed-{next(NAMES)}"
    kubernetes.call("POST", MAPS, {"metadata": {"name": name}, "data": {"text": "x" * 200_000}})

    assert kubernetes.call("GET", f"{MAPS}/{name}") == ask(kubernetes, proxy, f"{MAPS}/{name}").json()
    assert [f"{MAPS}/{name}"] == proxy.asked("GET", f"{name}$")
    assert [] == proxy.asked("POST", name)
    assert proxy.url == yaml.safe_load(proxy.kubeconfig().read_text())["clusters"][0]["cluster"]["server"]


def test_a_fault_is_for_so_many_requests_that_match_and_for_no_others(kubernetes: ApiServer, proxy: FaultProxy) -> None:
    """
    In the order in which they were laid.
    """
    proxy.refuse("GET", "/version", 500, times=2)
    proxy.refuse("GET", "/version", 429, {"Retry-After": "7"})

    assert ask(kubernetes, proxy, "/readyz").ok
    answers = [ask(kubernetes, proxy, "/version") for _ in range(4)]
    assert [500, 500, 429, 200] == [each.status_code for each in answers]
    assert ("7", "the proxy says so") == (answers[2].headers["Retry-After"], answers[2].json()["message"])


def test_the_events_of_a_watch_come_as_they_happen_until_it_is_cut(kubernetes: ApiServer, proxy: FaultProxy) -> None:
    """
    Each before the next one happens.
    """
    token = kubernetes.call("GET", MAPS)["metadata"]["resourceVersion"]
    watch = ask(kubernetes, proxy, f"{MAPS}?watch=true&resourceVersion={token}", stream=True)
    lines = watch.iter_lines(chunk_size=None)
    for _ in range(3):
        name = f"watched-{next(NAMES)}"
        kubernetes.call("POST", MAPS, {"metadata": {"name": name}})
        assert name == json.loads(next(lines))["object"]["metadata"]["name"]

    proxy.cut("watch=true")
    with pytest.raises(requests.RequestException):
        next(lines)
    watch.close()


def test_at_its_end_nothing_is_left(kubernetes: ApiServer) -> None:
    """
    Whoever waits for an answer then gets none, at once.
    """
    with FaultProxy(kubernetes) as proxy:
        proxy.stall("GET", "/version")
        ends: list[float] = []
        waiting = threading.Thread(target=lambda: ends.append(_ask_in_vain(kubernetes, proxy)))
        waiting.start()
        proxy.await_asked("GET", "/version")
    waiting.join(10)

    assert 1 == len(ends)
    assert ends[0] < 10
    assert [] == [each for each in threading.enumerate() if each.name == "fault-proxy"]


def _ask_in_vain(server: ApiServer, proxy: FaultProxy) -> float:
    """How long it took to hear nothing."""
    began = time.monotonic()
    with pytest.raises(requests.RequestException):
        ask(server, proxy, "/version")
    return time.monotonic() - began
