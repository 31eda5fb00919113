"""``wavefleet history``: what was decided, when, oldest first."""

from typing import Annotated

import typer

from controller import wiring
from controller.cli.options import Output, OutputOption
from controller.cli.render import to_json
from controller.cli.render_records import history_json, history_text
from controller.settings import Settings


def history(
    group: Annotated[str | None, typer.Argument(help="Only this group, or `fleet` for its halts.")] = None,
    *,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster, by its full name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many entries, the newest.")] = 100,
    before: Annotated[int | None, typer.Option(min=1, help="Only entries before this sequence number.")] = None,
    output: OutputOption = Output.TEXT,
    settings: Settings,
) -> None:
    """Print the ledger's entries."""
    ledger = wiring.existing_ledger(settings)
    try:
        entries = ledger.history(group, cluster, limit, before)
    finally:
        ledger.close()
    typer.echo(to_json(history_json(entries)) if output is Output.JSON else history_text(entries))
