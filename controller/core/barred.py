"""Whom only a person can let go on: held, not ours alone, or beyond what its operator supports.

On the way to what lies between, nobody waits for such a cluster: it would hold its whole group.
"""

from controller.core.draft import Draft
from controller.core.gates.identity import belonging, identity
from controller.core.gates.operator import operator
from controller.model.declaration import ClusterGroup
from controller.model.observation import Reading
from controller.model.verdict import Hold, Verdict
from controller.versions import KafkaVersion, Target


def is_held(draft: Draft, group: ClusterGroup, name: str) -> bool:
    """Tell whether a person holds the cluster, in Git or by annotation."""
    reading = draft.reading(name)
    return bool(draft.holds_in_git(group, name)) or (isinstance(reading, Reading) and reading.held is not None)


def identity_of(draft: Draft, group: ClusterGroup, name: str, reading: Reading) -> Verdict:
    """Ask whether the cluster belongs to this fleet and this group, and to nobody else."""
    membership = draft.membership
    claimed_by = membership.claimed_twice.get(name, ())
    twice = name in membership.seen_twice
    verdict = identity(reading, draft.snapshot.declaration.fleet, claimed_by, seen_twice=twice)
    if isinstance(verdict, Hold) or claimed_by:
        return verdict
    return belonging(group.name, membership.owner.get(name))


def is_barred(draft: Draft, group: ClusterGroup, name: str, target: Target) -> bool:
    """Tell whether only a person can let the cluster, which could be read, go to ``target``."""
    reading = draft.reading(name)
    assert isinstance(reading, Reading), (name, reading)
    unsupported = isinstance(target, KafkaVersion) and isinstance(operator(target, reading.supported), Hold)
    return is_held(draft, group, name) or unsupported or isinstance(identity_of(draft, group, name, reading), Hold)
