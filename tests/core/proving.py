"""Groups that prove their release before their metadata.version is finalized, for tests of that."""

from dataclasses import replace

from controller.history.entries import RolloutPlanned
from controller.history.records import Way
from controller.model.declaration import ClusterGroup, Finalize
from tests.builders import HOUR, MINUTE, NEW, NOON, a_reading
from tests.builders_core import (
    a_group,
    a_strategy,
    a_wave,
)
from tests.core.plays import Play, only

WAVES = (a_wave("canary", "1", 5 * MINUTE), a_wave("rest", "rest", 5 * MINUTE))


def finalizing(**parts: object) -> ClusterGroup:
    """A group that finalizes an hour after the whole of it is on its release."""
    group = a_group(metadata_version=Finalize.AUTO, finalize_soak=HOUR, strategy=a_strategy(waves=WAVES))
    return replace(group, **parts)  # type: ignore[arg-type]  # a test names the part that it is about


def arrived(group: ClusterGroup | None = None, *names: str, runs: str = NEW) -> Play:
    """A group of which every cluster runs its release already, seen for the first time at noon."""
    play = Play(group or finalizing()).live(*(names or ("p-1", "p-2", "p-3")), reading=a_reading(runs))
    play.cycle()
    return play


def due(group: ClusterGroup | None = None, *names: str) -> Play:
    """The same, with ``finalize.soak`` over in the next cycle."""
    play = arrived(group, *names)
    play.now = NOON + HOUR
    return play


def finalizations(play: Play) -> list[RolloutPlanned]:
    """The finalizations that the last cycle planned."""
    assert play.plan is not None
    return [entry for entry in only(RolloutPlanned, play.plan.entries) if entry.way is Way.FINALIZE]
