"""The keeper of one cluster with real processes and a Java that is a script: starts, adopts, refuses, gives account."""

from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.keeper import Patience
from controller.lab.processes import is_running
from controller.lab.records import BrokerFile, broker_folder, write_broker
from controller.labfiles import (
    OperatorState,
)
from tests.lab.keepings import Keeping, kill_broker, look
from tests.lab.labs import (
    BROKEN,
    LEVEL_OF_NEW,
    LEVEL_OF_OLD,
    NEW,
    OLD,
    brokers_killed,
    wait_until,
)

pytestmark = pytest.mark.filterwarnings(r"ignore:(read|open)_text is deprecated:DeprecationWarning")


def test_the_first_looks_start_every_broker_on_the_wanted_release(keeping: Keeping) -> None:
    """
    A lab that was only made comes up, and the status says what was done and that it is not done yet.
    """
    keeping.keeper.look()
    assert (OperatorState.ROLLING, "starting brokers 1, 2") == (keeping.status().state, keeping.status().message)

    keeping.keeper.look()
    status = keeping.status()
    assert ("waiting for the cluster to answer", 1, 2) == (
        status.message,
        status.observed_generation,
        status.brokers_on_wanted,
    )
    assert (OLD, OLD, OLD) == (status.release, status.lowest, status.highest)
    assert all(is_running(keeping.broker(number).process) for number in (1, 2))


def test_a_crashed_broker_comes_back_on_its_own_release(keeping: Keeping) -> None:
    """
    Whatever is wanted, what crashed is restarted as it was; a roll is another matter.
    """
    look(keeping, 2)
    keeping.want(NEW)
    first = keeping.broker(1)
    kill_broker(keeping, 1)

    look(keeping, 2)
    assert OLD == keeping.broker(1).release
    assert first.process != keeping.broker(1).process
    assert is_running(keeping.broker(1).process)


def test_a_new_operator_adopts_running_brokers(keeping: Keeping) -> None:
    """
    After the death of an operator the next one finds the brokers by their records and starts none twice.
    """
    look(keeping, 2)
    before = [keeping.broker(number) for number in (1, 2)]

    keeping.keeper = keeping.a_keeper()
    look(keeping, 2)

    assert before == [keeping.broker(number) for number in (1, 2)]


def test_a_roll_that_was_cut_off_after_the_stop_goes_on(keeping: Keeping) -> None:
    """
    The operator died between stopping a broker and starting it again: the next one starts it on its new release.
    """
    look(keeping, 2)
    keeping.want(NEW)
    file = keeping.broker(2)
    write_broker(keeping.folder, 2, BrokerFile(NEW, file.release, file.process))
    kill_broker(keeping, 2)

    keeping.keeper = keeping.a_keeper()
    look(keeping, 2)

    assert (OLD, NEW) == (keeping.broker(1).release, keeping.broker(2).release)
    assert (OLD, NEW) == (keeping.status().lowest, keeping.status().highest)
    assert 1 == keeping.status().brokers_on_wanted


def test_a_broker_that_ends_again_and_again_is_told_with_its_last_words(tmp_path: Path) -> None:
    """
    A release that does not start is reported as failed, and why; the operator goes on trying, with pauses.
    """
    keeping = Keeping(tmp_path, brokers=1, release=BROKEN)
    with brokers_killed(keeping.directory):
        status = keeping.look_until(state=OperatorState.FAILED)

    assert status.message.startswith(f"broker 1 ended 3 times after its start on {BROKEN}: ")
    assert status.message.endswith("ERROR the disk is on fire")


def test_a_broker_that_cannot_start_comes_back_when_the_old_release_is_wanted_again(tmp_path: Path) -> None:
    """
    The way back before finalization works also when the new release never came up.
    """
    keeping = Keeping(tmp_path, brokers=1, release=BROKEN)
    with brokers_killed(keeping.directory):
        keeping.look_until(state=OperatorState.FAILED)
        keeping.saw_level(LEVEL_OF_OLD)
        keeping.want(OLD)

        def came_back() -> bool:
            keeping.keeper.look()
            return OLD == keeping.broker(1).release

        wait_until(came_back, "the old release was started")


