"""What findings are worth in a group, and what consumers that fell behind do to a soak."""

from dataclasses import replace

import pytest

from controller.core.health import fallen_behind, graded, health_of
from controller.history.entries import WaveSoaked
from controller.history.records import ClusterRecord, ClusterState
from controller.model.declaration import ClusterGroup, Finalize
from controller.model.health import CHECKS, NEEDS_A_SECOND_BROKER, Health
from controller.model.membership import Membership
from controller.model.observation import Endpoints, Finding, ObservedCluster, Reading, Severity, Unknown
from controller.model.verdict import HoldReason
from tests.builders import MINUTE, NEW, a_cluster, a_finding, a_reading
from tests.builders_core import a_group, a_strategy, a_wave
from tests.core.plays import Play, only

NAME = "sim/p-1"


def claimed(*names: str, twice: tuple[str, ...] = ()) -> Membership:
    """Clusters that the group ``prod`` claims; those in ``twice`` are claimed by ``test`` too."""
    owner = dict.fromkeys(names, "prod")
    both = dict.fromkeys(twice, ("prod", "test"))
    return Membership({"prod": names}, owner, both, {}, (), frozenset(), {}, {})


def worth(health: Health, *findings: Finding, cluster: ObservedCluster | None = None) -> dict[str, Severity]:
    """What a group with this ``health`` makes of findings, by id."""
    shown = replace(cluster or a_cluster(NAME), reading=a_reading(findings=findings))
    reading = graded({NAME: shown}, claimed(NAME), {"prod": a_group(health=health)})[NAME].reading
    assert isinstance(reading, Reading)
    return {finding.id: finding.severity for finding in reading.findings}


@pytest.mark.parametrize("severity", list(Severity))
def test_a_groups_word_on_a_check_counts(severity: Severity) -> None:
    """
    Whatever whoever read the cluster thinks of it; other checks stay as they are.
    """
    health = Health(severities={"rf1_topics": severity})

    assert {"rf1_topics": severity, "reassignment": Severity.BLOCK} == worth(
        health, a_finding(Severity.WARN, "rf1_topics"), a_finding(Severity.BLOCK, "reassignment")
    )


def test_a_check_that_is_off_finds_nothing() -> None:
    """
    Off is not a warning: what a group does not want to hear of is not there.
    """
    assert {} == worth(Health(severities={"quorum_size": None}), a_finding(Severity.WARN, "quorum_size"))
    assert {} == worth(Health(severities={"disk_usage": None}), disk(0.99))


def test_who_shows_nothing_new_is_the_same_value() -> None:
    """
    Linear in clusters, and cheap for those in good order: nothing is made anew without need.
    """
    well = a_cluster("sim/well")
    sick = a_cluster("sim/sick", a_reading(findings=(a_finding(),)))
    clusters = {each.name: each for each in (well, sick, a_cluster("sim/dark", Unknown("no answer")))}
    ours = claimed(*clusters)

    assert graded(clusters, ours, {"prod": a_group()}) is clusters
    strict = {"prod": a_group(health=Health(severities={"offline_partitions": Severity.WARN}))}
    changed = graded(clusters, ours, strict)
    assert changed["sim/well"] is well
    assert changed["sim/sick"] != sick
    assert graded(clusters, claimed(), strict) is clusters, "nobody's clusters are graded by nobody"


def disk(level: float) -> Finding:
    """A log directory whose disk is so full."""
    return Finding("disk_usage", Severity.BLOCK, f"{level:.0%} of broker 1's disk are used", level=level)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0.79, {}),
        (0.80, {"disk_usage": Severity.WARN}),
        (0.849, {"disk_usage": Severity.WARN}),
        (0.85, {"disk_usage": Severity.BLOCK}),
        (1.0, {"disk_usage": Severity.BLOCK}),
    ],
)
def test_a_disk_warns_and_then_blocks(level: float, expected: dict[str, Severity]) -> None:
    """
    Bounds belong to what begins there.
    """
    assert expected == worth(Health(), disk(level))


def test_a_groups_bounds_of_a_disk_are_its_own() -> None:
    """
    Also where both are one, and where the check itself only warns.
    """
    assert {"disk_usage": Severity.BLOCK} == worth(Health(disk_warn=0.5, disk_block=0.5), disk(0.5))
    assert {"disk_usage": Severity.WARN} == worth(Health(severities={"disk_usage": Severity.WARN}), disk(0.99))


