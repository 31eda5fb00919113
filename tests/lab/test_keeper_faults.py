"""The keeper of a cluster that is broken on purpose: it leaves alone what was broken, and goes on once it is mended."""

import signal
from pathlib import Path

from controller.lab.breaking import break_broker, mend
from controller.lab.faults import Fault, FaultKind, write_faults
from controller.lab.keeper import Patience
from controller.lab.processes import is_frozen, is_running, send
from controller.lab.records import BrokerFile, write_broker
from controller.labfiles import OperatorState
from tests.lab.keepings import Keeping, kill_broker, look
from tests.lab.labs import NEW, OLD, brokers_killed, wait_until


def test_a_broker_killed_on_purpose_stays_down_until_it_is_mended(keeping: Keeping) -> None:
    """
    However often the operator looks, and the next operator too; one that crashed beside it comes back.
    """
    look(keeping, 2)
    break_broker(keeping.directory, "lab-1", Fault(2, FaultKind.KILL), str)
    look(keeping, 3)
    keeping.keeper = keeping.a_keeper()
    kill_broker(keeping, 1)
    look(keeping, 3)

    assert is_running(keeping.broker(1).process)
    assert not is_running(keeping.broker(2).process)
    assert (OperatorState.ROLLING, "waiting for broker 2, broken on purpose, to be mended") == (
        keeping.status().state,
        keeping.status().message,
    )

    mend(keeping.directory, "lab-1", str)
    look(keeping, 2)
    assert is_running(keeping.broker(2).process)


def test_a_roll_sticks_at_a_broker_that_was_killed_in_the_middle_of_it(keeping: Keeping) -> None:
    """
    It was assigned to the new release and is down: nobody else is rolled; mended, it starts on the new release.
    """
    keeping.keeper = keeping.a_keeper(answers=True)
    keeping.look_until(state=OperatorState.READY)
    break_broker(keeping.directory, "lab-1", Fault(2, FaultKind.KILL), str)
    file = keeping.broker(2)
    write_broker(keeping.folder, 2, BrokerFile(NEW, file.release, file.process))
    keeping.want(NEW)
    look(keeping, 5)
    assert (OLD, OLD) == (keeping.broker(1).assigned, keeping.broker(1).release)
    assert not is_running(keeping.broker(2).process)

    mend(keeping.directory, "lab-1", str)
    keeping.look_until(state=OperatorState.READY)
    assert (NEW, NEW) == (keeping.broker(1).release, keeping.broker(2).release)


def test_a_stopped_broker_that_is_to_end_is_not_killed_for_its_silence(keeping: Keeping) -> None:
    """
    A roll asks it to end, which it cannot hear; it stays as it is for longer than all patience, and goes on mended.
    """
    patience = Patience(stop_kill_seconds=0, rest_seconds=0.1)
    keeping.keeper = keeping.a_keeper(patience, answers=True)
    keeping.look_until(state=OperatorState.READY)
    break_broker(keeping.directory, "lab-1", Fault(2, FaultKind.STOP), str)
    keeping.want(NEW)
    wait_until(lambda: _says(keeping, "waiting for broker 2 to shut down in order"), "broker 2 was asked to end")
    look(keeping, 3)
    assert is_frozen(keeping.broker(2).process)

    mend(keeping.directory, "lab-1", str)
    keeping.look_until(state=OperatorState.READY)
    assert (NEW, NEW) == (keeping.broker(1).release, keeping.broker(2).release)


def test_a_stopped_broker_is_not_asked_anything(keeping: Keeping) -> None:
    """
    It would only take the operator's time; to the operator it is not there.
    """
    keeping.keeper = keeping.a_keeper(answers=True)
    keeping.look_until(state=OperatorState.READY)
    break_broker(keeping.directory, "lab-1", Fault(1, FaultKind.STOP), str)
    look(keeping, 1)

    assert (2,) == keeping.asked[-1]
    assert "waiting for broker 1 to be registered and in sync" == keeping.status().message


def test_a_stopped_broker_that_ended_all_the_same_stays_down(keeping: Keeping) -> None:
    """
    As after a reboot of the machine: the fault is still written down.
    """
    look(keeping, 2)
    break_broker(keeping.directory, "lab-1", Fault(1, FaultKind.STOP), str)
    process = keeping.broker(1).process
    assert process is not None
    send(process, signal.SIGKILL)
    wait_until(lambda: not is_running(process), "the broker was dead")
    look(keeping, 3)

    assert not is_running(keeping.broker(1).process)


def test_a_full_disk_is_no_reason_to_leave_a_broker_down(keeping: Keeping) -> None:
    """
    The operator starts it again, in vain or not, as it would anywhere else.
    """
    look(keeping, 2)
    write_faults(keeping.folder, frozenset({Fault(1, FaultKind.FILL_DISK)}))
    kill_broker(keeping, 1)
    look(keeping, 2)

    assert is_running(keeping.broker(1).process)


def test_a_mended_broker_does_not_wait_for_its_failed_starts(tmp_path: Path) -> None:
    """
    Each start that came to nothing doubles the pause before the next; mending ends that patience.
    """
    keeping = Keeping(tmp_path, brokers=1)
    with brokers_killed(keeping.directory):
        keeping.keeper = keeping.a_keeper(Patience(start_pause_seconds=3600, start_pause_seconds_max=3600))
        look(keeping, 2)
        write_faults(keeping.folder, frozenset({Fault(1, FaultKind.FILL_DISK)}))
        kill_broker(keeping, 1)
        look(keeping, 2)
        assert not is_running(keeping.broker(1).process)

        mend(keeping.directory, "lab-1", str)
        look(keeping, 1)
        assert is_running(keeping.broker(1).process)


def _says(keeping: Keeping, message: str) -> bool:
    keeping.keeper.look()
    return message == keeping.status().message
