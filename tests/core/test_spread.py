"""Waves that represent the fleet: chosen by labels, filled from all failure domains in turn, and the waves down."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.core.waves import FAILED_FIRST, REMAINING, Terrain, next_wave, pool_to_fill, split, waves_of
from controller.history import entries as e
from controller.history.records import ClusterRecord, ClusterState, RolloutRecord, Way
from tests.builders import HOUR, NOON
from tests.builders_core import (
    REVISION,
    SOFTWARE,
    TARGET,
    a_declaration,
    a_group,
    a_member,
    a_strategy,
    a_wave,
    choosing,
    domains_of,
)
from tests.core.plays import Play, only

NAMES = ("sim/a", "sim/b", "sim/c", "sim/d", "sim/e")


def ground(domain: str | None = None, **labels: str) -> Terrain:
    """Clusters a to e; ``labels`` by name: the region, or ``region tier``."""
    clusters = {}
    for name in NAMES:
        words = labels.get(name[-1], "").split()
        parts = dict(zip(("region", "tier"), words, strict=False))
        clusters[name] = a_member(name[-1], None, "prod", **parts)
    return Terrain(clusters, domain)


def test_domains_take_turns_in_the_order_in_which_they_appear() -> None:
    """
    One of each, then the next of each; within a domain the order stays.
    """
    terrain = ground("region", a="eu", b="eu", c="us", d="eu", e="us")

    assert ("sim/a", "sim/c", "sim/b", "sim/e", "sim/d") == terrain.spread(NAMES)


def test_clusters_without_the_label_are_a_domain_of_their_own() -> None:
    """
    And nobody is left out; without a declared domain the order stays as it is.
    """
    terrain = ground("region", a="eu", b="eu")

    assert ("sim/a", "sim/c", "sim/b", "sim/d", "sim/e") == terrain.spread(NAMES)
    assert NAMES == ground(None, a="eu", b="us").spread(NAMES)
    assert {} == terrain.labels_of("sim/gone")


def test_a_wave_selects_by_all_of_its_labels_and_takes_anybody_where_none_has_them() -> None:
    """
    Who has not all of them comes after; a wave is never left out for its labels.
    """
    terrain = ground(a="eu low", b="us low", c="eu high", d="eu low", e="us high")

    assert ("sim/a", "sim/d") == terrain.selected(NAMES, {"region": "eu", "tier": "low"})
    assert NAMES == terrain.selected(NAMES, {"region": "mars"})
    assert NAMES == terrain.selected(NAMES, {})


def test_waves_are_dealt_out_by_their_labels_and_over_domains() -> None:
    """
    The canary takes a low tier, the next wave one of each region, the last one who is left.
    """
    terrain = ground("region", a="eu high", b="eu low", c="eu high", d="us high", e="us low")
    waves = (choosing(a_wave("canary", "1"), tier="low"), a_wave("early", "2"), a_wave("rest", "rest"))

    dealt = [(wave.name, names) for wave, names in split(NAMES, waves, 5, terrain)]

    assert [("canary", ("sim/b",)), ("early", ("sim/a", "sim/d")), ("rest", ("sim/c", "sim/e"))] == dealt


def test_a_wave_of_one_label_is_no_larger_than_those_who_have_it() -> None:
    """
    Its size is a most: with two of five it takes two, and the others are left for the waves behind.
    """
    terrain = ground(a="eu", b="us", c="us", d="us", e="eu")
    waves = (choosing(a_wave("eu", "4"), region="eu"), a_wave("rest", "rest"))

    assert [2, 3] == [len(names) for _, names in split(NAMES, waves, 5, terrain)]


@given(st.lists(st.sampled_from(["", "eu", "us", "ap"]), min_size=5, max_size=5), st.integers(1, 5))
def test_the_first_of_a_spread_come_from_as_many_domains_as_there_are(regions: list[str], size: int) -> None:
    """
    Safety: a wave of so many clusters has one of each domain before it has two of any.
    """
    labels = dict(zip("abcde", regions, strict=True))
    spread = ground("region", **labels).spread(NAMES)[:size]
    counts = [sum(labels[name[-1]] == region for name in spread) for region in set(regions)]

    assert len(set(spread)) == len(spread) == size
    assert max(counts) == 1 or all(
        count >= max(counts) - 1 or count == regions.count(region)
        for region, count in zip(set(regions), counts, strict=True)
    )


def a_rollout(way: Way = Way.FORWARD, first: int = 0) -> RolloutRecord:
    """Five pending clusters."""
    clusters = {name: ClusterRecord() for name in NAMES}
    return RolloutRecord(1, "prod", SOFTWARE, TARGET, REVISION, NOON, 5, (), clusters, way=way, first=first)


def test_the_next_wave_asks_first_whom_it_selects_and_keeps_the_others_as_spare() -> None:
    """
    Where each of the selected is held, the others take their places.
    """
    terrain = ground(a="us", b="eu", c="us", d="eu", e="us")
    group = a_group(strategy=a_strategy(waves=(choosing(a_wave("canary", "1"), region="eu"), a_wave("rest", "rest"))))

    coming = next_wave(a_rollout(), group, terrain)
    filled = pool_to_fill(a_rollout(), group.strategy.waves[0], terrain, tail=False)

    assert coming is not None
    assert (("sim/b", "sim/d"), ("sim/a", "sim/c", "sim/e"), 1) == (
        coming.pool.names,
        coming.pool.spare,
        coming.pool.size,
    )
    assert coming.pool == filled


def test_a_group_goes_down_in_two_waves_and_in_one_where_nobody_failed() -> None:
    """
    With the last wave's limits, without its soak and approval.
    """
    last = a_wave("broad", "rest", 4 * HOUR, most=7, approval=True)
    group = a_group(strategy=a_strategy(waves=(a_wave("canary", "1"), last)))

    failed, rest = waves_of(Way.DOWN, 2, group)
    (only_rest,) = waves_of(Way.DOWN, 0, group)

    assert (FAILED_FIRST, 2, REMAINING) == (failed.name, failed.size.count, rest.name)
    assert rest == only_rest == replace(last, name=REMAINING, soak=timedelta(0), approval_required=False)
    assert group.strategy.waves == waves_of(Way.FORWARD, 0, group) == waves_of(Way.FINALIZE, 0, group)


def test_a_whole_rollout_is_dealt_out_over_regions() -> None:
    """
    What is admitted is what was planned: the second wave has one cluster of each region.
    """
    waves = (a_wave("canary", "1"), a_wave("early", "2"), a_wave("rest", "rest"))
    play = Play(declaration=a_declaration(a_group(strategy=a_strategy(waves=waves)), limits=domains_of("region", 9)))
    play.live("p-1", "p-2", "p-3", "p-4", region="eu").live("p-5", "p-6", region="us")
    (planned,) = only(e.RolloutPlanned, play.cycle().entries)
    early = dict(planned.waves)["early"]

    assert ["eu", "us"] == sorted(play.clusters[name].labels["region"] for name in early)
    assert ClusterState.STARTED in {record.state for record in play.rollout().clusters.values()}