def test_lag_below_the_bound_is_nobodys_concern() -> None:
    """
    It is told above the bound, and no word of a group makes more of it than a warning.
    """
    found = Finding("consumer_lag", Severity.WARN, "billing is 5,000 records behind", level=5000)

    assert {} == worth(Health(lag_above=5000), found)
    assert {"consumer_lag": Severity.WARN} == worth(Health(lag_above=4999), found)


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_a_cluster_of_one_broker_is_not_held_for_want_of_a_second(check: str) -> None:
    """
    What only a second broker could mend warns, whatever the group says.
    """
    strict = Health(severities={check: Severity.BLOCK})
    alone = replace(a_cluster(NAME), endpoints=Endpoints(expected=frozenset({1})))
    two = replace(a_cluster(NAME), endpoints=Endpoints(expected=frozenset({1, 2})))
    unknown = replace(a_cluster(NAME), endpoints=Endpoints())

    expected = Severity.WARN if check in NEEDS_A_SECOND_BROKER else Severity.BLOCK
    assert {check: expected} == worth(strict, a_finding(CHECKS[check], check), cluster=alone)
    for cluster in (two, unknown):
        assert {check: Severity.BLOCK} == worth(strict, a_finding(CHECKS[check], check), cluster=cluster)


def test_a_single_broker_is_held_for_its_voters_all_the_same() -> None:
    """
    Safety: three controllers may stand behind one broker, and too few of them caught up are as bad there.
    """
    alone = replace(a_cluster(NAME), endpoints=Endpoints(expected=frozenset({1})))
    lagging, size = (a_finding(CHECKS[check], check) for check in ("quorum_lagging", "quorum_size"))

    assert {"quorum_lagging": Severity.WAIT, "quorum_size": Severity.WARN} == worth(
        Health(), lagging, size, cluster=alone
    )
    strict = Health(severities={"quorum_size": Severity.BLOCK})
    assert {"quorum_size": Severity.BLOCK} == worth(strict, size, cluster=alone)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {}, ""),
        ({"billing": 0}, {"billing": 10_000}, ""),
        ({"billing": 0}, {"billing": 10_001}, "consumer group billing is 10,001 records behind, 0 before the upgrade"),
        ({"billing": 20_000}, {"billing": 20_000}, ""),
        ({"billing": 20_000}, {"billing": 20_001}, "consumer group billing is 20,001 records behind, 20,000 before"),
        ({}, {"billing": 10_000}, ""),
        (
            {},
            {"billing": 10_001},
            "consumer group billing is 10,001 records behind; it was not read before the upgrade",
        ),
        ({"billing": 0}, {}, "the lag of consumer group billing cannot be read now"),
        ({"billing": 0}, {"other": 0}, "the lag of consumer group billing cannot be read now"),
        ({"other": 0}, {"other": 20_001}, ""),
    ],
)
def test_a_listed_consumer_that_grew_beyond_both_bounds_fell_behind(
    before: dict[str, int], now: dict[str, int], expected: str
) -> None:
    """
    More than before its cluster's upgrade, and more than anybody cares about; what was read once has to be read again.
    """
    health = Health(consumer_groups=("billing",))
    behind = fallen_behind(a_reading(lag=now, by_brokers=True), ClusterRecord(lag=before), health)

    assert expected in behind
    assert bool(expected) == bool(behind)


def test_the_lag_of_a_cluster_whose_brokers_were_not_asked_holds_nobody() -> None:
    """
    Where they are not to be asked any more, or there are none, no cycle will ever read it.
    """
    health = Health(consumer_groups=("billing",))

    assert "" == fallen_behind(a_reading(full=True), ClusterRecord(lag={"billing": 5}), health)
    assert "" == fallen_behind(a_reading(full=False), ClusterRecord(lag={"billing": 5}), health)


def test_the_consumers_of_a_quarantined_cluster_hold_nobody() -> None:
    """
    Its wave soaks without it, and what is broken there may stay unreadable for long.
    """
    record = ClusterRecord(ClusterState.QUARANTINED, lag={"billing": 5})
    health = Health(consumer_groups=("billing",))

    for lag in ({}, {"billing": 50_000}):
        assert "" == fallen_behind(a_reading(lag=lag, by_brokers=True), record, health)


def test_a_soak_waits_while_the_lag_of_its_consumers_cannot_be_read() -> None:
    """
    Safety: consumers that are far behind do not count as caught up because their coordinator is away for a moment.
    """
    strategy = a_strategy(waves=(a_wave("canary", "1", 3 * MINUTE), a_wave("rest", "rest", MINUTE)))
    group = a_group(strategy=strategy, health=Health(consumer_groups=("billing",)))
    play = Play(group).live("p-1", "p-2", reading=a_reading(lag={"billing": 7}, by_brokers=True))
    (started,) = play.cycle().starts
    name = started.cluster.rpartition("/")[2]

    play.show(name, a_reading(NEW, by_brokers=True))
    assert [] == only(WaveSoaked, play.cycles(10))
    paused = f"paused while on {name} the lag of consumer group billing cannot be read now"
    assert play.hold(HoldReason.SOAKING).detail.endswith(paused)

    play.show(name, a_reading(NEW, lag={"billing": 7}, by_brokers=True))
    assert [1] == [entry.wave for entry in only(WaveSoaked, play.cycles(4))]


