"""What goes wrong in a simulated fleet, when, for how long, and for which clusters."""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import ApplyRefused
from controller.fleets.simulated import SimulatedSource
from controller.model.inventory import Fault, FaultKind
from controller.model.observation import Reading, Unknown
from controller.versions import MetadataVersion, Target
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
    a_fault,
    a_simulated_cluster,
    a_start,
    an_inventory,
    release,
)
from tests.fleets.simulated_fleets import OTHER, READY, a_fleet, blocking, known_at, reading_at


def test_a_bad_release_shows_late() -> None:
    """
    ``after`` counts from the end of that cluster's upgrade: healthy for as long, then not.
    """
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, release=release(NEW), after=6 * HOUR))
    source.start(a_start(), NOON)

    assert known_at(source, READY + 6 * HOUR - MOMENT).healthy
    late = known_at(source, READY + 6 * HOUR)
    assert ["offline_partitions"] == [finding.id for finding in blocking(late)]
    assert late.settled


def test_a_cluster_that_was_never_upgraded_knows_no_late_fault() -> None:
    """
    A cluster that ran the release from the start had no upgrade to count from.
    """
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, after=HOUR), clusters=(a_simulated_cluster(runs=NEW),))

    assert known_at(source, 100 * HOUR).healthy


def test_going_back_heals_what_the_release_broke() -> None:
    """
    A fault that an upgrade brought about ends with the wish that brought it.
    """
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, release=release(NEW), after=HOUR))
    source.start(a_start(), NOON)
    assert blocking(known_at(source, 2 * HOUR))

    source.start(a_start(target=release(OLD), token="2"), NOON + 2 * HOUR)

    assert known_at(source, 2 * HOUR + READY).healthy


def test_a_fault_at_a_time_lasts_as_long_as_it_says() -> None:
    """
    ``at`` counts from the start of the simulation and ``for`` ends it; both ends are sharp.
    """
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, at=3 * HOUR, lasts=40 * MINUTE))

    assert known_at(source, 3 * HOUR - MOMENT).healthy
    assert not known_at(source, 3 * HOUR).healthy
    assert not known_at(source, 3 * HOUR + 40 * MINUTE - MOMENT).healthy
    assert known_at(source, 3 * HOUR + 40 * MINUTE).healthy


def test_an_unreachable_cluster_is_unknown_and_takes_no_wish() -> None:
    """
    Nobody can read it or write to it until the fault ends; then all is as before.
    """
    source = a_fleet(a_fault(FaultKind.UNREACHABLE, at=HOUR, lasts=HOUR))

    reading = reading_at(source, HOUR)

    assert isinstance(reading, Unknown)
    assert "no broker answers since 2026-03-02 13:00 UTC (simulated, simulation/clusters.yaml:1)" == reading.why
    assert reading == reading_at(source, HOUR + MINUTE)
    with pytest.raises(ApplyRefused, match="no broker answers"):
        source.start(a_start(), NOON + HOUR)
    assert release(OLD) == known_at(source, 2 * HOUR).wanted


def test_an_upgrade_goes_on_while_nobody_can_see_it() -> None:
    """
    A cluster that is unreachable in the middle of its upgrade is done when it is seen again.
    """
    source = a_fleet(a_fault(FaultKind.UNREACHABLE, at=MINUTE, lasts=HOUR))
    source.start(a_start(), NOON)

    assert isinstance(reading_at(source, READY), Unknown)
    assert known_at(source, MINUTE + HOUR).settled


def test_others_change_a_release_under_another_token() -> None:
    """
    From its moment on the cluster moves to what others set, as it would for us.
    """
    source = a_fleet(a_fault(FaultKind.CHANGED_BY_OTHERS, at=HOUR, kafka_version=release(OTHER)))

    before, after = known_at(source, HOUR - MOMENT), known_at(source, HOUR)

    assert (release(OLD), "1") == (before.wanted, before.token)
    assert (release(OTHER), "2", False) == (after.wanted, after.token, after.settled)
    assert release(OTHER) == known_at(source, HOUR + READY).release
    assert known_at(source, HOUR + READY).fleet is None


def test_others_cut_into_our_upgrade() -> None:
    """
    The brokers go to what was asked last, from where they stood, and our mark stays.
    """
    source = a_fleet(a_fault(FaultKind.CHANGED_BY_OTHERS, at=5 * MINUTE, kafka_version=release(OTHER)))
    source.start(a_start(), NOON)

    cut = known_at(source, 5 * MINUTE)

    assert (release(OLD), release(NEW), release(OTHER)) == (cut.release, cut.highest, cut.wanted)
    assert ("3", "acme", "0 of 3 brokers") == (cut.token, cut.fleet, cut.progress)
    assert release(OTHER) == known_at(source, 5 * MINUTE + READY).highest


def test_others_put_back_what_they_found() -> None:
    """
    ``for`` ends their change, unless we asked for something else in between.
    """
    fault = a_fault(FaultKind.CHANGED_BY_OTHERS, at=HOUR, lasts=HOUR, kafka_version=release(OTHER))
    left_alone, asked_again = a_fleet(fault), a_fleet(fault)
    asked_again.start(a_start(token="2"), NOON + HOUR + MINUTE)

    assert release(OLD) == known_at(left_alone, 2 * HOUR).wanted
    assert "3" == known_at(left_alone, 2 * HOUR).token
    assert release(NEW) == known_at(asked_again, 2 * HOUR).wanted


def test_our_word_after_theirs_is_not_overruled_by_their_past() -> None:
    """
    A change that was there when we asked does not come again.
    """
    source = a_fleet(a_fault(FaultKind.CHANGED_BY_OTHERS, at=HOUR, kafka_version=release(OTHER)))
    source.start(a_start(token=known_at(source, 2 * HOUR).token), NOON + 2 * HOUR)

    assert release(NEW) == known_at(source, 3 * HOUR).wanted


