"""Asks for another release, or another level, by one patch that holds only for the state that was observed.

The release and the pinned level go in the same write, so that no operator raises the level with the roll. Every write
is tried on the server first (``dryRun=All``): what admission would refuse is then refused before anything began.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from controller import typedjson
from controller.errors import ApplyInDoubt, ApplyRefused
from controller.fleets import marks
from controller.fleets.strimzi.resources import KafkaResource, decode_resource
from controller.kube.api import WRITER, KubeApi
from controller.kube.faults import KubeError, Refused
from controller.model.plan import Start
from controller.versions import KafkaVersion, MetadataVersion

REPORTER = "wavefleet.io/controller"

_log = structlog.get_logger(__name__)


class Writer:
    """Writes to the resources of one API server."""

    def __init__(self, api: KubeApi, levels: Mapping[str, MetadataVersion]) -> None:
        self._api = api
        self._levels = levels

    def start(self, start: Start, path: str, now: datetime) -> None:
        """Ask for ``start.target`` at ``path``, as ``FleetSource.start`` says."""
        found = self._found(start, path)
        if _is_taken(start, found):
            return
        self._require(start, found)
        self._try(start, path)
        try:
            changed = decode_resource(self._api.patch(path, wish(start)))
        except KubeError as error:
            if error.may_have_arrived:
                raise ApplyInDoubt(f"{start.cluster}: {error}") from error
            raise ApplyRefused(f"{start.cluster}: {error}") from error
        except typedjson.UNREADABLE as error:
            raise ApplyInDoubt(f"{start.cluster}: {self._api.name} answered with no Kafka resource") from error
        self._tell(start, changed, now)

    def _found(self, start: Start, path: str) -> KafkaResource:
        try:
            return decode_resource(self._api.get(path))
        except Refused as error:
            gone = "is gone: " if error.says_gone else ""
            raise ApplyRefused(f"{start.cluster}: {gone}{error}") from error
        except (KubeError, *typedjson.UNREADABLE) as error:
            raise ApplyRefused(f"{start.cluster}: {error}") from error

    def _require(self, start: Start, found: KafkaResource) -> None:
        """Refuse what the server cannot: it knows of no fleets, and of no level that is never lowered."""
        mark = found.annotations.get(marks.FLEET)
        if mark not in (None, start.fleet):
            raise ApplyRefused(f"{start.cluster}: belongs to the fleet {mark!r}, not to {start.fleet!r}")
        if found.token != start.token:
            raise ApplyRefused(f"{start.cluster}: its resource was changed since it was read; look again")
        finalized = self._levels.get(found.level or "")
        if isinstance(start.target, MetadataVersion) and finalized is not None and start.target < finalized:
            raise ApplyRefused(
                f"{start.cluster}: metadata.version is {finalized} and is never lowered to {start.target}"
            )

    def _try(self, start: Start, path: str) -> None:
        try:
            self._api.patch(path, wish(start), dry_run=True)
        except KubeError as error:
            raise ApplyRefused(f"{start.cluster}: {error}") from error

    def _tell(self, start: Start, resource: KafkaResource, now: datetime) -> None:
        """Leave an Event on the resource, for whoever looks at it there; that is worth no failure."""
        namespace = resource.namespace
        try:
            self._api.create(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event(start, resource, now))
        except KubeError as error:
            _log.info("event_not_written", cluster=start.cluster, why=str(error))


def _is_taken(start: Start, found: KafkaResource) -> bool:
    """Tell whether an earlier try of this very start was taken, its answer perhaps lost.

    One that pins the level was so only where the level is pinned: somebody else may have asked for the release alone.
    """
    asks = found.version if isinstance(start.target, KafkaVersion) else found.metadata_version
    pinned = start.pinned is None or found.metadata_version == str(start.pinned)
    return found.annotations.get(marks.FLEET) == start.fleet and asks == str(start.target) and pinned


def wish(start: Start) -> dict[str, Any]:
    """Return the merge patch of ``start``; its ``resourceVersion`` is the condition (409 where it does not hold)."""
    kafka: dict[str, str] = {}
    if isinstance(start.target, MetadataVersion):
        kafka["metadataVersion"] = str(start.target)
    else:
        kafka["version"] = str(start.target)
        if start.pinned is not None:
            kafka["metadataVersion"] = str(start.pinned)
    return {
        "metadata": {"resourceVersion": start.token, "annotations": {marks.FLEET: start.fleet}},
        "spec": {"kafka": kafka},
    }


def event(start: Start, resource: KafkaResource, now: datetime) -> dict[str, Any]:
    """Return what is said on the resource (``events.k8s.io/v1``)."""
    what = "metadata.version" if isinstance(start.target, MetadataVersion) else "Kafka"
    reason = "Finalize" if isinstance(start.target, MetadataVersion) else "Upgrade"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{resource.name[:200]}.wavefleet-", "namespace": resource.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Normal",
        "reason": reason,
        "action": reason,
        "note": f"{what} {start.release_from} to {start.target}, asked for by fleet {start.fleet}, group {start.group}",
        "reportingController": REPORTER,
        "reportingInstance": WRITER,
        "regarding": {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "Kafka",
            "name": resource.name,
            "namespace": resource.namespace,
        },
    }
