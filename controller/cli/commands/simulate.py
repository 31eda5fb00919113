"""``wavefleet simulate``: what a folder declares, played in virtual time; it needs no settings and leaves nothing.

Only a live fleet, where one is declared, is read once, within the time limit of the settings.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from controller.cli.exits import exit_codes
from controller.cli.moments import parse_end, parse_moment, parse_span
from controller.cli.options import SimulateOutput
from controller.cli.speech import complain

LONGEST = timedelta(days=3660)
FIRST_YEAR, LAST_YEAR = 1970, 2200
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

T = TypeVar("T")


def simulate(
    *,
    path: Annotated[Path, typer.Option("--path", metavar="DIR", help="The folder that holds fleet.yaml.")] = Path(),
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", metavar="FILE", help="The whole live fleet, instead of the declared sources."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first cycle, in UTC.  [default: now]")
    ] = None,
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="The end, as a duration such as 60d or a date.")
    ] = "60d",
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**63 - 1, help="Decides which clusters a fault with a share hits.")
    ] = 0,
    interval: Annotated[str, typer.Option("--interval", metavar="DURATION", help="From cycle to cycle.")] = "60s",
    output: Annotated[
        SimulateOutput, typer.Option("--output", "-o", help="How to print; jsonl is one event a line.")
    ] = SimulateOutput.TEXT,
) -> None:
    """Play what a folder declares: what happens when, how long it takes, how far a fault reaches.

    It is played against the inventories of simulated sources, and against live clusters as they are seen now.

    The same code as the daemon's judges every cycle; the same seed and dates print the same. Exits with 0 also where
    something halts.
    """
    from controller.cli.render_simulate import play_out
    from controller.runtime.clock import SystemClock
    from controller.simulate.stage import Scenario
    from controller.wiring.simulating import declared_for_simulation, play_of

    begin = SystemClock().now().replace(microsecond=0) if start is None else _begin(start)
    end = _end(begin, until)
    every = _interval(interval)
    with exit_codes():
        rehearsed = declared_for_simulation(path, inventory, os.environ)
        for note in rehearsed.notes:
            complain(f"wavefleet: {note}")
        scenario = Scenario(rehearsed.declaration, begin, end, every, seed)
        play_out(play_of(scenario), scenario, output)


def _begin(start: str) -> datetime:
    begin = _read("--from", parse_moment, start)
    if not FIRST_YEAR <= begin.year < LAST_YEAR:
        raise typer.BadParameter(f"found {start!r}, expected from {FIRST_YEAR} to {LAST_YEAR}", param_hint="--from")
    return begin


def _interval(interval: str) -> timedelta:
    span = _read("--interval", parse_span, interval)
    if not SECOND <= span <= DAY:
        raise typer.BadParameter(f"found {interval!r}, expected between 1s and 1d", param_hint="--interval")
    return span


def _end(begin: datetime, until: str) -> datetime:
    """Return the end that ``until`` names; typer.BadParameter where the time between cannot be played."""
    end = _read("--until", parse_end, until)
    length = end if isinstance(end, timedelta) else end - begin
    if length <= timedelta(0):
        raise typer.BadParameter(f"found {until!r}, expected a moment after {_shown(begin)}", param_hint="--until")
    if length > LONGEST:
        raise typer.BadParameter(
            f"found {until!r}, expected at most {LONGEST.days}d after {_shown(begin)}", param_hint="--until"
        )
    return begin + length


def _read(option: str, parse: Callable[[str], T], text: str) -> T:
    """Return what ``text`` stands for; a refusal names the option and what was typed."""
    try:
        return parse(text)
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint=option) from None


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
