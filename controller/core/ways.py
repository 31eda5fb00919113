"""Asks of one cluster's way up or down: is the hop legal, is its risk accepted, does its operator support it?

Also why a cluster above its target stays there. The rules themselves are those of ``core.hops``.
"""

from collections.abc import Iterator

from controller.core import hops
from controller.core.draft import Draft
from controller.core.gates.hop import hop
from controller.core.gates.operator import operator
from controller.core.steps import was_taken_to
from controller.history.records import ClusterState, RolloutKind, RolloutRecord, Way
from controller.model.declaration import ClusterGroup
from controller.model.durations import format_moment
from controller.model.observation import Reading
from controller.model.verdict import PASS, Answer, Hold, HoldReason, Verdict
from controller.versions import KafkaVersion, MetadataVersion, Target


def way_on(draft: Draft, group: ClusterGroup, rollout: RolloutRecord | None, name: str) -> Iterator[Answer]:
    """Ask whether the cluster, which could be read, may go up to the rollout's target; without one, the group's."""
    target: Target = group.target if rollout is None else rollout.target
    reading = draft.reading(name)
    assert isinstance(reading, Reading), (name, reading)
    if isinstance(target, MetadataVersion):
        row = draft.catalog.releases.get(reading.release)
        served = None if row is None else row.metadata_version
        serves = served is not None and served >= target
        illegal = None if serves else f"it runs {reading.release}, which serves at most {served}, not {target}"
        if reading.metadata_version is None:
            illegal = f"its metadata.version could not be read, so nobody can tell whether {target} raises it"
        elif reading.metadata_version >= target:
            illegal = f"its metadata.version is {reading.metadata_version} already"
        yield Answer("hop", hop(illegal, None, group.accept_risks))
        if rollout is not None and rollout.way is Way.FORWARD:
            yield Answer("soak", _soaked(draft, group, name))
        return
    first: Target = target
    if reading.release >= target:
        yield Answer("hop", above_target(draft, group, name, target))
    else:
        way = draft.hop_of(group, reading)
        first = way.target if rollout is None and isinstance(way, hops.Hop) else target
        is_direct = isinstance(way, hops.Hop) and way.target == target == group.target
        illegal = None if is_direct else hops.illegal_hop(hops.Position.of(reading), target, draft.catalog)
        if illegal is not None and isinstance(way, hops.DeadEnd):
            illegal = way.why
        risk = hops.OLD_CLIENTS_RISK if hops.crosses_to_4x(reading.release, target) else None
        yield Answer("hop", hop(illegal, risk, group.accept_risks))
    yield Answer("operator", PASS if isinstance(first, MetadataVersion) else operator(first, reading.supported))


def _soaked(draft: Draft, group: ClusterGroup, name: str) -> Verdict:
    """Hold a level on the way, which is never lowered, until the cluster has soaked, or for as long as it had to.

    Nobody credits the soak of a rollout that was superseded.
    """
    release, number, at = draft.recall.arrived.get(name, (None, 0, draft.now))
    rollout = draft.recall.rollouts.get(number)
    record = None if rollout is None else rollout.clusters.get(name)
    until = at + group.strategy.waves[-1].soak
    if release is None or draft.now >= until or (record is not None and record.state is ClusterState.SOAKED):
        return PASS
    detail = f"it reached {release} {format_moment(at, draft.now)}, and its rollout ended before it had soaked"
    return Hold(HoldReason.SOAKING, detail, recheck_at=until)


def taken_here(reading: Reading, target: Target) -> Verdict:
    """Hold what others took further up than the rollout to ``target`` did: it takes down only what it took up."""
    if not isinstance(target, KafkaVersion) or reading.highest <= target:
        return PASS
    detail = f"it runs {reading.highest}, above {target}, to which this rollout took it, and is left there"
    return Hold(HoldReason.AHEAD_OF_TARGET, detail)


def way_back(draft: Draft, name: str, reading: Reading, to: KafkaVersion) -> Iterator[Answer]:
    """Ask whether the cluster may go down to ``to``."""
    illegal = hops.illegal_return(hops.Position.of(reading), to, draft.catalog, _finalized(draft, name))
    yield Answer("hop", hop(illegal, None, frozenset()))
    yield Answer("operator", operator(to, reading.supported))


def _finalized(draft: Draft, name: str) -> str:
    """Say when this ledger last saw the cluster's metadata.version finalized."""
    moments = [
        record.converged_at
        for rollout in draft.recall.rollouts.values()
        if rollout.kind is RolloutKind.METADATA and (record := rollout.clusters.get(name)) is not None
        if record.converged_at is not None
    ]
    return format_moment(max(moments), draft.now) if moments else "before this ledger saw it"


def above_target(draft: Draft, group: ClusterGroup, name: str, target: KafkaVersion) -> Hold:
    """Return why a cluster stays above its target: others took it there, or the way down is shut."""
    reading = draft.reading(name)
    assert isinstance(reading, Reading), (name, reading)
    if was_taken_to(draft, name, reading.highest, by=group.name):
        illegal = hops.illegal_return(hops.Position.of(reading), target, draft.catalog, _finalized(draft, name))
        if illegal is not None:
            return Hold(HoldReason.NO_LEGAL_HOP, illegal)
        detail = (
            f"it runs {reading.highest}, above the target {target}, and goes down once the running rollout has ended"
        )
        return Hold(HoldReason.WAVE_UNDER_WAY, detail)
    detail = f"it runs {reading.highest}, above the target {target}, and is left there"
    return Hold(HoldReason.AHEAD_OF_TARGET, detail)
