"""The summary: lengths, their bounds, ratios and blast radii, by example."""

from datetime import timedelta

from controller.history.entries import ClusterConverged, ClusterStarted, Entry, Recorded, RolloutEnded, RolloutPlanned
from controller.history.records import Outcome, RolloutKind
from controller.model.inventory import FaultKind, Inventory
from controller.simulate.lengths import Length, RolloutSummary, Tally
from tests.builders import DAY, HOUR, MINUTE, NEW, NOON, OLD, a_fault, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave, an_approval
from tests.simulate.scenarios import a_scenario, clusters_of, played, with_inventory

NAMES = tuple(f"sim/prod-{number}" for number in range(1, 5))
PLANNED = RolloutPlanned(
    rollout=1,
    group="prod",
    kind=RolloutKind.SOFTWARE,
    target=release(NEW),
    revision="folder",
    live=4,
    clusters=NAMES,
    waves=(("canary", NAMES[:1]), ("broad", NAMES[1:])),
)


def started(name: str) -> ClusterStarted:
    """A recorded start."""
    return ClusterStarted(1, name, release(OLD), release(NEW), "1", NOON + DAY)


def ended(outcome: Outcome = Outcome.CONVERGED) -> RolloutEnded:
    """The end of the rollout."""
    return RolloutEnded(1, "prod", RolloutKind.SOFTWARE, release(NEW), "folder", outcome)


def told(*entries: tuple[timedelta, Entry]) -> RolloutSummary:
    """The one rollout's summary after these entries, each so long after noon."""
    declaration = with_inventory(a_declaration(), Inventory(clusters_of("prod", 4)))
    tally = Tally(declaration, MINUTE)
    for number, (after, entry) in enumerate([(timedelta(0), PLANNED), *entries], start=1):
        tally.take(Recorded(number, NOON + after, entry))
    (rollout,) = tally.summary().rollouts
    return rollout


def test_a_blast_radius_counts_what_was_started_before_the_fault_is_seen() -> None:
    """
    The first upgrade converges at 12:16; started are two before 12:26, one at 12:26 itself, one after a day and more.
    """
    rollout = told(
        (0 * MINUTE, started(NAMES[0])),
        (16 * MINUTE, ClusterConverged(1, NAMES[0])),
        (25 * MINUTE, started(NAMES[1])),
        (26 * MINUTE, started(NAMES[2])),
        (30 * HOUR, started(NAMES[3])),
    )

    assert {"10m": 2, "1h": 3, "1d": 3, "1w": 4} == rollout.blast_radius


def test_a_cluster_that_was_started_twice_is_reached_once() -> None:
    """
    A start that came to nothing and was planned anew is one cluster.
    """
    rollout = told((0 * MINUTE, started(NAMES[0])), (5 * MINUTE, started(NAMES[0])))

    assert {"10m": 1, "1h": 1, "1d": 1, "1w": 1} == rollout.blast_radius
    assert 1 == rollout.clusters


def test_a_rollout_that_has_not_ended_has_no_length() -> None:
    """
    Its bound stands all the same: 16 minutes of canary, its hour, 16 minutes of the rest, and an hour.
    """
    rollout = told((0 * MINUTE, started(NAMES[0])))

    assert rollout.outcome is None
    assert rollout.took.length is None
    assert rollout.took.ratio is None
    assert 2 * HOUR + 2 * 14 * MINUTE == rollout.took.lower_bound


def test_clusters_that_did_not_come_through_are_no_part_of_the_bound() -> None:
    """
    A rollout that failed after its canary had to take no longer than that.
    """
    rollout = told(
        (0 * MINUTE, started(NAMES[0])),
        (14 * MINUTE, ClusterConverged(1, NAMES[0])),
        (2 * HOUR, ended(Outcome.FAILED)),
    )

    assert Length(2 * HOUR, HOUR + 14 * MINUTE) == rollout.took


def test_nothing_to_do_is_a_length_of_zero_and_a_ratio_of_one() -> None:
    """
    Every cluster is on its target.
    """
    play, events = played(a_scenario(clusters=clusters_of("prod", 3, runs=NEW)))

    summary = play.summary()

    assert [] == events
    assert [] == list(summary.rollouts)
    assert Length(timedelta(0), timedelta(0)) == summary.took
    assert 1 == summary.took.ratio


def test_a_group_that_waits_for_nobody_takes_no_longer_than_it_must() -> None:
    """
    Twelve clusters, five at a time: the rollout's length is its lower bound, samples included.
    """
    group = a_group(samples=3)
    play, _ = played(a_scenario([group], clusters_of("prod", 12)))

    summary = play.summary()

    # The canary, its soak, eleven clusters in three rounds, the last soak; an upgrade is 14 minutes and two samples.
    expected = 16 * MINUTE + HOUR + 3 * 16 * MINUTE + HOUR
    assert Length(expected, expected) == summary.took
    assert 1 == summary.rollouts[0].took.ratio


def test_waiting_for_a_person_is_waiting() -> None:
    """
    A rollout that stands for an approval has not ended, and neither has the whole; the other group's has.
    """
    waits = a_group("prod", strategy=a_strategy(waves=(a_wave("all", "rest", HOUR, approval=True),)))
    goes = a_group("staging", strategy=a_strategy(waves=(a_wave("all", "rest", HOUR, approval=True),)))
    approved = a_group("staging", strategy=goes.strategy, approvals=(an_approval("all"),))
    play, _ = played(a_scenario([waits, approved], [*clusters_of("prod", 1), *clusters_of("staging", 1)]))

    summary = play.summary()

    assert {"prod": None, "staging": 1.0} == {rollout.group: rollout.took.ratio for rollout in summary.rollouts}
    assert summary.took.length is None


def test_groups_in_order_take_no_longer_than_they_must_together() -> None:
    """
    The second group's length counts from its plan, and so does its bound: waiting for the first is no waste.
    """
    groups = [a_group("first"), a_group("second", after=("first",))]
    play, _ = played(a_scenario(groups, [*clusters_of("first", 3), *clusters_of("second", 3)]))

    first, second = play.summary().rollouts

    assert 1 == first.took.ratio
    assert 1 == second.took.ratio
    assert second.took.length == play.summary().took.length
    assert second.took.length is not None
    assert first.took.length is not None
    assert 2 * first.took.length == second.took.length


def test_a_lower_bound_is_never_above_a_length() -> None:
    """
    Also where a cluster is quarantined and another one is stuck for an hour.
    """
    faults = [
        a_fault(FaultKind.STUCK, "prod-2", during_upgrade=True, lasts=HOUR),
        a_fault(FaultKind.REFUSED, "prod-3", during_upgrade=True),
    ]
    group = a_group(strategy=a_strategy(waves=(a_wave("c", "1"), a_wave("rest", "rest")), budget="1"))
    play, _ = played(a_scenario([group], clusters_of("prod", 6), faults=faults))

    (rollout,) = play.summary().rollouts

    assert rollout.took.ratio is not None
    assert rollout.took.ratio >= 1
