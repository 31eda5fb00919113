"""Levels of metadata.version under a keeper, with real processes and a cluster that is always well."""

import socket
import time
from pathlib import Path

import pytest

from controller.lab.cluster_view import ClusterUnreachable, LevelRefused, finalize_level
from controller.labfiles import OperatorState
from tests.lab.keepings import Keeping, look
from tests.lab.labs import LEVEL_OF_NEW, LEVEL_OF_OLD, NEW, OLD, a_cluster, brokers_killed, wait_until

SILENT_SECONDS = 30
"""After which the live fleet takes an operator for dead."""

pytestmark = pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture
def well(keeping: Keeping) -> Keeping:
    """A cluster of two brokers that are ready on the old release."""
    keeping.keeper = keeping.a_keeper(answers=True)
    keeping.look_until(state=OperatorState.READY)
    return keeping


def test_a_level_is_finalized_and_told_before_the_cluster_is_ready_again(tmp_path: Path) -> None:
    """
    The status says what is done while it is, and the new level once it was seen.
    """
    keeping = Keeping(tmp_path, release=NEW)
    keeping.keeper = keeping.a_keeper(answers=True)
    with brokers_killed(keeping.directory):
        keeping.look_until(state=OperatorState.READY)
        keeping.want(NEW, level=LEVEL_OF_NEW)

        keeping.keeper.look()
        status = keeping.status()
        assert (2, OperatorState.ROLLING) == (status.observed_generation, status.state)
        assert ("finalizing metadata.version at level 30", LEVEL_OF_OLD) == (status.message, status.metadata_level)
        status = keeping.look_until(state=OperatorState.READY)

    assert (2, LEVEL_OF_NEW) == (status.observed_generation, status.metadata_level)
    assert [(LEVEL_OF_NEW, (NEW, NEW))] == keeping.finalizations


def test_a_level_that_is_asked_for_with_a_release_is_finalized_after_the_whole_roll(well: Keeping) -> None:
    """
    Safety: no broker of another release is left when the level is raised.
    """
    well.want(NEW, level=LEVEL_OF_NEW)
    look(well, 1)
    well.look_until(state=OperatorState.READY)

    assert [(LEVEL_OF_NEW, (NEW, NEW))] == well.finalizations
    assert (NEW, LEVEL_OF_NEW) == (well.status().lowest, well.status().metadata_level)


def test_a_level_that_the_release_does_not_serve_is_refused_in_a_sentence(well: Keeping) -> None:
    """
    No broker is asked for it, every process stays, and a release that serves it ends the refusal.
    """
    before = well.pids()
    well.want(OLD, level=LEVEL_OF_NEW)

    refused = well.look_until(state=OperatorState.REFUSED)
    assert (
        "metadata.version cannot be finalized at level 30: Apache Kafka 4.1.2 serves at most 27;"
        " roll the cluster to 4.3 or newer first"
    ) == refused.message
    assert (2, before, []) == (refused.observed_generation, well.pids(), well.finalizations)

    well.want(NEW)
    well.look_until(state=OperatorState.READY)
    assert [(LEVEL_OF_NEW, (NEW, NEW))] == well.finalizations


def test_a_level_that_the_brokers_refuse_is_told_in_their_words_and_asked_once(well: Keeping) -> None:
    """
    What only they can know is a refusal too.
    """
    well.trouble = LevelRefused("metadata.version cannot be finalized at level 27: controller 3 is not registered")
    well.level = 25
    well.want(OLD, level=LEVEL_OF_OLD)

    refused = well.look_until(state=OperatorState.REFUSED)
    look(well, 3)

    assert str(well.trouble) == refused.message
    assert 1 == len(well.finalizations)


def test_a_finalization_without_an_answer_is_asked_again(well: Keeping) -> None:
    """
    Nobody knows whether it was done, so the next look tells, and where it was not it is asked again.
    """
    well.trouble = ClusterUnreachable("no answer: KafkaTimeoutError")
    well.level = 25
    well.want(OLD, level=LEVEL_OF_OLD)

    def asked_again() -> bool:
        look(well, 1)
        return len(well.finalizations) >= 2

    wait_until(asked_again, "it was asked again")
    assert OperatorState.ROLLING == well.status().state

    well.trouble = None

    assert LEVEL_OF_OLD == well.look_until(state=OperatorState.READY).metadata_level


def test_the_next_operator_goes_on_with_a_level_that_was_asked_for(well: Keeping) -> None:
    """
    All that matters is in the file and in the cluster, so the operator may be killed before and after the call.
    """
    well.trouble = ClusterUnreachable("killed")
    well.level = 25
    well.want(OLD, level=LEVEL_OF_OLD)
    look(well, 1)

    well.trouble = None
    well.keeper = well.a_keeper(answers=True)
    well.look_until(state=OperatorState.READY)
    well.keeper = well.a_keeper(answers=True)
    look(well, 2)

    assert [LEVEL_OF_OLD] * 2 == [level for level, _ in well.finalizations]
    assert OperatorState.READY == well.status().state


def test_a_level_below_the_finalized_one_is_nothing_to_do(well: Keeping) -> None:
    """
    A level is never lowered: what somebody raised beyond the wish stays, and the cluster is ready.
    """
    well.level = 33
    well.want(OLD, level=LEVEL_OF_OLD)
    look(well, 1)

    assert 33 == well.look_until(state=OperatorState.READY).metadata_level
    assert [] == well.finalizations


def test_a_cluster_that_is_down_or_mute_is_not_finalized_and_does_not_hold_its_operator_up() -> None:
    """
    Nobody who listens, and one who never answers: both are told within the client's own limits.
    """
    cluster = a_cluster(brokers=1)
    with pytest.raises(ClusterUnreachable, match="no broker accepts connections"):
        finalize_level(cluster.brokers, LEVEL_OF_NEW)

    (place,) = cluster.brokers
    with socket.create_server((place.host, place.port)):
        began = time.monotonic()
        with pytest.raises(ClusterUnreachable, match="no answer"):
            finalize_level(cluster.brokers, LEVEL_OF_NEW)

    assert time.monotonic() - began < SILENT_SECONDS
