"""Groups at rest cost next to nothing: what was said of them stands until anything at all is new."""

import pytest

from controller.model.outbox import StatusState
from controller.model.verdict import HoldReason
from tests.builders import NEW, a_finding, a_reading
from tests.builders_core import a_group, a_request
from tests.core.plays import Play


def resting() -> Play:
    """One group on target, judged until nothing is new."""
    play = Play(a_group()).live("p-1", "p-2", reading=a_reading(NEW))
    for _ in range(3):
        play.cycle()
    return play


def test_a_view_at_rest_is_handed_on_as_it_is() -> None:
    """
    The same value, and nothing is recorded of it.
    """
    play = resting()
    before = play.view()
    plan = play.cycle()

    assert StatusState.SUCCESS == before.state
    assert before is play.view()
    assert () == plan.entries


@pytest.mark.parametrize("what", ["sick", "new cluster", "declaration", "halt"])
def test_anything_new_is_seen_in_its_own_cycle(what: str) -> None:
    """
    Safety: of what is seen, what is declared, and what people say.
    """
    play = resting()
    if what == "sick":
        play.show("p-1", a_reading(NEW, findings=(a_finding(),)))
    elif what == "new cluster":
        play.live("p-3")
    elif what == "declaration":
        play.declare(a_group(halted=True))
    play.cycle(*((a_request(),) if what == "halt" else ()))

    expected = {
        "sick": {HoldReason.CLUSTER_UNHEALTHY},
        "new cluster": set(),
        "declaration": {HoldReason.GROUP_HALTED},
        "halt": {HoldReason.GROUP_HALTED},
    }
    assert expected[what] == {hold.reason for hold in play.view().holds}
    assert what == "sick" or StatusState.SUCCESS is not play.view().state


def test_a_source_that_is_lost_is_seen_too() -> None:
    """
    Nobody knows whose clusters it has, so no group is taken for well.
    """
    play = resting()
    assert "prod" in play.memory.rested
    play.unreachable = {"eu": "no answer"}
    play.cycle()

    assert {} == play.memory.rested
    assert StatusState.SUCCESS is not play.view().state
