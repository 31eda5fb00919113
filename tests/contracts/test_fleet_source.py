"""What every FleetSource promises (``controller.ports``), asked of each kind of fleet."""

from datetime import datetime

import pytest

from controller.errors import ApplyRefused, ObservationError
from controller.history.records import RolloutKind
from controller.model.observation import Reading, Unknown
from controller.model.plan import Start
from controller.ports import FleetSource
from controller.versions import MetadataVersion
from tests.builders import LEVEL_41, LEVEL_43, MINUTE, NEW, NOON, OLD, SECOND, a_start, release
from tests.contracts.fleet_worlds import LABELS, FleetWorld

LATER = NOON + 20 * SECOND


def read(world: FleetWorld, cluster: str, now: datetime, source: FleetSource | None = None) -> Reading:
    """What ``cluster`` shows in full."""
    reading = (source or world.source).read(frozenset(world.clusters), now).clusters[cluster].reading
    assert isinstance(reading, Reading), reading
    return reading


def test_every_cluster_is_listed_by_its_full_name(world: FleetWorld) -> None:
    """
    All clusters are there, with their labels, under names that begin with the source's.
    """
    reading = world.source.read(frozenset(), LATER)

    assert reading.source == world.source.name
    assert set(world.clusters) == set(reading.clusters)
    assert all(name == cluster.name for name, cluster in reading.clusters.items())
    assert all(name.startswith(f"{world.source.name}/") for name in reading.clusters)
    assert all(dict(cluster.labels).items() >= LABELS.items() for cluster in reading.clusters.values())


def test_a_quiet_cluster_is_settled_and_healthy(world: FleetWorld) -> None:
    """
    Where nothing happens, all that is asked for runs, and a full reading says so.
    """
    reading = read(world, world.clusters[0], LATER)

    assert (release(OLD),) * 3 == (reading.release, reading.highest, reading.wanted)
    assert reading.full
    assert reading.settled
    assert reading.healthy
    assert reading.fleet is None


def test_two_looks_at_one_moment_are_equal(world: FleetWorld) -> None:
    """
    Reading changes nothing.
    """
    world.source.start(a_start(world.clusters[0], token=read(world, world.clusters[0], LATER).token), LATER)

    first = world.source.read(frozenset(world.clusters), LATER)

    assert first == world.source.read(frozenset(world.clusters), LATER)


def test_a_start_is_seen_in_the_next_reading(world: FleetWorld) -> None:
    """
    A wish that was taken is what the resource asks for, under another token, with the fleet's mark, and not yet done.
    """
    cluster = world.clusters[0]
    before = read(world, cluster, LATER)

    world.source.start(a_start(cluster, token=before.token), LATER)

    after = read(world, cluster, LATER)
    assert release(NEW) == after.wanted
    assert release(OLD) == after.release
    assert before.token != after.token
    assert "acme" == after.fleet
    assert not after.settled


def test_an_upgrade_ends_on_target_settled_and_healthy(world: FleetWorld) -> None:
    """
    Once all is done the cluster runs what was asked for, and the other one what it ran before.
    """
    cluster, other = world.clusters
    world.source.start(a_start(cluster, token=read(world, cluster, LATER).token), LATER)

    done = world.finish(LATER)

    reading = read(world, cluster, done)
    assert (release(NEW),) * 3 == (reading.release, reading.highest, reading.wanted)
    assert reading.settled
    assert reading.healthy
    assert release(OLD) == read(world, other, done).release


def test_starting_twice_changes_nothing_more(world: FleetWorld) -> None:
    """
    The same start again is harmless: while it is under way, when it is done, and from the next process.
    """
    cluster = world.clusters[0]
    start = a_start(cluster, token=read(world, cluster, LATER).token)
    world.source.start(start, LATER)
    once = read(world, cluster, LATER + MINUTE)

    world.source.start(start, LATER + MINUTE)

    assert once == read(world, cluster, LATER + MINUTE)
    done = world.finish(LATER)
    ended = read(world, cluster, done)
    world.reopened().start(start, done)
    assert ended == read(world, cluster, done)
    assert ended.settled


def test_a_start_judged_from_an_older_state_is_refused(world: FleetWorld) -> None:
    """
    Where somebody else changed the resource since it was read, the write changes nothing and says so.
    """
    cluster = world.clusters[0]
    token = read(world, cluster, LATER).token
    world.changed_by_others(cluster, release("4.2.1"), LATER)
    changed = read(world, cluster, LATER)

    with pytest.raises(ApplyRefused, match=cluster):
        world.source.start(a_start(cluster, token=token), LATER)

    assert release("4.2.1") == changed.wanted
    assert token != changed.token
    assert changed == read(world, cluster, LATER)


def test_a_start_with_a_token_of_nobody_is_refused(world: FleetWorld) -> None:
    """
    A token that this source never gave is no condition that can hold.
    """
    with pytest.raises(ApplyRefused):
        world.source.start(a_start(world.clusters[0], token="never given"), LATER)

    assert release(OLD) == read(world, world.clusters[0], LATER).wanted


