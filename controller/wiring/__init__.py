"""The composition root: the one place where settings become parts, and parts become a controller.

``parts`` builds single outside parts, ``running`` the daemon, ``reading`` what commands look at, ``checking`` the
trials of ``wavefleet check``. Commands and pages ask here and never build an outside part themselves.
"""

from controller.wiring.checking import Checked, check_everything
from controller.wiring.parts import DeclaredSources, channels_of, log_to, pace_of, repository_of
from controller.wiring.reading import (
    existing_ledger,
    look_at_folder,
    look_at_live,
    problems_in,
    recorded_history,
)
from controller.wiring.running import Pulse, Running, assemble

__all__ = [
    "Checked",
    "DeclaredSources",
    "Pulse",
    "Running",
    "assemble",
    "channels_of",
    "check_everything",
    "existing_ledger",
    "log_to",
    "look_at_folder",
    "look_at_live",
    "pace_of",
    "problems_in",
    "recorded_history",
    "repository_of",
]
