"""What plays by chance have found wrong about groups and fleets, each as the shortest course that shows it."""

from dataclasses import replace

from controller.history import entries as e
from controller.history.records import ClusterState, StopKind
from controller.model.observation import Unknown
from controller.model.outbox import StatusState
from controller.model.requests import Command
from controller.model.verdict import HoldReason
from tests.builders import HOUR, MINUTE, a_reading, release
from tests.builders_core import a_group, a_member, a_request, a_strategy, a_wave, members
from tests.properties.course import SICK, Course

ONE_WAVE = (a_wave("all", "rest", 3 * MINUTE),)
ON_TARGET = a_reading("4.3.1")


def lost_source(course: Course) -> None:
    """Let the only source be out of reach, of which a restarted process knows no cluster."""
    course.clusters.clear()
    course.unreachable["sim"] = "connection reset"
    course.restart()


def test_clusters_of_an_unreachable_source_are_not_gone_after_a_restart() -> None:
    """
    A process that never saw the source's list does not know who is gone: the slot stays taken.
    """
    course = Course.of(members(1), a_group())
    course.cycle()
    lost_source(course)
    course.cycles(5)

    assert ClusterState.STARTED == course.record("prod-1").state
    assert course.record("prod-1").holds_slot


def test_success_is_not_said_of_a_group_that_may_have_unlisted_clusters() -> None:
    """
    After a restart with a source out of reach, what is seen of a group may not be all of it.
    """
    course = Course.of({**members(1, ON_TARGET), "eu/prod-2": replace(a_member("x"), name="eu/prod-2")}, a_group())
    del course.clusters["eu/prod-2"]
    course.unreachable["eu"] = "connection reset"
    course.cycle()

    assert StatusState.PENDING == course.view().state
    assert "not read since this process started: eu" in course.view().sentence


def test_order_does_not_pass_on_half_of_a_fleet() -> None:
    """
    A predecessor whose other clusters no source could list yet has not converged.
    """
    course = Course.of({**members(1, ON_TARGET, "dev"), **members(1)}, a_group("dev"), a_group("prod", after=("dev",)))
    course.unreachable["eu"] = "connection reset"
    course.cycle()
    assert HoldReason.GROUP_ORDER in course.holds("prod")

    course.unreachable.clear()
    course.cycle()
    assert ["prod-1"] == course.started()


def test_a_quarantined_cluster_on_target_holds_the_groups_that_wait() -> None:
    """
    A group that ended with a sick cluster has not converged, although every cluster of it runs the target.
    """
    waves = (a_wave("one", "1", MINUTE), a_wave("all", "rest", 3 * MINUTE))
    dev, prod = a_group("dev", strategy=a_strategy(waves=waves, budget="1")), a_group("prod", after=("dev",))
    course = Course.of({**members(2, group="dev"), **members(1)}, dev, prod)
    admitted: list[e.WaveAdmitted] = []
    while len(admitted) < len(waves):
        for start in course.cycle().starts:
            course.arrive(start.cluster)
        admitted = course.said(e.WaveAdmitted)
    course.cycle()
    (last,) = admitted[-1].clusters
    course.arrive(last, findings=SICK)
    course.cycles(5)

    assert [StopKind.QUARANTINE] == [entry.kind for entry in course.said(e.Stopped)]
    assert HoldReason.GROUP_ORDER in course.holds("prod")
    course.arrive(last)
    course.declare(replace(dev, acknowledge=frozenset({1})), prod)
    course.cycle()
    assert ["prod-1"] == course.started()


def test_a_halt_of_a_group_that_is_gone_can_be_resumed() -> None:
    """
    Its failed clusters keep slots and its release stays suspect until a person looks: there must be a way to say so.
    """
    group = a_group("old", strategy=a_strategy(deadline=2 * MINUTE))
    course = Course.of({**members(1, group="old"), **members(1)}, group)
    course.cycles(4)
    assert 1 == len(course.said(e.Stopped))
    course.declare(a_group("prod"))
    course.cycle()
    assert HoldReason.RELEASE_SUSPECT in course.holds("prod")

    course.cycle(a_request(Command.RESUME, scope="old"))
    assert ["prod-1"] == course.started()
    assert not course.history.rollouts[1].in_flight


