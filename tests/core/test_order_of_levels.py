"""The order of groups where what is to be started is a metadata.version: who has it, and who proved it."""

from dataclasses import replace

import pytest

from controller.history import entries as e
from controller.history.records import RolloutKind
from controller.model.declaration import ClusterGroup, Finalize, Selector
from controller.model.observation import Reading, Unknown
from controller.model.verdict import HoldReason
from tests.builders import HOUR, LEVEL_43, MINUTE, NEW, NOON, OLD, a_reading
from tests.builders_core import a_group, a_hold, a_strategy, a_wave, catalog
from tests.core.plays import Play, only, started
from tests.core.proving import finalizing

LEVELS = catalog().metadata_versions
FLOOR = LEVELS["3.3-IV3"]
ON_39_LOW = a_reading("3.9.2", metadata_version=LEVELS["3.2-IV0"])
ON_ZOOKEEPER = a_reading("3.9.2", zookeeper=True, metadata_version=None)
DARK = Unknown("no broker answers")
DEV = replace(
    a_group("dev", strategy=a_strategy(waves=(a_wave("all", "rest", MINUTE, approval=True),))),
    metadata_version=Finalize.AUTO,
)
"""Its own way to the release waits for an approval that nobody gives."""
BEHIND = a_group(after=("dev",), metadata_version=Finalize.AUTO, accept_risks=frozenset({"KIP-896"}))


def wanting_the_floor(dev: ClusterGroup = DEV, **others: Reading | Unknown) -> Play:
    """A cluster that needs the floor of 4.x before anything else, and those of the group before it."""
    play = Play(dev, BEHIND).live("p-1", reading=ON_39_LOW)
    for name, reading in others.items():
        play.live(name, group="dev", reading=reading)
    play.cycle()
    return play


@pytest.mark.parametrize(
    ("dev", "ahead"),
    [
        (DEV, {"d1": a_reading(OLD)}),
        (DEV, {"d1": a_reading(OLD), "d2": ON_ZOOKEEPER}),
        (replace(DEV, holds=(a_hold("d2"),)), {"d1": a_reading(OLD), "d2": DARK}),
        (replace(DEV, holds=(a_hold("d2"),)), {"d1": a_reading(OLD), "d2": ON_39_LOW}),
    ],
    ids=["above it", "one has none", "a dark one held in Git", "a lower one held in Git"],
)
def test_a_level_on_the_way_is_free_where_every_cluster_of_the_group_before_has_it(
    dev: ClusterGroup, ahead: dict[str, Reading | Unknown]
) -> None:
    """
    The group before proved that level long ago; that it is on its way to a release says nothing against the level.
    """
    play = wanting_the_floor(dev, **ahead)

    assert HoldReason.GROUP_ORDER not in play.reasons()
    assert play.plan is not None
    assert [("sim/p-1", FLOOR)] == [(start.cluster, start.target) for start in play.plan.starts]


@pytest.mark.parametrize(
    "other", [ON_39_LOW, DARK, a_reading("3.9.2", metadata_version=None)], ids=["below it", "dark", "not told"]
)
def test_a_level_on_the_way_waits_for_any_cluster_of_the_group_before_that_may_lack_it(
    other: Reading | Unknown,
) -> None:
    """
    Safety: a level is never lowered, so one that cannot be seen is taken for one that lacks it.
    """
    play = wanting_the_floor(d1=a_reading(OLD), d2=other)

    assert HoldReason.GROUP_ORDER in play.reasons()
    assert play.plan is not None
    assert not started(play.plan)


def test_a_level_on_the_way_waits_while_a_source_was_never_read() -> None:
    """
    Safety: nobody knows whether the group before has clusters there.
    """
    play = Play(DEV, BEHIND).live("p-1", reading=ON_39_LOW).live("d1", group="dev")
    play.unreachable["eu"] = "connection refused"

    assert not started(play.cycle())
    assert HoldReason.GROUP_ORDER in play.reasons()


def test_a_finalization_lets_others_pass_only_once_its_last_wave_has_soaked() -> None:
    """
    That every cluster shows the level is not enough: it has to run quietly with it first.
    """
    one_wave = a_strategy(waves=(a_wave("all", "rest", 5 * MINUTE),))
    dev = finalizing(name="dev", selector=Selector(match_labels={"group": "dev"}), strategy=one_wave)
    play = Play(dev, finalizing(after=("dev",)))
    play.live("d-1", group="dev", reading=a_reading(NEW)).live("p-1", reading=a_reading(NEW))
    play.cycle()
    play.now = NOON + HOUR
    (start,) = play.take(play.cycle()).plan.starts  # type: ignore[union-attr]
    assert "sim/d-1" == start.cluster
    play.arrive(start).cycles(3)
    assert ("dev", RolloutKind.METADATA) not in play.history.passed
    assert HoldReason.GROUP_ORDER in play.reasons("prod/metadata")

    entries = play.cycles(5)
    assert LEVEL_43 == play.history.passed["dev", RolloutKind.METADATA]
    assert ["sim/p-1"] == [entry.cluster for entry in only(e.ClusterStarted, entries)]
