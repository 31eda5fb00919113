"""Who else writes a cluster's version: a tool that applies it from Git would take ours back at its next look.

Argo CD and Flux mark what they apply, by a label or an annotation; whoever else applies from outside is found among the
writers of the field (server-side apply). People who edited it once by hand own nothing.
"""

from controller.fleets.strimzi.resources import TRACKED_BY_ARGO_CD, KafkaResource
from controller.kube.api import WRITER

_ARGO_CD = "argocd.argoproj.io/instance"
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_TOOLS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}
"""By the name under which each writes."""
_BY_HAND = ("kubectl", WRITER)

_CHANGE = {
    "Argo CD": "ignore /spec/kafka/version and /spec/kafka/metadataVersion there (ignoreDifferences, with"
    " RespectIgnoreDifferences)",
    "Flux": "leave spec.kafka.version and spec.kafka.metadataVersion out of what it applies",
}


def owner_of(resource: KafkaResource, *, take_over: bool) -> str | None:
    """Return who owns the version, and what to change; None where nobody does, or it is to be taken over."""
    if resource.image:
        return f"its spec.kafka.image is {resource.image}, and another version would not change what runs; remove it"
    tool = None if take_over else _tool_of(resource)
    if tool is None:
        return None
    change = _CHANGE.get(tool, "leave spec.kafka.version and spec.kafka.metadataVersion to this fleet there")
    return f"{tool} writes its version, and would take it back: {change}, and set takeOver: true for the source"


def _tool_of(resource: KafkaResource) -> str | None:
    if _ARGO_CD in resource.labels or TRACKED_BY_ARGO_CD in resource.annotations:
        return "Argo CD"
    if any(label in resource.labels for label in _FLUX):
        return "Flux"
    for writer in resource.writers:
        if writer.name in _TOOLS:
            return _TOOLS[writer.name]
        if writer.operation == "Apply" and not writer.name.startswith(_BY_HAND):
            return writer.name
    return None
