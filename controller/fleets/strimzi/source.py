"""Strimzi's clusters of one Kubernetes as a fleet source.

Every cluster is known from the watched list alone; those that a reading is to be full for are read anew, with their
pods and node pools, a few at a time. A resource that did not change gives the very same value again.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from http import HTTPStatus
from pathlib import Path

from controller import typedjson
from controller.errors import ApplyRefused, ObservationError
from controller.fleets.strimzi.listing import Listing, Scope
from controller.fleets.strimzi.operators import Operator, Operators
from controller.fleets.strimzi.reading import Nodes, Reader
from controller.fleets.strimzi.resources import KafkaResource, Pools, decode_pods, decode_pools, decode_resource
from controller.fleets.strimzi.rights import OPTIONAL, RIGHTS, Right, missing_rights
from controller.fleets.strimzi.writing import Writer
from controller.kube.api import KubeApi
from controller.kube.connection import Where, connect
from controller.kube.faults import KubeError, Refused
from controller.model.observation import Endpoints, ObservedCluster, Reading, SourceReading, Unknown
from controller.model.plan import Start
from controller.versions import MetadataVersion

READERS_MAX = 8
"""Clusters that are read in full at the same time."""
WATCHES_MAX = 20
"""Namespaces that are watched one by one; more are seen through one watch of all."""


_POOLS = "kafkanodepools"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source's clusters are, and which of them are its own."""

    context: str | None = None
    """A context of the kubeconfig file; without both, the cluster that we run in."""
    kubeconfig: Path | None = None
    namespaces: tuple[str, ...] = ("*",)
    """Patterns; where none has a star, nothing outside of these is even asked for."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels that a resource must have."""
    take_over: bool = False
    """Write versions that another tool owns, too."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What is listed and watched: each namespace by itself where a few are named, else all of them at once."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))
        named = all("*" not in pattern for pattern in self.namespaces)
        if named and len(self.namespaces) <= WATCHES_MAX:
            return tuple(Scope(namespace, labels) for namespace in self.namespaces)
        return (Scope(None, labels),)


def open_source(
    name: str, place: Place, levels: Mapping[str, MetadataVersion], limit_seconds: float
) -> "StrimziSource":
    """Return the source ``name``; nothing is asked yet. Raises ObservationError where the server cannot be found."""
    where = Where(place.context, place.kubeconfig)
    api = KubeApi(partial(connect, where), str(where), limit_seconds)
    listings = tuple(Listing(api, scope) for scope in place.scopes)
    return StrimziSource(name, api, listings, Reader(levels, place.take_over), place.namespaces)


class StrimziSource:
    """A FleetSource on the ``Kafka`` resources of ``api`` whose namespace matches one of ``patterns``."""

    def __init__(
        self, name: str, api: KubeApi, listings: Sequence[Listing], reader: Reader, patterns: Sequence[str]
    ) -> None:
        self._name = name
        self._api = api
        self._listings = tuple(listings)
        self._reader = reader
        self._patterns = tuple(patterns)
        self._writer = Writer(api, reader.levels)
        self._readers = ThreadPoolExecutor(READERS_MAX, thread_name_prefix=f"strimzi-{name}")
        self._operators = Operators(api, [listing.namespace for listing in self._listings])
        self._known_operators: tuple[Operator, ...] = ()
        self._observed: dict[str, tuple[KafkaResource, ObservedCluster]] = {}
        """By ``NAMESPACE/NAME``: what was made of each resource."""

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    @property
    def is_told_of_changes(self) -> bool:
        """Whether every change of a resource is heard of, which a watch sees to."""
        return True

    def close(self) -> None:
        """Stop watching; readings in hand end by their own time limits."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        for listing in self._listings:
            listing.close()
        self._api.close()

    def read(self, full: frozenset[str], now: datetime) -> SourceReading:
        """Return every cluster, as FleetSource says."""
        del now
        if full:
            self._look_at_operators()
        resources = {path: each for listing in self._listings for path, each in listing.resources().items()}
        self._observed = {path: self._known(path, each) for path, each in resources.items() if self._is_ours(each)}
        clusters = {observed.name: observed for _, observed in self._observed.values()}
        wanted = {
            path: cluster
            for path, (resource, cluster) in self._observed.items()
            if cluster.name in full or _only_its_pods_tell(resource, cluster)
        }
        futures = {path: self._readers.submit(self._read_fully, path) for path in wanted}
        for path, cluster in wanted.items():
            observed = self._outcome(path, cluster, futures[path])
            if observed is None:
                del clusters[cluster.name]
            else:
                clusters[cluster.name] = observed
                self._keep_what_pods_told(path, observed)
        return SourceReading(self._name, clusters)

    def missing_rights(self) -> Sequence[str]:
        """Return what it may not do in each namespace that it watches. Raises ObservationError."""
        return self._lacked(RIGHTS)

    def missing_sights(self) -> Sequence[str]:
        """Return what is not seen for want of a right that it can do without. Raises ObservationError."""
        return [f"{lacked}, so whether operators run is not seen" for lacked in self._lacked(OPTIONAL)]

    def start(self, start: Start, now: datetime) -> None:
        """Patch the resource, as FleetSource says."""
        source, _, path = start.cluster.partition("/")
        if source != self._name or path.count("/") != 1:
            raise ApplyRefused(f"{start.cluster}: is gone: source {self._name} has no such cluster; look again")
        try:
            where = self._listings[0].path_of(path)
        except (KubeError, ObservationError) as error:
            raise ApplyRefused(f"{start.cluster}: {error}") from error
        self._writer.start(start, where, now)

    def _lacked(self, rights: Sequence[Right]) -> list[str]:
        try:
            return [each for listing in self._listings for each in missing_rights(self._api, listing.namespace, rights)]
        except (KubeError, *typedjson.UNREADABLE) as error:
            raise ObservationError(str(error)) from error

    def _look_at_operators(self) -> None:
        """Forget what was made of the resources once their operators changed. Raises ObservationError."""
        try:
            operators = self._operators.known()
        except (KubeError, *typedjson.UNREADABLE) as error:
            raise ObservationError(str(error)) from error
        if operators is not self._known_operators:
            self._known_operators, self._observed = operators, {}

    def _is_ours(self, resource: KafkaResource) -> bool:
        return any(fnmatchcase(resource.namespace, pattern) for pattern in self._patterns)

    def _known(self, path: str, resource: KafkaResource) -> tuple[KafkaResource, ObservedCluster]:
        known = self._observed.get(path)
        if known is not None and known[0] is resource:
            return known
        return resource, self._cluster(resource, None)

    def _cluster(self, resource: KafkaResource, nodes: Nodes | None) -> ObservedCluster:
        reading = self._reader.read(resource, nodes, self._known_operators)
        return ObservedCluster(f"{self._name}/{resource.path}", resource.labels, reading, Endpoints())

    def _read_fully(self, path: str) -> ObservedCluster:
        """Return one cluster with its pods and pools. Raises KubeError, ObservationError or one of
        typedjson.UNREADABLE.
        """
        resource = decode_resource(self._api.get(self._listings[0].path_of(path)))
        core = f"/api/v1/namespaces/{resource.namespace}"
        labels = f"strimzi.io/cluster={resource.name}"
        kafka = f"{labels},strimzi.io/kind=Kafka,strimzi.io/name={resource.name}-kafka"
        pods = decode_pods(self._api.get(f"{core}/pods", {"labelSelector": kafka}))
        pools = self._pools(resource, labels)
        observed = self._cluster(resource, Nodes(pods, pools.nodes or resource.replicas or 0))
        return replace(observed, endpoints=Endpoints(expected=pools.brokers))

    def _pools(self, resource: KafkaResource, labels: str) -> Pools:
        """Return what the node pools of a cluster want; operators before 0.36 bring no such kind.

        That there are none is believed where the server lists its kinds, since anybody in front of it may answer 404.
        """
        listing = self._listings[0]
        try:
            pools = self._api.get(f"{listing.group_path(resource.namespace)}/{_POOLS}", {"labelSelector": labels})
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND and resource.replicas is not None and listing.lacks(_POOLS):
                return Pools(0, None)
            raise
        return decode_pools(pools)

    def _keep_what_pods_told(self, path: str, observed: ObservedCluster) -> None:
        """Know a paused cluster by its pods until its resource changes: its operator does not change what they run."""
        resource, listed = self._observed[path]
        if _only_its_pods_tell(resource, listed) and isinstance(observed.reading, Reading):
            self._observed[path] = resource, replace(listed, reading=replace(observed.reading, full=False))

    def _outcome(
        self, path: str, cluster: ObservedCluster, future: "Future[ObservedCluster]"
    ) -> ObservedCluster | None:
        """Return what a full reading came to; None where the cluster is gone since it was listed."""
        try:
            return future.result()
        except Refused as error:
            if error.says_gone:
                return None
            return replace(cluster, reading=Unknown(str(error)))
        except (KubeError, ObservationError) as error:
            return replace(cluster, reading=Unknown(str(error)))
        except typedjson.UNREADABLE as error:
            why = f"what {self._api.name} says of {path} cannot be understood: {error}"
            return replace(cluster, reading=Unknown(why))


def _only_its_pods_tell(resource: KafkaResource, listed: ObservedCluster) -> bool:
    """Tell whether the list says nothing of what a paused cluster runs."""
    return resource.is_paused and isinstance(listed.reading, Unknown)
