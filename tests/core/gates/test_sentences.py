"""What each gate says when it holds: the thing, what was found, with its numbers, and what a person can do.

The sentences stand here in full, since people act on them; who changes one reads it here once more.
"""

from dataclasses import replace

import pytest

from controller.core.gates.approval import approval
from controller.core.gates.breaker import breaker
from controller.core.gates.external import external
from controller.core.gates.freeze import freeze
from controller.core.gates.halt import fleet_halt, group_halt
from controller.core.gates.health import health
from controller.core.gates.held import held
from controller.core.gates.hop import hop
from controller.core.gates.identity import belonging, identity
from controller.core.gates.limits import domains, limits
from controller.core.gates.observation import observation
from controller.core.gates.operator import operator, refusal
from controller.core.gates.order import Predecessor, order
from controller.core.gates.release import release as release_gate
from controller.core.gates.revision import revision
from controller.core.gates.settled import settled
from controller.core.gates.soak import PreviousWave, soak
from controller.core.gates.stopped import stopped
from controller.core.gates.suspect import suspect
from controller.core.gates.together import together
from controller.core.gates.whole import whole
from controller.core.gates.window import room, window
from controller.errors import Problem
from controller.history.records import StopKind
from controller.model.observation import GateReading, Unknown
from controller.model.verdict import HoldReason, Verdict
from tests.builders import DAY, HOUR, LEVEL_43, MINUTE, NEW, NOON, a_finding, a_reading, release
from tests.builders_core import a_freeze, a_gate, a_hold, a_standing, a_stop, a_wave, an_approval, catalog, held_for

STALE = 10 * MINUTE
TARGET = release(NEW)
WAVE = PreviousWave("canary", has_soaked=False, has_begun=True, done=3, of=3, soaked=HOUR / 2, soak=HOUR)
GOOD = Predecessor("dev", TARGET, halted=False, has_clusters=True, converged=True, sentence="3 of 3 clusters run 4.3.1")
ASKED = a_wave("broad", approval=True)
BLOCKED = replace(catalog(), blocked={TARGET: "breaks our quota plugin"})
PROBLEM = Problem("groups/prod.yaml", 7, "spec.kafkaVersion", "'3.9'", "a release such as 3.9.1")


