"""``wavefleet demo``: a rollout over the example fleet, in virtual time; it needs no settings and leaves nothing."""

from typing import Annotated

import typer

from controller.cli.exits import exit_codes


def demo(
    *,
    statuses: Annotated[
        bool, typer.Option("--statuses", help="Print every commit status as it is posted, too.")
    ] = False,
) -> None:
    """Show a rollout over the example fleet: a bump, waves, a late failure, a halt, its acknowledgement, the end."""
    from controller.cli.demo_story import play

    with exit_codes():
        play(statuses=statuses)
