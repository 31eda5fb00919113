"""Small worlds for tests of the runtime: one group of three clusters, one wave after another, every health read."""

from dataclasses import replace
from datetime import timedelta

from controller.model.declaration import ClusterGroup
from controller.model.entries import Entry
from controller.model.outbox import CommitStatus, Message, ThreadHead
from tests.builders import MINUTE, OLD, release
from tests.builders_core import a_declaration, a_group, a_strategy, a_wave
from tests.simulation.fleet import Cluster
from tests.simulation.play import Play
from tests.simulation.world import level_of

CANARY_THEN_REST = (a_wave("canary", "1", 2 * MINUTE), a_wave("broad", "rest", 2 * MINUTE))
NAMES = ("eu/prod-1", "eu/prod-2", "us/prod-3", "us/prod-4")
CYCLES_MAX = 60


def a_small_group(**parts: object) -> ClusterGroup:
    """Four clusters: one canary, and then the rest at once."""
    group = a_group(strategy=a_strategy(waves=CANARY_THEN_REST), samples=2)
    return replace(group, **parts)  # type: ignore[arg-type] # a test names the part that it is about


def a_small_play(*groups: ClusterGroup) -> Play:
    """A play whose declaration is merged, and whose controller has not run yet."""
    play = Play()
    version = release(OLD)
    for name in NAMES:
        play.fleet.add(Cluster(name, {"group": "prod"}, [version] * 2, version, level_of(version)))
    play.fleet.always_full = True
    play.repository.commit(a_declaration(*(groups or (a_small_group(),))))
    return play


def go(play: Play, cycles: int = 1, by: timedelta = MINUTE) -> None:
    """Run some cycles."""
    for _ in range(cycles):
        play.pass_time(by)
        play.cycle()


def go_on_until(play: Play, kind: type[Entry], count: int = 1) -> None:
    """Run cycles until so many entries of a kind were recorded."""
    for _ in range(CYCLES_MAX):
        if said(play, kind) >= count:
            return
        go(play)
    raise AssertionError(f"no {count} {kind.__name__} in {CYCLES_MAX} cycles")


def said(play: Play, kind: type[Entry]) -> int:
    """Return how many entries of a kind are recorded."""
    return sum(isinstance(each.entry, kind) for each in play.ledger.memory.read())


def last_words(messages: list[Message]) -> dict[tuple[str, str], object]:
    """Return by channel and topic what a reader sees in the end: the last status or head, and every reply, in order."""
    seen: dict[tuple[str, str], object] = {}
    for message in messages:
        place = (message.channel, message.topic)
        if isinstance(message.body, CommitStatus | ThreadHead):
            seen[place] = message.body
        else:
            replies = seen.setdefault(place, [])
            assert isinstance(replies, list)
            replies.append(message.body.text)
    return seen