@pytest.mark.parametrize(("when", "moment"), [({"during_upgrade": True}, 4 * MINUTE), ({"after": HOUR}, READY + HOUR)])
def test_others_cut_in_with_an_upgrade(when: FaultParts, moment: timedelta) -> None:
    """
    In the middle of our upgrade, or so long after its end, and only there.
    """
    others: FaultParts = {**when, "kafka_version": release(OTHER)}
    source = a_fleet(a_fault(FaultKind.CHANGED_BY_OTHERS, **others))
    assert release(OLD) == known_at(source, timedelta(0)).wanted
    source.start(a_start(), NOON)

    assert release(NEW) == known_at(source, moment - MOMENT).wanted
    assert release(OTHER) == known_at(source, moment).wanted
    assert "3" == known_at(source, 100 * HOUR).token


def test_a_cluster_is_unhealthy_from_the_start_of_its_upgrade() -> None:
    """
    ``during: upgrade`` begins with the wish, and ``for`` ends it.
    """
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, during_upgrade=True, lasts=5 * MINUTE))
    assert known_at(source, timedelta(0)).healthy
    source.start(a_start(), NOON)

    assert blocking(known_at(source, timedelta(0)))
    assert not blocking(known_at(source, 5 * MINUTE))


@pytest.mark.parametrize(("share", "hit"), [(100, 200), (50, 100), (5, 10), (1, 2)])
def test_a_share_hits_so_many_clusters_always_the_same(share: int, hit: int) -> None:
    """
    Percent are of the clusters that the fault names, and a hash of their names says which.
    """
    assert hit == len(hit_by(share, 200))
    assert hit_by(share, 200) == hit_by(share, 200)


def test_a_share_hits_at_least_one() -> None:
    """
    A small share of few clusters is rounded down, but not to nobody.
    """
    assert 1 == len(hit_by(5, 10))


def test_two_faults_of_one_share_hit_different_clusters() -> None:
    """
    The lot is drawn for each fault anew.
    """
    assert hit_by(50, 20, position=0) != hit_by(50, 20, position=1)


def hit_by(share: int, count: int, position: int = 0) -> set[str]:
    """The clusters that become unhealthy at noon by a fault that names all of them."""
    names = [f"bulk-{number:04}" for number in range(count)]
    nothing = a_fault(FaultKind.UNHEALTHY, *names, at=1000 * HOUR)
    fault = a_fault(FaultKind.UNHEALTHY, *names, at=timedelta(0), share=share)
    source = a_fleet(*[nothing] * position, fault, clusters=tuple(map(a_simulated_cluster, names)))
    clusters = source.read(frozenset(), NOON).clusters
    return {name for name, it in clusters.items() if isinstance(it.reading, Reading) and not it.reading.healthy}


durations = st.sampled_from([timedelta(0), MINUTE, 5 * MINUTE, 7 * MINUTE, HOUR])
maybe = st.none() | durations
releases = st.sampled_from([release(OLD), release(OTHER), release(NEW)])
faults_of_a_day = st.lists(
    st.builds(
        a_fault,
        st.sampled_from(FaultKind),
        during_upgrade=st.booleans(),
        release=st.none() | releases,
        at=maybe,
        after=maybe,
        lasts=maybe,
        share=st.sampled_from([100, 50]),
        kafka_version=releases,
    ),
    max_size=4,
)
targets: st.SearchStrategy[Target] = releases | st.sampled_from([LEVEL_43, MetadataVersion(33, "4.4-IV0")])
wishes = st.lists(st.tuples(durations, targets), max_size=4)
moments = st.lists(durations.map(lambda since: NOON + since), min_size=1, max_size=12)


@given(faults_of_a_day, wishes, moments)
@settings(max_examples=150)
def test_what_is_seen_does_not_depend_on_who_looked_before(
    faults: list[Fault], asked: list[tuple[timedelta, Target]], looks: list[datetime]
) -> None:
    """
    Safety: one that looked at many moments, in any order, sees at each what one sees that looks for the first time.
    """
    with TemporaryDirectory() as folder:
        watching = SimulatedSource("sim", an_inventory(faults=faults), Path(folder) / "sim.json")
        now = NOON
        for since, target in asked:
            now += since
            reading = watching.read(frozenset(), now).clusters["sim/a-1"].reading
            if isinstance(reading, Reading) and not is_lower(target, reading):
                watching.start(a_start(target=target, token=reading.token), now)

        for moment in looks:
            fresh = SimulatedSource("sim", an_inventory(faults=faults), Path(folder) / "sim.json")
            assert fresh.read(frozenset(), moment) == watching.read(frozenset(), moment)


def is_lower(target: Target, reading: Reading) -> bool:
    """It is a level below the finalized one, which is refused."""
    level = reading.metadata_version
    return isinstance(target, MetadataVersion) and level is not None and target < level


@given(faults_of_a_day, wishes)
@settings(max_examples=100)
def test_a_finalized_level_never_falls(faults: list[Fault], asked: list[tuple[timedelta, Target]]) -> None:
    """
    Safety: whatever is asked for and whatever goes wrong, a level that was seen finalized stays or rises.
    """
    source = a_fleet(*faults)
    now, highest = NOON, LEVEL_41
    for since, target in [*asked, *[(7 * MINUTE, None)] * 12]:
        now += since
        reading = source.read(frozenset(), now).clusters["sim/a-1"].reading
        if isinstance(reading, Reading):
            assert reading.metadata_version is not None
            assert highest <= reading.metadata_version
            highest = reading.metadata_version
            if target is not None and not is_lower(target, reading):
                source.start(a_start(target=target, token=reading.token), now)
