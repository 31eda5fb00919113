"""The promises on declarations and fleets that hypothesis draws, and shrinks to a case that a person can read.

Beside the plays of the simulation's worlds: here every choice is a value of its own, so that what breaks a promise ends
as a few clusters, a few words, and a story of a few lines.
"""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from controller.history import entries as e
from controller.history.records import RolloutKind, Way
from controller.model.verdict import HoldReason
from controller.versions import KafkaVersion
from tests.properties.cases import Case, Moment, Stage, cases, story
from tests.properties.watching import PROMISES, Watch

CYCLES = 30
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
ENOUGH = settings(QUICK, max_examples=400, phases=[Phase.generate], database=None)
SHRINKING = settings(QUICK, max_examples=500, database=None)


def broken(case: Case, promise: str) -> str:
    """Play a case; return what breaks the promise, with the story that led there, or nothing."""
    watch, moments = Watch(), []
    for moment in Stage(case).play(CYCLES):
        moments.append(moment)
        for broken_promise, why in watch.look(moment):
            if broken_promise == promise:
                return f"{promise}: {why}\n{story(moments)}"
    return ""


@pytest.mark.parametrize("promise", PROMISES)
@QUICK
@given(case=cases(CYCLES))
def test_no_case_breaks(promise: str, case: Case) -> None:
    """
    Safety: whatever is declared and happens, no plan breaks this promise.
    """
    assert broken(case, promise) == ""


def a_finalization(moment: Moment) -> bool:
    """Somebody is started for a level that its group proved."""
    planned = [entry for entry in moment.plan.entries if isinstance(entry, e.RolloutPlanned)]
    return any(entry.way is Way.FINALIZE for entry in planned)


def a_level_on_the_way(moment: Moment) -> bool:
    """Somebody is started for the floor of 4.x."""
    planned = [entry for entry in moment.plan.entries if isinstance(entry, e.RolloutPlanned)]
    return any(entry.kind is RolloutKind.METADATA and entry.way is Way.FORWARD for entry in planned)


def a_way_back(moment: Moment) -> bool:
    """A wave goes back where it came from."""
    moves = [(start.target, start.release_from) for start in moment.plan.starts]
    return any(isinstance(to, KafkaVersion) and isinstance(at, KafkaVersion) and to < at for to, at in moves)


def a_lower_target(moment: Moment) -> bool:
    """A group goes down."""
    planned = [entry for entry in moment.plan.entries if isinstance(entry, e.RolloutPlanned)]
    return any(entry.way is Way.DOWN for entry in planned)


def held_for_its_twin(moment: Moment) -> bool:
    """Somebody waits for the one that stands in for it."""
    return any(hold.reason is HoldReason.NEVER_TOGETHER for view in moment.plan.groups for hold in view.holds)


def an_open_breaker(moment: Moment) -> bool:
    """Too much is unavailable."""
    return any(hold.reason is HoldReason.BREAKER_OPEN for hold in moment.plan.holds)


@pytest.mark.parametrize(
    "reached",
    [a_finalization, a_level_on_the_way, a_way_back, a_lower_target, held_for_its_twin, an_open_breaker],
    ids=lambda reached: reached.__name__,
)
def test_cases_come_to(reached: Callable[[Moment], bool]) -> None:
    """
    A property whose cases never come there would say nothing of it.
    """
    find(cases(CYCLES), lambda case: any(reached(moment) for moment in Stage(case).play(CYCLES)), settings=ENOUGH)


def test_a_case_that_breaks_something_shrinks_to_one_that_a_person_can_read() -> None:
    """
    Were it promised that no cluster ever fails, what shows it would be one cluster, one event and a few lines.
    """

    def somebody_fails(case: Case) -> bool:
        moments = Stage(case).play(3)
        return any(isinstance(entry, e.ClusterFailed) for moment in moments for entry in moment.plan.entries)

    case = find(cases(3), somebody_fails, settings=SHRINKING, random=Random(1))
    told = story(list(Stage(case).play(3)))

    ((cluster,),) = (group.clusters for group in case.groups)
    assert "a-1" == cluster.name
    assert [("a-1", "refuses")] == [(act.who, act.what) for act in case.acts]
    assert len(told.splitlines()) <= 3, told
