"""Strimzi's resources and their pods, decoded into just the fields that we need.

A list is decoded in one go; where one of its items is not as it should be, item by item, so that it spoils no other.
What is kept of an item holds on to none of the bytes that it came from. Names and meanings of fields: Strimzi's CRDs
and ``api/src/main/java/io/strimzi/api/kafka/model``, operators 0.33 to 1.2.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from controller import typedjson
from controller.fleets import marks

GROUP = "kafka.strimzi.io"
VERSIONS = ("v1", "v1beta2")
"""API versions, in the order in which we prefer them; 1.0 and newer serve only the first."""
PAUSE = "strimzi.io/pause-reconciliation"
TRACKED_BY_ARGO_CD = "argocd.argoproj.io/tracking-id"
POD_RELEASE = "strimzi.io/kafka-version"
BROKER = "broker"
"""The role of nodes that keep records."""

_KEPT = (marks.FLEET, marks.HOLD, PAUSE, TRACKED_BY_ARGO_CD)
"""Annotations that mean something to us."""
_VERSION_FIELD = b'"f:version"'


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One of ``status.conditions``; only those that are True are there."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""

    @property
    def holds(self) -> bool:
        """It is said to be so."""
        return self.status == "True"


class Writer(msgspec.Struct, frozen=True, gc=False):
    """Somebody who wrote ``spec.kafka.version`` (``metadata.managedFields``)."""

    name: str
    operation: str
    """``Apply`` (server-side apply) or ``Update``."""
    time: str


class KafkaResource(msgspec.Struct, frozen=True):
    """One ``Kafka`` resource, as far as it concerns us."""

    namespace: str
    name: str
    token: str
    """``metadata.resourceVersion``."""
    generation: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    version: str | None
    metadata_version: str | None
    image: str | None
    replicas: int | None
    """``spec.kafka.replicas``: how many brokers there should be where there are no node pools (``v1beta2``)."""
    zookeeper: bool
    deleting: bool
    """It is being deleted."""
    observed_generation: int | None
    """None before its operator has said anything of it."""
    running: str | None
    """``status.kafkaVersion``: vanishes while the resource is paused."""
    level: str | None
    """``status.kafkaMetadataVersion``."""
    kafka_id: str | None
    operator: str | None
    """``status.operatorLastSuccessfulVersion``."""
    conditions: tuple[Condition, ...]
    writers: tuple[Writer, ...]
    problem: str = ""
    """Why the rest of it cannot be understood."""

    @property
    def is_paused(self) -> bool:
        """Its operator was told to leave it alone, and then says nothing of what it runs: only its pods do.

        Once it is told to go on, it still says nothing before its next reconciliation is done.
        """
        return self.annotations.get(PAUSE) == "true" or self.condition("ReconciliationPaused") is not None

    def condition(self, kind: str) -> Condition | None:
        """Return the first condition of a kind that holds."""
        return next((each for each in self.conditions if each.type == kind and each.holds), None)

    @property
    def path(self) -> str:
        """``NAMESPACE/NAME``."""
        return f"{self.namespace}/{self.name}"


class Page(msgspec.Struct, frozen=True):
    """A part of a list."""

    items: tuple[KafkaResource, ...]
    token: str
    """The state of the whole collection, from which a watch goes on."""
    next: str
    """Names the part after it; empty at the end."""


class Pod(msgspec.Struct, frozen=True, gc=False):
    """One node of a cluster."""

    name: str
    release: str | None
    """What its operator noted on it."""
    image: str
    is_ready: bool


class Pools(msgspec.Struct, frozen=True, gc=False):
    """What the node pools of a cluster want together."""

    nodes: int
    brokers: frozenset[int] | None
    """Ids of the nodes that are brokers; None while its operator has not given each of them one."""


class _ManagedFields(msgspec.Struct):
    writer: str = msgspec.field(default="", name="manager")
    operation: str = ""
    time: str = ""
    fields: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw, name="fieldsV1")


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    managed_fields: list[_ManagedFields] = []
    deletion_timestamp: str | None = None


class _KafkaSpec(msgspec.Struct, rename="camel"):
    version: str | None = None
    metadata_version: str | None = None
    image: str | None = None
    replicas: int | None = None


class _Spec(msgspec.Struct):
    kafka: _KafkaSpec | None = None
    zookeeper: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Status(msgspec.Struct, rename="camel"):
    conditions: list[Condition] | None = None
    observed_generation: int | None = None
    kafka_version: str | None = None
    kafka_metadata_version: str | None = None
    kafka_metadata_state: str | None = None
    cluster_id: str | None = None
    operator_last_successful_version: str | None = None


class _Kafka(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status | None = None


class _ListMetadata(msgspec.Struct):
    token: str = msgspec.field(default="", name="resourceVersion")
    next: str = msgspec.field(default="", name="continue")


class _KafkaList(msgspec.Struct):
    metadata: _ListMetadata
    items: list[_Kafka]


class _RawList(msgspec.Struct):
    metadata: _ListMetadata
    items: list[msgspec.Raw]


class _Named(msgspec.Struct):
    metadata: _Metadata


class _Bare(msgspec.Struct):
    """The least that anything in a list has."""

    class Metadata(msgspec.Struct, rename="camel"):
        """Whose it is."""

        name: str
        namespace: str = ""
        resource_version: str = ""

    metadata: Metadata


def decode_page(content: bytes) -> Page:
    """Return one part of a list of ``Kafka`` resources. Raises one of typedjson.UNREADABLE where it is no such list."""
    try:
        page = typedjson.decode(content, _KafkaList)
        items = tuple(_resource(item) for item in page.items)
    except msgspec.ValidationError:
        raw = typedjson.decode(content, _RawList)
        return Page(tuple(decode_resource(bytes(item)) for item in raw.items), raw.metadata.token, raw.metadata.next)
    return Page(items, page.metadata.token, page.metadata.next)


def decode_resource(content: bytes) -> KafkaResource:
    """Return one ``Kafka`` resource, with its ``problem`` where it is no proper one.

    Raises one of typedjson.UNREADABLE.
    """
    try:
        return _resource(typedjson.decode(content, _Kafka))
    except msgspec.ValidationError as error:
        bare = typedjson.decode(content, _Bare).metadata
        return KafkaResource(
            namespace=bare.namespace,
            name=bare.name,
            token=bare.resource_version,
            generation=0,
            labels=_labels_of(content),
            annotations={},
            version=None,
            metadata_version=None,
            image=None,
            replicas=None,
            zookeeper=False,
            deleting=False,
            observed_generation=None,
            running=None,
            level=None,
            kafka_id=None,
            operator=None,
            conditions=(),
            writers=(),
            problem=str(error),
        )


def _labels_of(content: bytes) -> Mapping[str, str]:
    """Return the labels, so that it is still its group's; none where they are what is wrong."""
    try:
        return typedjson.decode(content, _Named).metadata.labels
    except msgspec.ValidationError:
        return {}


