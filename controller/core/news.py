"""What is new since the last cycle: what that one worked out of the rest stands, and is not worked out again.

Values are compared by identity, which errs on the safe side: an equal one that was read anew counts as news. Nothing
is taken over that depends on the time. All of it only saves work, and a test judges again without it.
"""

from collections.abc import Iterable, Mapping

from controller.core.drift import drift_of
from controller.core.membership import assign, belongs_as_before
from controller.history.records import RolloutRecord
from controller.model.declaration import ClusterGroup
from controller.model.drift import Drift
from controller.model.membership import Membership
from controller.model.observation import ObservedCluster
from controller.model.snapshot import Snapshot


class News:
    """What one cycle's snapshot has that the last one's had not."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._memory, clusters = snapshot.memory, snapshot.observation.clusters
        known = self._memory.known
        self._is_same_list = self._memory.declaration is snapshot.declaration and known.keys() == clusters.keys()
        changed = [name for name, cluster in clusters.items() if known.get(name) is not cluster]
        self.membership = self._membership(snapshot, changed)
        self._changed: dict[str | None, list[str]] = {}
        """By group: its clusters that show anything new."""
        for name in changed:
            self._changed.setdefault(self.membership.owner.get(name), []).append(name)
        self.is_none = self.is_old_membership and not changed
        """Every cluster shows what it showed."""

    @property
    def is_old_membership(self) -> bool:
        """Every cluster belongs where it belonged."""
        return self.membership is self._memory.membership

    def _membership(self, snapshot: Snapshot, changed: list[str]) -> Membership:
        clusters, known, before = snapshot.observation.clusters, self._memory.known, self._memory.membership
        if before is None or not self._is_same_list:
            return assign(snapshot.declaration.groups, clusters, self._memory.ids)
        if all(belongs_as_before(clusters[name], known[name], before) for name in changed):
            return before
        return assign(snapshot.declaration.groups, clusters, self._memory.ids)

    def drifts(self, groups: Iterable[ClusterGroup], clusters: Mapping[str, ObservedCluster]) -> Mapping[str, Drift]:
        """Return how each group stands to its release."""
        before = self._memory.drifts
        return {
            group.name: drift_of(self.membership.groups.get(group.name, ()), clusters, group.target)
            if self.is_of(group.name)
            else before[group.name]
            for group in groups
        }

    def is_of(self, group: str) -> bool:
        """Tell whether any cluster of the group shows anything new, or belongs to it only now."""
        return not self.is_old_membership or group in self._changed

    def is_in(self, rollout: RolloutRecord) -> bool:
        """Tell whether anything was decided of the rollout since the last cycle began, or its group has news."""
        return not self.is_as_before(rollout) or self.is_of(rollout.group)

    def members(self, rollout: RolloutRecord) -> Iterable[str]:
        """Return the rollout's clusters that show anything new; all of them where anything was decided of it."""
        if not self.is_as_before(rollout):
            return rollout.clusters
        return [name for name in self._changed.get(rollout.group, ()) if name in rollout.clusters]

    def is_as_before(self, rollout: RolloutRecord) -> bool:
        """Tell whether nothing was decided of the rollout since the last cycle began, and its group is the same."""
        return self.is_old_membership and self._memory.rollouts.get(rollout.id) is rollout