SENTENCES: list[tuple[Verdict, HoldReason, str]] = [
    (
        revision(a_standing(NOON - 12 * MINUTE, unreachable="timed out"), NOON, STALE),
        HoldReason.REVISION_STALE,
        "the head was last confirmed 12m ago (11:48 UTC), the limit is 10m: timed out",
    ),
    (
        revision(a_standing(None), NOON, STALE),
        HoldReason.REVISION_STALE,
        "the head was not confirmed since this process started",
    ),
    (
        revision(a_standing(problems=(PROBLEM,)), NOON, STALE),
        HoldReason.REVISION_INVALID,
        (
            "head aaaaaaaaaa is refused: groups/prod.yaml:7: spec.kafkaVersion: found '3.9', expected a "
            "release such as 3.9.1; mend it in Git"
        ),
    ),
    (
        revision(a_standing(rewritten_from="c" * 40), NOON, STALE),
        HoldReason.HISTORY_REWRITTEN,
        (
            "head aaaaaaaaaa does not descend from cccccccccc, which was in force; if that is meant, run: "
            "wavefleet resume --revision aaaaaaaaaa"
        ),
    ),
    (
        fleet_halt(declared=True, halts=()),
        HoldReason.FLEET_HALTED,
        "fleet.yaml says halted: true; set it to false to go on",
    ),
    (
        fleet_halt(declared=False, halts=(replace(a_stop(2, "fleet"), by="ana", detail="storm"),)),
        HoldReason.FLEET_HALTED,
        "halted as fleet-2 by ana: storm; to go on run: wavefleet resume",
    ),
    (
        group_halt("prod", declared=True, halts=()),
        HoldReason.GROUP_HALTED,
        "prod says halted: true; set it to false to go on",
    ),
    (
        group_halt("prod", declared=False, halts=(a_stop(3), a_stop(4))),
        HoldReason.GROUP_HALTED,
        (
            "halted as prod-3 by failure budget: 1 of 3 clusters failed; halted as prod-4 by failure budget: "
            "1 of 3 clusters failed; to go on merge acknowledge: [prod-3, prod-4] or run: wavefleet resume "
            "prod"
        ),
    ),
    (
        suspect(TARGET, [a_stop(7, "dev", suspect=TARGET)], frozenset()),
        HoldReason.RELEASE_SUSPECT,
        (
            "4.3.1 is suspect since dev halted (1 of 3 clusters failed); acknowledge dev-7 there, or accept "
            "it here with acceptRisks: [dev-7]"
        ),
    ),
    (
        freeze([a_freeze("peak", until=NOON + HOUR), a_freeze("audit", until=NOON + DAY)], NOON),
        HoldReason.FROZEN,
        "frozen by peak (peak trade), audit (peak trade) until Tue 2026-03-03 12:00 UTC",
    ),
    (
        window(is_open=False, opens_at=NOON + HOUR, now=NOON),
        HoldReason.OUTSIDE_WINDOW,
        "no window opens before 13:00 UTC",
    ),
    (
        window(is_open=False, opens_at=None, now=NOON),
        HoldReason.OUTSIDE_WINDOW,
        "no window opens within a week",
    ),
    (
        order(TARGET, [replace(GOOD, has_clusters=False), replace(GOOD, name="qa", target=release("4.2.1"))]),
        HoldReason.GROUP_ORDER,
        "after dev, which has no live clusters; after qa, which declares only 4.2.1",
    ),
    (
        order(TARGET, [replace(GOOD, halted=True), replace(GOOD, name="qa", converged=False)]),
        HoldReason.GROUP_ORDER,
        "after dev, which is halted; after qa, which has not converged: 3 of 3 clusters run 4.3.1",
    ),
    (soak(WAVE, 0, NOON), HoldReason.SOAKING, "wave canary has soaked 30m of 1h"),
    (
        soak(replace(WAVE, has_begun=False, done=1), 0, NOON),
        HoldReason.WAVE_UNDER_WAY,
        "wave canary is under way, 1 of 3 clusters done",
    ),
    (
        soak(replace(WAVE, soaked=HOUR), 0, NOON),
        HoldReason.WAVE_UNDER_WAY,
        "wave canary was quiet long enough, but has failed clusters",
    ),
    (
        soak(None, 2, NOON),
        HoldReason.WAVE_UNDER_WAY,
        "still in flight for an earlier target: 2 clusters",
    ),
    (
        approval(ASKED, TARGET, [], NOON),
        HoldReason.APPROVAL_MISSING,
        "wave broad waits for approval; merge approvals: [{wave: broad, version: 4.3.1, by: YOUR-NAME}]",
    ),
    (
        approval(ASKED, TARGET, [an_approval("broad", until=NOON - HOUR)], NOON),
        HoldReason.APPROVAL_MISSING,
        (
            "ana's approval of wave broad expired 11:00 UTC; merge approvals: [{wave: broad, version: 4.3.1, "
            "by: YOUR-NAME}]"
        ),
    ),
    (
        approval(ASKED, LEVEL_43, [an_approval("broad")], NOON),
        HoldReason.APPROVAL_MISSING,
        "wave broad waits for approval; merge approvals: [{wave: broad, metadataVersion: 4.3-IV0, by: YOUR-NAME}]",
    ),
    (
        soak(replace(WAVE, paused="not all of it is seen healthy"), 0, NOON),
        HoldReason.SOAKING,
        "wave canary has soaked 30m of 1h, paused while not all of it is seen healthy",
    ),
    (
        room(NOON + HOUR, NOON + DAY, 2 * HOUR, NOON),
        HoldReason.WINDOW_TOO_SHORT,
        "an upgrade takes about 2h, and the window closes 13:00 UTC",
    ),
    (
        breaker(("p-1", "p-2", "p-3", "p-4", "p-5", "p-6"), 100, 5),
        HoldReason.BREAKER_OPEN,
        ("6 of 100 clusters are unknown, missing or unhealthy, the limit is 5%: p-1, p-2, p-3, p-4, p-5 (+1 more)"),
    ),
    (
        domains([("region", "eu", 1, 2), ("rack", "r1", 1, 1)]),
        HoldReason.LIMIT_REACHED,
        "1 cluster in flight in rack r1, its limit is 1",
    ),
    (
        together([("dr-pair", "orders", "orders-us")]),
        HoldReason.NEVER_TOGETHER,
        "orders-us is in flight or soaking, and both have the label dr-pair: orders",
    ),
    (
        whole([f"p-{number} is below it" for number in range(1, 8)], None, NOON),
        HoldReason.GROUP_NOT_ON_TARGET,
        (
            "not the whole group is well on its release: p-1 is below it; p-2 is below it; p-3 is below it; "
            "p-4 is below it; p-5 is below it (+2 more)"
        ),
    ),
    (
        whole([], None, NOON),
        HoldReason.GROUP_NOT_ON_TARGET,
        "the whole group was not yet seen healthy on its release",
    ),
    (
        whole([], NOON + HOUR, NOON),
        HoldReason.SOAKING,
        "the group soaks on its release until 13:00 UTC",
    ),
    (
        external(a_gate(), None, 0),
        HoldReason.GATE_UNANSWERED,
        "p99 was not asked about this target yet; it is before anything starts",
    ),
    (
        external(a_gate(), GateReading(None, "timed out after 5s"), 0),
        HoldReason.GATE_UNANSWERED,
        "p99 gave no answer: timed out after 5s",
    ),
    (
        external(a_gate(), GateReading(passed=False, detail="0.31 is not below 0.25"), 0),
        HoldReason.GATE_FAILED,
        "p99 says no: 0.31 is not below 0.25",
    ),
    (
        external(a_gate(samples=3), GateReading(passed=True, detail="0.11 is below 0.25"), 2),
        HoldReason.GATE_UNANSWERED,
        "p99 passed 2 of 3 times in a row: 0.11 is below 0.25",
    ),
    (
        limits(fleet=10, fleet_max=10, group=9, wave_max=5),
        HoldReason.LIMIT_REACHED,
        "10 clusters in flight over the fleet, its limit is 10",
    ),
    (
        limits(fleet=6, fleet_max=10, group=5, wave_max=5),
        HoldReason.LIMIT_REACHED,
        "5 clusters in flight in the group, the wave's limit is 5",
    ),
    (observation(None), HoldReason.CLUSTER_MISSING, "no source lists it"),
    (observation(Unknown("timed out")), HoldReason.NOT_OBSERVED, "it could not be read: timed out"),
    (
        observation(a_reading(full=False)),
        HoldReason.NOT_OBSERVED,
        "its health was not read in this cycle; it is in the next one",
    ),
    (
        held([a_hold("a-1", NOON + HOUR)], None, NOON),
        HoldReason.CLUSTER_HELD,
        "held in Git (groups/prod.yaml:1) until 13:00 UTC: INC-4711",
    ),
    (
        held([a_hold("a-1")], None, NOON),
        HoldReason.CLUSTER_HELD,
        "held in Git (groups/prod.yaml:1): INC-4711",
    ),
    (
        held([], "do not touch", NOON),
        HoldReason.CLUSTER_HELD,
        "held by its annotation wavefleet.io/hold: do not touch",
    ),
    (
        stopped([a_stop(7, kind=StopKind.QUARANTINE, cluster="sim/a-1")], "prod", ["prod"]),
        HoldReason.CLUSTER_QUARANTINED,
        "1 of 3 clusters failed; to go on merge acknowledge: [prod-7]",
    ),
    (
        stopped([a_stop(7, kind=StopKind.QUARANTINE, cluster="sim/a-1")], "stage", ["prod", "stage"]),
        HoldReason.CLUSTER_QUARANTINED,
        "1 of 3 clusters failed; to go on merge acknowledge: [prod-7] in group prod",
    ),
    (
        stopped([a_stop(7, kind=StopKind.QUARANTINE, cluster="sim/a-1")], "stage", ["stage"]),
        HoldReason.CLUSTER_QUARANTINED,
        "1 of 3 clusters failed; to go on run: wavefleet resume prod --number 7 (prod is not declared any more)",
    ),
    (
        identity(a_reading(), "acme", ("dev", "prod"), seen_twice=False),
        HoldReason.CLAIMED_TWICE,
        "groups dev and prod claim it; leave it to one of them",
    ),
    (
        identity(a_reading(kafka_id="kTx1"), "acme", (), seen_twice=True),
        HoldReason.SEEN_TWICE,
        "another live cluster shows the same Kafka cluster id kTx1",
    ),
    (
        identity(a_reading(fleet="umbrella"), "acme", (), seen_twice=False),
        HoldReason.OWNED_ELSEWHERE,
        "its mark wavefleet.io/fleet says umbrella, this fleet is acme; remove the mark to take it over",
    ),
    (
        belonging("prod", "dev"),
        HoldReason.CLUSTER_UNSETTLED,
        "dev claims it now; it leaves the rollout of prod in the next cycle",
    ),
    (
        belonging("prod", None),
        HoldReason.CLUSTER_UNSETTLED,
        "no group claims it now; it leaves the rollout of prod in the next cycle",
    ),
    (
        settled(a_reading(), in_flight=True),
        HoldReason.CLUSTER_UNSETTLED,
        "it is in flight for an earlier rollout",
    ),
    (
        settled(a_reading(settled=False, progress="1 of 3 brokers", wanted=TARGET), in_flight=False),
        HoldReason.CLUSTER_UNSETTLED,
        "its operator is not done with it, 1 of 3 brokers (asked for 4.3.1)",
    ),
    (
        settled(a_reading(highest=TARGET), in_flight=False),
        HoldReason.CLUSTER_UNSETTLED,
        "its brokers run 4.1.2 to 4.3.1, and nobody is rolling them; bring them together",
    ),
    (
        settled(a_reading(wanted=TARGET), in_flight=False),
        HoldReason.CLUSTER_UNSETTLED,
        "it runs 4.1.2 and its resource asks for 4.3.1",
    ),
    (
        health(a_reading(findings=(a_finding(), a_finding(id="disk_full")))),
        HoldReason.CLUSTER_UNHEALTHY,
        "1 partition: offline_partitions (offline_partitions); 1 partition: disk_full (disk_full)",
    ),
    (
        hop(None, "KIP-896", frozenset()),
        HoldReason.RISK_NOT_ACCEPTED,
        (
            "going from 3.x to 4.x cuts off clients older than 2.1 (KIP-896), which brokers cannot tell us; "
            "make sure there are none and accept it with acceptRisks: [KIP-896]"
        ),
    ),
    (
        release_gate(release("4.2.0"), catalog(), frozenset()),
        HoldReason.RISK_NOT_ACCEPTED,
        (
            "4.2.0 is known-bad (KAFKA-20322, KAFKA-20505); choose another release, or accept each bug with "
            "acceptRisks: [KAFKA-20322, KAFKA-20505]"
        ),
    ),
    (
        release_gate(TARGET, BLOCKED, frozenset()),
        HoldReason.RELEASE_BLOCKED,
        "4.3.1 is blocked in releases.yaml: breaks our quota plugin",
    ),
    (
        release_gate(release("9.9.9"), catalog(), frozenset()),
        HoldReason.RELEASE_BLOCKED,
        "9.9.9 is not in the release catalog; add it to releases.yaml",
    ),
    (
        operator(TARGET, (release("4.0.0"), release("4.2.2"))),
        HoldReason.OPERATOR_UNSUPPORTED,
        "its operator supports 4.0.0 to 4.2.2, not 4.3.1; upgrade the operator first",
    ),
    (
        operator(TARGET, (release("4.2.0"), release("4.3.0"), release("4.4.0"))),
        HoldReason.OPERATOR_UNSUPPORTED,
        "its operator supports 4.2.0, 4.3.0, 4.4.0, not 4.3.1; upgrade the operator first",
    ),
    (
        refusal("409 conflict", NOON + HOUR, NOON),
        HoldReason.WRITE_REFUSED,
        "the last write was refused: 409 conflict; tried again 13:00 UTC",
    ),
]


@pytest.mark.parametrize(("verdict", "reason", "sentence"), SENTENCES, ids=[reason for _, reason, _ in SENTENCES])
def test_a_hold_says_what_was_found_and_what_to_do(verdict: Verdict, reason: HoldReason, sentence: str) -> None:
    """
    Word for word.
    """
    hold = held_for(verdict)

    assert (reason, sentence) == (hold.reason, hold.detail)


def test_a_time_of_the_next_look_is_told_only_where_time_alone_can_lift_a_hold() -> None:
    """
    Everything else waits for an event.
    """
    timed = {reason for verdict, reason, _ in SENTENCES if held_for(verdict).recheck_at is not None}

    assert {
        HoldReason.FROZEN,
        HoldReason.OUTSIDE_WINDOW,
        HoldReason.WINDOW_TOO_SHORT,
        HoldReason.SOAKING,
        HoldReason.CLUSTER_HELD,
        HoldReason.WRITE_REFUSED,
    } == timed
