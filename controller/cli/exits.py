"""Exit codes, and how an error becomes one: a sentence on standard error, never a trace for what was foreseen."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from controller.cli.speech import complain
from controller.errors import ControllerError, DeclarationError, LabError, SettingsError, UnknownLabName


class Exit(IntEnum):
    """What a command's exit code says; stable, other programs read it."""

    GOOD = 0
    WRONG_INPUT = 1
    WRONG_USAGE = 2
    HELD = 3
    """Something is held or halted, where that was asked."""
    OUTSIDE = 4
    """An outside system or the ledger failed."""
    BUG = 70
    """What was not foreseen, by the number of sysexits(3)."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors that the body raises into sentences and exit codes."""
    try:
        yield
    except DeclarationError as error:
        complain(str(error))
        raise typer.Exit(Exit.WRONG_INPUT) from None
    except SettingsError as error:
        complain(f"wavefleet: {error}")
        raise typer.Exit(Exit.WRONG_USAGE) from None
    except UnknownLabName as error:
        complain(f"wavefleet lab: {error}")
        raise typer.Exit(Exit.WRONG_INPUT) from None
    except LabError as error:
        complain(f"wavefleet lab: {error}")
        raise typer.Exit(Exit.OUTSIDE) from None
    except ControllerError as error:
        complain(f"wavefleet: {error}")
        raise typer.Exit(Exit.OUTSIDE) from None