def test_a_cluster_that_is_gone_is_refused_and_not_listed(world: FleetWorld) -> None:
    """
    A start of a cluster that vanished begins nothing, and the rest of the fleet is read as before.
    """
    gone, stays = world.clusters
    world.remove(gone)

    assert [stays] == list(world.source.read(frozenset(), LATER).clusters)
    with pytest.raises(ApplyRefused, match="gone"):
        world.source.start(a_start(gone), LATER)


def test_another_sources_cluster_is_refused(world: FleetWorld) -> None:
    """
    A name counts with its source: a cluster of the same short name elsewhere is another one.
    """
    own_name = world.clusters[0].split("/")[-1]

    with pytest.raises(ApplyRefused, match="gone"):
        world.source.start(a_start(f"elsewhere/{own_name}"), LATER)


def test_a_cluster_that_cannot_be_read_is_unknown_alone(world: FleetWorld) -> None:
    """
    It stays listed with its labels and a reason; the others are read.
    """
    lost, other = world.clusters
    world.lose(lost, LATER)

    clusters = world.source.read(frozenset(world.clusters), LATER).clusters

    reading = clusters[lost].reading
    assert isinstance(reading, Unknown)
    assert reading.why
    assert dict(clusters[lost].labels).items() >= LABELS.items()
    assert isinstance(clusters[other].reading, Reading)


def test_a_source_that_cannot_be_read_says_so(world: FleetWorld) -> None:
    """
    A source that cannot list its clusters raises; it never answers with an empty fleet.
    """
    world.break_down()

    with pytest.raises(ObservationError, match=r".+"):
        world.source.read(frozenset(), LATER)
    with pytest.raises(ApplyRefused):
        world.source.start(a_start(world.clusters[0]), LATER)


def test_the_next_process_sees_the_same_fleet(world: FleetWorld) -> None:
    """
    What was asked outlives the process that asked.
    """
    cluster = world.clusters[0]
    world.source.start(a_start(cluster, token=read(world, cluster, LATER).token), LATER)

    assert read(world, cluster, LATER) == read(world, cluster, LATER, world.reopened())


def test_the_mark_of_another_fleet_is_shown_and_respected(world: FleetWorld) -> None:
    """
    A cluster that another fleet wrote to first shows that fleet's mark, and takes no wish of ours.
    """
    cluster = world.clusters[0]
    world.source.start(a_start(cluster, token=read(world, cluster, LATER).token, fleet="other"), LATER)
    marked = read(world, cluster, LATER)

    with pytest.raises(ApplyRefused, match="other"):
        world.source.start(a_start(cluster, token=marked.token), LATER)

    assert "other" == marked.fleet
    assert marked == read(world, cluster, LATER)


def test_an_upgraded_cluster_goes_back_to_the_release_it_came_from(world: FleetWorld) -> None:
    """
    A lower release is a wish like any other, and every broker goes back to it.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    start = a_start(cluster, release(OLD), token=read(world, cluster, upgraded).token, release_from=release(NEW))

    world.source.start(start, upgraded)

    under_way = read(world, cluster, upgraded)
    assert (release(OLD), release(NEW), False) == (under_way.wanted, under_way.highest, under_way.settled)
    back = read(world, cluster, world.finish(upgraded))
    assert (release(OLD),) * 3 == (back.release, back.highest, back.wanted)
    assert back.settled
    assert back.healthy
    assert LEVEL_41 == back.metadata_version


def test_a_finalization_is_seen_in_the_next_reading_and_touches_no_release(world: FleetWorld) -> None:
    """
    The level that was taken is what the resource asks for, under another token, with the fleet's mark, not yet done.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    before = read(world, cluster, upgraded)

    world.source.start(a_finalization(cluster, token=before.token), upgraded)

    after = read(world, cluster, upgraded)
    assert before.wanted_metadata is None
    assert (LEVEL_43, LEVEL_41) == (after.wanted_metadata, after.metadata_version)
    assert before.token != after.token
    assert "acme" == after.fleet
    assert not after.settled
    assert (release(NEW),) * 3 == (after.release, after.highest, after.wanted)


def test_a_finalization_ends_on_its_level_settled_and_healthy(world: FleetWorld) -> None:
    """
    Once it is done the level is finalized, and the other cluster has its own.
    """
    cluster, other = world.clusters
    done = a_finalized_cluster(world)

    reading = read(world, cluster, done)
    assert (LEVEL_43, LEVEL_43) == (reading.metadata_version, reading.wanted_metadata)
    assert reading.settled
    assert reading.healthy
    untouched = read(world, other, done)
    assert (LEVEL_41, None) == (untouched.metadata_version, untouched.wanted_metadata)


