"""How a simulated cluster's metadata.version is raised: when, what holds it up, and how that is remembered."""

from datetime import timedelta
from pathlib import Path
from typing import Unpack

import pytest

from controller.errors import ApplyRefused
from controller.fleets.simulated import SimulatedSource
from controller.history.records import RolloutKind
from controller.model.inventory import Fault, FaultKind
from controller.model.observation import Reading
from controller.model.plan import Start
from controller.versions import MetadataVersion
from tests.builders import (
    HOUR,
    LEVEL_41,
    LEVEL_43,
    MINUTE,
    MOMENT,
    NEW,
    NOON,
    OLD,
    FaultParts,
    StartParts,
    a_fault,
    a_simulated_cluster,
    a_start,
    an_inventory,
    release,
)
from tests.fleets.simulated_fleets import OTHER, READY, a_fleet, known_at

SETTLE = 2 * MINUTE
LEVEL_44 = MetadataVersion(33, "4.4-IV0", changes_metadata=True)
NOTHING = timedelta(0)


def a_finalization(level: MetadataVersion = LEVEL_43, **parts: Unpack[StartParts]) -> Start:
    """A start that raises the level of the usual cluster."""
    filled: StartParts = {"kind": RolloutKind.METADATA, "release_from": LEVEL_41, **parts}
    return a_start(target=level, **filled)


def a_finalizing(*faults: Fault) -> SimulatedSource:
    """A fleet on the new release whose cluster was asked at noon for the new level."""
    source = a_fleet(*faults, clusters=(a_simulated_cluster(runs=NEW),))
    source.start(a_finalization(), NOON)
    return source


def shown(reading: Reading) -> tuple[MetadataVersion | None, bool, str]:
    """The finalized level, whether the cluster is settled, and how far it is."""
    return reading.metadata_version, reading.settled, reading.progress


def test_a_level_is_finalized_after_the_time_that_the_cluster_takes_to_settle() -> None:
    """
    Two minutes: unsettled from the first moment to the last, and then at the new level; no broker is under-replicated.
    """
    source = a_finalizing()

    for after in (NOTHING, SETTLE - MOMENT):
        assert (LEVEL_41, False, "finalizing 4.3-IV0") == shown(known_at(source, after))
        assert known_at(source, after).healthy
    assert (LEVEL_43, True, "") == shown(known_at(source, SETTLE))
    assert LEVEL_43 == known_at(source, HOUR).wanted_metadata


def test_a_level_that_is_asked_for_during_a_roll_waits_for_its_end() -> None:
    """
    Only once every broker runs the release asked for, and has settled, is the level raised.
    """
    source = a_fleet()
    source.start(a_start(), NOON)
    source.start(a_finalization(token="2"), NOON + MINUTE)

    rolling = known_at(source, READY - MOMENT)
    assert (LEVEL_41, False, "3 of 3 brokers") == shown(rolling)
    assert (LEVEL_41, False, "finalizing 4.3-IV0") == shown(known_at(source, READY))
    assert (LEVEL_43, True, "") == shown(known_at(source, READY + SETTLE))


