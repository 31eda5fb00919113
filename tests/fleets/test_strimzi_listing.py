"""The list of a real API server, kept fresh by watching it: what is seen, and what it costs."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ObservationError
from controller.fleets.strimzi import listing as listing_module
from controller.fleets.strimzi.listing import Listing, Scope
from controller.fleets.strimzi.resources import KafkaResource
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from tests.real.kubernetes import ApiServer

NAMES = count()
SECONDS_MAX = 60.0


@pytest.fixture
def namespace(kubernetes: ApiServer) -> str:
    """A namespace of the test's own."""
    name = f"listing-{next(NAMES)}"
    kubernetes.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


Opener = Callable[..., Listing]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens listings on a server, and lets them go."""
    made: list[Listing] = []

    def open_on(server: ApiServer, scope: Scope, *, user: str = "admin") -> Listing:
        api = KubeApi(partial(connect, Where("fleet", server.kubeconfig(user))), "context fleet", 10.0)
        made.append(Listing(api, scope))
        return made[-1]

    yield open_on
    for each in made:
        each.close()


def put(server: ApiServer, namespace: str, name: str, version: str = "4.1.2", **metadata: Any) -> None:  # noqa: ANN401 - parts of a document
    """Let a resource be there."""
    manifest = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "Kafka",
        "metadata": {"name": name, **metadata},
        "spec": {"kafka": {"version": version}},
    }
    server.call("POST", f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkas", manifest)


def await_seen(listing: Listing, condition: Callable[[Mapping[str, KafkaResource]], bool]) -> None:
    """Wait until what is listed is as ``condition`` wants it."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition(listing.resources()):
        assert time.monotonic() < deadline, listing.resources()
        time.sleep(0.02)


def lists_of(server: ApiServer, namespace: str) -> list[str]:
    """The lists that were asked of a namespace's resources, pages apart."""
    return [
        event["requestURI"]
        for event in server.audited()
        if event["verb"] == "list" and f"/namespaces/{namespace}/kafkas" in event["requestURI"]
    ]


def test_changes_are_seen_without_another_list(kubernetes: ApiServer, namespace: str, opened: Opener) -> None:
    """
    One that comes, one that is changed, one that goes; an unchanged fleet costs nothing at all.
    """
    put(kubernetes, namespace, "a")
    put(kubernetes, namespace, "b")
    listing = opened(kubernetes, Scope(namespace))
    assert {f"{namespace}/a", f"{namespace}/b"} == set(listing.resources())
    kafkas = f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkas"

    put(kubernetes, namespace, "c")
    kubernetes.patch(f"{kafkas}/a", {"spec": {"kafka": {"version": "4.3.1"}}})
    kubernetes.call("DELETE", f"{kafkas}/b")
    await_seen(
        listing, lambda seen: {each.name: each.version for each in seen.values()} == {"a": "4.3.1", "c": "4.1.2"}
    )

    changes = listing.changes
    assert listing.resources()[f"{namespace}/a"] is listing.resources()[f"{namespace}/a"]
    assert changes == listing.changes
    assert 1 == len(lists_of(kubernetes, namespace))


def test_only_what_the_selector_matches_is_ours(kubernetes: ApiServer, namespace: str, opened: Opener) -> None:
    """
    One that loses its label goes.
    """
    put(kubernetes, namespace, "prod", labels={"env": "prod"})
    put(kubernetes, namespace, "dev", labels={"env": "dev"})
    listing = opened(kubernetes, Scope(namespace, "env=prod"))
    assert [f"{namespace}/prod"] == list(listing.resources())

    kubernetes.patch(
        f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkas/prod", {"metadata": {"labels": {"env": None}}}
    )
    await_seen(listing, lambda seen: not seen)


