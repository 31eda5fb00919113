"""The promises about what becomes of starts: halts bind, failures stop, and nothing is told that was not seen.

Rules as in ``rules_starts``; shares no code with the core.
"""

from collections.abc import Iterator

from controller.history import entries as e
from controller.history.records import Outcome, StopKind
from controller.model.declaration import ClusterGroup, OnFailure
from controller.model.outbox import StatusState
from controller.versions import Target
from tests.simulation.book import Book, RolloutNote, declared, is_claimed_twice, members_of, way_of
from tests.simulation.scene import Scene, runs


def halt_sticks(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """After a halt nothing starts in that group but its own downgrade, nor elsewhere for a suspect release."""
    if not isinstance(entry, e.ClusterStarted):
        return
    rollout, way = book.rollouts[entry.rollout], way_of(book, entry)
    group = declared(scene, rollout)
    halts = book.open_stops(kind=StopKind.HALT)
    ours = [stop for stop in halts if stop.scope == rollout.group]
    for stop in halts:
        number = f"{stop.scope}-{stop.number}"
        if stop.scope == "fleet" or (stop.scope == rollout.group and way != "back"):
            yield f"started while {number} is open"
        elif way != "back" and stop.suspect in (rollout.target, group.target) and number not in group.accept_risks:
            yield f"started although {number} makes {stop.suspect} suspect"
    reading, arrived = scene.reading(entry.cluster), book.arrived.get(entry.cluster)
    if way in ("on", "between") and reading is not None and arrived is not None and reading.release < arrived:
        yield f"started although others took it down from {arrived}, and nobody has looked at that"
    if way == "back":
        yield from _own_downgrade(rollout, group, entry, ours)
    forgiven = (StopKind.QUARANTINE,) if way == "down" else ()
    if any(stop.cluster == entry.cluster and stop.kind not in forgiven for stop in book.open_stops()):
        yield "started although the cluster itself is stopped"


def _own_downgrade(
    rollout: RolloutNote, group: ClusterGroup, entry: e.ClusterStarted, halts: list[e.Stopped]
) -> Iterator[str]:
    """See that a start backwards is of a wave that broke the budget, in a group that says so, and no person's halt."""
    if group.strategy.on_failure is not OnFailure.DOWNGRADE:
        yield f"sent back although {group.name} only halts"
    if any(stop.suspect is None for stop in halts):
        yield "sent back although a person halted the group"
    wave = rollout.clusters[entry.cluster].wave
    if not any(stop.rollout == entry.rollout and stop.wave == wave for stop in halts):
        yield f"sent back although no halt is about wave {wave}"


def failures_stop(book: Book, scene: Scene) -> Iterator[str]:
    """Failures past the budget, or any in the first wave, halt in the very cycle in which they are seen."""
    if not scene.entries:
        return
    for rollout in book.rollouts.values():
        group = scene.group(rollout.group)
        fresh = [name for name, note in rollout.clusters.items() if note.state == "failed" and note.ill]
        halted = any(stop.suspect for stop in book.open_stops(rollout.group, StopKind.HALT))
        if fresh and group is not None and not halted:
            yield f"{rollout.group}: {fresh} failed, are not quarantined, and the group is not halted"
        if rollout.outcome is not None or group is None:
            continue
        size = group.strategy.failure_budget
        budget = size.count if size.percent is None else rollout.live * size.percent // 100
        first = any(note.wave == 1 and name in rollout.failed for name, note in rollout.clusters.items())
        assert budget is not None, size
        if (first or len(rollout.failed) > budget) and not halted:
            yield f"{rollout.group} goes on after {sorted(rollout.failed)} failed"


def record_first(book: Book, scene: Scene, entry: e.Entry) -> Iterator[str]:
    """Nothing is reported done before it was observed (that nothing is applied unrecorded, the fleet watches)."""
    if isinstance(entry, e.ClusterConverged):
        rollout = book.rollouts[entry.rollout]
        group = scene.group(rollout.group)
        needed = 3 if group is None else group.samples
        samples = book.samples(entry.cluster, rollout.target)
        if samples < needed:
            yield f"converged after {samples} of {needed} samples"
    if isinstance(entry, e.ClusterReturned | e.ClusterQuarantined):
        yield from _is_back(book, scene, entry)
    if isinstance(entry, e.ClusterFailed):
        yield from _failed_for_a_reason(book, scene, entry)
    if isinstance(entry, e.RolloutEnded) and entry.outcome is Outcome.CONVERGED:
        states = {note.state for note in book.rollouts[entry.rollout].clusters.values()}
        elsewhere = _elsewhere(book, scene, entry.group, entry.target)
        if states - {"soaked"} or (not states and elsewhere):
            yield f"ended converged with {states or f'nobody, while {elsewhere} do not run it'}"


def _is_back(book: Book, scene: Scene, entry: e.ClusterReturned | e.ClusterQuarantined) -> Iterator[str]:
    """See that what is called back was seen where it came from, well for as long as it must be."""
    rollout = book.rollouts[entry.rollout]
    note, group = rollout.clusters[entry.cluster], scene.group(rollout.group)
    needed = 3 if group is None else group.samples
    samples = book.samples(entry.cluster, note.aim)
    if note.state == "downgrading" and samples < needed:
        yield f"called back on {note.aim} after {samples} of {needed} samples"


def _failed_for_a_reason(book: Book, scene: Scene, entry: e.ClusterFailed) -> Iterator[str]:
    rollout = book.rollouts[entry.rollout]
    group, reading, note = scene.group(rollout.group), scene.reading(entry.cluster), rollout.clusters[entry.cluster]
    if note.state in ("converged", "soaked"):
        if book.sick.get(entry.cluster, 0) < (3 if group is None else group.samples):
            yield f"failed after {book.sick.get(entry.cluster, 0)} sick samples"
    elif reading is not None and reading.refused is None and group is not None:
        assert note.started_at is not None, note
        if scene.now < note.started_at + group.strategy.deadline:
            yield f"failed before its deadline, started {note.started_at}"


def told_truly(book: Book, scene: Scene) -> Iterator[str]:
    """Success is said of a group only where every one of its clusters was seen on target."""
    if scene.plan is None:
        return
    for view in scene.plan.groups:
        elsewhere = _elsewhere(book, scene, view.name, view.target)
        if view.state is StatusState.SUCCESS and elsewhere:
            yield f"{view.name} is called a success while {elsewhere} do not run {view.target}"


def _elsewhere(book: Book, scene: Scene, name: str, target: Target) -> list[str]:
    """Return the clusters that a group alone claims and that were not seen on its target."""
    group = scene.group(name)
    assert group is not None, name
    elsewhere = [each for each in members_of(book, group) if not runs(scene.reading(each), target)]
    return [each for each in elsewhere if not is_claimed_twice(book, scene, each)]
