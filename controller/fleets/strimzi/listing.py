"""The ``Kafka`` resources of one API server, kept fresh: listed once in pages, then watched.

An unchanged fleet costs no list. The watch goes on from the state of the last list, over cut connections and the
server's own time limits; bookmarks, which come about once a minute, prove that it still stands where nothing changes.
Where it fell too far behind (410), or nothing came for two minutes, the next reading lists anew. A list is made by
whoever reads, within that call's time limits, so that its failure is the reading's. Each list begins a watch of its
own: what an earlier one still has to say is older, and passed over.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

import msgspec
import structlog

from controller import typedjson
from controller.errors import ObservationError
from controller.fleets.strimzi.resources import GROUP, VERSIONS, KafkaResource, decode_page, decode_resource
from controller.kube.api import KubeApi
from controller.kube.faults import KubeError, Refused, failure_in_stream

PAGE_ITEMS = 500
FRESH_SECONDS = 120.0
"""A watch is taken for fresh so long after anything came from it."""
WATCH_SECONDS = 300
"""The server ends a watch after so long, which a proxy in between would do less politely."""
AGAIN_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long to wait before a watch that ended is begun again, the longer the oftener it brought nothing in a row."""
GONE = 410
"""The server does not remember so far back."""

_log = structlog.get_logger(__name__)


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _VersionEntry(msgspec.Struct):
    version: str


class _ApiGroup(msgspec.Struct):
    versions: list[_VersionEntry]


class _Kind(msgspec.Struct):
    name: str


class _Kinds(msgspec.Struct):
    resources: list[_Kind]


class _Bookmark(msgspec.Struct):
    class Metadata(msgspec.Struct):
        """Only the state of the collection is said."""

        token: str = msgspec.field(name="resourceVersion")

    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Scope:
    """Which resources are ours to see."""

    namespace: str | None = None
    """Only in this one; None = in all."""
    selector: str = ""
    """Label selector, as the API has it."""

    @property
    def query(self) -> dict[str, str]:
        """The part of a query that says so."""
        return {"labelSelector": self.selector} if self.selector else {}


@dataclass(slots=True)
class _State:
    """What both threads touch, under the lock."""

    resources: dict[str, KafkaResource] = field(default_factory=dict)
    """By ``NAMESPACE/NAME``."""
    token: str = ""
    fresh_at: float = float("-inf")
    """When the last word came, by the monotonic clock."""
    changes: int = 0
    lists: int = 0
    """Names the watch that goes on from the last list."""