def test_a_list_comes_in_pages(
    kubernetes: ApiServer, namespace: str, opened: Opener, page: Callable[[int], None]
) -> None:
    """
    As many as there are, each asked for where the one before ended.
    """
    names = {f"k-{number}" for number in range(5)}
    for name in names:
        put(kubernetes, namespace, name)
    page(2)
    listing = opened(kubernetes, Scope(namespace))

    assert names == {each.name for each in listing.resources().values()}
    asked = lists_of(kubernetes, namespace)
    assert 3 == len(asked)
    assert [False, True, True] == ["continue=" in each for each in asked]


@pytest.fixture
def page() -> Iterator[Callable[[int], None]]:
    """Sets how many resources a page holds, for one test."""
    before = listing_module.PAGE_ITEMS

    def set_to(items: int) -> None:
        listing_module.PAGE_ITEMS = items

    yield set_to
    listing_module.PAGE_ITEMS = before


def test_one_who_may_not_list_is_told_so(kubernetes: ApiServer, namespace: str, opened: Opener) -> None:
    """
    In the server's own words.
    """
    with pytest.raises(ObservationError, match=r'403: .*User "reader" cannot list resource "kafkas"'):
        opened(kubernetes, Scope(namespace), user="reader").resources()


def test_a_server_that_restarts_is_watched_again_and_nothing_is_missed(tmp_path: Path, opened: Opener) -> None:
    """
    What changed while nobody watched is seen, by the watch or by another list, whichever the server can serve.
    """
    with ApiServer(tmp_path / "server") as server:
        put(server, "default", "a")
        listing = opened(server, Scope("default"))
        assert ["default/a"] == list(listing.resources())

        server.stop()
        server.start()
        put(server, "default", "b")
        await_seen(listing, lambda seen: {"default/a", "default/b"} == set(seen))


def test_a_silent_server_is_fresh_for_two_minutes_and_no_longer(
    tmp_path: Path, opened: Opener, fresh: Callable[[float], None]
) -> None:
    """
    Safety (unknown-holds): what was listed long ago says nothing of now.
    """
    with ApiServer(tmp_path / "server") as server:
        put(server, "default", "a")
        listing = opened(server, Scope("default"))
        listing.resources()
        server.stop()
        assert ["default/a"] == list(listing.resources())

        fresh(0.0)
        with pytest.raises(ObservationError, match="context fleet cannot be reached"):
            listing.resources()


@pytest.fixture
def fresh() -> Iterator[Callable[[float], None]]:
    """Sets for how long a watch is taken for fresh, for one test."""
    before = listing_module.FRESH_SECONDS

    def set_to(seconds: float) -> None:
        listing_module.FRESH_SECONDS = seconds

    yield set_to
    listing_module.FRESH_SECONDS = before


@pytest.mark.parametrize(("kinds", "version"), [("v1beta2", "v1beta2"), ("v1beta2,v1", "v1"), ("v1", "v1")])
def test_the_api_version_is_found_by_discovery(tmp_path: Path, opened: Opener, kinds: str, version: str) -> None:
    """
    ``v1`` where it is served, ``v1beta2`` where only that is.
    """
    with ApiServer(tmp_path / "server", kinds) as server:
        listing = opened(server, Scope("default"))
        listing.resources()

        assert f"/apis/kafka.strimzi.io/{version}/namespaces/default/kafkas/a" == listing.path_of("default/a")


def test_a_server_without_strimzi_says_what_to_install(kubernetes: ApiServer, tmp_path: Path) -> None:
    """
    Its definitions are not there.
    """
    del kubernetes  # where it is missing this test is skipped as the others are
    with ApiServer(tmp_path / "server") as server:
        for name in ("kafkas", "kafkanodepools"):
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.kafka.strimzi.io"
            server.call("DELETE", path)
        api = KubeApi(partial(connect, Where("fleet", server.kubeconfig())), "context fleet", 10.0)
        listing = Listing(api, Scope())
        deadline = time.monotonic() + SECONDS_MAX
        said = ""
        while "install Strimzi's resource definitions" not in said and time.monotonic() < deadline:
            try:
                listing.resources()
            except ObservationError as error:
                said = str(error)
        listing.close()

        assert "context fleet knows no kafka.strimzi.io; install Strimzi's resource definitions there" == said
