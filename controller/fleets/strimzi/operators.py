"""The operators that run on an API server: which namespaces each watches, whether it is there, and what it supports.

They are read from their Deployments, which is a right that we can do without: what an operator supports is then told by
the table of its release alone, and whether it runs by nobody. Fields and variables: ``060-Deployment-strimzi-cluster-
operator.yaml`` and ``ClusterOperatorConfig`` of the cluster operator, 0.45 to 1.2.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from controller import typedjson
from controller.fleets.strimzi.resources import KafkaResource
from controller.fleets.strimzi.supported import SUPPORTED
from controller.kube.api import KubeApi
from controller.kube.faults import Refused
from controller.versions import KafkaVersion

FRESH_SECONDS = 60.0
"""So long what was read of operators holds."""
ALLOWED_AGAIN_SECONDS = 600.0
"""So long nobody is asked again who may not be asked."""
LABEL = "app=strimzi"
"""Which Deployments are operators'; the vendor's manifests and Helm chart set it."""
EVERYWHERE = "*"

_FORBIDDEN = (403, 404)
_REFUSAL = re.compile(r"Supported versions are: \[([^\]]*)\]")
_TAG = re.compile(r":([0-9]+\.[0-9]+\.[0-9]+)(?:[-@].*)?$")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Operator:
    """One cluster operator."""

    place: str
    """``NAMESPACE/NAME`` of its Deployment."""
    release: str | None
    """By its image, such as ``1.2.0``; None where that has another form."""
    watches: tuple[str, ...]
    """Namespaces; ``*`` stands for all."""
    labels: tuple[tuple[str, str], ...] | None
    """Only resources that have these are its own; None where that cannot be told."""
    supported: tuple[KafkaVersion, ...]
    """Kafka releases that it has images for, lowest first."""
    replicas: int
    available: int

    def is_for(self, resource: KafkaResource) -> bool:
        """Tell whether it is this operator's to look after ``resource``."""
        watched = EVERYWHERE in self.watches or resource.namespace in self.watches
        return (
            watched and self.labels is not None and all(resource.labels.get(key) == value for key, value in self.labels)
        )


def operator_of(resource: KafkaResource, operators: Sequence[Operator]) -> Operator | None:
    """Return the one operator that looks after ``resource``; None where it is not known, or more than one does."""
    of_it = [each for each in operators if each.is_for(resource)]
    return of_it[0] if len(of_it) == 1 else None


def supported_for(resource: KafkaResource, operator: Operator | None) -> tuple[KafkaVersion, ...] | None:
    """Return every release that ``resource`` may ask for: as its operator says when it refuses one, has images for, or
    as the table of its release has it. None where nobody knows.
    """
    for condition in resource.conditions:
        told = _REFUSAL.search(condition.message) if condition.holds else None
        if told is not None:
            return _releases(told[1].split(",")) or None
    if operator is not None and operator.supported:
        return operator.supported
    return SUPPORTED.get(resource.operator or "")


def not_done(resource: KafkaResource, operator: Operator | None) -> str:
    """Say why ``operator`` cannot be done with ``resource``, whatever the status says; empty where nothing shows it."""
    if operator is None:
        return ""
    if operator.available == 0:
        return f"{operator.place} is not running (0 of {operator.replicas} replicas)"
    if operator.release is not None and resource.operator and not resource.operator.startswith(operator.release):
        return f"{operator.place} is {operator.release} now, and {resource.operator} was the last to be done with it"
    return ""


