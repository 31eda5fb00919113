"""``wavefleet halt`` and ``resume``: a person's word, appended to the ledger and taken in by the next cycle."""

import getpass
import time
from dataclasses import replace
from typing import Annotated

import typer

from controller.cli.exits import Exit
from controller.cli.speech import can_be_shown, complain, say
from controller.model.requests import FLEET, Command, Request
from controller.settings import Settings

LOOK_EVERY_SECONDS = 0.2
REASON_CHARACTERS_MAX = 500
"""Room for a sentence and a link; a longer story belongs where the link leads."""
NAME_CHARACTERS_MAX = 100

_Scope = Annotated[str | None, typer.Argument(help="The group; without one the whole fleet.", metavar="GROUP")]
_Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded and shown wherever the halt is.")]
_By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.", show_default="the user of this machine")]
_Wait = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the daemon's answer; 0 does not wait.")
]


def halt(group: _Scope = None, *, reason: _Reason, by: _By = None, wait: _Wait = 180, settings: Settings) -> None:
    """Stop every start in a group, or in the whole fleet, until somebody resumes it. What is in flight finishes."""
    request = _request(Command.HALT, group or FLEET, by, reason)
    _ask(settings, request, wait)


def resume(
    group: _Scope = None,
    *,
    reason: _Reason = "resumed by command",
    number: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, help="Only this halt or quarantine, such as 7.")
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(metavar="SHA", help="Go on from this head after the branch's history was rewritten."),
    ] = None,
    by: _By = None,
    wait: _Wait = 180,
    settings: Settings,
) -> None:
    """Lift the halts of a group or of the fleet, or one halt or quarantine by its number."""
    if revision is not None and (len(revision) < 7 or not all(each in "0123456789abcdef" for each in revision)):
        complain(f"wavefleet: --revision: found {revision!r}, expected at least 7 digits of a revision")
        raise typer.Exit(Exit.WRONG_USAGE)
    request = _request(Command.RESUME, group or FLEET, by, reason)
    _ask(settings, replace(request, number=number, revision=revision), wait)


def _request(command: Command, scope: str, by: str | None, reason: str) -> Request:
    from controller.runtime.clock import SystemClock

    _refuse_unfit("--reason", reason, REASON_CHARACTERS_MAX)
    if by is not None:
        _refuse_unfit("--by", by, NAME_CHARACTERS_MAX)
    return Request(
        id=0,
        command=command,
        scope=scope,
        by=by or _user(),
        reason=reason,
        at=SystemClock().now(),
    )


def _refuse_unfit(option: str, text: str, most: int) -> None:
    """End with wrong usage where ``text`` cannot be shown as one short line, on a terminal and in Slack alike."""
    found = ""
    if not text.strip():
        found = "nothing"
    elif len(text) > most:
        found = f"{len(text)} characters"
    elif unshowable := next((each for each in text if not can_be_shown(each)), None):
        found = f"the character U+{ord(unshowable):04X}"
    if found:
        complain(f"wavefleet: {option}: found {found}, expected 1 to {most} characters on one line, none for control")
        raise typer.Exit(Exit.WRONG_USAGE)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have a number and no name
        return "an unnamed user"


def _ask(settings: Settings, request: Request, wait: float) -> None:
    from controller.wiring.reading import existing_ledger

    ledger = existing_ledger(settings)
    try:
        number = ledger.ask(request)
        if not wait:
            say(f"recorded as request {number}; the daemon's next cycle takes it in")
            return
        complain(f"recorded as request {number}; waiting for the daemon's next cycle")
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            answer = ledger.answer(number)
            if answer is not None:
                say(answer)
                if answer.startswith("nothing changed"):
                    raise typer.Exit(Exit.WRONG_INPUT)
                return
            time.sleep(LOOK_EVERY_SECONDS)
    finally:
        ledger.close()
    complain(
        f"wavefleet: request {number} was not taken in within {wait:g} s; it stays recorded, and the daemon's next "
        "cycle takes it in. Is it running?"
    )
    raise typer.Exit(Exit.OUTSIDE)
