"""What we must be allowed to do on an API server, and which of it we are not; the server is asked, nothing is tried."""

from collections.abc import Iterator, Sequence

import msgspec

from controller import typedjson
from controller.fleets.strimzi.resources import GROUP
from controller.kube.api import KubeApi

Right = tuple[str, str, str]
"""API group, resource and verb."""
RIGHTS: tuple[Right, ...] = (
    *((GROUP, "kafkas", verb) for verb in ("get", "list", "watch", "patch")),
    (GROUP, "kafkanodepools", "list"),
    ("", "pods", "list"),
    ("events.k8s.io", "events", "create"),
)
"""What we cannot do without; the role in ``deploy/`` is tested against this table."""
OPTIONAL: tuple[Right, ...] = (("apps", "deployments", "list"),)
"""What we can do without: whether operators run, and what they support, is then not seen."""


class _ReviewStatus(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _ReviewStatus


def missing_rights(api: KubeApi, namespace: str | None, rights: Sequence[Right] = RIGHTS) -> Iterator[str]:
    """Yield what we may not do in ``namespace``, or in all of them together.

    Raises KubeError or one of typedjson.UNREADABLE.
    """
    for group, resource, verb in rights:
        asked = {"group": group, "resource": resource, "verb": verb, "namespace": namespace or ""}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = typedjson.decode(api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review), _Review)
        if not answer.status.allowed:
            where = "in all namespaces" if namespace is None else f"in namespace {namespace}"
            yield f"{verb} {resource}{f'.{group}' if group else ''} {where}"
