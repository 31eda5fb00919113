"""The operator's choice of the next move: one broker at a time, and only while all the others are there."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.lab.cluster_view import ClusterView
from controller.lab.rolling import Assign, Await, Finalize, Move, Node, Rest, Situation, Start, StopForRoll, next_move
from tests.lab.labs import LEVEL_OF_NEW, NEW, OLD, a_node, a_view

MOVES_MAX = 60


def test_a_cluster_on_its_release_and_in_sync_is_left_alone() -> None:
    """
    Nothing to do is its own answer, and the only one that counts as ready.
    """
    assert Rest() == _move(a_node(1), a_node(2), a_node(3), view=a_view(1, 2, 3))


def test_a_stopped_broker_is_started_on_its_own_release() -> None:
    """
    A broker that crashed comes back as it was, although another release is wanted.
    """
    assert Start((2,)) == _move(a_node(1), a_node(2, None), a_node(3), wanted=NEW, view=None)


def test_all_stopped_brokers_start_together() -> None:
    """
    A cluster that is down has no one to be rolled past, so nobody waits for anybody.
    """
    assert Start((1, 2, 3)) == _move(a_node(1, None), a_node(2, None), a_node(3, None), view=None)


def test_a_broker_that_cannot_start_on_its_own_release_is_tried_on_the_wanted_one() -> None:
    """
    The way back from a release that does not start: asking for the old one again gets the broker up.
    """
    broken = replace(a_node(1, None, assigned=NEW), starts_failed=2)

    assert Assign(1, OLD) == _move(broken, a_node(2), a_node(3), wanted=OLD, view=None)
    assert Start((1,)) == _move(replace(broken, starts_failed=1), a_node(2), a_node(3), wanted=OLD, view=None)
    assert Start((1,)) == _move(broken, a_node(2), a_node(3), wanted=None, view=None)


def test_a_roll_begins_with_a_broker_that_is_not_the_active_controller() -> None:
    """
    The active controller goes last, so that leadership of the quorum moves once.
    """
    view = a_view(1, 2, 3, controller=1)

    assert Assign(2, NEW) == _move(a_node(1), a_node(2), a_node(3), wanted=NEW, view=view)
    assert Assign(1, NEW) == _move(a_node(1), a_node(2, NEW), a_node(3, NEW), wanted=NEW, view=view)


def test_an_assigned_broker_is_stopped_at_a_later_look() -> None:
    """
    Two looks agree before a process is touched; an operator that dies in between finds the assignment.
    """
    view = a_view(1, 2, 3, controller=2)

    assert StopForRoll(2) == _move(a_node(1), a_node(2, assigned=NEW), a_node(3), wanted=NEW, view=view)


def test_nothing_happens_while_a_broker_shuts_down() -> None:
    """
    A controlled shutdown is waited for, however long it takes.
    """
    move = _move(a_node(1), a_node(2, assigned=NEW, stopping=True), a_node(3), wanted=NEW, view=a_view(1, 3))

    assert Await("waiting for broker 2 to shut down in order") == move


def test_a_roll_waits_for_a_broker_that_is_out_of_sync() -> None:
    """
    As long as another broker lacks a replica, the next one is not touched.
    """
    move = _move(a_node(1, NEW), a_node(2), a_node(3), wanted=NEW, view=a_view(1, 2, 3, absent=(1,)))

    assert Await("waiting for broker 1 to be in sync before broker 2 is rolled") == move


def test_a_roll_waits_for_a_broker_that_the_others_still_take_for_present() -> None:
    """
    A broker killed a second ago is in everybody's metadata; that its port is silent counts more.
    """
    move = _move(a_node(1, NEW), a_node(2), a_node(3), wanted=NEW, view=a_view(1, 2, 3, silent=(1,)))

    assert Await("waiting for broker 1 to be in sync before broker 2 is rolled") == move


def test_a_roll_waits_for_a_voter_that_is_behind() -> None:
    """
    A quorum of three with one voter behind must not lose another one.
    """
    move = _move(a_node(1, NEW), a_node(2), a_node(3), wanted=NEW, view=a_view(1, 2, 3, behind=(1,)))

    assert Await("waiting for broker 1 to be in sync before broker 2 is rolled") == move


def test_a_roll_waits_for_a_cluster_that_does_not_answer() -> None:
    """
    What cannot be seen is not taken for healthy.
    """
    assert Await("waiting for the cluster to answer") == _move(a_node(1), a_node(2), wanted=NEW, view=None)
    assert Await("waiting for the cluster to answer") == _move(a_node(1), a_node(2), view=None)


def test_a_roll_waits_for_partitions_without_a_leader() -> None:
    """
    A partition nobody serves is trouble that another restart would only hide.
    """
    view = replace(a_view(1, 2, 3), leaderless=2)

    assert Await("waiting for leaders of 2 partitions") == _move(a_node(1), a_node(2), a_node(3), view=view)
    move = _move(a_node(1), a_node(2), a_node(3), wanted=NEW, view=view)
    assert Await("waiting for leaders of 2 partitions before broker 2 is rolled") == move


def test_the_sick_broker_itself_may_be_rolled() -> None:
    """
    The one broker that is out of sync costs nothing to take down, and a new release may be its cure.
    """
    view = a_view(1, 2, 3, absent=(3,), controller=3)

    assert Assign(3, NEW) == _move(a_node(1), a_node(2), a_node(3), wanted=NEW, view=view)


def test_a_roll_that_was_called_off_before_the_stop_touches_no_process() -> None:
    """
    A broker that was assigned and not yet stopped keeps running; only its file is put right.
    """
    move = _move(a_node(1, OLD, assigned=NEW), a_node(2), a_node(3), wanted=OLD, view=a_view(1, 2, 3))

    assert Assign(1, OLD) == move


def test_a_refused_release_stops_no_broker() -> None:
    """
    Without an admitted release nobody is stopped, not even a broker assigned to an earlier one.
    """
    assert Rest() == _move(a_node(1, OLD, assigned=NEW), a_node(2), a_node(3), wanted=None, view=a_view(1, 2, 3))


def test_a_cluster_is_not_at_rest_before_all_are_in_sync() -> None:
    """
    Running everywhere is not enough for ready.
    """
    move = _move(a_node(1), a_node(2), a_node(3), view=a_view(1, 2, absent=(3,)))

    assert Await("waiting for broker 3 to be registered and in sync") == move


def test_a_level_is_finalized_where_every_broker_runs_the_wanted_release_and_is_in_sync() -> None:
    """
    The last move of all; once the level is finalized, nothing is left to do.
    """
    three = (a_node(1), a_node(2), a_node(3))

    assert Finalize(LEVEL_OF_NEW) == _move(*three, view=a_view(1, 2, 3), level=LEVEL_OF_NEW)
    finalized = replace(a_view(1, 2, 3), metadata_level=LEVEL_OF_NEW)
    assert Rest() == _move(*three, view=finalized, level=LEVEL_OF_NEW)
    assert Rest() == _move(*three, view=replace(finalized, metadata_level=33), level=LEVEL_OF_NEW)


most = st.sampled_from(([1, 2, 3], [1, 2, 3], [1, 2], [1, 3], [2, 3], [3], [])).map(frozenset[int])
few = st.sampled_from(([], [], [], [1], [2], [3], [1, 2])).map(frozenset[int])
nodes = st.tuples(
    *(
        st.builds(
            Node,
            st.just(number),
            st.sampled_from((OLD, NEW)),
            st.sampled_from((OLD, OLD, OLD, NEW, NEW, None)),
            st.sampled_from((False, False, False, False, True)),
            st.integers(0, 3),
            st.sampled_from((False, False, False, True)),
        )
        for number in (1, 2, 3)
    )
)
views = st.none() | st.builds(
    ClusterView,
    answering=most,
    registered=most,
    absent=few,
    leaderless=st.sampled_from((0, 0, 2)),
    lagging_voters=few,
    controller=st.integers(1, 3),
    metadata_level=st.sampled_from((27, 29, 30)),
)
levels = st.none() | st.sampled_from((27, 30))


@settings(max_examples=600)
@given(nodes, st.sampled_from((OLD, NEW, None)), views)
def test_no_broker_is_stopped_while_another_is_missing(
    three: tuple[Node, ...], wanted: str | None, view: ClusterView | None
) -> None:
    """
    Safety: whoever is stopped, every other broker runs, answers, is registered, in sync, and caught up as a voter.
    """
    move = next_move(Situation(three, wanted, view))

    if isinstance(move, StopForRoll):
        others = {1, 2, 3} - {move.broker}
        assert view is not None
        assert wanted is not None
        assert all(node.running is not None and not node.stopping for node in three)
        assert others <= view.answering & view.registered
        assert not others & (view.absent | view.lagging_voters)
        assert 0 == view.leaderless or move.broker in view.lacking(frozenset({1, 2, 3}))


@settings(max_examples=600)
@given(nodes, st.sampled_from((OLD, NEW, None)), views, levels)
def test_what_is_down_on_purpose_stays_down_and_nothing_is_rolled_meanwhile(
    three: tuple[Node, ...], wanted: str | None, view: ClusterView | None, level: int | None
) -> None:
    """
    Safety: a broker that is held down is never started nor given another release, and nobody is stopped beside it.
    """
    down = {node.id for node in three if node.held and node.running is None}
    move = next_move(Situation(three, wanted, view, level))

    if down:
        assert isinstance(move, Start | Await | Assign)
        assert not isinstance(move, Start) or down.isdisjoint(move.brokers)
        assert not isinstance(move, Assign) or move.broker not in down


def test_a_roll_sticks_at_a_broker_that_is_down_on_purpose() -> None:
    """
    Others that are down for themselves come up; then it waits, whatever is wanted, and says for whom.
    """
    held = replace(a_node(2, None, assigned=NEW), held=True)

    assert Start((3,)) == _move(a_node(1), held, a_node(3, None), wanted=NEW, view=None)
    stuck = Await("waiting for broker 2, broken on purpose, to be mended")
    assert stuck == _move(a_node(1), held, a_node(3), wanted=NEW, view=None)
    assert stuck == _move(a_node(1), held, a_node(3), wanted=OLD, view=a_view(1, 3))


@settings(max_examples=600)
@given(nodes, st.sampled_from((OLD, NEW, None)), views, levels)
def test_no_level_is_finalized_unless_all_is_there_on_the_wanted_release(
    three: tuple[Node, ...], wanted: str | None, view: ClusterView | None, level: int | None
) -> None:
    """
    Safety: what cannot be undone is done on a whole cluster of one release alone, and only upwards.
    """
    move = next_move(Situation(three, wanted, view, level))

    if isinstance(move, Finalize):
        assert view is not None
        assert move.level == level
        assert view.metadata_level < move.level
        assert {(wanted, False)} == {(node.running, node.stopping) for node in three}
        assert not view.lacking(frozenset({1, 2, 3}))
        assert 0 == view.leaderless


@given(nodes, st.sampled_from((OLD, NEW)))
def test_every_roll_comes_to_rest(three: tuple[Node, ...], wanted: str) -> None:
    """
    Liveness: from whatever an operator left behind, moves on a cluster that recovers end with all on the release.
    """
    three = tuple(replace(node, held=False) for node in three)
    for _ in range(MOVES_MAX):
        there = tuple(node.id for node in three if node.running and not node.stopping)
        move = next_move(Situation(three, wanted, a_view(*there, controller=3) if there else None))
        if isinstance(move, Rest):
            break
        three = tuple(_after(move, node) for node in three)

    assert [(wanted, wanted)] * 3 == [(node.assigned, node.running) for node in three]


def _after(move: Move, node: Node) -> Node:
    """What becomes of a broker on a machine where everything works."""
    if node.stopping:
        return replace(node, running=None, stopping=False)
    match move:
        case Start(brokers) if node.id in brokers:
            return replace(node, running=node.assigned, starts_failed=0)
        case Assign(broker, release) if broker == node.id:
            return replace(node, assigned=release, starts_failed=0)
        case StopForRoll(broker) if broker == node.id:
            return replace(node, stopping=True)
    return node


def _move(*three: Node, wanted: str | None = OLD, view: ClusterView | None, level: int | None = None) -> Move:
    return next_move(Situation(three, wanted, view, level))