def test_a_stuck_roll_is_never_finalized() -> None:
    """
    A cluster of two releases stays at its level.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True))
    source.start(a_start(), NOON)
    source.start(a_finalization(token="2"), NOON + MINUTE)

    assert LEVEL_41 == known_at(source, 1000 * HOUR).metadata_version


def test_a_cluster_of_zookeeper_has_nothing_to_finalize() -> None:
    """
    It is refused with the reason, and nothing is asked for.
    """
    source = a_fleet(clusters=(a_simulated_cluster(runs="3.9.1", metadata_version=None),))

    with pytest.raises(ApplyRefused, match="runs with ZooKeeper"):
        source.start(a_finalization(), NOON)
    assert ("1", None) == (known_at(source, HOUR).token, known_at(source, HOUR).wanted_metadata)


def test_asking_for_the_level_that_is_asked_for_already_changes_nothing_else() -> None:
    """
    A start from the state of now is taken, under the same token, and begins nothing anew.
    """
    source = a_finalizing()
    before = known_at(source, HOUR)

    source.start(a_finalization(token=before.token), NOON + HOUR)

    assert before == known_at(source, HOUR)


def test_a_level_that_is_finalized_already_is_taken_and_done() -> None:
    """
    Nothing is left to do, so the cluster stays settled.
    """
    source = a_fleet(clusters=(a_simulated_cluster(runs=NEW, metadata_version=LEVEL_43),))

    source.start(a_finalization(), NOON)

    assert (LEVEL_43, True, "") == shown(known_at(source, NOTHING))
    assert LEVEL_43 == known_at(source, NOTHING).wanted_metadata


def test_a_higher_level_goes_on_from_the_one_before() -> None:
    """
    Levels are raised one after another; each is kept while the next one is under way.
    """
    source = a_finalizing()
    source.start(a_finalization(LEVEL_44, token="2"), NOON + HOUR)

    assert (LEVEL_43, False, "finalizing 4.4-IV0") == shown(known_at(source, HOUR))
    assert (LEVEL_44, True, "") == shown(known_at(source, HOUR + SETTLE))


def test_an_operator_refuses_a_level_until_the_fault_ends() -> None:
    """
    A fault that happens at a time concerns whatever is asked in that time; the sentence names the level.
    """
    source = a_finalizing(a_fault(FaultKind.REFUSED, at=NOTHING, lasts=HOUR))

    refused = known_at(source, HOUR - MOMENT)
    assert ("operator refuses 4.3-IV0 (simulated)", False) == (refused.refused, refused.settled)
    assert known_at(source, HOUR).refused is None
    assert (LEVEL_41, False, "finalizing 4.3-IV0") == shown(known_at(source, HOUR + SETTLE - MOMENT))
    assert (LEVEL_43, True, "") == shown(known_at(source, HOUR + SETTLE))


def test_an_operator_that_refuses_for_good_never_finalizes() -> None:
    """
    A fault without an end lasts.
    """
    reading = known_at(a_finalizing(a_fault(FaultKind.REFUSED, at=NOTHING)), 1000 * HOUR)

    assert (LEVEL_41, "operator refuses 4.3-IV0 (simulated)") == (reading.metadata_version, reading.refused)


def test_a_finalization_is_stuck_for_as_long_as_the_fault_lasts() -> None:
    """
    A minute was done when the fault began; the other one is done after its end.
    """
    source = a_finalizing(a_fault(FaultKind.STUCK, at=MINUTE, lasts=HOUR))

    assert (LEVEL_41, False, "finalizing 4.3-IV0") == shown(known_at(source, HOUR + SETTLE - MOMENT))
    assert (LEVEL_43, True, "") == shown(known_at(source, HOUR + SETTLE))
    never = a_finalizing(a_fault(FaultKind.STUCK, at=MINUTE))
    assert LEVEL_41 == known_at(never, 1000 * HOUR).metadata_version


@pytest.mark.parametrize(
    "when",
    [{"during_upgrade": True}, {"during_upgrade": True, "at": NOTHING}, {"at": NOTHING, "release": release(NEW)}],
)
@pytest.mark.parametrize("kind", [FaultKind.STUCK, FaultKind.REFUSED])
def test_faults_of_upgrades_leave_finalizations_alone(kind: FaultKind, when: FaultParts) -> None:
    """
    ``during: upgrade`` and ``release`` speak of rolls.
    """
    assert (LEVEL_43, True, "") == shown(known_at(a_finalizing(a_fault(kind, **when)), SETTLE))


def test_an_unreachable_cluster_takes_no_level() -> None:
    """
    Nobody can write to what nobody can reach.
    """
    source = a_fleet(a_fault(FaultKind.UNREACHABLE, at=HOUR, lasts=HOUR))

    with pytest.raises(ApplyRefused, match="no broker answers"):
        source.start(a_finalization(), NOON + HOUR)
    assert known_at(source, 2 * HOUR).wanted_metadata is None


def test_what_others_do_to_the_release_goes_on_beside_the_level() -> None:
    """
    They set a release and put back what they found, whether or not a level is asked for in between.
    """
    others = a_fault(FaultKind.CHANGED_BY_OTHERS, at=HOUR, lasts=10 * HOUR, kafka_version=release(OTHER))
    source = a_fleet(others)
    token = known_at(source, 2 * HOUR).token
    source.start(a_finalization(token=token), NOON + 2 * HOUR)

    changed, back = known_at(source, 3 * HOUR), known_at(source, 12 * HOUR)
    assert (release(OTHER), LEVEL_43) == (changed.release, changed.metadata_version)
    assert (release(OLD), LEVEL_43) == (back.release, back.metadata_version)
    assert [1, 1] == [
        int(later) - int(before) for before, later in ((token, changed.token), (changed.token, back.token))
    ]


def test_a_level_that_others_cut_into_is_finalized_after_their_roll() -> None:
    """
    It is still asked for, and the operator turns to it once every broker runs what others set.
    """
    source = a_finalizing(a_fault(FaultKind.CHANGED_BY_OTHERS, at=MINUTE, kafka_version=release("4.4.0")))

    assert (LEVEL_41, LEVEL_43) == (known_at(source, READY).metadata_version, known_at(source, READY).wanted_metadata)
    assert LEVEL_41 == known_at(source, MINUTE + READY + SETTLE - MOMENT).metadata_version
    assert (LEVEL_43, True, "") == shown(known_at(source, MINUTE + READY + SETTLE))


def test_a_release_that_pins_nothing_leaves_the_level_to_be_finalized_after_its_roll() -> None:
    """
    Only a write that pins withdraws what is not done.
    """
    source = a_finalizing()
    source.start(a_start(target=release("4.4.0"), token="2"), NOON + MINUTE)

    assert LEVEL_43 == known_at(source, MINUTE).wanted_metadata
    assert LEVEL_43 == known_at(source, MINUTE + READY + SETTLE).metadata_version


def test_a_way_down_keeps_the_level() -> None:
    """
    The brokers go back, the level cannot: whether that is allowed was judged before.
    """
    source = a_finalizing()
    source.start(a_start(target=release(OTHER), release_from=release(NEW), token="2", pinned=LEVEL_43), NOON + HOUR)

    back = known_at(source, HOUR + READY)

    assert (release(OTHER), LEVEL_43, True) == (back.highest, back.metadata_version, back.settled)


def test_a_state_of_a_release_that_knew_no_levels_is_read(tmp_path: Path) -> None:
    """
    A fleet that was begun before goes on, and its state then says that it remembers levels.
    """
    file = tmp_path / "sim.json"
    file.write_text(
        '{"format": 1, "source": "sim", "startedAt": "2026-03-02T12:00:00Z", "clusters": {"a-1": {"generation": 2,'
        ' "release": "4.3.1", "brokers": [["4.1.2", 3]], "askedAt": "2026-03-02T12:00:00Z", "mark": "acme"}}}'
    )
    source = SimulatedSource("sim", an_inventory(), file)
    rolled = known_at(source, HOUR)
    assert (release(NEW), LEVEL_41, None) == (rolled.release, rolled.metadata_version, rolled.wanted_metadata)

    source.start(a_finalization(token="2"), NOON + HOUR)

    assert '{"format":2,' == file.read_text()[:12]
    finalized = known_at(SimulatedSource("sim", an_inventory(), file), HOUR + SETTLE)
    assert (release(NEW), LEVEL_43) == (finalized.release, finalized.metadata_version)
    assert finalized.metadata_version is not None
    assert finalized.metadata_version.changes_metadata
