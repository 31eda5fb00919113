"""``wavefleet history``: what was decided, when, oldest first."""

from typing import Annotated

import typer

from controller.cli.exits import Exit
from controller.cli.options import Output, OutputOption
from controller.cli.speech import complain, say
from controller.settings import Settings


def history(
    group: Annotated[
        str | None, typer.Argument(help="Only this group, or `fleet` for its halts.", metavar="GROUP")
    ] = None,
    *,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this cluster, by short or full name.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many entries, the newest.")] = 100,
    before: Annotated[int | None, typer.Option(min=1, help="Only entries before this sequence number.")] = None,
    output: OutputOption = Output.TEXT,
    settings: Settings,
) -> None:
    """Print the ledger's entries."""
    from controller.cli.names import matching, not_one
    from controller.cli.render import to_json
    from controller.cli.render_history import history_json, history_text
    from controller.model.requests import FLEET
    from controller.wiring.reading import existing_ledger, recorded_history

    remembered = recorded_history(settings, required=True)
    if group is not None and group != FLEET and group not in remembered.declared:
        complain(f"wavefleet: {not_one('group', group, (), remembered.declared)}")
        raise typer.Exit(Exit.WRONG_INPUT)
    if cluster is not None and "/" not in cluster:
        known = {name for rollout in remembered.rollouts.values() for name in rollout.clusters}
        names = matching(cluster, known)
        if len(names) != 1:
            complain(f"wavefleet: {not_one('cluster', cluster, names, known)}")
            raise typer.Exit(Exit.WRONG_INPUT)
        cluster = names[0]
    ledger = existing_ledger(settings)
    try:
        entries = ledger.history(group, cluster, limit, before)
    finally:
        ledger.close()
    say(to_json(history_json(entries)) if output is Output.JSON else history_text(entries))
