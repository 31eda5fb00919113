"""Something happens at every boundary of an effect, once each; whoever goes on, only time was lost.

The process dies, its ledger fails, or another process takes over in the middle of its cycle. Each time the play is
brought to its end and held against the one in which nothing happened.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from controller.errors import LeaseLost, LedgerError
from controller.history.entries import ClusterStarted, RolloutEnded, StartWithdrawn, WaveAdmitted
from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.outbox import CommitStatus, Message, ThreadHead
from tests.builders import NOON
from tests.runtime.crossed import Boundaries, Crash, crash
from tests.runtime.worlds import Stage, one_wave

CYCLES_MAX = 40
"""An upgrade in which nothing happens needs about ten."""
CYCLES_AFTER = 1
"""Cycles that follow the one after the end of the rollout: nothing may happen in them."""
CRASHES, CRASHES_MIN = 5, 3
"""How often a process dies again at most; outcomes are recorded only three times in all."""

RECORD, START, OUTCOMES, QUEUE = EFFECTS = ("record of the plan", "start", "record of outcomes", "queue")
SIDES = ("before", "after")

Reopen = Callable[[OpenLedger | None], OpenLedger]
MakeStage = Callable[[], Stage]
Happening = Callable[[Stage], None]


@pytest.fixture(params=["in a file", "in memory"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStage:
    """Makes stages, each with a ledger of its own; one in a file is closed and opened again between processes."""
    made = 0

    def on_disk(path: Path) -> Reopen:
        def reopen(before: OpenLedger | None) -> OpenLedger:
            if before is not None:
                before.close()
            ledger = open_ledger(path)
            assert ledger.acquire("this test", NOON)
            return ledger

        return reopen

    def make() -> Stage:
        nonlocal made
        made += 1
        if request.param == "in memory":
            return in_memory()
        # A disk takes its time: two clusters in one wave cross every kind of boundary, and messages wait for the end.
        reopen = on_disk(tmp_path / f"ledger-{made}.db")
        return Stage(reopen, delivers=False, declared=one_wave(), clusters=2)

    return make


def in_memory() -> Stage:
    """Two waves of four clusters in two sources."""
    return Stage(sources=("eu", "us"))


def dies(stage: Stage) -> None:
    """The process is gone."""
    del stage
    crash()


def ledger_fails(stage: Stage) -> NoReturn:
    """The call raises, whether what it was to do is done already or not."""
    raise LedgerError(f"disk full at boundary {len(stage.boundaries.crossed)}")


def is_taken_over(stage: Stage) -> None:
    """Another process takes the lease and runs a cycle; this one goes on as if nothing were."""
    stage.take_over()


def play(stage: Stage, at: int = 0, happening: Happening = dies) -> Stage:
    """Run cycles to the end of the upgrade, with something happening at a boundary; whoever is left goes on."""
    stage.boundaries.at[at] = lambda: happening(stage)
    after = 0
    for _ in range(CYCLES_MAX):
        after += any(isinstance(entry, RolloutEnded) for entry in stage.entries)
        if after > CYCLES_AFTER:
            stage.deliver()
            return stage
        try:
            stage.cycle()
        except Crash:
            stage.restart()
        except (LedgerError, LeaseLost):
            continue
    raise AssertionError(f"not at its end after {CYCLES_MAX} cycles; last recorded: {stage.entries[-5:]}")


def said_twice(told: list[Message]) -> list[Message]:
    """Messages with a key that was there before, and statuses and heads that repeat the last word on their topic."""
    twice = []
    keys: set[tuple[str, str]] = set()
    last: dict[tuple[str, str], object] = {}
    for message in told:
        topic = (message.channel, message.topic)
        repeats = isinstance(message.body, CommitStatus | ThreadHead) and last.get(topic) == message.body
        if repeats or (message.channel, message.key) in keys:
            twice.append(message)
        keys.add((message.channel, message.key))
        last[topic] = message.body
    return twice


def last_words(stage: Stage) -> dict[tuple[str, str], CommitStatus | ThreadHead]:
    """The last status or head that each channel was given on each topic."""
    return {
        (message.channel, message.topic): message.body
        for message in stage.told
        if isinstance(message.body, CommitStatus | ThreadHead)
    }


def count(stage: Stage, kind: type) -> int:
    """How many entries of a kind are recorded."""
    return sum(isinstance(entry, kind) for entry in stage.entries)


def check_arrived(stage: Stage, where: str) -> None:
    """See that every cluster arrived, was asked once with effect, and that no promise was broken on the way."""
    assert [] == stage.broken, where
    assert stage.is_on(), where
    assert {2} == {cluster.generation for cluster in stage.fleet.clusters.values()}, where
    assert [] == said_twice(stage.told), where


def check_same_end(calm: Stage, stage: Stage, where: str) -> None:
    """See that a play came to the same end, and told people the same, as the one in which nothing happened."""
    check_arrived(stage, where)
    assert count(calm, WaveAdmitted) == count(stage, WaveAdmitted), where
    assert calm.replies == stage.replies, where
    assert last_words(calm) == last_words(stage), where


def check_every(make: MakeStage, boundary: str, happening: Happening) -> None:
    """Play once for each time that a boundary is crossed, with ``happening`` there."""
    calm = play(make())
    crossed = calm.boundaries.crossed
    numbers = [number for number, name in enumerate(crossed, 1) if name.startswith(boundary)]
    assert numbers, "this boundary is crossed"

    for number in numbers:
        stage = make()
        first: Boundaries = stage.boundaries
        play(stage, number, happening)

        assert crossed[:number] == first.crossed[:number], "the play is the same up to there"
        check_same_end(calm, stage, f"at boundary {number}, {crossed[number - 1]}")
        stage.ledger.close()
    calm.ledger.close()


def test_an_upgrade_without_trouble_crosses_every_kind_of_boundary(stage: MakeStage) -> None:
    """
    What the others are held against: the upgrade ends, and each kind of effect occurs on its way.
    """
    calm = play(stage())

    assert {f"{side} {effect}" for side in SIDES for effect in EFFECTS} <= set(calm.kinds_crossed())
    assert calm.is_on()
    assert [] == calm.broken
    assert {1} == set(calm.replies.values())
    assert len(calm.fleet.clusters) == len(calm.writes)
    calm.ledger.close()


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("side", SIDES)
def test_a_crash_at_any_boundary_changes_nothing_but_the_time(stage: MakeStage, side: str, effect: str) -> None:
    """
    Safety: whichever effect is the process's last, every cluster arrives, is asked once, only after it was recorded,
    within the limits; and people are told the same, each word once.
    """
    check_every(stage, f"{side} {effect}", dies)


@pytest.mark.parametrize("effect", [RECORD, OUTCOMES, QUEUE])
@pytest.mark.parametrize("side", SIDES)
def test_a_ledger_that_fails_at_any_boundary_changes_nothing_but_the_time(side: str, effect: str) -> None:
    """
    Safety: the same process goes on with what the ledger says, whether it did what it failed to answer for or not.
    """
    check_every(in_memory, f"{side} {effect}", ledger_fails)


@pytest.mark.parametrize("effect", [RECORD, OUTCOMES, QUEUE])
@pytest.mark.parametrize("side", SIDES)
def test_a_process_that_takes_over_at_any_boundary_changes_nothing_but_the_time(side: str, effect: str) -> None:
    """
    Safety (one-writer): the other judges and writes in the middle of this one's cycle; this one writes nothing more.
    """
    check_every(in_memory, f"{side} {effect}", is_taken_over)


@pytest.mark.parametrize(
    ("boundary", "unwritten"),
    [
        (f"before {RECORD}", 0),
        (f"after {RECORD}", 2),
        ("after start sim/prod-1", 1),
        ("before start sim/prod-2", 1),
        ("after start sim/prod-2", 0),
        (f"before {OUTCOMES}", 0),
    ],
)
def test_a_recorded_start_that_was_not_written_is_withdrawn_and_planned_anew(boundary: str, unwritten: int) -> None:
    """
    What was recorded and never written counts as in flight until it can no longer be; then it goes through every gate.
    """
    stage = Stage(declared=one_wave(), clusters=2)
    stage.boundaries.at[boundary] = crash

    play(stage)

    assert unwritten == count(stage, StartWithdrawn)
    assert len(stage.fleet.clusters) + unwritten == count(stage, ClusterStarted)
    check_arrived(stage, boundary)


@pytest.mark.parametrize("where", ["before record of outcomes", "before start sim/prod-", "before queue"])
def test_a_process_that_dies_again_and_again_still_arrives(where: str) -> None:
    """
    Liveness: crashes at the same boundary in a row cost time and nothing else; the write is not made a second time.
    """
    stage = Stage()
    names = [f"{where}{number}" for number in range(1, 5)] if where.endswith("-") else [where]
    crashes = 0
    for _ in range(CYCLES_MAX):
        if crashes < CRASHES:
            stage.boundaries.at.update(dict.fromkeys(names, crash))
        try:
            stage.cycle()
        except Crash:
            crashes += 1
            stage.restart()

    assert crashes >= CRASHES_MIN
    assert {1} == set(stage.replies.values())
    check_arrived(stage, where)
