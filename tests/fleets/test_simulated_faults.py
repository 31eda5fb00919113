"""What goes wrong in a simulated fleet, when, for how long, and for which clusters."""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import ApplyRefused
from controller.fleets.simulated import SimulatedSource
from controller.model.inventory import Fault, FaultKind, SimulatedCluster
from controller.model.observation import Finding, Reading, Severity, Unknown
from controller.model.versions import KafkaVersion
from tests.builders import (
    HOUR,
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

OTHER = "4.2.1"
READY = 14 * MINUTE
"""How long an upgrade of the usual cluster takes."""


def a_fleet(*faults: Fault, clusters: tuple[SimulatedCluster, ...] = ()) -> SimulatedSource:
    """A simulated fleet that begins at noon, with these faults."""
    source = SimulatedSource("sim", an_inventory(*clusters, faults=faults), None)
    source.read(frozenset(), NOON)
    return source


def reading_at(source: SimulatedSource, after: timedelta, cluster: str = "sim/a-1") -> Reading | Unknown:
    """What a cluster shows so long after noon."""
    return source.read(frozenset(), NOON + after).clusters[cluster].reading


def known_at(source: SimulatedSource, after: timedelta, cluster: str = "sim/a-1") -> Reading:
    """What a cluster shows that can be read."""
    reading = reading_at(source, after, cluster)
    assert isinstance(reading, Reading), reading
    return reading


def blocking(reading: Reading) -> list[Finding]:
    """The findings that block."""
    return [finding for finding in reading.findings if finding.severity is Severity.BLOCK]


def test_a_stuck_upgrade_never_becomes_ready() -> None:
    """
    It stays half way, under-replicated and unsettled, however long one waits.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True))
    source.start(a_start(), NOON)

    reading = known_at(source, 1000 * HOUR)

    assert "1 of 3 brokers" == reading.progress
    assert (release(OLD), release(NEW)) == (reading.release, reading.highest)
    assert not reading.settled
    assert not reading.healthy


def test_a_stuck_upgrade_goes_on_once_the_fault_ends() -> None:
    """
    ``for`` counts from the moment at which it is stuck, so the whole upgrade takes that much longer.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True, lasts=HOUR))
    source.start(a_start(), NOON)

    assert "1 of 3 brokers" == known_at(source, 8 * MINUTE + HOUR - MOMENT).progress
    assert "2 of 3 brokers" == known_at(source, 8 * MINUTE + HOUR).progress
    assert not known_at(source, READY + HOUR - MOMENT).settled
    assert known_at(source, READY + HOUR).settled


def test_the_way_back_from_a_stuck_upgrade_is_open() -> None:
    """
    Faults ``during: upgrade`` leave downgrades alone.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True))
    source.start(a_start(), NOON)
    source.start(a_start(target=release(OLD), token="2"), NOON + HOUR)

    assert known_at(source, HOUR + 6 * MINUTE).settled
    assert release(OLD) == known_at(source, HOUR + 6 * MINUTE).highest


def test_a_fault_of_one_release_leaves_upgrades_to_others_alone() -> None:
    """
    ``release`` narrows a fault to upgrades to that release.
    """
    source = a_fleet(a_fault(FaultKind.STUCK, during_upgrade=True, release=release(NEW)))
    source.start(a_start(target=release(OTHER)), NOON)

    assert known_at(source, READY).settled


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


def test_a_refused_wish_is_taken_and_answered_with_a_sentence() -> None:
    """
    The operator says no: the resource asks for it, no broker moves, and another wish is free.
    """
    source = a_fleet(a_fault(FaultKind.REFUSED, during_upgrade=True, release=release(NEW)))
    source.start(a_start(), NOON)

    refused = known_at(source, HOUR)
    assert "operator refuses 4.3.1 (simulated)" == refused.refused
    assert (release(OLD), release(OLD), release(NEW)) == (refused.release, refused.highest, refused.wanted)
    assert not refused.settled
    source.start(a_start(target=release(OTHER), token="2"), NOON + HOUR)
    assert known_at(source, HOUR).refused is None
    assert release(OTHER) == known_at(source, HOUR + READY).release


def test_an_operator_that_changes_its_mind_begins_then() -> None:
    """
    ``for`` ends the refusal, and the upgrade begins at that moment.
    """
    source = a_fleet(a_fault(FaultKind.REFUSED, during_upgrade=True, lasts=HOUR))
    source.start(a_start(), NOON)

    assert known_at(source, HOUR - MOMENT).refused
    assert known_at(source, HOUR).refused is None
    assert "1 of 3 brokers" == known_at(source, HOUR + 4 * MINUTE).progress
    assert known_at(source, HOUR + READY).settled


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


def test_durations_beyond_every_calendar_mean_never() -> None:
    """
    The longest durations that can be declared neither raise nor come to pass.
    """
    endless = 999_999_999 * timedelta(days=1)
    slow = a_simulated_cluster(brokers=200_000, per_broker=endless, settle=endless)
    source = a_fleet(a_fault(FaultKind.UNHEALTHY, at=endless, lasts=endless), clusters=(slow,))
    source.start(a_start(), NOON)

    reading = known_at(source, 10_000 * HOUR)

    assert "0 of 200000 brokers" == reading.progress
    assert [] == blocking(reading)


def test_an_upgrade_that_takes_no_time_can_still_be_stuck() -> None:
    """
    Without any durations an upgrade is done at once, unless it never ends.
    """
    quick = a_simulated_cluster(per_broker=timedelta(0), settle=timedelta(0))
    well, stuck = (
        a_fleet(*faults, clusters=(quick,)) for faults in ([], [a_fault(FaultKind.STUCK, during_upgrade=True)])
    )
    for source in (well, stuck):
        source.start(a_start(), NOON)

    assert known_at(well, timedelta(0)).settled
    assert not known_at(stuck, HOUR).settled


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
wishes = st.lists(st.tuples(durations, releases), max_size=3)
moments = st.lists(durations.map(lambda since: NOON + since), min_size=1, max_size=12)


@given(faults_of_a_day, wishes, moments)
@settings(max_examples=150, deadline=None)
def test_what_is_seen_does_not_depend_on_who_looked_before(
    faults: list[Fault], asked: list[tuple[timedelta, KafkaVersion]], looks: list[datetime]
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
            if isinstance(reading, Reading):
                watching.start(a_start(target=target, token=reading.token), now)

        for moment in looks:
            fresh = SimulatedSource("sim", an_inventory(faults=faults), Path(folder) / "sim.json")
            assert fresh.read(frozenset(), moment) == watching.read(frozenset(), moment)