def test_consumers_that_fell_behind_hold_the_soak_and_fail_nobody() -> None:
    """
    The time does not count, the hold says whose consumers they are, and once they caught up the soak goes on.
    """
    strategy = a_strategy(waves=(a_wave("canary", "1", 3 * MINUTE), a_wave("rest", "rest", MINUTE)))
    group = a_group(strategy=strategy, health=Health(consumer_groups=("billing",)))
    play = Play(group).live("p-1", "p-2", reading=a_reading(lag={"billing": 7}))
    (started,) = play.cycle().starts
    name = started.cluster.rpartition("/")[2]
    assert {"billing": 7} == play.record_of(name).lag

    play.show(name, a_reading(NEW, lag={"billing": 50_000})).cycles(10)
    hold = play.hold(HoldReason.SOAKING)
    paused = f"paused while on {name} consumer group billing is 50,000 records behind, 7 before the upgrade"
    assert hold.detail.endswith(paused)
    assert hold.recheck_at is None
    assert ClusterState.CONVERGED is play.record_of(name).state

    play.show(name, a_reading(NEW, lag={"billing": 7}))
    assert [] == only(WaveSoaked, play.cycles(3))
    assert [1] == [entry.wave for entry in only(WaveSoaked, play.cycles(1))]


def test_consumers_that_fell_behind_hold_the_soak_whoever_else_is_unseen() -> None:
    """
    Safety: a soak that is made shorter does not end while one cluster's consumers are behind and another is not seen.
    """

    def soaking(minutes: int) -> ClusterGroup:
        waves = (a_wave("canary", "2", minutes * MINUTE), a_wave("rest", "rest", MINUTE))
        return a_group(strategy=a_strategy(waves=waves), health=Health(consumer_groups=("billing",)))

    play = Play(soaking(30)).live("p-1", "p-2", "p-3", reading=a_reading(lag={"billing": 7}))
    first, second = (start.cluster.rpartition("/")[2] for start in play.cycle().starts)
    play.show(first, a_reading(NEW, lag={"billing": 7})).show(second, a_reading(NEW, lag={"billing": 7})).cycles(8)

    play.show(first, Unknown("no broker answers")).show(second, a_reading(NEW, lag={"billing": 50_000}))
    play.declare(soaking(2))

    assert [] == only(WaveSoaked, play.cycles(3))
    assert f"while on {second} consumer group billing is 50,000 records" in play.hold(HoldReason.SOAKING).detail


def test_without_the_brokers_word_a_reading_is_not_full() -> None:
    """
    Safety: however well its resource looks; where nobody wants them asked, or there is none to ask, it is.
    """
    shown = replace(a_cluster(NAME, a_reading()), endpoints=Endpoints())
    asked = replace(shown, reading=a_reading(by_brokers=True))
    strict, lenient = ({"prod": a_group(health=Health(asks_brokers=asks))} for asks in (True, False))

    for cluster, groups, expected in [
        (shown, strict, False),
        (asked, strict, True),
        (shown, lenient, True),
        (replace(shown, endpoints=None), strict, True),
    ]:
        reading = graded({NAME: cluster}, claimed(NAME), groups)[NAME].reading
        assert isinstance(reading, Reading)
        assert expected is reading.full, cluster


def test_a_cluster_that_two_groups_claim_is_asked_where_one_of_them_wants_that() -> None:
    """
    It holds, but what it showed may still free the slot that it had; whom nobody claims is not asked.
    """
    groups = {name: a_group(name, health=Health(asks_brokers=name == "test")) for name in ("prod", "test")}
    lenient = {name: a_group(name, health=Health(asks_brokers=False)) for name in groups}

    asked = health_of(NAME, claimed(twice=(NAME,)), groups)
    assert asked is not None
    assert asked.asks_brokers
    neither = health_of(NAME, claimed(twice=(NAME,)), lenient)
    assert neither is not None
    assert not neither.asks_brokers
    assert health_of(NAME, claimed(), groups) is None
    assert health_of(NAME, claimed(NAME), {}) is None


def test_a_start_waits_for_the_brokers_word() -> None:
    """
    Safety (healthy-first): it holds with NotObserved until the brokers were asked in that very cycle.
    """
    play = Play(a_group()).live("p-1")
    play.clusters[NAME] = replace(play.clusters[NAME], endpoints=Endpoints())
    assert () == play.cycle().starts
    assert [HoldReason.NOT_OBSERVED] == play.reasons()
    assert {NAME} <= play.plan.watch if play.plan else False

    play.show("p-1", a_reading(by_brokers=True))
    assert [NAME] == [start.cluster for start in play.cycle().starts]


def test_a_group_whose_brokers_are_not_asked_says_so_in_every_sentence() -> None:
    """
    On its way and at rest, for its software and for its finalization: where a long sentence is cut, it still stands.
    """
    group = a_group(health=Health(asks_brokers=False), metadata_version=Finalize.AUTO)
    play = Play(group).live("p-1")
    play.cycle()
    assert play.view().sentence.startswith("prod → 4.3.1 (health from resource only): wave 1/")
    play.reach("p-1").run(200)

    told = [view.sentence for view in play.plan.groups] if play.plan else []
    assert 2 == len(told)
    assert all(" (health from resource only): " in sentence for sentence in told), told
    assert "resource only" not in Play(a_group()).live("p-1").cycle().groups[0].sentence
