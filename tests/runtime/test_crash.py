"""The process dies at every boundary of an effect, once each; a new one goes on, and only time was lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.ledger.opened import OpenLedger
from controller.ledger.opening import open_ledger
from controller.model.entries import RolloutEnded
from controller.model.outbox import CommitStatus, Message, StatusState, ThreadHead
from tests.builders import NOON
from tests.runtime.worlds import Crash, Stage, one_wave

CYCLES_MAX = 40
"""An upgrade without a crash needs about ten."""
CYCLES_AFTER = 1
"""Cycles that follow the one after the end of the rollout: nothing may happen in them."""

EFFECTS = ("record of the plan", "start", "record of outcomes", "queue")

Reopen = Callable[[OpenLedger | None], OpenLedger]


@pytest.fixture(params=["file", "memory"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Stage]:
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
        if request.param == "memory":
            return Stage()
        # A disk takes its time: two clusters in one wave cross every kind of boundary, and messages wait for the end.
        reopen = on_disk(tmp_path / f"ledger-{made}.db")
        return Stage(reopen, delivers=False, declared=one_wave(), clusters=2)

    return make


def play(stage: Stage, crash_at: int | None = None) -> Stage:
    """Run cycles to the end of the upgrade; where the process dies, another one goes on."""
    stage.new_process(crash_at)
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


def check_same_end(calm: Stage, crashed: Stage, where: str) -> None:
    """See that a play with a crash kept every promise, and told people what one without a crash told them."""
    assert [] == crashed.broken, where
    assert crashed.is_on(), where
    asked = {name: cluster.generation - 1 for name, cluster in crashed.fleet.clusters.items()}
    assert dict.fromkeys(crashed.fleet.clusters, 1) == asked, f"{where}: each cluster was asked once, with effect"
    assert calm.replies == crashed.replies, where
    assert [] == said_twice(crashed.told), where
    assert last_statuses(calm) == last_statuses(crashed), where


def last_statuses(stage: Stage) -> dict[tuple[str, str], tuple[StatusState, str]]:
    """The last word on each revision and context."""
    return {(each.revision, each.context): (each.state, each.description) for each in stage.statuses}


def test_an_upgrade_without_a_crash_crosses_every_kind_of_boundary(stage: Callable[[], Stage]) -> None:
    """
    What the crashes below are held against: the upgrade ends, and each kind of effect occurs on its way.
    """
    calm = play(stage())

    kinds = {name.split(" sim/")[0] for name in calm.boundaries.crossed}

    assert {f"{side} {effect}" for side in ("before", "after") for effect in EFFECTS} <= kinds
    assert calm.is_on()
    assert [] == calm.broken
    assert {1} == set(calm.replies.values())
    assert len(calm.fleet.clusters) == len(calm.writes)
    calm.ledger.close()


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_crash_at_any_boundary_changes_nothing_but_the_time(
    stage: Callable[[], Stage], side: str, effect: str
) -> None:
    """
    Safety: whichever effect is the process's last, every cluster arrives, is asked once, only after it was recorded,
    within the limits; and people are told the same, each word once.
    """
    calm = play(stage())
    crossed = calm.boundaries.crossed
    numbers = [number for number, name in enumerate(crossed, 1) if name.startswith(f"{side} {effect}")]
    assert numbers, "this boundary is crossed"

    for number in numbers:
        crashed = play(stage(), crash_at=number)

        assert crossed[:number] == crashed.first_crossed, "the play is the same up to there"
        check_same_end(calm, crashed, f"crash at boundary {number}, {crossed[number - 1]}")
        crashed.ledger.close()
    calm.ledger.close()


@pytest.mark.parametrize("after", ["before record of outcomes", "before start sim/prod-", "before queue"])
def test_a_process_that_dies_again_and_again_still_arrives(after: str) -> None:
    """
    Liveness: crashes at the same boundary in a row cost time and nothing else; the write is not made a second time.
    """
    played = Stage()
    crashes = 0
    for _ in range(CYCLES_MAX):
        if crashes < 5:
            arm(played, after)
        try:
            played.cycle()
        except Crash:
            crashes += 1
            played.restart()

    assert 3 <= crashes
    assert [] == played.broken
    assert played.is_on()
    assert {2} == {cluster.generation for cluster in played.fleet.clusters.values()}
    assert {1} == set(played.replies.values())
    assert [] == said_twice(played.told)


def arm(stage: Stage, boundary: str) -> None:
    """Let the process die when it crosses a boundary whose name begins so."""

    def die() -> None:
        raise Crash(boundary)

    names = [f"{boundary}{number}" for number in range(1, 5)] if boundary.endswith("-") else [boundary]
    stage.boundaries.at.update(dict.fromkeys(names, die))
