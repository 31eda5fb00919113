"""A process that dies, or a ledger that fails, at every effect boundary of a cycle: nothing changes but the time.

The cycle is the one in which the second wave starts three clusters side by side in two sources. However it ends, the
next process finds what is recorded and what is true, and brings the rollout to the same end. Every cycle on the way is
checked for all promises.
"""

from functools import cache

import pytest

from controller.model.entries import ClusterStarted, RolloutEnded, StartWithdrawn, WaveAdmitted
from tests.builders import NEW, release
from tests.simulation.play import Play
from tests.simulation.process import Incident, Point, What
from tests.simulation.quiet import no_logs
from tests.simulation.small import a_small_play, go, go_on_until, last_words, said

STARTS = 3
OF_WRITES = (Point.BEFORE_WRITE, Point.AFTER_WRITE)
DEATHS = [Incident(point, What.DIES, place) for point in OF_WRITES for place in range(STARTS)] + [
    Incident(point, What.DIES) for point in Point if point not in OF_WRITES
]
FAILURES = [Incident(point, What.LEDGER_FAILS) for point in Point if point not in OF_WRITES]
TAKEOVER = Incident(Point.AFTER_PLAN_RECORD, What.TAKEN_OVER)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> object:
    """Leave logs out."""
    with no_logs():
        yield


@cache
def undisturbed() -> tuple[int, Play]:
    """How many cycles come before the one that admits the second wave, and the play in which nothing happens."""
    play = a_small_play()
    go_on_until(play, WaveAdmitted, 2)
    cycles = play.cycles - 1
    go_on_until(play, RolloutEnded)
    return cycles, play


def play_with(incident: Incident) -> Play:
    """Play to the end, with something happening in the cycle that admits the second wave."""
    cycles, _ = undisturbed()
    play = a_small_play()
    go(play, cycles)
    play.process.incident = incident
    go(play)
    assert play.broken_cycles == 1, "nothing happened"
    go_on_until(play, RolloutEnded)
    go(play)
    return play


@pytest.mark.parametrize(
    "incident", [*DEATHS, *FAILURES, TAKEOVER], ids=lambda each: f"{each.what} {each.point} {each.place}"
)
def test_whatever_happens_at_an_effect_boundary_changes_nothing_but_the_time(incident: Incident) -> None:
    """
    Every cluster is asked once and reaches the target, the same waves are admitted, and people read the same.
    """
    play = play_with(incident)

    assert all(cluster.runs(release(NEW)) for cluster in play.fleet.clusters.values())
    assert {2} == {cluster.generation for cluster in play.fleet.clusters.values()}
    assert 2 == said(play, WaveAdmitted)
    _, calm = undisturbed()
    assert last_words(calm.told) == last_words(play.told)


@pytest.mark.parametrize(
    ("incident", "untaken"),
    [
        (Incident(Point.BEFORE_PLAN_RECORD, What.DIES), 0),
        (Incident(Point.AFTER_PLAN_RECORD, What.DIES), 3),
        (Incident(Point.BEFORE_WRITE, What.DIES, 1), 2),
        (Incident(Point.AFTER_WRITE, What.DIES, 1), 1),
        (Incident(Point.AFTER_WRITE, What.DIES, 2), 0),
        (Incident(Point.BEFORE_OUTCOME_RECORD, What.DIES), 0),
    ],
    ids=lambda each: f"{each.point} {each.place}" if isinstance(each, Incident) else str(each),
)
def test_a_recorded_start_that_was_not_written_is_withdrawn_and_planned_anew(incident: Incident, untaken: int) -> None:
    """
    What was recorded and never written counts as in flight until it can no longer be; then it goes through every gate.
    """
    play = play_with(incident)

    assert untaken == said(play, StartWithdrawn)
    assert len(play.fleet.clusters) + untaken == said(play, ClusterStarted)


def test_a_process_that_dies_in_every_second_cycle_gets_there_too() -> None:
    """
    Liveness: no progress hangs on what only a process knows.
    """
    play = a_small_play()
    for number in range(80):
        if number % 2:
            play.process.incident = Incident(list(Point)[number % len(Point)], What.DIES)
        go(play)

    assert all(cluster.runs(release(NEW)) for cluster in play.fleet.clusters.values())
    assert 1 == said(play, RolloutEnded)