def test_finalizing_twice_changes_nothing_more(world: FleetWorld) -> None:
    """
    The same start again is harmless: at once, when it is done, and from the next process.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    start = a_finalization(cluster, token=read(world, cluster, upgraded).token)
    world.source.start(start, upgraded)
    once = read(world, cluster, upgraded)

    world.source.start(start, upgraded)

    assert once == read(world, cluster, upgraded)
    done = world.finish(upgraded)
    finalized = read(world, cluster, done)
    world.reopened().start(start, done)
    assert finalized == read(world, cluster, done)


def test_a_finalization_judged_from_an_older_state_is_refused(world: FleetWorld) -> None:
    """
    Where somebody else changed the resource meanwhile, no level is asked for, since that could not be undone.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    token = read(world, cluster, upgraded).token
    world.changed_by_others(cluster, release("4.2.1"), upgraded)

    with pytest.raises(ApplyRefused, match=cluster):
        world.source.start(a_finalization(cluster, token=token), upgraded)

    assert read(world, cluster, upgraded).wanted_metadata is None


def test_a_finalized_level_is_never_lowered(world: FleetWorld) -> None:
    """
    A lower level is refused, and what was finalized stays.
    """
    cluster = world.clusters[0]
    done = a_finalized_cluster(world)
    before = read(world, cluster, done)

    with pytest.raises(ApplyRefused, match="never lowered"):
        world.source.start(a_start(cluster, LEVEL_41, token=before.token, release_from=LEVEL_43), done)

    assert before == read(world, cluster, done)


def test_a_finalized_level_stays_with_the_next_release_and_with_a_change_by_others(world: FleetWorld) -> None:
    """
    Whoever asks for another release asks for no other level.
    """
    cluster = world.clusters[0]
    done = a_finalized_cluster(world)
    start = a_start(cluster, release("4.4.0"), token=read(world, cluster, done).token, pinned=LEVEL_43)
    world.source.start(start, done)
    assert (LEVEL_43, LEVEL_43) == levels(read(world, cluster, done))

    rolled = world.finish(done)
    assert (LEVEL_43, LEVEL_43) == levels(read(world, cluster, rolled))
    world.changed_by_others(cluster, release(NEW), rolled)
    assert (LEVEL_43, LEVEL_43) == levels(read(world, cluster, world.finish(rolled)))


def test_a_release_that_pins_the_level_withdraws_a_finalization_that_is_not_done(world: FleetWorld) -> None:
    """
    Safety: no operator raises the level on its own once the brokers have rolled.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    world.source.start(a_finalization(cluster, token=read(world, cluster, upgraded).token), upgraded)
    token = read(world, cluster, upgraded).token

    world.source.start(a_start(cluster, release("4.4.0"), token=token, pinned=LEVEL_41), upgraded)

    assert (LEVEL_41, LEVEL_41) == levels(read(world, cluster, upgraded))
    assert (LEVEL_41, LEVEL_41) == levels(read(world, cluster, world.finish(upgraded)))


def test_the_next_process_sees_the_same_finalization(world: FleetWorld) -> None:
    """
    The level that was asked for outlives the process that asked, while it is under way and when it is done.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    world.source.start(a_finalization(cluster, token=read(world, cluster, upgraded).token), upgraded)
    done = world.finish(upgraded)

    assert read(world, cluster, upgraded) == read(world, cluster, upgraded, world.reopened())
    assert read(world, cluster, done) == read(world, cluster, done, world.reopened())


def test_another_fleets_cluster_is_not_finalized(world: FleetWorld) -> None:
    """
    The mark of another fleet is respected by a finalization as by an upgrade.
    """
    cluster, upgraded = world.clusters[0], an_upgrade(world, fleet="other")

    with pytest.raises(ApplyRefused, match="other"):
        world.source.start(a_finalization(cluster, token=read(world, cluster, upgraded).token), upgraded)


def a_finalization(cluster: str, *, token: str) -> Start:
    """A start that raises the level from that of ``OLD`` to that of ``NEW``."""
    return a_start(cluster, LEVEL_43, kind=RolloutKind.METADATA, release_from=LEVEL_41, token=token)


def an_upgrade(world: FleetWorld, *, fleet: str = "acme") -> datetime:
    """Upgrade the first cluster to ``NEW``, and return when that is done."""
    cluster = world.clusters[0]
    world.source.start(a_start(cluster, token=read(world, cluster, LATER).token, fleet=fleet), LATER)
    return world.finish(LATER)


def a_finalized_cluster(world: FleetWorld) -> datetime:
    """Upgrade and finalize the first cluster, and return when that is done."""
    cluster, upgraded = world.clusters[0], an_upgrade(world)
    world.source.start(a_finalization(cluster, token=read(world, cluster, upgraded).token), upgraded)
    return world.finish(upgraded)


def levels(reading: Reading) -> tuple[MetadataVersion | None, MetadataVersion | None]:
    """What is finalized, and what is asked for."""
    return reading.metadata_version, reading.wanted_metadata
