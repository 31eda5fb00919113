"""What becomes of a call to a real API server when something between both goes wrong."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count

import pytest
from kubernetes.client import ApiClient

from controller.kube import api as api_module
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.kube.faults import KubeError, Refused, Unanswered
from tests.kube.conftest import Client
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
NAMES = count()
LIMIT_SECONDS = 1.0
SOON_SECONDS = LIMIT_SECONDS + 2.0
"""Some time for the machine, in which other tests run too."""


@pytest.fixture
def kept(kubernetes: ApiServer) -> str:
    """Where a resource of the test's own lies."""
    name = f"kept-{next(NAMES)}"
    kubernetes.call("POST", MAPS, {"metadata": {"name": name}, "data": {"colour": "red"}})
    return f"{MAPS}/{name}"


def test_a_server_that_wants_to_be_asked_later_is_waited_for(proxy: FaultProxy, behind: Client, kept: str) -> None:
    """
    A reading comes again when it said, and is answered; one more request is all that costs.
    """
    proxy.refuse("GET", kept, 429, {"Retry-After": "1"})
    api, began = behind(), time.monotonic()

    assert "red" == json.loads(api.get(kept))["data"]["colour"]
    assert 1 <= time.monotonic() - began
    assert 2 == len(proxy.asked("GET", kept))


def test_a_server_that_wants_to_be_left_alone_for_longer_than_the_limit_is(
    proxy: FaultProxy, behind: Client, kept: str
) -> None:
    """
    It is told at once, and whatever is asked meanwhile, reading or writing, is not even sent.
    """
    proxy.refuse("GET", kept, 503, {"Retry-After": "3"})
    api, began = behind(LIMIT_SECONDS), time.monotonic()

    for ask in (partial(api.get, kept), partial(api.get, MAPS), partial(api.patch, kept, {}), partial(_watch, api)):
        with pytest.raises(Refused, match="context fleet answered 503: the proxy says so") as refused:
            ask()
        assert refused.value.is_temporary
        assert time.monotonic() - began < LIMIT_SECONDS
    assert 1 == len(proxy.asked("GET", MAPS))
    assert [] == proxy.asked("PATCH", "")

    _await_answer(partial(api.get, kept))
    assert 3 <= time.monotonic() - began


def test_a_client_that_is_closed_leaves_a_server_alone_that_wants_to_be(
    proxy: FaultProxy, behind: Client, kept: str
) -> None:
    """
    Whoever waits then, or comes after, is told at once, and nothing is sent; nobody hammers it until a time limit.
    """
    proxy.refuse("GET", kept, 429, {"Retry-After": "30"}, times=1000)
    api, began = behind(60.0), time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.get, kept)
        _await_asked(proxy, kept)
        api.close()
        for ask in (waiting.result, partial(api.get, kept)):
            with pytest.raises(Refused, match="context fleet answered 429: the proxy says so"):
                ask()

    assert 1 == len(proxy.asked("GET", kept))
    assert time.monotonic() - began < 15


def test_a_server_that_wants_to_be_left_alone_for_a_day_is_asked_again_after_a_minute(
    proxy: FaultProxy, behind: Client, kept: str
) -> None:
    """
    One answer is not to blind us for as long as that.
    """
    proxy.refuse("GET", kept, 429, {"Retry-After": "9" * 400})
    api = behind(LIMIT_SECONDS)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            api.get(kept)
    assert refused.value.retry_after_seconds is not None
    assert refused.value.retry_after_seconds <= 60


@pytest.mark.parametrize(("status", "is_in_doubt"), [(429, False), (401, False), (500, True), (503, True), (504, True)])
def test_a_write_is_never_sent_again(
    proxy: FaultProxy, behind: Client, kept: str, status: int, *, is_in_doubt: bool
) -> None:
    """
    But after a 401, which says that nothing was done; after a fault of the server's nobody knows whether it was.
    """
    proxy.refuse("PATCH", kept, status, {"Retry-After": "1"}, times=2)
    with pytest.raises(Refused, match=f"context fleet answered {status}: the proxy says so") as refused:
        behind().patch(kept, {"data": {"colour": "blue"}})

    assert is_in_doubt is refused.value.may_have_arrived
    assert (2 if status == 401 else 1) == len(proxy.asked("PATCH", kept))


