"""What a ``Kafka`` resource shows, in the words of the model.

There is no condition for a roll under way: a resource whose ``observedGeneration`` is behind, or whose status is that
of another release, is being changed, however ready it says it is. While it rolls the status is old, so that what runs
is read from the pods, where they were asked for. Sources: ``StatusUtils``, ``KRaftVersionChangeCreator`` and
``KafkaRoller`` of the cluster operator, 0.45 to 1.2.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.fleets import marks
from controller.fleets.strimzi.operators import Operator, not_done, operator_of, supported_for
from controller.fleets.strimzi.owners import owner_of
from controller.fleets.strimzi.resources import PAUSE, Condition, KafkaResource, Pod
from controller.model.observation import Finding, Reading, Severity, Unknown
from controller.versions import KafkaVersion, MetadataVersion

REFUSALS = frozenset(
    {
        "UnsupportedKafkaVersionException",
        "KafkaUpgradeException",
        "InvalidResourceException",
        "InvalidConfigurationException",
        "NoImageException",
    }
)
"""Reasons for which the operator leaves the pods alone: it does not try again before the resource has changed."""
EXPECTED_WARNINGS = frozenset({"KafkaMetadataVersion"})
"""What stands there between a roll and its finalization, on purpose."""

DETAIL_LENGTH_MAX = 500
EXAMPLES_MAX = 10

_SHORT_LEVEL = re.compile(r"[0-9]+\.[0-9]+")
_IMAGE_RELEASE = re.compile(r"kafka-([0-9]+\.[0-9]+\.[0-9]+)(?:[-@].*)?$")


@dataclass(frozen=True, slots=True)
class Nodes:
    """A cluster's pods, and how many there should be."""

    pods: tuple[Pod, ...]
    wanted: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads resources with what is known of levels; ``take_over`` reads over who else owns a version."""

    levels: Mapping[str, MetadataVersion]
    """By name, such as ``4.3-IV0``."""
    take_over: bool = False

    def read(
        self, resource: KafkaResource, nodes: Nodes | None, operators: Sequence[Operator] = ()
    ) -> Reading | Unknown:
        """Return what the resource shows, in full where its ``nodes`` were read."""
        if resource.problem:
            return Unknown(f"its resource cannot be understood: {resource.problem}")
        if resource.observed_generation is None and not resource.conditions:
            return Unknown("its operator has not said anything of it yet; is one running that watches its namespace?")
        releases = _releases(resource, nodes)
        if isinstance(releases, Unknown):
            return releases
        wanted = _release(resource.version) if resource.version else releases[-1]
        if wanted is None:
            return Unknown(f"its spec.kafka.version is {resource.version!r}, which is no release such as 4.3.1")
        level, wanted_level = self._level(resource.level), self._level(resource.metadata_version)
        answered = resource.observed_generation == resource.generation
        failure = _failure(resource.conditions) if answered else None
        told = resource.running is None or _release(resource.running) == wanted
        arrived = told and releases[0] == releases[-1] == wanted and self._has_arrived(resource)
        ready = resource.condition("Ready") is not None
        operator = operator_of(resource, operators)
        busy = not_done(resource, operator)
        findings = [*_failures(failure), *_warnings(resource.conditions), *_missing(nodes)]
        return Reading(
            release=releases[0],
            highest=releases[-1],
            wanted=wanted,
            token=resource.token,
            settled=answered and ready and arrived and not resource.is_paused and not busy and failure is None,
            findings=tuple(findings),
            metadata_version=level,
            wanted_metadata=wanted_level,
            zookeeper=resource.zookeeper,
            full=nodes is not None,
            kafka_id=resource.kafka_id,
            held=_held(resource),
            fleet=resource.annotations.get(marks.FLEET),
            owner=owner_of(resource, take_over=self.take_over),
            refused=failure.message if failure is not None and failure.reason in REFUSALS else None,
            changed_by=max(resource.writers, key=lambda writer: writer.time).name if resource.writers else "",
            progress=_progress(nodes, wanted) or busy or self._level_progress(resource),
            supported=supported_for(resource, operator),
        )

    def _has_arrived(self, resource: KafkaResource) -> bool:
        """Tell whether the level that is asked for is there; one that no release here has is told by its name alone."""
        asked, level = self._level(resource.metadata_version), self._level(resource.level)
        if not resource.metadata_version or resource.metadata_version == resource.level:
            return True
        return asked is not None and level is not None and level >= asked

    def _level_progress(self, resource: KafkaResource) -> str:
        """Say that another level is asked for; a person may have asked for one that no release here has."""
        if self._has_arrived(resource):
            return ""
        asked = self._level(resource.metadata_version) or f"{resource.metadata_version}, which no known release has"
        return f"metadata.version {resource.level or 'unknown'} to become {asked}"

    def _level(self, name: str | None) -> MetadataVersion | None:
        """Return a level by its name; ``4.3`` means the newest of that line (``MetadataVersion.fromVersionString``)."""
        if not name:
            return None
        if name in self.levels or not _SHORT_LEVEL.fullmatch(name):
            return self.levels.get(name)
        of_line = [level for known, level in self.levels.items() if known.startswith(f"{name}-")]
        return max(of_line, default=None)


def _releases(resource: KafkaResource, nodes: Nodes | None) -> tuple[KafkaVersion, ...] | Unknown:
    """Return what runs, lowest first; the pods know best."""
    if nodes is not None and nodes.pods:
        told = {pod.name: _release_of(pod) for pod in nodes.pods}
        unclear = sorted(name for name, release in told.items() if release is None)
        if unclear:
            return Unknown(f"what runs in {unclear[0]} cannot be told: its annotation and its image do not agree")
        return tuple(sorted(release for release in told.values() if release is not None))
    running = _release(resource.running)
    if running is None:
        return Unknown("its status does not say what it runs; it is paused, or its first roll is not done")
    return (running,)


def _release_of(pod: Pod) -> KafkaVersion | None:
    """Return what a pod runs: what its operator noted, unless its image says otherwise."""
    noted, tag = _release(pod.release), _IMAGE_RELEASE.search(pod.image)
    by_image = None if tag is None else _release(tag[1])
    return noted if by_image is None or noted == by_image else None


def _release(text: str | None) -> KafkaVersion | None:
    try:
        return KafkaVersion.parse(text or "")
    except ValueError:
        return None


def _failure(conditions: Sequence[Condition]) -> Condition | None:
    """Return why the last reconciliation failed; that a new cluster is being made is no failure."""
    for each in conditions:
        if each.holds and each.type == "NotReady" and each.reason != "Creating":
            return each
        if each.holds and each.type == "Warning" and each.reason == "MetadataUpdateFailed":
            return each
    return None


def _failures(failure: Condition | None) -> Iterator[Finding]:
    """Yield a failure that the operator tries to get over by itself; a refusal is told as one."""
    if failure is not None and failure.reason not in REFUSALS:
        yield Finding("operator_failed", Severity.BLOCK, f"{failure.reason}: {failure.message}"[:DETAIL_LENGTH_MAX])


def _warnings(conditions: Sequence[Condition]) -> Iterator[Finding]:
    for each in conditions:
        if each.holds and each.type == "Warning" and each.reason not in EXPECTED_WARNINGS:
            yield Finding("operator_warns", Severity.WARN, f"{each.reason}: {each.message}"[:DETAIL_LENGTH_MAX])


def _missing(nodes: Nodes | None) -> Iterator[Finding]:
    """Yield how many nodes are not there, or not ready, of those that should be."""
    if nodes is None:
        return
    if nodes.wanted == 0:
        told = "nobody tells how many nodes there should be: found neither a node pool nor spec.kafka.replicas"
        yield Finding("nodes_missing", Severity.WAIT, told)
    away = sorted(pod.name for pod in nodes.pods if not pod.is_ready)
    ready = len(nodes.pods) - len(away)
    if ready < nodes.wanted:
        named = f": {', '.join(away[:EXAMPLES_MAX])}" if away else ""
        detail = f"{ready} of {nodes.wanted} nodes are ready{named}"
        yield Finding("nodes_missing", Severity.WAIT, detail)


def _held(resource: KafkaResource) -> str | None:
    """Return why a person keeps it where it is: in words of theirs, or by pausing its operator."""
    hold = resource.annotations.get(marks.HOLD)
    if hold is not None:
        return hold
    if resource.deleting:
        return "its resource is being deleted"
    return f"its operator is paused; remove the annotation {PAUSE}" if resource.is_paused else None


def _progress(nodes: Nodes | None, wanted: KafkaVersion) -> str:
    if nodes is None:
        return ""
    there, count = sum(pod.is_ready and _release(pod.release) == wanted for pod in nodes.pods), len(nodes.pods)
    return "" if there == count == (nodes.wanted or count) else f"{there} of {nodes.wanted or count} brokers"
