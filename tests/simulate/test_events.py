"""Events: told from the ledger's entries, in causal order, with what people and programs need to follow them."""

from collections import defaultdict

from controller.history import entries as e
from controller.history.records import Outcome, RolloutKind, StopKind
from controller.model.inventory import FaultKind
from controller.model.requests import FLEET
from controller.simulate.events import Event, EventKind, Scribe
from tests.builders import DAY, HOUR, LEVEL_41, LEVEL_43, NEW, NOON, OLD, a_fault, release
from tests.builders_core import a_group, a_strategy, a_wave
from tests.simulate.scenarios import a_scenario, drawn_scenario, kinds_of, played

K = EventKind
PLANNED = e.RolloutPlanned(
    1, "prod", RolloutKind.SOFTWARE, release(NEW), "folder", 2, ("sim/a", "sim/b"), (("all", ("sim/a", "sim/b")),)
)
METADATA = e.RolloutPlanned(2, "prod", RolloutKind.METADATA, LEVEL_43, "folder", 1, ("sim/a",), (("all", ("sim/a",)),))
ADMITTED = e.WaveAdmitted(1, "prod", 1, "all", tail=False, clusters=("sim/a", "sim/b"))


def told(*entries: e.Entry) -> list[Event]:
    """The events of one cycle."""
    scribe = Scribe()
    scribe.begin_cycle(7, NOON, {"sim/a": "a", "sim/b": "b"})
    return [event for entry in entries for event in scribe.events(entry)]


def a_start(rollout: int = 1, source: object = None, target: object = None) -> e.ClusterStarted:
    """A recorded start of the cluster a."""
    return e.ClusterStarted(rollout, "sim/a", source or release(OLD), target or release(NEW), "1", NOON + DAY)  # type: ignore[arg-type]


def test_a_start_says_who_goes_where_in_which_wave() -> None:
    """
    Clusters by their short names, releases as people write them.
    """
    start = told(PLANNED, ADMITTED, a_start())[-1]

    assert Event(NOON, 7, K.START, "prod", RolloutKind.SOFTWARE, 1, "a", OLD, NEW) == start


def test_a_start_downwards_is_a_downgrade_that_ends_below() -> None:
    """
    What converges is what was started last: a downgrade arrives at the older release.
    """
    start, failed, down, back = told(
        PLANNED,
        ADMITTED,
        a_start(),
        e.ClusterFailed(1, "prod", "sim/a", "sick"),
        a_start(source=release(NEW), target=release(OLD)),
        e.ClusterQuarantined(1, "prod", "sim/a", 3),
    )[2:]

    assert [K.START, K.FAILED, K.DOWNGRADE, K.QUARANTINED] == [start.kind, failed.kind, down.kind, back.kind]
    assert (NEW, OLD) == (down.from_, down.to) == (back.from_, back.to)
    assert ("sick", "prod-3") == (failed.reason, back.reason)


def test_a_start_of_a_metadata_rollout_finalizes() -> None:
    """
    From and to are names of metadata.version.
    """
    events = told(
        METADATA,
        e.WaveAdmitted(2, "prod", 1, "all", tail=False, clusters=("sim/a",)),
        a_start(2, LEVEL_41, LEVEL_43),
        e.ClusterConverged(2, "sim/a"),
    )

    assert [K.ROLLOUT_PLANNED, K.WAVE_ADMITTED, K.FINALIZE, K.CONVERGED] == [event.kind for event in events]
    assert {RolloutKind.METADATA} == {event.rollout for event in events}
    assert ("4.1-IV1", "4.3-IV0") == (events[2].from_, events[2].to)


def test_a_wave_that_is_filled_again_gives_its_clusters_its_number() -> None:
    """
    That is no event of its own.
    """
    filled = e.WaveFilled(1, 1, ("sim/b",))
    start = e.ClusterStarted(1, "sim/b", release(OLD), release(NEW), "1", NOON)

    assert [K.ROLLOUT_PLANNED, K.START] == [event.kind for event in told(PLANNED, filled, start)]
    assert 1 == told(PLANNED, filled, start)[-1].wave


def test_every_end_of_a_rollout_has_its_name() -> None:
    """
    With the reason that the ledger gives.
    """
    ends = {
        outcome: told(
            PLANNED, e.RolloutEnded(1, "prod", RolloutKind.SOFTWARE, release(NEW), "folder", outcome, "so it was")
        )[-1]
        for outcome in Outcome
    }

    assert {
        Outcome.CONVERGED: K.ROLLOUT_CONVERGED,
        Outcome.FAILED: K.ROLLOUT_FAILED,
        Outcome.SUPERSEDED: K.SUPERSEDED,
        Outcome.WITHDRAWN: K.WITHDRAWN,
    } == {outcome: event.kind for outcome, event in ends.items()}
    assert {"so it was"} == {event.reason for event in ends.values()}


