"""Whole rolls by the keeper, with real processes, a Java that is a script, and a cluster that is always well."""

from pathlib import Path

import pytest

from controller.lab.keeper import Patience
from controller.lab.processes import is_running
from controller.lab.records import broker_folder
from controller.labfiles import (
    OperatorState,
)
from tests.lab.keepings import Keeping, kill_broker, look
from tests.lab.labs import (
    FETCH,
    NEW,
    OLD,
    STUBBORN,
    brokers_killed,
    wait_until,
)

pytestmark = pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning")


def test_a_whole_roll_fetches_the_release_and_takes_one_broker_at_a_time(tmp_path: Path) -> None:
    """
    From the wish to ready: never is more than one of three brokers away, and the active controller goes last.
    """
    keeping = Keeping(tmp_path, brokers=3, maven=FETCH)
    keeping.keeper = keeping.a_keeper(answers=True)
    with brokers_killed(keeping.directory):
        keeping.look_until(state=OperatorState.READY)
        keeping.want(NEW)
        order: list[tuple[str, ...]] = []

        def rolled() -> bool:
            keeping.keeper.look()
            order.append(tuple(str(keeping.broker(number).release) for number in (1, 2, 3)))
            assert 2 <= sum(is_running(keeping.broker(number).process) for number in (1, 2, 3))
            return (2, OperatorState.READY) == (keeping.status().observed_generation, keeping.status().state)

        wait_until(rolled, "the roll was over")

    assert [(OLD, OLD, OLD), (OLD, NEW, OLD), (OLD, NEW, NEW), (NEW, NEW, NEW)] == [*dict.fromkeys(order)]
    status = keeping.status()
    assert (3, f"every broker runs {NEW} and is in sync") == (status.brokers_on_wanted, status.message)
    assert 1 == keeping.tools.maven_runs


def test_a_broker_that_never_ends_is_told_long_before_it_is_killed(tmp_path: Path) -> None:
    """
    A controlled shutdown that hangs is trouble first; only after the long limit is the broker killed and rolled.
    """
    keeping = Keeping(tmp_path, brokers=1, release=STUBBORN)
    patience = Patience(stop_trouble_seconds=0.2, stop_kill_seconds=1.0, rest_seconds=0.1)
    keeping.keeper = keeping.a_keeper(patience, answers=True)
    with brokers_killed(keeping.directory):
        keeping.look_until(state=OperatorState.READY)
        output = broker_folder(keeping.folder, 1) / "logs" / "output.log"
        wait_until(lambda: "ready" in output.read_text(), "the broker ignored SIGTERM")
        keeping.want(NEW)

        told = keeping.look_until(state=OperatorState.FAILED)
        assert told.message.startswith(
            "broker 1 has not ended 0.2 seconds after it was asked to by SIGTERM; it is killed"
        )
        assert is_running(keeping.broker(1).process)
        keeping.look_until(state=OperatorState.READY)

    assert NEW == keeping.broker(1).release


def test_a_ready_cluster_is_looked_at_without_being_asked_each_time(keeping: Keeping) -> None:
    """
    At rest the files and processes are enough for most looks; a crash is seen at the very next one.
    """
    keeping.keeper = keeping.a_keeper(Patience(rest_seconds=60), answers=True)
    keeping.look_until(state=OperatorState.READY)
    look(keeping, 2)
    assert OperatorState.READY is keeping.status().state

    kill_broker(keeping, 2)
    look(keeping, 1)

    assert (OperatorState.ROLLING, "starting broker 2") == (keeping.status().state, keeping.status().message)