def test_only_a_group_that_ever_stopped_can_be_resumed_when_it_is_gone() -> None:
    """
    A halt needs a declared group, and a name that means nothing is told so.
    """
    course = Course.of(members(1), a_group())
    course.cycle(a_request(Command.RESUME, scope="nobody"), a_request(Command.HALT, 2, scope="nobody"))

    assert {"nothing changed: no group is called nobody"} == {entry.outcome for entry in course.said(e.RequestTaken)}


def test_a_halted_group_says_so_also_where_nothing_waits_to_start() -> None:
    """
    With every cluster started, or none to start, the halt is still the first thing to be told.
    """
    course = Course.of(members(1), a_group())
    course.cycle()
    course.cycle(a_request())
    assert HoldReason.GROUP_HALTED in course.holds()

    finished = Course.of(members(1, ON_TARGET), a_group(halted=True))
    finished.cycle()
    assert HoldReason.GROUP_HALTED in finished.holds()


def test_a_cluster_seen_twice_is_held_while_its_twin_cannot_be_seen() -> None:
    """
    Unknown holds: the twin that nobody can read now is not gone.
    """
    course = Course.of({"sim/prod-1": a_member("prod-1"), "eu/prod-1": replace(a_member("x"), name="eu/prod-1")})
    for name in course.clusters:
        course.see(name, a_reading(kafka_id="kafka-1"))
    course.cycle()
    assert HoldReason.SEEN_TWICE in course.holds()

    course.see("eu/prod-1", Unknown("no broker answers"))
    course.cycle()
    assert HoldReason.SEEN_TWICE in course.holds()
    assert [] == course.started()


def test_a_lowered_budget_halts_at_once() -> None:
    """
    Budgets follow the present declaration: what was within it may be past it now.
    """
    waves = (a_wave("one", "1", MINUTE), a_wave("all", "rest", 3 * HOUR))
    group = a_group(strategy=a_strategy(waves=waves, budget="1"))
    course = Course.of(members(3), group)
    for _ in range(5):
        for start in course.cycle().starts:
            course.arrive(start.cluster)
    failed = next(name for entry in course.said(e.WaveAdmitted) if entry.wave == 2 for name in entry.clusters)
    course.arrive(failed, findings=SICK)
    course.cycle()
    assert [StopKind.QUARANTINE] == [entry.kind for entry in course.said(e.Stopped)]

    course.declare(replace(group, strategy=a_strategy(waves=waves, budget="0")))
    course.cycles(2)
    assert [StopKind.QUARANTINE, StopKind.HALT] == [entry.kind for entry in course.said(e.Stopped)]
    assert release("4.3.1") == course.said(e.Stopped)[-1].suspect


def test_half_rolled_brokers_that_nobody_rolls_are_left_alone() -> None:
    """
    A start to a release between what the brokers of one cluster run would take some of them down.
    """
    course = Course.of(members(1, a_reading(highest=release("4.4.0"))), a_group())
    course.cycle()

    assert [] == course.started()
    assert HoldReason.CLUSTER_UNSETTLED in course.holds()


def test_a_cluster_that_moved_is_not_started_by_its_old_group_in_the_cycle_that_withdraws_it() -> None:
    """
    A start that was never taken, withdrawn after its cluster moved, is planned anew by the new group alone.
    """
    course = Course.of(members(1, group="old"), a_group("old"), a_group("prod"))
    course.taken = False
    course.cycle()
    course.clusters["sim/old-1"] = a_member("old-1")
    while not course.said(e.StartWithdrawn):
        course.cycle()

    assert ["prod"] == [start.group for start in course.plan.starts] if course.plan is not None else False
