"""What holds of the judgement itself: it is a function, its history is a fold, and judging twice does no harm."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings

from controller.core.plan import plan_cycle
from controller.history import entries as e
from controller.history.recall import remember
from controller.history.records import History
from controller.model.memory import Memory
from controller.model.observation import Observation
from controller.model.plan import Plan
from controller.model.snapshot import Snapshot
from tests.properties.pure import decisions, play_at_random
from tests.properties.test_promises import by_chance

CYCLES = 30
DECISIONS = """
from tests.properties.pure import decisions
from tests.simulation.quiet import no_logs
with no_logs():
    print(decisions(11, 60))
"""
LAZY = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@LAZY
@given(random=by_chance)
def test_the_same_snapshot_has_the_same_plan(random: Random) -> None:
    """
    Safety: nothing but the snapshot goes into a plan, and judging changes nothing of the snapshot.
    """

    def judged_again(snapshot: Snapshot, plan: Plan) -> None:
        assert plan == plan_cycle(snapshot)

    play_at_random(random, CYCLES, seen=judged_again)


@LAZY
@given(random=by_chance)
def test_what_a_quiet_cycle_hands_on_saves_work_and_nothing_else(random: Random) -> None:
    """
    Safety: whose a cluster is, and what was said of groups at rest, comes out the same where it is worked out anew.
    """

    def worked_out_anew(snapshot: Snapshot, plan: Plan) -> None:
        memory = replace(snapshot.memory, membership=None, drifts={}, rollouts={}, waves={}, rested={})
        anew = plan_cycle(replace(snapshot, memory=memory))
        assert (plan.entries, plan.starts, plan.groups) == (anew.entries, anew.starts, anew.groups)
        assert (plan.holds, plan.watch, plan.ask) == (anew.holds, anew.watch, anew.ask)

    play_at_random(random, CYCLES, seen=worked_out_anew)


@LAZY
@given(random=by_chance)
def test_the_order_in_which_clusters_are_listed_does_not_matter(random: Random) -> None:
    """
    Safety: sources list as they like; the plan is the same.
    """

    def listed_otherwise(snapshot: Snapshot, plan: Plan) -> None:
        clusters = dict(reversed(list(snapshot.observation.clusters.items())))
        again = plan_cycle(replace(snapshot, observation=replace(snapshot.observation, clusters=clusters)))
        assert (plan.entries, plan.starts, plan.groups) == (again.entries, again.starts, again.groups)

    play_at_random(random, CYCLES, seen=listed_otherwise)


@LAZY
@given(random=by_chance)
def test_what_is_remembered_is_the_fold_of_what_is_recorded(random: Random) -> None:
    """
    Safety: a process that reads the whole ledger remembers exactly what one does that was there all the time.
    """
    play = play_at_random(random, CYCLES)

    assert play.process.history == remember(History(), play.ledger.memory.read())


def again(snapshot: Snapshot, plan: Plan, memory: Memory) -> Plan:
    """Judge the same moment again, with ``plan`` recorded and its writes not seen to be taken."""
    history = remember(snapshot.history, (e.Recorded(0, snapshot.now, entry) for entry in plan.entries))
    return plan_cycle(replace(snapshot, history=history, memory=memory, requests=()))


DONE_ONCE = (e.Stopped, e.StopAcknowledged, e.RolloutPlanned, e.RolloutEnded, e.ClusterFailed, e.WaveSoaked)


@LAZY
@given(random=by_chance)
def test_a_cycle_that_is_judged_twice_does_nothing_twice(random: Random) -> None:
    """
    Safety: a crash behind the record and a restart at the same moment start nothing again and decide nothing again.
    """

    def judged_twice(snapshot: Snapshot, plan: Plan) -> None:
        for memory in (plan.memory, Memory()):
            second = again(snapshot, plan, memory)
            assert not {start.cluster for start in plan.starts} & {start.cluster for start in second.starts}
            assert not same_decisions(plan.entries, second.entries)

    play_at_random(random, CYCLES, seen=judged_twice)


def same_decisions(first: Sequence[e.Entry], second: Sequence[e.Entry]) -> list[e.Entry]:
    """Return the entries that are decided once, and were decided in both plans."""
    return [entry for entry in second if isinstance(entry, DONE_ONCE) and entry in first]


@LAZY
@given(random=by_chance)
def test_a_controller_that_only_observes_starts_nothing(random: Random) -> None:
    """
    Safety: in observe mode no wave is admitted and no start recorded, whatever would be due.
    """

    def only_observed(snapshot: Snapshot, _: Plan) -> None:
        plan = plan_cycle(replace(snapshot, observe_only=True))
        kinds = {type(entry) for entry in plan.entries}
        assert not plan.starts
        assert not kinds & {e.ClusterStarted, e.WaveAdmitted}

    play_at_random(random, CYCLES, seen=only_observed)


@LAZY
@given(random=by_chance)
def test_a_fleet_that_nobody_sees_keeps_every_slot_and_starts_nothing(random: Random) -> None:
    """
    Safety: were every source out of reach in this very cycle, nothing would start, converge, fail or give up its slot.
    """

    def blinded(snapshot: Snapshot, _: Plan) -> None:
        sources = {name.split("/", maxsplit=1)[0] for name in snapshot.observation.clusters} or {"eu", "us"}
        nothing = Observation({}, dict.fromkeys(sources | {"eu", "us"}, "connection reset"))
        plan = plan_cycle(replace(snapshot, observation=nothing, memory=Memory(), requests=()))
        kinds = {type(entry) for entry in plan.entries}
        assert not plan.starts
        assert not kinds & {e.ClusterConverged, e.ClusterFailed, e.StartWithdrawn, e.SlotFreed, e.ClusterLeft}

    play_at_random(random, CYCLES, seen=blinded)


def test_another_python_decides_the_same() -> None:
    """
    Sets are never gone through in their own order: with another hash seed every decision and word is the same.
    """
    told = [
        subprocess.run(  # the same Python, with chance in its hashes
            [sys.executable, "-c", DECISIONS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert told[0] == told[1]
    assert decisions(11, 60)
