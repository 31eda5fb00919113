"""Which words stand until a person acts, and which are the last of their kind."""

import pytest

from controller.model.outbox import CommitStatus, StatusState
from controller.model.verdict import STANDS_STILL, Hold, HoldReason
from tests.builders_core import REVISION


@pytest.mark.parametrize("reason", HoldReason)
def test_a_group_stands_still_where_only_a_person_lifts_a_hold_of_the_whole_of_it(reason: HoldReason) -> None:
    """
    A hold of one cluster alone keeps nobody else from moving.
    """
    hold = Hold(reason, "why")

    assert (reason in STANDS_STILL) == hold.stands_still
    assert not hold.of("sim/p-1").stands_still


@pytest.mark.parametrize(
    ("state", "final"),
    [
        (StatusState.SUCCESS, True),
        (StatusState.ERROR, True),
        (StatusState.PENDING, False),
        (StatusState.FAILURE, False),
    ],
)
def test_success_and_error_are_last_words(state: StatusState, *, final: bool) -> None:
    """
    A failure is mended by a person, and then told anew.
    """
    assert final == CommitStatus(REVISION, "wavefleet/prod", state, "x").is_final