class Operators:
    """Keeps what was read of the operators of one API server; one thread at a time."""

    def __init__(self, api: KubeApi, namespaces: Sequence[str | None]) -> None:
        self._api = api
        self._namespaces = tuple(namespaces)
        """Where to look; None = everywhere."""
        self._known: tuple[Operator, ...] = ()
        self._again_at = float("-inf")

    def known(self) -> tuple[Operator, ...]:
        """Return them, the very same value where nothing changed; nobody where we may not look. Raises KubeError,
        one of typedjson.UNREADABLE.
        """
        if time.monotonic() >= self._again_at:
            found, seconds = self._read()
            self._again_at = time.monotonic() + seconds
            if found != self._known:
                self._known = found
        return self._known

    def _read(self) -> tuple[tuple[Operator, ...], float]:
        found: list[Operator] = []
        for namespace in self._namespaces:
            place = "" if namespace is None else f"/namespaces/{namespace}"
            try:
                content = self._api.get(f"/apis/apps/v1{place}/deployments", {"labelSelector": LABEL})
            except Refused as error:
                if error.status not in _FORBIDDEN:
                    raise
                _log.info("operators_not_readable", server=self._api.name, why=str(error))
                return (), ALLOWED_AGAIN_SECONDS
            found += decode_operators(content)
        return tuple(found), FRESH_SECONDS


class _Source(msgspec.Struct, rename="camel"):
    class Field(msgspec.Struct, rename="camel"):
        """A field of the pod itself."""

        field_path: str = ""

    field_ref: Field | None = None


class _Variable(msgspec.Struct, rename="camel"):
    name: str
    value: str = ""
    value_from: _Source | None = None


class _Container(msgspec.Struct):
    image: str = ""
    env: list[_Variable] = []


class _PodSpec(msgspec.Struct):
    containers: list[_Container] = []


class _Template(msgspec.Struct):
    spec: _PodSpec


class _DeploymentSpec(msgspec.Struct):
    template: _Template
    replicas: int = 1


class _DeploymentStatus(msgspec.Struct, rename="camel"):
    available_replicas: int = 0


class _Metadata(msgspec.Struct):
    name: str
    namespace: str


class _Deployment(msgspec.Struct):
    metadata: _Metadata
    spec: _DeploymentSpec
    status: _DeploymentStatus = msgspec.field(default_factory=_DeploymentStatus)


class _DeploymentList(msgspec.Struct):
    items: list[_Deployment]


def decode_operators(content: bytes) -> Iterator[Operator]:
    """Yield the operators in a list of Deployments; others are passed over. Raises one of typedjson.UNREADABLE."""
    for item in typedjson.decode(content, _DeploymentList).items:
        for container in item.spec.template.spec.containers:
            told = {each.name: each for each in container.env}
            if "STRIMZI_KAFKA_IMAGES" in told:
                yield _operator(item, container, told)


def _operator(item: _Deployment, container: _Container, told: Mapping[str, _Variable]) -> Operator:
    tag = _TAG.search(container.image)
    images = told["STRIMZI_KAFKA_IMAGES"].value.split()
    return Operator(
        place=f"{item.metadata.namespace}/{item.metadata.name}",
        release=None if tag is None else tag[1],
        watches=_watches(told.get("STRIMZI_NAMESPACE"), item.metadata.namespace),
        labels=_labels(told.get("STRIMZI_CUSTOM_RESOURCE_SELECTOR")),
        supported=_releases(image.partition("=")[0] for image in images),
        replicas=item.spec.replicas,
        available=item.status.available_replicas,
    )


def _watches(variable: _Variable | None, own: str) -> tuple[str, ...]:
    """Return the namespaces that an operator watches: all where it is not told which."""
    if variable is None:
        return (EVERYWHERE,)
    if variable.value_from is not None:
        return (own,)
    named = tuple(name for each in variable.value.split(",") if (name := each.strip()))
    return named or (EVERYWHERE,)


def _labels(variable: _Variable | None) -> tuple[tuple[str, str], ...] | None:
    """Return the labels of a selector that names values; None for another form."""
    parts = [] if variable is None else [part.strip() for part in variable.value.split(",") if part.strip()]
    pairs = [part.replace("==", "=").split("=") for part in parts]
    if not all(len(pair) == 2 and not pair[0].endswith("!") for pair in pairs):
        return None
    return tuple((key.strip(), value.strip()) for key, value in pairs)


def _releases(texts: Iterator[str] | Sequence[str]) -> tuple[KafkaVersion, ...]:
    """Return the releases among ``texts``, lowest first."""
    found = []
    for text in texts:
        try:
            found.append(KafkaVersion.parse(text.strip()))
        except ValueError:
            continue
    return tuple(sorted(found))
