"""Which releases a person declared urgent for a group: that shortens soaks, and opens windows where it says so.

It never touches health, hops, limits, approvals or order, nor any finalization.
"""

from fnmatch import fnmatchcase

from controller.core.draft import Draft
from controller.history.records import RolloutKind, RolloutRecord
from controller.model.declaration import ClusterGroup, Expedite


def expedited(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None) -> tuple[Expedite, ...]:
    """Return what expedites the group's way to its release now; nothing expedites a finalization."""
    if rollout is not None and rollout.kind is not RolloutKind.SOFTWARE:
        return ()
    release = group.target if rollout is None else rollout.target
    return tuple(
        each
        for each in draft.snapshot.declaration.expedite
        if each.version == release
        and draft.now < each.until
        and any(fnmatchcase(group.name, pattern) for pattern in each.groups)
    )
