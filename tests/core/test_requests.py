"""People's commands: what each of them changes, and what is told where it changes nothing."""

import pytest

from controller.history.entries import RequestTaken
from controller.history.records import ClusterState
from controller.model.requests import FLEET, Command
from controller.model.verdict import HoldReason
from tests.builders_core import a_declaration, a_group, a_request
from tests.core.plays import Play, fail, only, second_wave


def outcome(play: Play, command: Command = Command.RESUME, **parts: object) -> str:
    """What came of one command."""
    (taken,) = only(RequestTaken, play.cycle(a_request(command, **parts)).entries)  # type: ignore[arg-type]
    return taken.outcome


def test_a_halt_by_command_tells_its_number() -> None:
    """
    The reason and who asked are kept.
    """
    play = Play().live("p-1")

    assert "prod is halted as prod-1" == outcome(play, Command.HALT)
    assert ("looks odd", "ana") == (play.history.stops["prod", 1].detail, play.history.stops["prod", 1].by)
    assert "fleet is halted as fleet-1" == outcome(play, Command.HALT, scope=FLEET)


@pytest.mark.parametrize(
    ("command", "parts", "told"),
    [
        (Command.HALT, {"scope": "prdo"}, "nothing changed: no group is called prdo"),
        (Command.RESUME, {"scope": "prdo"}, "nothing changed: no group is called prdo"),
        (Command.RESUME, {}, "nothing changed: prod is not halted"),
        (Command.RESUME, {"number": 7}, "nothing changed: prod-7 is not halted"),
        (Command.RESUME, {"scope": FLEET}, "nothing changed: fleet is not halted"),
        (Command.RESUME, {"scope": FLEET, "revision": "ffff"}, f"nothing changed: the head is {'a' * 40}, not ffff"),
        (Command.RESUME, {"scope": FLEET, "revision": "aaaa"}, "revision aaaa is accepted"),
    ],
)
def test_a_command_that_changes_nothing_says_why(command: Command, parts: dict[str, object], told: str) -> None:
    """
    And it is taken in all the same, so that nobody waits for it.
    """
    play = Play().live("p-1")

    assert told == outcome(play, command, **parts)
    assert {} == play.history.stops


def test_resume_lifts_every_halt_of_its_scope_and_no_quarantine() -> None:
    """
    A quarantine is lifted by its own number alone.
    """
    play = second_wave("1")
    fail(play, "p-1")
    play.cycle(a_request(Command.HALT))
    play.cycle(a_request(Command.HALT, id=2))

    assert "resumed prod-2, prod-3" == outcome(play)
    assert None is play.history.stops["prod", 1].acknowledged_at
    assert "resumed prod-1" == outcome(play, number=1)
    assert (ClusterState.PENDING, True) == (play.record_of("p-1").state, play.record_of("p-1").tail)


def test_a_halt_of_a_group_that_is_gone_can_still_be_lifted() -> None:
    """
    Its release is suspect for others until then.
    """
    play = second_wave("0", most=1)
    fail(play, "p-6")
    play.declaration = a_declaration(a_group("other"))
    play.cycle()

    assert "resumed prod-1" == outcome(play)


def test_commands_are_taken_in_oldest_first() -> None:
    """
    Halt, then resume, leaves the group free; the other way round it is halted.
    """
    play = Play().live("p-1")
    play.cycle(a_request(Command.HALT, id=1), a_request(Command.RESUME, id=2))
    assert HoldReason.GROUP_HALTED not in play.reasons()

    play.cycle(a_request(Command.RESUME, id=3), a_request(Command.HALT, id=4))
    assert HoldReason.GROUP_HALTED in play.reasons()
