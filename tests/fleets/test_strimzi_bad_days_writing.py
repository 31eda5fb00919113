"""Writes to a real API server on bad days: what is refused, what is in doubt, and that nothing is written twice."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from controller.errors import ApplyInDoubt, ApplyRefused
from controller.fleets.strimzi.listing import Listing, Scope
from controller.fleets.strimzi.reading import Reader
from controller.fleets.strimzi.source import StrimziSource
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.model.observation import Reading
from controller.model.plan import Start
from tests.builders import LEVEL_41, NEW, NOON, OLD, a_start, release
from tests.builders_core import catalog
from tests.contracts.strimzi_world import StrimziWorld
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer

NAMESPACES = count()
LIMIT_SECONDS = 1.5
ASKED, TRIED, WRITTEN = r"kafkas/a-1$", r"kafkas/a-1\?.*dryRun=All", r"kafkas/a-1\?fieldManager=wavefleet$"
GAVE_UP = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"

Fault = Callable[[FaultProxy, str, str], None]


class Desk:
    """Two clusters at rest on ``OLD``, and a source that comes to them through a proxy."""

    def __init__(self, server: ApiServer, proxy: FaultProxy) -> None:
        self.world = StrimziWorld(server, f"writing-{next(NAMESPACES)}")
        self.proxy = proxy
        self.source = self.opened()
        reading = self.reading()
        self.before = reading.token
        self.start: Start = a_start(self.world.clusters[0], token=reading.token)

    def opened(self) -> StrimziSource:
        """The source as a process opens it."""
        connecting = partial(connect, Where("fleet", self.proxy.kubeconfig()))
        api = KubeApi(connecting, "context fleet", LIMIT_SECONDS)
        listing = Listing(api, Scope(namespace=self.world.namespace))
        return StrimziSource("eu", api, [listing], Reader(catalog().metadata_versions), ["*"])

    def reading(self) -> Reading:
        """What the first cluster shows, straight from the server."""
        cluster = self.world.clusters[0]
        found = self.world.source.read(frozenset({cluster}), NOON).clusters[cluster].reading
        assert isinstance(found, Reading), found
        return found

    @property
    def path(self) -> str:
        """Where the resource of the first cluster lies."""
        return f"/apis/kafka.strimzi.io/v1/namespaces/{self.world.namespace}/kafkas/a-1"

    def writes(self) -> int:
        """How often the write itself was sent."""
        return len(self.proxy.asked("PATCH", WRITTEN))

    def close(self) -> None:
        """Let every source go."""
        self.source.close()
        self.world.close()


@pytest.fixture
def desk(kubernetes: ApiServer) -> Iterator[Desk]:
    """A cluster is about to be written to."""
    with FaultProxy(kubernetes) as proxy:
        made = Desk(kubernetes, proxy)
        yield made
        made.close()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (partial(FaultProxy.refuse, status=409), "answered 409: the proxy says so"),
        (partial(FaultProxy.refuse, status=403), "answered 403: the proxy says so"),
        (partial(FaultProxy.refuse, status=404), "answered 404: the proxy says so"),
        (partial(FaultProxy.refuse, status=422), "answered 422: the proxy says so"),
        (partial(FaultProxy.refuse, status=429, headers={"Retry-After": "1"}), "answered 429: the proxy says so"),
        (partial(FaultProxy.refuse, status=401, times=2), "answered 401: the proxy says so; renew the token"),
        (partial(FaultProxy.answer, status=302, body=b"log in"), "answered 302: log in"),
    ],
    ids=["409", "403", "404", "422", "429", "401", "302"],
)
def test_a_write_that_is_refused_began_nothing(desk: Desk, fault: Fault, why: str) -> None:
    """
    It is told in the server's words, and the cluster is as before; the same start goes through another time.
    """
    fault(desk.proxy, "PATCH", WRITTEN)
    with pytest.raises(ApplyRefused, match=f"a-1: context fleet {why}"):
        desk.source.start(desk.start, NOON)
    assert desk.before == desk.reading().token

    desk.source.start(desk.start, NOON)
    assert release(NEW) == desk.reading().wanted


@pytest.mark.parametrize(
    "fault",
    [FaultProxy.stall_answer, FaultProxy.drop_answer, partial(FaultProxy.replace_answer, content=GAVE_UP)],
    ids=["stalls", "dropped", "504"],
)
def test_a_write_that_was_taken_unheard_is_in_doubt_and_not_written_again(desk: Desk, fault: Fault) -> None:
    """
    Safety: in time, and whichever process asks the same later sees that it was taken, and leaves it as it is.
    """
    fault(desk.proxy, "PATCH", WRITTEN)
    began = time.monotonic()
    with pytest.raises(ApplyInDoubt, match="a-1: context fleet"):
        desk.source.start(desk.start, NOON)
    assert time.monotonic() - began < LIMIT_SECONDS + 2
    taken = desk.reading()
    assert (release(NEW), "acme") == (taken.wanted, taken.fleet)

    desk.source.start(desk.start, NOON)
    other = desk.opened()
    other.start(desk.start, NOON)
    other.close()
    assert taken.token == desk.reading().token
    assert 1 == desk.writes()


@pytest.mark.parametrize(
    "fault",
    [
        FaultProxy.stall,
        FaultProxy.hang_up,
        partial(FaultProxy.refuse, status=500),
        partial(FaultProxy.refuse, status=503),
        partial(FaultProxy.answer, status=200, body=b"log in first"),
        partial(FaultProxy.answer, status=200, body=b'{"kind": "\xff"}'),
    ],
    ids=["stalls", "hangs up", "500", "503", "no resource", "no text"],
)
def test_a_write_that_may_have_been_taken_is_in_doubt_and_written_where_it_was_not(desk: Desk, fault: Fault) -> None:
    """
    Nobody can tell from outside; by the next time the resource itself says.
    """
    fault(desk.proxy, "PATCH", WRITTEN)
    with pytest.raises(ApplyInDoubt, match="a-1: context fleet"):
        desk.source.start(desk.start, NOON)
    assert desk.before == desk.reading().token

    desk.source.start(desk.start, NOON)
    assert release(NEW) == desk.reading().wanted
    assert 2 == desk.writes()


def test_the_release_without_the_level_that_goes_with_it_is_not_what_was_asked_for(desk: Desk) -> None:
    """
    Safety: somebody else wrote it where we wrote before, so that the operator would raise the level with the roll.
    """
    pinned = replace(desk.start, pinned=LEVEL_41)
    kafka = {"version": NEW, "metadataVersion": None}
    mark = {"annotations": {"wavefleet.io/fleet": desk.start.fleet}}
    desk.world.server.patch(desk.path, {"metadata": mark, "spec": {"kafka": kafka}})

    with pytest.raises(ApplyRefused, match="a-1: its resource was changed since it was read; look again"):
        desk.source.start(pinned, NOON)
    assert 0 == desk.writes()

    desk.source.start(replace(pinned, token=desk.reading().token), NOON)
    desk.source.start(pinned, NOON)
    assert 1 == desk.writes()


FAULTS = [
    FaultProxy.stall,
    FaultProxy.stall_answer,
    FaultProxy.hang_up,
    FaultProxy.drop_answer,
    partial(FaultProxy.refuse, status=403),
    partial(FaultProxy.refuse, status=404),
    partial(FaultProxy.refuse, status=500),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("method", "pattern"), [("GET", ASKED), ("PATCH", TRIED)], ids=["asked", "tried"])
def test_whatever_goes_wrong_before_the_write_refuses_it(desk: Desk, fault: Fault, method: str, pattern: str) -> None:
    """
    Whether in looking at the resource or in trying the write on the server: then it is not even sent.
    """
    fault(desk.proxy, method, pattern)
    with pytest.raises(ApplyRefused, match="a-1: context fleet"):
        desk.source.start(desk.start, NOON)

    assert 0 == desk.writes()
    assert desk.before == desk.reading().token


def _edited(desk: Desk) -> None:
    desk.world.changed_by_others(desk.world.clusters[0], release("4.2.1"), NOON)


def _paused(desk: Desk) -> None:
    desk.world.server.patch(desk.path, {"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}})


def _deleted(desk: Desk) -> None:
    desk.world.server.call("DELETE", desk.path)


def _made_anew(desk: Desk) -> None:
    _deleted(desk)
    manifest = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "a-1"}}
    desk.world.server.call("POST", desk.path.removesuffix("/a-1"), {**manifest, "spec": {"kafka": {"version": OLD}}})


@pytest.mark.parametrize(
    ("act", "status"),
    [(_edited, 409), (_paused, 409), (_made_anew, 409), (_deleted, 404)],
    ids=["edited", "paused", "made anew", "deleted"],
)
def test_what_others_do_in_the_last_moment_before_the_write_refuses_it(
    desk: Desk, act: Callable[[Desk], None], status: int
) -> None:
    """
    Safety: after the last look and the dry run; the server itself holds the write to the state that was judged.
    """
    desk.proxy.before("PATCH", WRITTEN, partial(act, desk))
    with pytest.raises(ApplyRefused, match=f"a-1: context fleet answered {status}: "):
        desk.source.start(desk.start, NOON)

    assert 1 == desk.writes()
    items: list[Any] = desk.world.server.call("GET", desk.path.removesuffix("/a-1"))["items"]
    assert all(NEW != item["spec"]["kafka"]["version"] for item in items)


@pytest.mark.parametrize("fault", [FaultProxy.stall, FaultProxy.hang_up, partial(FaultProxy.refuse, status=500)])
def test_an_event_that_cannot_be_told_is_worth_no_failure(desk: Desk, fault: Fault) -> None:
    """
    However it fails, the write was taken, and that is what is said.
    """
    fault(desk.proxy, "POST", "/events")
    desk.source.start(desk.start, NOON)

    assert release(NEW) == desk.reading().wanted
    assert 1 == len(desk.proxy.asked("POST", "/events"))
