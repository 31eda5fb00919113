"""Breaking and mending with real processes: what is written down first, what is signalled, and what is left alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from controller.errors import LabError, UnknownLabName
from controller.lab.breaking import break_broker, drop_quorum, mend, voters_to_kill
from controller.lab.disk import FILLER
from controller.lab.down import lab_down
from controller.lab.faults import Fault, FaultKind, FaultsFile, read_faults
from controller.lab.processes import is_frozen, is_running
from controller.lab.records import BrokerFile, ProcessRecord, broker_folder, write_broker
from tests.lab.disks import small_disk
from tests.lab.labs import OLD, a_lab, a_program, started

FOREVER = "while :; do sleep 0.2; done"
NAME = "lab-1"


class Running:
    """A cluster whose brokers are scripts that run until they are ended; there is no operator."""

    def __init__(self, root: Path, stack: ExitStack, brokers: int) -> None:
        self.directory = root / "lab"
        self.folder = a_lab(self.directory, brokers=brokers)
        self.said: list[str] = []
        self.processes = [stack.enter_context(self._started(number)) for number in range(1, brokers + 1)]
        for number, process in enumerate(self.processes, start=1):
            write_broker(self.folder, number, BrokerFile(OLD, OLD, process))

    def _started(self, number: int) -> AbstractContextManager[ProcessRecord]:
        return started(a_program(broker_folder(self.folder, number), FOREVER))

    def break_broker(self, broker: int, kind: FaultKind) -> None:
        """Break one broker."""
        break_broker(self.directory, NAME, Fault(broker, kind), self.said.append)

    def mend(self) -> tuple[Fault, ...]:
        """Mend the cluster."""
        return mend(self.directory, NAME, self.said.append)

    @property
    def faults(self) -> list[tuple[int, str]]:
        """What is written down."""
        return [(fault.broker, fault.kind.value) for fault in read_faults(self.folder).faults]

    @property
    def alive(self) -> list[bool]:
        """Which brokers run."""
        return [is_running(process) for process in self.processes]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Running]:
    """A cluster of three running brokers."""
    with ExitStack() as stack:
        yield Running(tmp_path, stack, 3)


def test_a_killed_broker_is_written_down_and_gone(three: Running) -> None:
    """
    It alone; once more is harmless, and mending forgets it, twice as well as once.
    """
    three.break_broker(2, FaultKind.KILL)
    three.break_broker(2, FaultKind.KILL)

    assert [True, False, True] == three.alive
    assert [(2, "kill")] == three.faults
    assert (Fault(2, FaultKind.KILL),) == three.mend()
    assert () == three.mend()
    assert [] == three.faults
    assert any("no operator runs" in sentence for sentence in three.said)


def test_a_stopped_broker_lives_and_does_nothing_until_it_is_mended(three: Running) -> None:
    """
    SIGSTOP and SIGCONT, to exactly that process.
    """
    three.break_broker(1, FaultKind.STOP)
    assert [True, False, False] == [is_frozen(process) for process in three.processes]
    assert [True, True, True] == three.alive
    assert [(1, "stop")] == three.faults

    three.mend()
    assert [False] * 3 == [is_frozen(process) for process in three.processes]
    assert [True] * 3 == three.alive


def test_a_broker_may_be_broken_in_several_ways(three: Running) -> None:
    """
    A stopped one is killed all the same; both stand there, and one mending ends both.
    """
    three.break_broker(1, FaultKind.STOP)
    three.break_broker(1, FaultKind.KILL)

    assert [False, True, True] == three.alive
    assert [(1, "kill"), (1, "stop")] == three.faults
    assert 2 == len(three.mend())


def test_the_quorum_is_dropped_by_as_few_voters_as_it_takes(three: Running) -> None:
    """
    Two of three; a broker that is down already counts, and once more kills nobody else.
    """
    three.break_broker(1, FaultKind.KILL)
    drop_quorum(three.directory, NAME, three.said.append)
    drop_quorum(three.directory, NAME, three.said.append)

    assert [False, True, False] == three.alive
    assert [(1, "kill"), (3, "drop-quorum")] == three.faults


@pytest.mark.parametrize(("voters", "killed"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 5)])
def test_what_is_left_of_a_dropped_quorum_is_no_majority(voters: int, killed: int) -> None:
    """
    And one fewer would have left one.
    """
    chosen = voters_to_kill(tuple(range(1, voters + 1)), FaultsFile())

    assert killed == len(chosen)
    assert voters - killed <= voters // 2 < voters - killed + 1


def test_a_full_disk_is_emptied_by_mending(three: Running) -> None:
    """
    Where the log directory is a small disk of its own; the broker itself is left to find out.
    """
    with small_disk(broker_folder(three.folder, 3) / "data", megabytes=1) as disk_folder:
        three.break_broker(3, FaultKind.FILL_DISK)
        assert (disk_folder / FILLER).stat().st_size > 500_000
        assert [(3, "fill-disk")] == three.faults
        assert [True] * 3 == three.alive

        three.mend()
        assert not (disk_folder / FILLER).exists()


def test_a_disk_that_is_not_filled_is_no_fault(three: Running) -> None:
    """
    Safety: refused before anything is written down, and nothing is written to the disk.
    """
    folder = broker_folder(three.folder, 3) / "data"
    folder.mkdir()

    with pytest.raises(LabError, match="found a folder of a larger file system"):
        three.break_broker(3, FaultKind.FILL_DISK)

    assert [] == three.faults
    assert [] == [*folder.iterdir()]


def test_a_broker_that_does_not_run_cannot_be_stopped(three: Running) -> None:
    """
    There is no process to stop, and nothing is written down.
    """
    three.break_broker(2, FaultKind.KILL)

    with pytest.raises(LabError, match="broker 2 of lab-1: found no process, expected a running one to stop"):
        three.break_broker(2, FaultKind.STOP)
    assert [(2, "kill")] == three.faults


def test_a_stranger_with_an_old_pid_is_not_killed(three: Running) -> None:
    """
    Safety: a record of an earlier start does not make another program a broker.
    """
    stranger = three.processes[0]
    write_broker(three.folder, 1, BrokerFile(OLD, OLD, ProcessRecord(stranger.pid, 1, stranger.boot_id)))

    three.break_broker(1, FaultKind.KILL)

    assert [True] * 3 == three.alive


def test_names_that_the_lab_has_not_are_told_with_those_it_has(three: Running) -> None:
    """
    Of clusters and of brokers; nothing is broken.
    """
    with pytest.raises(UnknownLabName, match=r"lab-9: found no such cluster in .*, expected one of lab-1"):
        break_broker(three.directory, "lab-9", Fault(1, FaultKind.KILL), str)
    with pytest.raises(UnknownLabName, match="lab-1: found no broker 4, expected one of 1, 2, 3"):
        three.break_broker(4, FaultKind.KILL)
    assert [True] * 3 == three.alive


def test_down_mends_what_was_broken(three: Running) -> None:
    """
    A stopped broker hears that it shall end, and the lab comes up whole.
    """
    three.break_broker(1, FaultKind.STOP)
    three.break_broker(2, FaultKind.KILL)

    lab_down(three.directory, seconds_max=60)

    assert [False] * 3 == three.alive
    assert [] == three.faults