def test_a_start_that_was_not_taken_is_withdrawn() -> None:
    """
    The cluster tells it apart from the end of a rollout.
    """
    event = told(PLANNED, ADMITTED, a_start(), e.StartWithdrawn(1, "sim/a", "another fleet's"))[-1]

    assert (K.WITHDRAWN, "a", "another fleet's") == (event.kind, event.cluster, event.reason)


def test_halts_are_told_and_what_lifts_them() -> None:
    """
    A quarantine has an event of its own; a number that this ledger never saw is no news.
    """
    events = told(
        PLANNED,
        e.Stopped("prod", 1, StopKind.HALT, "1 failed", "failure budget", rollout=1),
        e.Stopped("prod", 2, StopKind.QUARANTINE, "sick", "wavefleet", cluster="sim/a", rollout=1),
        e.Stopped(FLEET, 1, StopKind.HALT, "looks odd", "ana"),
        e.StopAcknowledged("prod", 1, "Git", 1),
        e.StopAcknowledged("prod", 2, "ana", 1),
        e.StopAcknowledged("prod", 9, "Git"),
    )[1:]

    assert [
        (K.HALTED, "prod", None, "prod-1: 1 failed"),
        (K.HALTED, None, None, "fleet-1: looks odd"),
        (K.RESUMED, "prod", None, "prod-1: Git"),
        (K.RESUMED, "prod", "a", "prod-2: ana"),
    ] == [(event.kind, event.group, event.cluster, event.reason) for event in events]


def test_a_hold_is_told_when_it_begins() -> None:
    """
    Its public name is the reason; its sentence is for people. Holds that stood before are left out.
    """
    stood = ("Frozen", "frozen by peak", "")
    begun = (("Soaking", "wave all has soaked 0s", ""), ("ClusterHeld", "held in Git", "sim/a"))
    group, cluster = told(
        PLANNED, ADMITTED, e.GroupJudged("prod", NEW, "words", 0, 0, 2, (stood, *begun), begun, rollout=1)
    )[2:]

    assert ("Soaking", None, None, RolloutKind.SOFTWARE) == (group.reason, group.cluster, group.wave, group.rollout)
    assert ("ClusterHeld", "a", 1, "held in Git") == (cluster.reason, cluster.cluster, cluster.wave, cluster.detail)


def test_who_joins_and_leaves_is_told() -> None:
    """
    With the reason to leave.
    """
    joined, left = told(PLANNED, e.ClusterJoined(1, "sim/c"), e.ClusterLeft(1, "sim/a", "moved"))[1:]

    assert (K.JOINED, "sim/c") == (joined.kind, joined.cluster)
    assert (K.LEFT, "a", "moved") == (left.kind, left.cluster, left.reason)


def test_bookkeeping_is_no_event() -> None:
    """
    Soak credit, freed slots, targets and revisions seen are the ledger's own.
    """
    assert [K.ROLLOUT_PLANNED] == kinds_of(
        told(
            PLANNED,
            e.SoakCredited(1, 1, HOUR),
            e.SlotFreed(1, "sim/a"),
            e.TargetDeclared("prod", release(NEW), "hold", "folder"),
            e.RevisionSeen("folder", "folder"),
            e.OrderPassed("prod", release(NEW)),
            e.StartAccepted(1, "sim/a"),
            e.ClusterSetAside(1, "sim/a", "held"),
        )
    )


def test_lines_stand_in_causal_order() -> None:
    """
    Cycles grow and have one time each; a rollout begins with its plan; who converges was started before, in its wave.
    """
    for seed in range(6):
        _, events = played(drawn_scenario(seed))
        moments: dict[int, set[object]] = defaultdict(set)
        planned, started = set(), set()
        for event in events:
            moments[event.cycle].add(event.at)
            if event.kind is K.ROLLOUT_PLANNED:
                planned.add((event.group, event.rollout))
            assert event.rollout is None or (event.group, event.rollout) in planned, event
            if event.kind is K.START:
                started.add((event.cluster, event.wave))
            assert event.kind is not K.CONVERGED or (event.cluster, event.wave) in started, event

        assert sorted(moments) == list(moments)
        assert {1} == {len(times) for times in moments.values()}


def test_a_quarantine_within_budget_lets_the_rollout_end_failed() -> None:
    """
    Told in this order, with the number that a person acknowledges.
    """
    group = a_group(strategy=a_strategy(waves=(a_wave("canary", "1"), a_wave("rest", "rest")), budget="1"))
    _, without_faults = played(a_scenario([group]))
    canary, refused, _ = [event.cluster for event in without_faults if event.kind is K.START]
    assert canary is not None
    assert refused is not None

    _, events = played(a_scenario([group], faults=[a_fault(FaultKind.REFUSED, refused, during_upgrade=True)]))

    assert [K.START, K.FAILED, K.QUARANTINED] == kinds_of(event for event in events if event.cluster == refused)
    assert K.ROLLOUT_FAILED is events[-1].kind
    assert ["prod-1"] == [event.reason for event in events if event.kind is K.QUARANTINED]