@pytest.mark.parametrize(
    ("level", "wanted", "sentence"),
    [
        (
            LEVEL_OF_NEW,
            OLD,
            "metadata.version is finalized at level 30, Apache Kafka 4.1.2 runs 7 to 27, so its brokers",
        ),
        (6, NEW, "metadata.version is finalized at level 6, Apache Kafka 4.3.1 runs 7 or higher"),
        (LEVEL_OF_OLD, "4.3", "release: found '4.3', expected an Apache Kafka release such as 4.3.1"),
        (LEVEL_OF_OLD, "2.8.2", "release: found 2.8.2, expected 3.3.0 or newer"),
        (LEVEL_OF_OLD, "4.2.1", "Apache Kafka is fetched by Maven: found no mvn"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_broker_is_touched(
    tmp_path: Path, level: int, wanted: str, sentence: str
) -> None:
    """
    Safety: a downgrade behind a finalized level, a word that is no release and a release that cannot be had are
    refused with a sentence, and every process stays.
    """
    keeping = Keeping(tmp_path, release=NEW if wanted == OLD else OLD)
    with brokers_killed(keeping.directory):
        look(keeping, 2)
        keeping.saw_level(level)
        before = keeping.pids()
        keeping.want(wanted)

        status = keeping.look_until(state=OperatorState.REFUSED)
        look(keeping, 2)

        assert status.message.startswith(sentence)
        assert 2 == status.observed_generation
        assert before == keeping.pids()


def test_a_refusal_ends_when_something_else_is_wanted(keeping: Keeping) -> None:
    """
    A refused generation says nothing about the next one.
    """
    look(keeping, 2)
    keeping.saw_level(LEVEL_OF_OLD)
    keeping.want("4.3")
    keeping.look_until(state=OperatorState.REFUSED)

    keeping.want(OLD)

    assert 3 == keeping.look_until(state=OperatorState.ROLLING).observed_generation


def test_a_roll_waits_for_a_level_that_nobody_has_seen(keeping: Keeping) -> None:
    """
    Unknown holds: before a cluster has told its metadata.version no broker is rolled.
    """
    look(keeping, 2)
    before = keeping.pids()
    keeping.want(NEW)

    look(keeping, 3)

    assert "waiting for the cluster to answer" == keeping.status().message
    assert before == keeping.pids()


def test_a_move_that_comes_to_nothing_is_told_as_trouble(keeping: Keeping) -> None:
    """
    A cluster that never answers does not stay ``rolling`` for ever.
    """
    keeping.keeper = keeping.a_keeper(Patience(move_trouble_seconds=0.05))
    look(keeping, 2)

    status = keeping.look_until(state=OperatorState.FAILED)

    assert "waiting for the cluster to answer for more than 0.05 seconds" == status.message


def test_a_wish_that_cannot_be_read_is_told_and_touches_nothing(keeping: Keeping) -> None:
    """
    A spoiled ``wanted.json`` is trouble of generation 0; the brokers go on.
    """
    look(keeping, 2)
    before = keeping.pids()
    (keeping.folder / "wanted.json").write_text("{")

    with pytest.raises(LabError) as error:
        keeping.keeper.look()
    keeping.keeper.say_trouble(str(error.value))

    status = keeping.status()
    assert (0, OperatorState.FAILED, before) == (status.observed_generation, status.state, keeping.pids())
    assert "wanted.json: found" in status.message


def test_a_broker_whose_release_left_the_cache_does_not_keep_the_others_from_starting(keeping: Keeping) -> None:
    """
    One broker's trouble is told after the others had their turn.
    """
    broker_folder(keeping.folder, 1).mkdir(exist_ok=True)
    write_broker(keeping.folder, 1, BrokerFile(assigned="4.2.1"))

    with pytest.raises(LabError, match="found no mvn"):
        keeping.keeper.look()

    assert is_running(keeping.broker(2).process)


def test_the_status_is_written_at_changes_and_dated(keeping: Keeping) -> None:
    """
    An unchanged status is not rewritten at once; each carries the moment it was written.
    """
    look(keeping, 2)
    first = (keeping.folder / "status.json").stat().st_ino

    keeping.keeper.look()

    assert "2026-03-02T12:00:00Z" == keeping.status().updated_at
    assert first == (keeping.folder / "status.json").stat().st_ino