def _resource(item: _Kafka) -> KafkaResource:
    metadata, status = item.metadata, item.status or _Status()
    spec = item.spec or _Spec()
    kafka = spec.kafka or _KafkaSpec()
    annotations = metadata.annotations
    return KafkaResource(
        namespace=metadata.namespace,
        name=metadata.name,
        token=metadata.resource_version,
        generation=metadata.generation,
        labels=metadata.labels,
        annotations={key: annotations[key] for key in _KEPT if key in annotations},
        version=kafka.version,
        metadata_version=kafka.metadata_version,
        image=kafka.image,
        replicas=kafka.replicas,
        zookeeper=_is_on_zookeeper(spec, status),
        deleting=metadata.deletion_timestamp is not None,
        observed_generation=status.observed_generation,
        running=status.kafka_version,
        level=status.kafka_metadata_version,
        kafka_id=status.cluster_id,
        operator=status.operator_last_successful_version,
        conditions=tuple(status.conditions or ()),
        writers=tuple(_writers(metadata.managed_fields)),
    )


def _is_on_zookeeper(spec: _Spec, status: _Status) -> bool:
    """Tell whether ZooKeeper is still there: until a migration is said to be over (``KafkaMetadataState.java``)."""
    if status.kafka_metadata_state is not None:
        return status.kafka_metadata_state != "KRaft"
    return bytes(spec.zookeeper) not in (b"", b"null")


def _writers(managed: list[_ManagedFields]) -> Iterator[Writer]:
    """Yield who wrote ``spec.kafka.version``; the field sets of others are not even decoded."""
    for each in managed:
        fields = bytes(each.fields)
        if _VERSION_FIELD in fields and _has_version(fields):
            yield Writer(each.writer, each.operation, each.time)


def _has_version(fields: bytes) -> bool:
    found: Any = msgspec.json.decode(fields)
    for key in ("f:spec", "f:kafka", "f:version"):
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


class _PodMetadata(msgspec.Struct, rename="camel"):
    name: str
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None


class _Container(msgspec.Struct):
    name: str = ""
    image: str = ""


class _PodSpec(msgspec.Struct):
    containers: list[_Container] = []


class _PodStatus(msgspec.Struct):
    conditions: list[Condition] | None = None


class _Pod(msgspec.Struct):
    metadata: _PodMetadata
    spec: _PodSpec
    status: _PodStatus | None = None


class _PodList(msgspec.Struct):
    items: list[_Pod]


class _PoolSpec(msgspec.Struct):
    replicas: int = 0
    roles: list[str] = []


class _PoolStatus(msgspec.Struct, rename="camel"):
    node_ids: list[int] = []


class _Pool(msgspec.Struct):
    spec: _PoolSpec
    status: _PoolStatus | None = None


class _PoolList(msgspec.Struct):
    items: list[_Pool]


def decode_pods(content: bytes) -> tuple[Pod, ...]:
    """Return a cluster's pods. Raises one of typedjson.UNREADABLE."""
    return tuple(_pod(item) for item in typedjson.decode(content, _PodList).items)


def _pod(item: _Pod) -> Pod:
    conditions = (item.status.conditions if item.status is not None else None) or ()
    ready = any(condition.type == "Ready" and condition.holds for condition in conditions)
    image = next((each.image for each in item.spec.containers if each.name == "kafka"), "")
    is_ready = ready and item.metadata.deletion_timestamp is None
    return Pod(item.metadata.name, item.metadata.annotations.get(POD_RELEASE), image, is_ready)


def decode_pools(content: bytes) -> Pools:
    """Return what a cluster's node pools want together. Raises one of typedjson.UNREADABLE."""
    items = typedjson.decode(content, _PoolList).items
    brokers = [item for item in items if BROKER in item.spec.roles]
    ids = [each for item in brokers for each in (item.status.node_ids if item.status is not None else ())]
    told = len(ids) == sum(item.spec.replicas for item in brokers)
    return Pools(sum(item.spec.replicas for item in items), frozenset(ids) if told and ids else None)