class Listing:
    """Keeps the resources of one scope; ``resources`` may be called from any thread, one at a time."""

    def __init__(self, api: KubeApi, scope: Scope) -> None:
        self._api = api
        self._scope = scope
        self._lock = threading.Lock()
        self._state = _State()
        self._closing = threading.Event()
        self._version: str | None = None

    @property
    def namespace(self) -> str | None:
        """The one namespace that is watched; None = all."""
        return self._scope.namespace

    @property
    def changes(self) -> int:
        """How many changes were seen; the same number means the same resources."""
        return self._state.changes

    def resources(self) -> Mapping[str, KafkaResource]:
        """Return every resource by ``NAMESPACE/NAME``, as it was at most two minutes ago. Raises ObservationError."""
        with self._lock:
            if time.monotonic() - self._state.fresh_at < FRESH_SECONDS:
                return dict(self._state.resources)
        return self._list()

    def path_of(self, resource: str) -> str:
        """Return where the resource ``NAMESPACE/NAME`` lies on the server. Raises KubeError, ObservationError."""
        namespace, _, name = resource.partition("/")
        return f"{self.group_path(namespace)}/kafkas/{name}"

    def group_path(self, namespace: str) -> str:
        """Return where Strimzi's resources of a namespace lie. Raises KubeError, ObservationError."""
        return f"/apis/{GROUP}/{self._served()}/namespaces/{namespace}"

    def lacks(self, kind: str) -> bool:
        """Tell whether the server itself says that it has no such kind of Strimzi's, named as in paths.

        Raises KubeError, ObservationError or one of typedjson.UNREADABLE.
        """
        found = typedjson.decode(self._api.get(f"/apis/{GROUP}/{self._served()}"), _Kinds)
        known = {each.name for each in found.resources}
        return "kafkas" in known and kind not in known

    def close(self) -> None:
        """Stop watching, with the next word of the server at the latest; the connections are their owner's to close."""
        self._closing.set()

    def _served(self) -> str:
        """Return the version in which the server has Strimzi's resources, by discovery."""
        if self._version is None:
            try:
                group = typedjson.decode(self._api.get(f"/apis/{GROUP}"), _ApiGroup)
            except Refused as error:
                if error.status == 404:
                    raise ObservationError(
                        f"{self._api.name} knows no {GROUP}; install Strimzi's resource definitions there"
                    ) from error
                raise
            served = {each.version for each in group.versions}
            known = [version for version in VERSIONS if version in served]
            if not known:
                raise ObservationError(
                    f"{self._api.name} serves {GROUP} in {', '.join(sorted(served))}, expected one of"
                    f" {', '.join(VERSIONS)}"
                )
            self._version = known[0]
        return self._version

    def _collection(self) -> str:
        place = "" if self._scope.namespace is None else f"/namespaces/{self._scope.namespace}"
        return f"/apis/{GROUP}/{self._served()}{place}/kafkas"

    def _list(self) -> Mapping[str, KafkaResource]:
        """List in pages, and go on watching from there."""
        self._version = None  # whoever upgraded the definitions since may serve another one
        try:
            resources, token = self._pages()
        except KubeError as error:
            raise ObservationError(str(error)) from error
        except typedjson.UNREADABLE as error:
            raise ObservationError(f"{self._api.name} answered with no list of Kafka resources: {error}") from error
        state = self._state
        with self._lock:
            state.resources, state.token, state.fresh_at = resources, token, time.monotonic()
            state.changes += 1
            state.lists += 1
            threading.Thread(
                target=self._watch, args=(state.lists,), name=f"watch-{self._api.name}", daemon=True
            ).start()
            return dict(resources)

    def _pages(self) -> tuple[dict[str, KafkaResource], str]:
        """Return all of it; begun again, once, where a part of the list came too late for the server."""
        try:
            return self._all_pages()
        except Refused as error:
            if error.status != GONE:
                raise
            return self._all_pages()

    def _all_pages(self) -> tuple[dict[str, KafkaResource], str]:
        path = self._collection()
        query: dict[str, str | int | bool] = {**self._scope.query, "limit": PAGE_ITEMS}
        found: dict[str, KafkaResource] = {}
        while True:
            page = decode_page(self._api.get(path, query))
            found.update((item.path, item) for item in page.items)
            if not page.next:
                return found, page.token
            query["continue"] = page.next

    def _watch(self, number: int) -> None:
        """Follow changes since list ``number``, until there is a later one or only that can help; on its own thread."""
        in_vain = 0
        while not self._closing.is_set() and self._state.lists == number:
            began = time.monotonic()
            try:
                self._follow(number)
            except (KubeError, *typedjson.UNREADABLE, ObservationError) as error:
                if not _goes_on_after(error):
                    self._give_up(number, error)
                    return
            if self._state.fresh_at > began or time.monotonic() - began > AGAIN_SECONDS[-1]:
                in_vain = 0
            self._closing.wait(AGAIN_SECONDS[min(in_vain, len(AGAIN_SECONDS) - 1)])
            in_vain += 1

    def _give_up(self, number: int, error: Exception) -> None:
        """Let the next reading list anew."""
        if not self._closing.is_set():
            _log.info("watch_ended", server=self._api.name, why=str(error))
        with self._lock:
            if self._state.lists == number:
                self._state.fresh_at = float("-inf")

    def _follow(self, number: int) -> None:
        """Take changes until the server ends the watch, which it does from time to time."""
        with self._lock:
            token = self._state.token
        query = {**self._scope.query, "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": token}
        query["timeoutSeconds"] = str(WATCH_SECONDS)
        with closing(self._api.lines(self._collection(), query, quiet_seconds=FRESH_SECONDS)) as lines:
            for line in lines:
                if self._closing.is_set() or not self._take(number, typedjson.decode(line, _Event)):
                    return

    def _take(self, number: int, event: _Event) -> bool:
        """Take one change; tell whether the watch is still the newest one."""
        content = bytes(event.object)
        if event.type == "ERROR":
            raise failure_in_stream(self._api.name, content)
        is_bookmark = event.type == "BOOKMARK"
        resource = None if is_bookmark else decode_resource(content)
        token = typedjson.decode(content, _Bookmark).metadata.token if resource is None else resource.token
        state = self._state
        with self._lock:
            if state.lists != number:
                return False
            state.token, state.fresh_at = token, time.monotonic()
            if resource is not None:
                state.changes += 1
                if event.type == "DELETED":
                    state.resources.pop(resource.path, None)
                else:
                    state.resources[resource.path] = resource
        return True


def _goes_on_after(error: Exception) -> bool:
    """Tell whether a watch may be begun again where it broke; else only a list can tell what is."""
    return error.is_temporary if isinstance(error, Refused) else isinstance(error, KubeError)
