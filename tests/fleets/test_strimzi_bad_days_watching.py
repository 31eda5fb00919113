"""Lists and watches of a real API server on bad days: nothing is missed, and nobody is hammered."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest

from controller.errors import ObservationError
from controller.fleets.strimzi import listing as listing_module
from controller.fleets.strimzi.listing import Listing, Scope
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from tests.real.fault_proxy import FaultProxy
from tests.real.kubernetes import ApiServer

NAMES = count()
LIMIT_SECONDS = 2.0
SECONDS_MAX = 60.0
WATCH, LIST = "watch=true", "limit="

Fault = Callable[[FaultProxy, str, str], None]


class Fleet:
    """Resources in a namespace of their own, and a listing of them that comes through a proxy."""

    def __init__(self, server: ApiServer, proxy: FaultProxy) -> None:
        self._server = server
        self._proxy = proxy
        self._made: list[Listing] = []
        self.namespace = f"watching-{next(NAMES)}"
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self._kafkas = f"/apis/kafka.strimzi.io/v1/namespaces/{self.namespace}/kafkas"
        self._api = KubeApi(partial(connect, Where("fleet", proxy.kubeconfig())), "context fleet", LIMIT_SECONDS)
        self.listing = self.listed_anew()

    def listed_anew(self) -> Listing:
        """Another listing, which knows nothing yet."""
        self._made.append(Listing(self._api, Scope(self.namespace)))
        return self._made[-1]

    def put(self, *names: str) -> None:
        """Let resources be there."""
        for name in names:
            manifest = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": name}}
            self._server.call("POST", self._kafkas, {**manifest, "spec": {"kafka": {"version": "4.1.2"}}})

    def delete(self, name: str) -> None:
        """Let a resource be no more."""
        self._server.call("DELETE", f"{self._kafkas}/{name}")

    def seen(self) -> set[str]:
        """The names that are listed."""
        return {each.name for each in self.listing.resources().values()}

    def await_seen(self, *names: str) -> None:
        """Wait until just these are listed."""
        deadline = time.monotonic() + SECONDS_MAX
        while self.seen() != set(names):
            assert time.monotonic() < deadline, self.seen()
            time.sleep(0.02)

    @property
    def lists(self) -> int:
        """How many lists, or pages of one, were asked for."""
        return len(self._proxy.asked("GET", LIST))

    @property
    def watches(self) -> int:
        """How many watches were asked for."""
        return len(self._proxy.asked("GET", WATCH))

    def close(self) -> None:
        """Let the listing go."""
        for each in self._made:
            each.close()
        self._api.close()


@pytest.fixture
def fleet(kubernetes: ApiServer, proxy: FaultProxy) -> Iterator[Fleet]:
    """Two resources, not yet listed."""
    made = Fleet(kubernetes, proxy)
    made.put("a", "b")
    yield made
    made.close()


@pytest.fixture
def small_pages() -> Iterator[None]:
    """Lets a page hold one resource, for one test."""
    before = listing_module.PAGE_ITEMS
    listing_module.PAGE_ITEMS = 1
    yield
    listing_module.PAGE_ITEMS = before


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (partial(FaultProxy.refuse, status=500), "answered 500"),
        (partial(FaultProxy.refuse, status=429), "answered 429"),
        (FaultProxy.stall, "did not answer in time"),
        (FaultProxy.stall_within, "did not answer in time"),
        (FaultProxy.drop_answer, "broke off"),
        (partial(FaultProxy.answer, status=200, body=b"log in first"), "answered with no list of Kafka resources"),
        (partial(FaultProxy.answer, status=200, body=b'{"kind": "\xff"}'), "answered with no list of Kafka resources"),
    ],
    ids=["500", "429", "stalls", "stalls within", "dropped", "no list", "no text"],
)
def test_a_part_of_the_list_that_does_not_come_spoils_this_reading_and_not_the_next(
    fleet: Fleet, proxy: FaultProxy, fault: Fault, why: str
) -> None:
    """
    Safety: half a list is none, for what is not on it would seem to be gone.
    """
    fault(proxy, "GET", "continue=")
    began = time.monotonic()
    with pytest.raises(ObservationError, match=f"context fleet {why}"):
        fleet.seen()
    assert time.monotonic() - began < LIMIT_SECONDS + 2
    assert 0 == fleet.watches

    assert {"a", "b"} == fleet.seen()


@pytest.mark.usefixtures("small_pages")
def test_a_server_that_is_busy_in_the_middle_of_a_list_is_waited_for(fleet: Fleet, proxy: FaultProxy) -> None:
    """
    What was read so far is not thrown away.
    """
    proxy.refuse("GET", "continue=", 429, {"Retry-After": "1"})

    assert {"a", "b"} == fleet.seen()
    assert 3 == fleet.lists


@pytest.mark.usefixtures("small_pages")
def test_a_list_that_came_too_late_for_the_server_is_begun_again(fleet: Fleet, proxy: FaultProxy) -> None:
    """
    Once; a server that always says so is told.
    """
    proxy.refuse("GET", "continue=", 410)
    assert {"a", "b"} == fleet.seen()

    proxy.refuse("GET", "continue=", 410, times=2)
    with pytest.raises(ObservationError, match="answered 410"):
        fleet.listed_anew().resources()


def test_a_watch_that_is_cut_goes_on_from_where_it_was(fleet: Fleet, proxy: FaultProxy) -> None:
    """
    Without another list, and without missing what happened meanwhile, again and again.
    """
    fleet.seen()
    for number in range(3):
        proxy.cut(WATCH)
        fleet.put(f"new-{number}")
        fleet.await_seen("a", "b", *(f"new-{each}" for each in range(number + 1)))
    proxy.cut(WATCH)
    fleet.delete("a")
    fleet.await_seen("b", "new-0", "new-1", "new-2")

    assert 1 == fleet.lists


@pytest.mark.parametrize(
    "fault",
    [
        FaultProxy.hang_up,
        partial(FaultProxy.refuse, status=500),
        partial(FaultProxy.refuse, status=401),
        partial(FaultProxy.refuse, status=429, headers={"Retry-After": "1"}),
        partial(FaultProxy.answer, status=200, body=b""),
    ],
    ids=["dropped", "500", "401", "429", "nothing"],
)
def test_a_watch_that_cannot_be_begun_is_begun_again(fleet: Fleet, proxy: FaultProxy, fault: Fault) -> None:
    """
    From where the one before was; a token that ended is read anew, and a busy server is left alone for a while.
    """
    fleet.seen()
    proxy.await_running(WATCH)
    fault(proxy, "GET", WATCH)
    began = time.monotonic()
    proxy.cut(WATCH)
    fleet.put("new")
    fleet.await_seen("a", "b", "new")

    assert 3 <= fleet.watches
    assert 1 == fleet.lists
    if "Retry-After" in str(fault):
        assert 1 <= time.monotonic() - began


def test_a_token_that_ended_ends_the_watch_only_until_it_is_renewed(fleet: Fleet, proxy: FaultProxy) -> None:
    """
    Meanwhile each reading says what to do; the first one after that lists anew, and the watch goes on from there.
    """
    fleet.seen()
    proxy.await_running(WATCH)
    proxy.refuse("GET", ".", 401, times=6)
    proxy.cut(WATCH)
    fleet.put("new")
    told: list[str] = []
    deadline = time.monotonic() + SECONDS_MAX
    while not told or proxy.asked("GET", LIST)[1:] == []:
        try:
            fleet.seen()
        except ObservationError as error:
            told.append(str(error))
        assert time.monotonic() < deadline
    assert all("answered 401: the proxy says so; renew the token" in each for each in told)

    fleet.await_seen("a", "b", "new")
    proxy.await_running(WATCH)
    fleet.put("newer")
    fleet.await_seen("a", "b", "new", "newer")
    assert 2 == fleet.lists


@pytest.mark.parametrize("is_said_within", [True, False])
def test_a_watch_that_fell_too_far_behind_ends_in_another_list(
    fleet: Fleet, proxy: FaultProxy, *, is_said_within: bool
) -> None:
    """
    Said as an event or instead of an answer (410); nothing is missed, and the watch goes on from that list.
    """
    fleet.seen()
    proxy.await_running(WATCH)
    if is_said_within:
        proxy.say_gone(WATCH)
    else:
        proxy.refuse("GET", WATCH, 410)
    proxy.cut(WATCH)
    fleet.put("c")
    fleet.delete("a")
    fleet.await_seen("b", "c")
    assert 2 == fleet.lists

    proxy.await_asked("GET", WATCH, 3)
    fleet.put("d")
    fleet.await_seen("b", "c", "d")
    assert 2 == fleet.lists


def test_a_watch_that_ends_at_once_is_not_asked_for_without_a_pause(fleet: Fleet, proxy: FaultProxy) -> None:
    """
    As somewhere between both might have it: it brings nothing, so that each pause is longer than the one before.
    """
    proxy.end_watch(WATCH, times=1000)
    began = time.monotonic()
    fleet.seen()
    proxy.await_asked("GET", WATCH, 3)
    fleet.put("c")

    assert sum(listing_module.AGAIN_SECONDS[:2]) <= time.monotonic() - began
    assert fleet.watches <= 4
