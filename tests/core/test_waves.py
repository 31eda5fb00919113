"""Who is next: the order of clusters, how they fall into waves, and what goes to the tail."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.waves import (
    TAIL,
    Terrain,
    definition_of,
    next_wave,
    order_of,
    pool_to_fill,
    size_of,
    split,
    waves_to_come,
)
from controller.history.records import ClusterRecord, ClusterState, RolloutRecord, WaveRecord
from tests.builders import NOON, release
from tests.builders_core import REVISION, SOFTWARE, TARGET, a_group, a_strategy, a_wave

NAMES = tuple(f"sim/p-{number}" for number in range(1, 8))
GROUND = Terrain({})
THREE = (a_wave("canary", "1"), a_wave("early", "25%"), a_wave("rest", "rest"))


def a_rollout(names: tuple[str, ...] = NAMES, admitted: int = 0, **records: ClusterRecord) -> RolloutRecord:
    """A rollout of pending clusters, with ``admitted`` waves behind it; ``records`` by the end of a name (``p_3``)."""
    clusters = {name: records.get(name[-3:].replace("-", "_"), ClusterRecord()) for name in names}
    waves = tuple(WaveRecord(number, f"w{number}", tail=False, admitted_at=NOON) for number in range(1, admitted + 1))
    return RolloutRecord(1, "prod", SOFTWARE, TARGET, REVISION, NOON, len(names), waves, clusters)


def in_wave(number: int, state: ClusterState = ClusterState.SOAKED) -> ClusterRecord:
    """A cluster that was admitted to a wave."""
    return ClusterRecord(state, wave=number)


TO_TAIL = ClusterRecord(tail=True)


def test_the_order_is_a_hash_of_target_and_name() -> None:
    """
    The same in every run and for any order of asking; pinned here, so that no release of ours re-deals a fleet.
    """
    assert ("p-2", "p-6", "p-1", "p-4", "p-3", "p-5") == tuple(
        name.removeprefix("sim/") for name in order_of(TARGET, NAMES[:6])
    )
    assert order_of(TARGET, NAMES) == order_of(TARGET, reversed(NAMES))


def test_another_release_has_another_order() -> None:
    """
    So that the same team is not always the canary.
    """
    firsts = {order_of(release(f"4.{minor}.{patch}"), NAMES)[0] for minor in range(4) for patch in range(3)}

    assert len(firsts) > 1


def test_a_name_keeps_its_place_among_the_others() -> None:
    """
    A cluster more or less does not re-deal the rest.
    """
    assert [name for name in order_of(TARGET, NAMES) if name != NAMES[0]] == list(order_of(TARGET, NAMES[1:]))


@pytest.mark.parametrize(
    ("size", "live", "left", "expected"),
    [
        ("10%", 19, 19, 1),
        ("10%", 20, 20, 2),
        ("10%", 29, 29, 2),
        ("1%", 7, 7, 1),
        ("100%", 7, 7, 7),
        ("50%", 8, 3, 3),
        ("3", 8, 8, 3),
        ("9", 8, 8, 8),
        ("2", 8, 0, 0),
        ("rest", 8, 5, 5),
        ("rest", 8, 0, 0),
    ],
)
def test_a_size_is_rounded_down_is_at_least_one_and_never_more_than_is_left(
    size: str, live: int, left: int, expected: int
) -> None:
    """
    A percentage is of the group's live clusters at rollout start, whatever is left by now.
    """
    assert expected == size_of(a_wave("w", size), live, left)


def test_waves_are_dealt_out_in_order_until_nobody_is_left() -> None:
    """
    Waves for which nobody is left are left out.
    """
    dealt = split(NAMES[:3], (a_wave("canary", "1"), a_wave("early", "5"), a_wave("rest", "rest")), 3, GROUND)

    assert [("canary", NAMES[:1]), ("early", NAMES[1:3])] == [(wave.name, names) for wave, names in dealt]
    assert () == split((), THREE, 0, GROUND)


@given(st.integers(0, 40), st.lists(st.sampled_from(["1", "3", "10%", "50%", "100%"]), max_size=4))
def test_every_cluster_falls_into_exactly_one_wave(count: int, sizes: list[str]) -> None:
    """
    Safety: nobody twice, nobody left out, in order, and no wave is empty.
    """
    names = [f"c-{number}" for number in range(count)]
    waves = [a_wave(f"w{number}", size) for number, size in enumerate([*sizes, "rest"])]

    dealt = split(names, waves, count, GROUND)

    assert names == [name for _, members in dealt for name in members]
    assert all(members for _, members in dealt)


def test_the_first_wave_comes_first() -> None:
    """
    It has the first declared wave's rules, and may take the pending clusters in order, as many as it is large.
    """
    wave = next_wave(a_rollout(), a_group(strategy=a_strategy(waves=THREE)), GROUND)

    assert wave is not None
    assert (1, "canary", False, 1, NAMES) == (wave.number, wave.name, wave.tail, wave.pool.size, wave.pool.names)


def test_the_wave_after_those_admitted_is_next() -> None:
    """
    What was admitted is counted, not named: edited waves re-plan only what was not admitted yet.
    """
    rollout = a_rollout(admitted=1, p_1=in_wave(1))
    group = a_group(strategy=a_strategy(waves=THREE))
    edited = a_group(strategy=a_strategy(waves=(a_wave("all-new", "3"), a_wave("second", "50%"), a_wave("z", "rest"))))

    early, second = next_wave(rollout, group, GROUND), next_wave(rollout, edited, GROUND)

    assert early is not None
    assert second is not None
    assert (2, "early", 1) == (early.number, early.name, early.pool.size)
    assert (2, "second", 3) == (second.number, second.name, second.pool.size)
    assert NAMES[1:] == second.pool.names


def test_with_fewer_waves_than_were_admitted_the_rest_goes_like_the_last_one() -> None:
    """
    Whoever still waits goes in a tail wave: no wave is planned a second time.
    """
    wave = next_wave(
        a_rollout(admitted=2, p_1=in_wave(1), p_2=in_wave(2)), a_group(strategy=a_strategy(waves=THREE[2:])), GROUND
    )

    assert wave is not None
    assert (3, TAIL, True, "rest", 5) == (wave.number, wave.name, wave.tail, wave.definition.name, wave.pool.size)


def test_the_tail_goes_when_nobody_else_waits() -> None:
    """
    It has the last wave's rules, takes all of them, and is made as often as there is something for it.
    """
    rollout = a_rollout(NAMES[:3], admitted=2, p_1=in_wave(1), p_2=in_wave(2), p_3=TO_TAIL)

    wave = next_wave(rollout, a_group(strategy=a_strategy(waves=THREE)), GROUND)
    another = next_wave(
        replace(rollout, waves=(*rollout.waves, WaveRecord(3, TAIL, tail=True, admitted_at=NOON))), a_group(), GROUND
    )

    assert wave is not None
    assert (3, TAIL, True, "rest", NAMES[2:3]) == (
        wave.number,
        wave.name,
        wave.tail,
        wave.definition.name,
        wave.pool.names,
    )
    assert another is not None
    assert (4, TAIL) == (another.number, another.name)


def test_a_declared_wave_leaves_the_tail_alone_while_others_wait() -> None:
    """
    Those of the tail only take the places where each of the others is held.
    """
    wave = next_wave(
        a_rollout(NAMES[:3], admitted=1, p_1=in_wave(1), p_2=TO_TAIL), a_group(strategy=a_strategy(waves=THREE)), GROUND
    )

    assert wave is not None
    assert (NAMES[2:3], NAMES[1:2]) == (wave.pool.names, wave.pool.spare)


def test_where_everybody_was_set_aside_before_the_first_wave_the_canary_is_still_a_canary() -> None:
    """
    The first wave is never the tail: it takes no more of them than it is large.
    """
    wave = next_wave(a_rollout(NAMES[:2], p_1=TO_TAIL, p_2=TO_TAIL), a_group(strategy=a_strategy(waves=THREE)), GROUND)

    assert wave is not None
    assert ("canary", False, 1, NAMES[:2]) == (wave.name, wave.tail, wave.pool.size, wave.pool.names)


def test_no_wave_is_next_where_nobody_waits() -> None:
    """
    Not for clusters in waves, and not for quarantined ones.
    """
    rollout = a_rollout(NAMES[:2], admitted=1, p_1=in_wave(1), p_2=in_wave(1, ClusterState.QUARANTINED))

    assert None is next_wave(rollout, a_group(), GROUND)


def test_a_wave_of_nobody_is_filled_from_the_next_pending_ones() -> None:
    """
    As many as the wave is large; a tail wave from all that wait.
    """
    rollout = a_rollout(NAMES[:4], admitted=1, p_1=in_wave(1, ClusterState.QUARANTINED), p_4=TO_TAIL)

    pool = pool_to_fill(rollout, THREE[0], GROUND, tail=False)
    tail = pool_to_fill(rollout, THREE[2], GROUND, tail=True)

    assert (NAMES[1:3], NAMES[3:4], 1) == (pool.names, pool.spare, pool.size)
    assert (NAMES[1:4], (), 3) == (tail.names, tail.spare, tail.size)


def test_an_admitted_wave_follows_its_present_declaration_by_name() -> None:
    """
    Renamed away, it goes like the last wave.
    """
    group = a_group(strategy=a_strategy(waves=THREE))
    wave, rollout = WaveRecord(1, "early", tail=False, admitted_at=NOON), a_rollout()

    assert THREE[1] == definition_of(wave, rollout, group)
    assert THREE[2] == definition_of(replace(wave, name="gone"), rollout, group)
    assert THREE[2] == definition_of(replace(wave, name=TAIL, tail=True), rollout, group)


def test_the_waves_to_come_are_told_as_they_would_go_now() -> None:
    """
    The declared ones that are left, then the tail; before the first wave those set aside go in it.
    """
    group = a_group(strategy=a_strategy(waves=THREE))
    rollout = a_rollout(NAMES[:5], admitted=1, p_1=in_wave(1), p_2=TO_TAIL)

    coming = [(name, names) for name, _, names in waves_to_come(rollout, group, GROUND)]
    fresh = [
        (name, names) for name, _, names in waves_to_come(a_rollout(NAMES[:2], p_1=TO_TAIL, p_2=TO_TAIL), group, GROUND)
    ]

    assert [("early", NAMES[2:3]), ("rest", NAMES[3:5]), (TAIL, NAMES[1:2])] == coming
    assert [("canary", NAMES[:1]), ("early", NAMES[1:2])] == fresh