@pytest.mark.parametrize(
    "fault", [FaultProxy.stall, FaultProxy.stall_within, FaultProxy.trickle, FaultProxy.stall_answer]
)
def test_an_answer_that_does_not_come_to_its_end_is_given_up_in_time(
    proxy: FaultProxy, behind: Client, kept: str, fault: Callable[[FaultProxy, str, str], None]
) -> None:
    """
    However it stalls: before its first byte, half way, or by one byte after the other; the next call is none the worse.
    """
    fault(proxy, "GET", kept)
    api, began = behind(LIMIT_SECONDS), time.monotonic()

    with pytest.raises(Unanswered, match=r"context fleet (did not answer in time|sent [0-9,]+ bytes and was not done)"):
        api.get(kept)
    assert time.monotonic() - began < SOON_SECONDS
    assert "red" == json.loads(api.get(kept))["data"]["colour"]


def test_a_refusal_whose_words_do_not_arrive_is_one_all_the_same(proxy: FaultProxy, behind: Client, kept: str) -> None:
    """
    Its status says enough.
    """
    proxy.replace_answer("GET", kept, b"HTTP/1.1 409 Conflict\r\nContent-Length: 100\r\n\r\nsomebody")

    with pytest.raises(Refused, match="context fleet answered 409: somebody") as refused:
        behind(LIMIT_SECONDS).get(kept)
    assert not refused.value.may_have_arrived


def test_an_answer_too_large_is_given_up(
    proxy: FaultProxy, behind: Client, kept: str, largest: Callable[[int], None]
) -> None:
    """
    What it is, nobody wants in memory; nor an event that has no end.
    """
    largest(100_000)
    api = behind()
    proxy.answer("GET", kept, 200, b"x" * 1_000_000)
    with pytest.raises(Unanswered, match=r"context fleet sent [0-9,]+ bytes and was not done"):
        api.get(kept)

    proxy.end_watch("watch=true", "x" * 1_000_000)
    with pytest.raises(Unanswered, match=r"context fleet sent a line without end"):
        _watch(api)


@pytest.fixture
def largest() -> Iterator[Callable[[int], None]]:
    """Sets how large an answer may be, and an event, for one test."""
    before = api_module.ANSWER_BYTES_MAX, api_module.LINE_BYTES_MAX

    def set_to(size: int) -> None:
        api_module.ANSWER_BYTES_MAX = api_module.LINE_BYTES_MAX = size

    yield set_to
    api_module.ANSWER_BYTES_MAX, api_module.LINE_BYTES_MAX = before


def test_a_watch_that_says_nothing_for_too_long_is_given_up(client: Client, kept: str) -> None:
    """
    However long it may last as long as it speaks.
    """
    api = client()
    name = kept.rpartition("/")[2]
    token = json.loads(api.get(kept))["metadata"]["resourceVersion"]
    query = {"watch": "true", "resourceVersion": token, "fieldSelector": f"metadata.name={name}"}
    began = time.monotonic()

    with (
        pytest.raises(Unanswered, match="context fleet did not answer in time"),
        closing(api.lines(MAPS, query, quiet_seconds=1.0)) as lines,
    ):
        list(lines)
    assert 1 <= time.monotonic() - began < 3


def test_a_redirection_is_not_followed(proxy: FaultProxy, behind: Client, kept: str) -> None:
    """
    Our token is for nobody else, and a page to log in is no answer.
    """
    proxy.answer("GET", kept, 302, b"log in", {"Location": f"{proxy.url}/login"})

    with pytest.raises(Refused, match="context fleet answered 302: log in"):
        behind().get(kept)
    assert [] == proxy.asked("GET", "/login")


