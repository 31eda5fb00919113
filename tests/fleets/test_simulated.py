"""The simulated fleet: how an upgrade goes by the clock, and how its state is kept."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.errors import ApplyRefused, ObservationError
from controller.fleets.simulated import SimulatedSource
from controller.model.inventory import FaultKind, Inventory
from controller.model.observation import Reading, Severity
from tests.builders import (
    HOUR,
    LEVEL_41,
    MINUTE,
    MOMENT,
    NEW,
    NOON,
    OLD,
    a_fault,
    a_simulated_cluster,
    a_start,
    an_inventory,
    release,
)

NEWER = "4.4.0"


def a_source(inventory: Inventory | None = None, state_file: Path | None = None) -> SimulatedSource:
    """A simulated fleet that begins at noon."""
    source = SimulatedSource("sim", inventory or an_inventory(), state_file)
    source.read(frozenset(), NOON)
    return source


def seen(source: SimulatedSource, now: datetime, cluster: str = "sim/a-1") -> Reading:
    """What a cluster that can be read shows."""
    reading = source.read(frozenset(), now).clusters[cluster].reading
    assert isinstance(reading, Reading), reading
    return reading


def test_brokers_roll_one_after_another_then_the_cluster_settles() -> None:
    """
    Three brokers of four minutes and two minutes to settle: each step shows at its very moment, not before.
    """
    source = a_source()
    source.start(a_start(), NOON)

    for after, progress, lowest, highest, settled in (
        (timedelta(0), "0 of 3 brokers", OLD, OLD, False),
        (4 * MINUTE - MOMENT, "0 of 3 brokers", OLD, OLD, False),
        (4 * MINUTE, "1 of 3 brokers", OLD, NEW, False),
        (12 * MINUTE - MOMENT, "2 of 3 brokers", OLD, NEW, False),
        (12 * MINUTE, "3 of 3 brokers", NEW, NEW, False),
        (14 * MINUTE - MOMENT, "3 of 3 brokers", NEW, NEW, False),
        (14 * MINUTE, "", NEW, NEW, True),
    ):
        reading = seen(source, NOON + after)
        shown = (reading.progress, reading.release, reading.highest, reading.settled)
        assert (progress, release(lowest), release(highest), settled) == shown, after
        assert release(NEW) == reading.wanted


def test_partitions_are_under_replicated_until_the_cluster_has_settled() -> None:
    """
    What every roll brings about is told as something to wait for, and is gone at the end.
    """
    source = a_source()
    source.start(a_start(), NOON)

    for after in (timedelta(0), 5 * MINUTE, 13 * MINUTE):
        (finding,) = seen(source, NOON + after).findings
        assert ("under_replicated", Severity.WAIT) == (finding.id, finding.severity)
    assert () == seen(source, NOON + 14 * MINUTE).findings


def test_metadata_version_stays_where_it_is() -> None:
    """
    An upgrade moves the binaries alone.
    """
    source = a_source()
    source.start(a_start(), NOON)

    assert LEVEL_41 == seen(source, NOON + HOUR).metadata_version


def test_a_cluster_without_a_metadata_version_is_a_zookeeper_one() -> None:
    """
    The inventory gives no level to clusters of ZooKeeper.
    """
    source = a_source(an_inventory(a_simulated_cluster(runs="3.9.1", metadata_version=None)))

    assert seen(source, NOON).zookeeper
    assert seen(source, NOON).metadata_version is None


def test_another_wish_in_the_middle_rolls_on_from_the_mix() -> None:
    """
    Brokers that have rolled keep their release until it is their turn again; none is forgotten.
    """
    source = a_source()
    source.start(a_start(), NOON)
    source.start(a_start(target=release(NEWER), token="2"), NOON + 5 * MINUTE)

    at_once = seen(source, NOON + 5 * MINUTE)
    assert (release(OLD), release(NEW), release(NEWER)) == (at_once.release, at_once.highest, at_once.wanted)
    after_one = seen(source, NOON + 9 * MINUTE)
    assert (release(OLD), release(NEWER)) == (after_one.release, after_one.highest)
    assert "1 of 3 brokers" == after_one.progress
    assert release(NEWER) == seen(source, NOON + 19 * MINUTE).release
    assert seen(source, NOON + 19 * MINUTE).settled


def test_going_back_in_the_middle_rolls_only_those_that_went_ahead() -> None:
    """
    One of three brokers had rolled, so one rolls back.
    """
    source = a_source()
    source.start(a_start(), NOON)
    source.start(a_start(target=release(OLD), token="2"), NOON + 5 * MINUTE)

    assert "2 of 3 brokers" == seen(source, NOON + 5 * MINUTE).progress
    assert not seen(source, NOON + 11 * MINUTE - MOMENT).settled
    assert seen(source, NOON + 11 * MINUTE).settled


def test_the_token_changes_with_each_wish() -> None:
    """
    The token is the generation of the wish, and says nothing of the brokers.
    """
    source = a_source()
    assert "1" == seen(source, NOON).token
    source.start(a_start(), NOON)

    assert {"2"} == {seen(source, NOON + minutes * MINUTE).token for minutes in (0, 5, 13, 60)}


def test_asking_for_what_is_asked_already_marks_and_changes_nothing_else() -> None:
    """
    A cluster that others moved to the target is taken in by a start without being rolled again.
    """
    others = a_fault(FaultKind.CHANGED_BY_OTHERS, at=MINUTE, kafka_version=release(NEW))
    source = a_source(an_inventory(faults=[others]))
    before = seen(source, NOON + HOUR)

    source.start(a_start(token=before.token), NOON + HOUR)

    assert replace(before, fleet="acme") == seen(source, NOON + HOUR)


def test_a_wish_from_before_a_change_by_others_is_refused_even_if_it_had_been_taken() -> None:
    """
    The same start again is only harmless for as long as nobody else asked for something.
    """
    others = a_fault(FaultKind.CHANGED_BY_OTHERS, at=MINUTE, kafka_version=release("4.2.1"))
    source = a_source(an_inventory(faults=[others]))
    source.start(a_start(), NOON)

    with pytest.raises(ApplyRefused, match=r"found generation 3 asking for 4\.2\.1, expected generation 1"):
        source.start(a_start(), NOON + 2 * MINUTE)


def test_a_quiet_cluster_is_handed_out_as_the_same_object() -> None:
    """
    Nothing is computed, and nothing is copied, where nothing can have changed.
    """
    source = a_source(an_inventory(a_simulated_cluster("a-1"), a_simulated_cluster("a-2")))
    source.start(a_start(), NOON)
    first = source.read(frozenset(), NOON + 5 * MINUTE).clusters
    second = source.read(frozenset(), NOON + 6 * MINUTE).clusters
    third = source.read(frozenset(), NOON + 8 * MINUTE).clusters

    assert first is second
    assert first["sim/a-2"] is third["sim/a-2"]
    assert "1 of 3 brokers" == seen_in(first["sim/a-1"].reading).progress
    assert "2 of 3 brokers" == seen_in(third["sim/a-1"].reading).progress


def seen_in(reading: object) -> Reading:
    """A reading that is none of something unknown."""
    assert isinstance(reading, Reading)
    return reading


def test_a_clock_that_steps_back_shows_what_was_then() -> None:
    """
    What a cluster shows follows from the moment asked about, also where that is an earlier one.
    """
    source = a_source()
    source.start(a_start(), NOON)
    early = seen(source, NOON + MINUTE)
    late = seen(source, NOON + HOUR)

    assert early == seen(source, NOON + MINUTE)
    assert late == seen(source, NOON + HOUR)
    before = seen(source, NOON - HOUR)
    assert (release(OLD), release(NEW), None) == (before.release, before.wanted, before.refused)


def test_clusters_come_and_go_with_the_inventory_and_the_others_go_on() -> None:
    """
    Another revision of the inventory adds and takes away clusters; an upgrade under way is not disturbed.
    """
    source = a_source()
    source.start(a_start(), NOON)
    source.replace_inventory(an_inventory(a_simulated_cluster("a-1"), a_simulated_cluster("b-1")))

    assert ["sim/a-1", "sim/b-1"] == sorted(source.read(frozenset(), NOON + 5 * MINUTE).clusters)
    assert "1 of 3 brokers" == seen(source, NOON + 5 * MINUTE).progress
    source.replace_inventory(an_inventory(a_simulated_cluster("b-1")))
    assert ["sim/b-1"] == list(source.read(frozenset(), NOON + 6 * MINUTE).clusters)
    source.replace_inventory(an_inventory(a_simulated_cluster("a-1")))
    assert seen(source, NOON + HOUR).settled
    assert release(NEW) == seen(source, NOON + HOUR).release


def test_a_process_that_was_down_sees_what_happened_meanwhile(tmp_path: Path) -> None:
    """
    Time passes for the simulated fleet whether somebody looks or not, from the moment it began.
    """
    faults = [a_fault(FaultKind.UNREACHABLE, "a-2", at=2 * HOUR)]
    inventory = an_inventory(a_simulated_cluster("a-1"), a_simulated_cluster("a-2"), faults=faults)
    a_source(inventory, tmp_path / "sim.json").start(a_start(), NOON)

    later = SimulatedSource("sim", inventory, tmp_path / "sim.json")
    clusters = later.read(frozenset(), NOON + 2 * HOUR).clusters

    assert release(NEW) == seen(later, NOON + 2 * HOUR).release
    assert not isinstance(clusters["sim/a-2"].reading, Reading)


def test_one_of_many_writers_wins_and_the_others_are_told(tmp_path: Path) -> None:
    """
    However many processes ask at once, exactly one wish is taken for one token.
    """
    sources = [a_source(state_file=tmp_path / "sim.json") for _ in range(4)]
    barrier = threading.Barrier(len(sources))
    refused: list[str] = []

    def ask(source: SimulatedSource, target: str) -> None:
        barrier.wait(10)
        try:
            source.start(a_start(target=release(target)), NOON)
        except ApplyRefused as error:
            refused.append(str(error))

    targets = ["4.2.0", "4.2.1", "4.3.0", "4.3.1"]
    threads = [threading.Thread(target=ask, args=pair) for pair in zip(sources, targets, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert 3 == len(refused), refused
    assert ["2"] * 4 == [seen(source, NOON).token for source in sources]
    assert 1 == len({seen(source, NOON).wanted for source in sources})


def test_nothing_but_the_state_and_its_lock_is_left_in_the_folder(tmp_path: Path) -> None:
    """
    Temporary files do not outlive the write that made them.
    """
    source = a_source(state_file=tmp_path / "sim.json")
    source.start(a_start(), NOON)

    assert ["sim.json", "sim.json.lock"] == sorted(path.name for path in tmp_path.iterdir())


def test_looking_only_writes_nothing(tmp_path: Path) -> None:
    """
    A command that reads neither begins a simulation nor changes one.
    """
    looking = SimulatedSource("sim", an_inventory(), tmp_path / "sim.json", read_only=True)

    assert release(OLD) == seen(looking, NOON).release
    assert [] == list(tmp_path.iterdir())
    with pytest.raises(ApplyRefused, match="reading alone"):
        looking.start(a_start(), NOON)
    a_source(state_file=tmp_path / "sim.json").start(a_start(), NOON)
    assert "1 of 3 brokers" == seen(looking, NOON + 5 * MINUTE).progress
    with pytest.raises(ApplyRefused, match="reading alone"):
        looking.start(a_start(target=release(NEWER), token="2"), NOON)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "end of input|truncated"),
        (b'{"format": 1, "source": "si', "truncated"),
        (b'{"format": 3, "source": "sim"}', "found format 3, expected 2"),
        (b'{"name": "something else"}', "missing required field"),
        (
            b'{"format": 1, "source": "sim", "startedAt": "2026-03-02T12:00Z", "clusters": {"a": {"generation": 2}}}',
            "Invalid RFC3339|missing",
        ),
        (
            (
                b'{"format": 1, "source": "sim", "startedAt": "2026-03-02T12:00:00Z",'
                b' "clusters": {"a": {"generation": 2, "release": "4.x", "brokers": []}}}'
            ),
            "'4.x' is no release",
        ),
        (b"\xff\xfe\x00", "found .*, expected the state"),
        (
            b'{"format": 1, "source": "eu", "startedAt": "2026-03-02T12:00:00Z", "clusters": {}}',
            "found the state of 'eu', expected the state of the simulated fleet 'sim'",
        ),
    ],
)
def test_a_state_file_that_cannot_be_understood_is_refused_and_kept(tmp_path: Path, content: bytes, found: str) -> None:
    """
    The sentence names the file, what was found and what to do; nothing is overwritten.
    """
    file = tmp_path / "sim.json"
    file.write_bytes(content)
    source = SimulatedSource("sim", an_inventory(), file)

    with pytest.raises(ObservationError, match=found) as raised:
        source.read(frozenset(), NOON)
    with pytest.raises(ApplyRefused, match=found):
        source.start(a_start(), NOON)

    assert str(file) in str(raised.value)
    assert "move it away" in str(raised.value)
    assert content == file.read_bytes()


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """
    A missing folder is named; nothing is simulated that would be forgotten.
    """
    source = SimulatedSource("sim", an_inventory(), tmp_path / "missing" / "sim.json")

    with pytest.raises(ObservationError, match="missing"):
        source.read(frozenset(), NOON)


def test_a_state_file_that_is_a_folder_is_told(tmp_path: Path) -> None:
    """
    What cannot be read is an error of reading, whatever it is.
    """
    with pytest.raises(ObservationError, match=r"cannot be read|cannot be written"):
        SimulatedSource("sim", an_inventory(), tmp_path).read(frozenset(), NOON)
