"""How clusters stand to their target: on it, below, above, unknown; every live cluster is counted exactly once."""

from controller.core.drift import drift_of, runs
from controller.model.observation import Severity, Unknown
from tests.builders import NEW, a_cluster, a_finding, a_reading, by_name, release


def test_every_live_cluster_is_counted_once() -> None:
    """
    By what it runs, in the group's own order; what cannot be read is neither below nor on target.
    """
    clusters = by_name(
        [
            a_cluster("sim/new", a_reading(NEW)),
            a_cluster("sim/old-2"),
            a_cluster("sim/old-1"),
            a_cluster("sim/newer", a_reading("4.3.2")),
            a_cluster("sim/dark", Unknown("no broker answers")),
        ]
    )

    drift = drift_of(clusters, clusters, release(NEW))

    assert 1 == drift.on_target
    assert ("sim/old-2", "sim/old-1") == drift.below
    assert ("sim/newer",) == drift.above
    assert ("sim/dark",) == drift.unknown
    assert 5 == drift.of


def test_a_half_rolled_cluster_is_below_its_target_until_every_broker_runs_it() -> None:
    """
    The lowest release decides; brokers above the target on the way make it no more than below.
    """
    half = a_reading("4.1.2", highest=release(NEW))
    mixed = a_reading(NEW, highest=release("4.3.2"))
    clusters = by_name([a_cluster("sim/half", half), a_cluster("sim/mixed", mixed)])

    drift = drift_of(clusters, clusters, release(NEW))

    assert ("sim/half",) == drift.below
    assert ("sim/mixed",) == drift.above
    assert [False, False, True] == [runs(each, release(NEW)) for each in (half, mixed, a_reading(NEW))]


def test_what_is_unhealthy_on_target_is_told_apart() -> None:
    """
    Settled with a finding that holds; a warning is none, and what still rolls is not judged.
    """
    clusters = by_name(
        [
            a_cluster("sim/sick", a_reading(NEW, findings=(a_finding(),))),
            a_cluster("sim/warned", a_reading(NEW, findings=(a_finding(Severity.WARN),))),
            a_cluster("sim/rolling", a_reading(NEW, settled=False, findings=(a_finding(Severity.WAIT),))),
        ]
    )

    drift = drift_of(clusters, clusters, release(NEW))

    assert 3 == drift.on_target
    assert ("sim/sick",) == drift.sick


def test_a_group_of_nobody_has_no_drift() -> None:
    """
    Nothing live is nothing below, and nothing on target either.
    """
    drift = drift_of((), {}, release(NEW))

    assert (0, 0, (), (), ()) == (drift.of, drift.on_target, drift.below, drift.above, drift.unknown)