@pytest.mark.parametrize("fault", [FaultProxy.drop_answer, partial(FaultProxy.replace_answer, content=b"no TLS" * 20)])
def test_a_write_whose_answer_is_lost_may_have_arrived(
    proxy: FaultProxy, behind: Client, kept: str, fault: Callable[[FaultProxy, str, str], None]
) -> None:
    """
    Safety: whether the connection is dropped or its encryption breaks; it did arrive, and is sent once.
    """
    fault(proxy, "PATCH", kept)
    api = behind()

    with pytest.raises(Unanswered, match="context fleet broke off") as lost:
        api.patch(kept, {"data": {"colour": "blue"}})
    assert lost.value.may_have_arrived
    assert "blue" == json.loads(api.get(kept))["data"]["colour"]
    assert 1 == len(proxy.asked("PATCH", kept))


def test_whoever_accepts_and_never_speaks_is_given_up_in_time(kubernetes: ApiServer) -> None:
    """
    A port that is open proves nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = _api_at(kubernetes, f"https://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unanswered, match="context fleet did not answer in time"):
            api.get("/version")
        assert time.monotonic() - began < SOON_SECONDS
        api.close()


def test_a_proxy_that_is_not_there_is_told_as_such(kubernetes: ApiServer) -> None:
    """
    Nothing has arrived then.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    api = _api_at(kubernetes, kubernetes.url, f", proxy-url: '{nobody}'")

    with pytest.raises(Unanswered, match="context fleet cannot be reached through its proxy") as away:
        api.patch(f"{MAPS}/x", {})
    assert not away.value.may_have_arrived
    api.close()


def test_connections_are_used_again_and_none_is_left_open(kubernetes: ApiServer, kept: str) -> None:
    """
    Whatever the answers were: read to their end, refused, or broken off by whoever reads a watch.
    """
    made = connect(Where("fleet", kubernetes.kubeconfig()))
    api = KubeApi(lambda: made, "context fleet", 10.0)
    pool = made.rest_client.pool_manager.connection_from_url(kubernetes.url)
    for _ in range(10):
        api.get(kept)
        with pytest.raises(Refused):
            api.get(f"{kept}-not")
    assert 1 == pool.num_connections

    lines = api.lines(MAPS, {"watch": "true", "timeoutSeconds": "30"}, quiet_seconds=30)
    next(lines)
    lines.close()
    threads = [threading.Thread(target=api.get, args=(MAPS,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.num_connections <= 6
    api.close()


def _api_at(server: ApiServer, url: str, more: str = "") -> KubeApi:
    """A client of whoever listens at ``url``."""
    file = server.folder / f"kubeconfig-{next(NAMES)}"
    file.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: fleet\n"
        f"clusters: [{{name: here, cluster: {{server: '{url}', certificate-authority: {server.certificate}{more}}}}}]\n"
        "users: [{name: admin, user: {token: admin-token}}]\n"
        "contexts: [{name: fleet, context: {cluster: here, user: admin}}]\n"
    )
    made: Callable[[], ApiClient] = partial(connect, Where("fleet", file))
    return KubeApi(made, "context fleet", LIMIT_SECONDS)


def _watch(api: KubeApi) -> bytes:
    with closing(api.lines(MAPS, {"watch": "true", "timeoutSeconds": "30"}, quiet_seconds=30)) as lines:
        return next(lines)


def _await_asked(proxy: FaultProxy, path: str) -> None:
    """Wait until it was asked for, and the answer is there."""
    deadline = time.monotonic() + 30
    while not proxy.asked("GET", path):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _await_answer(ask: Callable[[], bytes]) -> None:
    """Ask until there is an answer."""
    deadline = time.monotonic() + 30
    while True:
        try:
            ask()
        except KubeError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
